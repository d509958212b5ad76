//! The network between an SDK's client and the queues of a case.

use {
    super::{
        change::{Answer, Change, Done, Refusal},
        counted::Counted,
    },
    crate::{
        error::ErrorCode,
        testing::{net::Port, wire::CallError},
    },
    aws_smithy_runtime_api::client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::HttpRequest,
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    aws_smithy_types::{body::SdkBody, byte_stream::ByteStream},
    serde_json::Value,
    std::{
        fmt,
        future::Future,
        io,
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

/// Makes the connections of one consumer.
#[derive(Clone, Debug)]
pub(super) struct Network {
    port: Port,
}

impl Network {
    pub(super) const fn new(port: Port) -> Self {
        Self { port }
    }
}

impl HttpClient for Network {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let sdk = self.port.net.sdk();
        SharedHttpConnector::new(Connection {
            port: self.port.clone(),
            endpoint: sdk.http_client.http_connector(settings, components),
            read_timeout: settings.read_timeout(),
        })
    }
}

/// A connection on which requests and answers get lost.
#[derive(Clone, Debug)]
struct Connection {
    port: Port,
    /// Answers what no fault strikes.
    endpoint: SharedHttpConnector,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        let answer = async move { connection.answer(request).await };
        HttpConnectorFuture::new(Counted::new(&self.port.pulse, answer))
    }
}

impl Connection {
    async fn answer(self, mut request: HttpRequest) -> Answer {
        if let Err(dead) = self.port.stay_dead() {
            return dead.wait_for_ever().await;
        }
        if !request.headers().get("amz-sdk-request").is_some_and(is_first) {
            self.port.net.sdk().region.spend();
        }
        let body = read(&mut request).await?;
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let action = target.strip_prefix("AmazonSQS.").unwrap_or_default().to_owned();
        let Some((port, input)) = self.addressed(&body) else {
            return self.endpoint.call(request).await;
        };
        if action == "ReceiveMessage" {
            return self.receive(&port, &body, request).await;
        }
        match Change::new(&action, input) {
            Some(change) => self.change(&port, change, request).await,
            None => self.endpoint.call(request).await,
        }
    }

    /// The input of a request that names a queue of the case, and the way to the queue.
    fn addressed(&self, body: &[u8]) -> Option<(Port, Value)> {
        let input: Value = serde_json::from_slice(body).ok()?;
        let net = &self.port.net;
        let queue = net.sdk().service.queue(input["QueueUrl"].as_str()?).ok()?;
        let line = net.lines.iter().position(|line| line.queue().is(&queue))?;
        let port = Port {
            line,
            ..self.port.clone()
        };
        Some((port, input))
    }

    async fn receive(&self, port: &Port, body: &[u8], request: HttpRequest) -> Answer {
        let service = &port.net.sdk().service;
        let Some((poll, write)) = service.sdk_receive(port.wire().queue(), body) else {
            let answer = Done::of(self.endpoint.call(request).await);
            return answer.map_or_else(
                |refusal| {
                    port.received(None, Err(refusal.to_string()), None);
                    refusal.answer()
                },
                Done::answer,
            );
        };
        let received = port.receive_awaited(poll, None);
        let received = service.sdk_clock().within(self.read_timeout, received);
        let received = received.await.map_err(|error| ConnectorError::timeout(error.into()))?;
        self.outcome(received.map(|messages| write(&messages)), |error| {
            service.sdk_refusal(error.error_code(), error.to_string())
        })
    }

    async fn change(&self, port: &Port, mut change: Change, mut request: HttpRequest) -> Answer {
        let begun = match port.begin(change.kind, change.entries_of_batch(), None) {
            Ok(begun) => begun,
            Err(dead) => return dead.wait_for_ever().await,
        };
        change.find(port.wire());
        if let Some(failing) = begun.entry {
            let body = change.without(failing);
            *request.body_mut() = SdkBody::from(body);
        }
        let endpoint = self.endpoint.clone();
        let call = move |_: &_| Done::of(now(endpoint.call(request)));
        let result = port.wire().carry(begun.fault, change.arrived(&port.name), call);
        let result = result.map(|done| done.failing(change.id(begun.entry)));
        let ended = change.end(port, begun, &result);
        if let Err(dead) = ended {
            return dead.wait_for_ever().await;
        }
        self.outcome(result.map(Done::answer), Refusal::answer)
    }

    /// What the client sees of a call.
    fn outcome<E: fmt::Display>(
        &self,
        result: Result<Answer, CallError<E>>,
        refuse: impl FnOnce(E) -> Answer,
    ) -> Answer {
        let sdk = self.port.net.sdk();
        let error = match result {
            Ok(answer) => return answer,
            Err(CallError::Refused(error)) => return refuse(error),
            Err(error) => error,
        };
        sdk.region.spend();
        let code = match &error {
            CallError::RequestThrottled => ErrorCode::RequestThrottled,
            CallError::ServiceUnavailable => ErrorCode::ServiceUnavailable,
            CallError::Refused(_) | CallError::ResponseLost => {
                let error = io::Error::new(io::ErrorKind::ConnectionReset, "the response was lost");
                return Err(ConnectorError::io(error.into()));
            }
        };
        sdk.service.sdk_refusal(code, error.to_string())
    }
}

fn is_first(attempt: &str) -> bool {
    attempt.split(';').any(|it| it.trim() == "attempt=1")
}

/// The body of a request, which it keeps.
async fn read(request: &mut HttpRequest) -> Result<Vec<u8>, ConnectorError> {
    if let Some(body) = request.body().bytes() {
        return Ok(body.to_vec());
    }
    let body = ByteStream::new(request.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::user(error.into()))?.to_vec();
    *request.body_mut() = SdkBody::from(body.clone());
    Ok(body)
}

/// The answer to a request for which the endpoint does not wait, as it does for a long poll alone.
fn now(answer: HttpConnectorFuture) -> Answer {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(ConnectorError::other("the endpoint waits".into(), None)),
    }
}
