//! Bursts through one queue of each shape, and through a queue and its dead-letter queue.

use {
    crate::{
        attributes::{DeduplicationScope, QueueAttributes},
        cases::{
            Case, HOUR, RETENTION, SECOND, alive, delete, drain, grouped, in_group, ordinary, receive, scattered, step,
            with,
        },
        clock::ManualClock,
        message::SendMessage,
        queue::{Budget, Metrics, Queue, QueueBuilder},
        work::during,
    },
    std::time::Duration,
};

type Shape = fn() -> QueueBuilder;
type Burst = fn(&ManualClock, &Queue, usize);

const STANDARD: Shape = || Queue::standard("jobs");
const FIFO: Shape = || Queue::fifo("jobs.fifo");

const SHAPES: [(&str, Shape); 10] = [
    ("a standard queue", STANDARD),
    ("a sampled standard queue", || STANDARD().shards(10)),
    ("a standard queue with a listener", || {
        STANDARD().listener(Metrics::new())
    }),
    ("a standard queue with a budget", || STANDARD().budget(large())),
    ("a standard queue with a dead-letter queue", || {
        STANDARD().dead_letter(&Queue::standard("dead").build().unwrap(), 1_000)
    }),
    ("a FIFO queue", FIFO),
    ("a FIFO queue that deduplicates by group", || {
        FIFO().deduplication_scope(DeduplicationScope::MessageGroup)
    }),
    ("a FIFO queue with a listener", || FIFO().listener(Metrics::new())),
    ("a FIFO queue with a budget", || FIFO().budget(large())),
    ("a FIFO queue with a dead-letter queue", || {
        FIFO().dead_letter(&Queue::fifo("dead.fifo").build().unwrap(), 1_000)
    }),
];

/// A budget that nothing here breaks.
fn large() -> Budget {
    Budget::new().messages(usize::MAX).bytes(usize::MAX)
}

const BOTH: [(&str, Shape); 2] = [("standard", STANDARD), ("FIFO", FIFO)];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, shape) in SHAPES {
        // Ten shapes take as long as the rest together.
        cases.push(case(format!("a mixed burst through {name}"), shape, mixed).part(5));
    }
    for (name, shape) in BOTH {
        for (burst_name, burst) in BURSTS {
            cases.push(case(format!("{burst_name}, {name}"), shape, burst));
        }
        // A chunk of a slab for each message that stays, and the places of the others.
        cases.push(case(format!("one message of a thousand left, {name}"), shape, some_left).kept_per_thousand(10_000));
        cases.push(Case::new(format!("a deleted queue, {name}"), move |burst| {
            deleted(shape, burst)
        }));
        cases.push(Case::new(format!("dead letters, {name}"), move |burst| {
            dead_letters(shape, burst)
        }));
        cases.push(Case::new(format!("a message a second, {name}"), move |burst| {
            quiet(shape, burst)
        }));
    }
    cases.push(case("message delays", STANDARD, delays));
    cases.push(case("the delay of a queue that changes", FIFO, delay_changed));
    cases.push(case("receive attempt ids", FIFO, attempt_ids));
    cases.push(case("a deduplication scope that changes", FIFO, scope_changed));
    cases.push(case("noisy tenants", STANDARD, noisy));
    for shards in [1, 10, 1_000] {
        let name = format!("tenants over {shards} shards that stay stored");
        let run = move |burst| stored(&|| STANDARD().shards(shards), burst);
        cases.push(Case::new(name, run).part(50).kept_per_thousand(4_096_000));
    }
    cases
}

const BURSTS: [(&str, Burst); 9] = [
    ("messages of one group", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| in_group(queue, 0, number)));
        drain(clock, queue);
    }),
    ("a group for each message", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        drain(clock, queue);
    }),
    ("one message left", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        let left = queue.receive().visibility_timeout(12 * HOUR).blocking().unwrap();
        drain(clock, queue);
        drop(left);
    }),
    ("timeouts that end in order", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        hold_all(queue, |_| 30 * SECOND);
        clock.advance(30 * SECOND);
        drain(clock, queue);
    }),
    ("timeouts that end out of order", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        hold_all(queue, |number| Duration::from_secs(1 + scattered(number, 900)));
        clock.advance(HOUR);
        drain(clock, queue);
    }),
    ("an end of retention", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        clock.advance(RETENTION);
        drain(clock, queue);
    }),
    ("a retention that is shortened", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        clock.advance(HOUR);
        during("the retention is shortened");
        let minute = QueueAttributes::new().message_retention_period(60 * SECOND);
        queue.set_attributes(minute).unwrap();
        drain(clock, queue);
    }),
    ("a purge", |clock, queue, burst| {
        send(queue, (0..burst).map(|number| grouped(queue, number)));
        hold(queue, burst / 2, |number| {
            Duration::from_secs(1 + scattered(number, 900))
        });
        during("the queue is purged");
        queue.purge().unwrap();
    }),
    ("all deleted by id", |_, queue, burst| {
        let messages = (0..burst).map(|number| grouped(queue, number));
        let ids: Vec<_> = messages.map(|it| queue.send(it).unwrap().message_id).collect();
        hold(queue, burst / 2, |number| {
            Duration::from_secs(1 + scattered(number, 900))
        });
        during("messages are deleted by id");
        assert_eq!(queue.delete_by_id(&ids).unwrap(), burst);
    }),
];

fn case(name: impl Into<String>, shape: Shape, burst: Burst) -> Case {
    Case::new(name, move |size| {
        alive(|clock| {
            let queue = with(clock, shape()).build().unwrap();
            burst(clock, &queue, size);
            ordinary(clock, &queue);
            queue
        })
    })
}

fn send(queue: &Queue, messages: impl Iterator<Item = SendMessage>) {
    during("the burst is sent");
    for message in messages {
        queue.send(message).unwrap();
    }
}

/// Receives so many messages, each with a timeout of its own.
fn hold(queue: &Queue, messages: usize, timeout: impl Fn(usize) -> Duration) {
    during("the burst is received");
    for number in 0..messages {
        let received = queue.receive().visibility_timeout(timeout(number)).blocking().unwrap();
        assert_eq!(received.len(), 1);
    }
}

fn hold_all(queue: &Queue, timeout: impl Fn(usize) -> Duration) {
    hold(queue, queue.counts().visible, timeout);
}

/// Groups, ids, delays, timeouts and the end of retention in one life.
fn mixed(clock: &ManualClock, queue: &Queue, burst: usize) {
    send(
        queue,
        (0..burst / 2).map(|number| {
            let delay = Duration::from_secs(1 + scattered(number, 900));
            let message = grouped(queue, number);
            if queue.is_fifo() { message } else { message.delay(delay) }
        }),
    );
    send(queue, (burst / 2..burst).map(|number| grouped(queue, number)));
    during("the burst is received");
    for number in 0..burst / 4 {
        let timeout = Duration::from_secs(1 + scattered(number, 900));
        let receive = queue.receive().visibility_timeout(timeout);
        receive
            .receive_request_attempt_id(format!("attempt-{number:08}"))
            .blocking()
            .unwrap();
    }
    during("timeouts and delays end");
    for number in 0..burst / 4 {
        clock.advance(SECOND / 10);
        delete(queue, &receive(queue));
    }
    clock.advance(RETENTION);
    drain(clock, queue);
}

fn some_left(clock: &ManualClock, queue: &Queue, burst: usize) {
    send(queue, (0..burst).map(|number| grouped(queue, number)));
    during("the burst is received");
    let mut kept = Vec::new();
    for number in 0..burst {
        let message = queue
            .receive()
            .visibility_timeout(12 * HOUR)
            .blocking()
            .unwrap()
            .remove(0);
        if number % 1_000 == 500 {
            kept.push(message);
        } else {
            message.delete().unwrap();
        }
    }
}

fn delays(clock: &ManualClock, queue: &Queue, burst: usize) {
    let delayed = |number| grouped(queue, number).delay(Duration::from_secs(1 + scattered(number, 900)));
    send(queue, (0..burst).map(delayed));
    clock.advance(HOUR);
    drain(clock, queue);
}

fn delay_changed(clock: &ManualClock, queue: &Queue, burst: usize) {
    let delay = |secs| {
        queue
            .set_attributes(QueueAttributes::new().delay(secs * SECOND))
            .unwrap();
    };
    delay(900);
    send(queue, (0..burst).map(|number| grouped(queue, number)));
    during("the delay is changed");
    delay(600);
    clock.advance(HOUR);
    during("the delay is changed back");
    delay(0);
    drain(clock, queue);
}

fn attempt_ids(clock: &ManualClock, queue: &Queue, burst: usize) {
    send(queue, (0..burst).map(|number| in_group(queue, 0, number)));
    during("the burst is received");
    for number in 0..burst {
        let receive = queue
            .receive()
            .receive_request_attempt_id(format!("attempt-{number:08}"));
        receive.blocking().unwrap()[0].delete().unwrap();
    }
}

fn scope_changed(clock: &ManualClock, queue: &Queue, burst: usize) {
    let scope = |scope| {
        during("the deduplication scope changes");
        queue
            .set_attributes(QueueAttributes::new().deduplication_scope(scope))
            .unwrap();
        clock.advance(60 * SECOND);
        queue.send(grouped(queue, usize::MAX)).unwrap();
    };
    send(queue, (0..burst).map(|number| grouped(queue, number)));
    scope(DeduplicationScope::MessageGroup);
    scope(DeduplicationScope::Queue);
    drain(clock, queue);
}

/// Every tenant has messages in flight and processing time.
fn noisy(clock: &ManualClock, queue: &Queue, burst: usize) {
    send(
        queue,
        (0..burst).map(|number| in_group(queue, number % burst.div_ceil(10), number)),
    );
    during("tenants are noisy");
    for _ in 0..burst / 20 {
        let messages = receive(queue);
        clock.advance(SECOND / 100);
        queue.noisy_groups();
        delete(queue, &messages);
    }
    drain(clock, queue);
}

/// Nothing is drained: what is allowed is the price of a stored message.
fn stored(shape: &dyn Fn() -> QueueBuilder, burst: usize) -> usize {
    alive(|clock| {
        let queue = with(clock, shape()).build().unwrap();
        send(&queue, (0..burst).map(|number| grouped(&queue, number)));
        queue
    })
}

fn deleted(shape: Shape, burst: usize) -> usize {
    alive(|clock| {
        let queue = with(clock, shape()).build().unwrap();
        send(&queue, (0..burst).map(|number| grouped(&queue, number)));
        hold(&queue, burst / 2, |number| {
            Duration::from_secs(1 + scattered(number, 900))
        });
        during("the queue is deleted");
        queue.delete_queue().unwrap();
        queue
    })
}

fn dead_letters(shape: Shape, burst: usize) -> usize {
    alive(|clock| {
        let fifo = with(clock, shape()).build().unwrap().is_fifo();
        let dead = if fifo {
            Queue::fifo("dead.fifo")
        } else {
            Queue::standard("dead")
        };
        let dead = with(clock, dead).build().unwrap();
        let queue = with(clock, shape()).dead_letter(&dead, 1).build().unwrap();
        send(&queue, (0..burst).map(|number| grouped(&queue, number)));
        hold_all(&queue, |_| Duration::ZERO);
        during("dead letters leave");
        assert!(receive(&queue).is_empty());
        assert_eq!(dead.counts().visible, burst);
        drain(clock, &dead);
        ordinary(clock, &dead);
        ordinary(clock, &queue);
        (queue, dead)
    })
}

/// A message a second, as many as the burst has: nothing is ever stored for long.
fn quiet(shape: Shape, burst: usize) -> usize {
    alive(|clock| {
        let queue = with(clock, shape()).build().unwrap();
        during("messages come and go");
        (0..burst).for_each(|number| step(clock, &queue, number, SECOND));
        if !queue.is_fifo() {
            queue.send(grouped(&queue, 0)).unwrap();
            during("the first tenant comes");
            drain(clock, &queue);
        }
        ordinary(clock, &queue);
        queue
    })
}
