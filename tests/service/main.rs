//! Services: queues by name, their attributes, permissions, tags and move tasks; and the scenarios of the rules.

#[path = "../common/mod.rs"]
mod common;

mod create_queue;
mod list_queues;
mod move_tasks;
mod permissions;
mod redrive_policy;
mod scenarios;
mod service;
mod tags;
