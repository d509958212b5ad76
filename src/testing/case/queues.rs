//! The queues of a case, and the links between them.

use {
    super::{Unfit, clock::CaseClock},
    crate::{
        clock::ManualClock,
        queue::{FactListener, Queue, QueueBuilder},
        state::FactEntry,
        testing::{
            ledger::Ledger,
            net::{Facts, Line},
            schedule::Plan,
            setup::{QueueConfig, Setup},
        },
    },
    std::sync::Arc,
};

pub(in crate::testing) struct Queues {
    pub(in crate::testing) lines: Vec<Line>,
    pub(in crate::testing) ledgers: Vec<Ledger>,
    pub(in crate::testing) facts: Facts,
}

struct Listener(Facts);

impl FactListener for Listener {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.0.lock().push((Arc::clone(queue), entry.clone()));
    }
}

/// A queue, and how many receives a message has if it has a dead-letter queue.
type Built = (Queue, Option<u32>);

/// Builds the queues of a case: those of the check in its order, then the dead-letter queues of their own.
pub(in crate::testing) fn build<W>(setup: &Setup<W>, plan: &Plan, clock: &ManualClock) -> Result<Queues, Unfit> {
    let forms: Vec<&QueueConfig> = setup.variant(plan.variant).collect();
    let mut building = Building {
        setup,
        clock: CaseClock::new(clock),
        seed: plan.seed,
        shards: plan.shards,
        facts: Facts::default(),
        built: forms.iter().map(|_| None).collect(),
        own: Vec::new(),
    };
    for at in 0..forms.len() {
        building.with_its_targets(&forms, at, 0)?;
    }
    let own = building.own.into_iter().map(|queue| (queue, None));
    let all: Vec<Built> = building.built.into_iter().flatten().chain(own).collect();
    Ok(Queues {
        lines: all.iter().map(|it| Line::new(&it.0, clock)).collect(),
        ledgers: all
            .iter()
            .map(|(queue, allowed)| Ledger::new(queue, *allowed))
            .collect(),
        facts: building.facts,
    })
}

struct Building<'b, W> {
    setup: &'b Setup<W>,
    clock: CaseClock,
    seed: u64,
    shards: usize,
    facts: Facts,
    built: Vec<Option<Built>>,
    /// The dead-letter queues that belong to one queue.
    own: Vec<Queue>,
}

impl<W> Building<'_, W> {
    /// Builds a queue after the one that takes its dead letters.
    fn with_its_targets(&mut self, forms: &[&QueueConfig], at: usize, depth: usize) -> Result<(), Unfit> {
        if self.built[at].is_some() {
            return Ok(());
        }
        let name = forms[at].name();
        let redrive = self.setup.redrives.iter().find(|it| it.source == name);
        let target = match (redrive, forms[at].max_receive_count) {
            (Some(redrive), _) => {
                let target = forms.iter().position(|form| form.name() == redrive.target);
                let target = target.ok_or_else(|| Unfit::NoQueue(redrive.target.clone()))?;
                if depth > forms.len() {
                    return Err(Unfit::Circle(name.to_owned()));
                }
                self.with_its_targets(forms, target, depth + 1)?;
                let target = self.built[target].as_ref().map(|it| it.0.clone());
                target.map(|target| (target, redrive.max_receive_count))
            }
            (None, Some(max_receive_count)) => {
                let target = self.dead_letters_of(forms[at], (forms.len() + at) as u64)?;
                self.own.push(target.clone());
                Some((target, max_receive_count))
            }
            (None, None) => None,
        };
        let mut builder = (forms[at].build)();
        if let Some((target, max_receive_count)) = &target {
            builder = builder.dead_letter(target, *max_receive_count);
        }
        if self.shards > 1 && !forms[at].is_fifo() {
            builder = builder.shards(self.shards);
        }
        let queue = self.finish(builder, at as u64)?;
        self.built[at] = Some((queue, target.map(|it| it.1)));
        Ok(())
    }

    fn dead_letters_of(&self, source: &QueueConfig, salt: u64) -> Result<Queue, Unfit> {
        let name = source.dead_letters_name();
        let builder = match source.is_fifo() {
            true => Queue::fifo(name),
            false => Queue::standard(name),
        };
        self.finish(builder, salt)
    }

    fn finish(&self, builder: QueueBuilder, salt: u64) -> Result<Queue, Unfit> {
        let listener = Listener(Arc::clone(&self.facts));
        let builder = builder
            .clock(self.clock.clone())
            .seed(self.seed ^ salt)
            .listener(listener);
        builder.build().map_err(Unfit::Queue)
    }
}
