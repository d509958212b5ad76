//! Main futures that share a process, and those that follow one another.

use super::*;

#[test]
fn a_later_main_future_goes_on_with_the_tasks_of_the_first() {
    let process = TokioProcess::new(at(0)).unwrap();
    let diary = Diary::new(&process);
    let of_task = diary.clone();
    let first = pin!(async {
        tokio::spawn(async move {
            of_task.note("spawned");
            sleep(millis(10)).await;
            of_task.note("slept");
        });
    });
    assert!(process.poll(at(0), first).is_ready());
    assert!(process.is_woken());
    assert_eq!((process.seek(at(5)), diary.told().len()), (at(0), 0));
    let rest = pin!(pending::<()>());
    assert!(live(&process, &diary.clock, at(20), rest).is_pending());
    assert_eq!(diary.told(), entries([(0, "spawned"), (10, "slept")]));
    assert!(!process.is_woken());
}

#[test]
fn a_main_future_that_leaves_no_task_leaves_nothing_to_run() {
    let process = TokioProcess::new(at(0)).unwrap();
    let work = pin!(async { tokio::spawn(async {}).await.unwrap() });
    assert!(process.poll(at(0), work).is_ready());
    assert!(!process.is_woken());
}

#[test]
fn main_futures_of_a_process_share_its_clock_and_its_tasks_but_are_woken_each_for_itself() {
    let first = TokioProcess::new(at(0)).unwrap();
    let second = first.another();
    let diary = Diary::new(&first);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let of_first = diary.clone();
    let mut sends = pin!(async {
        sleep(millis(5)).await;
        tokio::spawn(async move { sender.send("a").unwrap() }).await.unwrap();
        of_first.note("sent");
        sleep(millis(100)).await;
        of_first.note("slept");
    });
    let mut receives = pin!(async {
        diary.note(receiver.recv().await.unwrap());
    });
    assert!(first.poll(at(0), sends.as_mut()).is_pending());
    assert!(!first.is_woken() && second.is_woken());
    assert_eq!(first.seek(at(50)), at(0), "the second goes first");
    assert!(second.poll(at(0), receives.as_mut()).is_pending());
    assert!(!second.is_woken());
    assert_eq!((second.seek(at(50)), first.ahead()), (at(5), at(5)));
    diary.clock.advance_to(at(5));
    assert!(first.poll(at(5), sends.as_mut()).is_pending());
    assert!(!first.is_woken() && second.is_woken());
    assert!(second.poll(at(5), receives.as_mut()).is_ready());
    assert!(live(&first, &diary.clock, at(500), sends).is_ready());
    assert_eq!(diary.told(), entries([(5, "sent"), (5, "a"), (105, "slept")]));
}

#[test]
fn one_handle_that_is_dropped_leaves_the_process_to_the_others() {
    let first = TokioProcess::new(at(0)).unwrap();
    let second = first.another();
    drop(first);
    assert!(
        second
            .poll(at(3), pin!(async { sleep(Duration::ZERO).await }))
            .is_ready()
    );
}

#[test]
fn an_end_is_reached_only_where_no_timer_is() {
    for elapsed in [0, 1, 70_000, BLOCK - 1, BLOCK, 3 * BLOCK + 5] {
        for span in [1, 63, 64, 4_097, 1_000_000, BLOCK, 2 * BLOCK - 7] {
            let process = TokioProcess::new(at(0)).unwrap();
            let mut work = pin!(async {
                sleep(millis(elapsed)).await;
                tokio::spawn(sleep(millis(span)));
                pending::<()>().await;
            });
            while process.ahead() < at(elapsed) {
                assert!(process.poll(process.ahead(), work.as_mut()).is_pending());
                process.seek(at(elapsed));
            }
            assert!(process.poll(at(elapsed), work.as_mut()).is_pending());
            for _ in 0..20 {
                if !process.seek_to_the_end() {
                    break;
                }
                assert!(process.ahead() <= at(elapsed + span));
                assert!(process.poll(process.ahead(), work.as_mut()).is_pending());
            }
            assert!(process.is_timeless() && !process.is_woken());
            assert!(process.ahead() > at(elapsed + 2 * BLOCK));
        }
    }
}

#[test]
fn a_poll_ends_at_a_death() {
    let process = TokioProcess::new(at(0)).unwrap();
    let ran = Arc::new(AtomicU64::new(0));
    let later = ran.clone();
    let mut work = pin!(async {
        let task = tokio::spawn(async {
            quiet::die();
            quiet::unwind_the_dead()
        });
        let joined: Result<(), _> = task.await;
        later.fetch_add(u64::from(joined.is_err()), Ordering::Relaxed);
    });
    let call = crate::testing::watchdog::Call::Consumer(0);
    let polled = quiet::quietly(call, || process.poll(at(0), work.as_mut()));
    assert_eq!(polled, Ok(Poll::Pending));
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    assert!(!quiet::is_dead());
}
