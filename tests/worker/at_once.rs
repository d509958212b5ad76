//! What needs no waiting is done without futures, and with the same result.

use {
    super::driver::World,
    crate::{
        common::forward::forward,
        common::{VISIBILITY, millis, numbered, secs},
    },
    requeue::{
        ManualClock, Queue,
        backend::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        worker::{Job, Runner, RunnerError, RunnerReport},
    },
    std::{
        mem,
        sync::{Arc, Mutex, MutexGuard},
    },
};

/// The calls that a queue was sent.
#[derive(Default)]
struct Calls {
    /// How many messages each receive got at once.
    at_once: Vec<usize>,
    receives: usize,
    deletes: usize,
}

/// A queue that answers at once where it can.
#[derive(Clone)]
struct Prompt {
    queue: Queue,
    /// It also deletes at once.
    deletes: bool,
    /// Nobody answers its futures of receives.
    down: bool,
    calls: Arc<Mutex<Calls>>,
}

impl Prompt {
    fn new(queue: &Queue) -> Self {
        Self {
            queue: queue.clone(),
            deletes: true,
            down: false,
            calls: Arc::default(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }
}

impl MessageQueue for Prompt {
    forward!(self.queue: url is_fifo visibility_timeout clock send change_visibility counts dead_letter);

    fn is_in_process(&self) -> bool {
        true
    }

    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        self.queue.receive_at_once(request, messages);
        if !messages.is_empty() {
            self.calls().at_once.push(messages.len());
        }
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        self.calls().receives += 1;
        if self.down {
            return Err(MessageQueueError::new(ErrorKind::Transient, "Timeout", "no answer"));
        }
        MessageQueue::receive(&self.queue, request).await
    }

    fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
        self.deletes && self.queue.delete_at_once(message)
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.calls().deletes += 1;
        MessageQueue::delete(&self.queue, messages).await
    }
}

/// Works off twenty messages on a thread and twenty in a task; answers with the calls.
fn work_off(deletes: bool) -> [Calls; 2] {
    let thread = |prompt: &Prompt| {
        let runner = Runner::builder(prompt).until_none_visible();
        runner.each(|_: &Job| Ok::<(), String>(())).unwrap().blocking()
    };
    let task = |prompt: &Prompt| {
        let runner = Runner::builder(prompt).until_none_visible();
        let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) });
        pollster::block_on(runner.unwrap().run())
    };
    type Run<'f> = &'f dyn Fn(&Prompt) -> Result<RunnerReport, RunnerError>;
    let runs: [Run<'_>; 2] = [&thread, &task];
    runs.map(|run| {
        let mut prompt = Prompt::new(&numbered(&ManualClock::default(), 20));
        prompt.deletes = deletes;
        assert_eq!(run(&prompt).unwrap().succeeded, 20);
        assert_eq!(prompt.queue.snapshot().messages, []);
        mem::take(&mut *prompt.calls())
    })
}

#[test]
fn messages_that_are_there_are_received_and_deleted_without_a_future() {
    for calls in work_off(true) {
        assert_eq!(calls.at_once.iter().sum::<usize>(), 20);
        assert_eq!(
            (calls.receives, calls.deletes),
            (1, 0),
            "the last receive found nothing"
        );
    }
}

#[test]
fn a_message_that_is_not_deleted_at_once_is_deleted_by_a_future() {
    for calls in work_off(false) {
        assert_eq!(calls.deletes, 20);
    }
}

#[test]
fn a_message_received_at_once_ends_an_outage() {
    let mut world = World::new();
    let mut prompt = Prompt::new(&numbered(&world.clock, 0));
    prompt.down = true;
    let runner = Runner::builder(&prompt).outage_timeout(secs(60));
    let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) }).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    for number in 1..=6 {
        world.advance(secs(35));
        prompt.queue.send("resize cat.png").unwrap();
        // The longest pause between two receives.
        world.advance(secs(20));
        assert_eq!(handle.report().succeeded, number);
    }
    world.advance(secs(60) + millis(1));
    let error = world.over(run).unwrap_err();
    assert!(matches!(error, RunnerError::Queue { .. }), "{error}");
}

#[test]
fn workers_that_take_turns_receive_as_many_messages_as_there_are_idle_ones() {
    const MESSAGES: usize = 3_200;
    let mut world = World::new();
    let prompt = Prompt::new(&numbered(&world.clock, MESSAGES));
    let runner = Runner::builder(&prompt).concurrency(10).until_none_visible();
    let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) });
    let run = world.start(runner.unwrap().run());
    assert_eq!(world.over(run).unwrap().succeeded, MESSAGES as u64);
    let receives = prompt.calls().at_once.len();
    assert!(receives <= MESSAGES / 8, "{receives} receives for {MESSAGES} messages");
}

#[test]
fn a_job_that_its_handler_keeps_stays_what_it_was_while_others_follow() {
    let jobs = numbered(&ManualClock::default(), 100);
    let kept = Arc::new(Mutex::new(Vec::<Job>::new()));
    let keep = Arc::clone(&kept);
    let runner = Runner::builder(&jobs).prefetch(9).until_none_visible();
    let runner = runner.each(move |job: &Job| {
        let number: usize = job.body().parse().unwrap();
        job.set_progress(job.body());
        if number % 3 == 0 {
            keep.lock().unwrap().push(job.clone());
        }
        Ok::<(), String>(())
    });
    assert_eq!(runner.unwrap().blocking().unwrap().succeeded, 100);
    let kept = kept.lock().unwrap();
    let numbers: Vec<String> = (0..100).step_by(3).map(|number| number.to_string()).collect();
    assert!(kept.iter().map(|job| job.body()).eq(&numbers), "as they were sent");
    assert!(kept.iter().all(|job| job.progress().as_deref() == Some(job.body())));
}

#[test]
fn a_message_whose_lease_ended_in_the_backlog_is_not_handled_at_once() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 2);
    let handled = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&handled);
    // The other worker would take the second message, but the first handler blocks the task of both.
    let runner = Runner::builder(&jobs)
        .concurrency(2)
        .heartbeat(false)
        .until_none_visible();
    let runner = runner.each(move |job: &Job| {
        match job.body() {
            "0" => clock.set(job.sent_timestamp().saturating_add(VISIBILITY)),
            _ => own.lock().unwrap().push(job.approximate_receive_count()),
        }
        Ok::<(), String>(())
    });
    let report = pollster::block_on(runner.unwrap().run()).unwrap();
    let handled = mem::take(&mut *handled.lock().unwrap());
    assert_eq!(handled, [2], "on its second receive alone");
    assert!(report.lost > 0);
}
