//! From the text of a policy to its conjunctions (E30, E32).

use {
    super::{
        Conjunction, FilterPolicyScope,
        condition::{Condition, Leaf, Network, Pattern},
        error::{ConditionError, FilterPolicyError as Error, FilterPolicyError, NumericError},
        json,
        value::{Number, Plain, Value},
    },
    crate::limits::Limits,
    serde_json::{Map, Value as Json},
    std::{collections::BTreeSet, sync::Arc},
};

/// Whose branches are alternatives, if there are two objects or more.
const OR: &str = "$or";

/// A branch of `$or` has none of them as a key.
const OPERATORS: [&str; 8] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

/// What all has to hold.
type All = Vec<Part>;

enum Part {
    /// A key, and the number of its conditions times the depth that it is nested in: 1 at the top.
    Leaf(Arc<Leaf>, usize),
    /// One of the branches has to hold; a nested object is a single one.
    Any(Vec<All>),
}

/// The alternatives, each a list of what has to hold. A limit of combinations bounds how many there are.
pub(super) fn parse(
    text: &str,
    scope: FilterPolicyScope,
    limits: &Limits,
) -> Result<Vec<Conjunction>, FilterPolicyError> {
    let (size, limit) = (text.len(), limits.filter_policy_bytes);
    if size > limit {
        return Err(Error::TooLarge { size, limit });
    }
    // The parser refuses what is nested deeper than 127, so that all that follows may recurse.
    let json = json::read(text).map_err(|reason| Error::NotJson { reason })?;
    if let Some(key) = json::duplicate_key(text) {
        return Err(Error::DuplicateKey { key });
    }
    let Json::Object(policy) = json else {
        return Err(Error::NotAnObject);
    };
    let mut keys = BTreeSet::new();
    let reader = Reader { scope };
    let parts = reader.object(&policy, "", 1)?;
    collect_keys(&parts, &mut keys);
    let (count, limit) = (keys.len(), limits.filter_policy_keys);
    if count > limit {
        return Err(Error::TooManyKeys { count, limit });
    }
    let (combinations, limit) = (combinations(&parts), limits.filter_policy_combinations);
    if combinations > limit {
        return Err(Error::TooComplex { combinations, limit });
    }
    Ok(expand(&parts))
}

struct Reader {
    scope: FilterPolicyScope,
}

impl Reader {
    fn object(&self, object: &Map<String, Json>, path: &str, depth: usize) -> Result<All, FilterPolicyError> {
        if depth > 1 && self.scope == FilterPolicyScope::MessageAttributes {
            let key = path.to_owned();
            return Err(Error::Nested { key });
        }
        object
            .iter()
            .map(|(name, value)| self.part(name, value, path, depth))
            .collect()
    }

    fn part(&self, name: &str, value: &Json, path: &str, depth: usize) -> Result<Part, FilterPolicyError> {
        let key = if depth == 1 {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        if let Some(branches) = branches(name, value) {
            let branch = |branch: &Map<String, Json>| match branch.is_empty() {
                true => Err(Error::EmptyObject { key: key.clone() }),
                false => self.object(branch, path, depth),
            };
            return Ok(Part::Any(branches.map(branch).collect::<Result<_, _>>()?));
        }
        match value {
            Json::Object(nested) if nested.is_empty() => Err(Error::EmptyObject { key }),
            Json::Object(nested) => Ok(Part::Any(vec![self.object(nested, &key, depth + 1)?])),
            Json::Array(values) if values.is_empty() => Err(Error::EmptyArray { key }),
            Json::Array(values) => match values.iter().map(condition).collect() {
                Err(error) => Err(Error::Condition { key, error }),
                Ok(conditions) => {
                    let combinations = values.len().saturating_mul(depth);
                    Ok(Part::Leaf(Arc::new(Leaf::new(key.into(), conditions)), combinations))
                }
            },
            _ => Err(Error::NotObjectOrArray { key: name.to_owned() }),
        }
    }
}

/// The branches of a `$or`. A key of this name with anything else than objects is a key as any other, and so is one with
/// a single object, or with the name of an operator in one of them.
fn branches<'j>(name: &str, value: &'j Json) -> Option<impl Iterator<Item = &'j Map<String, Json>>> {
    let branches = value.as_array().filter(|branches| name == OR && branches.len() >= 2)?;
    let is_branch = |it: &Json| {
        it.as_object()
            .is_some_and(|it| !it.keys().any(|key| OPERATORS.contains(&&**key)))
    };
    let is_or = branches.iter().all(is_branch);
    is_or.then(|| branches.iter().filter_map(Json::as_object))
}

fn collect_keys<'p>(parts: &'p All, keys: &mut BTreeSet<&'p str>) {
    for part in parts {
        match part {
            Part::Leaf(leaf, _) => {
                keys.insert(&leaf.key);
            }
            Part::Any(branches) => branches.iter().for_each(|branch| collect_keys(branch, keys)),
        }
    }
}

/// The product of the numbers of values, each times the depth of its key; branches are added.
fn combinations(parts: &All) -> usize {
    let of_part = |part: &Part| match part {
        Part::Leaf(_, combinations) => *combinations,
        Part::Any(branches) => branches.iter().map(combinations).fold(0, usize::saturating_add),
    };
    parts.iter().map(of_part).fold(1, usize::saturating_mul)
}

fn expand(parts: &All) -> Vec<Conjunction> {
    let mut conjunctions = vec![Conjunction::new()];
    for part in parts {
        match part {
            Part::Leaf(leaf, _) => conjunctions.iter_mut().for_each(|it| it.push(Arc::clone(leaf))),
            Part::Any(branches) => {
                let branches: Vec<_> = branches.iter().flat_map(expand).collect();
                let joined =
                    |before: &Conjunction| branches.iter().map(|it| [&**before, it].concat()).collect::<Vec<_>>();
                conjunctions = conjunctions.iter().flat_map(joined).collect();
            }
        }
    }
    conjunctions
}

fn condition(json: &Json) -> Result<Condition, ConditionError> {
    let Json::Object(expression) = json else {
        return Ok(Condition::Equals(literal(json)?));
    };
    let (operator, operand) = only_member(expression)?;
    Ok(match operator {
        "anything-but" => anything_but(operand)?,
        "exists" => Condition::Exists(operand.as_bool().ok_or_else(|| ConditionError::ExistsNotBoolean {
            value: operand.to_string(),
        })?),
        "numeric" => numeric(operand)?,
        "cidr" => Condition::Within(network(text(operator, operand)?)?),
        _ => match pattern(operator, operand)? {
            Some(pattern) => Condition::Matches(pattern),
            None => {
                let operator = operator.to_owned();
                return Err(ConditionError::UnrecognizedMatchType { operator });
            }
        },
    })
}

fn only_member(expression: &Map<String, Json>) -> Result<(&str, &Json), ConditionError> {
    let mut members = expression.iter();
    match (members.next(), members.next()) {
        (Some((operator, operand)), None) => Ok((operator, operand)),
        _ => Err(ConditionError::NotOneKey {
            count: expression.len(),
        }),
    }
}

fn literal(json: &Json) -> Result<Value<'static>, ConditionError> {
    let value = Value::of_json(json).map(Value::into_owned);
    value.ok_or_else(|| ConditionError::MatchValue {
        value: json.to_string(),
    })
}

fn text<'j>(operator: &str, operand: &'j Json) -> Result<&'j str, ConditionError> {
    operand.as_str().ok_or_else(|| ConditionError::PatternNotString {
        operator: operator.to_owned(),
    })
}

/// `None` for what is no operator on texts.
fn pattern(operator: &str, operand: &Json) -> Result<Option<Pattern>, ConditionError> {
    let text = || text(operator, operand);
    Ok(Some(match operator {
        "prefix" => Pattern::Prefix(text()?.into()),
        "suffix" => Pattern::Suffix(text()?.into()),
        "equals-ignore-case" => Pattern::ignore_case(text()?),
        "wildcard" => Pattern::wildcard(text()?).map_err(|position| ConditionError::WildcardEscape { position })?,
        _ => return Ok(None),
    }))
}

fn anything_but(operand: &Json) -> Result<Condition, ConditionError> {
    match operand {
        Json::Array(values) if values.is_empty() => Err(ConditionError::EmptyArray),
        Json::Array(values) => {
            let values = values.iter().map(literal).collect::<Result<_, _>>()?;
            Ok(Condition::anything_but(values))
        }
        Json::Object(expression) => {
            let (operator, operand) = only_member(expression)?;
            let pattern = pattern(operator, operand)?.ok_or_else(|| ConditionError::UnsupportedAnythingBut {
                operator: operator.to_owned(),
            })?;
            Ok(Condition::MatchesNot(pattern))
        }
        scalar => Ok(Condition::anything_but(vec![literal(scalar)?])),
    }
}

/// `["=", 5]`, one bound, or a lower bound and then an upper one.
fn numeric(operand: &Json) -> Result<Condition, NumericError> {
    let invalid_member = |member: String| NumericError::InvalidMember { member };
    let members = operand.as_array().ok_or_else(|| invalid_member(operand.to_string()))?;
    let mut members = members.iter();
    let first = members.next().ok_or_else(|| invalid_member("]".to_owned()))?;
    let first = first.as_str().ok_or_else(|| invalid_member(first.to_string()))?;
    if !["=", "<", "<=", ">", ">="].contains(&first) {
        let operator = first.to_owned();
        return Err(NumericError::UnrecognizedOperator { operator });
    }
    let number = number_of(first, members.next())?;
    let second = members.next();
    if !first.starts_with('>') {
        if second.is_some() {
            return Err(NumericError::TooManyElements);
        }
        return Ok(match first {
            "=" => Condition::Equals(Value::Plain(Plain::Number(number))),
            "<" => Condition::Between(Number::MIN, number.previous()),
            _ => Condition::Between(Number::MIN, number),
        });
    }
    let greatest = match second {
        Some(operator) => upper_bound(operator, number, &mut members)?,
        None => Number::MAX,
    };
    let least = if first == ">" { number.next() } else { number };
    Ok(Condition::Between(least, greatest))
}

/// The greatest number that is within the bound.
fn upper_bound<'j>(
    operator: &Json,
    bottom: Number,
    members: &mut impl Iterator<Item = &'j Json>,
) -> Result<Number, NumericError> {
    let operator = operator.as_str().ok_or_else(|| NumericError::BadValue {
        value: operator.to_string(),
    })?;
    if !["<", "<="].contains(&operator) {
        let operator = operator.to_owned();
        return Err(NumericError::BadOperator { operator });
    }
    let number = number_of(operator, members.next())?;
    if number <= bottom {
        return Err(NumericError::BottomNotLess);
    }
    if members.next().is_some() {
        return Err(NumericError::TooManyTerms);
    }
    Ok(if operator == "<" { number.previous() } else { number })
}

fn number_of(operator: &str, member: Option<&Json>) -> Result<Number, NumericError> {
    let number = member.and_then(Json::as_f64).and_then(Number::new);
    number.ok_or_else(|| NumericError::NotNumeric {
        operator: if operator == "=" { "equals" } else { operator }.to_owned(),
    })
}

fn network(cidr: &str) -> Result<Network, ConditionError> {
    let (address, bits) = cidr
        .split_once('/')
        .filter(|(_, bits)| !bits.contains('/'))
        .ok_or_else(|| ConditionError::CidrSlash { cidr: cidr.to_owned() })?;
    let length = bits.parse().ok().filter(|length: &i64| length.to_string() == bits);
    let length = length.ok_or_else(|| ConditionError::CidrBits { bits: bits.to_owned() })?;
    let address = address.parse().map_err(|_| ConditionError::IpAddress {
        address: address.to_owned(),
    })?;
    // No address has as many bits as what a negative length is taken for.
    Network::new(address, u32::try_from(length).unwrap_or(u32::MAX)).map_err(|limit| ConditionError::CidrMask {
        bits: bits.to_owned(),
        limit,
    })
}
