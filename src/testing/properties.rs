//! Ready properties: what consumers promise most often, and what is easily got wrong when it is written down anew.

use {
    super::{
        ledger::{Fate, FinalMessage, Messages},
        setup::Requirement,
    },
    std::{
        collections::{HashMap, HashSet},
        fmt::{self, Display},
        hash::Hash,
        rc::Rc,
        sync::Arc,
    },
};

/// The keys of the effects in the world, in the order of the effects.
pub(super) type Effects<W, K> = Rc<dyn Fn(&W) -> Vec<K>>;
/// The key of the effect that a message demands, if it demands one.
type KeyOf<K> = Box<dyn Fn(&FinalMessage) -> Option<K>>;

/// The effects of a case when somebody looked last, so that only what was added is looked at again.
struct Known<K> {
    effects: Vec<Rc<K>>,
    /// Of each key, the place of its first effect.
    first: HashMap<Rc<K>, usize>,
}

impl<K: Eq + Hash> Known<K> {
    fn new() -> Self {
        let (effects, first) = (Vec::new(), HashMap::new());
        Self { effects, first }
    }

    /// How many of the effects were known already: none if they are not those that were there before, and more.
    fn learn(&mut self, effects: Vec<K>) -> usize {
        let before = self.effects.iter().zip(&effects);
        let goes_on = self.effects.len() <= effects.len() && before.into_iter().all(|(old, new)| **old == *new);
        if !goes_on {
            *self = Self::new();
        }
        let known = self.effects.len();
        for key in effects.into_iter().skip(known).map(Rc::new) {
            self.first.entry(Rc::clone(&key)).or_insert(self.effects.len());
            self.effects.push(key);
        }
        known
    }
}

/// No key has two effects, at any moment.
pub(super) fn never_twice<W: 'static, K: Eq + Hash + Display + 'static>(
    effect: &str,
    effects: Effects<W, K>,
) -> Requirement<W> {
    let name = format!("nothing is {effect} twice");
    let effect: Rc<str> = Rc::from(effect);
    Requirement::remembering(name, move || {
        let (effect, effects, mut known) = (Rc::clone(&effect), Rc::clone(&effects), Known::new());
        move |world: &W, _: &Messages<'_>| {
            known.learn(effects(world));
            let Known { effects, first } = &known;
            if first.len() == effects.len() {
                return None;
            }
            let again = effects.iter().zip(0..).find(|(key, at)| first[*key] < *at)?.0;
            Some(match effects.iter().filter(|key| *key == again).count() {
                2 => format!("{again} was {effect} twice"),
                times => format!("{again} was {effect} {times} times"),
            })
        }
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

/// A group of a queue.
type GroupOf = (usize, Option<Arc<str>>);

/// What is known of the order of effects in a case.
struct Order<K> {
    effects: Known<K>,
    /// Up to where the changes of each queue are known.
    seen: Vec<usize>,
    /// Of each message, by its queue and its place there.
    keys: HashMap<(usize, usize), Option<Rc<K>>>,
    /// Of each key, in which groups it was sent, and at which place there first.
    sent: HashMap<Rc<K>, Vec<(GroupOf, usize)>>,
    /// Of each group, the last of its messages that have an effect.
    latest: HashMap<GroupOf, usize>,
}

impl<K: Eq + Hash> Order<K> {
    fn new() -> Self {
        Self {
            effects: Known::new(),
            seen: Vec::new(),
            keys: HashMap::new(),
            sent: HashMap::new(),
            latest: HashMap::new(),
        }
    }

    /// Whether what has happened since can have broken the order.
    fn may_be_broken(&mut self, effects: Vec<K>, messages: &Messages<'_>, key_of: &KeyOf<K>) -> bool {
        let mut broken = false;
        for (queue, place, message) in messages.changed(&mut self.seen) {
            let key = key_of(message).map(Rc::new);
            let before = self.keys.insert((queue, place), key.clone());
            if before.as_ref() == Some(&key) {
                continue;
            }
            broken |= before.is_some();
            let Some(key) = key else { continue };
            let group = (queue, message.message_group_id.clone());
            let sent = self.sent.entry(Rc::clone(&key)).or_default();
            if sent.iter().all(|it| it.0 != group) {
                sent.push((group.clone(), place));
                if self.effects.first.contains_key(&key) {
                    broken = true;
                    let latest = self.latest.entry(group).or_default();
                    *latest = place.max(*latest);
                }
            }
        }
        let before = self.effects.effects.len();
        let known = self.effects.learn(effects);
        if known < before {
            self.latest.clear();
            broken = true;
        }
        for (key, at) in self.effects.effects.iter().zip(0..).skip(known) {
            let is_first = self.effects.first[key] == at;
            for (group, place) in self.sent.get(key).filter(|_| is_first).into_iter().flatten() {
                let latest = self.latest.entry(group.clone()).or_default();
                broken |= place < latest;
                *latest = *place.max(latest);
            }
        }
        broken
    }
}

/// The first effects of the messages of a group follow the order in which they were sent.
pub(super) fn in_order<W: 'static, K: Eq + Hash + Display + 'static>(
    effect: &str,
    effects: Effects<W, K>,
    demands: KeyOf<K>,
) -> Requirement<W> {
    let name = format!("each group is {effect} in its order");
    let (effect, demands): (Rc<str>, _) = (Rc::from(effect), Rc::new(demands));
    Requirement::remembering(name, move || {
        let (effect, effects, demands) = (Rc::clone(&effect), Rc::clone(&effects), Rc::clone(&demands));
        let mut order = Order::new();
        move |world: &W, messages: &Messages<'_>| {
            let broken = order.may_be_broken(effects(world), messages, &demands);
            let first = |key: &K| order.effects.first.get(key).copied();
            let (before, after, group) = broken.then(|| out_of_order(&messages.all(), first, &demands))??;
            Some(format!(
                "{after} was {effect} before {before}, which was sent first{group}"
            ))
        }
    })
}

/// Two keys of a group, in the order of their sends, of which the second had its first effect before the first.
///
/// A key is in no order if a message with it was dead-lettered or expired: another one may come at any time.
fn out_of_order<K>(
    messages: &[FinalMessage],
    first: impl Fn(&K) -> Option<usize>,
    demands: &KeyOf<K>,
) -> Option<(K, K, String)> {
    let effect_of = |message| {
        let key = demands(message)?;
        Some((Group::of(message), first(&key)?, key))
    };
    let gone = messages
        .iter()
        .filter(|it| matches!(it.fate, Some(Fate::DeadLettered | Fate::Expired)));
    let mut passed: HashSet<_> = gone.filter_map(effect_of).map(|it| (it.0, it.1)).collect();
    let mut latest: HashMap<Group<'_>, (usize, K)> = HashMap::new();
    for (group, place, key) in undead(messages).filter_map(effect_of) {
        if !passed.insert((group, place)) {
            continue;
        }
        match latest.insert(group, (place, key)) {
            Some((before, sent_first)) if place < before => {
                let key = latest.remove(&group)?.1;
                return Some((sent_first, key, group.to_string()));
            }
            _ => {}
        }
    }
    None
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
