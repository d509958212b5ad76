//! What every implementation of `MessageQueue` has to do, asked of those of this crate and of one that is broken.

mod broken;
#[cfg(all(feature = "worker-sqs", feature = "aws-sdk"))]
mod errors;
#[cfg(all(feature = "worker-sqs", feature = "aws-sdk"))]
mod sqs;

use requeue::testing::{
    Faults, FaultyQueue,
    conformance::{InProcess, check},
};

#[test]
fn the_embedded_queue_conforms() {
    check(&InProcess::embedded());
}

#[test]
fn a_queue_behind_faults_that_do_not_strike_conforms() {
    check(&InProcess::new(|_, clock, queue| {
        FaultyQueue::new(queue, clock, Faults::none(), 1).unwrap()
    }));
}
