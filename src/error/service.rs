//! Errors of the operations that create, name, list and connect queues.
use super::attribute::{AttributeError, InvalidAttributeName, InvalidAttributeValue};
use super::codes;
use super::parameter::InvalidParameterValue;
#[cfg(feature = "aws-protocol")]
use super::parameter::MissingParameter;
use super::storage::StorageError;
use super::text::{self, Seconds};
use std::time::Duration;

/// Why a queue was not created.
///
/// # Source
/// [`CreateQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateQueueError {
    /// A queue of this name exists and differs in an attribute that the call gives (Q30).
    #[error("A queue already exists with the same name and a different value for attribute {attribute}")]
    QueueNameExists {
        /// SQS's name of the first attribute that differs.
        attribute: &'static str,
    },
    /// A queue of this name was deleted a moment ago (Q37).
    #[error(
        "You must wait {} seconds after deleting a queue before you can create another with the same name.",
        Seconds(*.interval)
    )]
    QueueDeletedRecently {
        /// The shortest time between deleting a queue and creating another.
        interval: Duration,
    },
    /// An attribute is not for this type of queue, or not with another one (Q17 to Q19, Q24).
    #[error(transparent)]
    InvalidAttributeName(#[from] InvalidAttributeName),
    /// The value of an attribute is out of range or malformed (Q16, Q22, Q26).
    #[error(transparent)]
    InvalidAttributeValue(#[from] InvalidAttributeValue),
    /// Name, tags or dead-letter policies are refused (Q3 to Q5, Q44, Q46, L2 to L3d, L20).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::{QueueAttributes, Service};
    /// # use std::time::Duration;
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// let slower = QueueAttributes::new().delay(Duration::from_secs(5));
    /// assert_eq!(service.create_queue("jobs", slower).unwrap_err().code(), "QueueNameExists");
    CreateQueueError:
    QueueNameExists, QueueDeletedRecently, InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue; Storage
}

/// Why no attribute of a queue was changed.
///
/// # Source
/// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetQueueAttributesError {
    /// An attribute is not for this type of queue, or not with another one (Q17 to Q19, Q24).
    #[error(transparent)]
    InvalidAttributeName(#[from] InvalidAttributeName),
    /// The value of an attribute is out of range or malformed (Q16, Q21, Q22, Q26).
    #[error(transparent)]
    InvalidAttributeValue(#[from] InvalidAttributeValue),
    /// A dead-letter policy is refused (L2 to L3d, L20).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::{Queue, QueueAttributes};
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let day = QueueAttributes::new().visibility_timeout(Duration::from_secs(86_400));
    /// assert_eq!(jobs.set_attributes(day).unwrap_err().code(), "InvalidAttributeValue");
    SetQueueAttributesError: InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue, QueueDoesNotExist; Storage
}

/// Why queues were not listed.
///
/// # Source
/// [`ListQueues`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The page size is out of range or the page token unknown (Q9, Q10).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue whose sources are asked for does not exist (L23).
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
}
codes! {
    /// # use requeue::{ListQueues, Service};
    /// let none = ListQueues::new().max_results(0);
    /// assert_eq!(Service::new().list_queues(&none).unwrap_err().code(), "InvalidParameterValue");
    ListError: InvalidParameterValue, QueueDoesNotExist
}

/// Why tags were not changed.
///
/// # Source
/// [`TagQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// A key or value is malformed, or there would be too many tags (Q44, Q46).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// assert_eq!(service.tag_queue("jobs", [("", "no key")]).unwrap_err().code(), "InvalidParameterValue");
    TagError: InvalidParameterValue, QueueDoesNotExist; Storage
}

/// Why a permission was not added or removed.
///
/// # Source
/// [`AddPermission`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html).
#[cfg(feature = "aws-protocol")]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// No action is named (X8).
    #[error(transparent)]
    MissingParameter(#[from] MissingParameter),
    /// Label, accounts or actions are refused (Q50, Q52, Q53).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// More actions are named than allowed (Q53), or the queue's policy would exceed a quota (Q55).
    #[error("{count} {counted} were found, maximum allowed is {limit}.")]
    OverLimit {
        /// What there is too much of: `Actions`, or in the policy `Bytes`, `Statements`, `Principals` or `Conditions`.
        counted: &'static str,
        /// How many there are or would be.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
#[cfg(feature = "aws-protocol")]
codes! {
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::new();
    /// service.create_queue("jobs", QueueAttributes::new())?;
    /// let refused = service.add_permission("jobs", "partner", ["123456789012"], [] as [&str; 0]);
    /// assert_eq!(refused.unwrap_err().code(), "MissingParameter");
    PermissionError: MissingParameter, InvalidParameterValue, OverLimit, QueueDoesNotExist; Storage
}

/// What a move task could not find.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceNotFound {
    /// The source queue (L26a, L26f).
    #[error("The resource that you specified for the SourceArn parameter doesn't exist.")]
    SourceArn,
    /// The destination queue (L26b).
    #[error("The resource that you specified for the DestinationArn parameter doesn't exist.")]
    DestinationArn,
    /// The task, or it is not running (L26g, L26h).
    #[error("Task does not exist.")]
    Task,
}

/// Why a message move task was not started, cancelled or listed.
///
/// Queues are named by ARN, and one that is missing is a resource that is not found (C6).
///
/// # Source
/// [`StartMessageMoveTask`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MoveTaskError {
    /// A queue or task does not exist (L26a, L26b, L26f to L26h).
    #[error(transparent)]
    ResourceNotFound(#[from] ResourceNotFound),
    /// Source, destination, rate or handle is refused (L24, L26 to L26e, L26i).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// As many tasks run as allowed (L33).
    #[error("{limit} message move tasks are running, which is the most allowed")]
    OverLimit {
        /// How many may run at once.
        limit: usize,
    },
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::{Service, StartMessageMoveTask};
    /// let request = StartMessageMoveTask::new("arn:aws:sqs:us-east-1:000000000000:nobody");
    /// assert_eq!(Service::new().start_message_move_task(&request).unwrap_err().code(), "ResourceNotFoundException");
    MoveTaskError: ResourceNotFound = ResourceNotFoundException, InvalidParameterValue, OverLimit; Storage
}

/// Widens [`AttributeError`] into the error of one operation.
macro_rules! from_attribute_error {
    ($($error:ident),+) => {$(
        impl From<AttributeError> for $error {
            fn from(error: AttributeError) -> Self {
                match error {
                    AttributeError::Name(error) => Self::InvalidAttributeName(error),
                    AttributeError::Value(error) => Self::InvalidAttributeValue(error),
                    AttributeError::Parameter(error) => Self::InvalidParameterValue(error),
                }
            }
        }
    )+};
}
from_attribute_error!(CreateQueueError, SetQueueAttributesError);
