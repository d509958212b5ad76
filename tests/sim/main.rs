//! The queue lab: its figures against queueing theory and against a peer.

mod ciw;
mod compare;
mod theory;
