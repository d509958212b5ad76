//! Runners on a queue whose calls take 0 to 500 ms and whose answers get lost: when a message comes back is what was last
//! asked for, and nobody's lease is changed by another.

use {
    super::case::Dice,
    crate::{
        common::forward::forward,
        common::{counts, millis, secs},
        driver::{World, after},
    },
    requeue::{
        Clock, ManualClock, Message, MessagePhase, Queue, Timestamp,
        backend::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        worker::{Failure, FailurePolicy, Job, Runner, RunnerEvent},
    },
    std::{
        collections::BTreeMap,
        sync::{Arc, Mutex, MutexGuard},
        time::Duration,
    },
};

/// The longest call, before and after it does what it is to do.
const LATENCY: u64 = 500;
/// A decision may wait for a renewal, and then takes a call of its own.
const LATE: Duration = millis(2 * LATENCY);

/// A reception: the id of its message and its receive count.
type Reception = (String, u32);

fn reception(message: &ReceivedMessage) -> Reception {
    (message.message_id().into_owned(), message.approximate_receive_count())
}

#[derive(Default)]
struct Log {
    /// When the message of a reception is to be visible, by its handler's decision.
    asked: BTreeMap<Reception, Timestamp>,
    /// Receptions that the runner reported as lost or left to their timeouts.
    excused: Vec<Reception>,
    /// When the visibility timeout of a reception ends, by the last call that changed it.
    ends: BTreeMap<Reception, Timestamp>,
    breaches: Vec<String>,
}

#[derive(Clone)]
struct Distant {
    queue: Queue,
    clock: ManualClock,
    dice: Arc<Mutex<Dice>>,
    log: Arc<Mutex<Log>>,
}

impl Distant {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    fn below(&self, end: u64) -> u64 {
        self.dice.lock().unwrap().below(end)
    }

    /// The way of a call; returns the time that is left for its answer.
    async fn travel(&self) -> Duration {
        let there = self.below(LATENCY + 1);
        let back = self.below(LATENCY - there + 1);
        after(&self.clock, millis(there)).await;
        millis(back)
    }

    /// One call in eight fails, half of them after it has done what it is to do.
    fn fault(&self) -> Option<bool> {
        (self.below(8) == 0).then(|| self.below(2) == 0)
    }

    fn change(&self, message: &Message, own: &Reception, timeout: Duration) -> Result<(), MessageQueueError> {
        let there = self.queue.snapshot().messages.into_iter();
        let there = there.filter(|it| it.message_id == message.message_id()).last();
        if let Some(there) = &there {
            let in_flight = matches!(there.phase, MessagePhase::InFlight { .. });
            if in_flight && there.approximate_receive_count != own.1 {
                let breach = format!("reception {own:?} changes that of {}", there.approximate_receive_count);
                self.log().breaches.push(breach);
            }
        }
        message.change_visibility(timeout)?;
        let end = self.clock.now().saturating_add(timeout);
        self.log().ends.insert(own.clone(), end);
        Ok(())
    }

    /// Each message that comes back was asked to come back then.
    fn look_at(&self, message: &ReceivedMessage) {
        let (id, count) = reception(message);
        let before = (id, count - 1);
        let mut log = self.log();
        let (Some(asked), Some(end)) = (log.asked.get(&before), log.ends.get(&before)) else {
            return;
        };
        let in_time = (*asked..=asked.saturating_add(LATE)).contains(end);
        if !in_time && !log.excused.contains(&before) {
            let breach = format!("{before:?} comes back at {end:?}, not at {asked:?}");
            log.breaches.push(breach);
        }
    }
}

fn lost() -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Transient, "Timeout", "no answer")
}

impl MessageQueue for Distant {
    forward!(self.queue: url is_fifo visibility_timeout clock send counts);

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let back = self.travel().await;
        let messages = MessageQueue::receive(&self.queue, request).await?;
        for message in &messages {
            self.look_at(message);
            let end = message.invisible_until().expect("an embedded queue reports it");
            self.log().ends.insert(reception(message), end);
        }
        after(&self.clock, back).await;
        Ok(messages)
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let back = self.travel().await;
        let fault = self.fault();
        let deleted = match fault {
            Some(false) => Err(lost()),
            _ => MessageQueue::delete(&self.queue, messages).await,
        };
        after(&self.clock, back).await;
        if fault.is_some() { Err(lost()) } else { deleted }
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let back = self.travel().await;
        let mut failures = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let fault = self.fault();
            let changed = match fault {
                Some(false) => Err(lost()),
                _ => self.change(message.embedded().unwrap(), &reception(message), timeout),
            };
            let answer = if fault.is_some() { Err(lost()) } else { changed };
            failures.extend(answer.err().map(|error| EntryFailure::new(index, error)));
        }
        after(&self.clock, back).await;
        Ok(failures)
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        let back = self.travel().await;
        let moved = MessageQueue::dead_letter(&self.queue, message, reason).await;
        after(&self.clock, back).await;
        moved
    }
}

impl Distant {
    /// A handler that takes up to 40 s, and then puts its message off or is done with it.
    fn handle(&self, job: Job, visibility: Duration, calm: bool) -> impl Future<Output = Result<(), Failure>> + use<> {
        let own = self.clone();
        async move {
            // Many end near the renewals, which begin every third of 5, 30 or 300 s.
            let span = match own.below(4) {
                // As its lease ends, if it is not renewed.
                3 => visibility.min(secs(30)) - millis(own.below(700)),
                0 => millis(own.below(40_000)),
                1 => secs(10 * (1 + own.below(3))) + millis(own.below(1_200)),
                _ => millis(1_667 * (1 + own.below(5)) + own.below(600)),
            };
            after(&own.clock, span).await;
            let delay = match own.below(4) {
                _ if calm => return Ok(()),
                0 => return Ok(()),
                1 => None,
                2 => Some(millis(own.below(5_000))),
                _ => Some(secs(20 + own.below(4_000))),
            };
            let visible_at = own.clock.now().saturating_add(delay.unwrap_or_default());
            own.log().asked.insert(reception(job.message()), visible_at);
            Err(match delay {
                None => "again".into(),
                Some(delay) => Failure::retry_after(delay, "later"),
            })
        }
    }

    fn start(&self, world: &mut World, visibility: Duration, calm: bool) -> requeue::worker::RunnerHandle {
        let (own, log) = (self.clone(), Arc::clone(&self.log));
        let (concurrency, prefetch) = (1 + self.below(12) as usize, self.below(6) as usize);
        let heartbeat = self.below(4) > 0;
        let runner = Runner::builder(self)
            .concurrency(concurrency)
            .prefetch(if heartbeat { prefetch } else { 0 })
            .wait_time(secs(2))
            .visibility_timeout(visibility)
            .heartbeat(heartbeat)
            .failure_policy(FailurePolicy::RetryNow)
            .shutdown_timeout(secs(60))
            .on_event(move |event| {
                if let RunnerEvent::LeaseLost { job, .. } | RunnerEvent::LeftToTimeout { job, .. } = event {
                    log.lock().unwrap().excused.push(reception(job.message()));
                }
            });
        let runner = runner
            .each_async(move |job: Job| own.handle(job, visibility, calm))
            .unwrap();
        let handle = runner.handle();
        world.start(runner.run());
        handle
    }
}

/// Runs a case; returns how many decisions of a case were carried out, and how many were left to a timeout.
pub(crate) fn run(seed: u64) -> (usize, usize) {
    let mut world = World::new();
    let jobs = Queue::standard("jobs")
        .clock(world.clock.clone())
        .seed(seed)
        .build()
        .unwrap();
    let distant = Distant {
        queue: jobs.clone(),
        clock: world.clock.clone(),
        dice: Arc::new(Mutex::new(Dice::new(seed ^ 0x1a7e))),
        log: Arc::default(),
    };
    for number in 0..12 {
        jobs.send(number.to_string()).unwrap();
    }
    let draw = || secs([5, 30, 300][distant.below(3) as usize]);
    for _ in 0..3 {
        let handles = [(), ()].map(|()| distant.start(&mut world, draw(), false));
        for handle in handles {
            world.advance(millis(20_000 + distant.below(60_000)));
            handle.stop();
        }
    }
    world.advance(secs(5_000));
    let last = distant.start(&mut world, secs(300), true);
    world.advance(secs(2_000));
    last.stop();
    world.advance(secs(100));
    let log = distant.log();
    assert!(log.breaches.is_empty(), "{seed}: {:?}", log.breaches);
    assert_eq!(counts(&jobs), [0, 0, 0], "{seed}");
    let excused = log.asked.keys().filter(|it| log.excused.contains(it)).count();
    (log.asked.len() - excused, excused)
}
