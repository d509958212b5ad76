//! What a listener is told, folded into what must then be stored.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use requeue::{Fact, FactEntry, FactListener, MessageId};

/// Per queue, by ARN: the number of its latest fact and the messages stored by its facts.
type Told = HashMap<String, (u64, BTreeSet<MessageId>)>;

#[derive(Default)]
struct Heard {
    queues: Told,
    kinds: Vec<&'static str>,
    /// What no queue may tell; a panic of a listener would be contained.
    wrong: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Listening(Arc<Mutex<Heard>>);

impl Listening {
    /// What the facts of a queue say is stored.
    pub(crate) fn stored(&self, arn: &str) -> BTreeSet<MessageId> {
        let told = self.0.lock().unwrap();
        told.queues.get(arn).map_or_else(BTreeSet::new, |it| it.1.clone())
    }

    /// Queues that are opened again number their facts from 1.
    #[cfg(feature = "journal")]
    pub(crate) fn begin_again(&self) {
        self.0.lock().unwrap().queues.values_mut().for_each(|told| told.0 = 0);
    }

    /// The kinds of the facts since the last call.
    pub(crate) fn take_kinds(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap().kinds)
    }

    pub(crate) fn wrong(&self) -> Option<String> {
        self.0.lock().unwrap().wrong.clone()
    }
}

fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Sent { .. } => "Sent",
        Fact::Deduplicated { .. } => "Deduplicated",
        Fact::Received { .. } => "Received",
        Fact::ReceivedNothing => "ReceivedNothing",
        Fact::ReceivedAgain { .. } => "ReceivedAgain",
        Fact::VisibilityChanged { .. } => "VisibilityChanged",
        Fact::Returned { .. } => "Returned",
        Fact::DelayEnded { .. } => "DelayEnded",
        Fact::Deleted { .. } => "Deleted",
        Fact::DeletedAgain => "DeletedAgain",
        Fact::Expired { .. } => "Expired",
        Fact::DeadLettered { .. } => "DeadLettered",
        Fact::Arrived { .. } => "Arrived",
        Fact::MovedOut { .. } => "MovedOut",
        Fact::MovedIn { .. } => "MovedIn",
        Fact::Purged { .. } => "Purged",
        Fact::SettingsChanged { .. } => "SettingsChanged",
        _ => "another",
    }
}

impl FactListener for Listening {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        let mut heard = self.0.lock().unwrap();
        let Heard { queues, kinds, wrong } = &mut *heard;
        kinds.push(kind(&entry.fact));
        let (number, stored) = queues.entry(queue.to_string()).or_default();
        let follows = entry.number == *number + 1;
        *number = entry.number;
        let holds = match &entry.fact {
            Fact::Sent { message_id, .. } | Fact::Arrived { message_id, .. } | Fact::MovedIn { message_id, .. } => {
                stored.insert(*message_id)
            }
            Fact::Deleted { message_id, .. }
            | Fact::Expired { message_id, .. }
            | Fact::DeadLettered { message_id, .. }
            | Fact::MovedOut { message_id, .. } => stored.remove(message_id),
            Fact::Purged { messages, .. } => std::mem::take(stored).len() == *messages,
            _ => true,
        };
        if !(follows && holds) && wrong.is_none() {
            *wrong = Some(format!("{entry:?} of {queue}"));
        }
    }
}
