//! Durations as a number of seconds, or as a text such as `20 min`.

use {
    serde::{
        Deserializer, Serializer,
        de::{Error, Visitor},
    },
    std::{fmt, time::Duration},
};

struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds, or a text such as \"90 s\" or \"1 h 20 min\"")
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            E::custom(format!(
                "{seconds} is not a number of seconds, which is finite and at least 0"
            ))
        })
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => Ok(Duration::from_secs(seconds)),
            Err(_) => self.visit_f64(seconds as f64),
        }
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let span = text.parse::<jiff::Span>().ok();
        // A day has 24 hours, since a run knows no time zone.
        let signed = span.and_then(|it| it.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
        let parsed = signed.and_then(|it| Duration::try_from(it).ok());
        parsed.ok_or_else(|| E::custom(format!("{text:?} is not a duration such as \"90 s\" or \"1 h 20 min\"")))
    }
}

pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    match i64::try_from(value.as_secs()) {
        Ok(seconds) if value.subsec_nanos() == 0 => serializer.serialize_i64(seconds),
        _ => serializer.serialize_f64(value.as_secs_f64()),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Seconds)
}

pub(super) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

/// Many durations, for what is measured and not set.
pub(super) mod list {
    use {
        super::*,
        serde::de::{Deserialize, SeqAccess},
        std::sync::Arc,
    };

    struct One(Duration);

    impl<'de> Deserialize<'de> for One {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Self)
        }
    }

    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Arc<[Duration]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of durations")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(One(value)) = values.next_element()? {
                list.push(value);
            }
            Ok(list.into())
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Duration]>, D::Error> {
        deserializer.deserialize_seq(List)
    }
}
