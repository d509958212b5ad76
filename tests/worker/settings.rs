//! What a builder refuses: each limit one below, at, and one above (E17).

use {
    crate::common::{MILLISECOND, fifo, secs, standard},
    requeue::{
        Limits, ManualClock, Queue,
        backend::Backoff,
        worker::{BatchAnswer, BatchSettings, BuildRunnerError, FailurePolicy, Job, RateLimit, Runner, RunnerBuilder},
    },
    std::time::Duration,
};

const HOURS_12: Duration = secs(43_200);

fn built(change: impl FnOnce(RunnerBuilder<Queue>) -> RunnerBuilder<Queue>) -> Result<(), BuildRunnerError> {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let runner = change(Runner::builder(&jobs)).each(|_: &Job| Ok::<(), String>(()));
    runner.map(drop)
}

fn with_batch(fifo_queue: bool, settings: BatchSettings) -> Result<(), BuildRunnerError> {
    let clock = ManualClock::default();
    let builder = if fifo_queue { fifo(&clock) } else { standard(&clock) };
    let jobs = builder.build().unwrap();
    let sync = Runner::builder(&jobs).batch(settings, |_: &[Job]| BatchAnswer::success());
    let other = Runner::builder(&jobs).batch_async(settings, |_: Vec<Job>| async { BatchAnswer::success() });
    let result = sync.map(drop);
    assert_eq!(result, other.map(drop));
    result
}

#[test]
fn concurrency_is_at_least_1() {
    assert_eq!(built(|it| it.concurrency(0)), Err(BuildRunnerError::Concurrency));
    assert_eq!(built(|it| it.concurrency(1)), Ok(()));
    assert_eq!(built(|it| it.concurrency(usize::MAX).prefetch(usize::MAX)), Ok(()));
    assert_eq!(
        BuildRunnerError::Concurrency.to_string(),
        "the concurrency is 0, it has to be at least 1"
    );
}

#[test]
fn a_receive_asks_for_1_to_10_messages() {
    for (count, ok) in [(0, false), (1, true), (10, true), (11, false)] {
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::MaxMessages(count))
        };
        assert_eq!(built(|it| it.max_messages(count)), expected);
    }
    let text = "a receive is to ask for 11 messages, it has to be 1 to 10";
    assert_eq!(BuildRunnerError::MaxMessages(11).to_string(), text);
}

#[test]
fn a_receive_waits_for_1_ms_to_20_seconds() {
    for (span, ok) in [
        (Duration::ZERO, false),
        (Duration::from_nanos(1), false),
        (MILLISECOND - Duration::from_nanos(1), false),
        (MILLISECOND, true),
        (secs(20), true),
        (secs(20) + MILLISECOND, false),
    ] {
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::WaitTime(span))
        };
        assert_eq!(built(|it| it.wait_time(span)), expected);
    }
    let text = "the wait time is 1ns, it has to be 1 ms to 20 s";
    assert_eq!(BuildRunnerError::WaitTime(Duration::from_nanos(1)).to_string(), text);
}

#[test]
fn a_visibility_timeout_is_1_ms_to_12_hours() {
    for (span, ok) in [
        (Duration::ZERO, false),
        (MILLISECOND - Duration::from_nanos(1), false),
        (MILLISECOND, true),
        (HOURS_12, true),
        (HOURS_12 + MILLISECOND, false),
    ] {
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::VisibilityTimeout(span))
        };
        assert_eq!(built(|it| it.visibility_timeout(span)), expected);
    }
    let text = "the visibility timeout is 0ns, it has to be 1 ms to 12 hours";
    assert_eq!(BuildRunnerError::VisibilityTimeout(Duration::ZERO).to_string(), text);
}

#[test]
fn a_queue_that_hides_nothing_needs_a_visibility_timeout_of_the_runners_own() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(Duration::ZERO).build().unwrap();
    let build = |builder: RunnerBuilder<Queue>| builder.each(|_: &Job| Ok::<(), String>(())).map(drop);
    let refused = Err(BuildRunnerError::VisibilityTimeout(Duration::ZERO));
    assert_eq!(build(Runner::builder(&jobs)), refused);
    assert_eq!(build(Runner::builder(&jobs).visibility_timeout(secs(30))), Ok(()));
}

#[test]
fn what_a_visibility_timeout_has_to_cover_is_checked_by_what_the_queue_allows() {
    let mut limits = Limits::default();
    limits.visibility_timeout = secs(10);
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(5)).limits(limits.clone());
    let jobs = jobs.build().unwrap();
    let builder = || Runner::builder(&jobs).visibility_timeout(secs(60)).heartbeat(false);
    for (handler, ok) in [(10_000, true), (10_001, false)].map(|(millis, ok)| (Duration::from_millis(millis), ok)) {
        let runner = builder().handler_timeout(handler).each(|_: &Job| Ok::<(), String>(()));
        assert_eq!(runner.is_ok(), ok, "{handler:?}");
        // What waits goes back a second before its lease ends.
        let settings = BatchSettings::new(10).window(handler - secs(1) - MILLISECOND);
        let runner = builder().batch(settings, |_: &[Job]| BatchAnswer::success());
        assert_eq!(runner.is_ok(), ok, "{handler:?}");
        if let Err(error) = runner {
            assert!(error.to_string().contains("visibility timeout of 10s"), "{error}");
        }
    }
    limits.visibility_timeout = Duration::ZERO;
    let jobs = standard(&clock)
        .visibility_timeout(Duration::ZERO)
        .limits(limits)
        .build()
        .unwrap();
    let runner = Runner::builder(&jobs)
        .visibility_timeout(secs(60))
        .each(|_: &Job| Ok::<(), String>(()));
    let refused = BuildRunnerError::VisibilityTimeout(Duration::ZERO);
    assert_eq!(runner.map(drop), Err(refused), "it hides nothing");
}

#[test]
fn a_handler_timeout_is_more_than_0_and_at_most_12_hours() {
    for (span, ok) in [
        (Duration::ZERO, false),
        (MILLISECOND, true),
        (HOURS_12, true),
        (HOURS_12 + MILLISECOND, false),
    ] {
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::HandlerTimeout(span))
        };
        assert_eq!(built(|it| it.handler_timeout(span)), expected);
    }
    let text = "the handler timeout is 0ns, it has to be more than 0 s and at most 12 hours";
    assert_eq!(BuildRunnerError::HandlerTimeout(Duration::ZERO).to_string(), text);
}

#[test]
fn without_heartbeats_a_handler_may_take_no_longer_than_its_message_is_hidden() {
    // E23
    let visibility = secs(40);
    for (handler, ok) in [
        (visibility - MILLISECOND, true),
        (visibility, true),
        (visibility + MILLISECOND, false),
    ] {
        let with = |heartbeat: bool| {
            built(|it| {
                it.heartbeat(heartbeat)
                    .visibility_timeout(visibility)
                    .handler_timeout(handler)
            })
        };
        assert_eq!((with(true), with(false).is_ok()), (Ok(()), ok));
    }
    let error = built(|it| it.heartbeat(false).handler_timeout(secs(31))).unwrap_err();
    assert!(matches!(error, BuildRunnerError::HandlerOutlivesVisibility { .. }));
    let text = "the handler timeout is 31s and heartbeats are off, so that a message would be visible again after its \
                visibility timeout of 30s, while its handler works on it";
    assert_eq!(error.to_string(), text);
}

#[test]
fn without_heartbeats_nothing_is_received_ahead() {
    assert_eq!(built(|it| it.prefetch(1)), Ok(()));
    assert_eq!(built(|it| it.heartbeat(false).prefetch(0)), Ok(()));
    let error = built(|it| it.heartbeat(false).prefetch(1)).unwrap_err();
    let text = "the prefetch is 1 and heartbeats are off, so that messages would be visible again after their visibility \
                timeout, before a handler has begun them";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_backoff_grows_from_more_than_nothing_to_at_most_12_hours() {
    for (base, max, ok) in [
        (secs(1), HOURS_12 - MILLISECOND, true),
        (secs(1), HOURS_12, true),
        (secs(1), HOURS_12 + MILLISECOND, false),
        (secs(5), secs(5), true),
        (secs(5), secs(4), false),
        (Duration::ZERO, secs(4), false),
        (Duration::ZERO, Duration::ZERO, false),
    ] {
        let backoff = Backoff::new(base, max);
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::Backoff(backoff))
        };
        assert_eq!(built(|it| it.failure_policy(FailurePolicy::Backoff(backoff))), expected);
    }
    let text =
        "the backoff is 5s to 4s, it has to begin with more than 0 s and to end with that or more, at most 12 hours";
    assert_eq!(
        BuildRunnerError::Backoff(Backoff::new(secs(5), secs(4))).to_string(),
        text
    );
}

#[test]
fn a_batch_has_1_to_10_000_messages_and_1_to_10_on_a_fifo_queue() {
    // E17
    for (fifo_queue, size, ok) in [
        (false, 0, false),
        (false, 1, true),
        (false, 9_999, true),
        (false, 10_000, true),
        (false, 10_001, false),
        (true, 0, false),
        (true, 1, true),
        (true, 10, true),
        (true, 11, false),
    ] {
        let window = if fifo_queue { Duration::ZERO } else { secs(1) };
        let result = with_batch(fifo_queue, BatchSettings::new(size).window(window));
        match result {
            Ok(()) => assert!(ok, "{size}"),
            Err(error) => {
                let limit = if fifo_queue { "10" } else { "10000" };
                let text = format!("the batch size is {size}, it has to be 1 to {limit}");
                assert_eq!((ok, error.to_string()), (false, text));
            }
        }
    }
}

#[test]
fn a_window_is_at_most_300_seconds_and_none_on_a_fifo_queue() {
    // E17
    for (fifo_queue, window, ok) in [
        (false, Duration::ZERO, true),
        (false, secs(300) - MILLISECOND, true),
        (false, secs(300), true),
        (false, secs(300) + MILLISECOND, false),
        (true, Duration::ZERO, true),
        (true, MILLISECOND, false),
    ] {
        let result = with_batch(fifo_queue, BatchSettings::new(10).window(window));
        assert_eq!(result.is_ok(), ok, "{window:?}");
        if let Err(error) = result {
            let limit = if fifo_queue { "0ns" } else { "300s" };
            let text = format!("the batching window is {window:?}, it may be at most {limit}");
            assert_eq!(error.to_string(), text);
        }
    }
}

#[test]
fn more_than_10_messages_need_a_window_of_a_second() {
    // E17
    for (size, window, ok) in [
        (10, Duration::ZERO, true),
        (11, Duration::ZERO, false),
        (11, secs(1) - MILLISECOND, false),
        (11, secs(1), true),
    ] {
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::BatchNeedsWindow(size))
        };
        assert_eq!(with_batch(false, BatchSettings::new(size).window(window)), expected);
    }
    let text = "the batch size is 11, which takes a batching window of at least 1 s";
    assert_eq!(BuildRunnerError::BatchNeedsWindow(11).to_string(), text);
}

#[test]
fn without_heartbeats_a_window_and_its_handler_have_to_fit_into_the_visibility_timeout() {
    // E23; what waits goes back 1 s before.
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(30)).build().unwrap();
    for (heartbeat, window, handler, ok) in [
        (false, secs(29) - MILLISECOND, None, true),
        (false, secs(29), None, false),
        (false, secs(20), Some(secs(9) - MILLISECOND), true),
        (false, secs(20), Some(secs(9)), false),
        (false, Duration::ZERO, Some(secs(30)), true),
        (true, secs(300), None, true),
    ] {
        let mut builder = Runner::builder(&jobs).heartbeat(heartbeat);
        if let Some(handler) = handler {
            builder = builder.handler_timeout(handler);
        }
        let settings = BatchSettings::new(10).window(window);
        let result = builder.batch(settings, |_: &[Job]| BatchAnswer::success());
        assert_eq!(result.is_ok(), ok, "{heartbeat} {window:?} {handler:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains("is 29s and heartbeats are off"), "{error}");
        }
    }
}

#[test]
fn a_rate_is_at_least_1_job_in_more_than_0_and_at_most_24_hours() {
    let day = secs(86_400);
    let nanosecond = Duration::from_nanos(1);
    for (jobs, per, ok) in [
        (0, secs(1), false),
        (1, secs(1), true),
        (u32::MAX, secs(1), true),
        (1, Duration::ZERO, false),
        (1, nanosecond, true),
        (1, day, true),
        (1, day + nanosecond, false),
        (1, Duration::MAX, false),
    ] {
        let limit = RateLimit::new(jobs, per);
        let expected = if ok { Ok(()) } else { Err(BuildRunnerError::Rate(limit)) };
        assert_eq!(built(|it| it.rate_limit(limit)), expected);
        assert_eq!(built(|it| it.group_rate_limit(limit)), expected);
    }
    let text = "the rate limit is 0 jobs in 1s, it has to be at least 1 job in more than 0 s and at most 24 hours";
    assert_eq!(BuildRunnerError::Rate(RateLimit::per_second(0)).to_string(), text);
}

#[test]
fn a_burst_is_at_least_1_and_not_smaller_than_a_batch() {
    for (burst, ok) in [(0, false), (1, true), (u32::MAX, true)] {
        let limit = RateLimit::per_second(1).burst(burst);
        let expected = if ok {
            Ok(())
        } else {
            Err(BuildRunnerError::Burst(limit))
        };
        assert_eq!(built(|it| it.rate_limit(limit)), expected);
        assert_eq!(built(|it| it.group_rate_limit(limit)), expected);
    }
    let none = BuildRunnerError::Burst(RateLimit::per_second(1).burst(0));
    assert_eq!(
        none.to_string(),
        "the burst of the rate limit is 0, it has to be at least 1"
    );
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for (burst, ok) in [(9, false), (10, true), (11, true)] {
        let builder = Runner::builder(&jobs).rate_limit(RateLimit::per_second(1).burst(burst));
        let runner = builder.batch(BatchSettings::new(10), |_: &[Job]| BatchAnswer::success());
        assert_eq!(runner.is_ok(), ok);
        if let Err(error) = runner {
            let text =
                "the batch size is 10 and the burst of the rate limit is 9, it has to be at least the batch size";
            assert_eq!(error.to_string(), text);
        }
    }
    // A batch takes from a group what it may.
    let builder = Runner::builder(&jobs).group_rate_limit(RateLimit::per_second(1));
    let runner = builder.batch(BatchSettings::new(10), |_: &[Job]| BatchAnswer::success());
    assert!(runner.is_ok());
}

#[test]
fn a_group_has_a_concurrency_of_at_least_1() {
    let none = BuildRunnerError::GroupConcurrency;
    assert_eq!(built(|it| it.group_concurrency(0)), Err(none.clone()));
    assert_eq!(built(|it| it.group_concurrency(1)), Ok(()));
    assert_eq!(
        built(|it| it.group_concurrency(usize::MAX).group_backlog(usize::MAX)),
        Ok(())
    );
    assert_eq!(built(|it| it.group_concurrency(1).group_backlog(0)), Ok(()));
    assert_eq!(
        none.to_string(),
        "the concurrency of a group is 0, it has to be at least 1"
    );
}
