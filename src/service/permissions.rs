//! Permissions by label: kept and returned, never enforced (Q50, Q52, Q53, X4).

use {
    super::Service,
    crate::{
        error::{InvalidParameterValue, InvalidReason, MissingParameter, PermissionError, QueueError, check},
        limits::Limits,
        queue::Queue,
    },
    std::convert::Infallible,
};

/// What a queue's policy grants to other accounts under one label.
///
/// # Source
/// [`AddPermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Permission {
    /// Names the permission within its queue: 1 to 80 letters, digits, `-` and `_`.
    pub label: String,
    /// The accounts that may call the actions, each of 12 digits; at least one.
    pub account_ids: Vec<String>,
    /// SQS's names of the actions, `*` for all that can be granted; 1 to 7.
    pub actions: Vec<String>,
}

/// The actions that can be granted; the permission for one message covers batches (Q52).
const GRANTABLE: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

/// The actions that only the owner of a queue may call (Q54).
const OWNER_ONLY: [&str; 12] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

impl Service {
    /// Adds a permission to a queue, which keeps it and enforces nothing.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidParameterValue` for a label that is malformed or exists (Q50), for accounts (Q53)
    /// or actions (Q52), `MissingParameter` for no action, `OverLimit` for more than 7 (Q53).
    ///
    /// # Source
    /// [`AddPermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.add_permission("jobs", "partner", ["123456789012"], ["SendMessage"])?;
    /// assert_eq!(service.permissions("jobs")?[0].label, "partner");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_permission<I: Into<String>, A: Into<String>>(
        &self,
        queue: &str,
        label: &str,
        account_ids: impl IntoIterator<Item = I>,
        actions: impl IntoIterator<Item = A>,
    ) -> Result<(), PermissionError> {
        self.insert_permission(
            queue,
            Permission {
                label: label.to_owned(),
                account_ids: account_ids.into_iter().map(Into::into).collect(),
                actions: actions.into_iter().map(Into::into).collect(),
            },
        )
    }

    fn insert_permission(&self, queue: &str, permission: Permission) -> Result<(), PermissionError> {
        let shared = &self.shared;
        let name = shared
            .addresses
            .name_in(queue)
            .ok_or(PermissionError::QueueDoesNotExist)?;
        let mut registry = shared.registry.lock();
        let entry = registry.get_mut(name).ok_or(PermissionError::QueueDoesNotExist)?;
        permission.check(&shared.limits)?;
        if entry.permissions.iter().any(|held| held.label == permission.label) {
            return Err(label_refused(&permission.label, InvalidReason::LabelExists).into());
        }
        entry.permissions.push(permission);
        let queue = entry.queue.clone();
        drop(registry);
        touch(&queue);
        Ok(())
    }

    /// Removes the permission of this label from a queue.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidParameterValue` for an unknown label (Q50).
    ///
    /// # Source
    /// [`RemovePermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// service.add_permission("jobs", "partner", ["123456789012"], ["SendMessage"])?;
    /// service.remove_permission("jobs", "partner")?;
    /// assert!(service.permissions("jobs")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove_permission(&self, queue: &str, label: &str) -> Result<(), PermissionError> {
        let shared = &self.shared;
        let name = shared
            .addresses
            .name_in(queue)
            .ok_or(PermissionError::QueueDoesNotExist)?;
        let mut registry = shared.registry.lock();
        let entry = registry.get_mut(name).ok_or(PermissionError::QueueDoesNotExist)?;
        let place = entry.permissions.iter().position(|held| held.label == label);
        let place = place.ok_or_else(|| label_refused(label, InvalidReason::LabelUnknown))?;
        entry.permissions.remove(place);
        let queue = entry.queue.clone();
        drop(registry);
        touch(&queue);
        Ok(())
    }

    /// The permissions of a queue in the order they were added; SQS shows them as its attribute `Policy`.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    ///
    /// # Source
    /// [`AddPermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// assert!(service.permissions("jobs")?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn permissions(&self, queue: &str) -> Result<Vec<Permission>, QueueError> {
        let name = self
            .shared
            .addresses
            .name_in(queue)
            .ok_or(QueueError::QueueDoesNotExist)?;
        let registry = self.shared.registry.lock();
        let entry = registry.get(name).ok_or(QueueError::QueueDoesNotExist)?;
        Ok(entry.permissions.clone())
    }
}

impl Permission {
    fn check(&self, limits: &Limits) -> Result<(), PermissionError> {
        let limit = limits.permission_label_length;
        if !check::is_name(&self.label, limit) {
            return Err(label_refused(&self.label, InvalidReason::Name { limit }).into());
        }
        let is_account_id = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        if self.account_ids.is_empty() || !self.account_ids.iter().all(is_account_id) {
            let value = format!("[{}]", self.account_ids.join(", "));
            return Err(InvalidParameterValue::of("PrincipalId", value, InvalidReason::Principal).into());
        }
        let (count, limit) = (self.actions.len(), limits.permission_actions);
        if count == 0 {
            return Err(MissingParameter::new("Actions").into());
        }
        if count > limit {
            return Err(PermissionError::OverLimit { count, limit });
        }
        let refused = self.actions.iter().find(|action| !GRANTABLE.contains(&action.as_str()));
        match refused {
            None => Ok(()),
            Some(action) => {
                let owner_only = OWNER_ONLY.contains(&action.as_str());
                let reason = if owner_only {
                    InvalidReason::OwnerOnly
                } else {
                    InvalidReason::ActionUnknown
                };
                Err(InvalidParameterValue::of("ActionName", format!("SQS:{action}"), reason).into())
            }
        }
    }
}

fn label_refused(label: &str, reason: InvalidReason) -> InvalidParameterValue {
    InvalidParameterValue::of("Label", label, reason)
}

/// Q15: the policy is an attribute, and changing it moves `LastModifiedTimestamp`. A queue deleted meanwhile has none.
fn touch(queue: &Queue) {
    let _ = queue.change_settings(|settings| Ok::<_, Infallible>((settings.clone(), None)));
}
