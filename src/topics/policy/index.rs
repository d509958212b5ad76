//! All policies of a topic for one scope, found by what the message has instead of one after the other.
//!
//! Each conjunction stands in one place of the index, at the key whose values the fewest others ask for. A message
//! looks at the places of its own keys and values, and what it finds there is checked in full.

use {
    super::{
        Conjunction, FilterPolicy,
        condition::Leaf,
        fields::Fields,
        json,
        value::{Plain, Value, sorted},
    },
    crate::message::MessageAttributes,
    foldhash::fast::RandomState,
    std::{collections::HashMap, sync::Arc},
};

type Map<K, V> = HashMap<K, V, RandomState>;

/// The policies by the numbers of those who have them.
#[derive(Debug, Default)]
pub(in super::super) struct Index {
    /// In order, each once.
    keys: Vec<Box<str>>,
    /// Each once, however many policies and conjunctions have it, with the place of its key among `keys`.
    leaves: Vec<(usize, Arc<Leaf>)>,
    rules: Vec<Rule>,
    /// As long as `keys`.
    places: Vec<Places>,
    /// The rules that a message without any of their keys may match.
    anywhere: Vec<u32>,
}

/// A conjunction.
#[derive(Debug)]
struct Rule {
    owner: u32,
    /// By their places among the leaves of the index.
    leaves: Vec<u32>,
}

/// The rules that stand at one key.
#[derive(Debug, Default)]
struct Places {
    texts: Map<Box<str>, Vec<u32>>,
    plain: Map<Plain, Vec<u32>>,
    /// Those that ask for more than certain values.
    present: Vec<u32>,
}

impl Index {
    pub(in super::super) fn new<'p>(policies: impl Iterator<Item = (u32, &'p FilterPolicy)>) -> Self {
        let conjunctions = policies.flat_map(|(owner, policy)| {
            policy
                .conjunctions()
                .iter()
                .map(move |conjunction| (owner, conjunction))
        });
        let (mut numbers, mut leaves) = (Map::<&Arc<Leaf>, u32>::default(), Vec::new());
        // The conjunctions of a policy share their leaves, which may be long: each is hashed once.
        let mut known = Map::<*const Leaf, u32>::default();
        let mut number_of = |leaf| {
            let number = || {
                *numbers.entry(leaf).or_insert_with(|| {
                    leaves.push(leaf);
                    leaves.len() as u32 - 1
                })
            };
            *known.entry(Arc::as_ptr(leaf)).or_insert_with(number)
        };
        let rule = |(owner, conjunction): (u32, &'p Conjunction)| Rule {
            owner,
            leaves: conjunction.iter().map(&mut number_of).collect(),
        };
        let rules: Vec<_> = conjunctions.map(rule).collect();
        let keys = sorted(leaves.iter().map(|leaf| leaf.key.clone()).collect());
        let place = |leaf: &Arc<Leaf>| (keys.binary_search(&leaf.key).unwrap_or(0), Arc::clone(leaf));
        let mut index = Self {
            leaves: leaves.into_iter().map(place).collect(),
            places: keys.iter().map(|_| Places::default()).collect(),
            keys,
            rules,
            anywhere: Vec::new(),
        };
        index.place_rules();
        index
    }

    fn place_rules(&mut self) {
        let frequencies = Frequencies::of(&self.rules, &self.leaves);
        for (number, rule) in (0..).zip(&self.rules) {
            let Some((key, leaf)) = frequencies.rarest(rule) else {
                self.anywhere.push(number);
                continue;
            };
            let places = &mut self.places[*key];
            let Some(values) = leaf.exact() else {
                places.present.push(number);
                continue;
            };
            for value in values.iter() {
                match value {
                    Value::Plain(plain) => places.plain.entry(*plain).or_default().push(number),
                    Value::Text(text) => places.texts.entry((**text).into()).or_default().push(number),
                }
            }
        }
    }

    /// Whether no message needs to be looked at.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds those whose policy these attributes match; one may be added several times.
    pub(in super::super) fn match_attributes(&self, attributes: &MessageAttributes, matching: &mut Vec<u32>) {
        self.match_fields(&Fields::of_attributes(&self.keys, attributes), matching);
    }

    /// Adds those whose policy this body matches; one may be added several times. A body that is no JSON object matches
    /// none (E31).
    pub(in super::super) fn match_body(&self, body: &str, matching: &mut Vec<u32>) {
        if let Ok(body @ serde_json::Value::Object(_)) = json::read(body) {
            self.match_fields(&Fields::of_body(&self.keys, &body), matching);
        }
    }

    /// Each rule is checked once, however many values lead to it, and each leaf once, however many rules have it.
    fn match_fields(&self, fields: &Fields<'_>, matching: &mut Vec<u32>) {
        let mut found = self.anywhere.clone();
        for (key, values) in fields.iter() {
            let places = &self.places[key];
            found.extend_from_slice(&places.present);
            for value in values.iter() {
                let at_value = match value {
                    Value::Plain(plain) => places.plain.get(plain),
                    Value::Text(text) => places.texts.get(&**text),
                };
                found.extend(at_value.into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return;
        }
        let mut known = vec![None; self.leaves.len()];
        let mut holds = |number: &u32| {
            let (key, leaf) = &self.leaves[*number as usize];
            *known[*number as usize].get_or_insert_with(|| leaf.holds(fields.get(*key)))
        };
        let rules = found.iter().map(|number| &self.rules[*number as usize]);
        let matched = rules.filter(|rule| rule.leaves.iter().all(&mut holds));
        matching.extend(matched.map(|rule| rule.owner));
    }
}

/// How many rules ask for a key, and for a value of it.
struct Frequencies<'r> {
    leaves: &'r [(usize, Arc<Leaf>)],
    keys: Map<usize, usize>,
    texts: Map<(usize, &'r str), usize>,
    plain: Map<(usize, Plain), usize>,
}

impl<'r> Frequencies<'r> {
    fn of(rules: &[Rule], leaves: &'r [(usize, Arc<Leaf>)]) -> Self {
        let mut counts = Self {
            leaves,
            keys: Map::default(),
            texts: Map::default(),
            plain: Map::default(),
        };
        for number in rules.iter().flat_map(|rule| &rule.leaves) {
            let (key, leaf) = &leaves[*number as usize];
            *counts.keys.entry(*key).or_default() += 1;
            for value in leaf.exact().unwrap_or_default() {
                *match value {
                    Value::Plain(plain) => counts.plain.entry((*key, *plain)).or_default(),
                    Value::Text(text) => counts.texts.entry((*key, text)).or_default(),
                } += 1;
            }
        }
        counts
    }

    /// The leaf by which a rule is found most rarely in vain, `None` if a message need not have any of its keys.
    fn rarest(&self, rule: &Rule) -> Option<&'r (usize, Arc<Leaf>)> {
        let leaves = rule.leaves.iter().map(|number| &self.leaves[*number as usize]);
        let needed = leaves.filter(|(_, leaf)| !leaf.allows_absence());
        needed.min_by_key(|(key, leaf)| match leaf.exact() {
            Some(values) => (0, values.iter().map(|value| self.of_value(*key, value)).sum()),
            None => (1, self.keys.get(key).copied().unwrap_or(0)),
        })
    }

    fn of_value(&self, key: usize, value: &Value<'_>) -> usize {
        let count = match value {
            Value::Plain(plain) => self.plain.get(&(key, *plain)),
            Value::Text(text) => self.texts.get(&(key, &**text)),
        };
        count.copied().unwrap_or(0)
    }
}
