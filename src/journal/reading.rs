//! Reading a journal that is closed, damaged or not, without changing it.

use {
    super::{
        error::JournalError,
        fs::FileSystem,
        log::{self, Contents},
        open::decode,
    },
    crate::{
        attributes::QueueSettings,
        limits::Limits,
        service::Service,
        state::{PhaseImage, QueueHeader, QueueImage, ServiceHeader, ServiceImage},
        time::Timestamp,
    },
    std::{
        collections::{BTreeSet, HashSet},
        hash::{BuildHasher, RandomState},
    },
};

/// What a directory says.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) image: ServiceImage,
    pub(super) contents: Contents,
    /// How many records were read.
    pub(super) records: u64,
    pub(super) damage: Vec<JournalError>,
}

impl Reading {
    /// Reads a directory, and goes on after damage. Of a damaged one the image is mended, so that queues can
    /// be restored from it.
    pub(super) fn of(files: &dyn FileSystem, limits: &Limits) -> Result<Self, JournalError> {
        let (mut image, mut records) = (ServiceImage::new(limits), 0);
        let (mut damage, mut unreadable) = (Vec::new(), Vec::new());
        let contents = log::read(
            files,
            &mut |record, body| {
                records += 1;
                let decoded = decode(record, body, &mut |queue, recorded| image.apply(queue, recorded));
                unreadable.extend(decoded.err());
                Ok(())
            },
            &mut |error| {
                damage.push(error);
                Ok(())
            },
            &mut |_, _| {},
        )?;
        damage.append(&mut unreadable);
        if !damage.is_empty() || image.header.is_none() {
            mend(&mut image, limits);
        }
        image.finish();
        Ok(Self {
            image,
            contents,
            records,
            damage,
        })
    }
}

/// Makes an image of which entries are missing one that a service can be restored from. No message is dropped.
fn mend(image: &mut ServiceImage, limits: &Limits) {
    let mut names = BTreeSet::new();
    let latest = image.latest;
    // The newest queue keeps a name: the end of an older one of the same name is what is missing.
    for (number, queue) in image.queues.iter_mut().rev() {
        queue.mend_header(*number, latest, limits);
        if let Some(header) = &mut queue.header {
            if !names.insert(header.name.clone()) {
                header.name = salvaged_name(*number, header.settings.fifo_queue);
                names.insert(header.name.clone());
            }
        }
        queue.mend_messages();
    }
    let highest = image.queues.keys().next_back().copied().unwrap_or(0);
    if highest > 0 {
        let header = image.header.get_or_insert_with(default_service);
        header.created = header.created.max(highest);
    }
}

fn salvaged_name(number: u64, fifo: bool) -> String {
    format!("salvaged-{number}{}", if fifo { ".fifo" } else { "" })
}

/// The service of a builder that sets nothing.
fn default_service() -> ServiceHeader {
    let builder = Service::builder();
    let (region, account_id, _) = builder.identity();
    ServiceHeader {
        region: region.to_owned(),
        account_id: account_id.to_owned(),
        seed: RandomState::new().hash_one("seed"),
        created: 0,
        started: 0,
    }
}

impl QueueImage {
    /// A queue whose header is missing gets one if it holds anything.
    fn mend_header(&mut self, number: u64, latest: Timestamp, limits: &Limits) {
        if self.header.is_some() || self.messages.is_empty() {
            return;
        }
        // Only a message of a FIFO queue has a deduplication id (F4), and each of them has one.
        let fifo = self
            .messages
            .values()
            .any(|message| message.content.deduplication().is_some());
        let mut settings = if fifo {
            QueueSettings::fifo(limits)
        } else {
            QueueSettings::standard(limits)
        };
        (settings.created_timestamp, settings.last_modified_timestamp) = (latest, latest);
        self.header = Some(QueueHeader {
            name: salvaged_name(number, fifo),
            settings,
            next_sequence: 0,
            became_visible: 0,
            purged_at: None,
            scope_change: None,
        });
    }

    /// Messages get a place among the visible ones if they have none, and slots of their own if two claim the same.
    fn mend_messages(&mut self) {
        let Some(header) = &mut self.header else { return };
        let mut in_order: Vec<_> = self.messages.values_mut().collect();
        for message in &mut in_order {
            if let PhaseImage::Visible { since } | PhaseImage::InFlight { since, .. } = &mut message.phase {
                header.became_visible = header.became_visible.max(*since);
                if *since == 0 {
                    header.became_visible += 1;
                    *since = header.became_visible;
                }
            }
        }
        let mut slots = HashSet::new();
        if !in_order.iter().all(|message| slots.insert(message.slot)) {
            for (slot, message) in (0..).zip(in_order) {
                message.slot = slot;
            }
        }
    }
}
