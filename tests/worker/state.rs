//! The state of a runner, which handlers are given beside the job.

use {
    super::{driver::World, notes::Notes},
    crate::common::{millis, standard},
    requeue::{
        Queue,
        backend::Backoff,
        worker::{BatchAnswer, BatchSettings, FailurePolicy, Job, Runner, RunnerBuilder},
    },
    std::{
        ptr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
    },
};

/// Counts its clones, and panics at the first ones.
#[derive(Debug)]
struct Pool {
    clones: Arc<AtomicUsize>,
    panics: usize,
}

impl Pool {
    fn new(panics: usize) -> (Self, Arc<AtomicUsize>) {
        let clones = Arc::default();
        let own = Arc::clone(&clones);
        (Self { clones: own, panics }, clones)
    }
}

impl Clone for Pool {
    fn clone(&self) -> Self {
        let before = self.clones.fetch_add(1, SeqCst);
        assert!(before >= self.panics, "no connection is left");
        Self {
            clones: Arc::clone(&self.clones),
            panics: self.panics,
        }
    }
}

/// A runner's builder on a queue with these messages, which tries again what failed.
fn builder(world: &World, bodies: &[&str]) -> RunnerBuilder<Queue> {
    let jobs = standard(&world.clock).build().unwrap();
    let _ = jobs.send_batch(bodies.iter().copied()).unwrap();
    let retry = FailurePolicy::Backoff(Backoff::new(millis(1), millis(1)));
    Runner::builder(&jobs).failure_policy(retry).until_none_left()
}

#[test]
fn functions_share_one_state_which_is_never_cloned() {
    let mut world = World::new();
    let seen = Arc::new(AtomicUsize::new(0));
    let look = {
        let seen = Arc::clone(&seen);
        move |pool: &Pool| {
            let at = ptr::from_ref(pool).addr();
            let before = seen.swap(at, SeqCst);
            assert!(before == 0 || before == at, "another state");
        }
    };
    let (pool, clones) = Pool::new(usize::MAX);
    let runner = builder(&world, &["1", "2", "3"]).state(pool).concurrency(2);
    let each = look.clone();
    let runner = runner.each(move |_: &Job, pool: &Pool| {
        each(pool);
        Ok::<(), String>(())
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 3);

    seen.store(0, SeqCst);
    let (pool, clones_of_batch) = Pool::new(usize::MAX);
    let runner = builder(&world, &["1", "2", "3"]).state(pool);
    let runner = runner.batch(BatchSettings::new(2), move |_: &[Job], pool: &Pool| {
        look(pool);
        BatchAnswer::success()
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 3);
    assert_eq!((clones.load(SeqCst), clones_of_batch.load(SeqCst)), (0, 0));
}

#[test]
fn each_call_of_an_async_function_gets_a_clone_of_the_state() {
    let mut world = World::new();
    let (pool, clones) = Pool::new(0);
    let runner = builder(&world, &["1", "2", "3"])
        .state(pool)
        .each_async(|_: Job, pool: Pool| async move {
            assert_eq!(pool.panics, 0);
            Ok::<(), String>(())
        });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 3);
    assert_eq!(clones.load(SeqCst), 3);

    let (pool, clones) = Pool::new(0);
    let runner = builder(&world, &["1", "2", "3"]).state(pool);
    let runner = runner.batch_async(BatchSettings::new(3), |batch: Vec<Job>, _: Pool| async move {
        assert_eq!(batch.len(), 3);
        BatchAnswer::success()
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 3);
    assert_eq!(clones.load(SeqCst), 1, "one call, one clone");
}

#[test]
fn a_state_that_panics_when_cloned_fails_its_job_and_the_runner_goes_on() {
    let mut world = World::new();
    let notes = Notes::new();
    let (pool, _) = Pool::new(2);
    let runner = builder(&world, &["1"]).state(pool).on_event(notes.events());
    let runner = runner.each_async(|_: Job, _: Pool| async { Ok::<(), String>(()) });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.failed, report.panicked, report.succeeded), (2, 2, 1));
    let line = "1 failed by Panic: the handler panicked: no connection is left";
    assert_eq!(notes.take(), [line, line]);

    let (pool, _) = Pool::new(1);
    let runner = builder(&world, &["1", "2"]).state(pool).on_event(notes.events());
    let runner = runner.batch_async(BatchSettings::new(2), |_: Vec<Job>, _: Pool| async {
        BatchAnswer::success()
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.failed, report.panicked, report.succeeded), (2, 2, 2));
    assert_eq!(notes.take(), [line, &line.replace('1', "2")]);
}

#[test]
fn a_state_goes_with_threads_and_executors() {
    fn crosses<T: Send + 'static>(_: T) {}
    let jobs = Queue::standard("jobs").build().unwrap();
    let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
    let handled = Arc::new(AtomicUsize::new(0));
    let builder = || Runner::builder(&jobs).state(Arc::clone(&handled)).until_none_visible();
    let counts = |_: &Job, handled: &Arc<AtomicUsize>| {
        handled.fetch_add(1, SeqCst);
        Ok::<(), String>(())
    };
    crosses(builder().each(counts).unwrap().run());
    let counts_async = |_: Job, _: Arc<AtomicUsize>| async { Ok::<(), String>(()) };
    crosses(builder().each_async(counts_async).unwrap().run());
    let report = builder().concurrency(3).each(counts).unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, handled.load(SeqCst)), (3, 3));
}
