//! Long polls, timeouts and dropped calls of the SDK in the service's time.

use {
    super::door::{Door, WAIT, now, poll},
    aws_sdk_sqs::{
        Client,
        config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
        error::SdkError,
        operation::receive_message::builders::ReceiveMessageFluentBuilder,
    },
    requeue::{Clock, ManualClock, Service, Timestamp},
    std::{
        pin::pin,
        thread,
        time::{Duration, SystemTime},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn long_poll(client: &Client, url: &str) -> ReceiveMessageFluentBuilder {
    client.receive_message().queue_url(url).wait_time_seconds(20)
}

/// A client of the service that gives up, and does not try again.
fn with_timeouts(service: &Service, timeouts: TimeoutConfig) -> Client {
    let config = service.sdk_config().into_builder().timeout_config(timeouts);
    Client::new(&config.retry_config(RetryConfig::disabled()).build())
}

fn is_timeout<E, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_timeout(),
        _ => false,
    }
}

#[test]
fn a_long_poll_that_finds_nothing_lasts_its_wait_time() {
    // D10
    let door = Door::new();
    let url = door.create("jobs", []);
    let (received, took) = door.run(long_poll(&door.client, &url).send());
    assert_eq!((received.unwrap().messages, took), (None, WAIT));
    assert_eq!(door.clock.next_deadline(), None, "a timer is left");
}

#[test]
fn a_long_poll_is_no_stalled_upload_however_often_it_is_looked_at() {
    // D10; a request whose body nobody has read to its end is given up after some seconds
    let door = Door::new();
    let url = door.create("jobs", []);
    let mut call = pin!(long_poll(&door.client, &url).send());
    for _ in 0..80 {
        assert!(poll(call.as_mut()).is_pending());
        door.clock.advance(WAIT / 80);
    }
    assert_eq!(now(call).unwrap().messages, None);
}

#[test]
fn a_message_ends_a_long_poll_at_once() {
    // D10 D11
    let door = Door::new();
    let url = door.create("jobs", []);
    let mut call = pin!(long_poll(&door.client, &url).send());
    assert!(poll(call.as_mut()).is_pending());
    door.clock.advance(WAIT - SECOND);
    assert!(poll(call.as_mut()).is_pending());
    door.send(&url, "a");
    let received = now(call).unwrap();
    assert_eq!(received.messages()[0].body(), Some("a"));
    assert_eq!((door.queue(&url).waiting(), door.clock.next_deadline()), (0, None));
}

#[test]
fn a_long_poll_gets_a_message_when_its_visibility_timeout_ends() {
    // D11
    let door = Door::new();
    let url = door.create("jobs", []);
    door.send(&url, "a");
    let receive = door.client.receive_message().queue_url(&url).visibility_timeout(7);
    assert_eq!(now(receive.send()).unwrap().messages().len(), 1);
    let (received, took) = door.run(long_poll(&door.client, &url).send());
    assert_eq!((received.unwrap().messages().len(), took), (1, 7 * SECOND));
}

#[test]
fn a_timeout_ends_a_long_poll_and_leaves_the_line() {
    // D12
    let timeouts = TimeoutConfig::builder;
    for timeouts in [
        timeouts().operation_timeout(10 * SECOND),
        timeouts().operation_attempt_timeout(10 * SECOND),
        timeouts().read_timeout(10 * SECOND),
    ] {
        let door = Door::new();
        let url = door.create("jobs", []);
        let client = with_timeouts(&door.service, timeouts.build());
        let (received, took) = door.run(long_poll(&client, &url).send());
        let error = received.unwrap_err();
        assert!(is_timeout(&error), "{error:?}");
        assert_eq!((took, door.queue(&url).waiting()), (10 * SECOND, 0));
        door.send(&url, "a");
        assert_eq!(door.receive(&url), ["a"], "the call that is over took nothing");
    }
}

#[test]
fn a_timeout_of_the_machines_clock_needs_nobody_to_advance_it() {
    let service = Service::new();
    let client = with_timeouts(
        &service,
        TimeoutConfig::builder()
            .operation_timeout(Duration::from_millis(5))
            .build(),
    );
    let created = now(client.create_queue().queue_name("jobs").send()).unwrap();
    let url = created.queue_url().unwrap();
    let error = pollster::block_on(long_poll(&client, url).send()).unwrap_err();
    assert!(is_timeout(&error), "{error:?}");
}

#[test]
fn a_dropped_call_leaves_the_line_and_hides_no_message() {
    // D12
    let door = Door::new();
    let url = door.create("jobs", []);
    let mut dropped = Box::pin(long_poll(&door.client, &url).send());
    let mut other = pin!(long_poll(&door.client, &url).send());
    assert!(poll(dropped.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
    assert_eq!(door.queue(&url).waiting(), 2);
    door.send(&url, "a"); // wakes the first in line
    drop(dropped);
    assert_eq!(now(other).unwrap().messages().len(), 1);
    assert_eq!((door.queue(&url).waiting(), door.clock.next_deadline()), (0, None));
}

#[test]
fn each_of_many_polls_on_threads_gets_one_message() {
    // D12
    let door = Door::new();
    let url = door.create("jobs", []);
    let bodies: Vec<_> = (0..8).map(|n| n.to_string()).collect();
    thread::scope(|scope| {
        let poll = |_| scope.spawn(|| pollster::block_on(long_poll(&door.client, &url).send()).unwrap());
        let polls: Vec<_> = bodies.iter().map(poll).collect();
        door.queue(&url).wait_for_waiters(polls.len());
        door.clock.advance(WAIT - SECOND);
        bodies.iter().for_each(|body| door.send(&url, body));
        let received = polls
            .into_iter()
            .flat_map(|poll| poll.join().unwrap().messages.unwrap());
        let mut received: Vec<_> = received.map(|message| message.body.unwrap()).collect();
        received.sort();
        assert_eq!(received, bodies);
    });
}

#[test]
fn long_polls_in_a_row_on_a_thread_are_driven_by_waiting_for_each() {
    // D10
    let door = Door::new();
    let url = door.create("jobs", []);
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            for _ in 0..20 {
                let received = pollster::block_on(long_poll(&door.client, &url).send());
                assert_eq!(received.unwrap().messages, None);
            }
        });
        for _ in 0..20 {
            door.queue(&url).wait_for_waiters(1);
            door.clock.advance(WAIT);
        }
        consumer.join().unwrap();
    });
}

#[test]
fn the_sdk_is_shown_the_time_of_the_service() {
    // X1
    let door = Door::new();
    door.clock.advance(WAIT);
    let shown = door.service.sdk_config().time_source().unwrap().now();
    let shown = shown.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(shown, Duration::from_millis(door.clock.now().as_millis()));
}

#[test]
fn the_sdk_works_at_both_ends_of_time() {
    // X1
    for at in [Timestamp::ZERO, Timestamp::from_millis(1), Timestamp::MAX] {
        let service = Service::builder().clock(ManualClock::at(at)).build();
        let client = Client::new(&service.sdk_config());
        let created = now(client.create_queue().queue_name("jobs").send()).unwrap();
        let send = client.send_message().queue_url(created.queue_url().unwrap());
        now(send.message_body("a").send()).unwrap();
    }
}

#[test]
fn a_configuration_of_ones_own_takes_the_http_client_and_the_clock() {
    // D10
    let door = Door::new();
    let url = door.create("jobs", []);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "key", None, None, "test"))
        .http_client(door.service.sdk_http_client())
        .sleep_impl(door.service.sdk_clock())
        .time_source(door.service.sdk_clock());
    let client = Client::from_conf(config.build());
    let (received, took) = door.run(long_poll(&client, &url).send());
    assert_eq!((received.unwrap().messages, took), (None, WAIT));
}
