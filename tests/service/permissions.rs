//! AddPermission and RemovePermission.
#![cfg(feature = "aws-protocol")]

use crate::common::assert_refused;
use requeue::{Limits, ManualClock, PermissionError, QueueAttributes, Service};
use std::{thread, time::Duration};

const ACCOUNT: &str = "123456789012";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Service {
    let service = Service::builder().clock(ManualClock::default()).seed(1).build();
    for name in names {
        service.create_queue(name, bare()).unwrap();
    }
    service
}

fn policy(service: &Service) -> Option<String> {
    service.queue("jobs").unwrap().settings().policy
}

/// A service whose queue `jobs` has this policy.
fn with_policy(policy: &str) -> Service {
    let service = with_queues(["jobs"]);
    service.set_attributes("jobs", bare().policy(policy)).unwrap();
    service
}

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

/// What the policy of [`ARN`] begins with when AddPermission creates it.
const DEFAULT: &str =
    r#"{"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy","Statement":["#;

/// The statement that gives one action to one account.
fn statement(label: &str, action: &str) -> String {
    format!(
        r#"{{"Sid":"{label}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"SQS:{action}","Resource":"{ARN}"}}"#
    )
}

#[test]
fn permissions_are_statements_of_the_policy() {
    // Q49 Q51
    let service = with_queues(["jobs"]);
    service
        .add_permission("jobs", "one", [ACCOUNT], ["SendMessage"])
        .unwrap();
    let one = statement("one", "SendMessage");
    assert_eq!(policy(&service), Some(format!("{DEFAULT}{one}]}}")));
    service
        .add_permission("jobs", "two", [ACCOUNT, "210987654321"], ["ReceiveMessage", "*"])
        .unwrap();
    let two = format!(
        r#"{{"Sid":"two","Effect":"Allow","Principal":{{"AWS":["arn:aws:iam::{ACCOUNT}:root","arn:aws:iam::210987654321:root"]}},"Action":["SQS:ReceiveMessage","SQS:*"],"Resource":"{ARN}"}}"#
    );
    assert_eq!(policy(&service), Some(format!("{DEFAULT}{one},{two}]}}")));
    service.remove_permission("jobs", "one").unwrap();
    assert_eq!(policy(&service), Some(format!("{DEFAULT}{two}]}}")));
    service.remove_permission("jobs", "two").unwrap();
    assert_eq!(policy(&service), None);
    assert!(service.permissions("jobs").unwrap().is_empty());
}

#[test]
fn the_policy_is_the_only_place_where_permissions_are_kept() {
    // Q49 Q26
    let service = with_queues(["jobs"]);
    service
        .add_permission("jobs", "one", [ACCOUNT], ["SendMessage"])
        .unwrap();
    let held = policy(&service).unwrap();
    service.set_attributes("jobs", bare().policy("")).unwrap();
    assert!(service.permissions("jobs").unwrap().is_empty());
    service.set_attributes("jobs", bare().policy(held)).unwrap();
    assert_eq!(service.permissions("jobs").unwrap()[0].actions, ["SendMessage"]);
    let refused = service.set_attributes("jobs", bare().policy("{"));
    assert_refused!(
        refused,
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy."
    );
    assert_eq!(service.permissions("jobs").unwrap().len(), 1);
}

#[test]
fn all_else_of_a_policy_stays_when_a_permission_comes_and_goes() {
    // Q49 Q51
    let own = r#"{"Id":"mine","x":1.50e+3,"Statement":[{"Sid":"deny","Effect":"Deny","Principal":"*","NotAction":"SQS:SendMessage","Condition":{"Bool":{"aws:SecureTransport":false}}},7],"y":[null,"\u0001"]}"#;
    let service = with_policy(own);
    service
        .add_permission("jobs", "one", [ACCOUNT], ["SendMessage"])
        .unwrap();
    let merged = own.replace(",7]", &format!(",7,{}]", statement("one", "SendMessage")));
    assert_eq!(policy(&service).as_deref(), Some(merged.as_str()));
    assert_eq!(service.permissions("jobs").unwrap().len(), 1);
    service.remove_permission("jobs", "one").unwrap();
    assert_eq!(policy(&service).as_deref(), Some(own));
}

#[test]
fn a_policy_may_have_a_lone_statement_or_none() {
    // Q49 Q50 Q51
    let lone = statement("lone", "PurgeQueue");
    let service = with_policy(&format!(r#"{{"Statement":{lone}}}"#));
    let add = |label: &str| service.add_permission("jobs", label, [ACCOUNT], ["SendMessage"]);
    let text = "Value lone for parameter Label is invalid. Reason: Already exists.";
    assert_refused!(add("lone"), "InvalidParameterValue", text);
    add("one").unwrap();
    let one = statement("one", "SendMessage");
    assert_eq!(policy(&service), Some(format!(r#"{{"Statement":[{lone},{one}]}}"#)));
    service
        .set_attributes("jobs", bare().policy(format!(r#"{{"Statement":{lone}}}"#)))
        .unwrap();
    service.remove_permission("jobs", "lone").unwrap();
    assert_eq!(policy(&service), None);

    service.set_attributes("jobs", bare().policy("{}")).unwrap();
    assert!(service.remove_permission("jobs", "one").is_err());
    assert_eq!(
        policy(&service).as_deref(),
        Some("{}"),
        "a refused call changes nothing"
    );
    add("one").unwrap();
    assert_eq!(policy(&service), Some(format!(r#"{{"Statement":[{one}]}}"#)));
}

#[test]
fn a_statement_that_is_no_permission_is_not_listed_but_has_its_label() {
    // Q49 Q50
    let plain = statement("l", "SendMessage");
    let service = with_policy(&format!(r#"{{"Statement":{plain}}}"#));
    assert_eq!(service.permissions("jobs").unwrap().len(), 1);
    for (what, instead) in [
        ("Allow", "Deny"),
        (r#"{"AWS":"arn:aws:iam::123456789012:root"}"#, r#""*""#),
        (r#""arn:aws:iam::123456789012:root""#, "[]"),
        ("123456789012:root", "123456789012:user/a"),
        ("123456789012:root", "12345678901:root"),
        (r#""AWS":"#, r#""Service":"#),
        (r#":root"}"#, r#":root","Service":"x"}"#),
        ("SQS:SendMessage", "sqs:SendMessage"),
        ("SQS:SendMessage", "SQS:CreateQueue"),
        (r#""SQS:SendMessage""#, "[1]"),
        (ARN, "*"),
        (r#""Effect":"#, r#""Condition":{},"Effect":"#),
        (r#","Effect":"Allow""#, ""),
    ] {
        let other = plain.replace(what, instead);
        assert_ne!(other, plain);
        let service = with_policy(&format!(r#"{{"Statement":[{other}]}}"#));
        assert!(service.permissions("jobs").unwrap().is_empty(), "{other}");
        assert!(service.add_permission("jobs", "l", [ACCOUNT], ["SendMessage"]).is_err());
        service.remove_permission("jobs", "l").unwrap();
        assert_eq!(policy(&service), None);
    }
}

#[test]
fn a_permission_that_would_exceed_a_quota_of_the_policy_is_over_the_limit() {
    // Q55
    let add = |service: &Service, label: usize, accounts: usize| {
        service.add_permission("jobs", &label.to_string(), vec![ACCOUNT; accounts], ["SendMessage"])
    };
    let service = with_queues(["jobs"]);
    for label in 1..=20 {
        add(&service, label, 1).unwrap();
    }
    let text = "21 Statements were found, maximum allowed is 20.";
    assert_refused!(add(&service, 21, 1), "OverLimit", text);
    assert_eq!(
        service.permissions("jobs").unwrap().len(),
        20,
        "a refused call changes nothing"
    );
    service.remove_permission("jobs", "7").unwrap();
    add(&service, 21, 1).unwrap();

    let service = with_queues(["jobs"]);
    add(&service, 1, 49).unwrap();
    let text = "51 Principals were found, maximum allowed is 50.";
    assert_refused!(add(&service, 2, 2), "OverLimit", text);
    add(&service, 2, 1).unwrap();
}

#[test]
fn a_policy_of_more_bytes_than_allowed_is_over_the_limit() {
    // Q55
    let whole = format!("{DEFAULT}{}]}}", statement("one", "SendMessage")).len();
    for (limit, fits) in [(whole - 1, false), (whole, true), (whole + 1, true)] {
        let mut limits = Limits::default();
        limits.policy_bytes = limit;
        let service = Service::builder().limits(limits).build();
        service.create_queue("jobs", bare()).unwrap();
        let added = service.add_permission("jobs", "one", [ACCOUNT], ["SendMessage"]);
        let over = PermissionError::OverLimit {
            counted: "Bytes",
            count: whole,
            limit,
        };
        assert_eq!((added.clone().err(), added.is_ok()), ((!fits).then_some(over), fits));
    }
}

#[test]
fn permissions_move_the_time_of_the_last_change() {
    // Q15
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).build();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    let modified = || jobs.settings().last_modified_timestamp.as_secs() - jobs.settings().created_timestamp.as_secs();
    clock.advance(Duration::from_secs(5));
    service
        .add_permission("jobs", "one", [ACCOUNT], ["SendMessage"])
        .unwrap();
    assert_eq!(modified(), 5);
    clock.advance(Duration::from_secs(5));
    service
        .add_permission("jobs", "one", [ACCOUNT], ["SendMessage"])
        .unwrap_err();
    assert_eq!(modified(), 5);
    service.remove_permission("jobs", "one").unwrap();
    assert_eq!(modified(), 10);
}

#[test]
fn threads_that_add_and_remove_permissions_at_once_lose_nothing() {
    // Q49
    let mut limits = Limits::default();
    (limits.policy_statements, limits.policy_principals, limits.policy_bytes) = (1_000, 1_000, 1 << 20);
    let service = Service::builder().limits(limits).build();
    service.create_queue("jobs", bare()).unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let service = &service;
            scope.spawn(move || {
                for number in 0..50 {
                    let label = format!("{worker}-{number}");
                    service
                        .add_permission("jobs", &label, [ACCOUNT], ["SendMessage"])
                        .unwrap();
                    if number % 2 == 0 {
                        service.remove_permission("jobs", &label).unwrap();
                    }
                }
            });
        }
    });
    let mut labels: Vec<_> = service
        .permissions("jobs")
        .unwrap()
        .into_iter()
        .map(|it| it.label)
        .collect();
    labels.sort();
    let mut left: Vec<_> = (0..4)
        .flat_map(|it| (1..50).step_by(2).map(move |number| format!("{it}-{number}")))
        .collect();
    left.sort();
    assert_eq!(labels, left);
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
