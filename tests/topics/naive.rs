//! A matcher written from the rules E30 and E31 and from nothing else: no compiling, no index, one policy at a time.

use super::json::{Decimal, Json};
use requeue::MessageAttributes;
use std::{collections::BTreeMap, net::IpAddr};

/// In the order of the documentation.
const OPERATORS: [&str; 8] = [
    "prefix",
    "suffix",
    "equals-ignore-case",
    "anything-but",
    "wildcard",
    "numeric",
    "exists",
    "cidr",
];

/// By key with its dots, the values.
type Flat = BTreeMap<String, Vec<Json>>;

pub(crate) fn matches_attributes(policy: &str, attributes: &MessageAttributes) -> bool {
    let mut flat = Flat::new();
    for (name, value) in attributes.iter() {
        let Some(text) = value.string_value() else { continue };
        let values = match value
            .data_type()
            .split_once('.')
            .unwrap_or_else(|| (value.data_type(), ""))
        {
            ("String", "Array") => match Json::read(text) {
                Some(Json::Array(values)) => values.into_iter().filter(is_scalar).collect(),
                _ => Vec::new(),
            },
            ("Number", _) => Decimal::read(text).into_iter().map(Json::Number).collect(),
            _ => vec![Json::Text(text.to_owned())],
        };
        if !values.is_empty() {
            flat.insert(name.to_owned(), values);
        }
    }
    all_match(&Json::read(policy).unwrap(), None, &flat)
}

pub(crate) fn matches_body(policy: &str, body: &str) -> bool {
    let Some(body @ Json::Object(_)) = Json::read(body) else {
        return false;
    };
    let mut flat = Flat::new();
    flatten(&body, None, &mut flat);
    all_match(&Json::read(policy).unwrap(), None, &flat)
}

fn is_scalar(json: &Json) -> bool {
    json.elements().is_none() && json.members().is_none()
}

fn join(path: Option<&str>, key: &str) -> String {
    path.map_or_else(|| key.to_owned(), |path| format!("{path}.{key}"))
}

fn flatten(json: &Json, path: Option<&str>, flat: &mut Flat) {
    match json {
        Json::Object(members) => members
            .iter()
            .for_each(|(key, it)| flatten(it, Some(&join(path, key)), flat)),
        Json::Array(elements) => elements.iter().for_each(|it| flatten(it, path, flat)),
        scalar => flat
            .entry(path.unwrap_or("").to_owned())
            .or_default()
            .push(scalar.clone()),
    }
}

fn all_match(policy: &Json, path: Option<&str>, flat: &Flat) -> bool {
    policy.members().unwrap().iter().all(|(key, value)| {
        let is_branch = |it: &Json| {
            let members = it.members();
            members.is_some_and(|it| it.iter().all(|(key, _)| !OPERATORS.contains(&&**key)))
        };
        let is_or = |it: &&[Json]| key == "$or" && it.len() > 1 && it.iter().all(is_branch);
        if let Some(branches) = value.elements().filter(is_or) {
            return branches.iter().any(|branch| all_match(branch, path, flat));
        }
        let path = join(path, key);
        match value.elements() {
            None => all_match(value, Some(&path), flat),
            Some(conditions) => conditions.iter().any(|it| holds(it, flat.get(&path))),
        }
    })
}

fn holds(condition: &Json, values: Option<&Vec<Json>>) -> bool {
    if let Some(wanted) = condition.get("exists") {
        return *wanted == Json::Word(values.is_some().to_string());
    }
    values.is_some_and(|values| values.iter().any(|value| holds_for(condition, value)))
}

fn holds_for(condition: &Json, value: &Json) -> bool {
    let Json::Object(expression) = condition else {
        return condition == value;
    };
    let (operator, operand) = &expression[0];
    if operator == "anything-but" {
        return match operand {
            Json::Array(unwanted) => !unwanted.contains(value),
            other => !holds_for(other, value),
        };
    }
    if operator == "numeric" {
        return value.number().is_some_and(|value| is_in_range(operand, value));
    }
    let (Some(pattern), Some(value)) = (operand.text(), value.text()) else {
        return false;
    };
    match operator.as_str() {
        "prefix" => value.starts_with(pattern),
        "suffix" => value.ends_with(pattern),
        "equals-ignore-case" => folded(value) == folded(pattern),
        "wildcard" => is_like(pattern.as_bytes(), value.as_bytes()),
        "cidr" => is_within(pattern, value),
        other => panic!("{other} is no operator"),
    }
}

fn is_in_range(bounds: &Json, value: &Decimal) -> bool {
    bounds.elements().unwrap().chunks(2).all(|bound| {
        let limit = bound[1].number().unwrap();
        match bound[0].text().unwrap() {
            "=" => value == limit,
            "<" => value < limit,
            "<=" => value <= limit,
            ">" => value > limit,
            ">=" => value >= limit,
            other => panic!("{other} is no operator"),
        }
    })
}

/// One character after the other, so that none is told by its neighbours.
fn folded(text: &str) -> String {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).collect()
}

fn is_like(pattern: &[u8], value: &[u8]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some((b'\\', rest)) => value.first() == rest.first() && is_like(&rest[1..], &value[1..]),
        Some((b'*', rest)) => (0..=value.len()).any(|skipped| is_like(rest, &value[skipped..])),
        Some((byte, rest)) => value
            .split_first()
            .is_some_and(|(first, value)| first == byte && is_like(rest, value)),
    }
}

fn is_within(network: &str, address: &str) -> bool {
    let digits = |address: IpAddr| match address {
        IpAddr::V4(it) => format!("{:032b}", it.to_bits()),
        IpAddr::V6(it) => format!("{:0128b}", it.to_bits()),
    };
    let (start, length) = network.split_once('/').unwrap();
    let (start, length) = (digits(start.parse().unwrap()), length.parse::<usize>().unwrap());
    address.parse().is_ok_and(|address| {
        let address = digits(address);
        address.len() == start.len() && address[..length] == start[..length]
    })
}
