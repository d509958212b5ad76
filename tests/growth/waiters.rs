//! Bursts of receivers and senders that wait for one queue.

use {
    crate::{
        cases::{Case, SECOND, alive, delete, drain, ordinary, receive, scattered, with},
        clock::ManualClock,
        queue::{Budget, Queue, QueueBuilder},
        work::during,
    },
    std::{
        future::{Future, IntoFuture},
        pin::Pin,
        task::{Context, Poll, Waker},
    },
};

type Waiting<'queue> = Vec<Pin<Box<dyn Future<Output = ()> + 'queue>>>;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("receivers that wait in vain", standard, receivers, time_out),
        case("receivers that give up", standard, receivers, give_up),
        case("receivers that are served", standard, receivers, serve_receivers),
        case(
            "receivers of a queue that is deleted",
            standard,
            receivers,
            delete_queue,
        ),
        case("senders that wait in vain", budget_of_messages, senders, time_out),
        case("senders whose messages do not fit", budget_of_bytes, senders, time_out),
        case("senders that give up", budget_of_messages, senders, give_up),
        case("senders that are served", budget_of_messages, senders, serve_senders),
        case(
            "senders of a queue that is deleted",
            budget_of_messages,
            senders,
            delete_queue,
        ),
    ]
}

fn case(
    name: &str,
    shape: fn() -> QueueBuilder,
    wait: for<'queue> fn(&'queue Queue, usize) -> Waiting<'queue>,
    end: for<'queue> fn(&ManualClock, &'queue Queue, Waiting<'queue>),
) -> Case {
    Case::new(name, move |burst| {
        alive(|clock| {
            let queue = with(clock, shape()).build().unwrap();
            during("the burst comes to wait");
            let mut waiting = wait(&queue, burst);
            assert_eq!(poll_all(&mut waiting), 0);
            others_go_on(clock, &queue);
            end(clock, &queue, waiting);
            if !queue.is_gone() {
                clock.advance(60 * SECOND);
                drain(clock, &queue);
                ordinary(clock, &queue);
            }
            queue
        })
    })
}

fn standard() -> QueueBuilder {
    Queue::standard("jobs")
}

fn budget_of_messages() -> QueueBuilder {
    standard().budget(Budget::new().messages(1))
}

fn budget_of_bytes() -> QueueBuilder {
    standard().budget(Budget::new().bytes(10))
}

fn receivers(queue: &Queue, burst: usize) -> Waiting<'_> {
    let receiver = |_| -> Pin<Box<dyn Future<Output = ()> + '_>> {
        let receive = queue.receive().wait_time(20 * SECOND).into_future();
        Box::pin(async { drop(receive.await) })
    };
    (0..burst).map(receiver).collect()
}

/// The queue is full with one message, and stays so.
fn senders(queue: &Queue, burst: usize) -> Waiting<'_> {
    queue.send("123456789").unwrap();
    let sender = |_| -> Pin<Box<dyn Future<Output = ()> + '_>> {
        let send = queue.send_timeout_async("12", 20 * SECOND);
        Box::pin(async { drop(send.await) })
    };
    (0..burst).map(sender).collect()
}

/// Polls each once and drops those that are done; answers how many those were.
fn poll_all(waiting: &mut Waiting<'_>) -> usize {
    let before = waiting.len();
    waiting.retain_mut(|it| is_pending(it.as_mut()));
    before - waiting.len()
}

fn is_pending(waiting: Pin<&mut (dyn Future<Output = ()> + '_)>) -> bool {
    waiting.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Calls of others, which change nothing for those who wait.
fn others_go_on(clock: &ManualClock, queue: &Queue) {
    during("others use the queue");
    for message in receive(queue) {
        for _ in 0..100 {
            message.change_visibility(60 * SECOND).unwrap();
        }
    }
}

fn time_out(clock: &ManualClock, queue: &Queue, mut waiting: Waiting<'_>) {
    during("the waits end");
    clock.advance(20 * SECOND);
    poll_all(&mut waiting);
    assert!(waiting.is_empty());
}

fn give_up(_: &ManualClock, _: &Queue, mut waiting: Waiting<'_>) {
    during("all give up");
    let mut seed = 0;
    while !waiting.is_empty() {
        seed += 1;
        let index = scattered(seed, waiting.len() as u64);
        drop(waiting.swap_remove(index as usize));
    }
}

fn serve_receivers(_: &ManualClock, queue: &Queue, waiting: Waiting<'_>) {
    during("receivers are served");
    for mut receiver in waiting {
        queue.send("body").unwrap();
        assert!(!is_pending(receiver.as_mut()));
    }
}

fn serve_senders(clock: &ManualClock, queue: &Queue, waiting: Waiting<'_>) {
    during("senders are served");
    clock.advance(60 * SECOND);
    for mut sender in waiting {
        delete(queue, &receive(queue));
        assert!(!is_pending(sender.as_mut()));
    }
}

fn delete_queue(_: &ManualClock, queue: &Queue, mut waiting: Waiting<'_>) {
    during("the queue is deleted");
    queue.delete_queue().unwrap();
    poll_all(&mut waiting);
    assert!(waiting.is_empty());
}
