//! Dead letters of an SQS queue: a copy that carries the reason, and then no original.

use {
    crate::{
        common::http::{Cut, client_cut_off},
        common::{counts, receive},
    },
    aws_sdk_sqs::Client,
    requeue::{
        ManualClock, MessageAttributeValue, Queue, QueueAttributes, RedrivePolicy, SendMessage, Service,
        backend::{ErrorKind, MessageQueue, ReceiveRequest, ReceivedMessage, SqsQueue},
    },
    std::sync::{Arc, Mutex},
};

struct Queues {
    service: Service,
    jobs: Queue,
    failed: Queue,
}

fn queues(attributes_of_failed: QueueAttributes) -> Queues {
    let fifo = attributes_of_failed == attributes_of_failed.clone().fifo_queue(true);
    let service = Service::builder().clock(ManualClock::default()).seed(1).build();
    let suffix = if fifo { ".fifo" } else { "" };
    let failed = service
        .create_queue(&format!("failed{suffix}"), attributes_of_failed)
        .unwrap();
    let attributes = QueueAttributes::new().redrive_policy(RedrivePolicy::new(failed.arn(), 100));
    let attributes = if fifo { attributes.fifo_queue(true) } else { attributes };
    let jobs = service.create_queue(&format!("jobs{suffix}"), attributes).unwrap();
    Queues { service, jobs, failed }
}

impl Queues {
    fn connect(&self) -> SqsQueue {
        let client = Client::new(&self.service.sdk_config());
        pollster::block_on(SqsQueue::connect(client, self.jobs.url())).unwrap()
    }
}

fn take(queue: &SqsQueue) -> ReceivedMessage {
    pollster::block_on(queue.receive(ReceiveRequest::new(1)))
        .unwrap()
        .remove(0)
}

fn reason(failed: &Queue) -> Option<String> {
    let dead_letter = receive(failed, 1).remove(0);
    let reason = dead_letter.attributes().get(SqsQueue::REASON)?;
    Some(reason.string_value()?.to_owned())
}

#[test]
fn a_dead_letter_tells_why() {
    let queues = queues(QueueAttributes::new());
    queues.jobs.send("m").unwrap();
    let jobs = queues.connect();
    pollster::block_on(jobs.dead_letter(&take(&jobs), "not an image")).unwrap();
    assert_eq!(reason(&queues.failed).as_deref(), Some("not an image"));
    assert_eq!(counts(&queues.jobs), [0, 0, 0]);
}

#[test]
fn a_message_that_is_too_large_with_its_reason_goes_without() {
    // M8
    let queues = queues(QueueAttributes::new().maximum_message_size(1_024));
    let jobs = queues.connect();
    let name_and_type = SqsQueue::REASON.len() + "String".len();
    for (free, expected) in [(0, None), (name_and_type + 2, None), (name_and_type + 3, Some("why"))] {
        queues.jobs.send("x".repeat(1_024 - free)).unwrap();
        pollster::block_on(jobs.dead_letter(&take(&jobs), "why")).unwrap();
        assert_eq!(reason(&queues.failed).as_deref(), expected, "{free}");
    }
    queues.jobs.send("x".repeat(1_025)).unwrap();
    let error = pollster::block_on(jobs.dead_letter(&take(&jobs), "why")).unwrap_err();
    assert_eq!(
        (error.kind, &*error.code),
        (ErrorKind::Refused, "InvalidParameterValue")
    );
    assert_eq!(counts(&queues.jobs), [0, 1, 0], "it stays");
}

#[test]
fn a_dead_letter_of_a_fifo_queue_is_sent_once_however_often_its_move_is_cut_short() {
    let queues = queues(QueueAttributes::new().fifo_queue(true));
    let order = SendMessage::new("m")
        .message_group_id("g")
        .message_deduplication_id("1");
    let attributed = order.attribute("kind", MessageAttributeValue::string("cat"));
    queues.jobs.send(attributed.aws_trace_header("Root=1")).unwrap();
    let client = client_cut_off(&queues.service, |action| {
        (action == "DeleteMessage").then_some(Cut::Request)
    });
    let cut_off = pollster::block_on(SqsQueue::connect(client, queues.jobs.url())).unwrap();
    let message = take(&cut_off);
    for _ in 0..2 {
        let error = pollster::block_on(cut_off.dead_letter(&message, "late")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient);
        assert_eq!(counts(&queues.jobs), [0, 1, 0], "it is in both queues for a while");
    }
    pollster::block_on(queues.connect().dead_letter(&message, "late")).unwrap();
    assert_eq!((counts(&queues.jobs), counts(&queues.failed)), ([0, 0, 0], [1, 0, 0]));
    let dead_letter = receive(&queues.failed, 1).remove(0);
    let kind = dead_letter
        .attributes()
        .get("kind")
        .and_then(|kind| kind.string_value());
    assert_eq!((dead_letter.body(), kind), ("m", Some("cat")));
    assert_eq!(dead_letter.aws_trace_header(), Some("Root=1"));
    assert_eq!(dead_letter.message_group_id(), Some("g"));
    assert_eq!(dead_letter.message_deduplication_id(), Some(&*message.message_id()));
}

#[test]
fn the_queue_is_looked_for_once_and_not_at_all_if_it_is_named() {
    let queues = queues(QueueAttributes::new());
    let actions = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&actions);
    let client = client_cut_off(&queues.service, move |action| {
        heard.lock().unwrap().push(action.to_owned());
        None
    });
    let url = queues.jobs.url();
    let known = SqsQueue::with_visibility_timeout(client.clone(), url, std::time::Duration::from_secs(30));
    let named = known.clone().dead_letter_queue_url(queues.failed.url());
    let asked = pollster::block_on(SqsQueue::connect(client, url)).unwrap();
    assert_eq!(
        actions.lock().unwrap().drain(..).collect::<Vec<_>>(),
        ["GetQueueAttributes"]
    );
    for (jobs, before_first) in [
        (known, &["GetQueueAttributes", "GetQueueUrl"][..]),
        (named, &[]),
        (asked, &["GetQueueUrl"]),
    ] {
        for before in [before_first, &[]] {
            queues.jobs.send("m").unwrap();
            let message = take(&jobs);
            actions.lock().unwrap().clear();
            pollster::block_on(jobs.clone().dead_letter(&message, "late")).unwrap();
            let expected = [before, &["SendMessage", "DeleteMessage"]].concat();
            assert_eq!(*actions.lock().unwrap(), expected);
        }
    }
    assert_eq!(counts(&queues.failed), [6, 0, 0]);
}

#[test]
fn a_dead_letter_queue_that_is_gone_is_not_taken_for_the_queue() {
    // L9
    for named in [true, false] {
        let queues = queues(QueueAttributes::new());
        queues.jobs.send("m").unwrap();
        let mut jobs = queues.connect();
        if named {
            jobs = jobs.dead_letter_queue_url(queues.failed.url());
        }
        let message = take(&jobs);
        queues.service.delete_queue(queues.failed.url()).unwrap();
        let error = pollster::block_on(jobs.dead_letter(&message, "late")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert!(
            error.message.contains("failed") && error.message.ends_with("does not exist"),
            "{error}"
        );
        assert_eq!(counts(&queues.jobs), [0, 1, 0]);
    }
}

#[test]
fn a_queue_without_a_dead_letter_queue_is_named() {
    let service = Service::builder().clock(ManualClock::default()).build();
    let queue = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    queue.send("m").unwrap();
    let client = Client::new(&service.sdk_config());
    let jobs = pollster::block_on(SqsQueue::connect(client, queue.url())).unwrap();
    let error = pollster::block_on(jobs.dead_letter(&take(&jobs), "late")).unwrap_err();
    let expected = format!("queue {} has no dead-letter queue", queue.url());
    assert_eq!((error.kind, error.message), (ErrorKind::Refused, expected));
}
