use {
    super::*,
    crate::{
        attributes::{QueueAttributes, RedrivePolicy},
        clock::ManualClock,
        journal::{Durability, log::LogOptions, salvage::salvage_in, sim_fs::SimFs},
        message::SendMessage,
        queue::Queue,
        service::Service,
        state::MessagePhase,
    },
    std::{error::Error, time::Duration},
};

pub(in crate::journal) type Outcome = Result<(), Box<dyn Error>>;

pub(in crate::journal) const SEGMENT: &str = "segment-0000000001.log";
const HEADER: usize = 64;
const HEAD: usize = 28;

/// The service in a directory.
pub(in crate::journal) fn open(files: &SimFs, clock: &ManualClock) -> Result<Service, JournalError> {
    let builder = Service::builder()
        .clock(clock.clone())
        .journal("dir")
        .segment_bytes(1 << 16);
    builder.open_in(Arc::new(files.clone()))
}

pub(in crate::journal) fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_796_000_000_000))
}

pub(in crate::journal) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(in crate::journal) fn of_group(body: &str) -> SendMessage {
    SendMessage::new(body)
        .message_group_id("g")
        .message_deduplication_id(body)
}

/// Queues with messages in every phase.
pub(in crate::journal) fn live(service: &Service) -> Outcome {
    let failed = service.create_queue("failed", QueueAttributes::new())?;
    let policy = RedrivePolicy::new(failed.arn(), 1);
    let jobs = QueueAttributes::new().redrive_policy(policy).delay(seconds(5));
    let jobs = service.create_queue_with_tags("jobs", jobs, [("team", "images")])?;
    for body in ["dead", "in flight", "visible"] {
        jobs.send(SendMessage::new(body).delay(Duration::ZERO))?;
    }
    jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    jobs.receive()
        .visibility_timeout(seconds(60))
        .max_messages(2)
        .blocking()?;
    jobs.send("delayed")?;
    let orders = service.create_queue("orders.fifo", QueueAttributes::new().fifo_queue(true))?;
    for body in ["first", "second"] {
        orders.send(of_group(body))?;
    }
    orders.receive().blocking()?;
    Ok(())
}

/// Where the frames of a segment begin and how long they are, marks left out.
pub(in crate::journal) fn frames(files: &SimFs) -> Vec<(usize, usize)> {
    let bytes = bytes(files);
    let (mut offset, mut found) = (HEADER, Vec::new());
    while let Some(head) = bytes.get(offset..offset + 4) {
        let length = u32::from_le_bytes(head.try_into().unwrap());
        match length {
            0 => break,
            u32::MAX => offset += HEAD,
            length => {
                found.push((offset, HEAD + length as usize));
                offset += HEAD + length as usize;
            }
        }
    }
    found
}

/// The bytes of the first segment.
pub(in crate::journal) fn bytes(files: &SimFs) -> Vec<u8> {
    let file = files.open(SEGMENT).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// Changes one byte of the first segment.
pub(in crate::journal) fn damage(files: &SimFs, offset: usize) {
    let file = files.open(SEGMENT).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, offset as u64).unwrap();
    file.write_at(&[byte[0] ^ 0x10], offset as u64).unwrap();
}

pub(in crate::journal) fn bodies(inspection: &Inspection, queue: &str) -> Vec<String> {
    let found = inspection.queues.iter().find(|it| it.name == queue);
    let messages = found.into_iter().flat_map(|it| &it.snapshot.messages);
    messages.map(|message| message.content.body().to_string()).collect()
}

#[test]
fn a_closed_journal_shows_what_its_queues_showed() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    let shown = |queue: &Queue| (queue.name().to_owned(), queue.settings(), queue.snapshot());
    let queues = ["failed", "jobs", "orders.fifo"].map(|name| shown(&service.queue(name).unwrap()));
    service.close()?;
    drop(service);

    let changes = files.changes();
    let found = inspect_in(&files, clock.now())?;
    assert_eq!(files.changes(), changes, "nothing is changed");
    let read = found
        .queues
        .iter()
        .map(|it| (it.name.clone(), it.settings.clone(), it.snapshot.clone()));
    assert_eq!(read.collect::<Vec<_>>(), queues);
    let [_, jobs, _] = &found.queues[..] else {
        panic!("three queues")
    };
    assert_eq!(jobs.tags, BTreeMap::from([("team".to_owned(), "images".to_owned())]));
    let counts = jobs.snapshot.counts;
    assert_eq!((counts.visible, counts.in_flight, counts.delayed), (0, 2, 1));
    assert_eq!(bodies(&found, "failed"), ["dead"]);
    assert_eq!(
        (found.region.as_deref(), found.account_id.as_deref()),
        (Some("us-east-1"), Some("000000000000"))
    );
    let bytes = 1 << 16;
    let name = SEGMENT.to_owned();
    assert_eq!(found.segments[0], InspectedSegment { name, bytes });
    assert_eq!(found.records, frames(&files).len() as u64);
    assert!(found.damage.is_empty() && !found.is_torn);
    Ok(())
}

#[test]
fn what_ended_since_the_journal_was_closed_has_ended() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    service.close()?;
    let counts = |after| {
        let found = inspect_in(&files, clock.now().saturating_add(after)).unwrap();
        let counts = found.queues[1].snapshot.counts;
        (counts.visible, counts.in_flight, counts.delayed)
    };
    assert_eq!(counts(seconds(4)), (0, 2, 1));
    assert_eq!(counts(seconds(5)), (1, 2, 0));
    assert_eq!(counts(seconds(60)), (3, 0, 0));
    assert_eq!(counts(seconds(345_599)), (3, 0, 0));
    assert_eq!(counts(seconds(345_605)), (0, 0, 0));
    Ok(())
}

#[test]
fn nothing_is_hidden_longer_because_the_clock_was_set_back() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    service.close()?;
    let earlier = clock.now().saturating_sub(seconds(86_400));
    let found = inspect_in(&files, earlier)?;
    let in_flight = found.queues[1]
        .snapshot
        .messages
        .iter()
        .filter_map(|message| match message.phase {
            MessagePhase::InFlight { until } => Some(until),
            _ => None,
        });
    assert_eq!(in_flight.max(), Some(earlier.saturating_add(seconds(60))));
    Ok(())
}

#[test]
fn writes_that_nobody_was_told_of_are_a_torn_end_and_no_damage() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let builder = Service::builder().clock(clock.clone()).journal("dir");
    let builder = builder.segment_bytes(1 << 16).durability(Durability::Written);
    let service = builder.open_in(Arc::new(files.clone()))?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    for body in ["a", "b", "c"] {
        jobs.send(body)?;
    }
    let killed = files.moment().killed();
    let [.., (second, length), _] = frames(&killed)[..] else {
        panic!("three sends")
    };
    damage(&killed, second + length - 1);
    let found = inspect_in(&killed, clock.now())?;
    assert!(found.is_torn && found.damage.is_empty());
    assert_eq!(bodies(&found, "jobs"), ["a"]);
    Ok(())
}

#[test]
fn damage_is_named_and_the_rest_is_shown() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    for body in ["a", "b", "c"] {
        jobs.send(body)?;
    }
    service.close()?;
    let [.., (second, length), _] = frames(&files)[..] else {
        panic!("three sends")
    };
    damage(&files, second + length - 1);
    let found = inspect_in(&files, clock.now())?;
    let [JournalError::Damaged { file, offset, records }] = &found.damage[..] else {
        panic!("damage: {:?}", found.damage)
    };
    assert!(file.ends_with(SEGMENT));
    assert!(
        (*offset as usize) <= second && *records == Some(1),
        "{offset} {records:?}"
    );
    assert_eq!(bodies(&found, "jobs"), ["a", "c"]);
    Ok(())
}

#[test]
fn a_newer_version_is_refused_by_its_number() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    open(&files, &clock)?.close()?;
    let mut header = bytes(&files)[..HEADER].to_vec();
    header[8] = 2;
    let sum = crc32fast::hash(&header[..60]);
    header[60..].copy_from_slice(&sum.to_le_bytes());
    files.open(SEGMENT)?.write_at(&header, 0)?;

    let text = "segment-0000000001.log has version 2 of the format, and this release reads versions up to 1";
    let changes = files.changes();
    assert_eq!(inspect_in(&files, clock.now()).unwrap_err().to_string(), text);
    assert_eq!(open(&files, &clock).unwrap_err().to_string(), text);
    let copied = salvage_in(&files, Arc::new(SimFs::default()), LogOptions::default());
    assert_eq!(copied.unwrap_err().to_string(), text);
    assert_eq!(files.changes(), changes, "the directory is as it was");
    Ok(())
}
