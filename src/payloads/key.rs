//! The keys of payloads (E2).

use {
    super::{error::BuildPayloadQueueError, unfinished},
    crate::message::{MessageId, Seed},
    std::sync::atomic::{AtomicU64, Ordering},
};

/// The longest prefix: with a UUID behind it a key has at most 1,024 characters.
const MAX_PREFIX: usize = 988;

/// The prefix that all keys of a queue have.
#[derive(Clone, Debug)]
pub(super) struct KeySpace(String);

impl KeySpace {
    pub(super) fn new(prefix: &str) -> Result<Self, BuildPayloadQueueError> {
        let refused = |reason| BuildPayloadQueueError::Prefix {
            prefix: prefix.to_owned(),
            reason,
        };
        if prefix.len() > MAX_PREFIX {
            return Err(refused("it has more than 988 characters"));
        }
        if !prefix.chars().all(is_safe) {
            return Err(refused("only letters, digits and /!-_.*'() are allowed"));
        }
        if !prefix.is_empty() && !is_key(&format!("{prefix}x")) {
            return Err(refused("it has an empty part, or one that is . or .."));
        }
        Ok(Self(prefix.to_owned()))
    }

    pub(super) fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether a key is that of a payload: the prefix and a UUID, and behind a `#` what a directory adds while it writes.
    pub(super) fn is_payload(&self, key: &str) -> bool {
        let Some(id) = key.strip_prefix(&*self.0) else {
            return false;
        };
        unfinished::whole(id).unwrap_or(id).parse::<MessageId>().is_ok()
    }

    /// Whether a pointer may name this key.
    pub(super) fn check(&self, key: &str) -> Result<(), String> {
        let prefix = &self.0;
        match key.strip_prefix(&**prefix) {
            None => Err(format!("the key {key:?} is outside of the prefix {prefix:?}")),
            Some("") => Err(format!("{key:?} is not a key")),
            Some(_) if !is_key(key) => Err(format!("{key:?} is not a key")),
            Some(_) => Ok(()),
        }
    }
}

/// The characters that are safe in every store.
fn is_safe(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/!-_.*'()".contains(character)
}

/// Whether all characters are safe, and no part of the path is empty or leads elsewhere.
fn is_key(key: &str) -> bool {
    key.chars().all(is_safe) && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Draws keys.
#[derive(Debug)]
pub(super) struct Keys {
    space: KeySpace,
    seed: Seed,
    drawn: AtomicU64,
}

impl Keys {
    pub(super) const fn new(space: KeySpace, seed: Seed) -> Self {
        Self {
            space,
            seed,
            drawn: AtomicU64::new(0),
        }
    }

    pub(super) const fn space(&self) -> &KeySpace {
        &self.space
    }

    /// The prefix and a random UUID.
    pub(super) fn draw(&self) -> String {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        format!("{}{}", self.space.prefix(), self.seed.draw_id("payload", number + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_safe_and_short() {
        // E2
        for prefix in ["", "jobs", "jobs/", "team-1/jobs_2.x/", &"p".repeat(988)] {
            assert!(KeySpace::new(prefix).is_ok(), "{prefix}");
        }
        for prefix in [
            "/jobs",
            "jobs//x",
            "../",
            "jobs/../",
            "j\u{f6}bs",
            "a b",
            "a\\b",
            &"p".repeat(989),
        ] {
            assert!(KeySpace::new(prefix).is_err(), "{prefix}");
        }
    }

    #[test]
    fn keys_are_uuids_behind_the_prefix() {
        // E2
        let keys = Keys::new(KeySpace::new("jobs/").unwrap(), Seed::new(7));
        let (one, other) = (keys.draw(), keys.draw());
        assert!(one != other && one.len() == "jobs/".len() + 36);
        for key in [one, other] {
            keys.space().check(&key).unwrap();
        }
    }
}
