//! The waits of a story are as short as they can be.
use {
    super::consumers::{failure, jobs, secs},
    proptest::strategy::Just,
    requeue::{
        QueueBuilder,
        testing::{Check, Consumer, Context, Faults, World, check},
    },
    std::time::Duration,
};

/// The times at which the outside world has rung, since the epoch of a case.
type Rings = Vec<Duration>;

fn ringing(broken: impl Fn(&[Duration]) -> bool + 'static) -> Check<Rings> {
    check("rings", Rings::new)
        .messages(Just("job"))
        .messages_at_most(1)
        .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
        .action("rings", |rings: &World<Rings>, context: &Context| {
            let since = context.now().as_millis() - 1_700_000_000_000;
            rings.borrow_mut().push(Duration::from_millis(since));
        })
        .faults(Faults::none())
        .always("it rings in time", move |rings| !broken(rings))
}

fn long() -> QueueBuilder {
    jobs().visibility_timeout(secs(600))
}

/// The waits of the shortest story, each with its line.
#[track_caller]
fn waits(check: Check<Rings>) -> Vec<String> {
    let found = failure(&check.first_failure_only());
    let schedule = found.schedule.to_string();
    schedule
        .lines()
        .filter(|it| it.starts_with("wait"))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_wait_is_as_short_as_it_can_be() {
    for seed in 0..10 {
        let late = |rings: &[Duration]| rings.iter().any(|it| *it >= secs(100));
        assert_eq!(waits(ringing(late).queue(long).seed(seed)), ["wait 100s"]);
        let late = |rings: &[Duration]| rings.iter().any(|it| *it > secs(3_000));
        assert_eq!(waits(ringing(late).queue(long).seed(seed)), ["wait 3000001ms"]);
    }
}

#[test]
fn waits_that_need_each_other_are_shortened_together() {
    for seed in 0..10 {
        let regular = |rings: &[Duration]| {
            rings
                .windows(2)
                .any(|it| it[0] >= secs(50) && (it[1] - it[0]).abs_diff(it[0]) <= secs(5))
        };
        assert_eq!(waits(ringing(regular).queue(long).seed(seed)), ["wait 50s", "wait 45s"]);
    }
}

#[test]
fn waits_that_matter_by_their_sum_are_one() {
    for seed in 0..10 {
        let late = |rings: &[Duration]| rings.len() > 1 && rings.last() >= Some(&secs(100));
        let check = ringing(late).queue(|| jobs().message_retention_period(secs(60)).visibility_timeout(secs(20)));
        assert_eq!(waits(check.seed(seed)), ["wait 100s"]);
    }
}
