//! HTTP clients of the SDK that do to requests what a network does.

use {
    aws_sdk_sqs::{
        Client,
        config::{Credentials, RuntimeComponents, SharedCredentialsProvider, retry::RetryConfig},
        error::ConnectorError,
    },
    aws_smithy_runtime_api::client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
    },
    requeue::{Service, aws::SdkHttpClient},
    std::{fmt, future::poll_fn, sync::Arc, task::Poll},
};

/// A client of the service whose answers take a turn to arrive: whoever waits for one can be interrupted there.
pub(crate) fn slow_client(service: &Service) -> Client {
    let http = Slow(service.sdk_http_client());
    let config = service.sdk_config().into_builder().http_client(http);
    Client::new(&config.build())
}

#[derive(Clone, Debug)]
struct Slow(SdkHttpClient);

#[derive(Debug)]
struct SlowConnector(SharedHttpConnector);

impl HttpClient for Slow {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(SlowConnector(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for SlowConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            turn().await;
            answer
        })
    }
}

/// A client of the service whose requests do not arrive, or whose answers do not, as `broken` says for each action and
/// time. It tries nothing again.
pub(crate) fn client_cut_off(
    service: &Service,
    broken: impl Fn(&str) -> Option<Cut> + Send + Sync + 'static,
) -> Client {
    let http = CutOff(service.sdk_http_client(), Arc::new(broken));
    let config = service.sdk_config().into_builder().http_client(http);
    Client::new(&config.retry_config(RetryConfig::disabled()).build())
}

/// Where the way between client and service is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cut {
    /// The service never hears of the request.
    Request,
    /// It does, and the client never hears of that.
    Answer,
}

type Broken = Arc<dyn Fn(&str) -> Option<Cut> + Send + Sync>;

#[derive(Clone)]
struct CutOff(SdkHttpClient, Broken);

impl fmt::Debug for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutOff")
    }
}

impl HttpClient for CutOff {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for CutOff {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cut = (self.1)(action(&request));
        let lost = || ConnectorError::io("the network is down".into());
        if cut == Some(Cut::Request) {
            return HttpConnectorFuture::ready(Err(lost()));
        }
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if cut.is_some() { Err(lost()) } else { Ok(answer) }
        })
    }
}

fn action(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

/// Lets others have a turn.
pub(crate) async fn turn() {
    let mut again = true;
    poll_fn(|context| {
        if !std::mem::take(&mut again) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(crate) type Answer = Result<(u16, &'static str), ConnectorError>;

/// A client without a service, to whose every request `answer` gives status and body. It tries nothing again.
pub(crate) fn client(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Client {
    let credentials = Credentials::new("id", "key", None, None, "test");
    client_with(Some(SharedCredentialsProvider::new(credentials)), answer)
}

pub(crate) fn client_with(
    credentials: Option<SharedCredentialsProvider>,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> Client {
    let config = Service::new()
        .sdk_config()
        .into_builder()
        .http_client(Canned(Arc::new(answer)));
    let mut config = config.retry_config(RetryConfig::disabled());
    config.set_credentials_provider(credentials);
    Client::new(&config.build())
}

#[derive(Clone)]
struct Canned(Arc<dyn Fn(&str) -> Answer + Send + Sync>);

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = (self.0)(action(&request)).map(|(status, body)| {
            let status = status.try_into().expect("a status of HTTP");
            HttpResponse::new(status, body.into())
        });
        HttpConnectorFuture::ready(answer)
    }
}
