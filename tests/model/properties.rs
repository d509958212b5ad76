//! One property per kind of queue; each gives the same steps to the library and to the reference.

use std::env;

use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, TestRunner},
};

use crate::compare::Pair;
pub(crate) use crate::shapes::*;
use crate::steps::{Shape, Step, bursts, steps};
use crate::ways::{Setting, Ways, setting};

/// So many cases have to reach every way.
const CASES: u32 = 400;

/// `REQUEUE_MODEL_CASES` sets the number of cases of each property.
pub(crate) fn config() -> ProptestConfig {
    let cases = env::var("REQUEUE_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/model.txt",
        ))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

const MOST_STEPS: usize = 80;

pub(crate) fn agree(shape: &Shape, steps: &[Step]) -> Result<(), TestCaseError> {
    agree_with(shape, Setting::default(), &Ways::default(), steps)
}

fn agree_with(shape: &Shape, setting: Setting, ways: &Ways, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut pair = Pair::with(shape, setting, ways.clone());
    for (place, step) in steps.iter().enumerate() {
        pair.step(step)
            .map_err(|difference| TestCaseError::fail(format!("step {place}, {step:?}\n{difference}")))?;
    }
    Ok(())
}

/// Runs the cases of a shape, which have to reach each way of each verb.
fn all_agree(shape: &Shape) {
    let config = config();
    let steps = if shape.behind {
        bursts(shape).boxed()
    } else {
        steps(shape, MOST_STEPS).boxed()
    };
    let is_full_run = config.cases >= CASES;
    let ways = Ways::default();
    let mut runner = TestRunner::new(config);
    let result = runner.run(&(setting(shape), steps), |(setting, steps)| {
        agree_with(shape, setting, &ways, &steps)
    });
    if let Err(failure) = result {
        panic!("{failure}\n{runner}");
    }
    if env::var_os("REQUEUE_MODEL_WAYS").is_some() {
        println!("{:#?}", ways.rarest(shape));
    }
    if is_full_run {
        assert_eq!(
            ways.missed(shape),
            Vec::<String>::new(),
            "ways that no case has reached"
        );
    }
}

macro_rules! the_library_agrees_with_the_reference {
    ($($shape:ident)*) => {
        mod the_library_agrees_with_the_reference {
            $(
                #[test]
                fn $shape() {
                    super::all_agree(&super::$shape());
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
    standard_whose_dead_letter_queue_is_gone
    fifo_whose_dead_letter_queue_is_gone
    standard_with_a_few_in_flight
    fifo_with_a_few_in_flight
    standard_delayed
    fifo_delayed
    standard_sampled
    standard_behind
    fifo_behind
}
