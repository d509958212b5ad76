//! What a service is after it was opened again, whether it was closed, dropped or killed.

use {
    crate::{
        directory::{self, Directory},
        open::{builder, clock_at, service},
    },
    requeue::{
        Clock, ManualClock, Message, MessageAttributeValue, MoveTaskStatus, Queue, QueueAttributes, RedrivePolicy,
        SendMessage, Service, StartMessageMoveTask, StorageError, journal::Durability,
    },
    std::{fs, time::Duration},
};

const START: u64 = 1_700_000_000_000;
const SECOND: Duration = Duration::from_secs(1);
const VISIBILITY: Duration = Duration::from_secs(30);

/// How a service ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Dropped,
    Killed,
}

const ENDS: [End; 3] = [End::Closed, End::Dropped, End::Killed];

/// A service that ends and is opened again.
struct Place {
    directory: Directory,
    clock: ManualClock,
    service: Option<Service>,
}

impl Place {
    fn new() -> Self {
        let (directory, clock) = (Directory::new(), clock_at(START));
        let service = Some(service(&directory.join("journal"), &clock));
        Self {
            directory,
            clock,
            service,
        }
    }

    fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    fn create(&self, name: &str, attributes: QueueAttributes) -> Queue {
        self.service().create_queue(name, attributes).unwrap()
    }

    fn queue(&self, name: &str) -> Queue {
        self.service().queue(name).unwrap()
    }

    fn jobs(&self) -> Queue {
        self.queue("jobs")
    }

    /// Ends the service, of which nothing else may be left, and opens it again so many milliseconds after the start.
    fn again(&mut self, end: End, at: u64) {
        let (path, copy) = (self.directory.join("journal"), self.directory.join("copy"));
        let service = self.service.take().unwrap();
        match end {
            End::Closed => service.close().unwrap(),
            End::Dropped => {}
            End::Killed => directory::copy(&path, &copy),
        }
        drop(service);
        if matches!(end, End::Killed) {
            fs::remove_dir_all(&path).unwrap();
            fs::rename(&copy, &path).unwrap();
        }
        self.clock = clock_at(START + at);
        self.service = Some(crate::open::service(&path, &self.clock));
    }
}

fn order(body: &str, group: &str, id: &str) -> SendMessage {
    let message = SendMessage::new(body).message_group_id(group);
    message.message_deduplication_id(id)
}

fn receive(queue: &Queue) -> Vec<Message> {
    queue.receive().max_messages(10).blocking().unwrap()
}

fn bodies(queue: &Queue) -> Vec<String> {
    let messages = queue.snapshot().messages.into_iter();
    messages.map(|message| message.content.body().to_string()).collect()
}

#[test]
fn messages_in_flight_come_back_when_their_visibility_ends_and_no_sooner() {
    for end in ENDS {
        for reopened_at in [0, 10_000, 29_999] {
            let mut place = Place::new();
            place.create("jobs", QueueAttributes::new()).send("resize").unwrap();
            assert_eq!(receive(&place.jobs()).len(), 1);
            place.again(end, reopened_at);
            let jobs = place.jobs();
            assert_eq!((jobs.counts().visible, jobs.counts().in_flight), (0, 1), "{end:?}");
            place.clock.advance_to(requeue::Timestamp::from_millis(START + 29_999));
            assert!(receive(&jobs).is_empty(), "{end:?}, {reopened_at}");
            place.clock.advance(Duration::from_millis(1));
            assert_eq!(
                receive(&jobs)[0].approximate_receive_count(),
                2,
                "{end:?}, {reopened_at}"
            );
        }
    }
}

#[test]
fn messages_whose_visibility_ended_meanwhile_are_there_at_once() {
    for end in ENDS {
        let mut place = Place::new();
        let jobs = place.create("jobs", QueueAttributes::new());
        jobs.send("first").unwrap();
        assert_eq!(receive(&jobs).len(), 1);
        jobs.send(SendMessage::new("later").delay(20 * SECOND)).unwrap();
        drop(jobs);
        place.again(end, 3_600_000);
        assert_eq!(receive(&place.jobs()).len(), 2, "{end:?}");
    }
}

#[test]
fn a_wall_clock_that_went_back_delays_nothing_by_more_than_its_own_timeout() {
    for end in ENDS {
        for back in [1, 10_000, 600_000, 86_400_000_000] {
            let mut place = Place::new();
            let jobs = place.create("jobs", QueueAttributes::new());
            jobs.send("resize").unwrap();
            jobs.send(SendMessage::new("later").delay(20 * SECOND)).unwrap();
            assert_eq!(receive(&jobs).len(), 1);
            drop(jobs);
            place.service = place.service.take();
            let path = place.directory.join("journal");
            let copy = place.directory.join("copy");
            if matches!(end, End::Killed) {
                directory::copy(&path, &copy);
            }
            if matches!(end, End::Closed) {
                place.service().close().unwrap();
            }
            place.service = None;
            if matches!(end, End::Killed) {
                fs::remove_dir_all(&path).unwrap();
                fs::rename(&copy, &path).unwrap();
            }
            place.clock = clock_at(START - back);
            place.service = Some(service(&path, &place.clock));
            let jobs = place.jobs();
            assert_eq!(
                (jobs.counts().visible, jobs.counts().in_flight),
                (0, 1),
                "{end:?} {back}"
            );
            place.clock.advance(20 * SECOND);
            assert_eq!(receive(&jobs)[0].body(), "later", "{end:?} {back}");
            place.clock.advance(10 * SECOND);
            assert_eq!(receive(&jobs)[0].body(), "resize", "{end:?} {back}");
        }
    }
}

#[test]
fn a_clock_that_goes_back_again_and_again_delays_no_further() {
    let mut place = Place::new();
    place.create("jobs", QueueAttributes::new()).send("resize").unwrap();
    assert_eq!(receive(&place.jobs()).len(), 1);
    let back_to = |place: &mut Place, now: u64| {
        place.service.take().unwrap().close().unwrap();
        place.clock = clock_at(now);
        place.service = Some(service(&place.directory.join("journal"), &place.clock));
    };
    back_to(&mut place, START - 500_000);
    back_to(&mut place, START - 495_000); // 5 s later
    place.clock.advance(25 * SECOND);
    assert_eq!(receive(&place.jobs()).len(), 1);
    for round in 1..10 {
        back_to(&mut place, START - 500_000 - round * 100_000);
    }
    place.clock.advance(VISIBILITY);
    assert_eq!(receive(&place.jobs()).len(), 1);
}

#[test]
fn a_repeated_send_is_known_for_five_minutes_on_either_side_of_a_restart() {
    for end in ENDS {
        let mut place = Place::new();
        let orders = place.create("orders.fifo", QueueAttributes::new().fifo_queue(true));
        let first = orders.send(order("17", "g", "d")).unwrap();
        drop(orders);
        place.again(end, 299_999);
        let orders = place.queue("orders.fifo");
        assert_eq!(orders.send(order("17", "g", "d")).unwrap(), first, "{end:?}");
        place.clock.advance(Duration::from_millis(1));
        assert_ne!(orders.send(order("17", "g", "d")).unwrap(), first, "{end:?}");
        assert_eq!(orders.counts().visible, 2);
    }
}

#[test]
fn a_repeated_send_is_known_although_its_message_was_deleted() {
    for end in ENDS {
        let mut place = Place::new();
        let orders = place.create("orders.fifo", QueueAttributes::new().fifo_queue(true));
        let first = orders.send(order("17", "g", "d")).unwrap();
        receive(&orders)[0].delete().unwrap();
        drop(orders);
        place.again(end, 1_000);
        let orders = place.queue("orders.fifo");
        assert_eq!(orders.send(order("17", "g", "d")).unwrap(), first, "{end:?}");
        assert_eq!(orders.counts().visible, 0);
    }
}

#[test]
fn receipt_handles_of_before_are_valid_and_those_that_had_ended_are_not() {
    for end in ENDS {
        for name in ["jobs", "orders.fifo"] {
            let mut place = Place::new();
            let fifo = name.ends_with(".fifo");
            let attributes = QueueAttributes::new();
            let queue = place.create(name, if fifo { attributes.fifo_queue(true) } else { attributes });
            for number in 0..3 {
                let body = number.to_string();
                let message = if fifo {
                    order(&body, &body, &body)
                } else {
                    SendMessage::new(body)
                };
                queue.send(message).unwrap();
            }
            let ended: Vec<_> = receive(&queue).iter().map(Message::receipt_handle).collect();
            place.clock.advance(VISIBILITY);
            let handles: Vec<_> = receive(&queue).iter().map(Message::receipt_handle).collect();
            drop(queue);
            place.again(end, 31_000);
            let queue = place.queue(name);
            assert_eq!(queue.delete(&handles[0]), Ok(()), "{end:?}");
            assert_eq!(queue.change_visibility(&handles[1], Duration::ZERO), Ok(()), "{end:?}");
            assert_eq!(bodies(&queue), ["1", "2"]);
            let again = receive(&queue);
            assert_eq!((again[0].body(), again.len()), ("1", 1));
            if fifo {
                let refused = queue.delete(&ended[2]).unwrap_err();
                assert_eq!(refused.code(), "InvalidParameterValue");
            }
            assert_eq!(queue.delete(&handles[2]), Ok(()), "{end:?}");
            assert!(!handles.contains(&again[0].receipt_handle()));
        }
    }
}

#[test]
fn what_a_message_was_sent_with_is_there_and_its_order_and_numbers() {
    for end in ENDS {
        let mut place = Place::new();
        let orders = place.create("orders.fifo", QueueAttributes::new().fifo_queue(true));
        let sent: Vec<_> = (0..20)
            .map(|number| {
                let message = order(&format!("order {number}"), ["a", "b"][number % 2], &number.to_string());
                let message = message.attribute("kind", MessageAttributeValue::string("urgent"));
                orders
                    .send(message.attribute("image", MessageAttributeValue::binary(vec![0, 255])))
                    .unwrap()
            })
            .collect();
        drop(orders);
        place.again(end, 1_000);
        let orders = place.queue("orders.fifo");
        let later = orders.send(order("later", "a", "later")).unwrap();
        assert!(
            sent.iter()
                .all(|it| it.sequence_number < later.sequence_number && it.message_id != later.message_id)
        );
        let received = receive(&orders);
        let mut of_a = received.iter().filter(|it| it.message_group_id() == Some("a"));
        let (first, second) = (of_a.next().unwrap(), of_a.next().unwrap());
        assert_eq!((first.body(), second.body()), ("order 0", "order 2"), "{end:?}");
        assert_eq!(first.sequence_number(), sent[0].sequence_number);
        assert_eq!(first.message_id(), sent[0].message_id);
        assert_eq!(first.sent_timestamp().as_millis(), START);
        assert_eq!(first.attributes().get("kind").unwrap().string_value(), Some("urgent"));
        assert_eq!(
            first.attributes().get("image"),
            Some(&MessageAttributeValue::binary(vec![0, 255]))
        );
    }
}

#[test]
fn a_dead_letter_is_in_its_queue_with_its_source_and_reason() {
    for end in ENDS {
        let mut place = Place::new();
        let failed = place.create("failed", QueueAttributes::new());
        let policy = RedrivePolicy::new(failed.arn(), 1);
        let jobs = place.create("jobs", QueueAttributes::new().redrive_policy(policy));
        jobs.send("bad").unwrap();
        jobs.send("poison").unwrap();
        let messages = receive(&jobs);
        messages[0].dead_letter("not an image").unwrap();
        place.clock.advance(VISIBILITY);
        assert!(receive(&jobs).is_empty());
        jobs.send("later").unwrap(); // what was recorded before it is there if this is
        drop((messages, jobs, failed));
        place.again(end, 40_000);
        assert_eq!(bodies(&place.jobs()), ["later"], "{end:?}");
        let dead = receive(&place.queue("failed"));
        let arn = place.jobs().arn().to_owned();
        assert_eq!(dead.len(), 2, "{end:?}");
        assert_eq!(dead[0].dead_letter_reason(), Some("not an image"));
        assert!(dead.iter().all(|it| it.dead_letter_queue_source_arn() == Some(&*arn)));
        assert!(dead.iter().all(|it| it.approximate_receive_count() == 2));
    }
}

#[test]
fn a_move_task_goes_on_at_its_rate() {
    for end in ENDS {
        let mut place = Place::new();
        let failed = place.create("failed", QueueAttributes::new());
        let policy = RedrivePolicy::new(failed.arn(), 1);
        place.create("jobs", QueueAttributes::new().redrive_policy(policy));
        for number in 0..10 {
            place.jobs().send(number.to_string()).unwrap();
        }
        receive(&place.jobs());
        place.clock.advance(VISIBILITY);
        assert!(receive(&place.jobs()).is_empty());
        let request = StartMessageMoveTask::new(failed.arn()).max_messages_per_second(1);
        let handle = place.service().start_message_move_task(&request).unwrap();
        place.clock.advance(3 * SECOND);
        let moved = bodies(&place.jobs()).len();
        let arn = failed.arn().to_owned();
        drop(failed);
        // Nobody waits until a move is recorded, but for what comes after it.
        place.service().tag_queue("jobs", [("team", "images")]).unwrap();
        // For half a minute nobody moved anything: the task does not make up for it.
        place.again(end, 63_000);
        let moved = moved + 1;
        let task = &place.service().list_message_move_tasks(&arn, None).unwrap()[0];
        assert_eq!(task.status, MoveTaskStatus::Running, "{end:?}");
        assert_eq!(task.approximate_number_of_messages_moved, moved as u64, "{end:?}");
        assert_eq!(bodies(&place.jobs()).len(), moved);
        place.clock.advance(2 * SECOND);
        assert_eq!(bodies(&place.jobs()).len(), moved + 2, "{end:?}");
        let cancelled = place.service().cancel_message_move_task(&handle).unwrap();
        assert_eq!(cancelled, bodies(&place.jobs()).len() as u64);
        place.clock.advance(SECOND); // it moves one more at most
        let left = bodies(&place.queue("failed")).len();
        place.again(end, 90_000);
        place.clock.advance(60 * SECOND);
        assert_eq!(bodies(&place.queue("failed")).len(), left, "{end:?}");
    }
}

#[test]
fn what_was_deleted_by_id_stays_deleted() {
    for end in ENDS {
        let mut place = Place::new();
        let orders = QueueAttributes::new().fifo_queue(true);
        place.create("jobs", QueueAttributes::new());
        place.create("orders.fifo", orders);
        for name in ["jobs", "orders.fifo"] {
            let queue = place.queue(name);
            for number in 0..2_000 {
                let body = number.to_string();
                let message = if queue.is_fifo() {
                    order(&body, "g", &body)
                } else {
                    SendMessage::new(&*body)
                };
                queue.send(message).unwrap();
            }
            assert_eq!(receive(&queue).len(), 10);
            let ids = queue.snapshot().messages.into_iter().map(|it| it.message_id);
            let ids: Vec<_> = ids.step_by(2).collect();
            let deleted = pollster::block_on(queue.delete_by_id_async(&ids[1..]));
            assert_eq!((deleted, queue.delete_by_id(&ids)), (Ok(999), Ok(1)));
        }
        place.again(end, 1_000);
        for name in ["jobs", "orders.fifo"] {
            let queue = place.queue(name);
            let odd = (0..2_000).skip(1).step_by(2).map(|number: usize| number.to_string());
            assert_eq!(bodies(&queue), odd.collect::<Vec<_>>(), "{end:?}");
            assert_eq!((queue.counts().visible, queue.counts().in_flight), (995, 5));
        }
    }
}

#[test]
fn settings_tags_purges_and_deleted_queues_stay_as_they_were() {
    for end in ENDS {
        let mut place = Place::new();
        let jobs = place.create("jobs", QueueAttributes::new().delay(5 * SECOND));
        place
            .create("gone", QueueAttributes::new())
            .send("lost with its queue")
            .unwrap();
        place
            .service()
            .tag_queue("jobs", [("team", "images"), ("stage", "test")])
            .unwrap();
        place.service().untag_queue("jobs", ["stage"]).unwrap();
        jobs.send("purged").unwrap();
        jobs.purge().unwrap();
        jobs.send("kept").unwrap();
        jobs.set_attributes(QueueAttributes::new().visibility_timeout(7 * SECOND))
            .unwrap();
        place.service().delete_queue("gone").unwrap();
        let settings = jobs.settings();
        drop(jobs);
        place.again(end, 10_000);
        let jobs = place.jobs();
        assert_eq!(jobs.settings(), settings, "{end:?}");
        assert_eq!(bodies(&jobs), ["kept"], "{end:?}");
        assert_eq!(jobs.purge().unwrap_err().code(), "PurgeQueueInProgress");
        let tags = place.service().list_queue_tags("jobs").unwrap();
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("team".into(), "images".into())]);
        assert!(place.service().queue("gone").is_err(), "{end:?}");
        let too_soon = place
            .service()
            .create_queue("gone", QueueAttributes::new())
            .unwrap_err();
        assert_eq!(too_soon.code(), "QueueDeletedRecently");
        place.clock.advance(50 * SECOND);
        assert_eq!(
            bodies(&place.create("gone", QueueAttributes::new())),
            Vec::<String>::new()
        );
    }
}

#[test]
fn what_was_set_long_ago_is_there_although_its_segment_is_gone() {
    let mut place = Place::new();
    let failed = place.create("failed", QueueAttributes::new());
    let policy = RedrivePolicy::new(failed.arn(), 1);
    let attributes = QueueAttributes::new()
        .visibility_timeout(7 * SECOND)
        .redrive_policy(policy);
    let jobs = place.create("jobs", attributes);
    place.service().tag_queue("jobs", [("team", "images")]).unwrap();
    jobs.send("the first of all").unwrap();
    jobs.send("dead").unwrap();
    assert_eq!(jobs.receive().max_messages(2).blocking().unwrap().len(), 2);
    jobs.receive().max_messages(2).blocking().unwrap();
    place.clock.advance(7 * SECOND);
    assert!(receive(&jobs).is_empty());
    let request = StartMessageMoveTask::new(failed.arn()).max_messages_per_second(1);
    let handle = place.service().start_message_move_task(&request).unwrap();
    let orders = place.create("orders.fifo", QueueAttributes::new().fifo_queue(true));
    let first = orders.send(order("17", "g", "d")).unwrap();
    receive(&orders)[0].delete().unwrap();
    let (settings, directory) = (jobs.settings(), place.directory.join("journal"));
    // So much that the first segments are removed; they go when the thread of the journal comes to it.
    let first_segment = || {
        directory::names(&directory)
            .into_iter()
            .find(|name| name.starts_with("segment-"))
    };
    let before = first_segment();
    let passing = place.create("passing", QueueAttributes::new());
    while first_segment() == before || first_segment().is_some_and(|it| it.as_str() < "segment-0000000010.log") {
        passing.send("x".repeat(5_000)).unwrap();
        receive(&passing)[0].delete().unwrap();
    }
    drop((jobs, failed, orders, passing));
    place.again(End::Closed, 7_500);
    let jobs = place.jobs();
    assert_eq!(jobs.settings(), settings);
    assert_eq!(place.service().list_queue_tags("jobs").unwrap()["team"], "images");
    assert_eq!(place.queue("orders.fifo").send(order("17", "g", "d")).unwrap(), first);
    place.service().cancel_message_move_task(&handle).unwrap();
    let mut all = [bodies(&jobs), bodies(&place.queue("failed"))].concat();
    all.sort_unstable();
    assert_eq!(all, ["dead", "the first of all"]);
}

#[test]
fn a_service_that_was_closed_says_so() {
    let place = Place::new();
    let jobs = place.create("jobs", QueueAttributes::new());
    jobs.send("resize").unwrap();
    place.service().close().unwrap();
    let error = jobs.send("later").unwrap_err();
    assert!(
        matches!(error, requeue::SendError::Storage(StorageError::Closed)),
        "{error}"
    );
    let error = jobs.receive().blocking().unwrap_err();
    assert!(
        matches!(error, requeue::ReceiveError::Storage(StorageError::Closed)),
        "{error}"
    );
    place.service().close().unwrap();
}

#[test]
fn ids_and_handles_are_never_used_twice() {
    let mut place = Place::new();
    place.create("jobs", QueueAttributes::new());
    let (mut ids, mut handles) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let jobs = place.jobs();
        ids.push(jobs.send("resize").unwrap().message_id);
        let messages = receive(&jobs);
        handles.push(messages[0].receipt_handle());
        messages[0].delete().unwrap();
        drop((jobs, messages));
        place.again(ENDS[round % 3], round as u64);
    }
    ids.sort_unstable();
    ids.dedup();
    handles.sort_by_key(ToString::to_string);
    handles.dedup();
    assert_eq!((ids.len(), handles.len()), (20, 20));
}

#[test]
fn a_queue_of_its_own_is_opened_with_the_attributes_that_are_asked_for_now() {
    let directory = Directory::new();
    let clock = clock_at(START);
    let open = |timeout: Duration| {
        let builder = Queue::standard("jobs").clock(clock.clone()).visibility_timeout(timeout);
        builder.journal(directory.path()).open().unwrap()
    };
    let jobs = open(VISIBILITY);
    jobs.send("resize").unwrap();
    jobs.close().unwrap();
    let jobs = open(5 * SECOND);
    assert_eq!(jobs.settings().visibility_timeout, 5 * SECOND);
    let message = &receive(&jobs)[0];
    assert_eq!(message.invisible_until().as_millis(), clock.now().as_millis() + 5_000);
}

#[test]
fn a_panic_of_a_consumer_loses_nothing() {
    let mut place = Place::new();
    place.create("jobs", QueueAttributes::new()).send("resize").unwrap();
    let jobs = place.jobs();
    let consumer = std::thread::spawn(move || {
        let message = &receive(&jobs)[0];
        panic!("it cannot be done: {}", message.body());
    });
    assert!(consumer.join().is_err());
    place.again(End::Killed, 30_000);
    assert_eq!(receive(&place.jobs())[0].approximate_receive_count(), 2);
}

#[test]
fn progress_ends_with_everything_read() {
    let directory = Directory::new();
    let clock = clock_at(START);
    let jobs = service(directory.path(), &clock);
    let queue = jobs.create_queue("jobs", QueueAttributes::new()).unwrap();
    for _ in 0..50 {
        queue.send("x".repeat(2_000)).unwrap();
    }
    drop(queue);
    jobs.close().unwrap();
    let (sender, seen) = std::sync::mpsc::channel();
    let opened = builder(directory.path(), &clock)
        .durability(Durability::Written)
        .on_progress(move |progress| sender.send((progress.bytes_read, progress.bytes_total)).unwrap())
        .open()
        .unwrap();
    drop(opened);
    let seen: Vec<_> = seen.iter().collect();
    let last = *seen.last().unwrap();
    assert!(seen.len() > 2 && last.0 == last.1 && last.0 > 100_000, "{seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}
