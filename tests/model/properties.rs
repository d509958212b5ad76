//! One property per kind of queue; each gives the same steps to the library and to the reference.

use std::env;

use proptest::{prelude::*, test_runner::FileFailurePersistence};

use crate::compare::Pair;
use crate::model::*;
use crate::steps::{Shape, Step, steps};

/// `REQUEUE_MODEL_CASES` sets the number of cases of each property.
fn config() -> ProptestConfig {
    let cases = env::var("REQUEUE_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(200),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/model.txt",
        ))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

const MOST_STEPS: usize = 80;

pub(crate) fn agree(shape: &Shape, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(shape);
    for (place, step) in steps.iter().enumerate() {
        pair.step(step)
            .map_err(|difference| TestCaseError::fail(format!("step {place}, {step:?}\n{difference}")))?;
    }
    Ok(())
}

fn small(setup: Setup) -> Setup {
    setup.maximum_message_size(1_024)
}

fn shape(groups: usize, setups: &[Setup]) -> Shape {
    let limits = ModelLimits {
        batch_bytes: 3_000,
        ..ModelLimits::default()
    };
    Shape {
        setups: setups.iter().cloned().map(small).collect(),
        limits,
        groups,
        redrives: false,
    }
}

pub(crate) fn standard() -> Shape {
    shape(0, &[Setup::standard()])
}

pub(crate) fn fair() -> Shape {
    let mut shape = shape(3, &[Setup::standard().visibility_timeout(2 * SECOND)]);
    shape.limits.noisy_in_flight = 3;
    shape
}

pub(crate) fn fifo_with_one_memory() -> Shape {
    shape(3, &[Setup::fifo()])
}

pub(crate) fn fifo_with_a_memory_per_group() -> Shape {
    shape(
        2,
        &[Setup::fifo()
            .deduplication_scope(Scope::MessageGroup)
            .content_based_deduplication(false)],
    )
}

pub(crate) fn standard_chain() -> Shape {
    let setups = [
        Setup::standard().visibility_timeout(SECOND).redrive(1, 2),
        Setup::standard().redrive(2, 1),
        Setup::standard(),
    ];
    Shape {
        redrives: true,
        ..shape(2, &setups)
    }
}

pub(crate) fn fifo_with_a_dead_letter_queue() -> Shape {
    let setups = [
        Setup::fifo().visibility_timeout(SECOND).redrive(1, 2),
        Setup::fifo().message_retention_period(60 * SECOND),
    ];
    Shape {
        redrives: true,
        ..shape(3, &setups)
    }
}

pub(crate) fn standard_with_a_few_in_flight() -> Shape {
    let mut shape = shape(0, &[Setup::standard().redrive(1, 2), Setup::standard()]);
    shape.limits.in_flight = 3;
    shape
}

pub(crate) fn fifo_with_a_few_in_flight() -> Shape {
    let mut shape = shape(3, &[Setup::fifo().redrive(1, 3), Setup::fifo()]);
    shape.limits.in_flight = 3;
    shape
}

pub(crate) fn standard_delayed() -> Shape {
    shape(
        1,
        &[Setup::standard()
            .delay(2 * SECOND)
            .message_retention_period(60 * SECOND)],
    )
}

pub(crate) fn fifo_delayed() -> Shape {
    shape(
        2,
        &[Setup::fifo().delay(2 * SECOND).message_retention_period(60 * SECOND)],
    )
}

macro_rules! the_library_agrees_with_the_reference {
    ($($shape:ident)*) => {
        mod the_library_agrees_with_the_reference {
            use super::*;
            $(
                proptest! {
                    #![proptest_config(config())]
                    #[test]
                    fn $shape(steps in steps(&super::$shape(), MOST_STEPS)) {
                        agree(&super::$shape(), &steps)?;
                    }
                }
            )*
        }
    };
}

the_library_agrees_with_the_reference! {
    standard
    fair
    fifo_with_one_memory
    fifo_with_a_memory_per_group
    standard_chain
    fifo_with_a_dead_letter_queue
    standard_with_a_few_in_flight
    fifo_with_a_few_in_flight
    standard_delayed
    fifo_delayed
}
