//! The queue lab: scenarios, and its figures against queueing theory and against a peer.

mod ciw;
mod compare;
mod examples;
mod scenario;
mod theory;
