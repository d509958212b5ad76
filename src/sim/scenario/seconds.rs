//! Durations as a number of seconds, or as a text such as `20 min`.

use {
    serde::{Deserialize, Deserializer, Serializer, de::Error},
    std::time::Duration,
};

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn duration<E: Error>(self) -> Result<Duration, E> {
        match self {
            Self::Number(seconds) => Duration::try_from_secs_f64(seconds)
                .map_err(|_| E::custom(format!("{seconds} is not a number of seconds from 0"))),
            Self::Text(text) => text
                .parse::<jiff::SignedDuration>()
                .ok()
                .and_then(|it| Duration::try_from(it).ok())
                .ok_or_else(|| E::custom(format!("{text:?} is not a duration such as \"90 s\" or \"1 h 20 min\""))),
        }
    }
}

pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.as_secs_f64())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Seconds::deserialize(deserializer)?.duration()
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
