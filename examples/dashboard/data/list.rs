//! The messages of a queue as a list: which of them, in which order, and a row of each.

use {
    super::{LISTED_BYTES, REASON_BYTES, SEARCHED_BYTES, Shot, beginning},
    requeue::{MessagePhase, MessageSnapshot, Timestamp},
    serde::Deserialize,
    serde_json::{Value, json},
    std::{cmp::Reverse, collections::HashMap},
};

/// Groups and reasons that a page counts.
const MAX_FACETS: usize = 12;

/// Which messages of a queue, in which order, and which page of them. A name that is not known is refused: it would
/// select all.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listing {
    pub(crate) phase: Option<Phase>,
    /// The whole group id; an empty one stands for messages without a group.
    pub(crate) group: Option<String>,
    /// A part of why the message failed last.
    pub(crate) error: String,
    /// A part of the body or of the id.
    pub(crate) text: String,
    pub(crate) sort: Sort,
    /// From 0; beyond the last it is the last.
    pub(crate) page: usize,
    pub(crate) size: usize,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            phase: None,
            group: None,
            error: String::new(),
            text: String::new(),
            sort: Sort::Oldest,
            page: 0,
            size: 50,
        }
    }
}

/// A phase as the page has it: what is held back by its group is not visible.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Visible,
    InFlight,
    Delayed,
    Blocked,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// In the order of the queue.
    Oldest,
    Newest,
    Receives,
    /// The next end of a delay or of a visibility timeout first; then what is visible.
    Deadline,
    Largest,
}

impl Shot {
    /// Why a message failed last, as far as it is shown and searched.
    fn reason<'s>(&'s self, message: &'s MessageSnapshot) -> Option<&'s str> {
        let of_letter = message.content.dead_letter_reason();
        let reason = of_letter.or_else(|| self.reasons.get(&message.message_id))?;
        Some(beginning(reason, REASON_BYTES))
    }

    pub(crate) fn select<'s>(&'s self, listing: &'s Listing) -> impl Iterator<Item = &'s MessageSnapshot> {
        self.snapshot
            .messages
            .iter()
            .filter(|message| self.matches(message, listing))
    }

    fn matches(&self, message: &MessageSnapshot, listing: &Listing) -> bool {
        let in_phase = listing.phase.is_none_or(|phase| phase == Phase::of(message));
        let group = message.content.group_id().unwrap_or_default();
        let in_group = listing.group.as_ref().is_none_or(|wanted| wanted == group);
        if !in_phase || !in_group {
            return false;
        }
        let failed = listing.error.is_empty()
            || self
                .reason(message)
                .is_some_and(|reason| reason.contains(&listing.error));
        let text = listing.text.trim();
        failed
            && (text.is_empty()
                || beginning(message.content.body(), SEARCHED_BYTES).contains(text)
                || message.message_id.to_string().contains(text))
    }

    pub(super) fn row(&self, message: &MessageSnapshot, workers: &HashMap<String, &str>) -> Value {
        let id = message.message_id.to_string();
        let until = match message.phase {
            MessagePhase::Delayed { until } | MessagePhase::InFlight { until } => Some(until.as_millis()),
            _ => None,
        };
        json!({
            "phase": Phase::of(message).name(),
            "until": until,
            "worker": workers.get(&id),
            "id": id,
            "group": message.content.group_id(),
            "sequence": message.sequence_number.map(|number| number.to_string()),
            "sent": message.sent_timestamp.as_millis(),
            "arrived": message.arrived_timestamp.as_millis(),
            "expires": message.expires_at.as_millis(),
            "receives": message.approximate_receive_count,
            "reason": self.reason(message),
            "body": beginning(message.content.body(), LISTED_BYTES),
            "body_bytes": message.content.body().len(),
        })
    }
}

impl Phase {
    fn of(message: &MessageSnapshot) -> Self {
        match message.phase {
            MessagePhase::InFlight { .. } => Self::InFlight,
            MessagePhase::Delayed { .. } => Self::Delayed,
            _ if message.blocked => Self::Blocked,
            _ => Self::Visible,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::InFlight => "in_flight",
            Self::Delayed => "delayed",
            Self::Blocked => "blocked",
        }
    }
}

pub(super) fn sort(messages: &mut [&MessageSnapshot], by: Sort) {
    match by {
        Sort::Oldest => {}
        Sort::Newest => messages.reverse(),
        Sort::Receives => messages.sort_by_key(|message| Reverse(message.approximate_receive_count)),
        Sort::Largest => messages.sort_by_key(|message| Reverse(message.content.body().len())),
        Sort::Deadline => messages.sort_by_key(|message| match message.phase {
            MessagePhase::Delayed { until } | MessagePhase::InFlight { until } => until,
            _ => Timestamp::MAX,
        }),
    }
}

/// The groups and the reasons with the most messages.
pub(super) fn facets(shot: &Shot, chosen: &[&MessageSnapshot]) -> (Vec<Value>, Vec<Value>) {
    let groups = chosen.iter().filter_map(|message| message.content.group_id());
    let reasons = chosen.iter().filter_map(|message| shot.reason(message));
    (most_frequent(groups), most_frequent(reasons))
}

fn most_frequent<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<Value> {
    let mut counts = HashMap::<&str, usize>::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    let by_count = |(text, count): &(&'t str, usize)| (Reverse(*count), *text);
    if counts.len() > MAX_FACETS {
        counts.select_nth_unstable_by_key(MAX_FACETS, by_count);
        counts.truncate(MAX_FACETS);
    }
    counts.sort_unstable_by_key(by_count);
    let facet = |(text, count)| json!({ "text": text, "count": count });
    counts.into_iter().map(facet).collect()
}
