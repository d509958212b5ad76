//! The same on Amazon SQS, through its SDK.

use {
    super::{LARGE, large, stores::Troubled},
    requeue::{
        QueueAttributes, RedrivePolicy, Service,
        backend::{MessageQueue, ReceiveRequest, SqsQueue},
        payloads::PayloadQueue,
        worker::{Failure, Job, Runner},
    },
};

#[test]
fn payloads_work_on_amazon_sqs_as_on_an_embedded_queue() {
    // E6 E8 E9
    let service = Service::new();
    let failed = service.create_queue("failed", QueueAttributes::new()).unwrap();
    let policy = RedrivePolicy::new(failed.arn(), 5);
    let queue = service
        .create_queue("jobs", QueueAttributes::new().redrive_policy(policy))
        .unwrap();
    let client = aws_sdk_sqs::Client::new(&service.sdk_config());
    let connect = |url: &str| pollster::block_on(SqsQueue::connect(client.clone(), url)).unwrap();
    let store = Troubled::new();
    let with_payloads = |url: &str| PayloadQueue::builder(&connect(url), store.clone()).build().unwrap();
    let (jobs, letters) = (with_payloads(queue.url()), with_payloads(failed.url()));
    for body in [large(), "small".to_owned(), format!("{}y", large())] {
        pollster::block_on(jobs.send(body.into())).unwrap();
    }
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .each(|job: &Job| match job.body().len() {
            5 | LARGE => Ok(()),
            _ => Err(Failure::dead_letter("odd")),
        });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, report.dead_lettered), (2, 1));
    assert_eq!(store.objects().len(), 1, "the dead letter keeps its payload");
    let letter = pollster::block_on(letters.receive(ReceiveRequest::new(1))).unwrap();
    assert_eq!(
        (letter[0].body().len(), letter[0].dead_letter_reason()),
        (LARGE + 1, Some("odd"))
    );
    assert!(pollster::block_on(letters.delete(&letter)).unwrap().is_empty());
    assert_eq!(store.objects(), []);
}
