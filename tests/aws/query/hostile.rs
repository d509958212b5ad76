//! Forms that nobody means well with: an answer of the four hundreds, in time that grows with the form alone.

use super::*;

/// The status and code of a form that is refused.
fn refused(door: &Door, body: impl AsRef<[u8]>) -> (u16, String) {
    let (status, code, _) = Answer::read(&door.ask(Request::post("/", body))).error();
    (status, code)
}

#[test]
fn what_is_no_form_is_malformed() {
    let door = Door::with_jobs();
    let malformed = (400, "MalformedInput".to_owned());
    for body in [
        "Action=%",
        "Action=ListQueues&x=%zz",
        "Action=ListQueues&%4=x",
        "Action=ListQueues&x=%ff",
    ] {
        assert_eq!(refused(&door, body), malformed, "{body}");
    }
    assert_eq!(refused(&door, b"Action=ListQueues&x=\xff\xfe"), malformed);
    let response = door.ask(Request::new("GET", "/?Action=ListQueues&x=%"));
    assert_eq!(response.status, 400);
}

#[test]
fn a_name_of_a_million_dots_is_a_name_like_another() {
    let door = Door::with_jobs();
    let dots = ".".repeat(1_000_000);
    let numbers = ".1".repeat(500_000);
    for rest in [&dots, &numbers] {
        for start in [
            "AttributeName",
            "",
            "SendMessageBatchRequestEntry.1.MessageAttribute",
            "MessageAttribute.1.Value",
        ] {
            let form = format!("Action=ReceiveMessage&QueueUrl=jobs&{start}{rest}=x");
            assert_eq!(door.ask(Request::post("/", form)).status, 200);
        }
    }
    let form = format!("Action=SendMessageBatch&QueueUrl=jobs&SendMessageBatchRequestEntry{numbers}=x");
    assert_eq!(refused(&door, form).1, "AWS.SimpleQueueService.InvalidBatchEntryId");
}

#[test]
fn a_great_number_is_no_great_list() {
    let door = Door::with_jobs();
    for number in [
        "999999999",
        "4294967295",
        "4294967296",
        "99999999999999999999999999",
        "0",
        "-1",
        "+1",
        "1_0",
        "",
    ] {
        let form = format!("Action=ReceiveMessage&QueueUrl=jobs&AttributeName.{number}=All");
        assert_eq!(door.ask(Request::post("/", form)).status, 200, "{number}");
    }
}

#[test]
fn many_parameters_cost_no_more_than_their_number() {
    let door = Door::with_jobs();
    let many = |name: &str| {
        (1..=30_000)
            .map(|number| name.replace('#', &number.to_string()))
            .collect::<String>()
    };
    let names = many("&AttributeName.#=All");
    assert_eq!(
        door.ask(Request::post(
            "/",
            format!("Action=ReceiveMessage&QueueUrl=jobs{names}")
        ))
        .status,
        200
    );
    let same = "&a".repeat(300_000);
    assert_eq!(
        door.ask(Request::post("/", format!("Action=ListQueues{same}"))).status,
        200
    );
    let entries = many("&SendMessageBatchRequestEntry.#.Id=#&SendMessageBatchRequestEntry.#.MessageBody=x");
    let form = format!("Action=SendMessageBatch&QueueUrl=jobs{entries}");
    assert_eq!(
        refused(&door, form).1,
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    );
    let attributes = many("&MessageAttribute.#.Name=a#&MessageAttribute.#.Value.DataType=String");
    let form = format!("Action=SendMessage&QueueUrl=jobs&MessageBody=x{attributes}");
    assert_eq!(refused(&door, form), (400, "InvalidParameterValue".to_owned()));
}

#[test]
fn what_no_xml_can_hold_is_replaced_in_the_text_of_an_error() {
    let door = Door::with_jobs();
    let (_, _, text) = door.refused(
        "GetQueueAttributes",
        &[("QueueUrl", "jobs"), ("AttributeName.1", "<a>\u{0}\u{ffff}&")],
    );
    assert_eq!(text, "Unknown Attribute <a>\u{fffd}\u{fffd}&.");
    let (_, code, text) = door.refused("]]>\u{1}<!--", &[]);
    assert_eq!(
        (code.as_str(), text.as_str()),
        (
            "InvalidAction",
            "The action ]]>\u{fffd}<!-- is not valid for this endpoint."
        )
    );
}
