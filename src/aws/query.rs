//! The query protocol: form-encoded requests and XML responses (W3 to W6).

use {
    super::{
        action::{self, Action},
        fault::Fault,
        form::Form,
        http::{Request, Response},
        shape::{Flattened, Kind, Shape},
        xml::Xml,
    },
    crate::error::ErrorCode,
    serde_json::{Map, Value, json},
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
pub(super) fn read(request: &Request) -> Result<(&'static Action, Value), Fault> {
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
    let mut input = value(&form, "", action.input, Flattened::of(&[]))?.unwrap_or_default();
    if let (Some(path), Value::Object(members)) = (queue, &mut input) {
        let given = members.get(QUEUE_URL).is_some_and(|url| url != "");
        if !given {
            members.insert(QUEUE_URL.to_owned(), path.into());
        }
    }
    Ok((action, input))
}

/// Whether a path is that of a queue, which has an account and a name (Q6); a shorter one is the endpoint's own.
fn names_a_queue(path: &str) -> bool {
    path.trim_matches('/').contains('/')
}

/// The value of the parameter `name`, or of the parameters whose names begin with it.
fn value(form: &Form<'_>, name: &str, kind: Kind, names: Flattened) -> Result<Option<Value>, Fault> {
    let text = || form.get(name);
    Ok(match kind {
        Kind::Text | Kind::Blob => text().map(Value::from),
        Kind::Integer => scalar::<i64>(name, "an integer", text())?,
        Kind::Boolean => scalar::<bool>(name, "a boolean", text())?,
        Kind::List(kind) => list(form, name, *kind)?,
        Kind::Map(kind) => map(form, name, *kind, names)?,
        Kind::Structure(shape) => Some(structure(form, name, shape)?),
    })
}

/// A number or boolean; an empty one is none, as an empty text is (X7).
fn scalar<T>(name: &str, what: &str, text: Option<&str>) -> Result<Option<Value>, Fault>
where
    T: std::str::FromStr + Into<Value>,
{
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value = text.parse::<T>();
    let value = value.map_err(|_| Fault::serialization(format!("parameter {name} is not {what}: {text:?}")))?;
    Ok(Some(value.into()))
}

fn structure(form: &Form<'_>, name: &str, shape: &Shape) -> Result<Value, Fault> {
    let mut members = Map::new();
    for member in shape.members {
        let own = [member.flattened.element, member.name]
            .into_iter()
            .find(|name| !name.is_empty());
        let path = [name, own.unwrap_or_default()].join(".");
        let given = value(form, path.trim_start_matches('.'), member.kind, member.flattened)?;
        members.extend(given.map(|value| (member.name.to_owned(), value)));
    }
    Ok(members.into())
}

/// `AttributeName.1`, `AttributeName.2`; a gap in the numbers is no element.
///
/// Without a number it is the first element, unless that is there with its number (W3). An empty one is an empty
/// list, which is how SDKs write it.
fn list(form: &Form<'_>, name: &str, kind: Kind) -> Result<Option<Value>, Fault> {
    let numbers = form.numbers(&format!("{name}."));
    let mut elements = Vec::new();
    if numbers.first() != Some(&1) {
        let first = value(form, name, kind, Flattened::of(&[]))?;
        elements.extend(first.filter(|first| !is_empty(first)));
    }
    for number in numbers {
        elements.extend(value(form, &format!("{name}.{number}"), kind, Flattened::of(&[]))?);
    }
    Ok((!elements.is_empty()).then(|| elements.into()))
}

/// `Attribute.1.Name` with `Attribute.1.Value`; an entry has to have both. One without a number is the first, unless
/// that is there with its number (W3).
fn map(form: &Form<'_>, name: &str, kind: Kind, names: Flattened) -> Result<Option<Value>, Fault> {
    let numbers = form.numbers(&format!("{name}."));
    let mut entries = Map::new();
    if numbers.first() != Some(&1) {
        entries.extend(entry(form, name, kind, names)?);
    }
    for number in numbers {
        let entry = entry(form, &format!("{name}.{number}"), kind, names)?;
        entries.extend([entry.ok_or_else(|| Fault::missing(names.key))?]);
    }
    Ok((!entries.is_empty()).then(|| entries.into()))
}

/// Key and value of an entry; none if neither is given.
fn entry(form: &Form<'_>, name: &str, kind: Kind, names: Flattened) -> Result<Option<(String, Value)>, Fault> {
    let key = form.get(&format!("{name}.{}", names.key));
    let value = value(form, &format!("{name}.{}", names.value), kind, Flattened::of(&[]))?;
    match (key, value) {
        (None, value) if value.as_ref().is_none_or(is_empty_structure) => Ok(None),
        (None, _) => Err(Fault::missing(names.key)),
        (Some(_), None) => Err(Fault::missing(names.value)),
        (Some(key), Some(value)) => Ok(Some((key.to_owned(), value))),
    }
}

/// Whether nothing was given for a structure, of which there always is a value.
fn is_empty_structure(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn is_empty(value: &Value) -> bool {
    value == "" || is_empty_structure(value)
}

/// The answer, in XML unless the request accepts JSON; a null output is none.
pub(super) fn write(request: &Request, result: Result<(&Action, Value), Fault>, request_id: &str) -> Response {
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
    Response {
        status,
        headers: vec![("Content-Type", content_type.to_owned())],
        body,
    }
}

fn accepts_json(request: &Request) -> bool {
    let accept = request.header_named("Accept").unwrap_or_default();
    let mut types = accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    types.any(|media_type| media_type.eq_ignore_ascii_case("application/json"))
}

/// W4.
fn answer(action: &Action, output: &Value, request_id: &str) -> Vec<u8> {
    let name = action.name;
    let mut xml = Xml::new();
    xml.element(&format!("{name}Response xmlns=\"{NAMESPACE}\""), |xml| {
        if !output.is_null() {
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
fn json_answer(action: &Action, output: Value, request_id: &str) -> Vec<u8> {
    let name = action.name;
    let mut response = Map::new();
    if !output.is_null() {
        let result = plain(action.output, Flattened::of(&[]), output);
        response.insert(format!("{name}Result"), result);
    }
    response.insert("ResponseMetadata".to_owned(), json!({ "RequestId": request_id }));
    let mut document = Map::new();
    document.insert(format!("{name}Response"), response.into());
    Value::from(document).to_string().into_bytes()
}

fn json_error(fault: &Fault, request_id: &str) -> Vec<u8> {
    let error = json!({ "Type": "Sender", "Code": fault.code.query_name(), "Message": message(fault), "Detail": null });
    json!({ "Error": error, "RequestId": request_id })
        .to_string()
        .into_bytes()
}

/// Maps are lists of entries here, as they are in XML.
fn plain(kind: Kind, names: Flattened, value: Value) -> Value {
    match (kind, value) {
        (Kind::Map(kind), Value::Object(entries)) => {
            let entry = |(key, value)| json!({ names.key: key, names.value: plain(*kind, Flattened::of(&[]), value) });
            entries.into_iter().map(entry).collect()
        }
        (Kind::List(kind), Value::Array(elements)) => {
            let element = |value| plain(*kind, Flattened::of(&[]), value);
            elements.into_iter().map(element).collect()
        }
        (Kind::Structure(shape), Value::Object(mut members)) => {
            let taken = shape.members.iter().filter_map(|member| {
                let value = members.remove(member.name)?;
                let name = if member.name == NAMED_IN_JSON.0 {
                    NAMED_IN_JSON.1
                } else {
                    member.name
                };
                Some((name.to_owned(), plain(member.kind, member.flattened, value)))
            });
            Value::Object(taken.collect())
        }
        (_, value) => value,
    }
}
