//! A service behind faults: one seed, a stream for each queue, and one network for all who ask.

use {
    crate::common::{counts, in_group, receive, secs},
    requeue::{
        ManualClock, QueueAttributes, QueueError, QueueSnapshot, RedrivePolicy, Service, Timestamp,
        testing::{CallError, Fault, FaultError, Faults, FaultyQueue, FaultyService},
    },
};

fn service() -> (ManualClock, Service) {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    service.create_queue("jobs", QueueAttributes::new()).unwrap();
    service.create_queue("mail", QueueAttributes::new()).unwrap();
    let orders = QueueAttributes::new()
        .fifo_queue(true)
        .content_based_deduplication(true);
    service.create_queue("orders.fifo", orders).unwrap();
    (clock, service)
}

fn behind(faults: Faults, seed: u64) -> (ManualClock, Service, FaultyService) {
    let (clock, service) = service();
    let faulty = FaultyService::new(&service, &clock, faults, seed).unwrap();
    (clock, service, faulty)
}

/// All that a consumer of the queue sees, as text: answers, handles and errors.
fn work(queue: &FaultyQueue, rounds: u32) -> String {
    let mut seen = String::new();
    for round in 0..rounds {
        let bodies = [round.to_string(), format!("{round} again")];
        let messages = bodies.each_ref().map(|body| in_group("g", body));
        seen += &format!("{:?}\n", queue.send_batch(messages));
        let received = queue.receive(3);
        seen += &format!("{received:?}\n");
        for message in received.unwrap_or_default() {
            let handle = message.receipt_handle();
            seen += &format!("{handle} {:?}\n", queue.change_visibility(&message, secs(20)));
            seen += &format!("{:?}\n", queue.delete(&message));
        }
    }
    seen
}

type Seen = Vec<(String, Vec<(Timestamp, Fault)>, QueueSnapshot)>;

fn run(seed: u64) -> Seen {
    let (_, service, faulty) = behind(Faults::worst_legal(), seed);
    let see = |name: &str| {
        let queue = faulty.queue(name).unwrap();
        (
            work(&queue, 60),
            queue.struck(),
            service.queue(name).unwrap().snapshot(),
        )
    };
    ["jobs", "orders.fifo", "mail"].map(see).into()
}

#[test]
fn the_same_seed_strikes_in_the_same_way_to_the_byte() {
    let (one, other) = (run(1), run(1));
    assert_eq!(one, other);
    for (queue, different) in one.iter().zip(run(2)) {
        assert!(queue.1.len() > 30);
        assert_ne!(queue.1, different.1);
    }
}

#[test]
fn queues_do_not_disturb_the_draws_of_each_other() {
    // The clock is everybody's.
    let faults = Faults::worst_legal().with(Fault::ClockJump, 0.0);
    let (_, _, faulty) = behind(faults.clone(), 1);
    let (alone, other) = (faulty.queue("jobs").unwrap(), faulty.queue("mail").unwrap());
    work(&alone, 50);
    work(&other, 50);
    assert_ne!(alone.struck(), other.struck(), "each has a stream of its own");
    let (_, _, faulty) = behind(faults, 1);
    let (jobs, mail) = (faulty.queue("jobs").unwrap(), faulty.queue("mail").unwrap());
    for _ in 0..50 {
        work(&jobs, 1);
        work(&mail, 2);
    }
    assert_eq!(jobs.struck(), alone.struck());
}

#[test]
fn all_handles_of_a_queue_are_one_network() {
    let (clock, service, faulty) = behind(Faults::script([(2, Fault::DuplicateInFlight), (4, Fault::SendLate)]), 1);
    let jobs = service.queue("jobs").unwrap();
    let by_url = faulty.queue(jobs.url()).unwrap();
    jobs.send("a").unwrap();
    let first = faulty.queue("jobs").unwrap().receive(1).unwrap();
    let second = faulty.queue(jobs.arn()).unwrap().receive(1).unwrap();
    assert_eq!(first[0].receipt_handle(), second[0].receipt_handle());
    by_url.delete(&first[0]).unwrap();
    assert_eq!(faulty.queue("jobs").unwrap().send("b"), Err(CallError::ResponseLost));
    assert_eq!(by_url.struck(), faulty.queue("jobs").unwrap().struck());
    assert_eq!(by_url.struck().len(), 2);
    drop(by_url);
    clock.advance(Fault::LATE);
    assert_eq!(counts(&jobs), [1, 0, 0], "the service keeps what is late");
}

#[test]
fn what_is_wrong_with_one_queue_is_the_error_of_that_queue() {
    let (clock, service, faulty) = behind(Faults::none().with(Fault::Reordered, 0.5), 1);
    assert!(faulty.queue("jobs").is_ok());
    match faulty.queue("orders.fifo") {
        Err(FaultError::NotOnFifo { fault, queue, .. }) => {
            assert_eq!((fault, queue.as_str()), (Fault::Reordered, "orders.fifo"));
        }
        other => panic!("{other:?}"),
    }
    let nobody = faulty.queue("nobody").unwrap_err();
    assert_eq!(nobody, FaultError::Queue(QueueError::QueueDoesNotExist));
    assert_eq!(nobody.to_string(), QueueError::QueueDoesNotExist.to_string());
    let error = FaultyService::new(&service, &clock, Faults::none().with(Fault::Reordered, 1.5), 1).unwrap_err();
    assert!(matches!(error, FaultError::Probability { probability: 1.5, .. }));
}

#[test]
fn a_queue_created_again_is_another_queue() {
    let (clock, service, faulty) = behind(Faults::script([(1, Fault::SendLate)]), 1);
    let before = faulty.queue("jobs").unwrap();
    before.send("m").unwrap_err();
    service.delete_queue("jobs").unwrap();
    assert!(matches!(faulty.queue("jobs"), Err(FaultError::Queue(_))));
    clock.advance(secs(60));
    let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0]);
    let after = faulty.queue("jobs").unwrap();
    assert_eq!(after.send("m"), Err(CallError::ResponseLost), "its stream begins anew");
    assert!(matches!(before.receive(1), Err(CallError::Refused(error)) if error.code() == "QueueDoesNotExist"));
}

#[test]
fn dead_letters_leave_through_a_network_with_faults() {
    let (_, service, faulty) = behind(Faults::none().with(Fault::ReceiveResponseLost, 1.0), 1);
    let failed = service.queue("mail").unwrap();
    let redrive = QueueAttributes::new().redrive_policy(RedrivePolicy::new(failed.arn(), 2));
    service.set_attributes("jobs", redrive).unwrap();
    let jobs = faulty.queue("jobs").unwrap();
    service.queue("jobs").unwrap().send("poison").unwrap();
    let lost = || jobs.receive_with(|poll| poll.visibility_timeout(secs(0)));
    assert_eq!(
        [lost(), lost()].map(|it| it.unwrap_err()),
        [CallError::ResponseLost, CallError::ResponseLost]
    );
    assert!(lost().unwrap().is_empty(), "there is nothing to lose");
    assert_eq!(receive(&failed, 1)[0].approximate_receive_count(), 3);
}

#[test]
fn networks_may_cross_threads() {
    fn crosses<T: Send + Sync + Clone + 'static>() {}
    crosses::<FaultyQueue>();
    crosses::<FaultyService>();
}
