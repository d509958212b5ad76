//! A queue that is behind, because more is due than one step does: it answers as one that is not.

use {
    super::*,
    crate::{
        attributes::QueueSettings,
        limits::Limits,
        message::{MessageId, SendMessage},
        time::Timestamp,
    },
    proptest::prelude::*,
    std::{collections::BTreeMap, sync::Arc, time::Duration},
};

#[derive(Clone, Debug)]
enum Step {
    Send { group: u8, delay: u8 },
    Receive { max: usize, timeout: u8 },
    Delete { nth: usize },
    DeleteById { nth: [usize; 2] },
    ChangeVisibility { nth: usize, timeout: u8 },
    Postpone { nth: usize, delay: u8 },
    DepartOldest,
    Delay { seconds: u8 },
    Purge,
    Pass { seconds: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..3, 0_u8..4).prop_map(|(group, delay)| Step::Send { group, delay }),
        4 => (1_usize..5, 0_u8..6).prop_map(|(max, timeout)| Step::Receive { max, timeout }),
        2 => (0_usize..50).prop_map(|nth| Step::Delete { nth }),
        1 => prop::array::uniform2(0_usize..50).prop_map(|nth| Step::DeleteById { nth }),
        2 => (0_usize..50, 0_u8..6).prop_map(|(nth, timeout)| Step::ChangeVisibility { nth, timeout }),
        2 => (0_usize..50, 0_u8..6).prop_map(|(nth, delay)| Step::Postpone { nth, delay }),
        1 => Just(Step::DepartOldest),
        1 => (0_u8..4).prop_map(|seconds| Step::Delay { seconds }),
        1 => Just(Step::Purge),
        3 => (0_u8..30).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// A message as the rules have it.
struct Stored {
    group: u8,
    sent_at: u64,
    delayed: bool,
    hidden_until: u64,
    receptions: u32,
    receives: u32,
}

const RETENTION: u64 = 60;

/// What the rules say is stored, by sequence, and the machine beside it.
struct Pair {
    state: QueueState,
    out: Effects,
    stored: BTreeMap<u64, Stored>,
    receipts: Vec<(u64, Receipt, u32)>,
    now: u64,
    sent: u64,
    delay: u64,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Pair {
    fn new(fifo: bool, at_once: usize) -> Self {
        let mut limits = Limits::aws();
        limits.purge_interval = Duration::ZERO;
        let mut settings = if fifo {
            QueueSettings::fifo(&limits)
        } else {
            QueueSettings::standard(&limits)
        };
        settings.message_retention_period = seconds(RETENTION);
        settings.delay = Duration::ZERO;
        let mut state = QueueState::new(settings, Arc::new(limits), StaleDelete::default(), 1, 0);
        state.due_at_once = at_once;
        Self {
            state,
            out: Effects::new(true),
            stored: BTreeMap::new(),
            receipts: Vec::new(),
            now: 0,
            sent: 0,
            delay: 0,
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now * 1_000)
    }

    fn is_visible(&self, sequence: u64) -> bool {
        self.stored[&sequence].hidden_until <= self.now
    }

    /// Whether the message may be received: on a FIFO queue none before it in its group is hidden (F18).
    fn is_receivable(&self, sequence: u64) -> bool {
        let group = self.stored[&sequence].group;
        let mut before = self.stored.range(..sequence).filter(|(_, it)| it.group == group);
        self.is_visible(sequence) && (!self.state.is_fifo() || before.all(|(&before, _)| self.is_visible(before)))
    }

    fn counts(&self) -> [usize; 3] {
        let of = |phase: &dyn Fn(&Stored) -> bool| self.stored.values().filter(|it| phase(it)).count();
        let hidden = |it: &Stored| it.hidden_until > self.now;
        [
            of(&|it| !hidden(it)),
            of(&|it| hidden(it) && !it.delayed),
            of(&|it| hidden(it) && it.delayed),
        ]
    }

    fn forget_expired(&mut self) {
        let now = self.now;
        self.stored.retain(|_, it| it.sent_at + RETENTION > now);
    }

    fn take(&mut self, step: Step) {
        self.forget_expired();
        match step {
            Step::Pass { seconds } => self.now += u64::from(seconds),
            Step::Send { group, delay } => self.send(group, u64::from(delay)),
            Step::Receive { max, timeout } => self.receive(max, u64::from(timeout)),
            Step::Delete { nth } => self.delete(nth),
            Step::DeleteById { nth } => self.delete_by_id(nth),
            Step::ChangeVisibility { nth, timeout } => self.change_visibility(nth, u64::from(timeout)),
            Step::Postpone { nth, delay } => self.postpone(nth, u64::from(delay)),
            Step::DepartOldest => self.depart_oldest(),
            Step::Delay { seconds } => self.change_delay(u64::from(seconds)),
            Step::Purge => {
                drop(self.state.purge(self.at(), &mut self.out).unwrap());
                self.stored.clear();
            }
        }
    }

    fn send(&mut self, group: u8, delay: u64) {
        let message = SendMessage::new("x").message_group_id(group.to_string());
        let content = message.message_deduplication_id(self.sent.to_string()).content;
        let message_id = MessageId::from_random(u128::from(self.sent));
        let asked = Some(seconds(delay));
        let delay = if self.state.is_fifo() { self.delay } else { delay };
        self.state.send(self.at(), message_id, content, asked, &mut self.out);
        let stored = Stored {
            group,
            sent_at: self.now,
            delayed: true,
            hidden_until: self.now + delay,
            receptions: 0,
            receives: 0,
        };
        self.stored.insert(self.sent, stored);
        self.sent += 1;
    }

    /// A receive that looks again while it finds nothing and the queue is behind.
    fn receive(&mut self, max: usize, timeout: u64) {
        let mut deliveries: Vec<Delivery> = Vec::new();
        loop {
            let request = ReceiveRequest {
                max_messages: max,
                max_messages_per_group: usize::MAX,
                visibility_timeout: Some(seconds(timeout)),
                long_poll: false,
                chance: 0,
                attempt_id: None,
                redrive: false,
            };
            let at = self.at();
            let received = self
                .state
                .receive(at, &request, &mut self.out, &mut |slot, record, until| {
                    deliveries.push(Delivery::new(slot, record, until));
                });
            received.unwrap();
            if !(deliveries.is_empty() && self.state.is_behind()) {
                break;
            }
        }
        let none = !self.stored.keys().any(|&sequence| self.is_receivable(sequence));
        assert_eq!(deliveries.is_empty(), none, "{:?} at {}", self.state.counts(), self.now);
        let fifo = self.state.is_fifo();
        for delivery in &deliveries {
            let sequence = delivery.receipt.sequence;
            assert!(self.is_visible(sequence), "{sequence} is hidden");
            let group = self.stored[&sequence].group;
            let mut before = self.stored.range(..sequence).filter(|(_, it)| it.group == group);
            let handed = |before: u64| deliveries.iter().any(|it| it.receipt.sequence == before);
            let in_order = before.all(|(&before, _)| self.is_visible(before) || handed(before));
            assert!(!fifo || in_order, "{sequence} overtakes");
        }
        for delivery in deliveries {
            let stored = self.stored.get_mut(&delivery.receipt.sequence).unwrap();
            (stored.hidden_until, stored.delayed) = (self.now + timeout, false);
            stored.receptions += 1;
            stored.receives += 1;
            assert_eq!(delivery.receive_count, stored.receives);
            let receptions = stored.receptions;
            self.receipts
                .push((delivery.receipt.sequence, delivery.receipt, receptions));
        }
    }

    /// Whether a receipt is that of the latest reception, which goes on.
    fn holds(&self, (sequence, _, receptions): (u64, Receipt, u32)) -> bool {
        let stored = self.stored.get(&sequence);
        stored.is_some_and(|it| it.receptions == receptions && it.hidden_until > self.now)
    }

    /// Without a delay it is a release.
    fn postpone(&mut self, nth: usize, delay: u64) {
        let Some(&receipt) = self.receipts.get(nth) else { return };
        let postponed = self.state.postpone(self.at(), receipt.1, seconds(delay), &mut self.out);
        assert_eq!(postponed.is_ok(), self.holds(receipt));
        if let (Ok(()), Some(it)) = (postponed, self.stored.get_mut(&receipt.0)) {
            it.hidden_until = self.now + delay;
            it.receptions += u32::from(delay > 0);
            it.receives -= 1;
        }
    }

    fn delete(&mut self, nth: usize) {
        let Some(&receipt) = self.receipts.get(nth) else { return };
        let gone = !self.stored.contains_key(&receipt.0);
        let deletes = !self.state.is_fifo() || gone || self.holds(receipt);
        let deleted = self.state.delete(self.at(), receipt.1, &mut self.out);
        assert_eq!(deleted.is_ok(), deletes, "D19");
        if deletes {
            self.stored.remove(&receipt.0);
        }
    }

    /// Of what was ever sent, the same twice perhaps.
    fn delete_by_id(&mut self, nth: [usize; 2]) {
        let mut ids = nth.map(|nth| MessageId::from_random(nth as u128));
        ids.sort_unstable();
        let slots = self.state.slots();
        let deleted = self.state.delete_by_id(self.at(), &ids, slots, &mut self.out);
        let gone = nth.map(|nth| self.stored.remove(&(nth as u64)).is_some());
        assert_eq!(deleted, gone.into_iter().filter(|&gone| gone).count());
    }

    fn change_visibility(&mut self, nth: usize, timeout: u64) {
        let Some(&receipt) = self.receipts.get(nth) else { return };
        let changed = self
            .state
            .change_visibility(self.at(), receipt.1, seconds(timeout), &mut self.out);
        let stored = self.stored.get_mut(&receipt.0);
        if self.state.is_fifo() {
            let held = stored.is_some_and(|it| it.receptions == receipt.2 && it.hidden_until > self.now);
            assert_eq!(changed.is_ok(), held, "D19");
        } else {
            assert_eq!(changed.is_ok(), self.stored.contains_key(&receipt.0), "D19");
        }
        if let (Ok(()), Some(it)) = (changed, self.stored.get_mut(&receipt.0)) {
            if it.hidden_until > self.now && !it.delayed {
                it.hidden_until = self.now + timeout;
            }
        }
    }

    fn depart_oldest(&mut self) {
        let departure = loop {
            self.state.depart_oldest(self.at(), &mut self.out);
            let departure = self.out.departures.pop();
            if departure.is_some() || !self.state.is_behind() {
                break departure;
            }
        };
        let visible = self.stored.keys().any(|&sequence| self.is_visible(sequence));
        assert_eq!(departure.is_some(), visible, "L31");
        if let Some(departure) = departure {
            assert!(self.is_visible(departure.sequence));
            self.state.departed(self.at(), &departure, &mut self.out);
            self.stored.remove(&departure.sequence);
        }
    }

    fn change_delay(&mut self, delay: u64) {
        self.catch_up();
        self.delay = delay;
        let settings = QueueSettings {
            delay: seconds(delay),
            ..self.state.settings().clone()
        };
        self.state.replace_settings(self.at(), settings, &mut self.out);
        if self.state.is_fifo() {
            for stored in self
                .stored
                .values_mut()
                .filter(|it| it.delayed && it.hidden_until > self.now)
            {
                stored.hidden_until = stored.sent_at + delay;
            }
        }
    }

    fn catch_up(&mut self) {
        self.forget_expired();
        while {
            self.state.advance(self.at(), &mut self.out);
            self.state.is_behind()
        } {}
        let counts = self.state.counts();
        let counted = [counts.visible, counts.in_flight, counts.delayed];
        assert_eq!(counted, self.counts(), "C1-C3");
        let facts = self.out.facts.iter().map(|it| it.at).collect::<Vec<_>>();
        assert!(facts.is_sorted(), "{facts:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_queue_that_is_behind_answers_by_the_rules(
        fifo: bool,
        at_once in 1_usize..4,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        // D41 D19 F18 L31 C1-C3
        let mut pair = Pair::new(fifo, at_once);
        for (number, step) in steps.into_iter().enumerate() {
            pair.take(step);
            if number % 16 == 15 {
                pair.catch_up();
            }
        }
        pair.catch_up();
    }
}

#[test]
fn an_attempt_that_may_receive_nothing_notes_nothing_of_later_receives() {
    // F31
    let mut pair = Pair::new(true, 1);
    Arc::make_mut(&mut pair.state.limits).in_flight_fifo = 0;
    let request = ReceiveRequest {
        max_messages: 1,
        max_messages_per_group: usize::MAX,
        visibility_timeout: None,
        long_poll: false,
        chance: 0,
        attempt_id: Some(&"attempt".into()),
        redrive: false,
    };
    let received = pair
        .state
        .receive(pair.at(), &request, &mut pair.out, &mut |_, _, _| ());
    assert_eq!((received, pair.state.noted_receipts), (Ok(()), None));
}
