//! Fair queues: standard queues whose messages name a group, the tenant they belong to (N1-N11).

use {
    crate::common::{
        MILLISECOND, bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take, take_for,
    },
    requeue::{Limits, ManualClock, Message, Metrics, Queue},
    std::time::Duration,
};

/// Sends `count` messages of one tenant, named `loud-0` and so on.
fn send(jobs: &Queue, tenant: &str, count: usize) {
    for number in 0..count {
        jobs.send(in_group(tenant, &format!("{tenant}-{number}"))).unwrap();
    }
}

/// Receives exactly `count` messages and keeps them in flight for an hour.
fn hold(jobs: &Queue, count: usize) -> Vec<Message> {
    let mut held = Vec::new();
    while held.len() < count {
        let messages = receive_for(jobs, (count - held.len()).min(10), secs(3_600));
        assert!(!messages.is_empty(), "fewer than {count} messages");
        held.extend(messages);
    }
    held
}

fn noisy(jobs: &Queue) -> Vec<String> {
    jobs.noisy_groups().iter().map(ToString::to_string).collect()
}

/// `loud` has 30 messages in flight and ten waiting; then `quiet` sends one.
fn crowded() -> (ManualClock, Queue, Vec<Message>) {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    send(&jobs, "loud", 40);
    let held = hold(&jobs, 30);
    send(&jobs, "quiet", 1);
    (clock, jobs, held)
}

#[test]
fn a_standard_queue_takes_and_returns_group_ids_with_nothing_enabled() {
    // N1
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("tenant", "m")).unwrap();
    let _ = jobs.send_batch([in_group("tenant", "n")]).unwrap();
    for message in receive(&jobs, 10) {
        assert_eq!(message.message_group_id(), Some("tenant"));
        assert_eq!(message.sequence_number(), None);
    }
}

#[test]
fn a_tenant_is_noisy_with_30_messages_in_flight() {
    // N3
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "loud", 60);
    hold(&jobs, 29);
    assert_eq!(noisy(&jobs), [""; 0]);
    let last = hold(&jobs, 2);
    assert_eq!(noisy(&jobs), ["loud"]);
    last[0].delete().unwrap();
    assert_eq!(noisy(&jobs), ["loud"], "30 are left");
    last[1].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(noisy(&jobs), [""; 0]);
}

#[test]
fn a_tenant_is_noisy_with_more_than_a_tenth_of_what_is_in_flight() {
    // N3 N2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for _ in 0..270 {
        jobs.send("of nobody").unwrap();
    }
    hold(&jobs, 270);
    send(&jobs, "loud", 40);
    hold(&jobs, 30);
    assert_eq!(noisy(&jobs), [""; 0], "30 of 300");
    hold(&jobs, 1);
    assert_eq!(noisy(&jobs), ["loud"], "31 of 301");
}

/// Tenants that each had one message processed for ten seconds and have another one waiting.
fn processed(tenants: usize) -> (ManualClock, Queue) {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let names: Vec<_> = (0..tenants).map(|tenant| format!("t{tenant}")).collect();
    for tenant in &names {
        send(&jobs, tenant, 1);
    }
    let held = hold(&jobs, tenants);
    for tenant in &names {
        send(&jobs, tenant, 1);
    }
    clock.advance(secs(10));
    held.iter().for_each(|message| message.delete().unwrap());
    (clock, jobs)
}

#[test]
fn a_tenant_is_noisy_with_more_than_a_tenth_of_the_processing_time() {
    // N3 N9
    assert_eq!(noisy(&processed(10).1), [""; 0]);
    assert_eq!(noisy(&processed(9).1).len(), 9);
}

#[test]
fn processing_time_ends_with_the_visibility_timeout() {
    // N9
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    send(&jobs, "slow", 1);
    take_for(&jobs, secs(90));
    send(&jobs, "quick", 2);
    take_for(&jobs, secs(10));
    clock.advance(secs(100));
    let mut both = noisy(&jobs);
    both.sort();
    assert_eq!(both, ["slow"], "90 s of 100 s, the other had a tenth");
    assert_eq!(bodies(&receive(&jobs, 10)), ["quick-0", "quick-1", "slow-0"]);
}

#[test]
fn a_tenant_alone_in_its_queue_is_not_noisy_by_processing_time() {
    // N9
    assert_eq!(noisy(&processed(1).1), [""; 0]);
}

#[test]
fn what_is_gone_is_nobodys_neighbour() {
    // N9 D43
    let clock = ManualClock::default();
    for purged in [true, false] {
        let jobs = standard(&clock).build().unwrap();
        jobs.send("of nobody").unwrap();
        send(&jobs, "other", 1);
        if purged {
            jobs.purge().unwrap();
        } else {
            receive(&jobs, 2).iter().for_each(|message| message.delete().unwrap());
        }
        send(&jobs, "alone", 2);
        let first = take(&jobs);
        clock.advance(secs(10));
        first.delete().unwrap();
        assert_eq!(noisy(&jobs), [""; 0]);
        send(&jobs, "other", 1);
        assert_eq!(noisy(&jobs), ["alone"]);
    }
}

#[test]
fn quiet_tenants_come_before_noisy_ones() {
    // N4
    let (_, jobs, _) = crowded();
    jobs.send("of nobody").unwrap();
    assert_eq!(noisy(&jobs), ["loud"]);
    assert_eq!(
        bodies(&receive(&jobs, 4)),
        ["quiet-0", "of nobody", "loud-30", "loud-31"]
    );
}

#[test]
fn noisy_messages_are_neither_dropped_nor_held_back() {
    // N4 N7
    let (_, jobs, _) = crowded();
    assert_eq!(take(&jobs).body(), "quiet-0");
    assert_eq!(receive(&jobs, 10).len(), 10, "the loud ones are returned at once");
    assert_eq!(counts(&jobs), [0, 41, 0]);
}

#[test]
fn while_nobody_is_noisy_messages_come_in_send_order() {
    // N4 D49
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "a", 2);
    send(&jobs, "b", 1);
    jobs.send("of nobody").unwrap();
    send(&jobs, "a", 1);
    assert_eq!(bodies(&receive(&jobs, 10)), ["a-0", "a-1", "b-0", "of nobody", "a-0"]);
}

#[test]
fn quiet_tenants_share_one_send_order() {
    // N4 D49
    let (_, jobs, _) = crowded();
    send(&jobs, "b", 1);
    jobs.send("of nobody").unwrap();
    send(&jobs, "quiet", 1);
    assert_eq!(bodies(&receive(&jobs, 4)), ["quiet-0", "b-0", "of nobody", "quiet-0"]);
}

#[test]
fn of_noisy_tenants_the_one_with_the_fewest_in_flight_comes_first() {
    // N5
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "louder", 35);
    hold(&jobs, 35);
    send(&jobs, "loud", 30);
    hold(&jobs, 30);
    send(&jobs, "louder", 3);
    send(&jobs, "loud", 3);
    assert_eq!(noisy(&jobs), ["loud", "louder"]);
    assert_eq!(bodies(&receive(&jobs, 2)), ["loud-0", "loud-1"]);
    assert_eq!(bodies(&receive(&jobs, 2)), ["loud-2", "louder-0"]);
}

#[test]
fn a_message_without_a_group_is_a_tenant_of_its_own() {
    // N2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for number in 0..60 {
        jobs.send(number.to_string()).unwrap();
    }
    hold(&jobs, 50);
    send(&jobs, "quiet", 1);
    assert_eq!(noisy(&jobs), [""; 0]);
    let rest = ["50", "51", "52", "53", "54", "55", "56", "57", "58", "59"];
    assert_eq!(bodies(&receive(&jobs, 10)), rest);
}

#[test]
fn a_tenant_whose_backlog_is_consumed_is_quiet() {
    // N6
    let (clock, jobs, held) = crowded();
    let rest = [hold(&jobs, 11), held].concat();
    clock.advance(secs(10));
    let last = rest.iter().position(|message| message.body() == "loud-39").unwrap();
    for (place, message) in rest.iter().enumerate() {
        if place != last && message.body() != "quiet-0" {
            message.delete().unwrap();
        }
    }
    assert_eq!(
        noisy(&jobs),
        ["loud"],
        "one is left, and all the processing time was its tenant's"
    );
    rest[last].delete().unwrap();
    assert_eq!(noisy(&jobs), [""; 0]);
    send(&jobs, "loud", 1);
    send(&jobs, "quiet", 1);
    assert_eq!(noisy(&jobs), [""; 0], "what it did before is forgotten");
    assert_eq!(bodies(&receive(&jobs, 2)), ["loud-0", "quiet-0"]);
}

#[test]
fn a_tenant_with_nothing_in_flight_for_five_minutes_is_quiet() {
    // N6 N9
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    send(&jobs, "loud", 30);
    assert_eq!(
        (0..3).map(|_| receive_for(&jobs, 10, secs(10)).len()).sum::<usize>(),
        30
    );
    send(&jobs, "quiet", 1);
    assert_eq!(take_for(&jobs, secs(10)).body(), "quiet-0");
    clock.advance(secs(10));
    assert_eq!(counts(&jobs), [31, 0, 0]);
    clock.advance(secs(300) - MILLISECOND);
    assert_eq!(noisy(&jobs), ["loud"]);
    assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["quiet-0"]);
    clock.advance(MILLISECOND);
    assert_eq!(noisy(&jobs), [""; 0]);
    assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["loud-0"]);
}

#[test]
fn messages_of_one_tenant_are_processed_in_parallel_and_in_any_order() {
    // N7
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "tenant", 3);
    let [first, second, third] = [(); 3].map(|()| take(&jobs));
    assert_eq!(
        [first.body(), second.body(), third.body()],
        ["tenant-0", "tenant-1", "tenant-2"]
    );
    third.delete().unwrap();
    first.delete().unwrap();
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

#[test]
fn a_quiet_message_waits_for_no_noisy_backlog_as_long_as_consumers_have_room() {
    // N8
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "loud", 2_000);
    hold(&jobs, 100);
    for round in 0..20 {
        jobs.send(in_group(&format!("q{round}"), "quiet")).unwrap();
        assert_eq!(take_for(&jobs, secs(3_600)).body(), "quiet");
        hold(&jobs, 10);
    }
}

#[test]
fn many_tenants_cost_nobody_his_turn() {
    // N7
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for tenant in 0..10_000 {
        jobs.send(in_group(&tenant.to_string(), &tenant.to_string())).unwrap();
    }
    for tenant in 0..10_000 {
        let message = take(&jobs);
        assert_eq!(message.body(), tenant.to_string());
        message.delete().unwrap();
    }
}

#[test]
fn a_message_received_three_times_comes_last_among_its_like() {
    // N9 D49
    let (_, jobs, _) = crowded();
    for _ in 0..3 {
        assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["quiet-0"]);
    }
    send(&jobs, "late", 1);
    assert_eq!(bodies(&receive(&jobs, 3)), ["late-0", "quiet-0", "loud-30"]);
}

#[test]
fn a_fifo_queue_has_no_noisy_groups() {
    // N1 N4
    let mut limits = Limits::default();
    limits.noisy_in_flight_min = 1;
    let jobs = fifo(&ManualClock::default()).limits(limits).build().unwrap();
    send(&jobs, "loud", 10);
    hold(&jobs, 10);
    assert_eq!(noisy(&jobs), [""; 0]);
}

#[test]
fn quiet_metrics_leave_noisy_tenants_out() {
    // N11 7.2
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    send(&jobs, "loud", 40);
    hold(&jobs, 30);
    clock.advance(secs(5));
    send(&jobs, "quiet", 3);
    hold(&jobs, 1);
    for tenant in ["quiet", "loud"] {
        jobs.send(in_group(tenant, "delayed").delay(secs(60))).unwrap();
    }
    clock.advance(secs(1));
    assert_eq!(noisy(&jobs), ["loud"]);
    let report = Metrics::new().report(&jobs);
    assert_eq!(report.approximate_number_of_noisy_groups, 1);
    assert_eq!(report.approximate_number_of_messages_visible, 12);
    assert_eq!(report.approximate_number_of_messages_visible_in_quiet_groups, 2);
    assert_eq!(report.approximate_number_of_messages_not_visible, 31);
    assert_eq!(report.approximate_number_of_messages_not_visible_in_quiet_groups, 1);
    assert_eq!(report.approximate_number_of_messages_delayed, 2);
    assert_eq!(report.approximate_number_of_messages_delayed_in_quiet_groups, 1);
    assert_eq!(report.approximate_age_of_oldest_message, Some(secs(6)));
    assert_eq!(report.approximate_age_of_oldest_message_in_quiet_groups, Some(secs(1)));
}

#[test]
fn without_noisy_tenants_quiet_is_all() {
    // N11
    let jobs = standard(&ManualClock::default()).build().unwrap();
    send(&jobs, "a", 3);
    jobs.send("of nobody").unwrap();
    take(&jobs);
    let report = Metrics::new().report(&jobs);
    assert_eq!(report.approximate_number_of_noisy_groups, 0);
    assert_eq!(report.approximate_number_of_messages_visible_in_quiet_groups, 3);
    assert_eq!(report.approximate_number_of_messages_not_visible_in_quiet_groups, 1);
}
