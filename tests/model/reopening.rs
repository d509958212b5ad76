//! Queues with a journal: each case closes, drops or crashes them on the way, and goes on with what is opened.

use proptest::{prelude::*, test_runner::TestRunner};
use requeue::{ManualClock, Queue, Service, Timestamp, journal::Durability};
use std::path::Path;

use crate::compare::{Pair, Same};
use crate::directory::{self, Directory};
use crate::listening::Listening;
use crate::properties::config;
use crate::reference::SECOND;
use crate::shapes::*;
use crate::steps::{Ending, Shape, Step, reopened};
use crate::translate::{name, queues_of_a_service, service_builder};
use crate::ways::{Setting, Ways, setting};

/// Each case writes files: fewer cases than of queues in memory.
const ONE_IN: u32 = 10;

/// So small that segments are filled and removed within a case.
const SEGMENT: u64 = 4_096;

const MOST_STEPS: usize = 80;

fn open(shape: &Shape, setting: Setting, listening: Option<&Listening>, clock: &ManualClock, at: &Path) -> Service {
    let journal = service_builder(shape, setting, listening, clock).journal(at);
    journal
        .segment_bytes(SEGMENT)
        .durability(Durability::Written)
        .open()
        .unwrap_or_else(|error| panic!("the journal is not opened: {error}"))
}

impl Pair {
    fn with_a_journal(shape: &Shape, setting: Setting) -> Self {
        let listening = setting.listener.then(Listening::default);
        let (clock, directory) = (ManualClock::default(), Directory::new());
        let service = open(shape, setting, listening.as_ref(), &clock, &directory.join("journal"));
        let queues = queues_of_a_service(shape, &service);
        let queues = (Some(service), queues);
        let mut pair = Self::of(shape, setting, Ways::default(), clock, listening, queues);
        pair.directory = Some(directory);
        pair
    }

    /// Once it is recorded, everything before it is.
    pub(crate) fn record_a_tag(&self) -> Same {
        let service = self.service.as_ref().ok_or("queues with a journal are in a service")?;
        let tagged = service.tag_queue(&name(0, &self.shape.setups[0]), [("recorded", "")]);
        tagged.map_err(|error| error.to_string())
    }

    pub(crate) fn reopen(&mut self, ending: Ending) -> Same {
        if !self.shape.fifo() && self.shape.groups > 0 {
            // Processing times are forgotten, except of what is due and not done: the queue has not seen its end.
            (0..self.queues.len()).try_for_each(|queue| self.look(queue))?;
        }
        let directory = self.directory.as_ref().ok_or("queues in memory are not opened again")?;
        let (path, crashed) = (directory.join("journal"), directory.join("crashed"));
        if matches!(ending, Ending::Crashed) {
            // What nobody was told of may be lost, such as a move to a dead-letter queue by a receive that found nothing.
            // The reference loses nothing, and so all of it is written.
            self.record_a_tag()?;
            directory::copy(&path, &crashed);
        }
        self.waiters.clear();
        self.messages.clear();
        self.queues.clear();
        let service = self.service.take().ok_or("queues with a journal are in a service")?;
        if matches!(ending, Ending::Closed) {
            service
                .close()
                .map_err(|error| format!("the journal is not closed: {error}"))?;
        }
        drop(service);
        if matches!(ending, Ending::Crashed) {
            std::fs::remove_dir_all(&path).map_err(|error| error.to_string())?;
            std::fs::rename(&crashed, &path).map_err(|error| error.to_string())?;
        }
        if let Some(listening) = &self.listening {
            listening.begin_again();
        }
        // A clock that is behind at an opening moves all instants back, which the reference does not know.
        self.clock.advance_to(Timestamp::from_millis(self.world.now()));
        let service = open(&self.shape, self.setting, self.listening.as_ref(), &self.clock, &path);
        let find = |(place, setup)| service.queue(&name(place, setup));
        let queues: Result<Vec<Queue>, _> = self.shape.setups.iter().enumerate().map(find).collect();
        self.queues = queues.map_err(|error| format!("a queue is gone: {error}"))?;
        self.service = Some(service);
        self.world.reopen();
        Ok(())
    }
}

fn agree(shape: &Shape, setting: Setting, steps: &[Step]) -> Result<(), TestCaseError> {
    // Messages belong to the queue that delivered them, which ends; a future that sends waits for the journal too.
    let setting = Setting {
        by_message: false,
        sends_wait: false,
        ..setting
    };
    let mut pair = Pair::with_a_journal(shape, setting);
    for (place, step) in steps.iter().enumerate() {
        pair.step(step)
            .map_err(|difference| TestCaseError::fail(format!("step {place}, {step:?}\n{difference}")))?;
    }
    Ok(())
}

fn all_agree(shape: &Shape) {
    let mut config = config();
    config.cases = config.cases.div_ceil(ONE_IN);
    config.max_shrink_iters /= ONE_IN;
    let mut runner = TestRunner::new(config);
    let result = runner.run(&(setting(shape), reopened(shape, MOST_STEPS)), |(setting, steps)| {
        agree(shape, setting, &steps)
    });
    if let Err(failure) = result {
        panic!("{failure}\n{runner}");
    }
}

macro_rules! queues_that_are_opened_again_agree_with_the_reference {
    ($($shape:ident)*) => {
        mod queues_that_are_opened_again_agree_with_the_reference {
            $(
                #[test]
                fn $shape() {
                    super::all_agree(&super::$shape());
                }
            )*
        }
    };
}

queues_that_are_opened_again_agree_with_the_reference! {
    standard
    fair
    fifo_with_one_memory
    fifo_with_a_memory_per_group
    standard_chain
    fifo_with_a_dead_letter_queue
    standard_whose_dead_letter_queue_is_gone
    fifo_whose_dead_letter_queue_is_gone
    standard_with_a_few_in_flight
    fifo_with_a_few_in_flight
    standard_delayed
    fifo_delayed
    standard_sampled
}

/// A visibility timeout and the memory of deduplication, opened over and over.
#[test]
fn a_day_of_openings_is_like_none() {
    use crate::steps::Move;
    let steps: Vec<_> = (0..60)
        .map(|place| match place % 3 {
            0 => Step::Reopen([Ending::Closed, Ending::Dropped, Ending::Crashed][place / 3 % 3]),
            1 => Step::Burst { queue: 0, messages: 10 },
            _ => Step::Clock(Move::By(25 * SECOND)),
        })
        .collect();
    agree(&fifo_with_one_memory(), Setting::default(), &steps).unwrap();
}
