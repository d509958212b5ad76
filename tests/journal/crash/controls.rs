//! The checker itself: it accepts what a queue in memory does under the load, and notices every kind of lie about it.

use {
    super::{
        history::{Answer, Call, Report},
        ledger::{Found, Ledger, Phase},
        load::{FAILED, JOBS, Load, ORDERS, WORK, make_queues},
        look,
    },
    crate::open::clock_at,
    requeue::{Clock, Service},
    std::{
        collections::{BTreeMap, BTreeSet},
        sync::Mutex,
        thread,
    },
};

const START: u64 = 1_700_000_000_000;

/// A load in memory: its reports, and what is stored at its end.
struct Run {
    reports: Vec<Report>,
    found: Vec<Found>,
    now: u64,
    tag: Option<String>,
}

fn run(seed: u64, threads: usize, steps: usize) -> Run {
    let clock = clock_at(START);
    let service = Service::builder().clock(clock.clone()).seed(seed).build();
    make_queues(&service);
    let reports = Mutex::new(Vec::new());
    let load = &Load {
        service: &service,
        clock: &clock,
        round: 0,
        report: &|report| reports.lock().unwrap().push(report),
    };
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || load.run(thread, seed, steps));
        }
    });
    let tags = service.list_queue_tags(WORK).unwrap();
    Run {
        found: look(&service),
        now: clock.now().as_millis(),
        tag: tags.get(super::TAG).cloned(),
        reports: reports.into_inner().unwrap(),
    }
}

impl Run {
    fn check(&self) -> Vec<String> {
        let mut ledger = Ledger::new();
        self.reports.iter().for_each(|report| ledger.read(report));
        ledger.died();
        ledger.check(&self.found, self.now, self.tag.as_deref())
    }

    fn place(&self, is_meant: impl Fn(&Found) -> bool) -> Option<usize> {
        self.found.iter().position(is_meant)
    }
}

fn sound(run: &Run) {
    assert_eq!(run.check(), Vec::<String>::new());
}

/// What a thread alone leaves is changed by a lie, which has to be noticed in these words. Loads are tried until one
/// leaves what the lie is about.
fn noticed(words: &str, lie: impl Fn(&mut Run) -> Option<()>) {
    for seed in 0..20 {
        let mut run = run(seed, 1, 1_500);
        sound(&run);
        if lie(&mut run).is_some() {
            let wrong = run.check();
            assert!(
                wrong.iter().any(|it| it.contains(words)),
                "{words:?} is not among {wrong:?}"
            );
            return;
        }
    }
    panic!("no load leaves what it takes to see {words:?}");
}

#[test]
fn a_queue_in_memory_keeps_its_word() {
    for seed in 0..5 {
        sound(&run(seed, super::THREADS, 300));
    }
}

#[test]
fn calls_that_were_not_answered_may_have_been_recorded() {
    for seed in 0..5 {
        let mut run = run(seed, super::THREADS, 300);
        for thread in 0..super::THREADS {
            let is_its = |report: &Report| matches!(report, Report::Answer { thread: it, .. } if *it == thread);
            let last = run.reports.iter().rposition(is_its).unwrap();
            run.reports.remove(last);
        }
        sound(&run);
    }
}

#[test]
fn a_lost_message_is_noticed() {
    noticed("is lost", |run| {
        let place = run.place(|it| it.queue == WORK && it.phase == Phase::Visible)?;
        run.found.remove(place);
        Some(())
    });
}

#[test]
fn a_deleted_message_that_is_back_is_noticed() {
    noticed("a deleted message is back", |run| {
        let mut deleted = Vec::new();
        let mut open = BTreeMap::new();
        for report in &run.reports {
            match report {
                Report::Call { thread, call, .. } => {
                    open.insert(*thread, call.clone());
                }
                Report::Answer {
                    thread,
                    answer: Answer::Settled(outcomes),
                    ..
                } => {
                    if let Some(Call::Delete { queue, messages }) = open.get(thread)
                        && queue == WORK
                        && outcomes[0] == Some(true)
                    {
                        deleted.push(messages[0].clone());
                    }
                }
                _ => {}
            }
        }
        let held = deleted.pop()?;
        let place = run.place(|it| it.queue == WORK)?;
        let back = Found {
            key: Some(held.key),
            ..run.found[place].clone()
        };
        run.found.push(back);
        Some(())
    });
}

#[test]
fn a_message_in_two_queues_is_noticed() {
    noticed("is twice", |run| {
        let place = run.place(|it| it.queue == JOBS)?;
        let copy = Found {
            queue: FAILED.to_owned(),
            ..run.found[place].clone()
        };
        run.found.push(copy);
        Some(())
    });
}

#[test]
fn a_message_in_a_queue_that_it_cannot_reach_is_noticed() {
    noticed("where it cannot be", |run| {
        let place = run.place(|it| it.queue == WORK)?;
        run.found[place].queue = JOBS.to_owned();
        Some(())
    });
}

#[test]
fn a_receive_that_was_forgotten_is_noticed() {
    noticed("a receive was forgotten", |run| {
        let place = run.place(|it| it.count > 0)?;
        run.found[place].count -= 1;
        Some(())
    });
}

#[test]
fn a_receive_that_never_was_is_noticed() {
    noticed("a receive was counted that never was", |run| {
        let place = run.place(|it| it.queue == WORK)?;
        run.found[place].count += 1;
        Some(())
    });
}

#[test]
fn a_message_in_flight_that_comes_back_at_once_is_noticed() {
    noticed("came back before its time", |run| {
        let place = run.place(|it| it.queue == WORK && matches!(it.phase, Phase::InFlight(_)))?;
        run.found[place].phase = Phase::Visible;
        Some(())
    });
}

#[test]
fn a_visibility_timeout_that_was_stretched_is_noticed() {
    noticed("its time has changed", |run| {
        let place = run.place(|it| it.queue == WORK && matches!(it.phase, Phase::InFlight(_)))?;
        let Phase::InFlight(until) = run.found[place].phase else {
            return None;
        };
        run.found[place].phase = Phase::InFlight(until + 1);
        Some(())
    });
}

#[test]
fn a_message_that_does_not_come_back_is_noticed() {
    noticed("does not come back", |run| {
        run.place(|it| it.queue == WORK && matches!(it.phase, Phase::InFlight(_)))?;
        run.now += 43_200_000;
        Some(())
    });
}

#[test]
fn another_sequence_number_is_noticed() {
    noticed("another sequence number", |run| {
        let last = run.found.iter().rposition(|it| it.queue == ORDERS)?;
        run.found[last].sequence = run.found[last].sequence.map(|it| it + 256);
        Some(())
    });
}

#[test]
fn two_messages_of_a_group_out_of_order_are_noticed() {
    noticed("sent before one that it follows", |run| {
        let of_group = |it: &&Found| it.queue == ORDERS && it.group.as_deref() == Some("g0");
        let keys: Vec<_> = run.found.iter().filter(of_group).map(|it| it.key.clone()).collect();
        let first = run.place(|it| it.key == keys[0])?;
        let second = run.place(|it| it.key == keys[1])?;
        run.found[first].key = keys[1].clone();
        run.found[second].key = keys[0].clone();
        Some(())
    });
}

#[test]
fn a_group_that_is_not_blocked_is_noticed() {
    noticed("blocked or not", |run| {
        let place = run.place(|it| it.queue == ORDERS && it.blocked)?;
        run.found[place].blocked = false;
        Some(())
    });
}

#[test]
fn a_repeated_send_that_was_stored_again_is_noticed() {
    noticed("was sent again and is", |run| {
        let mut known = BTreeSet::new();
        let repeated = run.reports.iter_mut().find_map(|report| match report {
            Report::Answer {
                answer: Answer::Sent(sent),
                ..
            } => sent
                .iter_mut()
                .flatten()
                .find(|(id, sequence)| sequence.is_some() && !known.insert(id.clone())),
            _ => None,
        });
        repeated?.0 = "another".to_owned();
        Some(())
    });
}

#[test]
fn a_tag_of_before_is_noticed() {
    noticed("the tag is", |run| {
        let value: u64 = run.tag.as_ref()?.parse().unwrap();
        run.tag = Some((value - 1).to_string());
        Some(())
    });
}

#[test]
fn a_dead_letter_that_is_back_is_noticed() {
    noticed("moved to its dead-letter queue is back", |run| {
        let mut open = BTreeMap::new();
        let mut left = Vec::new();
        for report in &run.reports {
            match report {
                Report::Call { thread, call, .. } => {
                    open.insert(*thread, call.clone());
                }
                Report::Answer {
                    thread,
                    answer: Answer::Settled(outcomes),
                    ..
                } => {
                    if let (Some(Call::DeadLetter { message, .. }), Some(Some(true))) =
                        (open.get(thread), outcomes.first())
                    {
                        left.push(message.key.clone());
                    }
                }
                _ => {}
            }
        }
        let has_left = |it: &Found| {
            it.queue == super::load::FAILED_ORDERS && it.key.as_ref().is_some_and(|key| left.contains(key))
        };
        let place = run.place(has_left)?;
        run.found[place].queue = ORDERS.to_owned();
        Some(())
    });
}

#[test]
fn a_damaged_body_is_noticed() {
    noticed("is damaged", |run| {
        run.found[0].key = None;
        Some(())
    });
}

#[test]
fn a_message_that_nobody_sent_is_noticed() {
    noticed("was never sent", |run| {
        run.found[0].key = Some("9.9.9".to_owned());
        Some(())
    });
}
