//! Batches of the library and of the reference.

use std::fmt::Debug;

use requeue::{
    BatchError, BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, Message, MessageId, SendBatchEntry,
};

use crate::compare::{Pair, Same, both, faulty, same};
use crate::reference::*;
use crate::steps::{BatchIds, Pick};
use crate::translate::*;
use crate::ways;

impl Pair {
    pub(crate) fn delete_by_id(&mut self, queue: usize, back: &[usize]) -> Same {
        let known = self.message_ids.len();
        let picked = back.iter().filter(|_| known > 0).map(|back| known - 1 - back % known);
        let picked = picked.filter_map(|number| Some((number, self.message_ids[number]?)));
        let (model, real): (Vec<usize>, Vec<MessageId>) = picked.unzip();
        let deleted = self.world.delete_by_id(queue, &model);
        same("deleted by id", self.queues[queue].delete_by_id(&real), Ok(deleted))
    }

    pub(crate) fn send_batch(&mut self, queue: usize, entries: &[(String, Draft)]) -> Same {
        let real = entries
            .iter()
            .map(|(id, draft)| SendBatchEntry::new(id.clone(), outgoing(draft)));
        let answer = faulty!(self.queues[queue].send_batch(real));
        let model = self.world.send_batch(queue, entries);
        self.count_entries(ways::SEND_BATCH, &model);
        for (place, model) in model.iter().flatten().enumerate() {
            self.count_draft(ways::SEND_BATCH, queue, &entries[place].1, model);
        }
        let Some((real, model)) = both(answer, model)? else {
            return Ok(());
        };
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        for (real, model) in paired(&ids, real, model)? {
            self.sent(queue, real.message_id, real.sequence_number, model)?;
        }
        Ok(())
    }

    pub(crate) fn burst(&mut self, queue: usize, messages: usize) -> Same {
        for batch in 0..messages.div_ceil(10) {
            let draft = |place: usize| {
                let draft = Draft::new("b");
                let unique = format!("burst-{}-{place}", self.message_ids.len());
                match self.shape.fifo() {
                    true => draft
                        .message_group_id(&format!("g{}", (batch + place) % self.shape.groups))
                        .deduplication_id(&unique),
                    false => draft,
                }
            };
            let entries: Vec<_> = (0..10)
                .map(|place| (BatchIds::Places.of(place), draft(place)))
                .collect();
            self.send_batch(queue, &entries)?;
        }
        Ok(())
    }

    pub(crate) fn delete_batch(&mut self, picks: &[Pick], ids: BatchIds) -> Same {
        let picked: Vec<_> = picks.iter().filter_map(|pick| self.pick(*pick)).collect();
        let queue = picked.first().map_or(0, |(queue, _, _)| *queue);
        let handles: Vec<Handle> = picked.iter().map(|it| it.1).collect();
        let (ids, by_value) = self.entries_of(ways::DELETE_BATCH, queue, &handles, ids);
        let real = &self.queues[queue];
        let answer = match by_value {
            Some(messages) => real.delete_batch(messages),
            None => {
                let entries = ids.iter().zip(&picked);
                real.delete_batch(entries.map(|(id, (_, _, real))| DeleteBatchEntry::new(id.clone(), *real)))
            }
        };
        let entries: Vec<_> = ids.iter().cloned().zip(handles).collect();
        let model = self.world.delete_batch(queue, &entries);
        self.compare_batch(ways::DELETE_BATCH, &ids, answer, model)
    }

    pub(crate) fn change_visibility_batch(&mut self, picks: &[(Pick, u64)], ids: BatchIds) -> Same {
        let picked: Vec<_> = picks
            .iter()
            .filter_map(|(pick, timeout)| Some((self.pick(*pick)?, *timeout)))
            .collect();
        let queue = picked.first().map_or(0, |((queue, _, _), _)| *queue);
        let handles: Vec<Handle> = picked.iter().map(|it| it.0.1).collect();
        let (ids, by_value) = self.entries_of(ways::CHANGE_VISIBILITY_BATCH, queue, &handles, ids);
        let timeouts = picked.iter().map(|it| it.1);
        let real = &self.queues[queue];
        let answer = match by_value {
            Some(messages) => real.change_visibility_batch(messages.into_iter().zip(timeouts.clone().map(span))),
            None => {
                let entries = ids.iter().zip(&picked).map(|(id, ((_, _, real), timeout))| {
                    ChangeVisibilityBatchEntry::new(id.clone(), *real, span(*timeout))
                });
                real.change_visibility_batch(entries)
            }
        };
        let entries = ids.iter().zip(handles).zip(timeouts);
        let entries: Vec<_> = entries
            .map(|((id, handle), timeout)| (id.clone(), handle, timeout))
            .collect();
        let model = self.world.change_visibility_batch(queue, &entries);
        self.compare_batch(ways::CHANGE_VISIBILITY_BATCH, &ids, answer, model)
    }

    /// The ids of the entries, and the messages if the batch is of messages, which have their places as ids.
    fn entries_of(
        &self,
        verb: &'static str,
        queue: usize,
        handles: &[Handle],
        ids: BatchIds,
    ) -> (Vec<String>, Option<Vec<&Message>>) {
        let places = 0..handles.len();
        let by_value = self.setting.by_message && ids == BatchIds::Places;
        self.ways.reach(verb, if by_value { "by message" } else { "by handle" });
        if handles.iter().any(|it| it.queue != queue) {
            self.ways.reach(verb, "of another queue's message");
        }
        if !by_value {
            return (places.map(|place| ids.of(place)).collect(), None);
        }
        let message = |handle: &Handle| {
            let place = self.handles.iter().position(|(known, _)| known == handle);
            &self.messages[place.expect("it was picked")]
        };
        let messages = handles.iter().map(message).collect();
        (places.map(|place| place.to_string()).collect(), Some(messages))
    }

    fn compare_batch(
        &self,
        verb: &'static str,
        ids: &[String],
        answer: Result<BatchResult<()>, BatchError>,
        model: Result<Vec<Result<(), Refusal>>, Refusal>,
    ) -> Same {
        self.count_entries(verb, &model);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        match both(faulty!(answer), model)? {
            Some((real, model)) => paired(&ids, real, model).map(drop),
            None => Ok(()),
        }
    }
}

/// The successes of a batch in pairs; failures must be the same ones (M38, M39).
pub(crate) fn paired<R: Debug, M: Debug>(
    ids: &[&str],
    real: BatchResult<R>,
    model: Vec<Result<M, Refusal>>,
) -> Same<Vec<(R, M)>> {
    let (mut successful, mut failed) = (real.successful.into_iter(), real.failed.into_iter());
    let mut pairs = Vec::new();
    for (id, model) in ids.iter().zip(model) {
        match model {
            Ok(model) => {
                let real = successful.next().ok_or_else(|| format!("entry {id} did not succeed"))?;
                same("successful entry", real.id.as_ref(), id)?;
                pairs.push((real.output, model));
            }
            Err(refusal) => {
                let real = failed
                    .next()
                    .ok_or_else(|| format!("entry {id} did not fail with {refusal:?}"))?;
                same("failed entry", (real.id.as_ref(), real.code), (*id, refusal.code))?;
                same("sender fault", real.sender_fault, true)?;
                if !real.message.contains(refusal.text) {
                    return Err(format!("entry {id} says {:?}, not {:?}", real.message, refusal.text));
                }
            }
        }
    }
    same("entries left over", (successful.len(), failed.len()), (0, 0))?;
    Ok(pairs)
}
