//! AddPermission and RemovePermission.

use common::assert_refused;
use requeue::{ManualClock, QueueAttributes, Service};

mod common;

const ACCOUNT: &str = "123456789012";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Service {
    let service = Service::builder().clock(&ManualClock::default()).seed(1).build();
    for name in names {
        service.create_queue(name, bare()).unwrap();
    }
    service
}

#[test]
fn a_permission_is_kept_as_given_until_it_is_removed() {
    // Q50
    let service = with_queues(["jobs"]);
    service
        .add_permission(
            "jobs",
            "crossaccount",
            [ACCOUNT, "210987654321"],
            ["SendMessage", "PurgeQueue"],
        )
        .unwrap();
    service.add_permission("jobs", "all", [ACCOUNT], ["*"]).unwrap();
    let held = service.permissions("jobs").unwrap();
    assert_eq!(
        (held[0].label.as_str(), held[1].label.as_str()),
        ("crossaccount", "all")
    );
    assert_eq!(held[0].account_ids, [ACCOUNT, "210987654321"]);
    assert_eq!(held[0].actions, ["SendMessage", "PurgeQueue"]);
    service.remove_permission("jobs", "crossaccount").unwrap();
    assert_eq!(service.permissions("jobs").unwrap(), held[1..]);
    service
        .add_permission("jobs", "crossaccount", [ACCOUNT], ["SendMessage"])
        .unwrap();
}

#[test]
fn a_label_has_1_to_80_letters_digits_hyphens_and_underscores() {
    // Q50
    let service = with_queues(["jobs"]);
    let add = |label: &str| service.add_permission("jobs", label, [ACCOUNT], ["SendMessage"]);
    for label in ["a", "A_b-9", &"l".repeat(79), &"l".repeat(80)] {
        add(label).unwrap();
    }
    for label in ["", "a.b", "a b", "\u{e9}", &"l".repeat(81)] {
        let text = format!(
            "Value {label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, \
             hyphens, or underscores. 1 to 80 in length"
        );
        assert_refused!(add(label), "InvalidParameterValue", text);
    }
}

#[test]
fn a_label_is_added_once_and_removed_once() {
    // Q50
    let service = with_queues(["jobs"]);
    let add = || service.add_permission("jobs", "crossaccount", [ACCOUNT], ["SendMessage"]);
    add().unwrap();
    assert_refused!(
        add(),
        "InvalidParameterValue",
        "Value crossaccount for parameter Label is invalid. Reason: Already exists."
    );
    service.remove_permission("jobs", "crossaccount").unwrap();
    assert_refused!(
        service.remove_permission("jobs", "crossaccount"),
        "InvalidParameterValue",
        "Value crossaccount for parameter Label is invalid. Reason: can't find label."
    );
}

#[test]
fn actions_that_can_be_granted_are_taken() {
    // Q52
    let service = with_queues(["jobs"]);
    for (number, action) in [
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    ]
    .into_iter()
    .enumerate()
    {
        service
            .add_permission("jobs", &number.to_string(), [ACCOUNT], [action])
            .unwrap();
    }
}

#[test]
fn actions_of_the_owner_and_unknown_ones_are_refused() {
    // Q52 Q54
    let service = with_queues(["jobs"]);
    let owner = "Only the queue owner is allowed to invoke this action.";
    let unknown = "Please refer to the appropriate WSDL for a list of valid actions.";
    for (action, reason) in [
        ("AddPermission", owner),
        ("CreateQueue", owner),
        ("DeleteQueue", owner),
        ("ListQueues", owner),
        ("ListQueueTags", owner),
        ("RemovePermission", owner),
        ("SetQueueAttributes", owner),
        ("TagQueue", owner),
        ("UntagQueue", owner),
        ("StartMessageMoveTask", owner),
        ("CancelMessageMoveTask", owner),
        ("ListMessageMoveTasks", owner),
        ("SendMessageBatch", unknown),
        ("sendmessage", unknown),
        ("SQS:SendMessage", unknown),
        ("", unknown),
    ] {
        let text = format!("Value SQS:{action} for parameter ActionName is invalid. Reason: {reason}");
        let add = service.add_permission("jobs", "l", [ACCOUNT], ["SendMessage", action]);
        assert_refused!(add, "InvalidParameterValue", text);
    }
    assert!(service.permissions("jobs").unwrap().is_empty());
}

#[test]
fn a_permission_has_1_to_7_actions() {
    // Q53
    let service = with_queues(["jobs"]);
    let add = |count: usize| service.add_permission("jobs", &count.to_string(), [ACCOUNT], vec!["SendMessage"; count]);
    for count in [1, 6, 7] {
        add(count).unwrap();
    }
    assert_refused!(add(8), "OverLimit", "8 Actions were found, maximum allowed is 7.");
    assert_refused!(
        add(0),
        "MissingParameter",
        "The request must contain the parameter Actions."
    );
}

#[test]
fn a_permission_names_accounts_of_12_digits() {
    // Q53
    let service = with_queues(["jobs"]);
    for (accounts, printed) in [
        (vec![], "[]"),
        (vec!["12345678901"], "[12345678901]"),
        (vec![ACCOUNT, "1234567890123"], "[123456789012, 1234567890123]"),
        (vec!["12345678901a"], "[12345678901a]"),
    ] {
        let text = format!("Value {printed} for parameter PrincipalId is invalid. Reason: Unable to verify.");
        let add = service.add_permission("jobs", "l", accounts, ["SendMessage"]);
        assert_refused!(add, "InvalidParameterValue", text);
    }
}
