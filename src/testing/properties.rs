//! Ready properties: what consumers promise most often, and what is easily got wrong when it is written down anew.

use {
    super::{
        ledger::{Fate, FinalMessage},
        setup::Requirement,
    },
    std::{
        collections::{HashMap, HashSet},
        fmt::{self, Display},
        hash::Hash,
        rc::Rc,
    },
};

/// The keys of the effects in the world, in the order of the effects.
pub(super) type Effects<W, K> = Rc<dyn Fn(&W) -> Vec<K>>;
/// The key of the effect that a message demands, if it demands one.
type KeyOf<K> = Box<dyn Fn(&FinalMessage) -> Option<K>>;

/// No key has two effects, at any moment.
pub(super) fn never_twice<W: 'static, K: Eq + Hash + Display + 'static>(
    effect: &str,
    effects: Effects<W, K>,
) -> Requirement<W> {
    let name = format!("nothing is {effect} twice");
    let effect = effect.to_owned();
    Requirement::new(name, move |world, _| {
        let effects = effects(world);
        let mut seen = HashSet::with_capacity(effects.len());
        let again = effects.iter().find(|key| !seen.insert(*key))?;
        Some(match effects.iter().filter(|key| *key == again).count() {
            2 => format!("{again} was {effect} twice"),
            times => format!("{again} was {effect} {times} times"),
        })
    })
}

/// The effect that a deleted message demands is there.
pub(super) fn never_missing<W: 'static, K: Eq + Hash + Display + 'static>(
    effect: &str,
    effects: Effects<W, K>,
    demands: KeyOf<K>,
) -> Requirement<W> {
    let name = format!("what is deleted was {effect}");
    let effect = effect.to_owned();
    Requirement::new(name, move |world, messages| {
        let (effects, messages) = (effects(world), messages.all());
        let effects: HashSet<&K> = effects.iter().collect();
        let (message, key) = deleted(&messages)
            .filter_map(|message| Some((message, demands(message)?)))
            .find(|(_, key)| !effects.contains(key))?;
        Some(format!("{} was deleted, but {key} was never {effect}", message.name))
    })
}

/// The first effects of the messages of a group follow the order in which they were sent.
pub(super) fn in_order<W: 'static, K: Eq + Hash + Display + 'static>(
    effect: &str,
    effects: Effects<W, K>,
    demands: KeyOf<K>,
) -> Requirement<W> {
    let name = format!("each group is {effect} in its order");
    let effect = effect.to_owned();
    Requirement::new(name, move |world, messages| {
        let effects = effects(world);
        if effects.len() < 2 {
            return None;
        }
        let mut first = HashMap::new();
        for (place, key) in effects.iter().enumerate() {
            first.entry(key).or_insert(place);
        }
        let messages = messages.all();
        let mut latest: HashMap<Group<'_>, (usize, K)> = HashMap::new();
        let mut sent = HashSet::new();
        for message in undead(&messages) {
            let Some(key) = demands(message) else { continue };
            let Some(place) = first.get(&key).copied() else {
                continue;
            };
            let group = Group::of(message);
            if !sent.insert((group, place)) {
                continue;
            }
            match latest.get(&group) {
                Some((before, sent_first)) if place < *before => {
                    return Some(format!(
                        "{key} was {effect} before {sent_first}, which was sent first{group}"
                    ));
                }
                _ => drop(latest.insert(group, (place, key))),
            }
        }
        None
    })
}

/// What is deleted from one queue has been sent to another.
pub(super) fn nothing_lost<W: 'static, K: Eq + Hash + Display + 'static>(
    from: String,
    to: String,
    key_of: KeyOf<K>,
) -> Requirement<W> {
    let name = format!("nothing is lost from {from} to {to}");
    Requirement::new(name, move |_, messages| {
        let messages = messages.all();
        let arrived: HashSet<K> = messages
            .iter()
            .filter(|message| *message.queue == *to)
            .filter_map(&key_of)
            .collect();
        let lost = |message: &&FinalMessage| {
            let is_gone = *message.queue == *from && message.fate == Some(Fate::Deleted);
            is_gone && key_of(message).is_some_and(|key| !arrived.contains(&key))
        };
        let message = messages.iter().find(lost)?;
        let key = key_of(message)?;
        Some(format!(
            "{} was deleted from {from}, but {key} was never sent to {to}",
            message.name
        ))
    })
}

/// The messages that never became a dead letter: of one that did, whoever deletes it later does so for another reason.
fn undead(messages: &[FinalMessage]) -> impl Iterator<Item = &FinalMessage> {
    let dead = messages.iter().filter(|it| it.fate == Some(Fate::DeadLettered));
    let dead: HashSet<_> = dead.map(|it| it.message_id).collect();
    messages.iter().filter(move |it| !dead.contains(&it.message_id))
}

fn deleted(messages: &[FinalMessage]) -> impl Iterator<Item = &FinalMessage> {
    undead(messages).filter(|it| it.fate == Some(Fate::Deleted))
}

/// Messages of a queue that have an order.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Group<'m> {
    queue: &'m str,
    id: Option<&'m str>,
}

impl<'m> Group<'m> {
    fn of(message: &'m FinalMessage) -> Self {
        Self {
            queue: &message.queue,
            id: message.message_group_id.as_deref(),
        }
    }
}

impl Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, " in group {id}"),
            None => Ok(()),
        }
    }
}
