//! A queue behind faults is the reference model with the rules of these faults, whatever is asked of it.

use std::{collections::BTreeMap, env};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner},
};
use requeue::testing::{Fault, Faults};

use crate::{
    faults::rules::FaultyPair,
    shapes,
    steps::{Shape, Step, steps},
};

const MOST_STEPS: usize = 60;

/// The faults that strike in a check alone; `consumers.rs` is about them.
const OF_CONSUMERS: [Fault; 5] = [
    Fault::Outage,
    Fault::CrashBeforeWork,
    Fault::CrashBeforeDelete,
    Fault::CrashAfterDelete,
    Fault::PausePastVisibility,
];

fn of_queues() -> impl Iterator<Item = Fault> {
    Fault::ALL.into_iter().filter(|fault| !OF_CONSUMERS.contains(fault))
}

fn alone(fault: Fault) -> Faults {
    Faults::none().with(fault, 0.5)
}

/// The presets, and each fault alone.
fn every_kind(fifo: bool) -> Vec<Faults> {
    let legal = of_queues().filter(|fault| !fifo || fault.is_legal_on_fifo());
    let presets = [Faults::none(), Faults::everyday(), Faults::worst_legal()];
    presets.into_iter().chain(legal.map(alone)).collect()
}

/// What struck on the way, if everything was legal.
fn legal(shape: &Shape, faults: &Faults, seed: u64, steps: &[Step]) -> Result<BTreeMap<Fault, usize>, TestCaseError> {
    let mut pair = FaultyPair::new(shape, faults, seed);
    for (place, step) in steps.iter().enumerate() {
        let result = pair.step(step);
        result.map_err(|difference| {
            let struck = &pair.struck;
            TestCaseError::fail(format!(
                "step {place}, {step:?}\n{difference}\nstruck so far: {struck:?}"
            ))
        })?;
    }
    for fault in pair.struck.keys() {
        prop_assert!(faults.probability(*fault) > 0.0, "{fault} was not asked for");
    }
    Ok(pair.struck)
}

/// `REQUEUE_MODEL_CASES` sets the number of cases of each property.
fn config() -> ProptestConfig {
    let cases = env::var("REQUEUE_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(100),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/testing_faults.txt",
        ))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

macro_rules! what_a_fault_does_is_legal {
    ($($shape:ident)*) => {
        mod what_a_fault_does_is_legal {
            use super::*;
            $(
                proptest! {
                    #![proptest_config(config())]
                    #[test]
                    fn $shape(
                        steps in steps(&shapes::$shape(), MOST_STEPS),
                        faults in prop::sample::select(every_kind(shapes::$shape().setups[0].fifo)),
                        seed in any::<u64>(),
                    ) {
                        legal(&shapes::$shape(), &faults, seed, &steps)?;
                    }
                }
            )*
        }
    };
}

what_a_fault_does_is_legal! {
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

/// How often each fault strikes in the same 40 cases.
fn strikes(shape: &Shape, faults: &Faults) -> BTreeMap<Fault, usize> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut strikes = BTreeMap::new();
    for seed in 0..40 {
        let steps = steps(shape, MOST_STEPS).new_tree(&mut runner).unwrap().current();
        for (fault, times) in legal(shape, faults, seed, &steps).unwrap_or_else(|error| panic!("{error}")) {
            *strikes.entry(fault).or_default() += times;
        }
    }
    strikes
}

#[test]
fn every_fault_of_a_queue_strikes_alone_and_in_the_worst_case() {
    for shape in [shapes::standard(), shapes::fifo_with_one_memory()] {
        let fifo = shape.setups[0].fifo;
        let worst = strikes(&shape, &Faults::worst_legal());
        for fault in of_queues() {
            let legal = !fifo || fault.is_legal_on_fifo();
            assert_eq!(worst.contains_key(&fault), legal, "{fault} in {worst:?}");
            if legal {
                let alone = strikes(&shape, &alone(fault));
                assert!(alone.keys().eq([&fault]), "{fault}: {alone:?}");
            }
        }
    }
}

#[test]
fn without_faults_nothing_strikes() {
    for shape in [shapes::standard_chain(), shapes::fifo_with_a_dead_letter_queue()] {
        assert_eq!(strikes(&shape, &Faults::none()), BTreeMap::new());
    }
}
