//! Where a request is sent, and what it is for (W6, X9, X10, Q6, Q7).

use super::*;

fn get(door: &Door, path: &str) -> Answer {
    Answer::read(&door.ask(Request::new("GET", path)))
}

/// A queue beside `jobs`.
fn with_more() -> Door {
    let door = Door::with_jobs();
    door.ok("CreateQueue", &[("QueueName", "more")]);
    door
}

#[test]
fn the_path_names_the_queue_unless_a_queue_url_does() {
    // W6 Q6 Q7
    let door = with_more();
    for path in [JOBS, "/eu-west-1/123456789012/jobs", "/some/where/123456789012/jobs"] {
        let asked = |given: &str| {
            get(
                &door,
                &format!("{path}?Action=GetQueueAttributes&AttributeName.1=QueueArn{given}"),
            )
        };
        assert!(asked("").text("Value").ends_with(":jobs"), "{path}");
        assert!(asked("&QueueUrl=").text("Value").ends_with(":jobs"), "{path}");
        for other in [
            "more",
            "http://localhost/123456789012/more",
            "https%3A%2F%2Fx.y%2F123456789012%2Fmore",
        ] {
            assert!(
                asked(&format!("&QueueUrl={other}")).text("Value").ends_with(":more"),
                "{path} {other}"
            );
        }
    }
    let posted = door.ask(Request::post(JOBS, "Action=SendMessage&MessageBody=x"));
    assert_eq!(posted.status, 200);
    assert_eq!(door.of_jobs("ReceiveMessage", &[]).text("Body"), "x");
}

#[test]
fn the_endpoint_itself_names_no_queue() {
    // W6 X8
    let door = Door::with_jobs();
    let missing = refusal(
        400,
        "MissingParameter",
        "The request must contain the parameter QueueUrl.",
    );
    for path in ["/", "", "/eu-west-1", "/eu-west-1/"] {
        assert_eq!(
            get(&door, &format!("{path}?Action=PurgeQueue")).error(),
            missing,
            "{path}"
        );
        assert_eq!(get(&door, &format!("{path}?Action=ListQueues")).status, 200, "{path}");
    }
}

#[test]
fn without_an_action_there_is_no_operation() {
    // W6
    let door = Door::with_jobs();
    for request in [
        Request::new("GET", JOBS),
        Request::new("GET", JOBS).header("Accept", "application/json"),
        Request::new("GET", "/"),
        Request::new("GET", "/?Action="),
        Request::post("/", ""),
        Request::post("/", r#"{"QueueName":"jobs"}"#),
        Request::new("PUT", "/?Action=ListQueues"),
        Request::new("DELETE", JOBS),
        Request::default(),
    ] {
        let response = door.ask(request.clone());
        let answer = Answer::read(&response);
        let expected = r#"<?xml version="1.0"?><UnknownOperationException/>"#;
        assert_eq!((answer.status, answer.xml.as_str()), (404, expected), "{request:?}");
        assert!(!header(&response, "x-amzn-RequestId").is_empty());
    }
}

#[test]
fn an_unknown_action_is_invalid_anywhere() {
    // W6
    let door = Door::with_jobs();
    for action in [
        "FooBar",
        "sendmessage",
        "SendMessage ",
        "Nothing",
        "AmazonSQS.SendMessage",
    ] {
        let text = format!("The action {action} is not valid for this endpoint.");
        for path in ["/", JOBS] {
            let answer = Answer::read(&door.ask(Request::post(path, form(action, &[]))));
            assert_eq!(answer.error(), refusal(400, "InvalidAction", &text));
        }
    }
}

#[test]
fn a_queue_url_takes_the_actions_of_queues_alone() {
    // W6
    let door = with_more();
    for action in ["CreateQueue", "ListQueues"] {
        let answer = get(&door, &format!("{JOBS}?Action={action}&QueueName=new"));
        let text = format!("The action {action} is not valid for this endpoint.");
        assert_eq!(answer.error(), refusal(400, "InvalidAction", &text));
    }
    for name in ["jobs", "more"] {
        let url = get(&door, &format!("{JOBS}?Action=GetQueueUrl&QueueName={name}")).text("QueueUrl");
        assert!(url.ends_with(name));
    }
}

#[test]
fn queue_urls_have_the_host_of_the_request_if_the_endpoint_is_told_so() {
    // Q6
    let service = Service::builder()
        .clock(ManualClock::default())
        .account_id("123456789012");
    let service = service.endpoint_url("http://0.0.0.0:9324/eu-west-1").build();
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:jobs","maxReceiveCount":1}"#;
    let policy = [
        ("QueueName", "jobs"),
        ("Attribute.Name", "RedrivePolicy"),
        ("Attribute.Value", policy),
    ];
    for from_host in [true, false] {
        let endpoint = Endpoint::builder(&service).host_urls(from_host).build();
        let door = Door {
            service: service.clone(),
            endpoint,
        };
        let url = |action, parameters: &[(&str, &str)], hosts: &[&str]| {
            let request = Request::post("/", form(action, parameters));
            let request = hosts
                .iter()
                .fold(request, |request, host| request.header("host", *host));
            Answer::read(&door.ask(request)).text("QueueUrl")
        };
        let own = "http://0.0.0.0:9324/eu-west-1/123456789012/jobs";
        for (hosts, theirs) in [
            (&["localhost:7"][..], "http://localhost:7/eu-west-1/123456789012/jobs"),
            (&["[::1]"], "http://[::1]/eu-west-1/123456789012/jobs"),
            (&[], own),
            (&["a", "b"], own),
            (&["<&>"], own),
        ] {
            let expected = if from_host { theirs } else { own };
            assert_eq!(url("CreateQueue", &policy, hosts), expected);
            assert_eq!(url("GetQueueUrl", &[("QueueName", "jobs")], hosts), expected);
            assert_eq!(url("ListQueues", &[], hosts), expected);
            assert_eq!(
                url("ListDeadLetterSourceQueues", &[("QueueUrl", "jobs")], hosts),
                expected
            );
        }
    }
}

#[test]
fn an_unknown_queue_has_the_text_of_this_protocol() {
    // X9 W5
    let door = Door::with_jobs();
    let text = "The specified queue does not exist for this wsdl version.";
    let unknown = refusal(400, "AWS.SimpleQueueService.NonExistentQueue", text);
    assert_eq!(door.refused("GetQueueUrl", &[("QueueName", "none")]), unknown);
    assert_eq!(door.refused("PurgeQueue", &[("QueueUrl", "none")]), unknown);
    assert_eq!(get(&door, "/123456789012/none?Action=PurgeQueue").error(), unknown);
    assert_eq!(get(&door, "/210987654321/jobs?Action=PurgeQueue").error(), unknown);
    get(&door, &format!("{JOBS}?Action=DeleteQueue"));
    assert_eq!(get(&door, &format!("{JOBS}?Action=PurgeQueue")).error(), unknown);
}

#[test]
fn an_address_that_is_none_of_a_queue_is_invalid() {
    // X10
    let door = Door::with_jobs();
    for url in [
        "http://whatever-incorrect-queue-address",
        "http://localhost",
        "http://localhost/",
        "http://localhost/jobs",
        "http://localhost/jobs/",
        "http://123456789012/jobs",
        "http://localhost/123456789012/",
        "http://localhost/queue/jobs",
        "http://localhost/123456789012/jobs//",
        "jobs/",
        "/",
    ] {
        let text = format!("The address {url} is not valid for this endpoint.");
        assert_eq!(
            door.refused("PurgeQueue", &[("QueueUrl", url)]),
            refusal(404, "InvalidAddress", &text)
        );
    }
    let answer = get(&door, "/queue/jobs?Action=PurgeQueue");
    let text = "The address /queue/jobs is not valid for this endpoint.";
    assert_eq!(answer.error(), refusal(404, "InvalidAddress", text));
}

#[test]
fn a_slash_behind_the_url_of_a_queue_is_ignored() {
    // Q7
    let door = Door::with_jobs();
    let asked = [("AttributeName.1", "QueueArn")];
    let path = format!("{JOBS}/?Action=GetQueueAttributes&AttributeName.1=QueueArn");
    assert!(get(&door, &path).text("Value").ends_with(":jobs"));
    for url in [
        "http://localhost/123456789012/jobs/",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs/",
    ] {
        let answer = door.ok("GetQueueAttributes", &[&[("QueueUrl", url)], &asked[..]].concat());
        assert!(answer.text("Value").ends_with(":jobs"), "{url}");
    }
    let none = door.refused("PurgeQueue", &[("QueueUrl", "http://localhost/210987654321/jobs/")]);
    assert_eq!(none.1, "AWS.SimpleQueueService.NonExistentQueue");
}

#[test]
fn errors_have_the_codes_and_the_status_of_the_query_protocol() {
    // W5, section 0.4
    let door = Door::with_jobs();
    let of_jobs = |action, parameters: &[(&str, &str)]| {
        let (status, code, _) = door.refused(action, &[&[("QueueUrl", "jobs")], parameters].concat());
        (status, code)
    };
    let error = |status, code: &str| (status, code.to_owned());
    let sqs = |status, code: &str| (status, format!("AWS.SimpleQueueService.{code}"));
    door.of_jobs("PurgeQueue", &[]);
    assert_eq!(of_jobs("PurgeQueue", &[]), sqs(403, "PurgeQueueInProgress"));
    assert_eq!(of_jobs("SendMessageBatch", &[]), sqs(400, "EmptyBatchRequest"));
    assert_eq!(
        of_jobs("DeleteMessage", &[("ReceiptHandle", "x")]),
        error(404, "ReceiptHandleIsInvalid")
    );
    assert_eq!(
        of_jobs("SendMessage", &[("MessageBody", "\u{1}")]),
        error(400, "InvalidMessageContents")
    );
    assert_eq!(
        of_jobs("GetQueueAttributes", &[("AttributeName.1", "x")]),
        error(400, "InvalidAttributeName")
    );
    let other = [
        ("QueueName", "jobs"),
        ("Attribute.1.Name", "DelaySeconds"),
        ("Attribute.1.Value", "1"),
    ];
    assert_eq!(of_jobs("CreateQueue", &other), error(400, "QueueAlreadyExists"));
    let unknown = [("SourceArn", "arn:aws:sqs:eu-west-1:123456789012:none")];
    assert_eq!(
        of_jobs("StartMessageMoveTask", &unknown),
        error(404, "ResourceNotFoundException")
    );
    door.of_jobs("DeleteQueue", &[]);
    assert_eq!(
        of_jobs("CreateQueue", &[("QueueName", "jobs")]),
        sqs(400, "QueueDeletedRecently")
    );
}
