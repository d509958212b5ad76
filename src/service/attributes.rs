//! Attributes by queue name, and redrive policies between queues (L1-L5, L20-L23).

use {
    super::{Service, ServiceState},
    crate::{
        attributes::{QueueAttributes, QueueSettings},
        error::{InvalidParameterValue, SetQueueAttributesError},
        queue::{check_dead_letter_target, check_redrive_allowed},
    },
};

impl Service {
    /// Changes the attributes that are given, all or none (Q28), at once (Q39).
    ///
    /// Retention acts on stored messages, and so does the delay of a FIFO queue; the visibility timeout and the
    /// delay of a standard queue act on later calls only (Q40). A redrive policy acts on the next receive (L5); its
    /// target is a queue of this service of the same type (L3), which may be the queue itself (L3d).
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidAttributeName` and `InvalidAttributeValue` (Q16-Q26), `InvalidParameterValue` for a
    /// dead-letter policy (L2a-L3c, L20).
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
        if attributes.redrive_policy.is_none() {
            return source.set_attributes(attributes);
        }
        // Whatever can be said without looking at another queue is said first (X11).
        let settings = attributes.apply(&source.settings(), &shared.environment.limits)?;
        let target = shared.dead_letter_target(source.name(), &settings)?;
        let changed = source.change_settings(|before| {
            let settings = attributes.apply(before, &shared.environment.limits)?;
            // While the source's lock is held, so that links follow policies in the order these are set.
            let link = |target: &str| shared.registry.lock().link(source.name(), target);
            Ok((settings, target.as_deref().and_then(link)))
        });
        changed.unwrap_or(Err(SetQueueAttributesError::QueueDoesNotExist))
    }
}

impl ServiceState {
    /// The name of the queue that the redrive policy of `source`, which is to have these settings, names if it is in
    /// order (L3-L3d). It may be the source, which need not exist yet.
    pub(super) fn dead_letter_target(
        &self,
        source: &str,
        settings: &QueueSettings,
    ) -> Result<Option<String>, InvalidParameterValue> {
        let Some(policy) = &settings.redrive_policy else {
            return Ok(None);
        };
        let arn = self.addresses.arn(source);
        if policy.dead_letter_target_arn() == arn {
            check_redrive_allowed(settings, policy, &arn)?;
            return Ok(Some(source.to_owned()));
        }
        let target = self.by_arn(policy.dead_letter_target_arn());
        check_dead_letter_target(target.as_ref(), policy, settings.fifo_queue, &arn)?;
        Ok(target.map(|target| target.name().to_owned()))
    }
}
