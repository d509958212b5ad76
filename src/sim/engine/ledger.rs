//! The messages that are about, and what is counted of them.

use {
    super::{
        agenda::Micros,
        facts::{Numbered, Seen},
        slab::Slab,
        window::{Place, Window, seconds},
    },
    crate::{
        message::MessageId,
        sim::measure::{GroupMeasured, QueueMeasured, Sample},
    },
    foldhash::fast::FixedState,
    std::{collections::HashMap, sync::Arc},
};

const NONE: u32 = u32::MAX;

/// The number of a message that has left before a worker received it.
pub(super) const NO_TRACK: u32 = NONE;

/// The groups of a producer that are kept apart, by their numbers; the others are one. These are the same in all
/// replications, so that means over them are of the same groups.
const KEPT_GROUPS: u32 = 20;
const OTHERS: &str = "others";

/// A message of the run, until it has left its queue and no worker has it.
#[derive(Debug)]
struct Track {
    numbered: Numbered,
    queue: u32,
    /// Into the queue where it is.
    entered_at: Micros,
    /// Into its first queue.
    sent_at: Micros,
    /// Its neighbours of the same queue, in the order in which they entered it.
    older: u32,
    newer: u32,
    /// The slot of its group in the queue.
    group: Option<u32>,
    /// From the queue where it is.
    received: u32,
    /// How often a handler began and ended well.
    begun: u32,
    done: u32,
    /// The queue that counts it as done, if one does.
    done_in: Option<u32>,
    /// Workers that have it.
    held: u32,
    gone: bool,
}

#[derive(Debug)]
pub(super) struct Ledger {
    window: Window,
    tracks: Slab<Track>,
    by_id: HashMap<MessageId, u32, FixedState>,
    queues: Vec<Book>,
}

/// What is kept of one queue.
#[derive(Debug)]
struct Book {
    measured: QueueMeasured,
    oldest: u32,
    newest: u32,
    /// The slot of each group that was seen, by producer and number.
    groups: HashMap<(u32, u32), u32, FixedState>,
    kept: Vec<(Arc<str>, GroupMeasured)>,
}

impl GroupMeasured {
    fn new() -> Self {
        Self {
            sent: 0,
            done: 0,
            time_to_first_receive: Sample::new(),
            time_to_completion: Sample::new(),
        }
    }
}

impl Book {
    /// The slot of a group by its producer and number.
    fn group(&mut self, group: (u32, u32), name: impl FnOnce() -> Arc<str>) -> u32 {
        let kept = &mut self.kept;
        *self.groups.entry(group).or_insert_with(|| {
            let name = if group.1 < KEPT_GROUPS { name() } else { OTHERS.into() };
            let known = kept.iter().position(|it| it.0 == name);
            known.unwrap_or_else(|| {
                kept.push((name, GroupMeasured::new()));
                kept.len() - 1
            }) as u32
        })
    }

    fn group_mut(&mut self, slot: Option<u32>) -> Option<&mut GroupMeasured> {
        Some(&mut self.kept.get_mut(slot? as usize)?.1)
    }
}

impl Ledger {
    pub(super) fn new(window: Window, queues: impl IntoIterator<Item = QueueMeasured>) -> Self {
        let book = |measured| Book {
            measured,
            oldest: NONE,
            newest: NONE,
            groups: HashMap::default(),
            kept: Vec::new(),
        };
        Self {
            window,
            tracks: Slab::new(),
            by_id: HashMap::default(),
            queues: queues.into_iter().map(book).collect(),
        }
    }

    pub(super) fn queue_mut(&mut self, queue: u32) -> &mut QueueMeasured {
        &mut self.queues[queue as usize].measured
    }

    /// Takes note of a fact; `name` tells what a group of a producer is called.
    #[inline]
    pub(super) fn note(
        &mut self,
        queue: u32,
        seen: Seen,
        now: Micros,
        place: Place,
        name: impl FnOnce(u32, u32) -> Arc<str>,
    ) {
        match seen {
            Seen::Sent(id, numbered) => {
                let track = self.enter(queue, numbered, now, name);
                self.by_id.insert(id, track);
                let book = &mut self.queues[queue as usize];
                book.measured.series.arrivals.add(place.point, 1.0);
                if place.batch.is_some() {
                    book.measured.totals.sent += 1;
                    let group = self.tracks.get(track).and_then(|it| it.group);
                    if let Some(group) = book.group_mut(group) {
                        group.sent += 1;
                    }
                }
            }
            Seen::Received(id) => {
                if let Some(track) = self.by_id.get(&id).copied() {
                    self.received(track, now, place);
                }
            }
            Seen::Deleted(id) => {
                self.end(id, now, place);
            }
            Seen::Expired(id) => {
                if self.end(id, now, place) && place.batch.is_some() {
                    self.queues[queue as usize].measured.totals.expired += 1;
                }
            }
            // The target reports it first.
            Seen::Arrived(id) => self.moved(queue, id, now, place, name),
            Seen::DeadLettered => {
                if let Some(batch) = place.batch {
                    let measured = &mut self.queues[queue as usize].measured;
                    measured.totals.dead_lettered += 1;
                    measured.dead_letters.add_part(batch, 1.0);
                }
            }
        }
    }

    fn enter(&mut self, queue: u32, numbered: Numbered, now: Micros, name: impl FnOnce(u32, u32) -> Arc<str>) -> u32 {
        let book = &mut self.queues[queue as usize];
        let group = numbered.group.map(|group| {
            let key = (numbered.producer, group);
            book.group(key, || name(numbered.producer, group))
        });
        let track = Track {
            numbered,
            queue,
            entered_at: now,
            sent_at: now,
            older: book.newest,
            newer: NONE,
            group,
            received: 0,
            begun: 0,
            done: 0,
            done_in: None,
            held: 0,
            gone: false,
        };
        let (index, _) = self.tracks.insert(track);
        self.link(queue, index);
        index
    }

    /// Makes a message the newest of a queue.
    fn link(&mut self, queue: u32, index: u32) {
        let book = &mut self.queues[queue as usize];
        let before = std::mem::replace(&mut book.newest, index);
        match self.tracks.get_mut(before) {
            Some(before) => before.newer = index,
            None => book.oldest = index,
        }
    }

    fn received(&mut self, index: u32, now: Micros, place: Place) {
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        track.received += 1;
        let Some(batch) = place.batch else { return };
        let book = &mut self.queues[track.queue as usize];
        book.measured.totals.received += 1;
        if track.received == 1 {
            let waited = now - track.entered_at;
            book.measured.time_to_first_receive.record(batch, waited);
            if let Some(group) = book.group_mut(track.group) {
                group.time_to_first_receive.record(batch, waited);
            }
        }
    }

    /// Takes a message that has left out of its queue.
    fn unlink(&mut self, index: u32, now: Micros, place: Place) {
        let Some(track) = self.tracks.get(index) else { return };
        let (older, newer) = (track.older, track.newer);
        let book = &mut self.queues[track.queue as usize];
        if let Some(batch) = place.batch {
            let measured = &mut book.measured;
            measured.dead_letters.add(batch, 0.0, 1.0);
            let most = measured.receives.len() - 1;
            measured.receives[(track.received as usize).min(most)] += 1;
            measured.little.spent += seconds(now - track.entered_at.max(self.window.warm_up));
        }
        match self.tracks.get_mut(older) {
            Some(older) => older.newer = newer,
            None => book.oldest = newer,
        }
        match self.tracks.get_mut(newer) {
            Some(newer) => newer.older = older,
            None => book.newest = older,
        }
    }

    fn end(&mut self, id: MessageId, now: Micros, place: Place) -> bool {
        let Some(index) = self.by_id.remove(&id) else {
            return false;
        };
        self.unlink(index, now, place);
        if let Some(track) = self.tracks.get_mut(index) {
            track.gone = true;
            if track.held == 0 {
                self.tracks.remove(index);
            }
        }
        true
    }

    /// A message came into a dead-letter queue.
    fn moved(&mut self, queue: u32, id: MessageId, now: Micros, place: Place, name: impl FnOnce(u32, u32) -> Arc<str>) {
        let Some(index) = self.by_id.get(&id).copied() else {
            return;
        };
        self.unlink(index, now, place);
        let book = &mut self.queues[queue as usize];
        if let Some(track) = self.tracks.get_mut(index) {
            let Numbered { producer, group, .. } = track.numbered;
            track.group = group.map(|group| book.group((producer, group), || name(producer, group)));
            (track.queue, track.entered_at, track.received) = (queue, now, 0);
            (track.older, track.newer) = (book.newest, NONE);
        }
        self.link(queue, index);
        let book = &mut self.queues[queue as usize];
        book.measured.series.arrivals.add(place.point, 1.0);
        if place.batch.is_some() {
            book.measured.totals.sent += 1;
        }
    }

    /// Messages that have left under the workers that have them.
    #[inline]
    pub(super) fn gone_and_held(&self) -> u64 {
        (self.tracks.len() - self.by_id.len()) as u64
    }

    /// A worker has received a message, which is known as long as it has it.
    pub(super) fn hold(&mut self, id: MessageId) -> Option<(u32, Numbered)> {
        let index = *self.by_id.get(&id)?;
        let track = self.tracks.get_mut(index)?;
        track.held += 1;
        Some((index, track.numbered))
    }

    pub(super) fn let_go(&mut self, index: u32) {
        if let Some(track) = self.tracks.get_mut(index) {
            track.held -= 1;
            if track.gone && track.held == 0 {
                self.tracks.remove(index);
            }
        }
    }

    /// A handler begins.
    pub(super) fn begun(&mut self, index: u32, place: Place) {
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        track.begun += 1;
        if track.begun == 2 && place.batch.is_some() {
            self.queues[track.queue as usize].measured.totals.begun_more_than_once += 1;
        }
    }

    /// A handler of a worker of this queue ended well; returns whether it was the first to do so.
    pub(super) fn done(&mut self, index: u32, queue: u32, now: Micros, place: Place) -> bool {
        let Some(track) = self.tracks.get_mut(index) else {
            return false;
        };
        track.done += 1;
        let is_first = track.done == 1;
        if is_first {
            self.queues[queue as usize]
                .measured
                .series
                .completions
                .add(place.point, 1.0);
        }
        let Some(batch) = place.batch else {
            return is_first;
        };
        if is_first {
            track.done_in = Some(queue);
            // It may have moved to a dead-letter queue under its handler.
            let since = if track.queue == queue {
                track.entered_at
            } else {
                track.sent_at
            };
            let (took, producer) = (now - since, track.numbered.producer);
            let book = &mut self.queues[queue as usize];
            book.measured.totals.done += 1;
            book.measured.throughput.add_part(batch, 1.0);
            book.measured.duplicates.add(batch, 0.0, 1.0);
            book.measured.time_to_completion.record(batch, took);
            let slot = track
                .numbered
                .group
                .and_then(|group| book.groups.get(&(producer, group)).copied());
            if let Some(group) = book.group_mut(slot) {
                group.done += 1;
                group.time_to_completion.record(batch, took);
            }
        } else if let (2, Some(queue)) = (track.done, track.done_in) {
            let measured = &mut self.queues[queue as usize].measured;
            measured.totals.done_more_than_once += 1;
            measured.duplicates.add_part(batch, 1.0);
        }
        is_first
    }

    /// How long the oldest message has been in a queue.
    pub(super) fn age_of_oldest(&self, queue: u32, now: Micros) -> Option<Micros> {
        let oldest = self.tracks.get(self.queues[queue as usize].oldest)?;
        Some(now - oldest.entered_at)
    }

    /// What was measured, with what is still in the queues.
    pub(super) fn finish(mut self, end: Micros) -> Vec<QueueMeasured> {
        let from = self.window.warm_up;
        for (_, track) in self.tracks.iter().filter(|it| !it.1.gone) {
            let measured = &mut self.queues[track.queue as usize].measured;
            measured.totals.left += 1;
            measured.little.spent += seconds(end.saturating_sub(track.entered_at.max(from)));
        }
        let whole = |mut book: Book| {
            let named = book.kept.drain(..).map(|(name, group)| (name.to_string(), group));
            book.measured.groups = named.collect();
            book.measured
        };
        self.queues.into_iter().map(whole).collect()
    }
}
