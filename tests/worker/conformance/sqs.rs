//! `SqsQueue` on an unmodified client that a service in process answers.

use {
    crate::common::http::slow_client,
    requeue::{
        Queue,
        backend::SqsQueue,
        testing::conformance::{InProcess, check},
    },
};

#[test]
fn a_queue_behind_the_sdk_conforms_if_it_is_asked_what_it_is() {
    check(&InProcess::new(|service, clock, queue| {
        let connect = SqsQueue::connect(slow_client(service), queue.url());
        pollster::block_on(connect).unwrap().clock(clock.clone())
    }));
}

#[test]
fn a_queue_behind_the_sdk_conforms_if_its_timeout_is_known() {
    check(&InProcess::new(|service, clock, queue: &Queue| {
        let timeout = queue.settings().visibility_timeout;
        SqsQueue::with_visibility_timeout(slow_client(service), queue.url(), timeout).clock(clock.clone())
    }));
}
