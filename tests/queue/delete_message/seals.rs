//! Whose a receipt handle is, and that nobody makes one up (D19, rows "malformed" and "of another queue").

use {
    super::*,
    data_encoding::BASE64,
    requeue::{Limits, QueueAttributes, Service},
};

const PREFIX: &str = "AQEB";

fn alone(name: &str, seed: u64) -> Queue {
    let queue = Queue::standard(name).clock(ManualClock::default()).seed(seed);
    queue.build().unwrap()
}

fn service(seed: u64, region: &str, account_id: &str) -> Service {
    let mut limits = Limits::default();
    limits.recreate_interval = Duration::ZERO;
    let service = Service::builder()
        .clock(ManualClock::default())
        .limits(limits)
        .seed(seed);
    service.region(region).account_id(account_id).build()
}

fn in_service(service: &Service, name: &str) -> Queue {
    service.create_queue(name, QueueAttributes::new()).unwrap()
}

/// The handle of the only message.
fn received(queue: &Queue) -> ReceiptHandle {
    queue.send("m").unwrap();
    take(queue).receipt_handle()
}

#[track_caller]
fn assert_refuses(queue: &Queue, handle: &ReceiptHandle) {
    let before = queue.snapshot();
    let invalid = "ReceiptHandleIsInvalid";
    assert_eq!(queue.delete(handle).unwrap_err().code(), invalid);
    assert_eq!(
        queue.change_visibility(handle, Duration::ZERO).unwrap_err().code(),
        invalid
    );
    assert_eq!(queue.dead_letter(handle, "poison").unwrap_err().code(), invalid);
    assert_eq!(queue.delete_batch([("a", *handle)]).unwrap().failed[0].code, invalid);
    let changed = queue.change_visibility_batch([("a", *handle, Duration::ZERO)]);
    assert_eq!(changed.unwrap().failed[0].code, invalid);
    assert_eq!(queue.snapshot(), before);
}

#[test]
fn queues_of_one_seed_refuse_each_others_handles() {
    // D19
    let ours = service(7, "us-east-1", "000000000000");
    let first = in_service(&ours, "jobs");
    let handle_of_first = received(&first);
    first.delete_queue().unwrap();
    let second = in_service(&ours, "jobs");
    received(&second);
    assert_refuses(&second, &handle_of_first);
    let queues = [
        second,
        in_service(&ours, "other"),
        in_service(&service(7, "eu-west-1", "000000000000"), "jobs"),
        in_service(&service(7, "us-east-1", "123456789012"), "jobs"),
        alone("jobs", 7),
        alone("other", 7),
        alone("jobs", 8),
        // Their names and seeds differ in the same bits.
        alone("a", 0),
        alone("b", 3),
    ];
    let handles: Vec<_> = queues.iter().map(received).collect();
    for (place, queue) in queues.iter().enumerate() {
        for (of, handle) in handles.iter().enumerate() {
            if of == place {
                assert_eq!(queue.change_visibility(handle, secs(9)), Ok(()));
            } else {
                assert_refuses(queue, handle);
            }
        }
    }
}

#[test]
fn the_same_seed_name_and_steps_give_the_same_handles() {
    let steps = |queue: &Queue| [received(queue), received(queue)].map(|handle| handle.to_string());
    assert_eq!(steps(&alone("jobs", 7)), steps(&alone("jobs", 7)));
    let of_service = || steps(&in_service(&service(7, "us-east-1", "000000000000"), "jobs"));
    assert_eq!(of_service(), of_service());
    assert_ne!(of_service(), steps(&alone("jobs", 7)));
}

#[test]
fn a_copy_of_a_queue_refuses_what_it_has_not_given_out_itself() {
    // D19: of the same name and seed
    let (jobs, copy) = (alone("jobs", 7), alone("jobs", 7));
    jobs.send("m").unwrap();
    let first = take_for(&jobs, Duration::ZERO).receipt_handle();
    let second = take(&jobs).receipt_handle();
    assert_refuses(&copy, &first);
    copy.send("m").unwrap();
    assert_refuses(&copy, &first);
    assert_eq!(take_for(&copy, Duration::ZERO).receipt_handle(), first);
    assert_refuses(&copy, &second);
    assert_eq!(copy.delete(&first), Ok(()));
    assert_eq!(counts(&copy), [0, 0, 0]);
}

#[test]
fn a_handle_is_standard_base64() {
    // M48
    let jobs = alone("jobs", 7);
    let texts: Vec<_> = (0..1_000).map(|_| received(&jobs).to_string()).collect();
    for text in &texts {
        assert!(text.starts_with(PREFIX) && text.len() == 48, "{text}");
        assert_eq!(BASE64.decode(text.as_bytes()).unwrap().len(), 35);
        assert!(!text.contains(['-', '_']), "{text}");
    }
    assert!(texts.iter().any(|text| text.contains(['+', '/'])));
}

#[test]
fn the_seals_of_forty_handles_fit_no_other_handle() {
    // D19
    let jobs = alone("jobs", 7);
    let handles: Vec<_> = (0..40)
        .map(|_| BASE64.decode(received(&jobs).to_string().as_bytes()).unwrap())
        .collect();
    let seal = |of: usize| &handles[of][27..];
    let forged = |fields: usize, seal: &[u8]| {
        let bytes = [&handles[fields][..27], seal].concat();
        BASE64.encode(&bytes).parse::<ReceiptHandle>().unwrap()
    };
    for fields in 0..40 {
        for other in (0..40).filter(|other| *other != fields) {
            assert_refuses(&jobs, &forged(fields, seal(other)));
        }
        let seals = [(fields + 1) % 40, (fields + 2) % 40, (fields + 3) % 40].map(seal);
        let sum: Vec<_> = (0..8)
            .map(|byte| seals.iter().fold(0, |sum, seal| sum ^ seal[byte]))
            .collect();
        assert_refuses(&jobs, &forged(fields, &sum));
    }
    assert_eq!(counts(&jobs), [0, 40, 0]);
}
