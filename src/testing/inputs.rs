//! What a check sends: independent draws, and sequences whose order is kept.

use {
    super::{
        schedule::{CaseSchedule, PlannedMessage},
        source::Step,
        watchdog::{self, Call},
    },
    crate::message::SendMessage,
    proptest::{
        strategy::{BoxedStrategy, Strategy, ValueTree},
        test_runner::{Config, Reason, TestRng, TestRunner},
    },
    std::{
        cell::OnceCell,
        collections::{BTreeSet, VecDeque},
    },
};

/// So often a part is made simpler for each of its messages.
const MOST_SIMPLIFICATIONS: usize = 64;

/// How the messages of one source are drawn.
enum Draws {
    /// Each by itself.
    Each(BoxedStrategy<SendMessage>),
    /// All at once, in their order.
    Sequence(BoxedStrategy<Vec<SendMessage>>),
}

struct Source {
    /// The name of the queue that they are sent to; `None` for the first.
    queue: Option<String>,
    /// Its place among the queues of the check, once that has been examined.
    place: OnceCell<usize>,
    draws: Draws,
}

/// What a check sends.
#[derive(Default)]
pub(super) struct Inputs(Vec<Source>);

impl Inputs {
    pub(super) fn add_each(&mut self, queue: Option<String>, strategy: BoxedStrategy<SendMessage>) {
        self.add(queue, Draws::Each(strategy));
    }

    pub(super) fn add_sequence(&mut self, strategy: BoxedStrategy<Vec<SendMessage>>) {
        self.add(None, Draws::Sequence(strategy));
    }

    /// In the place of what has been said of the same queue in the same way.
    fn add(&mut self, queue: Option<String>, draws: Draws) {
        let is_sequence = |draws: &Draws| matches!(draws, Draws::Sequence(_));
        self.0
            .retain(|it| it.queue != queue || is_sequence(&it.draws) != is_sequence(&draws));
        let place = OnceCell::new();
        self.0.push(Source { queue, place, draws });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the queues that are named; the name of one that `place_of` does not know is the error.
    pub(super) fn resolve(&self, place_of: impl Fn(&str) -> Option<usize>) -> Result<(), String> {
        for source in &self.0 {
            let place = match &source.queue {
                Some(queue) => place_of(queue).ok_or_else(|| queue.clone())?,
                None => 0,
            };
            source.place.get_or_init(|| place);
        }
        Ok(())
    }

    /// `count` independent messages, if there is a strategy for such, and all of each sequence. Between them chance decides
    /// the order.
    pub(super) fn draw(&self, rng: TestRng, count: u64) -> Result<Drawn, Reason> {
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let (mut parts, mut lanes, mut independent) = (Vec::new(), Vec::new(), Vec::new());
        for source in &self.0 {
            match &source.draws {
                Draws::Each(strategy) => independent.push((strategy, source.place())),
                Draws::Sequence(strategy) => {
                    let tree = strategy.new_tree(&mut runner)?;
                    let all = (0..tree.current().len()).map(|number| (parts.len(), number));
                    lanes.push(all.collect::<VecDeque<_>>());
                    parts.push(Part {
                        tree: Tree::Sequence(tree),
                        queue: source.place(),
                    });
                }
            }
        }
        if !independent.is_empty() {
            let mut lane = VecDeque::new();
            for _ in 0..count {
                let (strategy, queue) = independent[below(independent.len(), &mut runner)?];
                lane.push_back((parts.len(), 0));
                let tree = Tree::One(strategy.new_tree(&mut runner)?);
                parts.push(Part { tree, queue });
            }
            lanes.push(lane);
        }
        let places = merged(lanes, &mut runner)?;
        Ok(Drawn { parts, places })
    }
}

impl Source {
    fn place(&self) -> usize {
        self.place.get().copied().unwrap_or_default()
    }
}

fn below(bound: usize, runner: &mut TestRunner) -> Result<usize, Reason> {
    match bound {
        0 | 1 => Ok(0),
        _ => Ok((0..bound).new_tree(runner)?.current()),
    }
}

/// One order of all, in which those of a lane keep theirs.
fn merged<T>(mut lanes: Vec<VecDeque<T>>, runner: &mut TestRunner) -> Result<Vec<T>, Reason> {
    let mut merged = Vec::new();
    loop {
        lanes.retain(|lane| !lane.is_empty());
        let chosen = match &mut lanes[..] {
            [] => return Ok(merged),
            [last] => last,
            several => {
                let mut left = below(several.iter().map(VecDeque::len).sum(), runner)?;
                let is_it = |lane: &&mut VecDeque<T>| {
                    let is_it = left < lane.len();
                    left = left.saturating_sub(lane.len());
                    is_it
                };
                let Some(chosen) = several.iter_mut().find(is_it) else {
                    return Ok(merged);
                };
                chosen
            }
        };
        merged.extend(chosen.pop_front());
    }
}

enum Tree {
    One(Box<dyn ValueTree<Value = SendMessage>>),
    Sequence(Box<dyn ValueTree<Value = Vec<SendMessage>>>),
}

impl Tree {
    fn current(&self) -> Vec<SendMessage> {
        match self {
            Self::One(tree) => vec![tree.current()],
            Self::Sequence(tree) => tree.current(),
        }
    }

    fn simplify(&mut self) -> bool {
        match self {
            Self::One(tree) => tree.simplify(),
            Self::Sequence(tree) => tree.simplify(),
        }
    }

    fn complicate(&mut self) -> bool {
        match self {
            Self::One(tree) => tree.complicate(),
            Self::Sequence(tree) => tree.complicate(),
        }
    }
}

/// Messages that are made simpler together.
struct Part {
    tree: Tree,
    queue: usize,
}

/// The messages of a case, which can be made simpler.
#[derive(Default)]
pub(super) struct Drawn {
    parts: Vec<Part>,
    /// Of each message its part, and its number in it.
    places: Vec<(usize, usize)>,
}

impl Drawn {
    /// In the order in which they are sent.
    pub(super) fn messages(&self) -> Vec<PlannedMessage> {
        let current = || self.parts.iter().map(|part| part.tree.current()).collect();
        let current: Vec<_> = watchdog::within(Call::Strategy, current);
        let planned = self.places.iter().map(|(part, number)| PlannedMessage {
            message: current[*part][*number].clone(),
            queue: self.parts[*part].queue,
        });
        planned.collect()
    }

    /// Leaves only the first, of sequences too.
    pub(super) fn truncate(&mut self, count: usize) {
        self.places.truncate(count);
    }

    /// Makes what a schedule sends simpler, part by part, as long as it still fails, and until nobody tries any more whether
    /// it does. Steps that send what a simpler sequence has no longer are left out.
    pub(super) fn simplify(
        mut self,
        mut schedule: CaseSchedule,
        mut still_fails: impl FnMut(&CaseSchedule) -> Option<bool>,
    ) -> CaseSchedule {
        for at in 0..self.parts.len() {
            let sent = self.sent(at, &schedule);
            if sent == 0 {
                continue;
            }
            let first = self.first(at, &schedule);
            if first != schedule {
                match still_fails(&first) {
                    Some(true) => schedule = first,
                    Some(false) => {}
                    None => return schedule,
                }
            }
            let mut more = self.parts[at].tree.simplify();
            for _ in 0..MOST_SIMPLIFICATIONS * sent {
                if !more {
                    break;
                }
                let simpler = self.with(at, &schedule);
                let fails = if simpler == schedule {
                    Some(true)
                } else {
                    still_fails(&simpler)
                };
                more = match fails {
                    Some(true) => {
                        schedule = simpler;
                        self.parts[at].tree.simplify()
                    }
                    Some(false) => self.parts[at].tree.complicate(),
                    None => return schedule,
                };
            }
        }
        schedule
    }

    /// How many messages of a part a schedule sends.
    fn sent(&self, part: usize, schedule: &CaseSchedule) -> usize {
        let is_of_it = |step: &&Step| {
            let Step::Send { message, .. } = step else { return false };
            self.places.get(*message).is_some_and(|it| it.0 == part)
        };
        schedule.steps.iter().filter(is_of_it).count()
    }

    /// The schedule with the first messages of a part instead of those that it sends.
    fn first(&self, part: usize, schedule: &CaseSchedule) -> CaseSchedule {
        let is_of_it = |place: usize| self.places.get(place).is_some_and(|it| it.0 == part);
        let own: Vec<usize> = (0..self.places.len()).filter(|place| is_of_it(*place)).collect();
        let sends = schedule.steps.iter().filter_map(|step| match step {
            Step::Send { message, .. } if is_of_it(*message) => Some(*message),
            _ => None,
        });
        let sent: BTreeSet<usize> = sends.collect();
        let mut first = schedule.clone();
        for step in &mut first.steps {
            if let Step::Send { message, .. } = step {
                let place = sent.iter().position(|it| it == message);
                *message = place.and_then(|place| own.get(place).copied()).unwrap_or(*message);
            }
        }
        first
    }

    /// The schedule with the messages of this part as they are now.
    fn with(&self, part: usize, schedule: &CaseSchedule) -> CaseSchedule {
        let (mut simpler, current) = (schedule.clone(), self.parts[part].tree.current());
        let own = self.places.iter().enumerate().filter(|(_, it)| it.0 == part);
        for (place, (_, number)) in own {
            let planned = simpler.plan.messages.get_mut(place);
            if let (Some(planned), Some(message)) = (planned, current.get(*number)) {
                planned.message = message.clone();
            }
        }
        simpler.steps.retain(|step| match step {
            Step::Send { message, .. } => {
                let place = self.places.get(*message);
                place.is_none_or(|(of, number)| *of != part || *number < current.len())
            }
            _ => true,
        });
        simpler
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::testing::schedule::Plan,
        proptest::{collection::vec, strategy::Just, test_runner::RngAlgorithm},
    };

    fn rng(seed: u8) -> TestRng {
        TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
    }

    fn bodies(drawn: &Drawn) -> Vec<String> {
        let messages = drawn.messages().into_iter();
        messages.map(|it| it.message.body().to_owned()).collect()
    }

    fn numbered(counts: impl Strategy<Value = usize> + 'static) -> BoxedStrategy<Vec<SendMessage>> {
        let name = |number| SendMessage::new(format!("order-{number}"));
        counts.prop_map(move |count| (1..=count).map(name).collect()).boxed()
    }

    #[test]
    fn a_sequence_keeps_its_order_between_independent_messages() {
        let mut inputs = Inputs::default();
        inputs.add_sequence(numbered(Just(5)));
        inputs.add_each(Some("payments".to_owned()), Just(SendMessage::new("5 EUR")).boxed());
        inputs.resolve(|name| (name == "payments").then_some(1)).unwrap();
        let mut orders = Vec::new();
        for seed in 0..20 {
            let drawn = inputs.draw(rng(seed), 3).unwrap();
            let messages = drawn.messages();
            assert_eq!(messages.len(), 8);
            assert!(
                messages
                    .iter()
                    .all(|it| (it.queue == 1) == (it.message.body() == "5 EUR"))
            );
            let bodies = bodies(&drawn);
            let sequence: Vec<_> = bodies.iter().filter(|it| *it != "5 EUR").collect();
            assert_eq!(sequence, ["order-1", "order-2", "order-3", "order-4", "order-5"]);
            orders.push(bodies);
        }
        orders.sort();
        orders.dedup();
        assert!(orders.len() > 10, "chance decides what is sent between the others");
    }

    #[test]
    fn a_queue_that_the_check_does_not_have_is_named() {
        let mut inputs = Inputs::default();
        inputs.add_each(Some("payments".to_owned()), Just(SendMessage::new("5 EUR")).boxed());
        assert_eq!(inputs.resolve(|_| None), Err("payments".to_owned()));
    }

    #[test]
    fn a_sequence_gets_shorter_with_its_sends() {
        let mut inputs = Inputs::default();
        inputs.add_sequence(vec("[a-z]{1,9}".prop_map(SendMessage::new), 0..9).boxed());
        let long = (0..).map(|seed| inputs.draw(rng(seed), 1).unwrap());
        let drawn = long.into_iter().find(|it| it.messages().len() > 4).unwrap();
        let messages = drawn.messages();
        let send = |message| Step::Send { message, strike: None };
        let schedule = CaseSchedule {
            plan: Plan {
                seed: 0,
                variant: 0,
                shards: 1,
                messages: messages.clone(),
            },
            steps: (0..messages.len())
                .map(send)
                .chain([Step::RunFor { acts: 2 }])
                .collect(),
        };
        let sends = |schedule: &CaseSchedule| schedule.steps.len() - 1;
        let simpler = drawn.simplify(schedule, |candidate| Some(sends(candidate) >= 3));
        assert_eq!(sends(&simpler), 3);
        let sent = simpler.plan.messages.iter().take(3);
        assert!(
            sent.clone().all(|it| it.message.body() == "a"),
            "{:?}",
            sent.collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_first_of_a_sequence_are_sent_rather_than_the_last() {
        let mut inputs = Inputs::default();
        inputs.add_sequence(numbered(Just(5)));
        let drawn = inputs.draw(rng(0), 1).unwrap();
        let send = |message| Step::Send { message, strike: None };
        let schedule = CaseSchedule {
            plan: Plan {
                seed: 0,
                variant: 0,
                shards: 1,
                messages: drawn.messages(),
            },
            steps: vec![send(2), Step::RunFor { acts: 1 }, send(4)],
        };
        let simpler = drawn.simplify(schedule, |_| Some(true));
        assert_eq!(simpler.steps, [send(0), Step::RunFor { acts: 1 }, send(1)]);
    }

    #[test]
    fn the_first_of_a_sequence_can_be_had_alone() {
        let mut inputs = Inputs::default();
        inputs.add_sequence(numbered(Just(5)));
        let mut drawn = inputs.draw(rng(0), 1).unwrap();
        drawn.truncate(2);
        assert_eq!(bodies(&drawn), ["order-1", "order-2"]);
    }
}
