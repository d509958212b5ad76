//! Every action once, with what it answers.

use {
    super::door::{Door, now},
    aws_sdk_sqs::types::{
        ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
    requeue::{QueueAttributes, RedrivePolicy},
    std::{collections::HashMap, time::Duration},
};

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Option<HashMap<String, String>> {
    Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

#[test]
fn create_list_get_url_purge_and_delete_queue() {
    // Q6 Q9 Q33 Q35 D43
    let Door { client, service, .. } = &Door::new();
    let create = client.create_queue().queue_name("jobs").tags("team", "images");
    let create = create.attributes(QueueAttributeName::VisibilityTimeout, "5");
    let url = now(create.send()).unwrap().queue_url.unwrap();
    assert_eq!(url, "https://sqs.us-east-1.amazonaws.com/000000000000/jobs");
    let jobs = service.queue("jobs").unwrap();
    assert_eq!(jobs.settings().visibility_timeout, Duration::from_secs(5));
    assert_eq!(service.list_queue_tags("jobs").unwrap()["team"], "images");

    let found = now(client.get_queue_url().queue_name("jobs").send()).unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let other = service.create_queue("other", QueueAttributes::new()).unwrap();
    let listed = now(client.list_queues().queue_name_prefix("j").send()).unwrap();
    assert_eq!(
        (listed.queue_urls(), listed.next_token()),
        ([url.clone()].as_slice(), None)
    );
    let pages = client.list_queues().max_results(1).into_paginator().items().send();
    let urls: Vec<_> = pollster::block_on(pages.collect::<Result<_, _>>()).unwrap();
    assert_eq!(urls, [url.as_str(), other.url()]);

    jobs.send("a").unwrap();
    now(client.purge_queue().queue_url(&url).send()).unwrap();
    assert_eq!(jobs.counts().visible, 0);
    now(client.delete_queue().queue_url(&url).send()).unwrap();
    assert!(service.queue("jobs").is_err());
}

#[test]
fn get_and_set_queue_attributes() {
    // Q12 Q14 Q39
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let set = client.set_queue_attributes().queue_url(&url);
    now(set.attributes(QueueAttributeName::DelaySeconds, "7").send()).unwrap();
    let get = client.get_queue_attributes().queue_url(&url);
    let get = get.attribute_names(QueueAttributeName::DelaySeconds);
    let get = get.attribute_names(QueueAttributeName::QueueArn);
    let arn = "arn:aws:sqs:us-east-1:000000000000:jobs";
    let expected = HashMap::from([
        (QueueAttributeName::DelaySeconds, "7".to_owned()),
        (QueueAttributeName::QueueArn, arn.to_owned()),
    ]);
    assert_eq!(now(get.send()).unwrap().attributes, Some(expected));
    let none = now(client.get_queue_attributes().queue_url(&url).send()).unwrap();
    assert_eq!(none.attributes(), None);
}

#[test]
fn tag_untag_and_list_queue_tags() {
    // Q43 Q45 X6
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let tags = || now(client.list_queue_tags().queue_url(&url).send()).unwrap().tags;
    assert_eq!(tags(), None);
    let tag = client.tag_queue().queue_url(&url);
    now(tag.tags("team", "images").tags("tier", "2").send()).unwrap();
    assert_eq!(tags(), texts([("team", "images"), ("tier", "2")]));
    now(client.untag_queue().queue_url(&url).tag_keys("team").send()).unwrap();
    assert_eq!(tags(), texts([("tier", "2")]));
}

#[test]
fn add_and_remove_permission() {
    // Q47 Q51
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let add = client.add_permission().queue_url(&url).label("send");
    now(add.aws_account_ids("111122223333").actions("SendMessage").send()).unwrap();
    let permissions = || door.service.permissions("jobs").unwrap();
    assert_eq!(permissions().len(), 1);
    now(client.remove_permission().queue_url(&url).label("send").send()).unwrap();
    assert!(permissions().is_empty());
}

#[test]
fn send_receive_change_visibility_and_delete_message() {
    // D22 D26
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let sent = now(client.send_message().queue_url(&url).message_body("a").send()).unwrap();
    let received = now(client.receive_message().queue_url(&url).send()).unwrap();
    let message = &received.messages()[0];
    assert_eq!((message.body(), message.message_id()), (Some("a"), sent.message_id()));
    assert_eq!(message.attributes(), None);
    let give_back = client.change_message_visibility().queue_url(&url).visibility_timeout(0);
    now(give_back.receipt_handle(message.receipt_handle().unwrap()).send()).unwrap();
    let delete = client.delete_message().queue_url(&url);
    now(delete.receipt_handle(door.take(&url)).send()).unwrap();
    assert_eq!(door.queue(&url).snapshot().messages, []);
}

#[test]
fn send_message_batch() {
    // M37 M41
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    let entry = |id: &str, body: &str| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
        entry.build().unwrap()
    };
    let send = client.send_message_batch().queue_url(&url);
    let sent = now(send.entries(entry("1", "a")).entries(entry("2", "\u{1}")).send()).unwrap();
    let [sent, failed] = [&sent.successful()[0].id, &sent.failed()[0].id];
    assert_eq!((sent.as_str(), failed.as_str()), ("1", "2"));
    assert_eq!(door.receive(&url), ["a"]);
}

#[test]
fn change_message_visibility_batch_and_delete_message_batch() {
    // D24 M41
    let door = Door::new();
    let (client, url) = (&door.client, door.create("jobs", []));
    door.send(&url, "a");
    let handle = door.take(&url);
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id("1");
    let entry = entry.receipt_handle(&handle).visibility_timeout(0).build().unwrap();
    let change = client.change_message_visibility_batch().queue_url(&url).entries(entry);
    let changed = now(change.send()).unwrap();
    assert_eq!((changed.successful()[0].id(), changed.failed().len()), ("1", 0));
    assert_eq!(door.receive(&url), ["a"]);

    let entry = |id: &str, handle: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.build().unwrap()
    };
    let delete = client.delete_message_batch().queue_url(&url);
    let deleted = now(delete.entries(entry("1", &handle)).entries(entry("2", "?")).send()).unwrap();
    assert_eq!(deleted.successful()[0].id(), "1");
    let failed = &deleted.failed()[0];
    assert_eq!(
        (failed.id(), failed.code(), failed.sender_fault()),
        ("2", "ReceiptHandleIsInvalid", true)
    );
    assert_eq!(door.queue(&url).snapshot().messages, []);
}

#[test]
fn start_list_and_cancel_message_move_task_and_list_dead_letter_source_queues() {
    // L23 L26 L27 L28
    let door = Door::new();
    let (client, service) = (&door.client, &door.service);
    let failed = service.create_queue("failed", QueueAttributes::new()).unwrap();
    let attributes = QueueAttributes::new().redrive_policy(RedrivePolicy::new(failed.arn(), 1));
    let jobs = service.create_queue("jobs", attributes).unwrap();
    let sources = client.list_dead_letter_source_queues().queue_url(failed.url());
    assert_eq!(now(sources.send()).unwrap().queue_urls(), [jobs.url()]);

    for body in ["a", "b", "c"] {
        failed.send(body).unwrap();
    }
    let start = client.start_message_move_task().source_arn(failed.arn());
    let start = start.destination_arn(jobs.arn()).max_number_of_messages_per_second(1);
    let started = now(start.send()).unwrap();
    let list = || {
        let list = client.list_message_move_tasks().source_arn(failed.arn());
        now(list.max_results(10).send()).unwrap().results.unwrap()
    };
    let task = &list()[0];
    assert_eq!(
        (task.status(), task.task_handle()),
        (Some("RUNNING"), started.task_handle())
    );
    assert_eq!(task.destination_arn(), Some(jobs.arn()));
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(3));
    let cancel = client.cancel_message_move_task();
    let cancelled = now(cancel.task_handle(started.task_handle().unwrap()).send()).unwrap();
    let moved = jobs.counts().visible;
    assert_eq!(cancelled.approximate_number_of_messages_moved(), moved as i64);
    door.clock.advance(Duration::from_secs(60));
    assert_eq!((list()[0].status(), list()[0].task_handle()), (Some("CANCELLED"), None));
}
