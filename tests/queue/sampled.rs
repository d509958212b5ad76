//! The sampled profile: messages spread over shards, of which a short poll asks one (D8, D9, D13, D14).

use {
    crate::common::{VISIBILITY, bodies, counts, fifo, in_group, receive, receive_for, secs, send_grouped, standard},
    requeue::{Clock, Limits, ManualClock, Message, Queue, QueueBuilder},
    std::{collections::BTreeSet, time::Duration},
};

const SHARDS: usize = 10;

fn sampled(seed: u64) -> QueueBuilder {
    standard(&ManualClock::default()).seed(seed).shards(SHARDS)
}

/// A sampled queue with messages `0`, `1` and so on.
fn filled(seed: u64, count: usize) -> Queue {
    let mut limits = Limits::default();
    limits.receive_messages = 1_000;
    let jobs = sampled(seed).limits(limits).build().unwrap();
    for number in 0..count {
        jobs.send(number.to_string()).unwrap();
    }
    jobs
}

fn numbers(messages: &[Message]) -> Vec<usize> {
    messages.iter().map(|message| message.body().parse().unwrap()).collect()
}

/// Polls until every message was received, and answers with all responses.
fn drain(jobs: &Queue, count: usize, max_messages: usize) -> Vec<Vec<usize>> {
    let mut responses: Vec<Vec<usize>> = Vec::new();
    while responses.iter().map(Vec::len).sum::<usize>() < count {
        responses.push(numbers(&receive_for(jobs, max_messages, secs(3_600))));
        assert!(responses.len() < 10_000, "later polls reach what earlier ones missed");
    }
    responses
}

#[test]
fn short_polls_return_fewer_messages_than_asked_for_and_in_order() {
    // D13 D5 D9
    let responses = drain(&filled(1, 100), 100, 10);
    assert!(responses.len() > 10, "{responses:?}");
    assert!(responses.iter().any(|response| (1..10).contains(&response.len())));
    for response in &responses {
        assert!(response.len() <= 10 && response.is_sorted(), "{response:?}");
    }
}

#[test]
fn no_message_is_lost_or_returned_twice() {
    // D9 D22
    for seed in 0..20 {
        let mut received = drain(&filled(seed, 100), 100, 10).concat();
        received.sort_unstable();
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_handful_of_messages_comes_out_of_order() {
    // D13
    let in_order = |seed: &u64| drain(&filled(*seed, 5), 5, 1).concat().is_sorted();
    let ordered = (0..20).filter(in_order).count();
    assert!(ordered < 10, "{ordered} of 20 seeds kept the order");
}

#[test]
fn a_short_poll_may_miss_what_is_there() {
    // D8 D9
    let missed = (0..20).filter(|&seed| receive(&filled(seed, 3), 10).len() < 3).count();
    assert!(missed > 10, "{missed} of 20");
    let empty = (0..200)
        .filter(|&seed| receive(&filled(seed, 1), 10).is_empty())
        .count();
    assert!(
        empty > 20,
        "{empty} of 200 polls found nothing although there was a message"
    );
}

/// The shards as short polls show them: each returns all of one shard.
fn shards(jobs: &Queue) -> BTreeSet<Vec<usize>> {
    (0..200)
        .map(|_| {
            let mut shard = numbers(&receive_for(jobs, 1_000, Duration::ZERO));
            shard.sort_unstable();
            shard
        })
        .filter(|shard| !shard.is_empty())
        .collect()
}

#[test]
fn messages_are_spread_evenly_over_the_shards_and_stay_there() {
    // D14
    let shards = shards(&filled(1, 1_000));
    assert_eq!(shards.len(), SHARDS);
    let mut all = Vec::new();
    for shard in shards {
        assert!((60..=140).contains(&shard.len()), "{}", shard.len());
        all.extend(shard);
    }
    all.sort_unstable();
    assert_eq!(all, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_fuller_shard_is_asked_more_often() {
    // D14
    let mut of_many = 0;
    for seed in 0..200 {
        let jobs = filled(seed, 30);
        let largest = shards(&jobs).into_iter().max_by_key(Vec::len).unwrap();
        let mut polled = numbers(&receive(&jobs, 1_000));
        polled.sort_unstable();
        of_many += usize::from(polled == largest);
    }
    assert!(
        (25..=80).contains(&of_many),
        "{of_many} of 200, where an even choice gives 20"
    );
}

#[test]
fn a_long_poll_asks_every_shard_and_returns_the_oldest() {
    // D10 D14
    let jobs = filled(1, 25);
    for expected in [0..10, 10..20, 20..25] {
        let messages = jobs.receive().max_messages(10).wait_time(secs(1)).blocking().unwrap();
        assert_eq!(numbers(&messages), expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_long_poll_finds_a_single_message_at_once() {
    // D8 D10
    for seed in 0..50 {
        let clock = ManualClock::default();
        let jobs = standard(&clock).seed(seed).shards(SHARDS).build().unwrap();
        jobs.send("m").unwrap();
        let before = clock.now();
        assert_eq!(bodies(&jobs.receive().wait_time(secs(20)).blocking().unwrap()), ["m"]);
        assert_eq!(clock.now(), before);
    }
}

#[test]
fn the_wait_of_the_queue_makes_a_long_poll() {
    // D10 D4
    let jobs = sampled(1).receive_message_wait_time(secs(20)).build().unwrap();
    for number in 0..30 {
        jobs.send(number.to_string()).unwrap();
    }
    assert_eq!(
        numbers(&jobs.receive().max_messages(10).blocking().unwrap()),
        (0..10).collect::<Vec<_>>()
    );
}

#[test]
fn a_seed_gives_the_same_responses_again() {
    // X2 D14
    assert_eq!(drain(&filled(7, 50), 50, 10), drain(&filled(7, 50), 50, 10));
    assert_ne!(drain(&filled(7, 50), 50, 10), drain(&filled(8, 50), 50, 10));
}

#[test]
fn counters_are_exact_in_both_profiles() {
    // C3 X2
    let jobs = filled(1, 50);
    let received = receive(&jobs, 10).len();
    assert_eq!(counts(&jobs), [50 - received, received, 0]);
    assert_eq!(jobs.snapshot().messages.len(), 50);
}

#[test]
fn a_message_that_times_out_comes_back() {
    // D6 D9
    let clock = ManualClock::default();
    let jobs = standard(&clock).shards(SHARDS).build().unwrap();
    jobs.send("m").unwrap();
    while receive(&jobs, 1).is_empty() {}
    assert!(
        (0..100).all(|_| receive(&jobs, 1).is_empty()),
        "in flight on every shard"
    );
    clock.advance(VISIBILITY);
    while receive(&jobs, 1).is_empty() {}
    assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 2);
}

#[test]
fn a_dead_letter_leaves_when_its_shard_is_asked() {
    // L6 D9
    let clock = ManualClock::default();
    let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
    let jobs = standard(&clock).shards(SHARDS).dead_letter(&dead, 2).build().unwrap();
    jobs.send("m").unwrap();
    let mut deliveries = 0;
    while counts(&dead) == [0, 0, 0] {
        deliveries += receive_for(&jobs, 1, Duration::ZERO).len();
    }
    assert_eq!((deliveries, counts(&jobs)), (2, [0, 0, 0]));
}

#[test]
fn quiet_tenants_come_first_within_a_shard_and_over_all() {
    // N4 N9
    let loud = sampled(3).build().unwrap();
    for number in 0..60 {
        loud.send(in_group("loud", &number.to_string())).unwrap();
    }
    let mut held = 0;
    while held < 30 {
        held += receive_for(&loud, (30 - held).min(10), secs(3_600)).len();
    }
    for number in 100..120 {
        loud.send(in_group("quiet", &number.to_string())).unwrap();
    }
    for _ in 0..100 {
        let response = numbers(&receive_for(&loud, 10, Duration::ZERO));
        let quiet = response.iter().take_while(|&&number| number >= 100).count();
        assert!(response[quiet..].iter().all(|&number| number < 100), "{response:?}");
    }
    let merged = loud.receive().max_messages(10).wait_time(secs(1)).blocking().unwrap();
    assert!(numbers(&merged).iter().all(|&number| number >= 100), "{merged:?}");
}

#[test]
fn a_fifo_queue_has_one_shard() {
    // F18 F21: what is promised of FIFO queues cannot be sampled
    let jobs = fifo(&ManualClock::default()).shards(SHARDS).build().unwrap();
    send_grouped(&jobs, ["a-1", "b-1", "a-2", "c-1"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["a-1", "a-2", "b-1", "c-1"]);
}

#[test]
fn the_strict_profile_has_one_shard() {
    // X2 D49
    for jobs in [
        standard(&ManualClock::default()),
        standard(&ManualClock::default()).shards(1),
    ] {
        let jobs = jobs.build().unwrap();
        for number in 0..30 {
            jobs.send(number.to_string()).unwrap();
        }
        for expected in [0..10, 10..20, 20..30] {
            assert_eq!(numbers(&receive(&jobs, 10)), expected.collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_limit_of_messages_in_flight_is_that_of_all_shards() {
    // D15 D17
    let mut limits = Limits::default();
    limits.in_flight_standard = 3;
    let jobs = sampled(1).limits(limits).build().unwrap();
    for number in 0..30 {
        jobs.send(number.to_string()).unwrap();
    }
    while counts(&jobs)[1] < 3 {
        assert!(receive(&jobs, 10).len() <= 3);
    }
    assert_eq!(jobs.receive().blocking().unwrap_err().code(), "OverLimit");
    assert_eq!(counts(&jobs), [27, 3, 0]);
}

#[test]
fn handles_and_extensions_work_as_in_the_strict_profile() {
    // D19 X2
    let clock = ManualClock::default();
    let jobs = standard(&clock).shards(SHARDS).build().unwrap();
    jobs.send("m").unwrap();
    let held = jobs.receive().wait_time(secs(1)).blocking().unwrap();
    held[0].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(counts(&jobs), [1, 0, 0]);
    jobs.purge().unwrap();
    jobs.send("n").unwrap();
    while counts(&jobs)[0] == 1 {
        receive_for(&jobs, 1, secs(5));
    }
    clock.advance(secs(5));
    held[0].delete().unwrap();
    assert_eq!(
        counts(&jobs),
        [1, 0, 0],
        "a handle means its own message, whatever the shard"
    );
}
