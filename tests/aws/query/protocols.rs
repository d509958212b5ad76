//! Which protocol a request is in, and how each says what is wrong (W1, W2, W6).

use {super::*, serde_json::Value};

const JSON: &str = "application/x-amz-json-1.0";

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn of_type(request: Request, content_type: &str) -> Request {
    request.header("content-type", content_type)
}

#[test]
fn a_target_or_the_content_type_makes_a_request_json() {
    // W1
    let door = Door::with_jobs();
    let form = "Action=GetQueueUrl&QueueName=jobs";
    for request in [
        Request::post("/", r#"{"QueueName":"jobs"}"#).header("x-amz-target", "AmazonSQS.GetQueueUrl"),
        of_type(Request::post("/", r#"{"QueueName":"jobs"}"#), "text/plain")
            .header("X-AMZ-TARGET", "AmazonSQS.GetQueueUrl"),
        Request::post(JOBS, r#"{"QueueName":"jobs"}"#).header("X-Amz-Target", "AmazonSQS.GetQueueUrl"),
    ] {
        let response = door.ask(request);
        assert_eq!((response.status, header(&response, "Content-Type")), (200, JSON));
        assert!(json(&response)["QueueUrl"].is_string());
    }
    for content_type in [
        JSON,
        "Application/X-Amz-JSON-1.0",
        "application/x-amz-json-1.0; charset=utf-8",
    ] {
        let response = door.ask(of_type(Request::post("/", form), content_type));
        assert_eq!(
            (response.status, header(&response, "Content-Type")),
            (404, JSON),
            "{content_type}"
        );
    }
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/json",
        "application/x-amz-json-1.01",
        "",
    ] {
        let response = door.ask(of_type(Request::post("/", form), content_type));
        assert_eq!(
            (response.status, header(&response, "Content-Type")),
            (200, "text/xml"),
            "{content_type}"
        );
    }
}

#[test]
fn the_content_type_of_a_form_wins_over_a_target() {
    // W3
    let door = Door::with_jobs();
    for content_type in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLEncoded ; charset=utf-8",
    ] {
        for target in ["AmazonSQS.GetQueueUrl", "AmazonSQS.PurgeQueue", "", "nonsense"] {
            let request = Request::post("/", "Action=GetQueueUrl&QueueName=jobs").header("X-Amz-Target", target);
            let answer = Answer::read(&door.ask(of_type(request, content_type)));
            assert!(answer.text("QueueUrl").ends_with("/jobs"), "{content_type} {target}");
        }
        let request = Request::post("/", r#"{"QueueName":"jobs"}"#).header("X-Amz-Target", "AmazonSQS.GetQueueUrl");
        assert_eq!(Answer::read(&door.ask(of_type(request, content_type))).status, 404);
    }
}

#[test]
fn json_without_a_known_target_is_no_operation() {
    // W2
    let door = Door::with_jobs();
    for target in [
        "",
        "AmazonSQS.",
        "AmazonSQS.FooBar",
        "AmazonSQS.sendmessage",
        "SendMessage",
        "DynamoDB.ListQueues",
    ] {
        for body in ["{}", "{", ""] {
            let response = door.ask(Request::post("/", body).header("X-Amz-Target", target));
            let kind = "com.amazon.coral.service#UnknownOperationException";
            assert_eq!(
                (response.status, &json(&response)["__type"]),
                (404, &kind.into()),
                "{target} {body}"
            );
        }
    }
}

#[test]
fn json_that_cannot_be_read_is_a_serialization_exception() {
    // W2
    let door = Door::with_jobs();
    let deep = "[".repeat(100_000);
    for body in [
        "{",
        "nonsense",
        "[]",
        "null",
        "1",
        "\"x\"",
        "{}{}",
        &deep,
        r#"{"QueueName":1}"#,
        r#"{"QueueName":["jobs"]}"#,
    ] {
        let response = door.ask(Request::post("/", body).header("X-Amz-Target", "AmazonSQS.GetQueueUrl"));
        let kind = "com.amazon.coral.service#SerializationException";
        assert_eq!((response.status, &json(&response)["__type"]), (400, &kind.into()));
    }
}

#[test]
fn the_words_of_the_json_parser_do_not_reach_clients() {
    // W2
    let door = Door::with_jobs();
    let deep = "[".repeat(100_000);
    for body in [
        b"{".as_slice(),
        b"nonsense",
        b"{}{}",
        deep.as_bytes(),
        b"{\"QueueName\":\"\xff\"}",
        br#"{"QueueName":"\u12"}"#,
        br#"{"QueueName":"\ud800"}"#,
        b"{\"QueueName\":\"\n\"}",
        br#"{"QueueName":1e999}"#,
        br#"{"QueueName":"jobs",}"#,
        b"\xef\xbb\xbf{}",
        b" ",
        b"Action=ListQueues",
    ] {
        let response = door.ask(Request::post("/", body).header("X-Amz-Target", "AmazonSQS.GetQueueUrl"));
        let answer = json(&response);
        let kind = "com.amazon.coral.service#SerializationException";
        assert_eq!((response.status, &answer["__type"]), (400, &kind.into()));
        assert_eq!(answer["message"], "The request body could not be parsed as JSON.");
    }
}

#[test]
fn both_protocols_say_an_unknown_queue_in_their_own_words() {
    // X9
    let door = Door::new();
    let response =
        door.ask(Request::post("/", r#"{"QueueUrl":"none"}"#).header("X-Amz-Target", "AmazonSQS.PurgeQueue"));
    assert_eq!(json(&response)["message"], "The specified queue does not exist.");
    let text = door.refused("PurgeQueue", &[("QueueUrl", "none")]).2;
    assert_eq!(text, "The specified queue does not exist for this wsdl version.");
}

/// What a form is answered if JSON is accepted.
fn accepting_json(door: &Door, action: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let request = Request::new("GET", format!("{JOBS}?{}", form(action, parameters)));
    let response = door.ask(request.header("accept", "text/html, Application/JSON;q=0.9"));
    assert_eq!(header(&response, "Content-Type"), "application/json");
    let mut document = json(&response);
    let request_id = match response.status {
        200 => &mut document[format!("{action}Response")]["ResponseMetadata"]["RequestId"],
        _ => &mut document["RequestId"],
    };
    assert_eq!(*request_id, header(&response, "x-amzn-RequestId"));
    *request_id = "*".into();
    (response.status, document)
}

#[test]
fn a_form_is_answered_in_json_if_that_is_accepted() {
    // W6
    let door = Door::with_jobs();
    let metadata = || serde_json::json!({ "RequestId": "*" });
    let attributes = accepting_json(&door, "GetQueueAttributes", &[("AttributeName.1", "DelaySeconds")]);
    let result = serde_json::json!({ "Attributes": [{ "Name": "DelaySeconds", "Value": "0" }] });
    let expected = serde_json::json!({
        "GetQueueAttributesResponse": { "GetQueueAttributesResult": result, "ResponseMetadata": metadata() },
    });
    assert_eq!(attributes, (200, expected));
    let purged = serde_json::json!({ "PurgeQueueResponse": { "ResponseMetadata": metadata() } });
    assert_eq!(accepting_json(&door, "PurgeQueue", &[]), (200, purged));
    let attribute = [
        ("MessageBody", "hello"),
        ("MessageAttribute.1.Name", "k"),
        ("MessageAttribute.1.Value.DataType", "String"),
        ("MessageAttribute.1.Value.StringValue", "x"),
    ];
    accepting_json(&door, "SendMessage", &attribute);
    let (_, received) = accepting_json(&door, "ReceiveMessage", &[("MessageAttributeName.1", "All")]);
    let message = &received["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"][0];
    assert_eq!(message["Body"], "hello");
    let value = serde_json::json!({ "DataType": "String", "StringValue": "x" });
    assert_eq!(
        message["MessageAttributes"],
        serde_json::json!([{ "Name": "k", "Value": value }])
    );
    let text = "The action ListQueues is not valid for this endpoint.";
    let error = serde_json::json!({ "Type": "Sender", "Code": "InvalidAction", "Message": text, "Detail": null });
    let expected = serde_json::json!({ "Error": error, "RequestId": "*" });
    assert_eq!(accepting_json(&door, "ListQueues", &[]), (400, expected));
}

#[test]
fn every_request_has_an_id_of_its_own() {
    // W1
    let door = Door::new();
    let ids = [(); 3].map(|()| door.ok("ListQueues", &[]).text("RequestId"));
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    let again = Door::new();
    assert_eq!(ids, [(); 3].map(|()| again.ok("ListQueues", &[]).text("RequestId")));
}
