//! Attributes by queue name, and redrive policies between queues (L1-L5, L20-L23).

use {
    super::{Service, Shared},
    crate::{
        attributes::{QueueAttributes, RedrivePolicy},
        error::{InvalidParameterValue, SetQueueAttributesError},
        queue::{Queue, check_dead_letter_target},
    },
};

impl Service {
    /// Changes the attributes that are given, all or none (Q28), at once (Q39).
    ///
    /// Retention acts on stored messages, and so does the delay of a FIFO queue; the visibility timeout and the
    /// delay of a standard queue act on later calls only (Q40). A redrive policy acts on the next receive (L5); its
    /// target is another queue of this service, of the same type (L3).
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidAttributeName` and `InvalidAttributeValue` (Q16-Q26), `InvalidParameterValue` for a
    /// dead-letter policy (L2a-L3d, L20).
    ///
    /// # Source
    /// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, RedrivePolicy, Service};
    ///
    /// let service = Service::new();
    /// let failed = service.create_queue("jobs-failed", QueueAttributes::new())?;
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// let policy = RedrivePolicy::new(failed.arn(), 3);
    /// service.set_attributes("jobs", QueueAttributes::new().redrive_policy(policy.clone()))?;
    /// assert_eq!(jobs.settings().redrive_policy, Some(policy));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_attributes(&self, queue: &str, attributes: QueueAttributes) -> Result<(), SetQueueAttributesError> {
        let shared = &self.shared;
        let source = shared.find(queue).ok_or(SetQueueAttributesError::QueueDoesNotExist)?;
        let Some(policy) = &attributes.redrive_policy else {
            return source.set_attributes(attributes);
        };
        // Whatever can be said without looking at another queue is said first (X11).
        attributes.apply(&source.settings(), &shared.limits)?;
        let target = match policy {
            Some(policy) => Some(shared.dead_letter_target(source.name(), source.is_fifo(), policy)?),
            None => None,
        };
        let changed = source.change_settings(|before| {
            let settings = attributes.apply(before, &shared.limits)?;
            // While the source's lock is held, so that links follow policies in the order these are set.
            let link = |target: &Queue| shared.registry.lock().link(source.name(), target.name());
            Ok((settings, target.as_ref().and_then(link)))
        });
        changed.unwrap_or(Err(SetQueueAttributesError::QueueDoesNotExist))
    }
}

impl Shared {
    /// The queue that a redrive policy of `source` names, if the policy is in order (L3-L3d).
    pub(super) fn dead_letter_target(
        &self,
        source: &str,
        fifo: bool,
        policy: &RedrivePolicy,
    ) -> Result<Queue, InvalidParameterValue> {
        let target = self.by_arn(policy.dead_letter_target_arn());
        check_dead_letter_target(target.as_ref(), policy, fifo, &self.addresses.arn(source))?;
        Ok(target.expect("invariant: the check refuses a target that does not exist"))
    }
}
