//! Permissions by label: statements of a queue's policy, stored and never enforced (Q49-Q55, X4).

use {
    super::Service,
    crate::{
        attributes::{AccessPolicy, OverQuota, QueueSettings, Statement},
        error::{InvalidParameterValue, InvalidReason, MissingParameter, PermissionError, QueueError, check},
        limits::Limits,
        queue::Queue,
    },
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

/// What stands before and after an account in a principal, and before an action (Q49).
const PRINCIPAL: (&str, &str) = ("arn:aws:iam::", ":root");
const ACTION: &str = "SQS:";

impl Service {
    /// Adds a permission to a queue: a statement of its policy, which is kept and not enforced (Q49).
    ///
    /// A queue without a policy gets one; of a policy that it has, all else stays. The statement is seen as the
    /// attribute `Policy`, and setting that attribute replaces it with everything else.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `InvalidParameterValue` for a label that is malformed or that a statement of the policy
    /// bears (Q50), for accounts (Q53) or actions (Q52), `MissingParameter` for no action, `OverLimit` for more than 7
    /// (Q53) and for a policy that would exceed its quotas (Q55).
    ///
    /// # Source
    /// [`AddPermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// let service = Service::new();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// service.add_permission("jobs", "partner", ["123456789012"], ["SendMessage"])?;
    /// assert_eq!(service.permissions("jobs")?[0].label, "partner");
    /// let statement = r#""Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"SQS:SendMessage""#;
    /// assert!(jobs.settings().policy.is_some_and(|policy| policy.contains(statement)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_permission<I: Into<String>, A: Into<String>>(
        &self,
        queue: &str,
        label: &str,
        account_ids: impl IntoIterator<Item = I>,
        actions: impl IntoIterator<Item = A>,
    ) -> Result<(), PermissionError> {
        let permission = Permission {
            label: label.to_owned(),
            account_ids: account_ids.into_iter().map(Into::into).collect(),
            actions: actions.into_iter().map(Into::into).collect(),
        };
        if permission.actions.is_empty() {
            return Err(MissingParameter::new("Actions").into());
        }
        let shared = &self.shared;
        let queue = shared.find(queue).ok_or(PermissionError::QueueDoesNotExist)?;
        permission.check(&shared.environment.limits)?;
        let statement = permission.into_statement(queue.arn());
        change_policy(&queue, |policy| {
            if policy.has(&statement.sid) {
                return Err(label_refused(&statement.sid, InvalidReason::LabelExists).into());
            }
            policy.push(statement);
            Ok(policy.check(policy.to_string().len(), &shared.environment.limits)?)
        })
    }

    /// Removes the statements of this label from a queue's policy, and with the last statement the policy (Q51).
    ///
    /// Statements that the queue's owner wrote into the policy have labels too, their `Sid`.
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
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// service.add_permission("jobs", "partner", ["123456789012"], ["SendMessage"])?;
    /// service.remove_permission("jobs", "partner")?;
    /// assert_eq!(jobs.settings().policy, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove_permission(&self, queue: &str, label: &str) -> Result<(), PermissionError> {
        let queue = self.shared.find(queue).ok_or(PermissionError::QueueDoesNotExist)?;
        change_policy(&queue, |policy| {
            if !policy.has(label) {
                return Err(label_refused(label, InvalidReason::LabelUnknown).into());
            }
            policy.remove(label);
            Ok(())
        })
    }

    /// The permissions in a queue's policy, in its order.
    ///
    /// Those are the statements that [`add_permission`](Self::add_permission) could have written. Any other is skipped:
    /// one that denies, has conditions, a principal that is not an account, an action that cannot be granted or is not
    /// spelt as SQS spells it, another resource, no label, or a member that SQS would not write.
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
    /// let policy = r#"{"Statement":{"Sid":"nobody","Effect":"Deny","Principal":"*","Action":"SQS:*"}}"#;
    /// service.create_queue("jobs", QueueAttributes::new().policy(policy))?;
    /// service.add_permission("jobs", "partner", ["123456789012"], ["SendMessage"])?;
    /// let permissions = service.permissions("jobs")?;
    /// assert_eq!((permissions.len(), permissions[0].label.as_str()), (1, "partner"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn permissions(&self, queue: &str) -> Result<Vec<Permission>, QueueError> {
        let shared = &self.shared;
        let queue = shared.find(queue).ok_or(QueueError::QueueDoesNotExist)?;
        let document = queue.settings().policy.unwrap_or_default();
        let Some(policy) = AccessPolicy::parse(&document) else {
            return Ok(Vec::new());
        };
        let permission = |statement| Permission::of_statement(statement, queue.arn(), &shared.environment.limits);
        Ok(policy.grants().filter_map(permission).collect())
    }
}

impl Permission {
    fn into_statement(self, queue_arn: &str) -> Statement {
        let (before, after) = PRINCIPAL;
        let principal = |account_id| format!("{before}{account_id}{after}");
        Statement {
            sid: self.label,
            principals: self.account_ids.into_iter().map(principal).collect(),
            actions: self.actions.iter().map(|action| format!("{ACTION}{action}")).collect(),
            resource: queue_arn.to_owned(),
        }
    }

    /// The permission that would be written as this statement.
    fn of_statement(statement: Statement, queue_arn: &str, limits: &Limits) -> Option<Self> {
        let (before, after) = PRINCIPAL;
        let account_id = |principal: &String| Some(principal.strip_prefix(before)?.strip_suffix(after)?.to_owned());
        let action = |action: &String| action.strip_prefix(ACTION).map(str::to_owned);
        let permission = Self {
            account_ids: statement.principals.iter().map(account_id).collect::<Option<_>>()?,
            actions: statement.actions.iter().map(action).collect::<Option<_>>()?,
            label: statement.sid,
        };
        (statement.resource == queue_arn && permission.check(limits).is_ok()).then_some(permission)
    }

    /// Q50, Q52, Q53.
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
        if count > limit {
            return Err(PermissionError::OverLimit {
                counted: "Actions",
                count,
                limit,
            });
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
                Err(InvalidParameterValue::of("ActionName", format!("{ACTION}{action}"), reason).into())
            }
        }
    }
}

/// Looks at a queue's policy and changes it in one step, which moves `LastModifiedTimestamp` (Q15, Q51).
fn change_policy(
    queue: &Queue,
    change: impl FnOnce(&mut AccessPolicy) -> Result<(), PermissionError>,
) -> Result<(), PermissionError> {
    let changed = queue.change_settings(|before| {
        let held = before.policy.as_deref().and_then(AccessPolicy::parse);
        let mut policy = held.unwrap_or_else(|| AccessPolicy::new(queue.arn()));
        change(&mut policy)?;
        let policy = (!policy.is_empty()).then(|| policy.to_string());
        let settings = QueueSettings {
            policy,
            ..before.clone()
        };
        Ok((settings, None))
    });
    changed.unwrap_or(Err(PermissionError::QueueDoesNotExist))
}

impl From<OverQuota> for PermissionError {
    fn from(OverQuota { counted, count, limit }: OverQuota) -> Self {
        Self::OverLimit { counted, count, limit }
    }
}

fn label_refused(label: &str, reason: InvalidReason) -> InvalidParameterValue {
    InvalidParameterValue::of("Label", label, reason)
}
