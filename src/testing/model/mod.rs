//! The reference model: queues written from the rules alone, as plain vectors and loops, slow and obvious.
//!
//! A [`World`] is some queues under one clock. Our own model test gives random steps to this world and to the library
//! and asks for the same answers. With it you can test in the same way what you build around a queue: generate
//! steps, take each on both sides, compare. It shares no code with the queue that it is a model of, and its values are
//! plain: queues are numbers, instants and spans are milliseconds, a message is the number of its send.
//!
//! What it models: `SendMessage`, `ReceiveMessage`, `DeleteMessage` and `ChangeMessageVisibility` with their batches,
//! `PurgeQueue`, `SetQueueAttributes`, dead letters and move tasks without a rate, on standard, fair and FIFO queues.
//! What it leaves out: message attributes, access policies, tags, and waiting: a long poll that would wait is
//! answered with nothing.
//!
//! # Panics
//! A queue's number that the world does not have is a mistake of the test, and its methods panic on it.
//!
//! # Examples
//! A wrapper whose consumers take one message at a time and get no handle to lose, against the model:
//! ```
//! use proptest::{collection::vec, prelude::*};
//! use requeue::{Clock, ManualClock, Message, Queue};
//! use requeue::testing::model::{Draft, Received, Request, Setup, World};
//! use std::time::Duration;
//!
//! /// Jobs by name; one that was taken is finished or given back.
//! struct Jobs(Queue, Vec<Message>);
//!
//! impl Jobs {
//!     fn add(&self, name: &str) {
//!         self.0.send(name).unwrap();
//!     }
//!     fn take(&mut self) -> Option<String> {
//!         let job = self.0.receive().blocking().unwrap().pop()?;
//!         let name = job.body().to_owned();
//!         self.1.push(job);
//!         Some(name)
//!     }
//!     fn finish_last(&mut self) {
//!         if let Some(job) = self.1.pop() {
//!             job.delete().unwrap();
//!         }
//!     }
//! }
//!
//! #[derive(Clone, Debug)]
//! enum Step { Add(String), Take, FinishLast, Wait(u64) }
//!
//! fn step() -> impl Strategy<Value = Step> {
//!     prop_oneof!["[a-c]".prop_map(Step::Add), Just(Step::Take), Just(Step::FinishLast), (0..40_000_u64).prop_map(Step::Wait)]
//! }
//!
//! proptest!(|(steps in vec(step(), 1..50))| {
//!     let clock = ManualClock::default();
//!     let mut jobs = Jobs(Queue::standard("jobs").clock(clock.clone()).build().unwrap(), Vec::new());
//!     let mut world = World::new(clock.now().as_millis(), &[Setup::standard()]);
//!     let mut taken: Vec<Received> = Vec::new();
//!     for step in steps {
//!         match step {
//!             Step::Add(name) => {
//!                 jobs.add(&name);
//!                 world.send(0, &Draft::new(&name)).unwrap();
//!             }
//!             Step::Take => {
//!                 let job = world.receive(0, &Request::default()).unwrap().pop();
//!                 prop_assert_eq!(jobs.take(), job.as_ref().map(|it| it.body.clone()));
//!                 taken.extend(job);
//!             }
//!             Step::FinishLast => {
//!                 jobs.finish_last();
//!                 if let Some(job) = taken.pop() {
//!                     world.delete(0, job.handle).unwrap();
//!                 }
//!             }
//!             Step::Wait(milliseconds) => {
//!                 clock.advance(Duration::from_millis(milliseconds));
//!                 world.set_clock(clock.now().as_millis());
//!             }
//!         }
//!         prop_assert_eq!(jobs.0.counts().visible, world.counts(0).visible);
//!     }
//! });
//! ```

mod checks;
mod fair;
mod look;
mod store;
mod types;
mod world;

pub use checks::content_hash;
pub use types::{
    Change, Counts, DeduplicationId, Draft, FIVE_MINUTES, Handle, ModelLimits, Received, Refusal, Request, SECOND,
    Scope, Sent, Setup, Stored, StoredPhase, TWELVE_HOURS,
};
pub use world::World;
