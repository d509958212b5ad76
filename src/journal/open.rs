//! Opening: the log is read into an image, and the image becomes a service.

use {
    super::{
        builder::Options,
        codec::{self, DecodeError},
        error::JournalError,
        fs::FileSystem,
        log::{Level, Log},
        recorder::Journal,
    },
    crate::{
        queue::FactLog,
        service::{Kept, Service, ServiceBuilder},
        state::{Recorded, ServiceImage},
    },
    std::{cell::RefCell, path::Path, sync::Arc},
};

/// Opens the journal in a directory, and the service in it.
pub(super) fn open(
    service: ServiceBuilder,
    files: Arc<dyn FileSystem>,
    directory: &Path,
    options: Options,
) -> Result<Service, JournalError> {
    let Options {
        mut log,
        durabilities,
        mut on_progress,
        queue,
    } = options;
    let segment_bytes = log.segment_bytes;
    log.clock = service.environment().clock.clone();
    let image = RefCell::new(ServiceImage::new(&service.environment().limits));
    let log = Log::open(
        files,
        log,
        &mut |record, body| {
            let mut image = image.borrow_mut();
            decode(record, body, &mut |queue, recorded| image.apply(queue, recorded))
        },
        &mut || {
            check_queue(queue.as_deref(), &image.borrow(), directory)?;
            check(&service, &image.borrow(), directory)
        },
        &mut |read, total| on_progress(read, total),
    )?;
    let mut image = image.into_inner();
    image.finish();
    let (is_new, epoch, at) = (image.header.is_none(), image.epoch + 1, log.now());
    image.apply(0, Recorded::Opened { epoch, at });
    let journal = Arc::new(Journal::new(log, durabilities, segment_bytes, (epoch, at)));
    let recorder: Arc<dyn FactLog> = journal.clone();
    let restored = service.restore(recorder, image, epoch);
    let service = restored.map_err(|error| JournalError::Inconsistent {
        directory: directory.to_owned(),
        reason: error.to_string(),
    })?;
    if is_new {
        service.carry(0, Kept::Service);
    }
    let opened = journal.record(0, &[Recorded::Opened { epoch, at }]);
    journal.log.wait(opened, Level::Synced)?;
    journal.grow(service.stored_bytes() as i64);
    journal.begin_compaction(&service);
    service.resume_tasks();
    Ok(service)
}

/// Reads the entries of one record.
pub(super) fn decode(record: u64, body: &[u8], on_entry: &mut dyn FnMut(u64, Recorded)) -> Result<(), JournalError> {
    let decoded = codec::decode(body, &mut |queue, recorded| {
        on_entry(queue, recorded);
        Ok::<_, DecodeError>(())
    });
    decoded.map_err(|error| JournalError::Undecodable {
        record,
        reason: error.to_string(),
    })
}

/// A queue that is opened by itself is in the journal, unless that has none.
fn check_queue(queue: Option<&str>, image: &ServiceImage, directory: &Path) -> Result<(), JournalError> {
    let headers = image.queues.values().filter_map(|queue| queue.header.as_ref());
    let names: Vec<String> = headers.map(|header| header.name.clone()).collect();
    match queue {
        Some(queue) if !names.is_empty() && !names.iter().any(|it| it == queue) => Err(JournalError::NotInJournal {
            directory: directory.to_owned(),
            queue: queue.to_owned(),
            queues: names,
        }),
        _ => Ok(()),
    }
}

/// The journal is of the service that is asked for, and its queues keep to the limits.
fn check(service: &ServiceBuilder, image: &ServiceImage, directory: &Path) -> Result<(), JournalError> {
    let Some(header) = &image.header else {
        // What `salvage` did not finish.
        if image.queues.is_empty() && image.epoch == 0 {
            return Ok(());
        }
        return Err(JournalError::Inconsistent {
            directory: directory.to_owned(),
            reason: "it has no service, as after a salvage that was not finished".to_owned(),
        });
    };
    let (region, account_id, seed) = service.identity();
    let same = |what, stored: &str, given: &str| match stored == given {
        true => Ok(()),
        false => Err(JournalError::Mismatch {
            what,
            stored: stored.to_owned(),
            given: given.to_owned(),
        }),
    };
    same("region", &header.region, region)?;
    same("account", &header.account_id, account_id)?;
    if let Some(seed) = seed {
        same("seed", &header.seed.to_string(), &seed.to_string())?;
    }
    for queue in image.queues.values().filter_map(|queue| queue.header.as_ref()) {
        queue
            .settings
            .check(&service.environment().limits)
            .map_err(|error| JournalError::Settings {
                queue: queue.name.clone(),
                source: error.into(),
            })?;
    }
    Ok(())
}
