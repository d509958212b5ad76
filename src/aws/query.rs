//! The query protocol: form-encoded requests and XML responses (W3 to W6).

use {
    super::{
        action::{self, Action},
        fault::Fault,
        form::Form,
        http::{Request, Response},
        shape::{Flattened, Kind, Shape},
        value::{Members, Value},
        xml::Xml,
    },
    crate::error::ErrorCode,
    std::{borrow::Cow, str::FromStr},
};

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";

const QUEUE_URL: &str = "QueueUrl";

/// The actions that are not a queue's, and which the address of a queue refuses (W6).
const NOT_OF_A_QUEUE: &[&str] = &["CreateQueue", "ListQueues"];

/// The one list that this protocol, answering in JSON, calls otherwise than the model does.
const NAMED_IN_JSON: (&str, &str) = ("Messages", "messages");

/// X9: what the JSON protocol says without the wsdl.
const QUEUE_DOES_NOT_EXIST: &str = "The specified queue does not exist for this wsdl version.";

/// The action that a request asks for, and its input.
pub(super) fn read(request: &Request) -> Result<(&'static Action, Value<'_>), Fault> {
    if !matches!(request.method.as_str(), "GET" | "POST") {
        return Err(Fault::unknown_operation());
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let form = Form::parse(&[query.as_bytes(), &request.body])?;
    let name = form.get("Action").filter(|name| !name.is_empty());
    let name = name.ok_or_else(Fault::unknown_operation)?;
    let queue = names_a_queue(path).then_some(path);
    let misplaced = |action: &Action| queue.is_some() && NOT_OF_A_QUEUE.contains(&action.name);
    let action = action::find(name).filter(|action| !misplaced(action));
    let action = action.ok_or_else(|| Fault::invalid_action(name))?;
    let mut input = value(&form, "", action.input, Flattened::of(&[]))?.unwrap_or(Value::Null);
    if let (Some(path), Value::Structure(members)) = (queue, &mut input) {
        let given = |(name, url): &(Cow<'_, str>, _)| name == QUEUE_URL && !is_empty(url);
        if !members.iter().any(given) {
            members.push((QUEUE_URL.into(), path.into()));
        }
    }
    Ok((action, input))
}

/// Whether a path is that of a queue, which has an account and a name (Q6); a shorter one is the endpoint's own.
fn names_a_queue(path: &str) -> bool {
    path.trim_matches('/').contains('/')
}

/// The value of the parameter `name`, or of the parameters whose names begin with it.
fn value<'a>(form: &Form<'a>, name: &str, kind: Kind, names: Flattened) -> Result<Option<Value<'a>>, Fault> {
    let text = || form.get(name);
    Ok(match kind {
        Kind::Text | Kind::Blob => text().map(|text| Value::Text(text.clone())),
        Kind::Integer => scalar(name, "an integer", text())?.map(Value::Integer),
        Kind::Boolean => scalar(name, "a boolean", text())?.map(Value::Boolean),
        Kind::List(kind) => list(form, name, *kind)?,
        Kind::Map(kind) => map(form, name, *kind, names)?,
        Kind::Structure(shape) => Some(structure(form, name, shape)?),
    })
}

/// A number or boolean; an empty one is none, as an empty text is (X7).
fn scalar<T: FromStr>(name: &str, what: &str, text: Option<&Cow<'_, str>>) -> Result<Option<T>, Fault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value = text.parse();
    let value = value.map_err(|_| Fault::serialization(format!("parameter {name} is not {what}: {text:?}")))?;
    Ok(Some(value))
}

fn structure<'a>(form: &Form<'a>, name: &str, shape: &Shape) -> Result<Value<'a>, Fault> {
    let mut members = Members::new();
    for member in shape.members {
        let own = match member.flattened.element {
            "" => member.name,
            element => element,
        };
        let path = match name {
            "" => Cow::Borrowed(own),
            name => format!("{name}.{own}").into(),
        };
        let given = value(form, &path, member.kind, member.flattened)?;
        members.extend(given.map(|value| (member.name.into(), value)));
    }
    Ok(Value::Structure(members))
}

/// `AttributeName.1`, `AttributeName.2`; a gap in the numbers is no element.
///
/// Without a number it is the first element, unless that is there with its number (W3). An empty one is an empty
/// list, which is how SDKs write it.
fn list<'a>(form: &Form<'a>, name: &str, kind: Kind) -> Result<Option<Value<'a>>, Fault> {
    let numbers = form.numbers(&format!("{name}."));
    let mut elements = Vec::new();
    if numbers.first() != Some(&1) {
        let first = value(form, name, kind, Flattened::of(&[]))?;
        elements.extend(first.filter(|first| !is_empty(first)));
    }
    for number in numbers {
        elements.extend(value(form, &format!("{name}.{number}"), kind, Flattened::of(&[]))?);
    }
    Ok((!elements.is_empty()).then_some(Value::List(elements)))
}

/// `Attribute.1.Name` with `Attribute.1.Value`; an entry has to have both. One without a number is the first, unless
/// that is there with its number (W3).
fn map<'a>(form: &Form<'a>, name: &str, kind: Kind, names: Flattened) -> Result<Option<Value<'a>>, Fault> {
    let numbers = form.numbers(&format!("{name}."));
    let mut entries = Members::new();
    if numbers.first() != Some(&1) {
        entries.extend(entry(form, name, kind, names)?);
    }
    for number in numbers {
        let entry = entry(form, &format!("{name}.{number}"), kind, names)?;
        entries.extend([entry.ok_or_else(|| Fault::missing(names.key))?]);
    }
    Ok((!entries.is_empty()).then_some(Value::Structure(entries)))
}

/// Key and value of an entry; none if neither is given.
fn entry<'a>(
    form: &Form<'a>,
    name: &str,
    kind: Kind,
    names: Flattened,
) -> Result<Option<(Cow<'a, str>, Value<'a>)>, Fault> {
    let key = form.get(&format!("{name}.{}", names.key));
    let value = value(form, &format!("{name}.{}", names.value), kind, Flattened::of(&[]))?;
    match (key, value) {
        (None, value) if value.as_ref().is_none_or(is_empty_structure) => Ok(None),
        (None, _) => Err(Fault::missing(names.key)),
        (Some(_), None) => Err(Fault::missing(names.value)),
        (Some(key), Some(value)) => Ok(Some((key.clone(), value))),
    }
}

/// Whether nothing was given for a structure, of which there always is a value.
fn is_empty_structure(value: &Value<'_>) -> bool {
    matches!(value, Value::Structure(members) if members.is_empty())
}

fn is_empty(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text.is_empty()) || is_empty_structure(value)
}

/// The answer, in XML unless the request accepts JSON; a null output is none.
pub(super) fn write(request: &Request, result: Result<(&Action, Value<'_>), Fault>, request_id: &str) -> Response {
    let in_json = accepts_json(request);
    let (status, body) = match result {
        Ok((action, output)) if in_json => (200, json_answer(action, output, request_id)),
        Ok((action, output)) => (200, answer(action, &output, request_id)),
        Err(fault) if fault.code == ErrorCode::UnknownOperationException => {
            // Where no action is, no protocol of an action is either: this is all, whatever is accepted (W6).
            let mut xml = Xml::new();
            xml.text(fault.code.json_name(), "");
            return response(fault.code.status(), false, xml.into_bytes());
        }
        Err(fault) if in_json => (fault.code.status(), json_error(&fault, request_id)),
        Err(fault) => (fault.code.status(), error(&fault, request_id)),
    };
    response(status, in_json, body)
}

fn response(status: u16, in_json: bool, body: Vec<u8>) -> Response {
    let content_type = if in_json { "application/json" } else { "text/xml" };
    Response::new(status, content_type, body)
}

fn accepts_json(request: &Request) -> bool {
    let accept = request.header_named("Accept").unwrap_or_default();
    let mut types = accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    types.any(|media_type| media_type.eq_ignore_ascii_case("application/json"))
}

/// W4.
fn answer(action: &Action, output: &Value<'_>, request_id: &str) -> Vec<u8> {
    let name = action.name;
    let mut xml = Xml::new();
    xml.element(&format!("{name}Response xmlns=\"{NAMESPACE}\""), |xml| {
        if !matches!(output, Value::Null) {
            xml.value(&format!("{name}Result"), action.output, Flattened::of(&[]), output);
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    xml.into_bytes()
}

/// W5.
fn error(fault: &Fault, request_id: &str) -> Vec<u8> {
    let mut xml = Xml::new();
    xml.element(&format!("ErrorResponse xmlns=\"{NAMESPACE}\""), |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", "Sender");
            xml.text("Code", fault.code.query_name());
            xml.text("Message", message(fault));
            xml.text("Detail", "");
        });
        xml.text("RequestId", request_id);
    });
    xml.into_bytes()
}

fn message(fault: &Fault) -> &str {
    match fault.code {
        ErrorCode::QueueDoesNotExist => QUEUE_DOES_NOT_EXIST,
        _ => &fault.message,
    }
}

/// The same elements in JSON, with lists under the names of the model (W6).
fn json_answer(action: &Action, output: Value<'_>, request_id: &str) -> Vec<u8> {
    let name = action.name;
    let metadata = structured([("RequestId", Value::from(request_id))]);
    let mut response = vec![("ResponseMetadata".into(), metadata)];
    if !matches!(output, Value::Null) {
        let result = plain(action.output, Flattened::of(&[]), output);
        response.push((format!("{name}Result").into(), result));
    }
    structured([(&format!("{name}Response"), Value::Structure(response))]).into_json()
}

fn json_error(fault: &Fault, request_id: &str) -> Vec<u8> {
    let error = structured([
        ("Type", "Sender".into()),
        ("Code", fault.code.query_name().into()),
        ("Message", message(fault).into()),
        ("Detail", Value::Null),
    ]);
    structured([("Error", error), ("RequestId", request_id.into())]).into_json()
}

fn structured<'a, const N: usize>(members: [(&'a str, Value<'a>); N]) -> Value<'a> {
    Value::Structure(members.map(|(name, value)| (name.into(), value)).into())
}

/// Maps are lists of entries here, as they are in XML.
fn plain(kind: Kind, names: Flattened, value: Value<'_>) -> Value<'_> {
    match (kind, value) {
        (Kind::Map(kind), Value::Structure(entries)) => {
            let entry = |(key, value)| {
                let value = plain(*kind, Flattened::of(&[]), value);
                structured([(names.key, Value::Text(key)), (names.value, value)])
            };
            Value::List(entries.into_iter().map(entry).collect())
        }
        (Kind::List(kind), Value::List(elements)) => {
            let element = |value| plain(*kind, Flattened::of(&[]), value);
            Value::List(elements.into_iter().map(element).collect())
        }
        (Kind::Structure(shape), Value::Structure(members)) => {
            let taken = members.into_iter().filter_map(|(name, value)| {
                let member = shape.members.iter().find(|member| member.name == name)?;
                let name = if name == NAMED_IN_JSON.0 {
                    NAMED_IN_JSON.1.into()
                } else {
                    name
                };
                Some((name, plain(member.kind, member.flattened, value)))
            });
            Value::Structure(taken.collect())
        }
        (_, value) => value,
    }
}
