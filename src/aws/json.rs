//! AWS JSON 1.0 (W1, W2).

use super::{
    action::{self, Action},
    fault::Fault,
    http::{Request, Response},
    value::{Members, Value},
};

const TARGET: &str = "X-Amz-Target";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether the request is in this protocol: it has the content type, or a target and not the content type of a form
/// (W1, W3).
pub(super) fn speaks(request: &Request) -> bool {
    let content_type = request.header_named("Content-Type").unwrap_or_default();
    if content_type == CONTENT_TYPE {
        return true;
    }
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    is(CONTENT_TYPE) || request.header_named(TARGET).is_some() && !is(FORM)
}

/// The action that a request asks for, and its input.
pub(super) fn read(request: &Request) -> Result<(&'static Action, Value<'_>), Fault> {
    let target = request.header_named(TARGET).unwrap_or_default();
    let action = target.strip_prefix("AmazonSQS.").and_then(action::find);
    let action = action.ok_or_else(Fault::unknown_operation)?;
    if request.body.is_empty() {
        return Ok((action, Value::Structure(Members::new())));
    }
    let input = Value::from_json(&request.body);
    let input = input.ok_or_else(|| Fault::serialization("The request body could not be parsed as JSON."))?;
    Ok((action, input))
}

/// The answer; a null output is none.
pub(super) fn write(result: Result<Value<'_>, Fault>) -> Response {
    match result {
        Ok(Value::Null) => Response::new(200, CONTENT_TYPE, Vec::new()),
        Ok(output) => Response::new(200, CONTENT_TYPE, output.into_json()),
        Err(fault) => {
            let Fault { code, message } = fault.without_address();
            let namespace = if code.is_modelled() {
                "com.amazonaws.sqs"
            } else {
                "com.amazon.coral.service"
            };
            let kind = format!("{namespace}#{}", code.json_name());
            let body = vec![("__type".into(), Value::from(kind)), ("message".into(), message.into())];
            let mut response = Response::new(code.status(), CONTENT_TYPE, Value::Structure(body).into_json());
            let query_error = format!("{};Sender", code.query_name());
            response.headers.push(("x-amzn-query-error", query_error));
            response
        }
    }
}
