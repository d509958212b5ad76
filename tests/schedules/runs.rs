//! Small encounters of a few threads and tasks, each of which must come to its end under every schedule.

use {
    crate::{
        clock::{Alarm, Clock, ManualClock, Parker},
        error::{ReceiveError, SendError},
        limits::Limits,
        message::SendMessage,
        queue::{Budget, Message, Queue, QueueBuilder, Receive},
        state::{Fact, FactEntry},
        time::Timestamp,
    },
    shuttle::{future, thread},
    std::{
        future::{Future, IntoFuture, poll_fn},
        pin::pin,
        sync::{
            Arc, Mutex, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
        task::{Poll, Waker},
        time::Duration,
    },
};

type Run = (&'static str, fn());

pub(crate) const RUNS: [Run; 14] = [
    ("a_send_while_receivers_go_to_sleep", a_send_while_receivers_go_to_sleep),
    ("a_receiver_that_gives_up", a_receiver_that_gives_up),
    (
        "a_timeout_that_ends_while_receivers_come_and_go",
        a_timeout_that_ends_while_receivers_come_and_go,
    ),
    (
        "a_timeout_that_begins_while_a_receiver_goes_to_sleep",
        a_timeout_that_begins_while_a_receiver_goes_to_sleep,
    ),
    ("a_delete_that_unlocks_a_group", a_delete_that_unlocks_a_group),
    ("the_end_of_a_queue", the_end_of_a_queue),
    (
        "a_wait_for_receivers_to_go_to_sleep",
        a_wait_for_receivers_to_go_to_sleep,
    ),
    ("senders_that_wait_for_room", senders_that_wait_for_room),
    ("permits_that_come_and_go", permits_that_come_and_go),
    ("an_expiry_that_makes_room", an_expiry_that_makes_room),
    ("poison_that_several_receivers_meet", poison_that_several_receivers_meet),
    (
        "a_target_that_goes_as_poison_arrives",
        a_target_that_goes_as_poison_arrives,
    ),
    ("facts_of_several_threads", facts_of_several_threads),
    (
        "listeners_that_call_each_others_queue",
        listeners_that_call_each_others_queue,
    ),
];

const SECOND: Duration = Duration::from_secs(1);

/// Virtual time for threads of the checker, which must not be blocked behind its back: a parked one looks again and
/// again whether it was woken.
#[derive(Clone, Default)]
struct Stepping(ManualClock);

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        while !parker.park_timeout(Duration::ZERO) && deadline.is_none_or(|it| self.now() < it) {
            thread::yield_now();
        }
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.0.wake_at(deadline, waker)
    }
}

impl Stepping {
    /// Moves time second by second until `over`.
    fn drive(&self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) {
            self.0.advance(SECOND);
            thread::yield_now();
        }
    }
}

fn with(clock: &Stepping, builder: QueueBuilder) -> QueueBuilder {
    let limits = Limits {
        receive_wait_time: Duration::MAX,
        ..Limits::default()
    };
    builder.clock(clock.clone()).limits(limits).seed(1)
}

fn standard(clock: &Stepping) -> QueueBuilder {
    with(clock, Queue::standard("jobs"))
}

/// A receive that only a message or the end of the queue ends.
fn patient(queue: &Queue) -> Receive<'_> {
    queue.receive().wait_time(Duration::MAX)
}

fn body(received: Result<Vec<Message>, ReceiveError>) -> String {
    received.unwrap()[0].body().to_owned()
}

fn thread_that_receives(queue: &Queue) -> thread::JoinHandle<String> {
    let queue = queue.clone();
    thread::spawn(move || body(patient(&queue).blocking()))
}

fn task_that_receives(queue: &Queue) -> future::JoinHandle<String> {
    let queue = queue.clone();
    future::spawn(async move { body(patient(&queue).await) })
}

fn end<T>(task: future::JoinHandle<T>) -> T {
    future::block_on(task).unwrap()
}

/// Polls at most so many times, once for each wake, and then gives up, also with a wake that it has not looked at.
async fn at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let ready = future.as_mut().poll(context).map(Some);
        if left == 0 && ready.is_pending() {
            // Comes back by itself, at a moment that the checker chooses.
            context.waker().wake_by_ref();
        }
        ready
    })
    .await
}

fn a_send_while_receivers_go_to_sleep() {
    let queue = standard(&Stepping::default()).build().unwrap();
    let tasks = [(); 2].map(|()| task_that_receives(&queue));
    let receiver = thread_that_receives(&queue);
    let sender = {
        let queue = queue.clone();
        thread::spawn(move || {
            queue.send("a").unwrap();
            assert_eq!(queue.send_batch(["b", "c"]).unwrap().failed, []);
        })
    };
    let mut received = vec![receiver.join().unwrap()];
    received.extend(tasks.map(end));
    received.sort_unstable();
    assert_eq!(received, ["a", "b", "c"]);
    sender.join().unwrap();
    assert_eq!(queue.waiting(), 0);
}

fn a_receiver_that_gives_up() {
    let queue = standard(&Stepping::default()).build().unwrap();
    let patient_one = task_that_receives(&queue);
    let fickle = [1, 2].map(|polls| {
        let queue = queue.clone();
        future::spawn(async move {
            if let Some(Ok(received)) = at_most(polls, patient(&queue).into_future()).await {
                // For the patient one to have.
                received[0].change_visibility(Duration::ZERO).unwrap();
            }
        })
    });
    queue.send("a").unwrap();
    assert_eq!(end(patient_one), "a");
    queue.delete_queue().unwrap();
    fickle.map(end);
    assert_eq!(queue.waiting(), 0);
}

fn a_timeout_that_ends_while_receivers_come_and_go() {
    let (clock, over) = (Stepping::default(), Arc::new(AtomicBool::new(false)));
    let queue = standard(&clock).visibility_timeout(2 * SECOND).build().unwrap();
    queue.send("a").unwrap();
    assert_eq!(body(queue.receive().blocking()), "a");
    let fickle = {
        let queue = queue.clone();
        // What it may receive comes back in two seconds.
        future::spawn(async move { drop(at_most(2, patient(&queue).into_future()).await) })
    };
    let brief = {
        let queue = queue.clone();
        thread::spawn(move || drop(queue.receive().wait_time(SECOND).blocking()))
    };
    let driver = {
        let (clock, over) = (clock, Arc::clone(&over));
        thread::spawn(move || clock.drive(&over))
    };
    let (task, receiver) = (task_that_receives(&queue), thread_that_receives(&queue));
    assert_eq!(end(task), "a");
    assert_eq!(receiver.join().unwrap(), "a");
    brief.join().unwrap();
    over.store(true, Ordering::Relaxed);
    driver.join().unwrap();
    queue.delete_queue().unwrap();
    end(fickle);
}

fn a_timeout_that_begins_while_a_receiver_goes_to_sleep() {
    let (clock, over) = (Stepping::default(), Arc::new(AtomicBool::new(false)));
    let queue = standard(&clock).visibility_timeout(SECOND).build().unwrap();
    queue.send("a").unwrap();
    let (task, receiver) = (task_that_receives(&queue), thread_that_receives(&queue));
    let short = {
        let queue = queue;
        thread::spawn(move || drop(queue.receive().blocking()))
    };
    let driver = {
        let (clock, over) = (clock, Arc::clone(&over));
        thread::spawn(move || clock.drive(&over))
    };
    assert_eq!(end(task), "a");
    assert_eq!(receiver.join().unwrap(), "a");
    over.store(true, Ordering::Relaxed);
    driver.join().unwrap();
    short.join().unwrap();
}

fn a_delete_that_unlocks_a_group() {
    let builder = with(&Stepping::default(), Queue::fifo("jobs.fifo"));
    let queue = builder.content_based_deduplication(true).build().unwrap();
    let send = |body: &str| queue.send(SendMessage::new(body).message_group_id("g")).unwrap();
    send("1");
    let first = queue.receive().blocking().unwrap();
    let (task, receiver) = (task_that_receives(&queue), thread_that_receives(&queue));
    let deleter = {
        let queue = queue.clone();
        thread::spawn(move || {
            first[0].delete().unwrap();
            // Whoever received the next one is gone; its message is not.
            while queue.counts().in_flight == 0 {
                thread::yield_now();
            }
            queue.purge().unwrap();
            let last = SendMessage::new("3").message_group_id("g");
            queue.send(last).unwrap();
        })
    };
    send("2");
    let mut received = [end(task), receiver.join().unwrap()];
    received.sort_unstable();
    assert_eq!(received, ["2", "3"]);
    deleter.join().unwrap();
}

fn the_end_of_a_queue() {
    let queue = standard(&Stepping::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    let last_one = queue.reserve_timeout(0, Duration::ZERO).unwrap();
    let task = {
        let queue = queue.clone();
        future::spawn(async move { patient(&queue).await.unwrap_err() })
    };
    let receiver = {
        let queue = queue.clone();
        thread::spawn(move || patient(&queue).blocking().unwrap_err())
    };
    let sender = {
        let queue = queue.clone();
        thread::spawn(move || queue.send_timeout("a", Duration::MAX).unwrap_err())
    };
    let fickle = {
        let queue = queue.clone();
        future::spawn(async move { drop(at_most(1, patient(&queue).into_future()).await) })
    };
    queue.delete_queue().unwrap();
    assert_eq!(end(task), ReceiveError::QueueDoesNotExist);
    assert_eq!(receiver.join().unwrap(), ReceiveError::QueueDoesNotExist);
    assert_eq!(sender.join().unwrap(), SendError::QueueDoesNotExist);
    drop(last_one);
    end(fickle);
    assert_eq!(queue.waiting(), 0);
}

/// One wait ends because a receiver has gone to sleep, the other because the queue is deleted.
fn a_wait_for_receivers_to_go_to_sleep() {
    let jobs = standard(&Stepping::default()).build().unwrap();
    let receiver = thread_that_receives(&jobs);
    let in_vain = thread::spawn({
        let jobs = jobs.clone();
        move || jobs.wait_for_waiters(2)
    });
    jobs.wait_for_waiters(1);
    jobs.send("a").unwrap();
    assert_eq!(receiver.join().unwrap(), "a");
    jobs.delete_queue().unwrap();
    in_vain.join().unwrap();
}

fn senders_that_wait_for_room() {
    let queue = standard(&Stepping::default())
        .budget(Budget::new().bytes(2))
        .build()
        .unwrap();
    queue.send("00").unwrap();
    let task = {
        let queue = queue.clone();
        future::spawn(async move { queue.send_timeout_async("11", Duration::MAX).await.unwrap() })
    };
    let sender = {
        let queue = queue.clone();
        thread::spawn(move || queue.send_timeout("2", Duration::MAX).unwrap())
    };
    let fickle = {
        let queue = queue.clone();
        future::spawn(async move { at_most(2, queue.send_timeout_async("3", Duration::MAX)).await.is_some() })
    };
    let consume = || {
        let message = patient(&queue).blocking().unwrap().remove(0);
        message.delete().unwrap();
        message.body().to_owned()
    };
    let mut consumed = [(); 3].map(|()| consume()).to_vec();
    let fickle_sent = end(fickle);
    if fickle_sent {
        consumed.push(consume());
    }
    consumed.sort_unstable();
    let expected = ["00", "11", "2", "3"];
    assert_eq!(consumed, expected[..consumed.len()]);
    end(task);
    sender.join().unwrap();
    assert_eq!(queue.snapshot().messages, []);
}

fn permits_that_come_and_go() {
    let queue = standard(&Stepping::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    let first = queue.reserve_timeout(0, Duration::ZERO).unwrap();
    let task = {
        let queue = queue.clone();
        future::spawn(async move {
            let permit = queue.reserve_timeout_async(1, Duration::MAX).await.unwrap();
            permit.send("a").unwrap();
        })
    };
    let sender = {
        let queue = queue.clone();
        thread::spawn(move || queue.send_timeout("b", Duration::MAX).unwrap())
    };
    let fickle = {
        let queue = queue.clone();
        future::spawn(async move { drop(at_most(2, queue.reserve_timeout_async(1, Duration::MAX)).await) })
    };
    drop(first);
    for _ in 0..2 {
        patient(&queue).blocking().unwrap()[0].delete().unwrap();
    }
    end(task);
    sender.join().unwrap();
    end(fickle);
    assert!(queue.reserve_timeout(0, Duration::ZERO).is_ok());
}

fn an_expiry_that_makes_room() {
    let (clock, over) = (Stepping::default(), Arc::new(AtomicBool::new(false)));
    let queue = standard(&clock).budget(Budget::new().messages(1));
    let queue = queue.message_retention_period(60 * SECOND).build().unwrap();
    queue.send("a").unwrap();
    let task = {
        let queue = queue.clone();
        future::spawn(async move { queue.send_timeout_async("b", Duration::MAX).await.unwrap() })
    };
    let sender = {
        let queue = queue.clone();
        thread::spawn(move || queue.send_timeout("c", Duration::MAX).unwrap())
    };
    let fickle = {
        let queue = queue;
        future::spawn(async move { drop(at_most(1, queue.send_timeout_async("d", Duration::MAX)).await) })
    };
    let driver = {
        let (clock, over) = (clock, Arc::clone(&over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                clock.0.advance(30 * SECOND);
                thread::yield_now();
            }
        })
    };
    end(task);
    sender.join().unwrap();
    end(fickle);
    over.store(true, Ordering::Relaxed);
    driver.join().unwrap();
}

fn poison_that_several_receivers_meet() {
    let clock = Stepping::default();
    let dead = with(&clock, Queue::standard("dead")).build().unwrap();
    let jobs = standard(&clock)
        .visibility_timeout(Duration::ZERO)
        .dead_letter(&dead, 1)
        .build()
        .unwrap();
    for body in ["a", "b"] {
        jobs.send(body).unwrap();
    }
    assert_eq!(jobs.receive().max_messages(10).blocking().unwrap().len(), 2);
    let of_the_dead = task_that_receives(&dead);
    let polls = [(); 2].map(|()| {
        let jobs = jobs.clone();
        thread::spawn(move || assert!(jobs.receive().max_messages(10).blocking().unwrap().is_empty()))
    });
    // In the order of the moves: what leaves one queue after the look at it is seen in the next.
    let seen = jobs.snapshot().messages.len() + dead.snapshot().messages.len();
    assert!(seen >= 2, "{seen}");
    assert!(["a", "b"].contains(&end(of_the_dead).as_str()));
    for poll in polls {
        poll.join().unwrap();
    }
    assert_eq!((jobs.snapshot().messages.len(), dead.snapshot().messages.len()), (0, 2));
}

fn a_target_that_goes_as_poison_arrives() {
    let clock = Stepping::default();
    let dead = with(&clock, Queue::standard("dead")).build().unwrap();
    let facts = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let facts = Arc::clone(&facts);
        move |_: &Arc<str>, entry: &FactEntry| facts.lock().unwrap().push(entry.fact.clone())
    };
    let jobs = standard(&clock)
        .visibility_timeout(Duration::ZERO)
        .dead_letter(&dead, 1)
        .listener(log);
    let jobs = jobs.build().unwrap();
    jobs.send("a").unwrap();
    assert_eq!(body(jobs.receive().blocking()), "a");
    let receiver = {
        let jobs = jobs.clone();
        thread::spawn(move || jobs.receive().blocking().unwrap().len())
    };
    let task = {
        let jobs = jobs.clone();
        future::spawn(async move { jobs.receive().wait_time(SECOND).await.unwrap().len() })
    };
    dead.delete_queue().unwrap();
    clock.0.advance(SECOND);
    receiver.join().unwrap();
    while !task.is_finished() {
        clock.0.advance(SECOND);
        thread::yield_now();
    }
    end(task);
    let moved = facts
        .lock()
        .unwrap()
        .iter()
        .any(|fact| matches!(fact, Fact::DeadLettered { .. }));
    assert_eq!(jobs.snapshot().messages.len(), usize::from(!moved), "L9");
    assert_eq!(
        jobs.receive().blocking().unwrap().len(),
        usize::from(!moved),
        "it is not stuck on its way"
    );
}

fn facts_of_several_threads() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let told = Arc::clone(&told);
        move |_: &Arc<str>, entry: &FactEntry| {
            thread::yield_now();
            told.lock().unwrap().push(entry.number);
        }
    };
    let queue = standard(&Stepping::default()).listener(log).build().unwrap();
    let senders = [(); 3].map(|()| {
        let (queue, told) = (queue.clone(), Arc::clone(&told));
        thread::spawn(move || {
            for sends in 1..=2 {
                queue.send("a").unwrap();
                assert!(
                    told.lock().unwrap().len() >= sends,
                    "the call returned before the listener was told"
                );
            }
        })
    });
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
}

fn listeners_that_call_each_others_queue() {
    let clock = Stepping::default();
    let queues: Arc<OnceLock<[Queue; 2]>> = Arc::default();
    let told = Arc::new(Mutex::new([0; 2]));
    let build = |own: usize, name: &str| {
        let (queues, told) = (Arc::clone(&queues), Arc::clone(&told));
        let answer = move |_: &Arc<str>, entry: &FactEntry| {
            told.lock().unwrap()[own] += 1;
            if let Fact::Sent { content, .. } = &entry.fact {
                if &**content.body() == "question" {
                    queues.get().unwrap()[1 - own].send("answer").unwrap();
                }
            }
        };
        with(&clock, Queue::standard(name)).listener(answer).build().unwrap()
    };
    let both = [build(0, "a"), build(1, "b")];
    queues.get_or_init(|| both.clone());
    let senders = both.each_ref().map(|queue| {
        let queue = queue.clone();
        thread::spawn(move || queue.send("question").unwrap())
    });
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [2, 2], "every fact is with its listener");
}
