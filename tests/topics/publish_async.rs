//! Publishing by futures: nobody's turn is kept by one that waits or is dropped.

use super::{bodies, fifo_queue, queue};
use requeue::{
    Fact, FactEntry, FactListener, Queue,
    topics::{PublishError, PublishMessage, Published, Topic},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

fn order(body: &str) -> PublishMessage {
    let message = PublishMessage::new(body).message_group_id("g");
    message.message_deduplication_id(body)
}

fn subscribe(topic: &Topic, queue: &Queue) {
    topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
}

/// A publish under way, and how often it was woken.
struct Publishing {
    future: Pin<Box<dyn Future<Output = Result<Published, PublishError>> + Send>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Publishing {
    fn new(topic: &Topic, body: &'static str) -> Self {
        let topic = topic.clone();
        Self {
            future: Box::pin(async move { topic.publish_async(order(body)).await }),
            wakes: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<Published> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .map(Result::unwrap)
    }
}

/// Tells that a message is stored, and goes on when it is told to.
struct Holds {
    stored: mpsc::Sender<()>,
    go_on: Arc<Barrier>,
}

impl FactListener for Holds {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        if let (Fact::Sent { .. }, 1) = (&entry.fact, entry.number) {
            self.stored.send(()).unwrap();
            self.go_on.wait();
        }
    }
}

/// Runs a test while a thread has the turn and has stored its message in the first of the topic's two queues.
fn while_a_thread_delivers(test: impl FnOnce(&Topic, &dyn Fn()) -> Vec<&'static str>) {
    let (stored, is_stored) = mpsc::channel();
    let go_on = Arc::new(Barrier::new(2));
    let holds = Holds {
        stored,
        go_on: Arc::clone(&go_on),
    };
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let first = Queue::fifo("first.fifo").listener(holds).build().unwrap();
    let second = fifo_queue("second.fifo");
    subscribe(&topic, &first);
    subscribe(&topic, &second);
    let expected = thread::scope(|scope| {
        let delivering = scope.spawn(|| topic.publish(order("thread")).unwrap());
        is_stored.recv().unwrap();
        let delivering = std::cell::RefCell::new(Some(delivering));
        let end = || {
            go_on.wait();
            let thread = delivering.take().expect("one end");
            assert_eq!(thread.join().unwrap().delivered, 2);
        };
        test(&topic, &end)
    });
    assert_eq!((bodies(&first), bodies(&second)), (own(&expected), own(&expected)));
    assert_eq!(
        pollster::block_on(topic.publish_async(order("last")))
            .unwrap()
            .delivered,
        2
    );
}

fn own(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(|&body| body.to_owned()).collect()
}

#[test]
fn futures_wait_for_their_turn_without_a_thread_and_one_that_is_dropped_publishes_nothing() {
    while_a_thread_delivers(|topic, end| {
        let [mut dropped, mut one, mut two] = ["dropped", "one", "two"].map(|body| Publishing::new(topic, body));
        for publishing in [&mut dropped, &mut one, &mut two] {
            assert!(publishing.poll().is_pending());
            assert!(publishing.poll().is_pending());
        }
        assert_eq!(one.wakes.0.load(Relaxed), 0);
        drop(dropped);
        end();
        assert_eq!((one.wakes.0.load(Relaxed), two.wakes.0.load(Relaxed)), (1, 1));
        for publishing in [&mut two, &mut one] {
            let Poll::Ready(published) = publishing.poll() else {
                panic!("it has its turn");
            };
            assert_eq!(published.delivered, 2);
        }
        vec!["thread", "two", "one"]
    });
}

#[test]
fn who_subscribes_before_a_future_has_its_turn_gets_its_message() {
    while_a_thread_delivers(|topic, end| {
        let mut waits = Publishing::new(topic, "waits");
        assert!(waits.poll().is_pending());
        let third = fifo_queue("third.fifo");
        subscribe(topic, &third);
        end();
        let Poll::Ready(published) = waits.poll() else {
            panic!("it has its turn");
        };
        assert_eq!((published.delivered, bodies(&third)), (3, vec!["waits".to_owned()]));
        assert!(topic.subscriptions()[2].unsubscribe());
        vec!["thread", "waits"]
    });
}

#[test]
fn threads_and_futures_publish_in_one_order_of_all_queues() {
    // E25
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let queues = ["a.fifo", "b.fifo", "c.fifo"].map(fifo_queue);
    queues.iter().for_each(|queue| subscribe(&topic, queue));
    let publish = |thread: usize, number: usize| {
        let message = order(&format!("{thread}-{number}"));
        if thread % 2 == 0 {
            pollster::block_on(topic.publish_async(message))
        } else {
            topic.publish(message)
        }
    };
    let mut published: Vec<_> = thread::scope(|scope| {
        let publish = &publish;
        let threads = [0, 1, 2, 3].map(|thread| {
            scope.spawn(move || -> Vec<_> {
                let number = |number| publish(thread, number).unwrap().sequence_number;
                (0..100).map(|it| (number(it), format!("{thread}-{it}"))).collect()
            })
        });
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    published.sort_unstable();
    for queue in &queues {
        let stored = queue
            .snapshot()
            .messages
            .into_iter()
            .map(|it| it.content.body().to_string());
        assert!(
            stored.eq(published.iter().map(|(_, body)| body.clone())),
            "{}",
            queue.name()
        );
    }
}

#[test]
fn who_is_subscribed_throughout_gets_all_while_others_come_and_go() {
    for topic in [
        Topic::standard("events").build().unwrap(),
        Topic::fifo("events.fifo").build().unwrap(),
    ] {
        let stays = queue("stays");
        subscribe(&topic, &stays);
        let message = |body: String| match topic.is_fifo() {
            true => order(&body),
            false => PublishMessage::new(body),
        };
        let delivered: usize = thread::scope(|scope| {
            let (topic, message) = (&topic, &message);
            let publishers = [0, 1].map(|thread| {
                let publish = move |number| match thread {
                    0 => topic.publish(message(format!("0-{number}"))).unwrap().delivered,
                    _ => {
                        pollster::block_on(topic.publish_async(message(format!("1-{number}"))))
                            .unwrap()
                            .delivered
                    }
                };
                scope.spawn(move || (0..300).map(publish).sum::<usize>())
            });
            let comers = [0, 1].map(|thread| {
                scope.spawn(move || {
                    let comes = queue(&format!("comes-{thread}"));
                    for _ in 0..300 {
                        let subscription = topic.subscribe(&comes).create().unwrap();
                        subscription.set_raw_message_delivery(true).unwrap();
                        assert!(subscription.unsubscribe());
                    }
                    comes.counts().visible
                })
            });
            let delivered: usize = publishers.into_iter().map(|thread| thread.join().unwrap()).sum();
            let came: Vec<usize> = comers.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(came.iter().all(|&came| came <= 600), "{came:?}");
            delivered
        });
        assert_eq!(stays.counts().visible, 600);
        assert!(delivered >= 600);
    }
}

#[cfg(feature = "journal")]
mod journal {
    use super::*;
    use crate::directory::Directory;
    use requeue::{QueueAttributes, Service};

    fn open(directory: &Directory) -> Service {
        Service::builder().journal(directory.join("journal")).open().unwrap()
    }

    #[test]
    fn a_dropped_future_has_published_to_all_queues_or_to_none() {
        let directory = Directory::new();
        let service = open(&directory);
        let topic = Topic::fifo("events.fifo").service(&service).build().unwrap();
        let fifo = || QueueAttributes::new().fifo_queue(true);
        let queues = ["a.fifo", "b.fifo"].map(|name| service.create_queue(name, fifo()).unwrap());
        queues.iter().for_each(|queue| subscribe(&topic, queue));
        let mut polled = Publishing::new(&topic, "polled");
        let _ = polled.poll();
        drop((polled, Publishing::new(&topic, "never-polled")));
        for body in ["one", "two"] {
            assert_eq!(
                pollster::block_on(topic.publish_async(order(body))).unwrap().delivered,
                2
            );
        }
        drop((topic, queues));
        service.close().unwrap();
        drop(service);
        let service = open(&directory);
        let stored = ["a.fifo", "b.fifo"].map(|name| bodies(&service.queue(name).unwrap()));
        // Whether the journals had room at the first poll is up to their thread.
        let all = ["polled", "one", "two"];
        assert!(stored[0] == all || stored[0] == all[1..], "{stored:?}");
        assert_eq!(stored[0], stored[1]);
    }

    #[test]
    fn what_a_closed_journal_does_not_take_is_a_dead_letter() {
        let directory = Directory::new();
        let service = open(&directory);
        let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
        let (topic, failed, other) = (
            Topic::standard("events").build().unwrap(),
            queue("failed"),
            queue("other"),
        );
        topic.subscribe(&jobs).dead_letter(&failed).create().unwrap();
        topic.subscribe(&other).create().unwrap();
        service.close().unwrap();
        for published in [topic.publish("one"), pollster::block_on(topic.publish_async("two"))] {
            let published = published.unwrap();
            assert_eq!((published.delivered, published.failures.len()), (1, 1));
            assert!(!published.failures[0].is_lost());
        }
        assert_eq!((failed.counts().visible, other.counts().visible), (2, 2));
    }
}
