//! The runner: what becomes of messages, leases and handlers (E17-E23, F18, D19-D30), and how it ends.
//!
//! Time is virtual but for `worker/system_clock.rs`.

#[path = "worker/at_once.rs"]
mod at_once;
#[path = "worker/batches.rs"]
mod batches;
#[path = "worker/broken_clock.rs"]
mod broken_clock;
mod common;
#[path = "worker/concurrency.rs"]
mod concurrency;
#[path = "worker/crowd.rs"]
mod crowd;
#[path = "worker/driver.rs"]
mod driver;
#[path = "worker/ends.rs"]
mod ends;
#[path = "worker/failures.rs"]
mod failures;
#[path = "worker/fifo.rs"]
mod fifo;
#[path = "common/forward.rs"]
mod forward;
#[path = "worker/group_limits.rs"]
mod group_limits;
#[path = "worker/handlers.rs"]
mod handlers;
#[path = "worker/leases.rs"]
mod leases;
#[path = "worker/notes.rs"]
mod notes;
#[path = "worker/one_call.rs"]
mod one_call;
#[path = "worker/queue_outages.rs"]
mod queue_outages;
#[path = "worker/queue_sets.rs"]
mod queue_sets;
#[path = "worker/queues.rs"]
mod queues;
#[path = "worker/rates.rs"]
mod rates;
#[path = "worker/router.rs"]
mod router;
#[path = "worker/scripted.rs"]
mod scripted;
#[path = "worker/settings.rs"]
mod settings;
#[path = "worker/spawned.rs"]
mod spawned;
#[path = "worker/state.rs"]
mod state;
#[path = "worker/steering.rs"]
mod steering;
#[path = "worker/stop_answers.rs"]
mod stop_answers;
#[path = "worker/stopping.rs"]
mod stopping;
#[path = "worker/stuck.rs"]
mod stuck;
#[path = "worker/system_clock.rs"]
mod system_clock;
#[path = "worker/threads.rs"]
mod threads;
#[path = "worker/watch.rs"]
mod watch;
