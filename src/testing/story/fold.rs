//! Cycles in a story: a block of events that comes again and again is told once.

use {
    super::Event,
    std::{collections::HashMap, ops::Range},
};

/// The longest block that is looked for.
const LONGEST: usize = 12;
/// So often a block with a constant period has to come.
const FEWEST: usize = 3;
/// So often one has to come without a period: these are few events of their own more often than a cycle.
const FEWEST_LOOSE: usize = 5;
/// So many lines a fold has to save, one with a period and one without, which says less.
const PRICES: [usize; 2] = [2, 6];

/// A block of events that comes several times, one right after the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cycle {
    /// Its first occurrence.
    pub(super) first: Range<usize>,
    /// How often it comes, the first included.
    pub(super) times: usize,
    /// The time between two, in milliseconds, unless it is nothing or differs.
    pub(super) period: Option<u64>,
}

impl Cycle {
    /// All of its events.
    pub(super) const fn all(&self) -> Range<usize> {
        self.first.start..self.first.start + self.times * (self.first.end - self.first.start)
    }

    /// How many of its events are not told.
    pub(super) const fn left_out(&self) -> usize {
        self.all().end - self.first.end
    }

    /// The end of its last occurrence.
    pub(super) fn last<'a>(&self, events: &'a [Event]) -> &'a Event {
        &events[self.all().end - 1]
    }

    /// The last message of its last occurrence, if that is about other messages than the first.
    pub(super) fn last_message<'a>(&self, events: &'a [Event]) -> Option<&'a str> {
        let before_last = self.left_out();
        let other = |at: &usize| events[*at].messages != events[at + before_last].messages;
        let at = self.first.clone().rev().find(other)?;
        events[at + before_last].messages.last().map(String::as_str)
    }
}

/// What is told in one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Row {
    /// The event at this place.
    Event(usize),
    /// That what the rows before have told comes again.
    Again(Cycle),
}

/// The shortest way to tell the events: each of them, or the first occurrence of a cycle and that it comes again.
///
/// The last event is always told itself.
pub(super) fn fold(events: &[Event]) -> Vec<Row> {
    let count = events.len().saturating_sub(1);
    let cycles = shortest(&events[..count]);
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < count {
        let Some(cycle) = &cycles[at] else {
            rows.push(Row::Event(at));
            at += 1;
            continue;
        };
        rows.extend(cycle.first.clone().map(Row::Event));
        at = cycle.all().end;
        rows.push(Row::Again(cycle.clone()));
    }
    rows.extend((count..events.len()).map(Row::Event));
    rows
}

/// For each place the cycle that begins there in the shortest way to tell what follows, if one does.
fn shortest(events: &[Event]) -> Vec<Option<Cycle>> {
    let count = events.len();
    let shapes = shapes(events);
    let runs: Vec<Runs> = (1..=LONGEST.min(count / FEWEST))
        .map(|block| Runs::of(events, &shapes, block))
        .collect();
    let mut costs = vec![0; count + 1];
    let mut chosen = vec![None; count];
    for at in (0..count).rev() {
        costs[at] = 1 + costs[at + 1];
        for runs in &runs {
            for cycle in runs.cycles(events, at) {
                let price = PRICES[usize::from(cycle.period.is_none())];
                let cost = runs.block + 1 + price + costs[cycle.all().end];
                // Of two that are equally short the earlier begins earlier, and the shorter block says more.
                if cost < costs[at] || (cost == costs[at] && chosen[at].is_none()) {
                    (costs[at], chosen[at]) = (cost, Some(cycle));
                }
            }
        }
    }
    chosen
}

/// An event without its time: equal numbers stand for what is equal up to the numbers in its text.
struct Shape {
    kind: usize,
    numbers: Vec<u64>,
}

impl Shape {
    /// Whether the numbers grow from `self` to `second` as they do from `second` to `third`.
    fn grows_evenly(&self, second: &Self, third: &Self) -> bool {
        let mut each = self.numbers.iter().zip(&second.numbers).zip(&third.numbers);
        each.all(|((first, second), third)| second.wrapping_sub(*first) == third.wrapping_sub(*second))
    }
}

fn shapes(events: &[Event]) -> Vec<Shape> {
    let mut kinds = HashMap::new();
    let mut shapes = Vec::with_capacity(events.len());
    for event in events {
        let (text, mut numbers) = without_numbers(&event.what);
        let mut messages = Vec::with_capacity(event.messages.len());
        for message in &event.messages {
            let (name, number) = without_numbers(message);
            messages.push(name);
            numbers.extend(number);
        }
        let key = (
            &event.who,
            text,
            event.fault,
            &event.queue,
            messages,
            event.place,
            event.kind,
        );
        let next = kinds.len();
        let kind = *kinds.entry(key).or_insert(next);
        shapes.push(Shape { kind, numbers });
    }
    shapes
}

/// A text with its numbers taken out.
fn without_numbers(text: &str) -> (String, Vec<u64>) {
    let (mut rest, mut numbers, mut digits) = (String::with_capacity(text.len()), Vec::new(), String::new());
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            match digits.parse() {
                Ok(number) => {
                    numbers.push(number);
                    rest.push('0');
                }
                Err(_) => rest.push_str(&digits),
            }
            digits.clear();
        }
        rest.push(letter);
    }
    (rest, numbers)
}

/// For each place, how many events from there on come again one block later, all after the same time or after any.
struct Runs {
    block: usize,
    even: Vec<usize>,
    loose: Vec<usize>,
}

impl Runs {
    fn of(events: &[Event], shapes: &[Shape], block: usize) -> Self {
        let compared = events.len() - block;
        let comes_again = |at: usize| shapes[at].kind == shapes[at + block].kind;
        let later = |at: usize| events[at + block].at_millis.wrapping_sub(events[at].at_millis);
        let (mut even, mut loose) = (vec![0; events.len() + 1], vec![0; events.len() + 1]);
        for at in (0..compared).rev().filter(|at| comes_again(*at)) {
            let (mut with_period, mut without) = (1, 1 + loose[at + 1]);
            if even[at + 1] > 0 && later(at) == later(at + 1) {
                with_period += even[at + 1];
            }
            // Numbers have to grow evenly through all occurrences, or the run ends with the second.
            if without > block && !shapes[at].grows_evenly(&shapes[at + block], &shapes[at + 2 * block]) {
                with_period = with_period.min(block);
                without = block;
            }
            (even[at], loose[at]) = (with_period, without);
        }
        Self { block, even, loose }
    }

    /// The cycles of this block that begin at a place.
    fn cycles(&self, events: &[Event], at: usize) -> impl Iterator<Item = Cycle> {
        let period = match self.even[at] {
            0 => 0,
            _ => events[at + self.block].at_millis.saturating_sub(events[at].at_millis),
        };
        let of = |run: usize, period: Option<u64>| Cycle {
            first: at..at + self.block,
            times: 1 + run / self.block,
            period,
        };
        let with_period = (period > 0).then(|| of(self.even[at], Some(period)));
        let candidates = [
            with_period.filter(|it| it.times >= FEWEST),
            Some(of(self.loose[at], None)).filter(|it| it.times >= FEWEST_LOOSE),
        ];
        candidates.into_iter().flatten()
    }
}
