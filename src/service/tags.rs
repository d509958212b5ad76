//! Tags of queues (Q44-Q48).

use {
    super::Service,
    crate::{
        error::{InvalidParameterValue, InvalidReason, QueueError, TagError},
        limits::Limits,
    },
    std::collections::BTreeMap,
};

impl Service {
    /// Adds tags to a queue; a key that it has gets the new value, other tags stay (Q45).
    ///
    /// A key has 1 to 128 characters and a value 0 to 256: letters, digits, whitespace and `_ . : / = + - @`. Keys do
    /// not begin with `aws:`, and a queue has at most 50. All tags are added, or none.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidParameterValue` (Q44, Q46).
    ///
    /// # Source
    /// [`TagQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.tag_queue("jobs", [("team", "images"), ("stage", "test")])?;
    /// service.untag_queue("jobs", ["stage"])?;
    /// let tags = service.list_queue_tags("jobs")?;
    /// assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("team".into(), "images".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tag_queue<K: Into<String>, V: Into<String>>(
        &self,
        queue: &str,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), TagError> {
        let tags = tags.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.merge_tags(queue, tags.collect())
    }

    fn merge_tags(&self, queue: &str, tags: BTreeMap<String, String>) -> Result<(), TagError> {
        let (shared, limits) = (&self.shared, &self.shared.environment.limits);
        let name = shared.addresses.name_in(queue).ok_or(TagError::QueueDoesNotExist)?;
        let stored = shared
            .registry
            .lock()
            .get_mut(name)
            .map_or(0, |entry| bytes(&entry.tags));
        shared.admit(stored + bytes(&tags))?;
        let mut registry = shared.registry.lock();
        let entry = registry.get_mut(name).ok_or(TagError::QueueDoesNotExist)?;
        check("Tags", &tags, limits)?;
        let added = tags.keys().filter(|key| !entry.tags.contains_key(*key)).count();
        check_count(name, entry.tags.len() + added, limits)?;
        entry.tags.extend(tags);
        let position = shared.record_tags(entry.queue.number(), &entry.tags);
        drop(registry);
        Ok(shared.settle(position)?)
    }

    /// Removes tags from a queue; keys that it does not have are ignored (Q45).
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`UntagQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue_with_tags("jobs", QueueAttributes::new(), [("team", "images")])?;
    /// service.untag_queue("jobs", ["team", "stage"])?;
    /// assert!(service.list_queue_tags("jobs")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn untag_queue<K: AsRef<str>>(&self, queue: &str, keys: impl IntoIterator<Item = K>) -> Result<(), TagError> {
        // What the caller's iterator does must not happen under the lock.
        let keys: Vec<K> = keys.into_iter().collect();
        let name = self
            .shared
            .addresses
            .name_in(queue)
            .ok_or(TagError::QueueDoesNotExist)?;
        let stored = self
            .shared
            .registry
            .lock()
            .get_mut(name)
            .map_or(0, |entry| bytes(&entry.tags));
        self.shared.admit(stored)?;
        let mut registry = self.shared.registry.lock();
        let entry = registry.get_mut(name).ok_or(TagError::QueueDoesNotExist)?;
        for key in &keys {
            entry.tags.remove(key.as_ref());
        }
        let position = self.shared.record_tags(entry.queue.number(), &entry.tags);
        drop(registry);
        Ok(self.shared.settle(position)?)
    }

    /// The tags of a queue.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`ListQueueTags`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue_with_tags("jobs", QueueAttributes::new(), [("team", "images")])?;
    /// assert_eq!(service.list_queue_tags("jobs")?["team"], "images");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_queue_tags(&self, queue: &str) -> Result<BTreeMap<String, String>, QueueError> {
        let name = self
            .shared
            .addresses
            .name_in(queue)
            .ok_or(QueueError::QueueDoesNotExist)?;
        let registry = self.shared.registry.lock();
        let entry = registry.get(name).ok_or(QueueError::QueueDoesNotExist)?;
        Ok(entry.tags.clone())
    }
}

/// Q44; `parameter` is what SQS calls the tags in this action (Q47).
pub(super) fn check(
    parameter: &'static str,
    tags: &BTreeMap<String, String>,
    limits: &Limits,
) -> Result<(), InvalidParameterValue> {
    for (key, value) in tags {
        let limit = limits.tag_key_length;
        if key.is_empty() || is_reserved(key) || !is_tag_text(key, limit) {
            return Err(InvalidParameterValue::of(
                parameter,
                key,
                InvalidReason::TagKey { limit },
            ));
        }
        let limit = limits.tag_value_length;
        if !is_tag_text(value, limit) {
            return Err(InvalidParameterValue::of(
                parameter,
                value,
                InvalidReason::TagValue { limit },
            ));
        }
    }
    Ok(())
}

/// Q46.
pub(super) fn check_count(queue: &str, tags: usize, limits: &Limits) -> Result<(), InvalidParameterValue> {
    if tags > limits.tags {
        return Err(InvalidParameterValue::TooManyTags {
            queue: queue.to_owned(),
        });
    }
    Ok(())
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn is_tag_text(text: &str, limit: usize) -> bool {
    let allowed = |it: char| it.is_alphanumeric() || it.is_whitespace() || "_.:/=+-@".contains(it);
    text.chars().count() <= limit && text.chars().all(allowed)
}

/// Roughly how many bytes of a journal tags take.
pub(super) fn bytes(tags: &BTreeMap<String, String>) -> usize {
    const EACH: usize = 4;
    tags.iter().map(|(key, value)| key.len() + value.len() + EACH).sum()
}
