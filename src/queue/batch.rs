//! Batches: up to ten entries in one call, each with a result of its own (M31-M43).

use {
    super::Message,
    crate::{
        error::{BatchError, ChangeVisibilityError, DeleteError, SendError, check},
        limits::Limits,
        message::{ReceiptHandle, SealKey, SendMessage},
        state::{Receipt, Sent},
    },
    std::{borrow::Cow, collections::HashSet, iter, sync::Arc, time::Duration},
};

/// The caller's id of an entry, or none if its place serves as one.
pub(super) type EntryId = Option<Cow<'static, str>>;

/// What an entry is about: the reception of this handle, or that of a message, whose handle nobody has to seal and
/// verify; or it failed before it came here.
#[derive(Clone, Debug)]
pub(super) enum Target<E> {
    Handle(ReceiptHandle),
    Received(Received),
    #[cfg_attr(not(any(feature = "aws-protocol", feature = "testing")), expect(dead_code))]
    Failed(Box<E>),
}

impl<E> Target<E> {
    fn handle(&self) -> Option<ReceiptHandle> {
        match self {
            Self::Handle(handle) => Some(*handle),
            Self::Received(received) => Some(received.handle()),
            Self::Failed(_) => None,
        }
    }
}

/// A message is the same as its handle.
impl<E: PartialEq> PartialEq for Target<E> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Failed(error), Self::Failed(other)) => error == other,
            _ => self.handle() == other.handle(),
        }
    }
}

impl<E: Eq> Eq for Target<E> {}

/// A reception of one queue, as its handle would tell it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Received {
    pub(super) queue: u64,
    pub(super) receipt: Receipt,
    pub(super) seal_key: SealKey,
}

impl Received {
    pub(super) fn handle(&self) -> ReceiptHandle {
        let Receipt {
            slot,
            sequence,
            reception,
        } = self.receipt;
        ReceiptHandle::sign(&self.seal_key, self.queue, slot, reception, sequence)
    }
}

/// An entry of [`Queue::send_batch`](crate::Queue::send_batch): a message, and an id that is unique in the batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SendBatchEntry {
    pub(super) id: EntryId,
    /// Boxed, an error and what there is of the message leave the entry the size it has.
    pub(super) message: SendMessage,
    pub(super) refused: Option<Box<SendError>>,
}

impl SendBatchEntry {
    /// An entry whose id is 1 to 80 letters, digits, `-` or `_` (M32).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendBatchEntry};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let result = jobs.send_batch([SendBatchEntry::new("cat", "resize cat.png")])?;
    /// assert_eq!(result.successful[0].id, "cat");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(id: impl Into<Cow<'static, str>>, message: impl Into<SendMessage>) -> Self {
        Self {
            id: Some(id.into()),
            message: message.into(),
            refused: None,
        }
    }

    /// An entry that failed before it came here, and takes part in the checks of the batch with what there is of it.
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn failed(id: String, (message, error): (SendMessage, SendError)) -> Self {
        Self {
            id: Some(id.into()),
            message,
            refused: Some(Box::new(error)),
        }
    }
}

impl From<SendMessage> for SendBatchEntry {
    fn from(message: SendMessage) -> Self {
        Self {
            id: None,
            message,
            refused: None,
        }
    }
}

impl From<&str> for SendBatchEntry {
    fn from(body: &str) -> Self {
        SendMessage::from(body).into()
    }
}

impl From<String> for SendBatchEntry {
    fn from(body: String) -> Self {
        SendMessage::from(body).into()
    }
}

impl From<Arc<str>> for SendBatchEntry {
    fn from(body: Arc<str>) -> Self {
        SendMessage::from(body).into()
    }
}

impl<M: Into<SendMessage>> From<(&'static str, M)> for SendBatchEntry {
    fn from((id, message): (&'static str, M)) -> Self {
        Self::new(id, message)
    }
}

impl<M: Into<SendMessage>> From<(String, M)> for SendBatchEntry {
    fn from((id, message): (String, M)) -> Self {
        Self::new(id, message)
    }
}

/// An entry of [`Queue::delete_batch`](crate::Queue::delete_batch).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeleteBatchEntry {
    pub(super) id: EntryId,
    pub(super) target: Target<DeleteError>,
}

impl DeleteBatchEntry {
    /// An entry whose id is 1 to 80 letters, digits, `-` or `_` (M32).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeleteBatchEntry, Queue};
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// let result = jobs.delete_batch([DeleteBatchEntry::new("cat", handle)])?;
    /// assert_eq!(result.successful[0].id, "cat");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(id: impl Into<Cow<'static, str>>, receipt_handle: ReceiptHandle) -> Self {
        Self {
            id: Some(id.into()),
            target: Target::Handle(receipt_handle),
        }
    }

    /// An entry that failed before it came here, and only takes part in the checks of the batch.
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn failed(id: String, error: DeleteError) -> Self {
        Self {
            id: Some(id.into()),
            target: Target::Failed(Box::new(error)),
        }
    }
}

impl From<ReceiptHandle> for DeleteBatchEntry {
    fn from(receipt_handle: ReceiptHandle) -> Self {
        Self {
            id: None,
            target: Target::Handle(receipt_handle),
        }
    }
}

impl From<&Message> for DeleteBatchEntry {
    fn from(message: &Message) -> Self {
        Self {
            id: None,
            target: Target::Received(message.received()),
        }
    }
}

impl From<(&'static str, &Message)> for DeleteBatchEntry {
    fn from((id, message): (&'static str, &Message)) -> Self {
        Self {
            id: Some(id.into()),
            ..message.into()
        }
    }
}

impl From<(&'static str, ReceiptHandle)> for DeleteBatchEntry {
    fn from((id, receipt_handle): (&'static str, ReceiptHandle)) -> Self {
        Self::new(id, receipt_handle)
    }
}

/// An entry of [`Queue::change_visibility_batch`](crate::Queue::change_visibility_batch).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeVisibilityBatchEntry {
    pub(super) id: EntryId,
    pub(super) target: Target<ChangeVisibilityError>,
    pub(super) visibility_timeout: Duration,
}

impl ChangeVisibilityBatchEntry {
    /// An entry whose id is 1 to 80 letters, digits, `-` or `_` (M32); the timeout is 0 s to 12 h.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ChangeVisibilityBatchEntry, Queue};
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// let back = ChangeVisibilityBatchEntry::new("cat", handle, Duration::ZERO);
    /// assert_eq!(jobs.change_visibility_batch([back])?.successful[0].id, "cat");
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(id: impl Into<Cow<'static, str>>, receipt_handle: ReceiptHandle, visibility_timeout: Duration) -> Self {
        Self {
            id: Some(id.into()),
            target: Target::Handle(receipt_handle),
            visibility_timeout,
        }
    }

    /// An entry that failed before it came here, and only takes part in the checks of the batch.
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn failed(id: String, error: ChangeVisibilityError) -> Self {
        Self {
            id: Some(id.into()),
            target: Target::Failed(Box::new(error)),
            visibility_timeout: Duration::ZERO,
        }
    }
}

impl From<(&Message, Duration)> for ChangeVisibilityBatchEntry {
    fn from((message, visibility_timeout): (&Message, Duration)) -> Self {
        Self {
            id: None,
            target: Target::Received(message.received()),
            visibility_timeout,
        }
    }
}

impl From<(ReceiptHandle, Duration)> for ChangeVisibilityBatchEntry {
    fn from((receipt_handle, visibility_timeout): (ReceiptHandle, Duration)) -> Self {
        Self {
            id: None,
            target: Target::Handle(receipt_handle),
            visibility_timeout,
        }
    }
}

impl From<(&'static str, &Message, Duration)> for ChangeVisibilityBatchEntry {
    fn from((id, message, visibility_timeout): (&'static str, &Message, Duration)) -> Self {
        Self {
            id: Some(id.into()),
            ..(message, visibility_timeout).into()
        }
    }
}

impl From<(&'static str, ReceiptHandle, Duration)> for ChangeVisibilityBatchEntry {
    fn from((id, receipt_handle, visibility_timeout): (&'static str, ReceiptHandle, Duration)) -> Self {
        Self::new(id, receipt_handle, visibility_timeout)
    }
}

/// An entry that somebody between the caller and the queue makes fail.
#[cfg(feature = "testing")]
pub(crate) trait BatchEntry {
    /// The id, or that of its place.
    fn name(&self, place: usize) -> Cow<'static, str>;

    /// Makes the entry fail, with whatever error; it takes part in the checks of its batch all the same.
    fn spoil(&mut self);
}

#[cfg(feature = "testing")]
impl BatchEntry for SendBatchEntry {
    fn name(&self, place: usize) -> Cow<'static, str> {
        name(self.id.clone(), place)
    }

    fn spoil(&mut self) {
        self.refused = Some(Box::new(SendError::QueueDoesNotExist));
    }
}

#[cfg(feature = "testing")]
impl BatchEntry for DeleteBatchEntry {
    fn name(&self, place: usize) -> Cow<'static, str> {
        name(self.id.clone(), place)
    }

    fn spoil(&mut self) {
        self.target = Target::Failed(Box::new(DeleteError::QueueDoesNotExist));
    }
}

#[cfg(feature = "testing")]
impl BatchEntry for ChangeVisibilityBatchEntry {
    fn name(&self, place: usize) -> Cow<'static, str> {
        name(self.id.clone(), place)
    }

    fn spoil(&mut self) {
        self.target = Target::Failed(Box::new(ChangeVisibilityError::QueueDoesNotExist));
    }
}

#[cfg(feature = "testing")]
impl SendBatchEntry {
    pub(crate) fn body(&self) -> &str {
        self.message.body()
    }
}

#[cfg(feature = "testing")]
impl DeleteBatchEntry {
    pub(crate) fn handle(&self) -> Option<ReceiptHandle> {
        self.target.handle()
    }
}

#[cfg(feature = "testing")]
impl ChangeVisibilityBatchEntry {
    pub(crate) fn handle(&self) -> Option<ReceiptHandle> {
        self.target.handle()
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.visibility_timeout
    }
}

/// What became of the entries of a batch: each is in one of the lists, which keep the order of the request (M38).
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "entries of a batch fail one by one"]
#[non_exhaustive]
pub struct BatchResult<T> {
    /// The entries that succeeded.
    pub successful: Vec<BatchSuccess<T>>,
    /// The entries that failed; the others are not affected.
    pub failed: Vec<BatchFailure>,
}

/// An entry that succeeded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BatchSuccess<T> {
    /// The entry's id, or its place, counted from 0, if it had none.
    pub id: Cow<'static, str>,
    /// What the single call would have answered.
    pub output: T,
}

/// An entry that failed (M39).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BatchFailure {
    /// The entry's id, or its place, counted from 0, if it had none.
    pub id: Cow<'static, str>,
    /// Whether the caller is at fault.
    pub sender_fault: bool,
    /// SQS's code of the error.
    pub code: &'static str,
    /// The text of the error.
    pub message: String,
}

impl BatchResult<Sent> {
    /// The answers of the successful entries.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Message, Queue};
    /// let jobs = Queue::standard("jobs").build()?;
    /// let result = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let messages = jobs.receive().max_messages(10).blocking()?;
    /// assert!(result.sent().map(|sent| sent.message_id).eq(messages.iter().map(Message::message_id)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.successful.iter().map(|success| &success.output)
    }
}

/// The entries of a request, of which there must be at least one (M31).
pub(super) fn collect<T>(entries: impl IntoIterator<Item: Into<T>>, entry: &'static str) -> Result<Vec<T>, BatchError> {
    let entries: Vec<T> = entries.into_iter().map(Into::into).collect();
    if entries.is_empty() {
        return Err(BatchError::EmptyBatchRequest { entry });
    }
    Ok(entries)
}

/// Every id given must be well formed (M32).
pub(super) fn check_ids<'entries>(
    ids: impl Iterator<Item = &'entries EntryId>,
    limits: &Limits,
) -> Result<(), BatchError> {
    let limit = limits.batch_entry_id_length;
    for id in ids.flatten() {
        if !check::is_name(id, limit) {
            let id = id.clone().into_owned();
            return Err(BatchError::InvalidBatchEntryId { id, limit });
        }
    }
    Ok(())
}

/// No two entries may share an id (M34), and there may not be too many (M35).
pub(super) fn check_distinct<'entries>(
    ids: impl ExactSizeIterator<Item = &'entries EntryId> + Clone,
    limits: &Limits,
) -> Result<(), BatchError> {
    let count = ids.len();
    if ids.clone().any(Option::is_some) {
        let mut seen = HashSet::with_capacity(count);
        for (place, id) in ids.enumerate() {
            let id = name(id.clone(), place);
            if !seen.insert(id.clone()) {
                return Err(BatchError::BatchEntryIdsNotDistinct { id: id.into_owned() });
            }
        }
    }
    let limit = limits.batch_entries;
    if count > limit {
        return Err(BatchError::TooManyEntriesInBatchRequest { count, limit });
    }
    Ok(())
}

/// Applies the entries in order (M40) and sorts the results.
#[inline]
pub(super) fn run<E, T>(
    entries: impl ExactSizeIterator<Item = (EntryId, E)>,
    mut apply: impl FnMut(E) -> Result<T, Box<(&'static str, String)>>,
) -> BatchResult<T> {
    let mut result = BatchResult {
        successful: Vec::with_capacity(entries.len()),
        failed: Vec::new(),
    };
    for (place, (id, entry)) in entries.enumerate() {
        match apply(entry) {
            // Built in its place, as in a receive.
            Ok(output) => result.successful.extend(iter::once_with(|| BatchSuccess {
                id: name(id, place),
                output,
            })),
            Err(failure) => {
                let (code, message) = *failure;
                result.failed.push(BatchFailure {
                    id: name(id, place),
                    sender_fault: true,
                    code,
                    message,
                });
            }
        }
    }
    result
}

#[inline]
fn name(id: EntryId, place: usize) -> Cow<'static, str> {
    const PLACES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    id.unwrap_or_else(|| {
        PLACES
            .get(place)
            .map_or_else(|| place.to_string().into(), |place| (*place).into())
    })
}
