//! Tasks under several threads.

use super::*;

#[test]
fn a_source_has_one_task_even_if_two_threads_start_one() {
    // L26c
    let house = House::new().fill(100);
    let request = house
        .request()
        .destination_arn(house.jobs.arn())
        .max_messages_per_second(1);
    let started = thread::scope(|scope| {
        let starts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| house.service.start_message_move_task(&request).is_ok()))
            .collect();
        let started = starts.into_iter().map(|it| it.join().unwrap());
        started.filter(|started| *started).count()
    });
    assert_eq!((started, house.progress()), (1, (MoveTaskStatus::Running, 1)));
}

#[test]
fn no_message_is_lost_or_doubled_while_threads_look_on_and_consume() {
    // L34
    const MESSAGES: usize = 2_000;
    let house = House::new().fill(MESSAGES);
    let consumed = thread::scope(|scope| {
        let consume = || {
            let mut consumed = Vec::new();
            while consumed.len() < MESSAGES / 2 {
                for message in receive(&house.jobs, 10) {
                    message.delete().unwrap();
                    consumed.push(message.body().to_owned());
                }
                thread::yield_now();
            }
            consumed
        };
        let consumer = scope.spawn(consume);
        scope.spawn(|| {
            while house
                .service
                .list_message_move_tasks(house.dead.arn(), None)
                .unwrap()
                .is_empty()
            {
                thread::yield_now();
            }
            while house.progress().0 == MoveTaskStatus::Running {
                thread::yield_now();
            }
        });
        house
            .service
            .start_message_move_task(&house.request().destination_arn(house.jobs.arn()))
            .unwrap();
        consumer.join().unwrap()
    });
    let mut left = counts(&house.jobs)[0];
    let mut all = consumed;
    while left > 0 {
        all.extend(receive(&house.jobs, 10).iter().map(|it| it.body().to_owned()));
        left = counts(&house.jobs)[0];
    }
    all.sort();
    all.dedup();
    assert_eq!(
        (all.len(), house.progress()),
        (MESSAGES, (MoveTaskStatus::Completed, MESSAGES as u64))
    );
}

#[test]
fn a_task_without_rate_can_be_cancelled_while_it_moves() {
    // L28
    #[derive(Clone, Default)]
    struct CancelAfter(Arc<(OnceLock<Service>, Mutex<Vec<u64>>)>);
    impl FactListener for CancelAfter {
        fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
            let (Some(service), Fact::MovedOut { .. }) = (self.0.0.get(), &entry.fact) else {
                return;
            };
            let task = service.list_message_move_tasks(queue, None).unwrap().remove(0);
            if task.approximate_number_of_messages_moved == 3 {
                let moved = service.cancel_message_move_task(task.task_handle.unwrap()).unwrap();
                self.0.1.lock().unwrap().push(moved);
            }
        }
    }
    let listener = CancelAfter::default();
    let house = House::of(Service::builder().listener(listener.clone())).fill(10);
    assert!(listener.0.0.set(house.service.clone()).is_ok());
    house
        .service
        .start_message_move_task(&house.request().destination_arn(house.jobs.arn()))
        .unwrap();
    assert_eq!(*listener.0.1.lock().unwrap(), [3]);
    assert_eq!(house.progress(), (MoveTaskStatus::Cancelled, 4));
}

/// Sends a message to the queue `dead` for each one that is moved out of it, up to 10,000.
#[derive(Clone, Default)]
struct Feed(Arc<OnceLock<Queue>>);

impl FactListener for Feed {
    fn on_fact(&self, _queue: &Arc<str>, entry: &FactEntry) {
        if let (Some(dead), Fact::MovedOut { .. }) = (self.0.get(), &entry.fact) {
            if entry.number < 20_000 {
                dead.send("more").unwrap();
            }
        }
    }
}

#[test]
fn a_start_returns_although_its_source_is_fed_as_fast_as_it_is_emptied() {
    // L29: what was there at the start is moved at once, the rest in portions.
    for (messages, at_once) in [(10, 1_000), (1_500, 1_500)] {
        let feed = Feed::default();
        let house = House::of(Service::builder().listener(feed.clone())).fill(messages);
        assert!(feed.0.set(house.dead.clone()).is_ok());
        let request = house.request().destination_arn(house.jobs.arn());
        house.service.start_message_move_task(&request).unwrap();
        assert_eq!(counts(&house.jobs)[0], at_once);
        house.clock.advance(millis(1));
        assert_eq!(counts(&house.jobs)[0], at_once + 1_000, "by its alarm");
        assert_eq!(
            house.progress(),
            (MoveTaskStatus::Running, at_once as u64 + 2_000),
            "by a look"
        );
        let handle = house.newest().task_handle.unwrap();
        house.service.cancel_message_move_task(handle).unwrap();
        let moved = counts(&house.jobs)[0];
        house.clock.advance(secs(1));
        assert_eq!(house.progress(), (MoveTaskStatus::Cancelled, moved as u64 + 1));
    }
}

#[test]
fn a_task_without_rate_goes_on_until_nothing_is_left() {
    // L30
    let feed = Feed::default();
    let house = House::of(Service::builder().listener(feed.clone())).fill(10);
    assert!(feed.0.set(house.dead.clone()).is_ok());
    let request = house.request().destination_arn(house.jobs.arn());
    house.service.start_message_move_task(&request).unwrap();
    house.clock.advance(secs(1));
    let moved = counts(&house.jobs)[0];
    assert!(moved > 5_000, "{moved}");
    assert_eq!(house.progress(), (MoveTaskStatus::Completed, moved as u64));
    assert_eq!(house.clock.next_deadline(), None);
}

#[test]
fn the_machines_clock_moves_messages_from_its_timer_thread() {
    // L24
    let service = Service::new();
    let dead = service.create_queue("dead", bare()).unwrap();
    let jobs = service.create_queue("jobs", redrive(&dead)).unwrap();
    for number in 0..10 {
        dead.send(format!("m{number}")).unwrap();
    }
    let request = StartMessageMoveTask::new(dead.arn()).destination_arn(jobs.arn());
    service
        .start_message_move_task(&request.max_messages_per_second(500))
        .unwrap();
    let mut moved = Vec::new();
    while moved.len() < 10 {
        let messages = jobs.receive().max_messages(10).wait_time(secs(20)).blocking().unwrap();
        assert!(!messages.is_empty(), "nobody moved the rest of {moved:?}");
        moved.extend(messages.iter().map(|it| it.body().to_owned()));
    }
    assert_eq!(moved, (0..10).map(|number| format!("m{number}")).collect::<Vec<_>>());
}
