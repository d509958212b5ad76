//! The AWS SDK for Rust on a service, without a socket: its HTTP client is the endpoint, its clock the service's.

use {
    super::{
        endpoint::Endpoint,
        http::{Request, Response},
    },
    crate::{clock::SdkClock, service::Service},
    aws_credential_types::{Credentials, provider::SharedCredentialsProvider},
    aws_smithy_async::future::timeout::TimedOutError,
    aws_smithy_runtime_api::{
        client::{
            behavior_version::BehaviorVersion,
            http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
            orchestrator::{HttpRequest, HttpResponse},
            result::ConnectorError,
            runtime_components::RuntimeComponents,
        },
        http::StatusCode,
    },
    aws_smithy_types::{body::SdkBody, byte_stream::ByteStream},
    aws_types::{SdkConfig, region::Region},
    std::{fmt, time::Duration},
};

/// Who the requests of [`Service::sdk_config`] are signed for; signatures are not checked.
const NOBODY: &str = "requeue";

impl Service {
    /// All that a client of the AWS SDK needs to use this service: `aws_sdk_sqs::Client::new(&service.sdk_config())`.
    ///
    /// It has the service's region and clock, made-up credentials, and an HTTP client that opens no connection. Long
    /// polls, timeouts and retries of the SDK keep the service's time: under a [`ManualClock`](crate::ManualClock) they
    /// end when it is advanced. Everything else is as the SDK has it by default, in its latest behavior version; to
    /// change that, use `into_builder()`.
    ///
    /// # Waiting
    /// A future of the client waits for the clock and for nothing else, and runs on any executor. Under a `ManualClock`
    /// [`run_until`](crate::ManualClock::run_until) lets time pass while it waits. Or advance the clock yourself when
    /// [`Queue::wait_for_waiters`](crate::Queue::wait_for_waiters) says that a long poll has come to wait:
    /// [`ManualClock::wait_for_sleepers`](crate::ManualClock::wait_for_sleepers) also counts timers that the SDK sets
    /// for a request before it makes it.
    ///
    /// # Retries and timeouts
    /// The SDK tries again after `RequestThrottled`, after a pause that somebody has to advance through. The budget for
    /// such retries is shared by all clients of a process with the same region: tests that let requests fail should
    /// have a region each, or `RetryConfig::disabled()`. Set timeouts longer than the longest wait time: an
    /// `operation_timeout` or `read_timeout` of 10 seconds ends a long poll of 20, as it would against Amazon SQS.
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// let client = aws_sdk_sqs::Client::new(&service.sdk_config());
    /// pollster::block_on(client.send_message().queue_url(jobs.url()).message_body("resize cat.png").send())?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        Endpoint::new(self).sdk_config()
    }

    /// An HTTP client for the AWS SDK whose requests this service answers; for a configuration that is not
    /// [`sdk_config`](Self::sdk_config).
    ///
    /// Without `rt-tokio` a client also needs a `sleep_impl`: [`sdk_clock`](Self::sdk_clock).
    ///
    /// # Examples
    /// ```
    /// use aws_sdk_sqs::{Client, config::{BehaviorVersion, Config, Credentials, Region}};
    ///
    /// let service = requeue::Service::new();
    /// let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    /// let config = config.credentials_provider(Credentials::new("id", "key", None, None, "test"));
    /// let config = config.http_client(service.sdk_http_client());
    /// let config = config.sleep_impl(service.sdk_clock()).time_source(service.sdk_clock());
    /// let client = Client::from_conf(config.build());
    /// assert!(pollster::block_on(client.list_queues().send())?.queue_urls().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sdk_http_client(&self) -> SdkHttpClient {
        Endpoint::new(self).sdk_http_client()
    }

    /// The service's clock for `sleep_impl` and `time_source` of the AWS SDK.
    ///
    /// # Examples
    /// ```
    /// use aws_smithy_async::time::TimeSource;
    /// use requeue::{Clock, ManualClock, Service};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let clock = ManualClock::default();
    /// let shown = Service::builder().clock(clock.clone()).build().sdk_clock().now();
    /// assert_eq!(shown, SystemTime::UNIX_EPOCH + Duration::from_millis(clock.now().as_millis()));
    /// ```
    #[must_use]
    pub fn sdk_clock(&self) -> SdkClock {
        SdkClock::new(self.clock().clone())
    }
}

impl Endpoint {
    /// [`Service::sdk_config`] for an endpoint that exists.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Service, aws::Endpoint};
    ///
    /// let service = Service::builder().region("eu-west-1").build();
    /// let config = Endpoint::new(&service).sdk_config();
    /// assert_eq!(config.region().map(|region| region.as_ref()), Some("eu-west-1"));
    /// ```
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        let service = self.service();
        let credentials = Credentials::new(NOBODY, NOBODY, None, None, NOBODY);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(service.region().to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.sdk_http_client())
            .sleep_impl(service.sdk_clock())
            .time_source(service.sdk_clock())
            .build()
    }

    /// [`Service::sdk_http_client`] for an endpoint that exists.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Service, aws::Endpoint};
    /// let endpoint = Endpoint::new(&Service::new());
    /// let config = endpoint.sdk_config().into_builder().http_client(endpoint.sdk_http_client()).build();
    /// assert!(config.http_client().is_some());
    /// ```
    #[must_use]
    pub fn sdk_http_client(&self) -> SdkHttpClient {
        SdkHttpClient {
            endpoint: self.clone(),
            read_timeout: None,
        }
    }
}

/// An HTTP client of the AWS SDK that opens no connection: an [`Endpoint`] answers.
///
/// Of the SDK's settings it keeps the read timeout, in the service's time. It has nothing to connect to, so a connect
/// timeout is never reached.
///
/// # Examples
/// ```
/// # use requeue::Service;
/// let service = Service::new();
/// let config = service.sdk_config().into_builder().http_client(service.sdk_http_client()).build();
/// let client = aws_sdk_sqs::Client::new(&config);
/// assert!(pollster::block_on(client.list_queues().send())?.queue_urls().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SdkHttpClient {
    endpoint: Endpoint,
    read_timeout: Option<Duration>,
}

impl HttpClient for SdkHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self {
            endpoint: self.endpoint.clone(),
            read_timeout: settings.read_timeout(),
        })
    }
}

impl HttpConnector for SdkHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { endpoint, read_timeout } = self.clone();
        let clock = endpoint.service().sdk_clock();
        let answer = async move {
            let request = read(request).await?;
            write(endpoint.handle(request).await)
        };
        let answer = clock.within(read_timeout, answer);
        HttpConnectorFuture::new(async {
            let timed_out = |error: TimedOutError| Err(ConnectorError::timeout(error.into()));
            answer.await.unwrap_or_else(timed_out)
        })
    }
}

impl fmt::Debug for SdkHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkHttpClient")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The request, its body read to the end: one left unread would count as a stalled upload, which the SDK gives up.
async fn read(mut request: HttpRequest) -> Result<Request, ConnectorError> {
    let body = ByteStream::new(request.take_body()).collect().await;
    let body = body.map_err(|error| ConnectorError::user(error.into()))?;
    let headers = request.headers().iter();
    Ok(Request {
        method: request.method().to_owned(),
        path: path(request.uri()).to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.to_vec(),
    })
}

/// The path, with the query string, of an absolute URI.
fn path(uri: &str) -> &str {
    let after_scheme = uri.find("://").map_or(0, |at| at + 3);
    uri[after_scheme..]
        .find('/')
        .map_or("/", |at| &uri[after_scheme + at..])
}

pub(super) fn write(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        let put = answer.headers_mut().try_insert(name, value);
        put.map_err(|error| ConnectorError::other(error.into(), None))?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_follows_the_authority() {
        for (uri, expected) in [
            ("https://sqs.us-east-1.amazonaws.com/", "/"),
            ("https://sqs.us-east-1.amazonaws.com", "/"),
            (
                "http://localhost:9324/000000000000/jobs?Action=SendMessage",
                "/000000000000/jobs?Action=SendMessage",
            ),
            ("/jobs", "/jobs"),
            ("", "/"),
        ] {
            assert_eq!(path(uri), expected, "{uri}");
        }
    }
}
