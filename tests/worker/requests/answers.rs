//! Answers, sent by the handlers of requests.

use {
    super::*,
    requeue::{Service, worker::FailurePolicy},
    std::{
        pin::pin,
        sync::atomic::{AtomicU64, Ordering},
    },
};

#[test]
fn an_answer_to_a_queue_that_is_gone_or_unknown_is_dropped() {
    // E15
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let elsewhere = Queue::standard("elsewhere").build().unwrap();
    let responder = Responder::to(&host);
    let run = || respond_by(&responder, &requests);
    for (gone, url) in [(1, elsewhere.url()), (2, "#name"), (3, "")] {
        let url = MessageAttributeValue::new("String", url.to_owned());
        let message = SendMessage::new("hello").attribute("ResponseQueueUrl", url);
        if requests.send(message).is_err() {
            assert_eq!(gone, 3, "an empty attribute is refused (M17)");
            continue;
        }
        assert_eq!(run().succeeded, 1);
        assert_eq!(responder.report().gone, gone);
    }
    let mut asked = requester.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    host.delete_queue().unwrap();
    assert_eq!(run().succeeded, 1);
    assert!(is_empty(&requests));
    let report = responder.report();
    assert_eq!((report.gone, report.answered, report.unrequested), (3, 0, 0));
}

#[test]
fn a_request_that_names_no_queue_is_a_job_like_any_other() {
    let (requests, host, _clock) = queues();
    let responder = Responder::to(&host);
    requests.send("just do it").unwrap();
    let bytes = MessageAttributeValue::binary(vec![1]);
    requests
        .send(SendMessage::new("odd").attribute("ResponseQueueUrl", bytes))
        .unwrap();
    let own = responder.clone();
    let runner = Runner::builder(&requests)
        .until_none_visible()
        .each_async(move |job: Job| {
            let responder = own.clone();
            async move { responder.answer(&job, "done").await }
        });
    let report = pollster::block_on(runner.unwrap().run()).unwrap();
    assert_eq!(report.succeeded, 2);
    assert_eq!((responder.report().unrequested, responder.report().answered), (2, 0));
    assert!(is_empty(&requests) && is_empty(&host));
}

#[test]
fn an_answer_to_a_queue_of_its_own_carries_no_name() {
    // E15
    let service = Service::new();
    let [requests, own] = ["requests", "own"].map(|name| service.create_queue(name, Default::default()).unwrap());
    let url = MessageAttributeValue::string(own.url());
    requests
        .send(SendMessage::new("hello").attribute("ResponseQueueUrl", url))
        .unwrap();
    let responder = Responder::new(move |url| service.queue(url).ok());
    assert_eq!(respond_by(&responder, &requests).succeeded, 1);
    let answer = own.receive().blocking().unwrap().remove(0);
    assert_eq!((answer.body(), answer.attributes().len()), ("HELLO", 0));
    assert_eq!(responder.report().answered, 1);
}

/// A request whose answer goes to a queue on which the next sends go wrong.
fn asked_with(
    faults: impl IntoIterator<Item = Fault>,
) -> (Queue, Queue, ManualClock, ReceivedMessage, Responder<Shaky>) {
    let (requests, host, clock) = queues();
    let url = MessageAttributeValue::string(format!("{}#me", host.url()));
    requests
        .send(SendMessage::new("hello").attribute("ResponseQueueUrl", url))
        .unwrap();
    let request = requests.receive().blocking().unwrap().remove(0).into();
    let shaky = Shaky::new(&host);
    shaky.break_next(faults);
    (requests, host, clock, request, Responder::to(&shaky))
}

#[test]
fn an_answer_that_cannot_be_sent_is_tried_again_or_fails_its_request() {
    for (faults, answered, failed) in [
        (vec![ErrorKind::Transient; 3], 1, 0),
        (vec![ErrorKind::Denied; 3], 1, 0),
        (vec![ErrorKind::Refused], 1, 1),
        (vec![ErrorKind::QueueDoesNotExist], 0, 0),
    ] {
        let (requests, host, clock) = queues();
        let shaky = Shaky::new(&host);
        shaky.break_next(faults.iter().map(|kind| Fault::Fails(*kind)));
        let requester = Requester::new(&requests, &host);
        let mut asked = requester.request("hello").into_future();
        assert!(poll(&mut asked).is_pending());
        let (responder, seen) = (Responder::to(&shaky), Arc::new(AtomicU64::new(0)));
        let (own, count) = (responder.clone(), seen.clone());
        let builder = Runner::builder(&requests).until_none_visible();
        let runner = builder
            .failure_policy(FailurePolicy::RetryNow)
            .each_async(move |job: Job| {
                count.fetch_add(1, Ordering::Relaxed);
                let responder = own.clone();
                async move { responder.answer(&job, "HELLO").await }
            });
        let runner = runner.unwrap();
        let mut run = pin!(runner.run());
        let report = loop {
            match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(report) => break report.unwrap(),
                Poll::Pending => clock.advance(Duration::from_millis(100)),
            }
        };
        assert_eq!((report.succeeded, report.failed), (1, failed), "{faults:?}");
        assert_eq!(
            seen.load(Ordering::Relaxed),
            1 + failed,
            "{faults:?}: sends are tried again, not handlers"
        );
        assert_eq!(responder.report().answered, answered, "{faults:?}");
        assert_eq!(responder.report().gone, 1 - answered, "{faults:?}");
        listen(&requester, &host);
        assert_eq!(poll(&mut asked).is_ready(), answered == 1);
    }
}

#[test]
fn an_answer_is_tried_for_its_timeout_and_no_longer() {
    let at = |millis| Duration::from_millis(millis);
    let (_requests, host, clock, request, responder) = asked_with([Fault::Fails(ErrorKind::Transient); 4]);
    let mut answering = pin!(responder.answer(&request, "x").timeout(at(1_000)).into_future());
    let mut look = || answering.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    // Tried at 0, 100, 300 and 700 ms; the next would be at 1,500.
    for _ in 0..9 {
        assert_eq!(look(), Poll::Pending);
        clock.advance(at(100));
    }
    clock.advance(at(99));
    assert_eq!(look(), Poll::Pending);
    clock.advance(at(1));
    let (timeout, error) = (at(1_000), error(ErrorKind::Transient));
    let Poll::Ready(Err(over)) = look() else {
        panic!("its time is over");
    };
    assert_eq!(
        over.to_string(),
        format!("the answer was not sent within {timeout:?}: {error}")
    );
    assert!(matches!(over, AnswerError::Timeout { error: Some(last), .. } if last == error));
    assert_eq!(responder.report(), Default::default());
    assert!(is_empty(&host));
    assert_eq!(clock.next_deadline(), None);
    responder.answer(&request, "x").blocking().unwrap();
    assert_eq!(responder.report().answered, 1);

    let (_requests, host, clock, request, responder) = asked_with([Fault::Hangs, Fault::Fails(ErrorKind::Denied)]);
    let mut hanging = responder.answer(&request, "x").into_future();
    let mut look = || hanging.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(look(), Poll::Pending);
    clock.advance(TIMEOUT - MILLISECOND);
    assert_eq!(look(), Poll::Pending);
    clock.advance(MILLISECOND);
    let Poll::Ready(Err(over)) = look() else {
        panic!("its time is over");
    };
    assert_eq!(
        over.to_string(),
        "the answer was not sent within 30s: its queue did not answer"
    );
    // No time at all is one try, on a thread as well.
    let once = |responder: &Responder<Shaky>| responder.answer(&request, "x").timeout(Duration::ZERO).blocking();
    assert!(matches!(
        once(&responder),
        Err(AnswerError::Timeout { error: Some(_), .. })
    ));
    assert_eq!(once(&responder), Ok(()));
    assert_eq!(host.receive().blocking().unwrap()[0].body(), "x");
}

#[test]
fn what_is_not_awaited_is_not_sent() {
    let (_requests, host, _clock, request, responder) = asked_with([Fault::Hangs]);
    drop(responder.answer(&request, "x").into_future());
    let mut answering = responder.answer(&request, "x").into_future();
    assert!(
        answering
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(answering);
    assert!(is_empty(&host));
    assert_eq!(responder.report(), Default::default());
}

#[test]
fn a_handler_that_fails_or_panics_answers_nothing_and_its_request_comes_back() {
    let (requests, host, _clock) = queues();
    let requester = Requester::new(&requests, &host);
    let mut asked = requester.request("hello").into_future();
    assert!(poll(&mut asked).is_pending());
    let responder = Responder::to(&host);
    let own = responder.clone();
    let builder = Runner::builder(&requests).until_none_visible();
    let runner =
        builder
            .failure_policy(FailurePolicy::RetryNow)
            .each(move |job: &Job| match job.approximate_receive_count() {
                1 => Err(Failure::from("not now")),
                2 => panic!("not now either"),
                _ => Ok(own.answer(job, "at last").blocking()?),
            });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.failed, report.panicked, report.succeeded), (2, 1, 1));
    listen(&requester, &host);
    assert_eq!(poll(&mut asked), is("at last"));
    assert_eq!(responder.report().answered, 1);
}
