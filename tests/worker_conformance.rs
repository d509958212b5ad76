//! What every implementation of `MessageQueue` has to do, asked of those of this crate and of one that is broken.

#[path = "worker_conformance/broken.rs"]
mod broken;

use requeue::worker::conformance::{InProcess, check};

#[test]
fn the_embedded_queue_conforms() {
    check(&InProcess::embedded());
}
