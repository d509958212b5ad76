//! Compaction: what lives of the oldest segment is recorded again, and the segment is removed.
//!
//! A message, a remembered send, a queue's header, its tags and tasks stand whole in exactly one entry that counts, the
//! latest. That of a segment which is the oldest is carried forward if it still lives, so that nothing before it has to be
//! kept for its sake. So is the name of a queue that was deleted, while it cannot be used again (Q37).

use {
    super::{codec, error::JournalError, log::Level, open::decode, recorder::Journal},
    crate::{
        error::StorageError,
        queue::Position,
        service::{Kept, Service, WeakService},
        state::{Fact, QueueState, Recorded},
        sync::Mutex,
    },
    std::{
        collections::BTreeMap,
        io,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    },
};

/// As much is left for each byte that lives, before compaction begins.
const BYTES_FOR_ONE: u64 = 3;

/// Segments that are no reason for compaction: the one written to, the one reserved, and one more.
const SPARE_SEGMENTS: u64 = 3;

/// So many messages, and so many bytes of them, are looked at under one lock of their queue.
const AT_ONCE: usize = 64;
const BYTES_AT_ONCE: u64 = 256 << 10;

/// The estimate of what lives is at most so much too low.
const LARGEST_RATIO: f64 = 16.0;

/// So much is left for settling after a receive, whatever the length of a segment.
const MOST_TO_SETTLE: u64 = 256 << 10;

/// When to compact.
#[derive(Debug)]
pub(super) struct Compaction {
    segment_bytes: u64,
    service: OnceLock<WeakService>,
    progress: Mutex<Progress>,
    /// Bytes recorded that are no facts.
    recorded: AtomicU64,
    /// Roughly the bytes of what ended since the last look at the oldest segment on a full disk.
    freed: AtomicU64,
    /// Bytes of what is no message, as of the last pass.
    others: AtomicU64,
    /// By how much what lives is more than estimated, as of the last pass, in hundredths.
    ratio: AtomicU64,
}

#[derive(Debug, Default)]
struct Progress {
    /// The newest segment when the pass under way began, 0 without one.
    pass_until: u64,
    pass: Pass,
    /// The oldest segment and the space left, when it was not worth compacting on a full disk.
    looked: Option<(u64, u64)>,
    /// The newest segment when compaction failed for another reason than space: it is tried again with the next one.
    failed_at: u64,
    failure: Option<Arc<io::Error>>,
}

/// What one pass carried.
#[derive(Clone, Copy, Debug, Default)]
struct Pass {
    estimated: u64,
    messages: u64,
    others: u64,
}

impl Compaction {
    pub(super) const fn new(segment_bytes: u64) -> Self {
        Self {
            segment_bytes,
            service: OnceLock::new(),
            progress: Mutex::new(Progress::NEW),
            recorded: AtomicU64::new(0),
            freed: AtomicU64::new(0),
            others: AtomicU64::new(0),
            ratio: AtomicU64::new(100),
        }
    }

    /// What lives, by the estimate as corrected.
    fn living(&self, stored_bytes: u64) -> u64 {
        let ratio = self.ratio.load(Ordering::Relaxed);
        (stored_bytes / 100).saturating_mul(ratio) + self.others.load(Ordering::Relaxed)
    }

    fn goal(&self, stored_bytes: u64) -> u64 {
        BYTES_FOR_ONE.saturating_mul(self.living(stored_bytes)) + SPARE_SEGMENTS * self.segment_bytes
    }

    pub(super) fn note_freed(&self, bytes: u64) {
        self.freed.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn note_recorded(&self, bytes: usize) {
        self.recorded.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A queue was deleted: fewer bytes are no messages than the last pass found.
    pub(super) fn forget_others(&self) {
        self.others.store(0, Ordering::Relaxed);
    }

    /// What a receive leaves free.
    pub(super) fn settling_bytes(&self) -> usize {
        (self.segment_bytes / 8).min(MOST_TO_SETTLE) as usize
    }

    /// Why the files only grow, if they do.
    pub(super) fn outcome(&self) -> Result<(), StorageError> {
        match &self.progress.lock().failure {
            None => Ok(()),
            Some(source) => Err(StorageError::Compaction { source: source.clone() }),
        }
    }
}

impl Progress {
    const NEW: Self = Self {
        pass_until: 0,
        pass: Pass {
            estimated: 0,
            messages: 0,
            others: 0,
        },
        looked: None,
        failed_at: 0,
        failure: None,
    };
}

/// A segment being carried.
struct Carrying {
    pass: Pass,
    /// The space that is held for the rest of it, on a full disk.
    held: Option<u64>,
}

/// What a segment says of one queue, or of none.
#[derive(Default)]
struct Contents {
    header: bool,
    tags: bool,
    tasks: bool,
    service: bool,
    /// Of queues, be they deleted.
    names: Vec<String>,
    /// Slots and sequences.
    messages: Vec<(u32, u64)>,
    /// Sequences.
    remembered: Vec<u64>,
}

impl Contents {
    fn note(&mut self, recorded: &Recorded) {
        match recorded {
            Recorded::Queue(header) => {
                self.header = true;
                self.names.push(header.name.clone());
            }
            Recorded::NameDeleted { name, .. } => self.names.push(name.clone()),
            Recorded::Tags(_) => self.tags = true,
            Recorded::Task(_) => self.tasks = true,
            Recorded::Service(_) => self.service = true,
            Recorded::Opened { .. } => {}
            Recorded::Message(message) => self.messages.push((message.slot, message.sequence)),
            Recorded::Remembered(send) => self.remembered.push(send.sequence),
            Recorded::Fact(entry) => match &entry.fact {
                Fact::Sent { content, .. } => {
                    self.messages.push((entry.place.slot, entry.place.sequence));
                    if content.deduplication().is_some() {
                        self.remembered.push(entry.place.sequence);
                    }
                }
                Fact::Arrived { .. } | Fact::MovedIn { .. } => {
                    self.messages.push((entry.place.slot, entry.place.sequence));
                }
                _ => {}
            },
        }
    }
}

impl Journal {
    /// From here on what lives can be found.
    pub(super) fn begin_compaction(self: &Arc<Self>, service: &Service) {
        let _ = self.compaction.service.set(service.downgrade());
        let journal = Arc::downgrade(self);
        let run = move || journal.upgrade().is_some_and(|journal| journal.compact());
        self.log.set_compaction(Box::new(run));
    }

    pub(super) fn wants_compaction(&self) -> bool {
        self.log.bytes() > self.compaction.goal(self.stored_bytes())
    }

    /// Whether so much ended on a full disk that the oldest segment is worth a look.
    pub(super) fn may_press(&self) -> bool {
        let freed = &self.compaction.freed;
        if freed.load(Ordering::Relaxed) < self.compaction.segment_bytes / 32 && self.stored_bytes() > 0 {
            return false;
        }
        if self.log.cramped().is_some() {
            return true;
        }
        freed.store(0, Ordering::Relaxed);
        false
    }

    /// Compacts the oldest segment, if that is due; says whether there may be more to do. What cannot be carried or
    /// removed stays where it is.
    pub(super) fn compact(&self) -> bool {
        let cramped = self.log.cramped();
        if cramped.is_none() && !self.wants_compaction() {
            self.compaction.progress.lock().pass_until = 0;
            return false;
        }
        let newest = self.log.newest();
        if self.compaction.progress.lock().failed_at == newest {
            return false;
        }
        let Some(service) = self.compaction.service.get() else {
            return false;
        };
        let compacted = self.compact_oldest(service, cramped);
        self.log.hold(0);
        match compacted {
            Ok(Some(segment)) => {
                self.end_of_segment(segment);
                if cramped.is_some() {
                    self.log.reserve();
                }
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.failed(error, newest);
                false
            }
        }
    }

    /// A full disk is no failure: it is tried again when there may be room. What stopped the log its calls say.
    fn failed(&self, error: JournalError, newest: u64) {
        let source = match error {
            JournalError::Storage(_) => return,
            JournalError::Io { ref source, .. } if source.kind() == io::ErrorKind::StorageFull => return,
            other => io::Error::other(other.to_string()),
        };
        let mut progress = self.compaction.progress.lock();
        progress.failed_at = newest;
        progress.failure = Some(Arc::new(source));
    }

    /// `cramped` is the space that is left on a full disk.
    fn compact_oldest(&self, service: &WeakService, cramped: Option<u64>) -> Result<Option<u64>, JournalError> {
        if cramped.is_some_and(|room| !self.is_worth_a_look(room)) {
            return Ok(None);
        }
        let mut contents = BTreeMap::<u64, Contents>::new();
        let segment = self.log.read_oldest(&mut |record, body| {
            decode(record, body, &mut |queue, recorded| {
                contents.entry(queue).or_default().note(&recorded);
            })
        })?;
        let Some(segment) = segment else { return Ok(None) };
        let mut carrying = Carrying {
            pass: self.compaction.progress.lock().pass,
            held: None,
        };
        if let Some(room) = cramped {
            self.compaction.freed.store(0, Ordering::Relaxed);
            let living = living(service, &contents);
            let margin = self.compaction.segment_bytes / 8;
            if living + margin > room || !self.gains(living) {
                self.compaction.progress.lock().looked = Some((segment, room));
                return Ok(None);
            }
            self.log.hold(living);
            carrying.held = Some(living);
        }
        for (queue, contents) in &contents {
            if !self.carry(service, *queue, contents, &mut carrying)? {
                return Ok(None);
            }
        }
        // What is removed may hold the latest instant, by which an opening sees that the clock was set back.
        self.record_clock();
        // A log that was closed or stopped meanwhile took nothing of it.
        self.log.wait(0, Level::Written)?;
        // Also what was carried before, and facts by which the rest ended: none of it may be lost with the segment.
        self.log.wait(self.log.appended(), Level::Synced)?;
        self.log.remove_oldest(segment)?;
        let mut progress = self.compaction.progress.lock();
        progress.pass = carrying.pass;
        progress.looked = None;
        Ok(Some(segment))
    }

    /// On a full disk a segment is read again only after something changed.
    fn is_worth_a_look(&self, room: u64) -> bool {
        let segment_bytes = self.compaction.segment_bytes;
        let Some((segment, before)) = self.compaction.progress.lock().looked else {
            return true;
        };
        let freed = self.compaction.freed.load(Ordering::Relaxed);
        freed >= segment_bytes / 32
            || freed > 0 && self.stored_bytes() == 0
            || room + segment_bytes / 16 <= before
            || room > before
            || self.log.oldest() != Some(segment)
    }

    /// Whether carrying so much for a segment is worth it: space is left, or segments behind it have some.
    fn gains(&self, living: u64) -> bool {
        let segment_bytes = self.compaction.segment_bytes;
        let estimated = self.compaction.living(self.stored_bytes());
        living + segment_bytes / 32 <= segment_bytes || self.log.bytes() >= estimated + 2 * segment_bytes
    }

    /// Says whether it is done. A message on its way to another queue may be recorded there already: carried forward now it
    /// would be in both. Nor is it done once the last handle is dropped: the service is held for one portion at a time, so
    /// that the journal is closed soon after that.
    fn carry(
        &self,
        owner: &WeakService,
        number: u64,
        contents: &Contents,
        carrying: &mut Carrying,
    ) -> Result<bool, JournalError> {
        let before = self.compaction.recorded.load(Ordering::Relaxed);
        self.admit_carried(0, carrying)?;
        let Some(service) = owner.upgrade() else {
            return Ok(false);
        };
        if contents.service {
            service.carry(number, Kept::Service);
        }
        let Some(queue) = service.numbered(number) else {
            for name in &contents.names {
                service.carry_deleted(name);
            }
            return Ok(true);
        };
        if contents.header {
            queue.carry(|name, state, record| record(Recorded::Queue(state.header(name))));
        }
        if contents.tags {
            service.carry(number, Kept::Tags);
        }
        if contents.tasks {
            service.carry(number, Kept::Tasks);
        }
        drop((queue, service));
        let begun = self.compaction.recorded.load(Ordering::Relaxed);
        carrying.pass.others += begun - before;
        if !self.carry_messages(owner, number, &contents.messages, carrying)? {
            return Ok(false);
        }
        carrying.pass.messages += self.compaction.recorded.load(Ordering::Relaxed) - begun;
        for sends in contents.remembered.chunks(AT_ONCE) {
            self.admit_carried(0, carrying)?;
            let Some(service) = owner.upgrade() else {
                return Ok(false);
            };
            let Some(queue) = service.numbered(number) else {
                return Ok(true);
            };
            let last = queue.carry(|_, state, record| {
                for send in sends.iter().filter_map(|&sequence| state.remembered(sequence)) {
                    record(Recorded::Remembered(send));
                }
            });
            drop((queue, service));
            self.written(last)?;
        }
        Ok(true)
    }

    /// Carries messages in portions; says whether none of them is on its way to another queue.
    fn carry_messages(
        &self,
        owner: &WeakService,
        number: u64,
        mut messages: &[(u32, u64)],
        carrying: &mut Carrying,
    ) -> Result<bool, JournalError> {
        let most = BYTES_AT_ONCE.min(self.compaction.segment_bytes / 8);
        let mut asked = most;
        while !messages.is_empty() {
            self.admit_carried(asked as usize, carrying)?;
            let Some(service) = owner.upgrade() else {
                return Ok(false);
            };
            let Some(queue) = service.numbered(number) else {
                return Ok(true);
            };
            let (mut done, mut bytes, mut departing) = (0, 0, false);
            let last = queue.carry(|_, state, record| {
                for &(slot, sequence) in messages.iter().take(AT_ONCE) {
                    departing |= state.is_under_way(slot, sequence);
                    if departing {
                        return;
                    }
                    if let Some(message) = state.carried(slot, sequence) {
                        let size = message.content.size_bytes() as u64 + QueueState::EACH;
                        if bytes + size > asked {
                            asked = if done == 0 { size } else { most };
                            return;
                        }
                        bytes += size;
                        record(Recorded::Message(message));
                    }
                    done += 1;
                }
                asked = most;
            });
            drop((queue, service));
            if departing {
                return Ok(false);
            }
            carrying.pass.estimated += bytes;
            if let Some(held) = &mut carrying.held {
                *held = held.saturating_sub(bytes);
                self.log.hold(*held);
            }
            messages = &messages[done..];
            self.written(last)?;
        }
        Ok(true)
    }

    /// What space is held for is let in.
    fn admit_carried(&self, bytes: usize, carrying: &Carrying) -> Result<(), StorageError> {
        match carrying.held {
            None => self.log.admit_quietly(bytes, false),
            Some(_) => Ok(()),
        }
    }

    fn written(&self, position: Position) -> Result<(), JournalError> {
        if position > 0 {
            self.log.wait(position, Level::Written)?;
        }
        Ok(())
    }

    /// A pass ends with the segment that was the newest when it began. What it carried corrects the estimate.
    fn end_of_segment(&self, segment: u64) {
        let newest = self.log.newest();
        let mut progress = self.compaction.progress.lock();
        if progress.pass_until == 0 {
            progress.pass_until = newest;
            progress.pass = Pass::default();
        } else if segment >= progress.pass_until {
            progress.pass_until = 0;
            let Pass {
                estimated,
                messages,
                others,
            } = std::mem::take(&mut progress.pass);
            let ratio = messages as f64 / estimated.max(1) as f64;
            let ratio = if estimated == 0 {
                1.0
            } else {
                ratio.clamp(1.0, LARGEST_RATIO)
            };
            self.compaction
                .ratio
                .store((ratio * 100.0).ceil() as u64, Ordering::Relaxed);
            self.compaction.others.store(others, Ordering::Relaxed);
        }
    }
}

/// How many bytes of segments are needed to record again what lives of a segment.
fn living(owner: &WeakService, contents: &BTreeMap<u64, Contents>) -> u64 {
    let mut bytes = 0;
    let mut out = Vec::new();
    let mut add = |recorded: &Recorded| {
        out.clear();
        codec::encode(recorded, &mut out);
        bytes += out.len() as u64;
    };
    for (number, contents) in contents {
        let queue = || owner.upgrade().and_then(|service| service.numbered(*number));
        if contents.header {
            let Some(queue) = queue() else { continue };
            queue.carry(|name, state, _| add(&Recorded::Queue(state.header(name))));
        }
        for messages in contents.messages.chunks(AT_ONCE) {
            let Some(queue) = queue() else { continue };
            queue.carry(|_, state, _| {
                let alive = messages
                    .iter()
                    .filter_map(|&(slot, sequence)| state.carried(slot, sequence));
                alive.for_each(|message| add(&Recorded::Message(message)));
            });
        }
        for sends in contents.remembered.chunks(AT_ONCE) {
            let Some(queue) = queue() else { continue };
            queue.carry(|_, state, _| {
                let alive = sends.iter().filter_map(|&sequence| state.remembered(sequence));
                alive.for_each(|send| add(&Recorded::Remembered(send)));
            });
        }
    }
    bytes
}
