//! A handler may await anything that wakes it: each future is polled because it was woken, and no other.
use {
    super::consumers::{failure, fifo, jobs, numbered, of, passed, secs},
    futures_util::stream::{self, FuturesUnordered, StreamExt},
    requeue::{
        Queue,
        testing::{Check, Consumer, Context, Faults, Property, World, check},
    },
    std::{
        cell::{Cell, RefCell},
        collections::VecDeque,
        future::{Future, pending, poll_fn},
        pin::{Pin, pin},
        rc::Rc,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{self, Poll, Waker},
        thread,
    },
    tokio::sync::{Mutex, oneshot},
};

type Answer = Result<(), String>;

/// Polls both, and ends when both have ended.
struct Both<A, B>(Pin<Box<A>>, Pin<Box<B>>, [bool; 2]);

impl<A: Future<Output = ()>, B: Future<Output = ()>> Both<A, B> {
    fn new(a: A, b: B) -> Self {
        Self(Box::pin(a), Box::pin(b), [false; 2])
    }
}

impl<A: Future<Output = ()>, B: Future<Output = ()>> Future for Both<A, B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<()> {
        self.2[0] = self.2[0] || self.0.as_mut().poll(context).is_ready();
        self.2[1] = self.2[1] || self.1.as_mut().poll(context).is_ready();
        if self.2 == [true; 2] {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[test]
fn futures_that_poll_only_what_was_woken_finish() {
    let buffered = || {
        Consumer::batch_async(|messages, context| async move {
            let work = messages.into_iter().map(|message| {
                let context = context.clone();
                async move {
                    context.wait(secs(1 + message.body().len() as u64)).await;
                    Answer::Ok(())
                }
            });
            stream::iter(work).buffered(3).collect().await
        })
    };
    passed(&of(buffered).watch_visibility());
    let unordered = || {
        Consumer::batch_async(|messages, context| async move {
            let work: FuturesUnordered<_> = (0..messages.len())
                .map(|at| {
                    let wait = context.wait(secs(9 - at as u64));
                    async move {
                        wait.await;
                        at
                    }
                })
                .collect();
            let order: Vec<_> = work.collect().await;
            assert!(
                order.is_sorted_by(|a, b| a > b),
                "the shortest wait ends first: {order:?}"
            );
            order.iter().map(|_| Answer::Ok(())).collect()
        })
    };
    passed(&of(unordered).watch_visibility());
}

#[test]
fn two_waits_at_once_take_as_long_as_the_longer() {
    for (a, b) in [(3, 7), (7, 3), (5, 5), (0, 4), (4, 0), (0, 0)] {
        let both = move || {
            Consumer::each_async(move |_, context| async move {
                let begun = context.now();
                Both::new(context.wait(secs(a)), context.wait(secs(b))).await;
                let took = context.now().saturating_duration_since(begun);
                assert_eq!(took, secs(a.max(b)), "nothing holds it up");
                Answer::Ok(())
            })
        };
        passed(&of(both).faults(Faults::none()));
    }
}

#[test]
fn an_async_mutex_may_be_held_over_a_wait() {
    let check = check("one at a time", || Rc::new(Mutex::new(0_u32)))
        .queue(jobs)
        .or_queue(fifo)
        .messages(numbered())
        .cases(300);
    let consumer = |world: &World<Rc<Mutex<u32>>>| {
        let lock = Rc::clone(&world.borrow());
        Consumer::each_async(move |_, context| {
            let lock = Rc::clone(&lock);
            async move {
                let mut done = lock.lock().await;
                context.wait(secs(3)).await;
                *done += 1;
                Answer::Ok(())
            }
        })
    };
    passed(&check.consumer("c1", consumer).consumer("c2", consumer));
}

/// A channel that wakes who waits for it, and nobody else.
#[derive(Default)]
struct Channel(RefCell<(VecDeque<u32>, Option<Waker>)>);

impl Channel {
    fn send(&self, number: u32) {
        let waker = {
            let mut inner = self.0.borrow_mut();
            inner.0.push_back(number);
            inner.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    async fn next(&self) -> u32 {
        poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            match inner.0.pop_front() {
                Some(number) => Poll::Ready(number),
                None => {
                    inner.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[test]
fn the_parts_of_a_handler_may_talk_by_a_channel() {
    let parts = || {
        Consumer::each_async(|_, context| async move {
            let channel = Channel::default();
            let sender = async {
                for number in 0..5 {
                    context.wait(secs(2)).await;
                    channel.send(number);
                }
            };
            let receiver = async {
                for number in 0..5 {
                    assert_eq!(channel.next().await, number);
                }
            };
            let begun = context.now();
            let mut both: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + '_>>> = FuturesUnordered::new();
            both.push(Box::pin(receiver));
            both.push(Box::pin(sender));
            while both.next().await.is_some() {}
            assert!(context.now() >= begun.saturating_add(secs(10)));
            Answer::Ok(())
        })
    };
    passed(&of(parts).watch_visibility());
}

/// Wakes its task twice for nothing before it ends, and keeps the waker.
async fn with_wakes_for_nothing(kept: Rc<RefCell<Vec<Waker>>>) {
    let mut left = 2;
    poll_fn(move |context| {
        kept.borrow_mut().push(context.waker().clone());
        context.waker().wake_by_ref();
        left -= 1;
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn wakes_for_nothing_and_wakes_of_what_has_ended_do_no_harm() {
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let check = of(move || {
        let kept = Rc::clone(&kept);
        Consumer::each_async(move |_, context| {
            // Those of handlers that have ended, in this case and in earlier ones.
            kept.borrow_mut().drain(..).for_each(Waker::wake);
            let kept = Rc::clone(&kept);
            async move {
                let begun = context.now();
                let mut wait = pin!(context.wait(secs(5)));
                with_wakes_for_nothing(Rc::clone(&kept)).await;
                kept.borrow().iter().for_each(Waker::wake_by_ref);
                wait.as_mut().await;
                assert!(context.now() >= begun.saturating_add(secs(5)));
                Answer::Ok(())
            }
        })
    });
    passed(&check.cases(300).watch_visibility());
}

#[test]
fn a_handler_is_polled_only_when_woken() {
    let polls = Rc::new(Cell::new(0_u32));
    let (counter, runs) = (Rc::clone(&polls), Rc::new(Cell::new(0_u32)));
    let begun = Rc::clone(&runs);
    let check = of(move || {
        let (counter, begun) = (Rc::clone(&counter), Rc::clone(&begun));
        Consumer::each_async(move |_, context| {
            begun.set(begun.get() + 1);
            let counter = Rc::clone(&counter);
            async move {
                let mut wait = pin!(context.wait(secs(5)));
                poll_fn(|context| {
                    counter.set(counter.get() + 1);
                    wait.as_mut().poll(context)
                })
                .await;
                Answer::Ok(())
            }
        })
    });
    passed(&check.faults(Faults::none()).cases(100));
    assert_eq!(polls.get(), 2 * runs.get(), "once to begin, once when the wait is over");
}

#[test]
fn a_handler_may_wait_for_a_message() {
    let asks = || {
        Consumer::each_async(|message, context| async move {
            let begun = context.now();
            let more = message
                .queue()
                .receive()
                .wait_time(secs(20))
                .await
                .map_err(|error| error.to_string())?;
            assert!(!more.is_empty() || context.now() >= begun.saturating_add(secs(20)));
            Answer::Ok(())
        })
    };
    passed(&of(asks).cases(200));
}

#[test]
fn another_thread_may_wake_a_handler() {
    let other = || {
        Consumer::each_async(|_, context| async move {
            let begun = context.now();
            let (sender, receiver) = oneshot::channel();
            let thread = thread::spawn(move || sender.send(7));
            assert_eq!(receiver.await, Ok(7));
            assert!(thread.join().is_ok());
            assert_eq!(context.now(), begun, "no time passes meanwhile");
            Answer::Ok(())
        })
    };
    passed(&of(other).cases(50).watch_visibility().faults(Faults::none()));
}

#[test]
fn another_thread_may_wake_a_program() {
    async fn work(context: Context) {
        let jobs = context.queue("jobs").unwrap();
        loop {
            let received = jobs.receive_async(|poll| poll.wait_time(secs(20))).await;
            for job in received.into_iter().flatten() {
                let (sender, receiver) = oneshot::channel();
                let thread = thread::spawn(move || {
                    thread::yield_now();
                    sender.send(7)
                });
                assert_eq!(receiver.await, Ok(7));
                assert!(thread.join().is_ok());
                let _ = jobs.delete(&job);
            }
        }
    }
    let check = check("woken", || ())
        .queue(jobs)
        .messages(numbered())
        .consumer("program", |_| Consumer::program(work))
        .faults(Faults::none())
        .cases(50);
    let fates = passed(&check).fates;
    assert_eq!(fates.deleted, fates.messages, "{fates:?}");
}

/// Keeps its waker where nobody calls it.
async fn forgotten(kept: Arc<AtomicBool>, place: Rc<RefCell<Option<Waker>>>) -> Answer {
    poll_fn(|context| {
        *place.borrow_mut() = Some(context.waker().clone());
        if kept.load(Ordering::Relaxed) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

#[test]
fn who_waits_for_nobody_never_finishes() {
    let place: Rc<RefCell<Option<Waker>>> = Rc::default();
    let keeps = move || {
        let place = Rc::clone(&place);
        Consumer::each_async(move |_, _| forgotten(Arc::default(), Rc::clone(&place)))
    };
    let hangs = || Consumer::each_async(|_, _| pending::<Answer>());
    for check in [of(keeps), of(hangs)] {
        let found = failure(&check.cases(200));
        assert_eq!(found.violation.property, Property::EveryHandlerFinishes);
        assert!(found.story.events.len() <= 12, "{}", found.story);
    }
}

async fn locks_twice(lock: Rc<Mutex<()>>, context: Context) -> Answer {
    let _first = lock.lock().await;
    context.wait(secs(1)).await;
    let _second = lock.lock().await;
    Ok(())
}

#[test]
fn a_deadlock_is_told() {
    let check: Check<()> = of(|| {
        let lock = Rc::new(Mutex::new(()));
        Consumer::each_async(move |_, context| locks_twice(Rc::clone(&lock), context))
    });
    let found = failure(&check.cases(200));
    assert_eq!(found.violation.property, Property::EveryHandlerFinishes);
}

#[test]
fn the_same_seed_wakes_in_the_same_order() {
    let told = || {
        let check = check("order", Vec::<String>::new)
            .pairs(60)
            .queue(|| Queue::standard("jobs"))
            .messages(numbered());
        let consumer = |world: &World<Vec<String>>| {
            let world = world.clone();
            Consumer::batch_async(move |messages, context| {
                let world = world.clone();
                async move {
                    let work = messages.into_iter().map(|message| {
                        let (context, world) = (context.clone(), world.clone());
                        async move {
                            context.wait(secs(message.body().len() as u64 % 3)).await;
                            world.borrow_mut().push(message.body().to_owned());
                            Answer::Ok(())
                        }
                    });
                    stream::iter(work).buffer_unordered(4).collect().await
                }
            })
        };
        let check = check.consumer("c1", consumer).consumer("c2", consumer);
        let check = check.finally("nothing is done in turn", |done, _| done.is_sorted());
        failure(&check.first_failure_only()).story.to_string()
    };
    assert_eq!(told(), told());
}
