//! All policies of a topic for one scope, found by what the message has instead of one after the other.
//!
//! Each conjunction stands in one place of the index, at the key whose values the fewest others ask for. A message
//! looks at the places of its own keys and values, and what it finds there is checked in full.

use {
    super::{
        Conjunction, FilterPolicy,
        condition::{Leaf, Plain, Value},
        fields::Fields,
        json,
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
    leaves: Vec<(usize, Arc<Leaf>)>,
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
    pub(in super::super) fn new<'p>(policies: impl Iterator<Item = (u32, &'p FilterPolicy)> + Clone) -> Self {
        let leaves = policies
            .clone()
            .flat_map(|(_, policy)| policy.conjunctions().iter().flatten());
        let mut keys: Vec<Box<str>> = leaves.map(|leaf| leaf.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let place = |leaf: &Leaf| keys.binary_search(&leaf.key).unwrap_or(0);
        let rule = |owner, conjunction: &Conjunction| Rule {
            owner,
            leaves: conjunction.iter().map(|leaf| (place(leaf), Arc::clone(leaf))).collect(),
        };
        let rules: Vec<_> = policies
            .flat_map(|(owner, policy)| policy.conjunctions().iter().map(move |it| rule(owner, it)))
            .collect();
        let mut index = Self {
            places: keys.iter().map(|_| Places::default()).collect(),
            keys,
            rules,
            anywhere: Vec::new(),
        };
        index.place_rules();
        index
    }

    fn place_rules(&mut self) {
        let frequencies = Frequencies::of(&self.rules);
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
            for value in values {
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

    /// Each rule is checked once, however many values lead to it.
    fn match_fields(&self, fields: &Fields<'_>, matching: &mut Vec<u32>) {
        let mut found = self.anywhere.clone();
        for (key, values) in fields.iter() {
            let places = &self.places[key];
            found.extend_from_slice(&places.present);
            for value in values {
                let at_value = match value {
                    Value::Plain(plain) => places.plain.get(plain),
                    Value::Text(text) => places.texts.get(&**text),
                };
                found.extend(at_value.into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        let rules = found.iter().map(|number| &self.rules[*number as usize]);
        let matched = rules.filter(|rule| rule.leaves.iter().all(|(key, leaf)| leaf.holds(fields.get(*key))));
        matching.extend(matched.map(|rule| rule.owner));
    }
}

/// How many rules ask for a key, and for a value of it.
#[derive(Default)]
struct Frequencies<'r> {
    keys: Map<usize, usize>,
    texts: Map<(usize, &'r str), usize>,
    plain: Map<(usize, Plain), usize>,
}

impl<'r> Frequencies<'r> {
    fn of(rules: &'r [Rule]) -> Self {
        let mut counts = Self::default();
        for (key, leaf) in rules.iter().flat_map(|rule| &rule.leaves) {
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
    fn rarest<'l>(&self, rule: &'l Rule) -> Option<&'l (usize, Arc<Leaf>)> {
        let needed = rule.leaves.iter().filter(|(_, leaf)| !leaf.allows_absence());
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
