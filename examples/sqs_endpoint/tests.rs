//! The parts that need no connection: options, queue URLs and the log.

use {
    crate::{
        log::Line,
        options::{self, HELP, Options},
        regions::Regions,
    },
    requeue::aws::{Request, Response},
    serde_json::{Value, json},
};

fn parse(arguments: &[&str]) -> Result<Options, String> {
    let parsed = options::parse(arguments.iter().map(Into::into));
    parsed
        .map(|options| options.expect("no help"))
        .map_err(|error| error.to_string())
}

fn regions(arguments: &[&str]) -> Regions {
    let options = parse(arguments).unwrap();
    Regions::new(&options, options.address)
}

fn ask(regions: &Regions, request: Request) -> Response {
    pollster::block_on(regions.endpoint(&request).handle(request))
}

fn json_request(action: &str, body: &Value) -> Request {
    let request = Request::post("/", body.to_string());
    request.header("X-Amz-Target", format!("AmazonSQS.{action}"))
}

fn url(regions: &Regions, host: &[&str]) -> String {
    let request = json_request("CreateQueue", &json!({ "QueueName": "jobs" }));
    let request = host.iter().fold(request, |request, host| request.header("Host", *host));
    let answer: Value = serde_json::from_slice(&ask(regions, request).body).unwrap();
    answer["QueueUrl"].as_str().unwrap().to_owned()
}

#[test]
fn which_cooldowns_are_left_out_is_said_behind_the_option_or_not_at_all() {
    for (arguments, purge, recreate) in [
        (&[][..], true, true),
        (&["--no-cooldowns"], false, false),
        (&["--no-cooldowns", "both"], false, false),
        (&["--no-cooldowns=both"], false, false),
        (&["--no-cooldowns", "purge"], false, true),
        (&["--no-cooldowns=recreate"], true, false),
        (&["--no-cooldowns", "purge", "--no-cooldowns", "recreate"], false, false),
        (&["--no-cooldowns", "--log"], false, false),
    ] {
        let options = parse(arguments).unwrap();
        let found = (options.purge_cooldown, options.recreate_cooldown);
        assert_eq!(found, (purge, recreate), "{arguments:?}");
    }
    assert!(parse(&["--no-cooldowns", "--log"]).unwrap().log);
    for refused in [
        &["--no-cooldowns=none"][..],
        &["--no-cooldowns", "none"],
        &["--no-cooldowns="],
    ] {
        assert!(parse(refused).is_err(), "{refused:?}");
    }
}

#[test]
fn a_cooldown_that_is_left_out_is_not_waited_for() {
    let status = |regions: &Regions, action: &str, member: &str| {
        ask(regions, json_request(action, &json!({ (member): "jobs" }))).status
    };
    for (which, purged, created) in [("purge", 200, 400), ("recreate", 403, 200)] {
        let regions = regions(&["--queue", "jobs", "--no-cooldowns", which]);
        regions.create_queue("jobs").unwrap();
        assert_eq!(status(&regions, "PurgeQueue", "QueueUrl"), 200);
        assert_eq!(status(&regions, "PurgeQueue", "QueueUrl"), purged, "{which}");
        assert_eq!(status(&regions, "DeleteQueue", "QueueUrl"), 200);
        assert_eq!(status(&regions, "CreateQueue", "QueueName"), created, "{which}");
    }
}

#[test]
fn a_public_url_is_a_url_of_a_host() {
    let given = |url: &str| parse(&["--public-url", url]).map(|options| options.public_url.unwrap());
    assert_eq!(given("http://sqs.local:1/").unwrap(), "http://sqs.local:1");
    assert_eq!(given("https://[::1]/sqs//").unwrap(), "https://[::1]/sqs");
    for url in [
        "",
        "localhost",
        "ftp://a",
        "http://",
        "http:///a",
        "http://a?b",
        "http://a#b",
        "http://a b",
    ] {
        assert!(given(url).is_err(), "{url:?}");
    }
}

#[test]
fn queue_urls_have_the_host_of_the_request_unless_there_is_a_public_url() {
    let path = "us-east-1/123456789012/jobs";
    let anywhere = regions(&["--addr", "0.0.0.0:9324"]);
    assert_eq!(url(&anywhere, &["localhost:7"]), format!("http://localhost:7/{path}"));
    assert_eq!(url(&anywhere, &["[::1]:7"]), format!("http://[::1]:7/{path}"));
    for host in [&[][..], &["a", "b"], &["user@host"]] {
        assert_eq!(url(&anywhere, host), format!("http://localhost:9324/{path}"));
    }
    assert_eq!(
        url(&regions(&["--addr", "[::]:1"]), &[]),
        format!("http://localhost:1/{path}")
    );
    assert_eq!(url(&regions(&[]), &[]), format!("http://127.0.0.1:9324/{path}"));
    let public = regions(&["--public-url", "https://sqs.local/"]);
    assert_eq!(url(&public, &["localhost:7"]), format!("https://sqs.local/{path}"));
    assert_eq!(
        public.create_queue("jobs").unwrap(),
        format!("https://sqs.local/{path}")
    );
}

#[test]
fn the_help_names_the_default_account_and_it_is_not_all_zeros() {
    let account = parse(&[]).unwrap().account_id;
    assert!(HELP.contains(&format!("by default {account}")));
    assert_ne!(account, "000000000000");
    assert!(options::parse(["--help".into()]).unwrap().is_none());
}

#[test]
fn the_log_tells_status_action_queue_and_error_code() {
    let regions = regions(&[]);
    regions.create_queue("jobs").unwrap();
    let logged = |request: Request| {
        let line = Line::of(&request);
        line.answered(&ask(&regions, request))
    };
    let form = |body: &str| Request::post("/", body).header("Content-Type", "application/x-www-form-urlencoded");
    let missing = "AWS.SimpleQueueService.NonExistentQueue";
    for (request, line) in [
        (
            json_request("GetQueueUrl", &json!({ "QueueName": "jobs" })),
            "200 GetQueueUrl jobs".to_owned(),
        ),
        (json_request("ListQueues", &json!({})), "200 ListQueues -".to_owned()),
        (
            json_request("PurgeQueue", &json!({ "QueueUrl": "http://a/123456789012/none/" })),
            format!("400 PurgeQueue none {missing}"),
        ),
        (
            json_request(
                "StartMessageMoveTask",
                &json!({ "SourceArn": "arn:aws:sqs:us-east-1:123456789012:none" }),
            ),
            "404 StartMessageMoveTask none ResourceNotFoundException".to_owned(),
        ),
        (
            json_request("Fly", &json!({})),
            "404 Fly - UnknownOperationException".to_owned(),
        ),
        (
            form("Action=GetQueueUrl&QueueName=jobs"),
            "200 GetQueueUrl jobs".to_owned(),
        ),
        (
            form("QueueUrl=http%3A%2F%2Fa%2F123456789012%2Fnone&Action=PurgeQueue")
                .header("X-Amz-Target", "AmazonSQS.SendMessage"),
            format!("400 PurgeQueue none {missing}"),
        ),
        (
            Request::new("GET", "/123456789012/none?Action=PurgeQueue").header("Accept", "application/json"),
            format!("400 PurgeQueue none {missing}"),
        ),
        (Request::new("GET", "/"), "404 - - UnknownOperationException".to_owned()),
        (
            form("Action=Fly%0A200+forged&QueueUrl=%zz"),
            "400 Fly?200+forged %zz MalformedInput".to_owned(),
        ),
    ] {
        assert_eq!(logged(request), line);
    }
    let long = form(&format!("Action={}", "x".repeat(10_000)));
    assert!(logged(long).len() < 150);
}
