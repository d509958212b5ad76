//! What stands for something else in a case, and how an answer is compared with it.

use {
    md5::{Digest, Md5},
    serde_json::{Map, Value},
    std::collections::BTreeMap,
};

/// What the steps of a case have saved so far.
#[derive(Default)]
pub(crate) struct Saved(BTreeMap<String, Value>);

impl Saved {
    /// A value of a request with everything in its place.
    pub(crate) fn fill(&self, template: &Value) -> Result<Value, String> {
        Ok(match template {
            Value::String(text) => match text.strip_prefix("$use:") {
                Some(name) => self.get(name)?.clone(),
                None => self.fill_text(text)?.into(),
            },
            Value::Array(elements) => elements.iter().map(|it| self.fill(it)).collect::<Result<_, _>>()?,
            Value::Object(members) => match document(members) {
                Some(document) => self.fill(document)?.to_string().into(),
                None => {
                    let fill = |(name, it): (&String, &Value)| Ok((self.fill_text(name)?, self.fill(it)?));
                    Value::Object(members.iter().map(fill).collect::<Result<_, String>>()?)
                }
            },
            other => other.clone(),
        })
    }

    /// A text with every `${name}` and `${x*80}` replaced.
    pub(crate) fn fill_text(&self, text: &str) -> Result<String, String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let (inside, after) = after
                .split_once('}')
                .ok_or_else(|| format!("no end of ${{ in {text}"))?;
            filled.push_str(before);
            let repeated = inside
                .rsplit_once('*')
                .and_then(|(unit, n)| Some(unit.repeat(n.parse().ok()?)));
            match repeated {
                Some(repeated) => filled.push_str(&repeated),
                None => filled.push_str(self.get(inside)?.as_str().ok_or("only a text stands within a text")?),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        self.0.get(name).ok_or_else(|| format!("nothing is saved as {name}"))
    }

    /// Compares an answer with what is expected of it: each difference with the place where it is.
    ///
    /// What a mark of `expected` stands for is put in its place, so that what is left differs for a reason.
    pub(crate) fn compare(&mut self, expected: &Value, actual: &Value) -> Result<Comparison, String> {
        let mut differences = Vec::new();
        let expected = self.compare_at("", expected, Some(actual), &mut differences)?;
        Ok(Comparison { expected, differences })
    }

    fn compare_at(
        &mut self,
        place: &str,
        expected: &Value,
        actual: Option<&Value>,
        differences: &mut Vec<String>,
    ) -> Result<Value, String> {
        match (expected, actual) {
            (Value::Object(members), _) if document(members).is_some() => {
                let expected = self.fill(document(members).unwrap_or(&Value::Null))?;
                let text = actual.and_then(Value::as_str).unwrap_or_default();
                if serde_json::from_str::<Value>(text).ok().as_ref() == Some(&expected) {
                    return Ok(text.into());
                }
                differences.push(differ(place, &format!("a text of {expected}"), actual));
                Ok(expected.to_string().into())
            }
            (Value::Object(members), Some(Value::Object(found))) => {
                let mut compared = Map::new();
                for (name, value) in members {
                    let name = self.fill_text(name)?;
                    let place = format!("{place}/{name}");
                    let value = self.compare_at(&place, value, found.get(&name), differences)?;
                    compared.insert(name, value);
                }
                let more = found.iter().filter(|(name, _)| !compared.contains_key(*name));
                differences.extend(more.map(|(name, value)| format!("{place}/{name}: not expected, is {value}")));
                Ok(Value::Object(compared))
            }
            (Value::Array(elements), Some(Value::Array(found))) => {
                if elements.len() != found.len() {
                    differences.push(format!(
                        "{place}: expected {} elements, is {}",
                        elements.len(),
                        found.len()
                    ));
                }
                let mut compared = Vec::new();
                for (at, element) in elements.iter().enumerate() {
                    let place = format!("{place}/{at}");
                    compared.push(self.compare_at(&place, element, found.get(at), differences)?);
                }
                Ok(Value::Array(compared))
            }
            (Value::String(mark), Some(found)) if mark.starts_with('$') && !mark.starts_with("${") => {
                if self.stands_for(mark, found)? {
                    return Ok(found.clone());
                }
                differences.push(differ(place, mark, actual));
                Ok(expected.clone())
            }
            _ => {
                let expected = self.fill_or_keep(expected)?;
                if actual != Some(&expected) {
                    differences.push(differ(place, &expected.to_string(), actual));
                }
                Ok(expected)
            }
        }
    }

    /// A mark whose member is absent has no place to be compared with and stays as it is.
    fn fill_or_keep(&self, expected: &Value) -> Result<Value, String> {
        match expected {
            Value::String(text) if !text.contains("${") => Ok(expected.clone()),
            Value::String(_) => self.fill(expected),
            other => Ok(other.clone()),
        }
    }

    /// Whether a mark stands for what was found; saves it if it is to be saved.
    fn stands_for(&mut self, mark: &str, found: &Value) -> Result<bool, String> {
        let text = found.as_str();
        let is = |test: fn(&str) -> bool| text.is_some_and(test);
        Ok(match mark.split_once(':').unwrap_or((mark, "")) {
            ("$any", "") => true,
            ("$uuid", "") => is(is_uuid),
            ("$receipt_handle", "") => is(is_receipt_handle),
            ("$sequence_number", "") => is(|text| text.len() == 20 && text.bytes().all(|it| it.is_ascii_digit())),
            ("$md5", of) => {
                let digest = Md5::digest(self.fill_text(of)?);
                text == Some(&digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            ("$use", name) => self.get(name)? == found,
            ("$not", name) => self.get(name)? != found,
            ("$after", name) => text > self.get(name)?.as_str(),
            ("$save", name) => {
                let (name, mark) = name.split_once(' ').unwrap_or((name, "$any"));
                let stands = self.stands_for(mark, found)?;
                self.0.insert(name.to_owned(), found.clone());
                stands
            }
            _ => return Err(format!("no such mark: {mark}")),
        })
    }
}

pub(crate) struct Comparison {
    pub(crate) expected: Value,
    pub(crate) differences: Vec<String>,
}

fn differ(place: &str, expected: &str, actual: Option<&Value>) -> String {
    let actual = actual.map_or_else(|| "absent".to_owned(), Value::to_string);
    format!("{place}: expected {expected}, is {actual}")
}

/// What `{"$json": ...}` holds.
fn document(members: &Map<String, Value>) -> Option<&Value> {
    members.get("$json").filter(|_| members.len() == 1)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && text
            .bytes()
            .all(|it| it == b'-' || matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_receipt_handle(text: &str) -> bool {
    text.starts_with("AQEB") && text.len() <= 1024
}

/// Whether a text is as the template says, in which `$uuid` and `$any` stand for something else.
pub(crate) fn matches(template: &str, text: &str) -> bool {
    let Some(at) = template.find('$') else {
        return template == text;
    };
    let (before, mark) = template.split_at(at);
    let Some(text) = text.strip_prefix(before) else {
        return false;
    };
    if let Some(template) = mark.strip_prefix("$uuid") {
        return text.get(..36).is_some_and(is_uuid) && matches(template, &text[36..]);
    }
    match mark.strip_prefix("$any") {
        Some(template) => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| matches(template, &text[at..])),
        None => text.strip_prefix('$').is_some_and(|text| matches(&mark[1..], text)),
    }
}
