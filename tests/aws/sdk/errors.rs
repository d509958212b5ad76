//! Every error of the API model that a service in process can give, by the SDK's own predicates.
//!
//! Not here, because nothing raises them: the seven `Kms*` errors (keys are stored and not used), `InvalidSecurity`
//! (signatures are not checked), `MessageNotInflight` (D21), `InvalidIdFormat` (deprecated; a bad receipt handle is
//! `ReceiptHandleIsInvalid`), `UnsupportedOperation` (there is nothing that is not supported), and `OverLimit` of
//! SetQueueAttributes (a policy too large is `InvalidAttributeValue`).

use {
    super::door::{Door, assert_refused, now},
    aws_sdk_sqs::{
        Client,
        config::retry::RetryConfig,
        error::ProvideErrorMetadata,
        types::{
            ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
            SendMessageBatchRequestEntry,
        },
    },
    requeue::{Limits, ManualClock, Service, aws::Endpoint},
    std::time::Duration,
};

const NOT_THERE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/nothing";
const NO_QUEUE_URL: &str = "https://example.com";

fn send_entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.build().unwrap()
}

fn change_entry(id: &str) -> ChangeMessageVisibilityBatchRequestEntry {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id);
    entry.receipt_handle("?").visibility_timeout(0).build().unwrap()
}

fn delete_entry(id: &str) -> DeleteMessageBatchRequestEntry {
    let entry = DeleteMessageBatchRequestEntry::builder().id(id);
    entry.receipt_handle("?").build().unwrap()
}

/// Asserts an error of every action that takes a queue URL.
macro_rules! assert_each_refuses {
    ($client:expr, $url:expr, $predicate:ident, $code:expr) => {{
        let (client, url) = ($client, $url);
        for_each_action!(client, url, $predicate, $code,
            add_permission { label("l"), aws_account_ids("111122223333"), actions("SendMessage") }
            change_message_visibility { receipt_handle("?"), visibility_timeout(0) }
            change_message_visibility_batch { entries(change_entry("1")) }
            delete_message { receipt_handle("?") }
            delete_message_batch { entries(delete_entry("1")) }
            delete_queue {}
            get_queue_attributes {}
            list_dead_letter_source_queues {}
            list_queue_tags {}
            purge_queue {}
            receive_message {}
            remove_permission { label("l") }
            send_message { message_body("a") }
            send_message_batch { entries(send_entry("1", "a")) }
            set_queue_attributes { attributes(QueueAttributeName::DelaySeconds, "1") }
            tag_queue { tags("team", "images") }
            untag_queue { tag_keys("team") }
        );
    }};
}

macro_rules! for_each_action {
    ($client:expr, $url:expr, $predicate:ident, $code:expr,
     $($action:ident { $($member:ident($($value:expr),+)),* })+) => {$(
        assert_refused!($client.$action().queue_url($url)$(.$member($($value),+))*, $predicate, $code);
    )+};
}

#[test]
fn queue_does_not_exist() {
    // X9 Q8
    let client = &Door::new().client;
    let code = "AWS.SimpleQueueService.NonExistentQueue";
    assert_each_refuses!(client, NOT_THERE, is_queue_does_not_exist, code);
    assert_refused!(
        client.get_queue_url().queue_name("nothing"),
        is_queue_does_not_exist,
        code
    );
}

#[test]
fn a_url_that_names_no_queue_is_of_no_queue() {
    // X10
    let code = "AWS.SimpleQueueService.NonExistentQueue";
    assert_each_refuses!(&Door::new().client, NO_QUEUE_URL, is_queue_does_not_exist, code);
}

#[test]
fn resource_not_found() {
    // L26 L26h
    let client = &Door::new().client;
    let (arn, code) = (
        "arn:aws:sqs:us-east-1:000000000000:nothing",
        "ResourceNotFoundException",
    );
    let start = client.start_message_move_task().source_arn(arn);
    assert_refused!(start, is_resource_not_found_exception, code);
    let list = client.list_message_move_tasks().source_arn(arn);
    assert_refused!(list, is_resource_not_found_exception, code);
    let door = Door::new();
    let dead = door.create("failed", []);
    let arn = door.queue(&dead).arn().to_owned();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#);
    door.create("jobs", [(QueueAttributeName::RedrivePolicy, policy.as_str())]);
    let started = now(door.client.start_message_move_task().source_arn(arn).send()).unwrap();
    door.clock.advance(Duration::from_secs(60));
    let cancel = door
        .client
        .cancel_message_move_task()
        .task_handle(started.task_handle().unwrap());
    assert_refused!(cancel, is_resource_not_found_exception, code);
}

#[test]
fn request_throttled() {
    // F40
    let mut limits = Limits::aws();
    limits.fifo_calls = 1;
    let service = Service::builder().clock(ManualClock::default()).limits(limits).build();
    let endpoint = Endpoint::builder(&service).throttling(true).build();
    let config = endpoint
        .sdk_config()
        .into_builder()
        .retry_config(RetryConfig::disabled());
    let client = &Client::new(&config.build());
    let fifo = client
        .create_queue()
        .queue_name("orders.fifo")
        .attributes(QueueAttributeName::FifoQueue, "true");
    let url = now(fifo.send()).unwrap().queue_url.unwrap();
    now(client.receive_message().queue_url(&url).send()).unwrap();
    let refused = client.receive_message().queue_url(&url);
    assert_refused!(refused, is_request_throttled, "RequestThrottled");
}

#[test]
fn errors_of_create_queue() {
    // Q16 Q17 Q30 Q37
    let door = Door::new();
    let url = door.create("jobs", []);
    let create = || door.client.create_queue().queue_name("jobs");
    assert_refused!(
        create().attributes(QueueAttributeName::from("Colour"), "red"),
        is_invalid_attribute_name,
        "InvalidAttributeName"
    );
    assert_refused!(
        create().attributes(QueueAttributeName::DelaySeconds, "901"),
        is_invalid_attribute_value,
        "InvalidAttributeValue"
    );
    assert_refused!(
        create().attributes(QueueAttributeName::DelaySeconds, "1"),
        is_queue_name_exists,
        "QueueAlreadyExists"
    );
    now(door.client.delete_queue().queue_url(&url).send()).unwrap();
    let code = "AWS.SimpleQueueService.QueueDeletedRecently";
    assert_refused!(create(), is_queue_deleted_recently, code);
}

#[test]
fn errors_of_queue_attributes_permissions_and_purges() {
    // Q14 Q16 Q17 Q53 D44
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let get = client.get_queue_attributes().queue_url(&url);
    let get = get.attribute_names(QueueAttributeName::from("Colour"));
    assert_refused!(get, is_invalid_attribute_name, "InvalidAttributeName");
    let set = || client.set_queue_attributes().queue_url(&url);
    let unknown = set().attributes(QueueAttributeName::from("Colour"), "red");
    assert_refused!(unknown, is_invalid_attribute_name, "InvalidAttributeName");
    let wrong = set().attributes(QueueAttributeName::Policy, "{");
    assert_refused!(wrong, is_invalid_attribute_value, "InvalidAttributeValue");
    let add = client
        .add_permission()
        .queue_url(&url)
        .label("l")
        .aws_account_ids("111122223333");
    let add = add.set_actions(Some(vec!["SendMessage".to_owned(); 8]));
    assert_refused!(add, is_over_limit, "OverLimit");
    now(client.purge_queue().queue_url(&url).send()).unwrap();
    let code = "AWS.SimpleQueueService.PurgeQueueInProgress";
    assert_refused!(client.purge_queue().queue_url(&url), is_purge_queue_in_progress, code);
}

#[test]
fn errors_of_single_messages() {
    // M3 D15 D19 D26
    let mut limits = Limits::default();
    limits.in_flight_standard = 1;
    let door = Door::with_limits(limits);
    let (client, url) = (&door.client, door.create("jobs", []));
    let send = client.send_message().queue_url(&url).message_body("\u{1}");
    assert_refused!(send, is_invalid_message_contents, "InvalidMessageContents");
    let delete = client.delete_message().queue_url(&url).receipt_handle("?");
    assert_refused!(delete, is_receipt_handle_is_invalid, "ReceiptHandleIsInvalid");
    let change = client.change_message_visibility().queue_url(&url).visibility_timeout(0);
    assert_refused!(
        change.receipt_handle("?"),
        is_receipt_handle_is_invalid,
        "ReceiptHandleIsInvalid"
    );
    door.send(&url, "a");
    door.take(&url);
    assert_refused!(client.receive_message().queue_url(&url), is_over_limit, "OverLimit");
}

#[test]
fn errors_of_whole_batches() {
    // M31 M32 M34 M35 M36
    let door = Door::new();
    let (client, url) = (&door.client, &door.create("jobs", []));
    macro_rules! check {
        ($batch:ident, $entry:expr) => {{
            let ids = |ids: &[&str]| {
                let entries = ids.iter().map(|&id| $entry(id)).collect();
                client.$batch().queue_url(url).set_entries(Some(entries))
            };
            let code = "AWS.SimpleQueueService.EmptyBatchRequest";
            assert_refused!(ids(&[]), is_empty_batch_request, code);
            let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
            assert_refused!(ids(&["1", "1"]), is_batch_entry_ids_not_distinct, code);
            let code = "AWS.SimpleQueueService.InvalidBatchEntryId";
            assert_refused!(ids(&["a b"]), is_invalid_batch_entry_id, code);
            let eleven: Vec<_> = (0..11).map(|id| id.to_string()).collect();
            let eleven: Vec<_> = eleven.iter().map(String::as_str).collect();
            let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
            assert_refused!(ids(&eleven), is_too_many_entries_in_batch_request, code);
        }};
    }
    check!(send_message_batch, |id| send_entry(id, "a"));
    check!(change_message_visibility_batch, change_entry);
    check!(delete_message_batch, delete_entry);
    let half = "a".repeat(512 * 1_024);
    let send = client.send_message_batch().queue_url(url);
    let send = send.entries(send_entry("1", &half)).entries(send_entry("2", &half));
    let code = "AWS.SimpleQueueService.BatchRequestTooLong";
    assert_refused!(send.entries(send_entry("3", "a")), is_batch_request_too_long, code);
}

#[test]
fn errors_outside_the_model_have_their_codes_and_texts() {
    // X7 X8
    let door = Door::new();
    let url = door.create("jobs", []);
    let receive = door.client.receive_message().queue_url(&url).max_number_of_messages(11);
    let error = now(receive.send()).unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    let text = "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.";
    assert_eq!(error.message(), Some(text));
    let error = now(door.client.send_message().queue_url(&url).message_body("").send()).unwrap_err();
    assert_eq!(error.code(), Some("MissingParameter"));
    assert_eq!(
        error.message(),
        Some("The request must contain the parameter MessageBody.")
    );
}
