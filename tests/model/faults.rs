//! Every fault strikes as it says it does, is legal by the reference model, and is the same for the same seed.

mod batches;
mod consumers;
mod fifo;
mod legality;
mod queue;
mod rules;
mod runner;
mod service;
