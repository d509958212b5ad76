//! An endpoint and a caller of its JSON protocol.

use requeue::{
    Limits, ManualClock, Service,
    aws::{Endpoint, EndpointBuilder, Request},
};
use serde_json::{Value, json};

pub(crate) struct Door {
    pub(crate) clock: ManualClock,
    pub(crate) service: Service,
    pub(crate) endpoint: Endpoint,
}

/// HTTP status, name of the shape, and text.
pub(crate) type Refusal = (u16, String, String);

impl Door {
    pub(crate) fn new() -> Self {
        Self::with(Limits::aws(), |builder| builder)
    }

    pub(crate) fn with(limits: Limits, set: impl FnOnce(EndpointBuilder) -> EndpointBuilder) -> Self {
        let clock = ManualClock::default();
        let service = Service::builder().clock(clock.clone()).limits(limits).seed(1).build();
        let endpoint = set(Endpoint::builder(&service)).build();
        Self {
            clock,
            service,
            endpoint,
        }
    }

    /// The output of an action, null if it has none. An error's code in the header is checked against its shape.
    #[track_caller]
    pub(crate) fn call(&self, action: &str, input: Value) -> Result<Value, Refusal> {
        let request = Request::post("/", input.to_string()).header("X-Amz-Target", format!("AmazonSQS.{action}"));
        let response = pollster::block_on(self.endpoint.handle(request));
        let body: Value = match response.body.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes).unwrap(),
        };
        if response.status == 200 {
            return Ok(body);
        }
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        let shape = text("__type").split_once('#').unwrap().1.to_owned();
        let code = match shape.as_str() {
            "InvalidParameterValueException" => "InvalidParameterValue",
            "MissingRequiredParameterException" => "MissingParameter",
            "SerializationException" => "MalformedInput",
            "QueueNameExists" => "QueueAlreadyExists",
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
            other => other,
        };
        let header = ("x-amzn-query-error", format!("{code};Sender"));
        assert!(
            response.headers.contains(&header),
            "{:?} lacks {header:?}",
            response.headers
        );
        Err((response.status, shape, text("message")))
    }

    #[track_caller]
    pub(crate) fn create(&self, name: &str, attributes: Value) {
        self.call("CreateQueue", json!({ "QueueName": name, "Attributes": attributes }))
            .unwrap();
    }
}

/// Asserts that an action is refused with this status, shape and text.
#[track_caller]
pub(crate) fn assert_refused(result: Result<Value, Refusal>, status: u16, shape: &str, text: &str) {
    assert_eq!(result, Err((status, shape.to_owned(), text.to_owned())));
}
