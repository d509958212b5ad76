//! The endpoint: answers requests of SQS's protocols from a service.

use {
    super::{
        action,
        call::{Call, EndpointParts},
        http::{Request, Response},
        json, query,
    },
    crate::{limits::Limits, service::Service},
    std::{fmt, sync::Arc},
};

/// A [`Service`] that answers the requests of SQS's HTTP API, without HTTP.
///
/// A handle: cloning it is cheap, and all clones are the same endpoint.
///
/// # Examples
/// ```
/// use requeue::{QueueAttributes, Service, aws::{Endpoint, Request}};
///
/// let service = Service::new();
/// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
/// let body = r#"{"QueueUrl":"jobs","MessageBody":"resize cat.png"}"#;
/// let request = Request::post("/", body).header("X-Amz-Target", "AmazonSQS.SendMessage");
/// assert_eq!(pollster::block_on(Endpoint::new(&service).handle(request)).status, 200);
/// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    pub(super) parts: Arc<EndpointParts>,
}

impl Endpoint {
    /// The endpoint of a service, whose limits it keeps: [`Limits::aws`] are exactly those of Amazon SQS today, which
    /// [`Endpoint::default`] has.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, aws::{Endpoint, Request}};
    /// let endpoint = Endpoint::new(&Service::new());
    /// let response = pollster::block_on(endpoint.handle(Request::new("GET", "/?Action=ListQueues")));
    /// assert_eq!(response.status, 200);
    /// ```
    #[must_use]
    pub fn new(service: &Service) -> Self {
        Self::builder(service).build()
    }

    /// The service that answers.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service, aws::Endpoint};
    /// let endpoint = Endpoint::new(&Service::new());
    /// let jobs = endpoint.service().create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(jobs.name(), "jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.parts.service
    }

    /// Answers one request; waits only for a long poll, and never fails: an error is an answer.
    ///
    /// The protocol is JSON if the request has the content type `application/x-amz-json-1.0`, or the header
    /// `X-Amz-Target` and not the content type of a form; it is the query protocol otherwise (W1, W3).
    ///
    /// # Source
    /// [AWS JSON protocol](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html)
    /// and [query protocol](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, aws::{Endpoint, Request}};
    /// let request = Request::post("/", r#"{"QueueUrl":"jobs"}"#).header("X-Amz-Target", "AmazonSQS.PurgeQueue");
    /// let response = pollster::block_on(Endpoint::new(&Service::new()).handle(request));
    /// assert_eq!(response.status, 400);
    /// assert!(response.body.starts_with(br#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist""#));
    /// ```
    pub async fn handle(&self, request: Request) -> Response {
        let request_id = self.parts.service.draw_request_id().to_string();
        let speaks_json = json::speaks(&request);
        let asked = if speaks_json {
            json::read(&request)
        } else {
            query::read(&request)
        };
        let call = Call {
            parts: &self.parts,
            request: &request,
        };
        let result = match asked {
            Ok((action, input)) => action::answer(&call, action, input)
                .await
                .map(|output| (action, output)),
            Err(fault) => Err(fault),
        };
        let mut response = if speaks_json {
            json::write(result.map(|(_, output)| output))
        } else {
            query::write(&request, result, &request_id)
        };
        response.headers.push(("x-amzn-RequestId", request_id));
        response
    }
}

impl Default for Endpoint {
    /// The endpoint of a service of its own, on the machine's clock, with exactly today's limits of Amazon SQS
    /// ([`Limits::aws`]).
    fn default() -> Self {
        Self::new(&Service::builder().limits(Limits::aws()).build())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("service", &self.parts.service)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attributes::QueueAttributes, aws::digest};
    use serde_json::json;

    fn request_id(endpoint: &Endpoint) -> String {
        let response = pollster::block_on(endpoint.handle(Request::post("/", "Action=ListQueues")));
        let mut headers = response.headers.into_iter();
        headers
            .find(|(name, _)| *name == "x-amzn-RequestId")
            .expect("an answer with an id")
            .1
    }

    #[test]
    fn no_request_of_a_service_has_the_id_of_another_and_a_seed_repeats_them_all() {
        let ids = |seed| {
            let service = Service::builder().seed(seed).build();
            let endpoints = [(); 2].map(|()| Endpoint::new(&service));
            [0, 1, 0, 1].map(|endpoint: usize| request_id(&endpoints[endpoint]))
        };
        let mut all = [ids(0), ids(1)].concat();
        assert_eq!(ids(1)[..], all[4..]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    /// What the endpoint answers to an action in JSON.
    fn answer(endpoint: &Endpoint, action: &str, input: serde_json::Value) -> serde_json::Value {
        let request = Request::post("/", input.to_string()).header("X-Amz-Target", format!("AmazonSQS.{action}"));
        let response = pollster::block_on(endpoint.handle(request));
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        serde_json::from_slice(&response.body).unwrap()
    }

    #[test]
    fn a_message_has_the_digest_of_its_body_after_a_duplicate_with_another_body() {
        // F11 M26
        let service = Service::new();
        let fifo = QueueAttributes::new().fifo_queue(true);
        service.create_queue("jobs.fifo", fifo).unwrap();
        let endpoint = Endpoint::new(&service);
        let [first, second] = ["a", "b"].map(|body| {
            let input = json!({
                "QueueUrl": "jobs.fifo", "MessageBody": body, "MessageGroupId": "g", "MessageDeduplicationId": "d"
            });
            answer(&endpoint, "SendMessage", input)
        });
        assert_eq!(first["MessageId"], second["MessageId"]);
        assert_ne!(first["MD5OfMessageBody"], second["MD5OfMessageBody"]);
        let received = answer(&endpoint, "ReceiveMessage", json!({ "QueueUrl": "jobs.fifo" }));
        assert_eq!(received["Messages"][0]["MD5OfBody"], first["MD5OfMessageBody"]);
    }

    #[test]
    fn a_body_sent_to_a_standard_queue_is_digested_once() {
        let service = Service::new();
        service.create_queue("jobs", QueueAttributes::new()).unwrap();
        let endpoint = Endpoint::new(&service);
        let entry = json!({ "Id": "1", "MessageBody": "a" });
        answer(
            &endpoint,
            "SendMessage",
            json!({ "QueueUrl": "jobs", "MessageBody": "a" }),
        );
        answer(
            &endpoint,
            "SendMessageBatch",
            json!({ "QueueUrl": "jobs", "Entries": [entry] }),
        );
        let jobs = service.queue("jobs").unwrap();
        let sent = jobs.receive().max_messages(10).blocking().unwrap();
        let remembered = |id| endpoint.parts.recent.of(id, "another body");
        let digests: Vec<_> = sent.iter().map(|message| remembered(message.message_id())).collect();
        assert_eq!(digests, [digest::of_body("a"); 2]);
    }

    /// The inverse of the step of SplitMix64.
    fn unmix(number: u64) -> u64 {
        let it = (number ^ number >> 31 ^ number >> 62).wrapping_mul(0x3196_42b2_d24d_8ec3);
        let it = (it ^ it >> 27 ^ it >> 54).wrapping_mul(0x96de_1b17_3f11_9089);
        (it ^ it >> 30 ^ it >> 60).wrapping_sub(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn the_id_of_a_request_does_not_give_the_seed_away() {
        // D19: the keys of receipt handles follow from the seed
        const FIRST: u64 = 0xe220_a839_7b1d_cdaf;
        assert_eq!(unmix(FIRST), 0);
        let seed = 7;
        let id = request_id(&Endpoint::new(&Service::builder().seed(seed).build()));
        let high = u64::from_str_radix(&id.replace('-', "")[..16], 16).unwrap();
        // Four bits of an id say that it is random.
        let candidates = (0..16).map(|bits| unmix(high & !0xf000 | bits << 12));
        for candidate in candidates {
            assert!(candidate != seed && candidate ^ FIRST != seed);
        }
    }
}
