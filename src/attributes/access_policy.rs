//! The access policy of a queue (attribute `Policy`): validation, and the statements that AddPermission adds.
//!
//! A policy is not enforced (X4). Whatever in it is not a statement that is added or removed stays as it is.
use super::json::Json;
use crate::limits::Limits;
use std::fmt;

const STATEMENT: &str = "Statement";

/// A document whose statements can be looked at, added and removed by label.
#[derive(Debug)]
pub(crate) struct AccessPolicy {
    /// An object.
    document: Json,
}

/// A quota of access policies that a document exceeds (Q55).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OverQuota {
    /// What is counted, in the plural.
    pub(crate) counted: &'static str,
    pub(crate) count: usize,
    pub(crate) limit: usize,
}

/// A statement of the form that AddPermission writes (Q49).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    /// At least one.
    pub(crate) principals: Vec<String>,
    /// At least one.
    pub(crate) actions: Vec<String>,
    pub(crate) resource: String,
}

impl AccessPolicy {
    /// What AddPermission begins with on a queue that has no policy (Q49).
    pub(crate) fn new(queue_arn: &str) -> Self {
        let members = [
            ("Version", Json::from("2008-10-17")),
            ("Id", Json::String(format!("{queue_arn}/SQSDefaultPolicy"))),
            (STATEMENT, Json::Array(Vec::new())),
        ];
        Self {
            document: object(members),
        }
    }

    /// The policy that `document` is, `None` unless it is a JSON object.
    pub(crate) fn parse(document: &str) -> Option<Self> {
        let document = Json::parse(document).filter(|document| matches!(document, Json::Object(_)))?;
        Some(Self { document })
    }

    fn statements(&self) -> &[Json] {
        self.document.get(STATEMENT).map_or(&[], Json::elements)
    }

    /// Whether it has no statement at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements().is_empty()
    }

    /// Whether a statement, of whatever form, bears this label.
    pub(crate) fn has(&self, sid: &str) -> bool {
        self.statements().iter().any(|statement| is_labelled(statement, sid))
    }

    /// The statements that AddPermission could have written, in order.
    pub(crate) fn grants(&self) -> impl Iterator<Item = Statement> {
        self.statements().iter().filter_map(Statement::read)
    }

    /// Appends a statement.
    pub(crate) fn push(&mut self, statement: Statement) {
        let Json::Object(members) = &mut self.document else {
            return;
        };
        match members.iter_mut().find(|(name, _)| name == STATEMENT) {
            Some((_, held)) => held.elements_mut().push(statement.write()),
            None => members.push((STATEMENT.to_owned(), Json::Array(vec![statement.write()]))),
        }
    }

    /// Removes every statement of this label.
    pub(crate) fn remove(&mut self, sid: &str) {
        let Json::Object(members) = &mut self.document else {
            return;
        };
        if let Some((_, held)) = members.iter_mut().find(|(name, _)| name == STATEMENT) {
            held.elements_mut().retain(|statement| !is_labelled(statement, sid));
        }
    }

    /// The first quota that the policy, as text of so many bytes, exceeds (Q55).
    pub(crate) fn check(&self, bytes: usize, limits: &Limits) -> Result<(), OverQuota> {
        let statements = self.statements();
        let sum = |count: fn(&Json) -> usize| statements.iter().map(count).sum::<usize>();
        let actions = statements.iter().map(actions).max().unwrap_or_default();
        for (counted, count, limit) in [
            ("Bytes", bytes, limits.policy_bytes),
            ("Statements", statements.len(), limits.policy_statements),
            ("Principals", sum(principals), limits.policy_principals),
            ("Conditions", sum(conditions), limits.policy_conditions),
            ("Actions", actions, limits.permission_actions),
        ] {
            if count > limit {
                return Err(OverQuota { counted, count, limit });
            }
        }
        Ok(())
    }
}

impl fmt::Display for AccessPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

/// Whether `document` is a JSON object within the quotas of an access policy (Q26, Q55).
pub(super) fn is_policy(document: &str, limits: &Limits) -> bool {
    let within = |policy: AccessPolicy| policy.check(document.len(), limits).is_ok();
    document.len() <= limits.policy_bytes && AccessPolicy::parse(document).is_some_and(within)
}

impl Statement {
    fn write(self) -> Json {
        object([
            ("Sid", Json::String(self.sid)),
            ("Effect", Json::from("Allow")),
            ("Principal", object([("AWS", one_or_list(self.principals))])),
            ("Action", one_or_list(self.actions)),
            ("Resource", Json::String(self.resource)),
        ])
    }

    /// `None` if the statement says anything that this type cannot.
    fn read(statement: &Json) -> Option<Self> {
        let principal = statement.get("Principal")?;
        let allows = statement.get("Effect")?.as_str() == Some("Allow");
        let plain = statement.members().len() == 5 && principal.members().len() == 1;
        if !(allows && plain) {
            return None;
        }
        Some(Self {
            sid: statement.get("Sid")?.as_str()?.to_owned(),
            principals: texts(principal.get("AWS")?)?,
            actions: texts(statement.get("Action")?)?,
            resource: statement.get("Resource")?.as_str()?.to_owned(),
        })
    }
}

fn is_labelled(statement: &Json, sid: &str) -> bool {
    statement.get("Sid").and_then(Json::as_str) == Some(sid)
}

fn principals(statement: &Json) -> usize {
    match statement.get("Principal") {
        Some(Json::Object(kinds)) => kinds.iter().map(|(_, kind)| kind.elements().len()).sum(),
        Some(_) => 1,
        None => 0,
    }
}

fn conditions(statement: &Json) -> usize {
    let operators = statement.get("Condition").map_or(&[][..], Json::members);
    operators.iter().map(|(_, keys)| keys.members().len()).sum()
}

fn actions(statement: &Json) -> usize {
    statement.get("Action").map_or(0, |action| action.elements().len())
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

fn one_or_list(mut texts: Vec<String>) -> Json {
    match texts.len() {
        1 => Json::String(texts.remove(0)),
        _ => Json::Array(texts.into_iter().map(Json::String).collect()),
    }
}

/// The texts of a list that is not empty and holds nothing else.
fn texts(list: &Json) -> Option<Vec<String>> {
    let texts = list.elements().iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_an_object_of_at_most_8192_bytes() {
        // Q26
        let sized = |size: usize| format!("{{\"Id\":\"{}\"}}", "x".repeat(size - 9));
        assert_eq!(sized(8_192).len(), 8_192);
        assert!(is_policy(&sized(8_191), &Limits::aws()) && is_policy(&sized(8_192), &Limits::aws()));
        assert!(!is_policy(&sized(8_193), &Limits::aws()));
        for text in ["[]", "1", "\"x\"", "null"] {
            assert!(!is_policy(text, &Limits::aws()), "{text}");
        }
    }

    #[test]
    fn a_policy_has_so_many_statements_principals_conditions_and_actions() {
        // Q55
        let list = |element: &str, count: usize| vec![element; count].join(",");
        let fits = |statements: &str| is_policy(&format!("{{\"Statement\":{statements}}}"), &Limits::aws());
        let statements = |count| fits(&format!("[{}]", list("{\"Principal\":\"*\"}", count)));
        assert!(statements(19) && statements(20) && !statements(21));
        let principals = |count: usize| {
            fits(&format!(
                "[{{\"Principal\":{{\"AWS\":[{}]}}}},{{\"Principal\":{{\"AWS\":\"1\"}}}}]",
                list("\"1\"", count - 1)
            ))
        };
        assert!(principals(49) && principals(50) && !principals(51));
        let keys = |count: usize| {
            (0..count)
                .map(|key| format!("\"{key}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let conditions = |count: usize| {
            fits(&format!(
                "{{\"Condition\":{{\"A\":{{{}}},\"B\":{{\"k\":1}}}}}}",
                keys(count - 1)
            ))
        };
        assert!(conditions(9) && conditions(10) && !conditions(11));
        let actions = |count| fits(&format!("{{\"Action\":[{}]}}", list("\"SQS:*\"", count)));
        assert!(actions(6) && actions(7) && !actions(8));
    }
}
