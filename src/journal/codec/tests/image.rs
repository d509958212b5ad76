//! What facts say to an image when they were bytes in between.

use {
    super::*,
    crate::{
        clock::ManualClock,
        limits::Limits,
        message::SendMessage,
        queue::{FactChannel, Queue},
        state::ServiceImage,
    },
    std::{collections::BTreeMap, error::Error, time::Duration},
};

/// Applies facts as they are and as they are read back; the images are of the queue with number 7.
fn images(facts: impl Iterator<Item = FactEntry>) -> (ServiceImage, ServiceImage) {
    let image = || ServiceImage::new(&Limits::aws());
    let (mut direct, mut through_bytes) = (image(), image());
    for fact in facts {
        let mut body = Vec::new();
        begin(7, &mut body);
        encode_fact(&fact, &mut body);
        decode(&body, &mut |queue, recorded| {
            through_bytes.apply(queue, recorded);
            Ok::<_, DecodeError>(())
        })
        .unwrap();
        direct.apply(7, Recorded::Fact(fact));
    }
    (direct, through_bytes)
}

/// A life of messages by which each kind of a queue's facts comes about but those of move tasks.
fn live(jobs: &Queue, failed: &Queue, clock: &ManualClock) -> Result<(), Box<dyn Error>> {
    let fifo = jobs.settings().fifo_queue;
    let send = |body: &str| match fifo {
        true => SendMessage::new(body)
            .message_group_id(body)
            .message_deduplication_id(body),
        false => SendMessage::new(body),
    };
    let take = || jobs.receive().visibility_timeout(Duration::from_secs(30)).blocking();
    for body in [
        "deleted",
        "released",
        "postponed",
        "changed",
        "returned",
        "zero",
        "given-up",
        "left",
    ] {
        jobs.send(send(body))?;
    }
    take()?[0].delete()?;
    take()?[0].release()?;
    take()?[0].postpone(Duration::from_secs(5))?;
    take()?[0].change_visibility(Duration::from_secs(60))?;
    take()?;
    jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    if !fifo {
        jobs.send(send("delayed").delay(Duration::from_secs(1)))?;
    }
    clock.advance(Duration::from_secs(31));
    take()?;
    if let Some(message) = take()?.first() {
        message.dead_letter("not an image")?;
    }
    for dead in failed.receive().blocking()? {
        dead.delete()?;
    }
    jobs.receive().max_messages(10).blocking()?;
    Ok(())
}

#[test]
fn facts_that_were_bytes_say_the_same_to_an_image() -> Result<(), Box<dyn Error>> {
    for fifo in [false, true] {
        let clock = ManualClock::default();
        let queue = |name: &str| match fifo {
            true => Queue::fifo(format!("{name}.fifo")),
            false => Queue::standard(name),
        };
        let (dead_listener, dead_facts) = FactChannel::unbounded();
        let (listener, facts) = FactChannel::unbounded();
        let failed = queue("failed").clock(clock.clone()).listener(dead_listener).build()?;
        let jobs = queue("jobs")
            .clock(clock.clone())
            .listener(listener)
            .dead_letter(&failed, 3)
            .build()?;
        live(&jobs, &failed, &clock)?;
        for facts in [facts, dead_facts] {
            let facts: Vec<_> = facts.try_iter().map(|(_, fact)| fact).collect();
            assert!(facts.len() > 1);
            let (direct, through_bytes) = images(facts.into_iter());
            assert_eq!(format!("{:?}", through_bytes.latest), format!("{:?}", direct.latest));
            let [direct, through_bytes] = [direct, through_bytes].map(|image| {
                let messages = &image.queues[&7].messages;
                let sorted: BTreeMap<_, _> = messages.clone().into_iter().collect();
                format!("{sorted:#?}")
            });
            assert_eq!(through_bytes, direct);
        }
    }
    Ok(())
}
