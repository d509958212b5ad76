//! Attributes by queue name, and redrive policies between queues (L1-L5, L20-L23).

use {
    super::{Service, Shared},
    crate::{
        attributes::{QueueAttributes, Settings},
        error::{InvalidParameterValue, SetQueueAttributesError},
        queue::{DeadLetterRoute, Queue, check_dead_letter_target, check_redrive_allowed},
    },
    std::sync::Arc,
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
        let settings = attributes.apply(&source.settings(), &shared.limits)?;
        let target = match shared.dead_letter_target(source.name(), &settings)? {
            DeadLetterTarget::None => None,
            DeadLetterTarget::Itself => Some(source.clone()),
            DeadLetterTarget::Queue(target) => Some(target),
        };
        let changed = source.change_settings(|before| {
            let settings = attributes.apply(before, &shared.limits)?;
            // While the source's lock is held, so that links follow policies in the order these are set.
            shared
                .registry
                .lock()
                .link(source.name(), target.as_ref().map(Queue::name));
            Ok((settings, target.as_ref().map(DeadLetterRoute::in_service)))
        });
        changed.unwrap_or(Err(SetQueueAttributesError::QueueDoesNotExist))?;
        if let Some(target) = &target {
            shared.confirm_link(&source, target);
        }
        Ok(())
    }
}

/// Where the redrive policy of a queue leads.
pub(super) enum DeadLetterTarget {
    None,
    /// The queue, which need not exist yet (L3d).
    Itself,
    Queue(Queue),
}

impl Shared {
    /// The queue that the redrive policy of `source`, which is to have these settings, names if it is in order
    /// (L3-L3d).
    pub(super) fn dead_letter_target(
        &self,
        source: &str,
        settings: &Settings,
    ) -> Result<DeadLetterTarget, InvalidParameterValue> {
        let Some(policy) = &settings.redrive_policy else {
            return Ok(DeadLetterTarget::None);
        };
        let arn = self.addresses.arn(source);
        if policy.dead_letter_target_arn() == arn {
            check_redrive_allowed(settings, policy, &arn)?;
            return Ok(DeadLetterTarget::Itself);
        }
        let target = self.by_arn(policy.dead_letter_target_arn());
        check_dead_letter_target(target.as_ref(), policy, settings.fifo_queue, &arn)?;
        let target = target.expect("invariant: the check refuses a target that does not exist");
        Ok(DeadLetterTarget::Queue(target))
    }

    /// Looks again at a link just registered: meanwhile its target may have been deleted and created anew, by someone
    /// who could not yet see the link.
    pub(super) fn confirm_link(self: &Arc<Self>, source: &Queue, target: &Queue) {
        if let Some(anew) = self.named(target.name()).filter(|anew| !anew.is(target)) {
            source.relink(&anew);
        }
    }

    /// The queues whose redrive policy names `target`, in order of their names (L23).
    pub(super) fn dead_letter_sources(&self, target: &Queue) -> Vec<Queue> {
        let mut sources = self.registry.lock().candidates(target.name());
        sources.retain(|source| {
            let policy = source.settings().redrive_policy;
            policy.is_some_and(|policy| policy.dead_letter_target_arn() == target.arn())
        });
        sources
    }
}
