//! What `SqsQueue` makes of the errors of SQS, of the SDK, and of the network between them.

use {
    crate::common::http::{Answer, client, client_with},
    aws_credential_types::provider::{error::CredentialsError, future::ProvideCredentials as Provided},
    aws_sdk_sqs::{
        Client,
        config::{ProvideCredentials, SharedCredentialsProvider, retry::RetryConfig},
        error::ConnectorError,
    },
    requeue::{
        Limits, ManualClock, QueueAttributes, SendMessage, Service,
        aws::Endpoint,
        backend::{ErrorKind, MessageParts, MessageQueue, ReceiveRequest, ReceivedMessage, SqsQueue},
        worker::{Job, Runner, RunnerError},
    },
    std::time::Duration,
};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs";
const VISIBILITY: Duration = Duration::from_secs(30);

fn queue(client: Client) -> SqsQueue {
    SqsQueue::with_visibility_timeout(client, URL, VISIBILITY)
}

fn message(handle: &str) -> ReceivedMessage {
    ReceivedMessage::from(MessageParts {
        receipt_handle: handle.to_owned(),
        ..MessageParts::default()
    })
}

/// The kind and the text of the error of every call; that of connecting names the queue besides.
#[track_caller]
fn error_of_every_call(client: Client) -> (ErrorKind, String) {
    let mut error = pollster::block_on(SqsQueue::connect(client.clone(), URL)).unwrap_err();
    let unnamed = error.message.strip_suffix(&format!(" (queue {URL})"));
    error.message = unnamed.expect("the name of the queue").to_owned();
    let jobs = queue(client);
    let two = [message("one"), message("other")];
    pollster::block_on(async {
        let results = [
            jobs.send(SendMessage::new("m")).await.unwrap_err(),
            jobs.receive(ReceiveRequest::new(1)).await.unwrap_err(),
            jobs.delete(&two[..1]).await.unwrap_err(),
            jobs.delete(&two).await.unwrap_err(),
            jobs.change_visibility(&two[..1], VISIBILITY).await.unwrap_err(),
            jobs.change_visibility(&two, VISIBILITY).await.unwrap_err(),
            jobs.dead_letter(&two[0], "it is late").await.unwrap_err(),
        ];
        for other in results {
            assert_eq!(other, error);
        }
    });
    (error.kind, error.to_string())
}

#[derive(Debug)]
struct Provider(fn() -> CredentialsError);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err((self.0)()))
    }
}

#[test]
fn missing_credentials_are_told() {
    let unreachable = |_: &str| -> Answer { panic!("no request is made") };
    for (provider, kind) in [
        (None, ErrorKind::Denied),
        (
            Some(Provider(CredentialsError::not_loaded_no_source)),
            ErrorKind::Denied,
        ),
        (
            Some(Provider(|| CredentialsError::invalid_configuration("no such profile"))),
            ErrorKind::Denied,
        ),
        (
            Some(Provider(|| CredentialsError::provider_error("no metadata service"))),
            ErrorKind::Denied,
        ),
        (
            Some(Provider(|| {
                CredentialsError::provider_timed_out(Duration::from_secs(5))
            })),
            ErrorKind::Transient,
        ),
    ] {
        let provider = provider.map(SharedCredentialsProvider::new);
        let (found, text) = error_of_every_call(client_with(provider, unreachable));
        assert_eq!(found, kind, "{text}");
        let begins = "NoCredentials: the client has no credentials to sign the request with: ";
        assert!(text.starts_with(begins), "{text}");
    }
}

#[test]
fn a_runner_without_credentials_ends_after_the_outage_timeout_and_says_so() {
    let jobs = queue(client_with(None, |_| panic!("no request is made")));
    let runner = Runner::builder(&jobs).outage_timeout(Duration::ZERO);
    let runner = runner.each(|_: &Job| Ok::<(), String>(())).unwrap();
    let Err(RunnerError::Queue { error, report, .. }) = runner.blocking() else {
        panic!("it ended well");
    };
    assert_eq!((error.kind, report.receive_errors), (ErrorKind::Denied, 1));
    assert!(error.to_string().contains("no credentials"), "{error}");
}

#[test]
fn a_missing_region_is_refused_and_told() {
    let config = Service::new().sdk_config().into_builder().region(None).build();
    let (kind, text) = error_of_every_call(Client::new(&config));
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    assert!(text.to_lowercase().contains("region"), "{text}");
}

#[test]
fn a_missing_network_is_transient_and_told() {
    let failures: [fn() -> ConnectorError; 2] = [
        || ConnectorError::io("no route to host".into()),
        || ConnectorError::timeout("no route to host".into()),
    ];
    for failure in failures {
        let (kind, text) = error_of_every_call(client(move |_| Err(failure())));
        assert_eq!(kind, ErrorKind::Transient, "{text}");
        assert!(
            text.starts_with("DispatchFailure: ") && text.contains("no route to host"),
            "{text}"
        );
    }
}

#[test]
fn a_request_that_the_http_client_finds_malformed_is_refused() {
    let (kind, text) = error_of_every_call(client(|_| Err(ConnectorError::user("no such scheme".into()))));
    assert_eq!(kind, ErrorKind::Refused, "{text}");
    assert!(text.contains("no such scheme"), "{text}");
}

#[test]
fn answers_are_judged_by_code_and_status() {
    const DENIED: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not for you"}"#;
    const GONE: &str = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"it is not there"}"#;
    const THROTTLED: &str = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slower"}"#;
    const TOKEN: &str = r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"it has expired"}"#;
    const UNKNOWN: &str = r#"{"__type":"com.amazon.coral.service#InternalFailure"}"#;
    for (status, body, kind, said) in [
        (403, DENIED, ErrorKind::Denied, "AccessDeniedException: not for you"),
        (
            400,
            GONE,
            ErrorKind::QueueDoesNotExist,
            "QueueDoesNotExist: it is not there",
        ),
        (400, THROTTLED, ErrorKind::Transient, "RequestThrottled: slower"),
        (403, TOKEN, ErrorKind::Denied, "ExpiredTokenException: it has expired"),
        (500, UNKNOWN, ErrorKind::Transient, "InternalFailure: "),
        (200, "<html>", ErrorKind::Transient, "HTTP 200: "),
        (400, "<html>", ErrorKind::Refused, "HTTP 400: "),
        (403, "{}", ErrorKind::Denied, "HTTP 403: "),
        (429, "{}", ErrorKind::Transient, "HTTP 429: "),
        (503, "<html>", ErrorKind::Transient, "HTTP 503: "),
        (500, "", ErrorKind::Transient, "HTTP 500: "),
    ] {
        let client = client(move |_| Ok((status, body)));
        let jobs = queue(client.clone());
        let connected = pollster::block_on(SqsQueue::connect(client, URL)).unwrap_err();
        let received = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap_err();
        for error in [connected, received] {
            assert_eq!(error.kind, kind, "{status} {body}: {error}");
            assert!(error.to_string().starts_with(said), "{error}");
        }
    }
}

#[test]
fn an_answer_without_a_visibility_timeout_is_refused() {
    for body in ["{}", r#"{"Attributes":{"VisibilityTimeout":"soon"}}"#] {
        let error = pollster::block_on(SqsQueue::connect(client(move |_| Ok((200, body))), URL)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error.message.contains(URL) && error.message.contains("visibility timeout"),
            "{error}"
        );
    }
}

#[test]
fn an_entry_that_the_answer_leaves_out_has_failed() {
    let jobs = queue(client(|_| {
        Ok((
            200,
            r#"{"Successful":[{"Id":"0"}],"Failed":[{"Id":"2","SenderFault":false,"Code":"InternalError"}]}"#,
        ))
    }));
    let messages = ["a", "b", "c"].map(message);
    let deleted = pollster::block_on(jobs.delete(&messages)).unwrap();
    let changed = pollster::block_on(jobs.change_visibility(&messages, VISIBILITY)).unwrap();
    for failures in [deleted, changed] {
        let failures: Vec<_> = failures.iter().map(|it| (it.index, it.error.kind)).collect();
        assert_eq!(failures, [(1, ErrorKind::Transient), (2, ErrorKind::Transient)]);
    }
}

#[test]
fn throttling_is_transient() {
    // F40
    let mut limits = Limits::aws();
    limits.fifo_calls = 1;
    let service = Service::builder().clock(ManualClock::default()).limits(limits).build();
    let orders = service
        .create_queue("orders.fifo", QueueAttributes::new().fifo_queue(true))
        .unwrap();
    let endpoint = Endpoint::builder(&service).throttling(true).build();
    let config = endpoint
        .sdk_config()
        .into_builder()
        .retry_config(RetryConfig::disabled());
    let jobs = pollster::block_on(SqsQueue::connect(Client::new(&config.build()), orders.url())).unwrap();
    let receive = || pollster::block_on(jobs.receive(ReceiveRequest::new(1)));
    assert!(receive().unwrap().is_empty());
    let error = receive().unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Transient, "RequestThrottled"));
}

#[test]
fn more_in_flight_than_allowed_is_transient() {
    // D15
    let mut limits = Limits::aws();
    limits.in_flight_standard = 1;
    let service = Service::builder().clock(ManualClock::default()).limits(limits).build();
    let url = service
        .create_queue("jobs", QueueAttributes::new())
        .unwrap()
        .url()
        .to_owned();
    let jobs = pollster::block_on(SqsQueue::connect(Client::new(&service.sdk_config()), url)).unwrap();
    for _ in 0..2 {
        pollster::block_on(jobs.send(SendMessage::new("m"))).unwrap();
    }
    assert_eq!(
        pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap().len(),
        1
    );
    let error = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Transient, "OverLimit"));
}

#[test]
fn a_malformed_handle_is_not_held() {
    // D19
    let service = Service::builder().clock(ManualClock::default()).build();
    let url = service
        .create_queue("jobs", QueueAttributes::new())
        .unwrap()
        .url()
        .to_owned();
    let jobs = pollster::block_on(SqsQueue::connect(Client::new(&service.sdk_config()), url)).unwrap();
    let messages = ["no handle", "nor this"].map(message);
    for messages in [&messages[..1], &messages] {
        let deleted = pollster::block_on(jobs.delete(messages)).unwrap();
        let changed = pollster::block_on(jobs.change_visibility(messages, VISIBILITY)).unwrap();
        for failures in [deleted, changed] {
            assert_eq!(failures.len(), messages.len());
            let codes: Vec<_> = failures.iter().map(|it| (it.error.kind, &*it.error.code)).collect();
            assert!(
                codes
                    .iter()
                    .all(|it| *it == (ErrorKind::NotHeld, "ReceiptHandleIsInvalid")),
                "{codes:?}"
            );
        }
    }
}
