//! Any bytes as a few requests to one endpoint: an answer each, never a panic, never a 500.
//!
//! An input is a series of requests, each ended by a line with a dot. The first line of a request is method, path and
//! the `X-Amz-Target` without its prefix, with spaces between; what follows is the body.
#![no_main]

use {
    libfuzzer_sys::fuzz_target,
    requeue::{
        Limits, ManualClock, QueueAttributes, Service,
        aws::{Endpoint, Request, Response},
    },
    std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

const REQUESTS: usize = 16;

fuzz_target!(|input: &[u8]| {
    let clock = ManualClock::default();
    let service = Service::builder()
        .clock(clock.clone())
        .limits(Limits::aws())
        .seed(1)
        .build();
    let endpoint = Endpoint::new(&service);
    let fifo = QueueAttributes::new()
        .fifo_queue(true)
        .content_based_deduplication(true);
    for (name, attributes) in [("jobs", QueueAttributes::new()), ("orders.fifo", fifo)] {
        service.create_queue(name, attributes).expect("a new queue");
    }
    for part in split(input).into_iter().take(REQUESTS) {
        if let Some(response) = answer(&endpoint, request(part)) {
            assert!(matches!(response.status, 200 | 400 | 403 | 404), "{response:?}");
            std::str::from_utf8(&response.body).expect("an answer is text");
        }
        clock.advance(Duration::from_secs(1));
    }
});

/// The parts between lines with a dot.
fn split(input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(3).position(|window| window == b"\n.\n") {
        parts.push(&rest[..at]);
        rest = &rest[at + 3..];
    }
    parts.push(rest);
    parts
}

fn request(part: &[u8]) -> Request {
    let end = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
    let (head, body) = (
        String::from_utf8_lossy(&part[..end]),
        part.get(end + 1..).unwrap_or_default(),
    );
    let mut words = head.split(' ');
    let mut request = Request::new(words.next().unwrap_or_default(), words.next().unwrap_or_default());
    request.body = body.to_vec();
    if let Some(action) = words.next() {
        request = request.header("X-Amz-Target", format!("AmazonSQS.{action}"));
    }
    words.fold(request, |request, value| request.header("Accept", value))
}

/// The answer, if it needs no wait.
fn answer(endpoint: &Endpoint, request: Request) -> Option<Response> {
    let mut answer = pin!(endpoint.handle(request));
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => Some(response),
        Poll::Pending => None,
    }
}
