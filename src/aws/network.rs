//! What is said in the place of an endpoint by who receives and refuses for it.

use {
    super::{
        digest,
        fault::Fault,
        http::Response,
        json,
        messages::poll,
        model::{ReceiveMessageRequest, ReceiveMessageResult},
        sdk::write,
        shape::Wire,
        value::Value,
    },
    crate::{
        error::ErrorCode,
        queue::{Message, Queue, Receive},
        service::Service,
    },
    aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::ConnectorError},
};

type Answer = Result<HttpResponse, ConnectorError>;

impl Service {
    /// What a request of the action `ReceiveMessage` asks a queue for, and how its answer is written; `None` if the
    /// endpoint refuses it.
    pub(crate) fn sdk_receive<'queue>(
        &self,
        queue: &'queue Queue,
        body: &[u8],
    ) -> Option<(Receive<'queue>, impl Fn(&[Message]) -> Answer + Send + use<>)> {
        let input = ReceiveMessageRequest::decode(Value::from_json(body)?).ok()?;
        let (receive, names) = poll(queue, input, self.limits()).ok()?;
        let service = self.clone();
        let answer = move |messages: &[Message]| {
            let result = names.result(messages, |message| digest::of_body(message.body()));
            service.sdk_response(json::write(Ok(ReceiveMessageResult::encode(result))))
        };
        Some((receive, answer))
    }

    /// The answer that refuses a request.
    pub(crate) fn sdk_refusal(&self, code: ErrorCode, message: String) -> Answer {
        self.sdk_response(json::write(Err(Fault { code, message })))
    }

    fn sdk_response(&self, mut response: Response) -> Answer {
        let request_id = self.draw_request_id().to_string();
        response.headers.push(("x-amzn-RequestId", request_id));
        write(response)
    }
}
