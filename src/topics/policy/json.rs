//! JSON, read the same whatever features of `serde_json` a program turns on.

use serde_json::Value;

/// A number is read as `str::parse` reads it, and one beyond a float of 64 bits is refused as a syntax error is, also
/// with `arbitrary_precision`, which keeps its text.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match beyond_float(&json) {
        Some(number) => Err(format!("number out of range: {number}")),
        None => Ok(json),
    }
}

/// JSON is parsed to a depth of 127 at most, so this does not go deeper.
fn beyond_float(json: &Value) -> Option<&serde_json::Number> {
    match json {
        Value::Number(number) => number.as_f64().is_none_or(f64::is_infinite).then_some(number),
        Value::Array(elements) => elements.iter().find_map(beyond_float),
        Value::Object(members) => members.values().find_map(beyond_float),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}
