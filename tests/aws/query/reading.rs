//! What a form says (W3, M45, X7).

use super::*;

/// The names of the system attributes that a receive answers.
fn system_names(parameters: &[(&str, &str)]) -> Vec<String> {
    let door = Door::with_jobs();
    door.of_jobs("SendMessage", &[("MessageBody", "hello")]);
    door.of_jobs("ReceiveMessage", parameters).texts("Name")
}

#[test]
fn a_form_is_a_body_or_a_query_string() {
    // W3
    let door = Door::with_jobs();
    let form = form(
        "SendMessage",
        &[("QueueUrl", "jobs"), ("MessageBody", "a b+c&d=%\u{fc}")],
    );
    door.ask(Request::post("/", &form));
    door.ask(Request::new("GET", format!("/?{form}")));
    door.ask(Request::post(
        "/?Action=SendMessage&MessageBody=x&QueueUrl=jobs",
        "MessageBody=a+b%2bc%26d%3D%25%C3%BC",
    ));
    let bodies = door
        .of_jobs("ReceiveMessage", &[("MaxNumberOfMessages", "10")])
        .texts("Body");
    assert_eq!(bodies, ["a b+c&d=%\u{fc}"; 3]);
}

#[test]
fn the_version_and_what_is_unknown_change_nothing() {
    // W3
    let door = Door::with_jobs();
    for form in [
        "Action=GetQueueUrl&QueueName=jobs",
        "Action=GetQueueUrl&QueueName=jobs&Version=2009-02-01",
        "Action=GetQueueUrl&QueueName=jobs&AWSAccessKeyId=x&Signature=y&Nonsense.1.2=z",
    ] {
        assert_eq!(door.ask(Request::post("/", form)).status, 200, "{form}");
    }
}

#[test]
fn elements_are_in_the_order_of_their_numbers_with_or_without_gaps() {
    // W3
    let door = Door::with_jobs();
    let entry = |number: u32, part: &str| format!("SendMessageBatchRequestEntry.{number}.{part}");
    let names: Vec<_> = [10, 2, 999_999_999]
        .iter()
        .flat_map(|it| [entry(*it, "Id"), entry(*it, "MessageBody")])
        .collect();
    let values = ["ten", "x", "two", "x", "most", "x"];
    let parameters: Vec<_> = names.iter().map(String::as_str).zip(values).collect();
    let ids = door.of_jobs("SendMessageBatch", &parameters).texts("Id");
    assert_eq!(ids, ["two", "ten", "most"]);
}

#[test]
fn both_parameters_for_system_attributes_fill_one_list_and_the_last_one_wins() {
    // M45
    assert_eq!(
        system_names(&[("MessageSystemAttributeName.1", "SenderId")]),
        ["SenderId"]
    );
    assert_eq!(system_names(&[("AttributeName.1", "SenderId")]), ["SenderId"]);
    let both = system_names(&[("AttributeName.1", "All"), ("MessageSystemAttributeName.1", "SenderId")]);
    assert_eq!(both, ["SenderId"]);
    assert_eq!(
        system_names(&[("AttributeName.1", "All"), ("AttributeName.1", "SenderId")]),
        ["SenderId"]
    );
    let two = system_names(&[
        ("AttributeName.2", "SentTimestamp"),
        ("MessageSystemAttributeName.1", "SenderId"),
    ]);
    assert_eq!(two, ["SenderId", "SentTimestamp"]);
    assert!(system_names(&[("AttributeName.1", "Unknown"), ("AttributeName", "All")]).is_empty());
}

#[test]
fn a_number_that_is_none_is_malformed() {
    let door = Door::with_jobs();
    for number in ["abc", "1.0", " 1", "1e1", "0x1", "9223372036854775808", "-", "\u{661}"] {
        let given = [("QueueUrl", "jobs"), ("MaxNumberOfMessages", number)];
        let message = format!("parameter MaxNumberOfMessages is not an integer: {number:?}");
        assert_eq!(
            door.refused("ReceiveMessage", &given),
            refusal(400, "MalformedInput", &message)
        );
    }
    let given = [
        ("QueueUrl", "jobs"),
        ("SendMessageBatchRequestEntry.1.Id", "a"),
        ("SendMessageBatchRequestEntry.1.DelaySeconds", "soon"),
    ];
    let message = r#"parameter SendMessageBatchRequestEntry.1.DelaySeconds is not an integer: "soon""#;
    assert_eq!(
        door.refused("SendMessageBatch", &given),
        refusal(400, "MalformedInput", message)
    );
    // A number out of range is one.
    for number in ["0", "-1", "11", "9223372036854775807"] {
        let given = [("QueueUrl", "jobs"), ("MaxNumberOfMessages", number)];
        let message = format!(
            "Value {number} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        assert_eq!(
            door.refused("ReceiveMessage", &given),
            refusal(400, "InvalidParameterValue", &message)
        );
    }
}

#[test]
fn an_empty_parameter_is_a_missing_one() {
    // X7 X8 M1
    let door = Door::with_jobs();
    door.of_jobs(
        "ReceiveMessage",
        &[("MaxNumberOfMessages", ""), ("VisibilityTimeout", "")],
    );
    let missing = |name: &str| {
        refusal(
            400,
            "MissingParameter",
            &format!("The request must contain the parameter {name}."),
        )
    };
    let url = ("QueueUrl", "jobs");
    assert_eq!(door.refused("SendMessage", &[url]), missing("MessageBody"));
    assert_eq!(
        door.refused("SendMessage", &[url, ("MessageBody", "")]),
        missing("MessageBody")
    );
    let handle = ("ReceiptHandle", "x");
    let change = [url, handle, ("VisibilityTimeout", "")];
    assert_eq!(
        door.refused("ChangeMessageVisibility", &change),
        missing("VisibilityTimeout")
    );
    let attribute = ("Attribute.1.Name", "DelaySeconds");
    assert_eq!(door.refused("SetQueueAttributes", &[url, attribute]), missing("Value"));
    assert_eq!(
        door.refused("SetQueueAttributes", &[url, ("Attribute.1.Value", "1")]),
        missing("Name")
    );
}

#[test]
fn an_empty_value_in_a_map_is_a_value() {
    // Q12 Q44
    let door = Door::with_jobs();
    let set = |value| [("Attribute.1.Name", "KmsMasterKeyId"), ("Attribute.1.Value", value)];
    let get = || {
        door.of_jobs("GetQueueAttributes", &[("AttributeName.1", "KmsMasterKeyId")])
            .texts("Value")
    };
    door.of_jobs("SetQueueAttributes", &set("alias/key"));
    assert_eq!(get(), ["alias/key"]);
    door.of_jobs("SetQueueAttributes", &set(""));
    assert!(get().is_empty());
}

#[test]
fn attributes_without_a_fitting_value_are_refused() {
    // M15 M19 M20 M22 W7
    let door = Door::with_jobs();
    let send = |attribute: &[(&str, &str)]| {
        let sent = [
            &[
                ("QueueUrl", "jobs"),
                ("MessageBody", "x"),
                ("MessageAttribute.1.Name", "a"),
            ],
            attribute,
        ]
        .concat();
        door.refused("SendMessage", &sent).1
    };
    let (data_type, list) = (
        "MessageAttribute.1.Value.DataType",
        "MessageAttribute.1.Value.StringListValue.1",
    );
    let binary = "MessageAttribute.1.Value.BinaryValue";
    assert_eq!(send(&[]), "InvalidParameterValue");
    assert_eq!(send(&[(data_type, "String")]), "InvalidParameterValue");
    assert_eq!(send(&[(data_type, "String"), (list, "x")]), "InvalidParameterValue");
    assert_eq!(send(&[(data_type, "Binary"), (binary, "")]), "InvalidParameterValue");
    assert_eq!(send(&[(data_type, "Binary"), (binary, "!")]), "MalformedInput");
    let system = [
        ("QueueUrl", "jobs"),
        ("MessageBody", "x"),
        ("MessageSystemAttribute.1.Name", "Other"),
        ("MessageSystemAttribute.1.Value.DataType", "String"),
        ("MessageSystemAttribute.1.Value.StringValue", "x"),
    ];
    let refused = refusal(
        400,
        "InvalidParameterValue",
        "Message system attribute name 'Other' is invalid.",
    );
    assert_eq!(door.refused("SendMessage", &system), refused);
}

#[test]
fn the_trace_header_of_http_becomes_an_attribute() {
    // M23
    let door = Door::with_jobs();
    let form = form("SendMessage", &[("QueueUrl", "jobs"), ("MessageBody", "x")]);
    door.ask(Request::post("/", form).header("X-Amzn-Trace-Id", "Root=1-2-3"));
    let received = door.of_jobs("ReceiveMessage", &[("AttributeName.1", "AWSTraceHeader")]);
    assert_eq!(received.text("Value"), "Root=1-2-3");
}
