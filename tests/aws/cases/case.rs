//! What the files of cases say.

use {
    serde_json::{Map, Value},
    std::collections::BTreeMap,
};

pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) rules: Vec<String>,
    pub(crate) clock: Option<u64>,
    pub(crate) limits: Vec<(String, u64)>,
    /// The inputs of `CreateQueue`.
    pub(crate) queues: Vec<Value>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) enum Step {
    Advance(f64),
    Request(Request, Answer),
    Wait(Request, String),
    StillWaiting(String),
    Answered(String, Answer),
}

#[derive(Default)]
pub(crate) struct Request {
    pub(crate) action: Option<String>,
    pub(crate) input: Value,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    /// A null takes the header away.
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Option<Value>,
    pub(crate) body_base64: Option<String>,
}

pub(crate) enum Answer {
    Nothing,
    Output(Value),
    Error {
        name: String,
        message: Value,
    },
    Other {
        status: u64,
        headers: Map<String, Value>,
        text: Option<String>,
    },
}

/// An error as SQS names it.
pub(crate) struct Error {
    pub(crate) kind: String,
    pub(crate) query: String,
    pub(crate) status: u64,
}

/// The errors by the names that the rules give them.
pub(crate) struct Catalogue(BTreeMap<String, Error>);

/// The members of an object that are still to be read.
struct Members(Map<String, Value>);

impl Members {
    fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            other => Err(format!("not an object: {other}")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{name} is not a text: {other}")),
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, String> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(elements)) => Ok(elements),
            Some(other) => Err(format!("{name} is not a list: {other}")),
        }
    }

    fn map(&mut self, name: &str) -> Result<Map<String, Value>, String> {
        Ok(self
            .take(name)
            .map(Self::of)
            .transpose()?
            .map_or_else(Map::new, |members| members.0))
    }

    fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("a member nobody reads: {name}")),
        }
    }
}

impl Case {
    pub(crate) fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Array(cases) = file else {
            return Err("not a list of cases".to_owned());
        };
        let numbered = cases.into_iter().enumerate();
        numbered
            .map(|(at, case)| {
                let title = case["title"].to_string();
                Self::read(case).map_err(|problem| format!("case {}, {title}: {problem}", at + 1))
            })
            .collect()
    }

    fn read(case: Value) -> Result<Self, String> {
        let mut members = Members::of(case)?;
        let rules: Vec<_> = members.list("rules")?;
        let limits = members.map("limits")?.into_iter();
        let steps = members.list("steps")?.into_iter().enumerate();
        let read = Self {
            title: members
                .text("title")?
                .filter(|title| !title.is_empty())
                .ok_or("it has no title")?,
            rules: rules.iter().map(rule).collect::<Result<_, _>>()?,
            clock: members.take("clock").map(|clock| whole(&clock)).transpose()?,
            limits: limits
                .map(|(name, limit)| Ok((name, whole(&limit)?)))
                .collect::<Result<_, String>>()?,
            queues: members.list("queues")?.into_iter().map(queue).collect(),
            steps: steps
                .map(|(at, step)| Step::read(step).map_err(|problem| format!("step {}: {problem}", at + 1)))
                .collect::<Result<_, _>>()?,
        };
        members.end()?;
        if read.rules.is_empty() || read.steps.is_empty() {
            return Err("it has no rules or no steps".to_owned());
        }
        Ok(read)
    }
}

/// A rule id: a letter, a number, and for the rows of a table another letter.
fn rule(value: &Value) -> Result<String, String> {
    let id = value.as_str().unwrap_or_default();
    let is_rule = id.starts_with(|it: char| it.is_ascii_uppercase())
        && id[1..]
            .trim_end_matches(|it: char| it.is_ascii_lowercase())
            .parse::<u8>()
            .is_ok();
    is_rule
        .then(|| id.to_owned())
        .ok_or_else(|| format!("not a rule: {value}"))
}

fn whole(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("not a whole number: {value}"))
}

/// What a bare name of a queue is short for.
fn queue(value: Value) -> Value {
    match value.as_str() {
        None => value,
        Some(name) if name.ends_with(".fifo") => serde_json::json!({
            "QueueName": name,
            "Attributes": { "FifoQueue": "true", "ContentBasedDeduplication": "true" },
        }),
        Some(name) => serde_json::json!({ "QueueName": name }),
    }
}

impl Step {
    fn read(step: Value) -> Result<Self, String> {
        let mut members = Members::of(step)?;
        let read = if let Some(seconds) = members.take("advance_seconds") {
            Self::Advance(seconds.as_f64().ok_or("advance_seconds is not a number")?)
        } else if let Some(name) = members.text("still_waiting")? {
            Self::StillWaiting(name)
        } else if let Some(name) = members.text("answered")? {
            Self::Answered(name, Answer::read(&mut members)?)
        } else {
            let request = Request::read(&mut members)?;
            match members.text("waiting")? {
                Some(name) => Self::Wait(request, name),
                None => Self::Request(request, Answer::read(&mut members)?),
            }
        };
        members.end()?;
        Ok(read)
    }
}

impl Request {
    fn read(members: &mut Members) -> Result<Self, String> {
        let read = Self {
            action: members.text("action")?,
            input: Value::Object(members.map("input")?),
            method: members.text("method")?,
            path: members.text("path")?,
            headers: members.map("headers")?,
            body: members.take("body"),
            body_base64: members.text("body_base64")?,
        };
        if read.action.is_none() && read.headers.is_empty() && read.path.is_none() {
            return Err("neither a request nor another kind of step".to_owned());
        }
        Ok(read)
    }
}

impl Answer {
    fn read(members: &mut Members) -> Result<Self, String> {
        let error = members.text("error")?;
        let message = members.take("message");
        let given = [
            members.take("output"),
            members.take("messages"),
            members.take("response"),
        ];
        match (error, message, given) {
            (None, None, [None, None, None]) => Ok(Self::Nothing),
            (None, None, [Some(output), None, None]) => Ok(Self::Output(output)),
            (None, None, [None, Some(messages), None]) => Ok(Self::Output(received(messages)?)),
            (None, None, [None, None, Some(response)]) => Self::other(response),
            (Some(name), Some(message), [None, None, None]) => Ok(Self::Error { name, message }),
            _ => Err("an answer is an output, messages, an error with its message, or a response".to_owned()),
        }
    }

    fn other(response: Value) -> Result<Self, String> {
        let mut members = Members::of(response)?;
        let read = Self::Other {
            status: whole(&members.take("status").unwrap_or_default())?,
            headers: members.map("headers")?,
            text: members.text("text")?,
        };
        members.end()?;
        Ok(read)
    }
}

/// The body of an answer that holds these messages.
fn received(messages: Value) -> Result<Value, String> {
    let Value::Array(messages) = messages else {
        return Err("messages is not a list".to_owned());
    };
    if messages.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let messages: Result<Vec<_>, _> = messages.into_iter().map(message).collect();
    Ok(serde_json::json!({ "Messages": messages? }))
}

fn message(given: Value) -> Result<Value, String> {
    let given = match given {
        Value::String(body) => Map::from_iter([("Body".to_owned(), Value::String(body))]),
        other => Members::of(other)?.0,
    };
    let body = given
        .get("Body")
        .and_then(Value::as_str)
        .ok_or("a message has no body")?;
    let mut message = Map::new();
    let mut put = |name: &str, mark: &str| message.insert(name.to_owned(), mark.to_owned().into());
    put("MessageId", "$uuid");
    put("ReceiptHandle", "$receipt_handle");
    put("MD5OfBody", &format!("$md5:{body}"));
    message.extend(given);
    Ok(Value::Object(message))
}

impl Catalogue {
    pub(crate) fn read(text: &str) -> Self {
        let Value::Object(errors) = serde_json::from_str(text).unwrap() else {
            panic!("errors.json is not an object");
        };
        let error = |(name, error): (String, Value)| {
            let text = |member: &str| error[member].as_str().unwrap().to_owned();
            let read = Error {
                kind: text("type"),
                query: text("query"),
                status: error["status"].as_u64().unwrap(),
            };
            (name, read)
        };
        Self(errors.into_iter().map(error).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Error, String> {
        self.0.get(name).ok_or_else(|| format!("errors.json has no {name}"))
    }
}
