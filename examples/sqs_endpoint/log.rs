//! What `--log` says of a request: status, action, queue and, if there is one, the code of the error.

use {
    crate::regions::between,
    requeue::aws::{Request, Response},
    serde_json::Value,
};

/// Longer names are cut: a client must not fill the log.
const MAX_WORD: usize = 100;

/// A line whose request is not answered yet.
pub(crate) struct Line {
    action: String,
    queue: String,
}

impl Line {
    pub(crate) fn of(request: &Request) -> Self {
        let header = |name: &str| {
            let mut headers = request.headers.iter();
            headers
                .find(|(header, _)| header.eq_ignore_ascii_case(name))
                .map_or("", |(_, value)| value.as_str())
        };
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let is_form = header("Content-Type").starts_with("application/x-www-form-urlencoded");
        let target = Some(header("X-Amz-Target")).filter(|target| !target.is_empty() && !is_form);
        let (action, queue) = match target {
            Some(target) => {
                let body = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
                let member = |name: &str| body.get(name)?.as_str().map(str::to_owned);
                (target.rsplit('.').next().map(str::to_owned), queue(member))
            }
            None => {
                let body = String::from_utf8_lossy(&request.body);
                let parameter = |name: &str| {
                    let mut pairs = body.split('&').chain(query.split('&'));
                    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(decode))
                };
                let in_path = || path.trim_matches('/').contains('/').then(|| path.to_owned());
                (parameter("Action"), queue(parameter).or_else(in_path))
            }
        };
        Self {
            action: clean(action.as_deref().unwrap_or_default()),
            queue: clean(queue.as_deref().map_or("", name)),
        }
    }

    pub(crate) fn answered(self, response: &Response) -> String {
        let Self { action, queue } = self;
        let line = format!("{} {action} {queue}", response.status);
        match error_code(response) {
            Some(code) => format!("{line} {code}"),
            None => line,
        }
    }
}

/// What names the queue of a request: its URL, name or ARN.
fn queue(member: impl Fn(&str) -> Option<String>) -> Option<String> {
    let members = ["QueueUrl", "QueueName", "SourceArn"].into_iter();
    members.filter_map(member).find(|text| !text.is_empty())
}

/// The name in a URL, a path or an ARN.
fn name(address: &str) -> &str {
    let segments = address.trim_end_matches('/');
    segments.rsplit(['/', ':']).next().unwrap_or(segments)
}

/// The header of the JSON protocol, or the element or member of the query protocol.
fn error_code(response: &Response) -> Option<String> {
    if response.status < 400 {
        return None;
    }
    let header = response.headers.iter().find(|(name, _)| *name == "x-amzn-query-error");
    let body = String::from_utf8_lossy(&response.body);
    let code = match header {
        Some((_, code)) => code.split(';').next(),
        None => between(&body, "<Code>", "</Code>").or_else(|| between(&body, r#""Code":""#, r#"""#)),
    };
    Some(clean(code.unwrap_or("UnknownOperationException")))
}

/// A text of a client as one word.
fn clean(text: &str) -> String {
    let visible = |char: char| if char.is_ascii_graphic() { char } else { '?' };
    let word: String = text.chars().take(MAX_WORD).map(visible).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// Takes `%41` for `A`; what is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut halves = text.split('%');
    let mut bytes = halves.next().unwrap_or_default().as_bytes().to_vec();
    for half in halves {
        match half.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&half.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(half.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
