//! One queue by itself, or with its dead-letter queue: the native API.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod batches;
mod budget;
mod budget_waiting;
mod change_message_visibility;
mod concurrency;
mod dead_letter_now;
mod dead_letters;
mod deduplication;
mod delete_by_id;
mod delete_message;
mod departures;
mod facts;
mod fair_queues;
mod fifo_order;
mod limits;
mod metrics;
mod receive_attempts;
mod receive_message;
mod release;
mod retention_and_purge;
mod sampled;
mod send_message;
mod waiter;
mod waiting;
