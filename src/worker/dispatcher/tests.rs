//! The dispatcher by itself.

use super::*;

#[test]
fn the_last_worker_to_end_wakes_the_renewer() {
    let config = DispatcherConfig {
        concurrency: 2,
        prefetch: 0,
        batch_size: 1,
        max_messages: 10,
        wait_time: Duration::from_secs(20),
        end: End::Never,
        fifo: false,
        give_back_after: Duration::ZERO,
        rate: None,
        receive_ahead: Duration::ZERO,
        timed: false,
        renew_interval: Duration::from_secs(10),
    };
    let mut dispatcher = Dispatcher::new(config, Backlog::new(false, None, None), Counters::new("jobs"));
    let now = Timestamp::ZERO;
    let workers = [dispatcher.add_worker(), dispatcher.add_worker()];
    dispatcher.stop(now, None);
    assert!(matches!(
        dispatcher.next_renewer_task(now, Waker::noop()),
        RenewerTask::Sleep(_)
    ));
    for worker in workers {
        assert!(matches!(dispatcher.next(worker, now), Some(Task::End)));
    }
    assert!(dispatcher.worker_ended(0, now).is_empty(), "there is one more");
    assert_eq!(dispatcher.worker_ended(1, now).len(), 1);
    assert!(matches!(
        dispatcher.next_renewer_task(now, Waker::noop()),
        RenewerTask::Over
    ));
}
