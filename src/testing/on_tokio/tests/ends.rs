//! How a process ends, and what it must not do.

use {super::*, std::panic::resume_unwind, tokio::task::spawn_blocking};

/// Counts its drops, and whether they happen where tasks can be spawned.
struct Witness(Arc<AtomicU64>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0
            .fetch_add(if Handle::try_current().is_ok() { 1 } else { 1_000 }, Ordering::Relaxed);
    }
}

/// What panics when it is dropped; the panic hook does not see it.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a destructor's panic"));
    }
}

/// A process with three tasks, one of which panics when it is dropped, after its first poll.
fn with_tasks(drops: &Arc<AtomicU64>) -> TokioProcess {
    let process = TokioProcess::new(at(0)).unwrap();
    let mut work = pin!(async {
        for number in 0..3 {
            let witness = Witness(drops.clone());
            tokio::spawn(async move {
                let _bomb = (number == 1).then(|| Bomb);
                sleep(millis(50)).await;
                drop(witness);
            });
        }
        pending::<()>().await;
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    process
}

#[test]
fn a_process_that_is_dropped_drops_its_tasks_inside_and_contains_their_panics() {
    let drops = Arc::new(AtomicU64::new(0));
    let process = with_tasks(&drops);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(process);
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[test]
fn a_process_may_be_dropped_by_a_panic() {
    let drops = Arc::new(AtomicU64::new(0));
    let panic = catch_unwind(|| {
        let _process = with_tasks(&drops);
        resume_unwind(Box::new("of the check"));
    });
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"of the check"));
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

#[test]
fn what_a_dead_process_has_left_outside_wakes_nothing() {
    let notify = Arc::new(Notify::new());
    let process = TokioProcess::new(at(0)).unwrap();
    let signal = Arc::downgrade(&process.shared.signal);
    let (sender, receiver) = oneshot::channel::<()>();
    {
        let of_task = notify.clone();
        let mut work = pin!(async move {
            tokio::spawn(async move {
                of_task.notified().await;
                drop(sender);
            });
            receiver.await.unwrap_err();
        });
        assert!(process.poll(at(0), work.as_mut()).is_pending());
        drop(process);
        notify.notify_one();
    }
    assert_eq!(signal.strong_count(), 0, "a cycle keeps the runtime");
}

#[test]
fn a_panic_of_a_task_is_for_who_joins_it_and_one_of_the_main_future_for_the_caller() {
    let process = TokioProcess::new(at(0)).unwrap();
    let witnesses = Arc::new(AtomicU64::new(0));
    let mut work = pin!(async {
        let task = tokio::spawn(async { resume_unwind(Box::new("of a task")) });
        let payload = task.await.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref(), Some(&"of a task"));
        let witness = Witness(witnesses.clone());
        tokio::spawn(async move {
            let _witness = witness;
            pending::<()>().await;
        });
        sleep(millis(10)).await;
        resume_unwind(Box::new("of the main future"));
    });
    assert_eq!(process.poll(at(0), work.as_mut()), Poll::<()>::Pending);
    assert_eq!(process.seek(at(10)), at(10));
    let panic = catch_unwind(AssertUnwindSafe(|| process.poll(at(10), work.as_mut()).is_ready()));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"of the main future"));
    drop(process);
    assert_eq!(witnesses.load(Ordering::Relaxed), 1);
}

#[test]
fn a_main_future_is_made_and_dropped_where_it_finds_its_runtime() {
    let process = TokioProcess::new(at(0)).unwrap();
    let drops = Arc::new(AtomicU64::new(0));
    let mut work = {
        let _inside = process.enter();
        let task = tokio::spawn(sleep(millis(3)));
        let witness = Witness(drops.clone());
        Box::pin(async move {
            let _witness = witness;
            task.await.unwrap();
            pending::<()>().await;
        })
    };
    assert_eq!(process.seek(at(3)), at(0), "there is a task to run");
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    assert_eq!(process.seek(at(5)), at(3));
    assert!(process.poll(at(3), work.as_mut()).is_pending());
    let inside = process.enter();
    drop(work);
    drop(inside);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn time_stands_still_while_a_thread_is_at_work_and_a_dying_process_does_not_wait_for_it() {
    let (output, told) = alone(1_000, |diary| async move {
        let answer = timeout(millis(1), spawn_blocking(|| 7)).await;
        diary.note(answer.unwrap().unwrap().to_string());
    });
    assert_eq!(output, Poll::Ready(()));
    assert_eq!(told, entries([(0, "7")]));

    let process = TokioProcess::new(at(0)).unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (ended, has_ended) = std::sync::mpsc::channel();
    let mut work = pin!(async {
        let thread = spawn_blocking(move || ended.send(released.recv()));
        thread.await.unwrap().unwrap();
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    drop(process);
    drop(release);
    assert!(has_ended.recv().unwrap().is_err());
}

#[test]
fn a_process_that_moves_its_own_clock_is_ahead_by_so_much() {
    let process = TokioProcess::new(at(0)).unwrap();
    let mut work = pin!(async {
        advance(Duration::from_micros(4_500)).await;
        sleep(millis(100)).await;
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    assert_eq!(process.ahead(), at(5));
    while process.seek(at(1_000)) < at(1_000) && process.poll(process.ahead(), work.as_mut()).is_pending() {}
    assert!((at(104)..=at(106)).contains(&process.ahead()), "{}", process.ahead());
}

#[test]
#[should_panic(expected = "the process has resumed tokio's clock")]
fn a_process_that_resumes_its_clock_is_told_so() {
    let process = TokioProcess::new(at(0)).unwrap();
    let mut work = pin!(async {
        tokio::time::resume();
        pending::<()>().await;
    });
    let _ = process.poll(at(0), work.as_mut());
}

#[test]
fn no_process_starts_inside_another_runtime_but_on_a_thread_that_may_block() {
    let outer = Builder::new_current_thread().build().unwrap();
    let error = outer.block_on(async { TokioProcess::new(at(0)).err() }).unwrap();
    assert!(
        error.to_string().contains("run the check in a plain #[test]"),
        "{error}"
    );
    let ran = outer.block_on(spawn_blocking_check());
    assert_eq!(ran, Poll::Ready(7));
    let _inside = outer.enter(); // as if by a test that keeps a runtime for itself
    let process = TokioProcess::new(at(0)).unwrap();
    assert!(process.poll(at(0), pin!(async {})).is_ready());
}

async fn spawn_blocking_check() -> Poll<u32> {
    let check = || TokioProcess::new(at(0)).unwrap().poll(at(0), pin!(async { 7 }));
    spawn_blocking(check).await.unwrap()
}
