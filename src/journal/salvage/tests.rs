use {
    super::*,
    crate::{
        attributes::QueueAttributes,
        clock::Clock as _,
        journal::{
            inspect::{
                Inspection, inspect_in,
                tests::{Outcome, SEGMENT, bodies, bytes, clock, damage, frames, live, of_group, open, seconds},
            },
            sim_fs::SimFs,
        },
        message::SendMessage,
    },
    std::collections::BTreeSet,
};

fn options() -> LogOptions {
    LogOptions {
        segment_bytes: 1 << 16,
        ..LogOptions::default()
    }
}

/// A copy of what is in `files`, and what was said about it.
fn copy(files: &SimFs) -> Result<(SimFs, Salvaged), JournalError> {
    let rest = SimFs::default();
    let salvaged = salvage_in(files, Arc::new(rest.clone()), options())?;
    Ok((rest, salvaged))
}

fn all_bodies(inspection: &Inspection) -> BTreeSet<(String, String)> {
    let queues = inspection.queues.iter();
    let bodies = queues.flat_map(|queue| {
        let messages = queue.snapshot.messages.iter();
        messages.map(|message| (queue.name.clone(), message.content.body().to_string()))
    });
    bodies.collect()
}

#[test]
fn a_copy_of_a_journal_without_damage_is_the_same_service() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    let orders = service.queue("orders.fifo")?;
    let sent = orders.send(of_group("third"))?;
    service.close()?;
    drop(service);

    let (rest, salvaged) = copy(&files)?;
    assert_eq!(
        (salvaged.queues, salvaged.messages, salvaged.lost_records),
        (3, 7, Some(0))
    );
    assert!(salvaged.damage.is_empty());
    let [from, to] = [&files, &rest].map(|files| inspect_in(files, clock.now()).unwrap());
    assert_eq!(format!("{:#?}", to.queues), format!("{:#?}", from.queues));
    assert_eq!((to.region, to.account_id), (from.region, from.account_id));

    // Handles, the memory of sends and the order of sequence numbers go on.
    let service = open(&rest, &clock)?;
    let orders = service.queue("orders.fifo")?;
    let again = orders.send(of_group("third"))?;
    assert_eq!(
        (again.message_id, again.sequence_number),
        (sent.message_id, sent.sequence_number)
    );
    assert!(orders.send(of_group("fourth"))?.sequence_number > sent.sequence_number);
    Ok(())
}

#[test]
fn receipt_handles_are_valid_in_the_copy() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    jobs.send("a")?;
    let handle = jobs.receive().blocking()?[0].receipt_handle();
    service.close()?;
    drop((service, jobs));

    let (rest, _) = copy(&files)?;
    let jobs = open(&rest, &clock)?.queue("jobs")?;
    jobs.delete(&handle)?;
    assert!(jobs.snapshot().messages.is_empty());
    Ok(())
}

#[test]
fn whichever_record_is_damaged_all_others_are_in_the_copy() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    for number in 0..3 {
        service.queue("failed")?.send(number.to_string())?;
    }
    service.close()?;
    drop(service);
    let whole = all_bodies(&inspect_in(&files, clock.now())?);
    let places = frames(&files);
    assert!(places.len() > 15);
    for (offset, length) in places {
        // The head, and the body.
        for damaged in [offset + 5, offset + length - 1] {
            let files = files.moment().killed();
            damage(&files, damaged);
            let (rest, salvaged) = copy(&files)?;
            let lost = (salvaged.lost_records, salvaged.damage.len());
            assert_eq!(lost, (Some(1), 1), "{:?}", salvaged.damage);
            let service = open(&rest, &clock)?;
            let found = inspect_in(&files, clock.now())?;
            let names: Vec<_> = found
                .queues
                .iter()
                .map(|queue| service.queue(&queue.name).map(drop))
                .collect();
            assert!(names.iter().all(Result::is_ok), "{names:?}");
            let missing = |bodies: &BTreeSet<(String, String)>| {
                let bodies: Vec<_> = bodies.iter().map(|(_, body)| body.clone()).collect();
                whole.iter().filter(|(_, body)| !bodies.contains(body)).count()
            };
            service.close()?;
            drop(service);
            let copied = all_bodies(&inspect_in(&rest, clock.now())?);
            assert_eq!(copied, all_bodies(&found));
            assert!(missing(&copied) <= 1, "{copied:?}");
        }
    }
    Ok(())
}

#[test]
fn a_queue_without_a_header_is_salvaged_under_a_name_of_its_own() -> Outcome {
    for (name, fifo, salvaged) in [("jobs", false, "salvaged-1"), ("orders.fifo", true, "salvaged-1.fifo")] {
        let (files, clock) = (SimFs::default(), clock());
        let service = open(&files, &clock)?;
        let mut attributes = QueueAttributes::new();
        if fifo {
            attributes = attributes.fifo_queue(true);
        }
        let queue = service.create_queue(name, attributes)?;
        let before = frames(&files).len();
        for body in ["a", "b"] {
            match fifo {
                true => queue.send(of_group(body))?,
                false => queue.send(body)?,
            };
        }
        service.close()?;
        drop((service, queue));
        // The header is in one of the records of the creation.
        let places = frames(&files);
        let header = places[..before].iter().rev().find(|(offset, length)| {
            let body = &bytes(&files)[*offset..offset + length];
            body.windows(name.len()).any(|window| window == name.as_bytes())
        });
        let &(offset, length) = header.ok_or("no header")?;
        damage(&files, offset + length - 1);

        let (rest, report) = copy(&files)?;
        assert_eq!((report.queues, report.messages, report.lost_records), (1, 2, Some(1)));
        let service = open(&rest, &clock)?;
        let queue = service.queue(salvaged)?;
        assert_eq!(queue.settings().fifo_queue, fifo);
        assert_eq!(queue.receive().blocking()?[0].body(), "a");
        service.create_queue("another", QueueAttributes::new())?.send("c")?;
        service.close()?;
        assert_eq!(bodies(&inspect_in(&rest, clock.now())?, "another"), ["c"]);
    }
    Ok(())
}

#[test]
fn two_messages_in_one_slot_are_both_salvaged() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    jobs.send("a")?;
    let received = jobs.receive().blocking()?.remove(0);
    let before = frames(&files).len();
    received.delete()?;
    jobs.send("b")?;
    service.close()?;
    drop((service, jobs, received));
    // Without the delete both are in the first slot.
    let (offset, length) = frames(&files)[before];
    damage(&files, offset + length - 1);

    let (rest, report) = copy(&files)?;
    assert_eq!((report.messages, report.lost_records), (2, Some(1)));
    let service = open(&rest, &clock)?;
    assert_eq!(service.queue("jobs")?.snapshot().messages.len(), 2);
    service.close()?;
    assert_eq!(bodies(&inspect_in(&rest, clock.now())?, "jobs"), ["a", "b"]);
    Ok(())
}

#[test]
fn of_two_queues_with_one_name_the_newer_keeps_it() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    service.create_queue("jobs", QueueAttributes::new())?.send("old")?;
    let before = frames(&files).len();
    service.delete_queue("jobs")?;
    clock.advance(seconds(60));
    service.create_queue("jobs", QueueAttributes::new())?.send("new")?;
    service.close()?;
    drop(service);
    let (offset, length) = frames(&files)[before];
    damage(&files, offset + length - 1);

    let (rest, report) = copy(&files)?;
    assert_eq!((report.queues, report.lost_records), (2, Some(1)));
    let found = inspect_in(&rest, clock.now())?;
    assert_eq!(bodies(&found, "jobs"), ["new"]);
    assert_eq!(bodies(&found, "salvaged-1"), ["old"]);
    open(&rest, &clock)?.close()?;
    Ok(())
}

#[test]
fn nothing_is_copied_over_something_else() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    open(&files, &clock)?.close()?;
    let (rest, _) = copy(&files)?;
    let changes = rest.changes();
    let refused = salvage_in(&files, Arc::new(rest.clone()), options());
    assert!(matches!(refused, Err(JournalError::NotEmpty { .. })), "{refused:?}");
    assert_eq!(rest.changes(), changes);
    Ok(())
}

#[test]
fn a_message_whose_end_of_delay_is_lost_is_salvaged_as_received() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    jobs.send(SendMessage::new("delayed").delay(seconds(5)))?;
    clock.advance(seconds(5));
    let before = frames(&files).len();
    jobs.send("lost")?;
    let received = jobs.receive().blocking()?;
    assert_eq!(received[0].body(), "delayed");
    service.close()?;
    drop((service, jobs, received));
    let (offset, length) = frames(&files)[before];
    damage(&files, offset + length - 1);

    let (rest, report) = copy(&files)?;
    assert_eq!((report.messages, report.lost_records), (1, Some(1)));
    let jobs = open(&rest, &clock)?.queue("jobs")?;
    assert_eq!((jobs.counts().in_flight, jobs.counts().visible), (1, 0));
    clock.advance(seconds(30));
    assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
    Ok(())
}

#[test]
fn large_messages_are_copied_in_records_of_bounded_size() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    for _ in 0..40 {
        jobs.send("x".repeat(20_000))?;
    }
    service.close()?;
    drop((service, jobs));

    let (rest, report) = copy(&files)?;
    assert_eq!(report.messages, 40);
    let found = inspect_in(&rest, clock.now())?;
    assert_eq!(found.queues[0].snapshot.messages.len(), 40);
    let longest = found.segments.iter().map(|segment| segment.bytes).max();
    assert!(longest < Some(2 * RECORD_BYTES as u64), "{longest:?}");
    Ok(())
}

#[test]
fn a_service_whose_own_records_are_lost_goes_on_numbering_queues() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    service.create_queue("jobs", QueueAttributes::new())?.send("a")?;
    service.close()?;
    drop(service);
    let whole = bytes(&files);
    let region = b"us-east-1";
    for (offset, length) in frames(&files) {
        let record = &whole[offset..offset + length];
        if record.windows(region.len()).any(|it| it == region) {
            damage(&files, offset + length - 1);
        }
    }

    let (rest, report) = copy(&files)?;
    assert_ne!(report.lost_records, Some(0), "{:?}", report.damage);
    let service = open(&rest, &clock)?;
    service.create_queue("another", QueueAttributes::new())?.send("b")?;
    service.close()?;
    drop(service);
    let found = inspect_in(&rest, clock.now())?;
    assert_eq!(
        (bodies(&found, "jobs"), bodies(&found, "another")),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    Ok(())
}

#[test]
fn a_copy_that_was_not_finished_is_not_opened() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    live(&service)?;
    service.close()?;
    drop(service);
    let whole = all_bodies(&inspect_in(&files, clock.now())?);
    let rest = SimFs::default();
    rest.record();
    salvage_in(&files, Arc::new(rest.clone()), options())?;
    let (mut refused, mut opened) = (0, 0);
    for moment in rest.moments() {
        let rest = moment.killed();
        let has_segment = rest.list()?.iter().any(|name| name == SEGMENT);
        if !has_segment || frames(&rest).is_empty() {
            continue;
        }
        match open(&rest, &clock) {
            Ok(service) => {
                service.close()?;
                drop(service);
                assert_eq!(all_bodies(&inspect_in(&rest, clock.now())?), whole);
                opened += 1;
            }
            Err(error) => {
                assert!(matches!(error, JournalError::Inconsistent { .. }), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 3 && opened > 0, "{refused} {opened}");
    Ok(())
}
