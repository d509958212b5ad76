//! One property per kind of queue; each gives the same steps to the library and to the reference.

use std::env;

use proptest::{prelude::*, test_runner::FileFailurePersistence};

use crate::compare::Pair;
pub(crate) use crate::shapes::*;
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
