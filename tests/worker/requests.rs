//! Request and response over virtual queues (E11-E16).

mod answers;

use {
    crate::common::shaky::{Fault, Shaky, error},
    proptest::prelude::*,
    requeue::{
        ManualClock, MessageAttributeValue, Queue, SendMessage,
        backend::{ErrorKind, MessageQueue, ReceivedMessage},
        request::{AnswerError, DeliverError, RequestError, Requester, Responder},
        worker::{Failure, Job, Runner, RunnerReport},
    },
    std::{
        future::{Future, IntoFuture},
        pin::Pin,
        sync::{Arc, Mutex},
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

const TIMEOUT: Duration = Duration::from_secs(30);
const MILLISECOND: Duration = Duration::from_millis(1);
const NAME: &str = "__AmazonSQSVirtualQueuesClient.QueueName";

type Asked<'r> = Pin<Box<dyn Future<Output = Result<ReceivedMessage, RequestError>> + Send + 'r>>;

/// A queue for requests, a host queue for answers, and their clock.
fn queues() -> (Queue, Queue, ManualClock) {
    let clock = ManualClock::default();
    let queue = |name| Queue::standard(name).clock(clock.clone()).build().unwrap();
    (queue("requests"), queue("answers"), clock.clone())
}

fn poll(asked: &mut Asked<'_>) -> Poll<Result<String, RequestError>> {
    let answer = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    answer.map_ok(|it| it.body().to_owned())
}

fn is(body: &str) -> Poll<Result<String, RequestError>> {
    Poll::Ready(Ok(body.to_owned()))
}

/// Answers what is there, in upper case.
fn respond(requests: &Queue, host: &Queue) -> RunnerReport {
    respond_by(&Responder::to(host), requests)
}

fn respond_by(responder: &Responder, requests: &Queue) -> RunnerReport {
    let runner = Runner::builder(requests).until_none_visible().each(upper(responder));
    runner.unwrap().blocking().unwrap()
}

/// A handler that answers in upper case.
fn upper<A: MessageQueue>(responder: &Responder<A>) -> impl Fn(&Job) -> Result<(), AnswerError> + 'static {
    let responder = responder.clone();
    move |job| responder.answer(job, job.body().to_uppercase()).blocking()
}

/// Delivers the answers that are there; what is for nobody is deleted (E12).
fn listen<R: MessageQueue + Clone>(requester: &Requester<R, Queue>, host: &Queue) -> RunnerReport {
    let runner = Runner::builder(host).until_none_visible().each(deliver(requester));
    runner.unwrap().blocking().unwrap()
}

fn deliver<R: MessageQueue + Clone>(requester: &Requester<R, Queue>) -> impl Fn(&Job) -> Result<(), Failure> + 'static {
    let requester = requester.clone();
    move |job| requester.deliver(job).map_err(Failure::discard)
}

fn is_empty(queue: &Queue) -> bool {
    let counts = queue.counts();
    (counts.visible, counts.in_flight) == (0, 0)
}

fn string(message: &requeue::Message, name: &str) -> String {
    let value = message.attributes().get(name).unwrap();
    value.string_value().unwrap().to_owned()
}

#[test]
fn the_answer_comes_over_the_virtual_queue_that_the_request_names() {
    // E11, E12, E15
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host).seed(10);
    let mut asked = requester.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    let request = requests
        .receive()
        .visibility_timeout(Duration::ZERO)
        .blocking()
        .unwrap()
        .remove(0);
    assert_eq!(
        string(&request, "ResponseQueueUrl"),
        format!("{}#000000000000000a-1", host.url())
    );

    assert_eq!(respond(&requests, &host).succeeded, 1);
    let answer = host
        .receive()
        .visibility_timeout(Duration::ZERO)
        .blocking()
        .unwrap()
        .remove(0);
    assert_eq!(
        (answer.body(), string(&answer, NAME).as_str()),
        ("HELLO", "000000000000000a-1")
    );
    assert!(poll(&mut asked).is_pending(), "nobody consumed the host queue yet");

    assert_eq!(listen(&requester, &host).succeeded, 1);
    assert_eq!(poll(&mut asked), is("HELLO"));
    assert!(is_empty(&requests) && is_empty(&host));
    let report = requester.report();
    assert_eq!(
        (report.requests, report.answered, report.in_flight, report.dropped),
        (1, 1, 0, 0)
    );
}

#[test]
fn each_request_gets_its_own_answer_whatever_the_order() {
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked: Vec<_> = ["a", "b", "c"].map(|body| requester.request(body).into_future()).into();
    for request in asked.iter_mut().rev() {
        assert!(poll(request).is_pending());
    }
    respond(&requests, &host);
    listen(&requester, &host);
    let answers: Vec<_> = asked.iter_mut().map(poll).collect();
    assert_eq!(answers, [is("A"), is("B"), is("C")]);
}

#[test]
fn a_request_times_out_under_the_clock_and_its_answer_is_dropped() {
    // E15
    let (requests, host, clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked = requester.request("hello").timeout(TIMEOUT).into_future();
    assert!(poll(&mut asked).is_pending());
    clock.advance(TIMEOUT - MILLISECOND);
    assert!(poll(&mut asked).is_pending());
    clock.advance(MILLISECOND);
    assert_eq!(poll(&mut asked), Poll::Ready(Err(RequestError::Timeout(TIMEOUT))));
    assert_eq!((requester.report().timed_out, requester.report().in_flight), (1, 0));
    respond(&requests, &host);
    assert_eq!(listen(&requester, &host).succeeded, 1);
    assert!(is_empty(&host));
    assert_eq!((requester.report().late_answers, requester.report().orphans), (1, 0));
    assert_eq!(clock.next_deadline(), None, "nobody waits for the end of its time");
}

#[test]
fn a_thread_that_asks_is_woken_by_its_answer_or_by_the_clock() {
    let (requests, host, clock) = queues();
    let responder = Responder::to(&host);
    let responding = Runner::builder(&requests).each(move |job: &Job| match job.body() {
        "silence" => Err(Failure::discard("nothing to say")),
        body => Ok(responder.answer(job, body.to_uppercase()).blocking()?),
    });
    let responding = responding.unwrap().spawn().unwrap();
    let requester = Requester::new(&requests, &host);
    let listening = Runner::builder(&host)
        .each(deliver(&requester))
        .unwrap()
        .spawn()
        .unwrap();
    assert_eq!(requester.request("hello").blocking().unwrap().body(), "HELLO");

    let asking = requester.clone();
    let silent = std::thread::spawn(move || asking.request("silence").timeout(TIMEOUT).blocking());
    while responding.handle().report().discarded == 0 {
        std::thread::yield_now();
    }
    clock.advance(TIMEOUT);
    assert_eq!(silent.join().unwrap().unwrap_err(), RequestError::Timeout(TIMEOUT));
    assert_eq!(
        (requester.report().answered, requester.report().timed_out),
        (1, 1),
        "clones share the counts"
    );
    for running in [responding, listening] {
        running.handle().stop();
        running.join().unwrap();
    }
}

#[test]
fn a_request_that_is_dropped_is_forgotten() {
    let (requests, host, clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked = requester.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    drop(asked);
    let report = requester.report();
    assert_eq!((report.requests, report.dropped, report.in_flight), (1, 1, 0));
    assert_eq!(clock.next_deadline(), None);
    respond(&requests, &host);
    listen(&requester, &host);
    assert_eq!(requester.report().late_answers, 1);
    drop(requester.request("never polled").into_future());
    assert_eq!(requester.report().requests, 1);
    assert!(is_empty(&requests) && is_empty(&host));
}

#[test]
fn a_second_answer_is_ignored() {
    // E15: the first message counts.
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked = requester.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    // The same request is worked on twice, as a queue that delivers at least once allows.
    for answer in ["first", "second"] {
        let request = requests
            .receive()
            .visibility_timeout(Duration::ZERO)
            .blocking()
            .unwrap()
            .remove(0);
        let name = string(&request, "ResponseQueueUrl")
            .split_once('#')
            .unwrap()
            .1
            .to_owned();
        host.send(SendMessage::new(answer).attribute(NAME, MessageAttributeValue::string(name)))
            .unwrap();
    }
    listen(&requester, &host);
    assert_eq!(poll(&mut asked), is("first"));
    assert_eq!((requester.report().answered, requester.report().late_answers), (1, 1));
    assert!(is_empty(&host));
}

fn named(name: &str) -> SendMessage {
    SendMessage::new(name).attribute(NAME, MessageAttributeValue::string(name))
}

#[test]
fn what_is_for_nobody_is_an_orphan_that_the_handler_treats_as_it_likes() {
    // E12
    let (requests, host, clock) = queues();
    let requester = Requester::new(&requests, &host);
    let earlier = Requester::new(&requests, &host).seed(10);
    let mut asked = earlier.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    respond(&requests, &host);
    host.send("no name").unwrap();
    host.send(named("somebody")).unwrap();
    let report = listen(&requester, &host);
    assert_eq!((report.succeeded, report.failed, report.discarded), (0, 3, 3));
    assert_eq!((requester.report().orphans, requester.report().answered), (3, 0));
    assert!(is_empty(&host));

    for orphan in [SendMessage::new("keep"), named("keep"), named("drop")] {
        host.send(orphan).unwrap();
    }
    let (delivering, seen) = (requester, Arc::new(Mutex::new(Vec::new())));
    let log = seen.clone();
    let runner = Runner::builder(&host).until_none_visible().each(move |job: &Job| {
        let orphan = delivering.deliver(job).unwrap_err();
        log.lock().unwrap().push(orphan.clone());
        if job.body() == "keep" { Err(orphan) } else { Ok(()) }
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, report.failed), (1, 2));
    let told: Vec<_> = seen.lock().unwrap().iter().map(DeliverError::to_string).collect();
    assert_eq!(
        told,
        [
            &format!("the message names no virtual queue, it has no text {NAME}"),
            r#"there was no request with the virtual queue "keep""#,
            r#"there was no request with the virtual queue "drop""#,
        ]
    );
    clock.advance(TIMEOUT);
    let kept = host.receive().max_messages(10).blocking().unwrap();
    assert_eq!(kept.iter().map(|it| it.body()).collect::<Vec<_>>(), ["keep", "keep"]);
}

#[test]
fn an_orphan_is_told_with_a_name_of_bounded_length() {
    let (requests, host, _clock) = queues();
    host.send(SendMessage::new("x").attribute(NAME, MessageAttributeValue::string("n".repeat(200_000))))
        .unwrap();
    let message = ReceivedMessage::from(host.receive().blocking().unwrap().remove(0));
    let orphan = Requester::new(&requests, &host).deliver(&message).unwrap_err();
    assert!(orphan.to_string().len() < 300, "{orphan}");
}

fn with_attributes(count: usize) -> SendMessage {
    let one = |message: SendMessage, n: usize| message.attribute(format!("a{n}"), MessageAttributeValue::number("1"));
    (0..count).fold(SendMessage::new("hello"), one)
}

#[test]
fn a_message_without_room_for_the_attribute_is_refused() {
    // M12
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let refused = requester.request(with_attributes(10)).blocking().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the request has 10 attributes, with ResponseQueueUrl it may have 10"
    );
    let taken = SendMessage::new("x").attribute("ResponseQueueUrl", MessageAttributeValue::string("mine"));
    let refused = requester.request(taken).blocking().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the request has an attribute ResponseQueueUrl of its own"
    );
    assert!(is_empty(&requests));
    assert_eq!(requester.report().requests, 0);

    for (count, succeeded) in [(9, 1), (10, 0)] {
        let mut asked = requester.request(with_attributes(9)).into_future();
        assert!(poll(&mut asked).is_pending());
        let responder = Responder::to(&host);
        let answered = Arc::new(Mutex::new(Vec::new()));
        let results = answered.clone();
        let runner = Runner::builder(&requests).until_none_visible().each(move |job: &Job| {
            let result = responder.answer(job, with_attributes(count)).blocking();
            results.lock().unwrap().push(result.clone());
            result
        });
        let report = runner.unwrap().blocking().unwrap();
        assert_eq!((report.succeeded, report.failed), (succeeded, 1 - succeeded), "{count}");
        let [result] = answered.lock().unwrap().clone().try_into().unwrap();
        let told = result.map_err(|error: AnswerError| error.to_string());
        match succeeded {
            1 => assert_eq!(told, Ok(())),
            _ => assert_eq!(
                told,
                Err(format!("the answer has 10 attributes, with {NAME} it may have 10"))
            ),
        }
    }
}

#[test]
fn a_request_that_cannot_be_sent_fails_at_once_and_one_whose_send_never_ends_times_out() {
    let (requests, host, clock) = queues();
    let shaky = Shaky::new(&requests);
    let requester = Requester::new(&shaky, &host);
    shaky.break_next([Fault::Fails(ErrorKind::Transient), Fault::Hangs, Fault::LosesAnswer]);
    let failed = requester.request("hello").blocking().unwrap_err();
    assert_eq!(failed, RequestError::NotSent(error(ErrorKind::Transient)));
    assert_eq!(failed.to_string(), "the request was not sent: Broken: as told");
    let mut hanging = requester.request("hello").timeout(TIMEOUT).into_future();
    assert!(poll(&mut hanging).is_pending());
    clock.advance(TIMEOUT);
    assert_eq!(poll(&mut hanging), Poll::Ready(Err(RequestError::Timeout(TIMEOUT))));

    let mut unsure = requester.request("hello").into_future();
    assert!(poll(&mut unsure).is_pending());
    respond(&requests, &host);
    listen(&requester, &host);
    assert_eq!(
        poll(&mut unsure),
        is("HELLO"),
        "it was sent, whatever became of the answer to the send"
    );
    let report = requester.report();
    assert_eq!(
        (report.not_sent, report.timed_out, report.answered, report.in_flight),
        (1, 1, 1, 0)
    );
}

#[test]
fn fifo_queues_carry_requests_and_answers_too() {
    let clock = ManualClock::default();
    let queue = |name| Queue::fifo(name).clock(clock.clone()).build().unwrap();
    let (requests, host) = (queue("requests.fifo"), queue("answers.fifo"));
    let requester = Requester::new(&requests, &host);
    let request = |id: &str| SendMessage::new(id).message_group_id("g").message_deduplication_id(id);
    let mut asked: Vec<_> = ["a", "b"].map(|id| requester.request(request(id)).into_future()).into();
    assert!(asked.iter_mut().all(|it| poll(it).is_pending()));
    assert_eq!(respond(&requests, &host).succeeded, 2);
    assert_eq!(listen(&requester, &host).succeeded, 2);
    assert_eq!(asked.iter_mut().map(poll).collect::<Vec<_>>(), [is("A"), is("B")]);
}

#[test]
fn five_thousand_requests_wait_at_the_same_time() {
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked: Vec<_> = (0..5_000)
        .map(|number: u32| requester.request(number.to_string()).into_future())
        .collect();
    assert!(asked.iter_mut().all(|it| poll(it).is_pending()));
    assert_eq!(requester.report().in_flight, 5_000);
    let responder = Responder::to(&host);
    let builder = Runner::builder(&requests).concurrency(2).until_none_visible();
    let runner = builder.each(move |job: &Job| responder.answer(job, format!("re: {}", job.body())).blocking());
    runner.unwrap().blocking().unwrap();
    let builder = Runner::builder(&host).concurrency(2).prefetch(8).until_none_visible();
    let listening = builder.each(deliver(&requester)).unwrap();
    assert_eq!(listening.blocking().unwrap().succeeded, 5_000);
    for (number, asked) in asked.iter_mut().enumerate() {
        assert_eq!(poll(asked), is(&format!("re: {number}")));
    }
    let report = requester.report();
    assert_eq!((report.answered, report.in_flight, report.late_answers), (5_000, 0, 0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(u64),
    Advance(u64),
    Drop(usize),
    Respond,
    Listen,
    Poll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..60).prop_map(Step::Ask),
        1 => (0_u64..40).prop_map(Step::Advance),
        1 => any::<usize>().prop_map(Step::Drop),
        2 => Just(Step::Respond),
        2 => Just(Step::Listen),
        2 => Just(Step::Poll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_every_request_is_accounted_for_and_gets_no_answer_but_its_own(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (requests, host, clock) = queues();
        let requester = Requester::new(&requests, &host);
        let mut asked: Vec<(String, Asked<'_>)> = Vec::new();
        let mut ended = 0;
        for (number, step) in steps.into_iter().chain([Step::Poll, Step::Respond, Step::Listen, Step::Poll]).enumerate() {
            match step {
                Step::Ask(seconds) => {
                    let request = requester.request(format!("q{number}")).timeout(Duration::from_secs(seconds));
                    asked.push((format!("Q{number}"), request.into_future()));
                }
                Step::Advance(seconds) => clock.advance(Duration::from_secs(seconds)),
                Step::Drop(which) if !asked.is_empty() => drop(asked.swap_remove(which % asked.len())),
                Step::Drop(_) => {}
                Step::Respond => drop(respond(&requests, &host)),
                Step::Listen => drop(listen(&requester, &host)),
                Step::Poll => asked.retain_mut(|(answer, request)| match poll(request) {
                    Poll::Pending => true,
                    Poll::Ready(result) => {
                        ended += 1;
                        assert!(matches!(&result, Ok(body) if body == answer) || matches!(result, Err(RequestError::Timeout(_))));
                        false
                    }
                }),
            }
            let report = requester.report();
            let accounted = report.answered + report.timed_out + report.dropped + report.in_flight as u64;
            prop_assert_eq!(report.requests, accounted);
            prop_assert!(ended <= report.answered + report.timed_out);
            prop_assert_eq!(report.orphans, 0);
        }
        prop_assert!(is_empty(&requests) && is_empty(&host));
    }
}
