//! The simulated network between a queue and its users, which applies a fault to a call.

pub(super) use super::late::Arrived;

use {
    super::{faults::Fault, late::LateCalls},
    crate::{
        clock::ManualClock,
        error::{BatchError, ChangeVisibilityError, DeleteError, ReceiveError, SendBatchError, SendError},
        message::{MessageId, ReceiptHandle, SendMessage},
        queue::{
            BatchEntry, BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, Message, Queue, Receive,
            SendBatchEntry,
        },
        state::Sent,
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        collections::VecDeque,
        future::{Future, IntoFuture},
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

/// Why a call through a network failed.
///
/// # Examples
/// ```
/// use requeue::{ReceiveError, testing::CallError};
///
/// assert_eq!(CallError::Refused(ReceiveError::OverLimit).to_string(), ReceiveError::OverLimit.to_string());
/// assert_eq!(CallError::<ReceiveError>::ResponseLost.code(), None);
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The queue refused.
    #[error(transparent)]
    Refused(E),
    /// Too many calls; nothing was done.
    #[error("Request is throttled.")]
    RequestThrottled,
    /// The service failed; nothing was done.
    #[error("The service is unavailable.")]
    ServiceUnavailable,
    /// No answer came: the call was carried out, or will be unless the queue refuses it by then.
    #[error("the response was lost")]
    ResponseLost,
}

impl<E> CallError<E> {
    /// SQS's name of an error that a fault caused, if there was an answer that could name one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeleteError, testing::CallError};
    /// assert_eq!(CallError::<DeleteError>::RequestThrottled.code(), Some("RequestThrottled"));
    /// ```
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) | Self::ResponseLost => None,
            Self::RequestThrottled => Some("RequestThrottled"),
            Self::ServiceUnavailable => Some("ServiceUnavailable"),
        }
    }
}

/// What a receive is answered, and the fault that really struck it.
pub(super) type Polled = (Result<Vec<Message>, CallError<ReceiveError>>, Option<Fault>);

/// A queue, what of it is on its way, and what may be delivered again.
///
/// No lock is held while the queue or the clock is called.
#[derive(Debug)]
pub(super) struct Wire {
    queue: Queue,
    clock: ManualClock,
    late: LateCalls,
    received: Memory,
    deleted: Memory,
    /// Something was received or deleted after the last poll had begun.
    is_news: AtomicBool,
}

impl Wire {
    pub(super) const SEND: &[Fault] = &[Fault::SendResponseLost, Fault::SendLate, Fault::SendThrottled];
    pub(super) const RECEIVE: &[Fault] = &[
        Fault::DuplicateInFlight,
        Fault::DuplicateAfterDelete,
        Fault::Reordered,
        Fault::SampledPoll,
        Fault::ReceiveResponseLost,
        Fault::ReceiveThrottled,
        Fault::OverLimit,
    ];
    pub(super) const DELETE: &[Fault] = &[Fault::DeleteResponseLost, Fault::DeleteFails, Fault::DeleteLate];
    pub(super) const VISIBILITY: &[Fault] = &[
        Fault::VisibilityResponseLost,
        Fault::VisibilityFails,
        Fault::VisibilityLate,
    ];

    /// Its late calls take effect when [`apply_late`](Self::apply_late) is called, or the next call is made.
    pub(super) fn new(queue: &Queue, clock: &ManualClock) -> Self {
        Self::waking(queue, clock, None)
    }

    /// Whenever a late call is due, the clock wakes the waker.
    pub(super) fn waking(queue: &Queue, clock: &ManualClock, waker: Option<Waker>) -> Self {
        Self {
            queue: queue.clone(),
            clock: clock.clone(),
            late: LateCalls::new(waker),
            received: Memory::default(),
            deleted: Memory::default(),
            is_news: AtomicBool::new(false),
        }
    }

    pub(super) const fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(super) const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// When the next late call takes effect.
    pub(super) fn next_late(&self) -> Option<Timestamp> {
        self.late.next_due()
    }

    /// Carries out the late calls that are due; one that the queue refuses by now is lost.
    pub(super) fn apply_late(&self) -> Vec<Arrived> {
        self.late.arrive(&self.queue, &self.clock)
    }

    /// A call that changes the queue, and what the fault makes of it.
    pub(super) fn carry<T, E>(
        &self,
        fault: Option<Fault>,
        arrived: Option<Arrived>,
        call: impl FnOnce(&Queue) -> Result<T, E> + Send + 'static,
    ) -> Result<T, CallError<E>> {
        self.apply_late();
        match fault {
            Some(Fault::SendThrottled) => Err(CallError::RequestThrottled),
            Some(Fault::DeleteFails | Fault::VisibilityFails | Fault::Outage) => Err(CallError::ServiceUnavailable),
            Some(Fault::SendLate | Fault::DeleteLate | Fault::VisibilityLate) => {
                let call = Box::new(move |queue: &Queue| call(queue).is_ok());
                self.late.put_off(&self.clock, call, arrived);
                Err(CallError::ResponseLost)
            }
            Some(Fault::SendResponseLost | Fault::DeleteResponseLost | Fault::VisibilityResponseLost) => {
                call(&self.queue).map_err(CallError::Refused)?;
                Err(CallError::ResponseLost)
            }
            _ => call(&self.queue).map_err(CallError::Refused),
        }
    }

    /// `who` is told of if it arrives late.
    pub(super) fn send(
        &self,
        message: SendMessage,
        fault: Option<Fault>,
        who: Arc<str>,
    ) -> Result<Sent, CallError<SendError>> {
        self.carry(fault, Some(Arrived::Send(who)), move |queue| queue.send(message))
    }

    /// Receives without waiting, and tells the fault that really struck: the request may be bad, and there may be nothing
    /// to reorder, to lose or to repeat.
    pub(super) fn poll(&self, mut poll: Receive<'_>, fault: Option<Fault>) -> Polled {
        if let Some(polled) = self.before_the_queue(&mut poll, fault) {
            return polled;
        }
        self.after_the_queue(Self::ask_once(poll), fault)
    }

    /// A receive that is answered at once, whatever it would wait for.
    pub(super) fn ask_once(poll: Receive<'_>) -> Result<Vec<Message>, ReceiveError> {
        match pin!(poll.into_future()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(received) => received,
            Poll::Pending => Ok(Vec::new()),
        }
    }

    /// [`poll`](Self::poll), which waits as long as the request does.
    pub(super) async fn wait(&self, mut poll: Receive<'_>, fault: Option<Fault>) -> Polled {
        match self.before_the_queue(&mut poll, fault) {
            Some(polled) => polled,
            None => self.after_the_queue(poll.await, fault),
        }
    }

    /// The faults that could strike a receive before it reaches the queue, so that a consumer would notice.
    pub(super) fn noticed_before(&self, poll: &Receive<'_>) -> Vec<Fault> {
        let fifo = self.queue.is_fifo();
        let visible = self.queue.counts().visible > 0;
        let short = !poll.is_long_poll();
        let noticed = |fault: &Fault| match fault {
            Fault::ReceiveThrottled => visible,
            Fault::OverLimit | Fault::SampledPoll => visible && short && !fifo,
            Fault::DuplicateInFlight => !fifo && !self.received.is_empty() && self.copy_of_one_in_flight().is_some(),
            Fault::DuplicateAfterDelete => {
                !fifo && !self.deleted.is_empty() && self.deleted.latest(self.may_come_again()).is_some()
            }
            _ => false,
        };
        Self::RECEIVE.iter().copied().filter(noticed).collect()
    }

    /// The faults that could strike the answer of the queue on its way back.
    pub(super) fn noticed_after(&self, messages: &[Message]) -> &'static [Fault] {
        match messages.len() {
            0 => &[],
            1 => &[Fault::ReceiveResponseLost],
            _ if self.queue.is_fifo() => &[Fault::ReceiveResponseLost],
            _ => &[Fault::Reordered, Fault::ReceiveResponseLost],
        }
    }

    /// A receive that never reaches the queue.
    pub(super) fn before_the_queue(&self, poll: &mut Receive<'_>, fault: Option<Fault>) -> Option<Polled> {
        self.apply_late();
        self.is_news.store(false, Ordering::Relaxed);
        if fault == Some(Fault::ReceiveThrottled) {
            return Some((Err(CallError::RequestThrottled), fault));
        }
        if fault == Some(Fault::Outage) {
            return Some((Err(CallError::ServiceUnavailable), fault));
        }
        if let Err(error) = poll.check() {
            return Some((Err(CallError::Refused(error)), None));
        }
        Some((self.answer_of_a_fault(poll, fault)?, fault))
    }

    /// The answer of the queue on its way back.
    pub(super) fn after_the_queue(&self, received: Result<Vec<Message>, ReceiveError>, fault: Option<Fault>) -> Polled {
        let mut messages = match received {
            Ok(messages) => messages,
            Err(error) => return (Err(CallError::Refused(error)), None),
        };
        if fault == Some(Fault::ReceiveResponseLost) && !messages.is_empty() {
            return (Err(CallError::ResponseLost), fault);
        }
        messages.iter().for_each(|message| self.received.push(message));
        self.is_news.fetch_or(!messages.is_empty(), Ordering::Relaxed);
        let reordered = fault.filter(|it| *it == Fault::Reordered && messages.len() > 1);
        if reordered.is_some() {
            messages.reverse();
        }
        (Ok(messages), reordered)
    }

    /// What a receive is answered that never reaches the queue.
    fn answer_of_a_fault(
        &self,
        poll: &Receive<'_>,
        fault: Option<Fault>,
    ) -> Option<Result<Vec<Message>, CallError<ReceiveError>>> {
        // A long poll asks every server (D10), and is not told of the limit (D15).
        let short = || !poll.is_long_poll();
        let visible = || self.queue.counts().visible > 0;
        match fault? {
            Fault::OverLimit if short() => Some(Err(CallError::Refused(ReceiveError::OverLimit))),
            Fault::SampledPoll if short() && visible() => Some(Ok(Vec::new())),
            Fault::DuplicateInFlight => Some(Ok(vec![self.copy_of_one_in_flight()?])),
            Fault::DuplicateAfterDelete => Some(Ok(vec![self.copy_of_one_deleted()?])),
            _ => None,
        }
    }

    fn copy_of_one_in_flight(&self) -> Option<Message> {
        self.received.find_latest(|message| self.queue.is_held(message))
    }

    fn copy_of_one_deleted(&self) -> Option<Message> {
        self.deleted.take_latest(self.may_come_again())
    }

    /// A server that has missed a delete still forgets what its retention or a purge ends (D37, D43).
    fn may_come_again(&self) -> impl Fn(&Message) -> bool + use<> {
        // The clock may have gone back, of which the queue knows nothing.
        let now = self.queue.observed_now().unwrap_or_default();
        let purged = self.queue.purged_at();
        let retention = self.queue.settings().message_retention_period;
        move |message| {
            let sent = message.sent_timestamp();
            purged.is_none_or(|purged| purged < sent) && now < sent.saturating_add(retention)
        }
    }

    /// The messages that these handles were of, as far as they are remembered.
    pub(super) fn messages_of(
        &self,
        handles: impl IntoIterator<Item = Option<ReceiptHandle>>,
    ) -> Vec<Option<MessageId>> {
        let id = |handle: ReceiptHandle| self.message_of(handle).map(|it| it.message_id());
        handles.into_iter().map(|handle| handle.and_then(id)).collect()
    }

    /// The message that a handle is of, unless the queue has forgotten it and it was not received lately.
    pub(super) fn message_of(&self, handle: ReceiptHandle) -> Option<Message> {
        let latest = self.received.latest(|it| it.receipt_handle() == handle);
        latest.or_else(|| self.queue.received_under(&handle))
    }

    pub(super) fn delete(&self, message: &Message, fault: Option<Fault>) -> Result<(), CallError<DeleteError>> {
        // To who deletes one after the other, an entry that fails is a delete that fails.
        let fault = match fault {
            Some(Fault::BatchEntryFails) => Some(Fault::DeleteFails),
            other => other,
        };
        let handle = message.receipt_handle();
        self.carry(fault, Some(Arrived::Delete(message.message_id())), move |queue| {
            queue.delete(&handle)
        })?;
        self.deleted(message);
        Ok(())
    }

    /// A delete was answered with success.
    pub(super) fn deleted(&self, message: &Message) {
        self.deleted.push(message);
        self.is_news.store(true, Ordering::Relaxed);
    }

    /// Whether a poll may be given a copy that no poll before it could have been given.
    pub(super) fn may_deliver_again(&self) -> bool {
        !self.queue.is_fifo() && self.is_news.load(Ordering::Relaxed)
    }

    pub(super) fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
        fault: Option<Fault>,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let handle = message.receipt_handle();
        self.carry(fault, Some(Arrived::Visibility(message.message_id())), move |queue| {
            queue.change_visibility(&handle, timeout)
        })
    }

    /// Without a delay it is a release.
    pub(super) fn postpone(
        &self,
        message: &Message,
        delay: Duration,
        fault: Option<Fault>,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let handle = message.receipt_handle();
        self.forget(message.message_id());
        self.carry(fault, Some(Arrived::Visibility(message.message_id())), move |queue| {
            queue.postpone(&handle, delay)
        })
    }

    /// Nobody is given the message in flight a second time: its receive is being taken back, and the next one has the
    /// same count.
    pub(super) fn forget(&self, message: MessageId) {
        self.received.forget(message);
    }

    pub(super) fn send_batch(
        &self,
        entries: Vec<SendBatchEntry>,
        struck: Struck,
    ) -> Result<BatchResult<Sent>, CallError<SendBatchError>> {
        self.carry_batch(entries, struck, |queue, entries| queue.send_batch(entries))
    }

    pub(super) fn delete_batch(
        &self,
        entries: Vec<DeleteBatchEntry>,
        struck: Struck,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        let message = |entry: &DeleteBatchEntry| entry.handle().and_then(|handle| self.message_of(handle));
        let messages: Vec<_> = entries
            .iter()
            .zip(0..)
            .map(|(entry, at)| (entry.name(at), message(entry)))
            .collect();
        let result = self.carry_batch(entries, struck, |queue, entries| queue.delete_batch(entries))?;
        for success in &result.successful {
            let deleted = messages.iter().find(|it| it.0 == success.id);
            deleted
                .iter()
                .filter_map(|it| it.1.as_ref())
                .for_each(|message| self.deleted(message));
        }
        Ok(result)
    }

    pub(super) fn change_visibility_batch(
        &self,
        entries: Vec<ChangeVisibilityBatchEntry>,
        struck: Struck,
    ) -> Result<BatchResult<()>, CallError<BatchError>> {
        self.carry_batch(entries, struck, |queue, entries| queue.change_visibility_batch(entries))
    }

    /// A whole batch meets what a call meets; or one entry of it fails in the service, and takes part in the checks of
    /// the batch as if it did not (M37).
    fn carry_batch<E: BatchEntry + Send + 'static, T: 'static, X: 'static>(
        &self,
        mut entries: Vec<E>,
        struck: Struck,
        call: fn(&Queue, Vec<E>) -> Result<BatchResult<T>, X>,
    ) -> Result<BatchResult<T>, CallError<X>> {
        let failing = struck.entry.and_then(|at| {
            let entry = entries.get_mut(at)?;
            entry.spoil();
            Some(entry.name(at))
        });
        let mut result = self.carry(struck.fault, None, move |queue| call(queue, entries))?;
        for failure in result.failed.iter_mut().filter(|it| Some(&it.id) == failing.as_ref()) {
            failure.sender_fault = false;
            failure.code = "InternalError";
            failure.message = "a fault of the testing kit".to_owned();
        }
        Ok(result)
    }
}

/// What strikes a batch: a fault, and the place of the entry that fails if it is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck {
    pub(super) fault: Option<Fault>,
    pub(super) entry: Option<usize>,
}

/// The latest messages that something happened to.
#[derive(Debug, Default)]
struct Memory(Mutex<VecDeque<Message>>);

impl Memory {
    /// So many are remembered.
    const MOST: usize = 16;

    fn push(&self, message: &Message) {
        let mut messages = self.0.lock();
        messages.push_back(message.clone());
        if messages.len() > Self::MOST {
            messages.pop_front();
        }
    }

    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    fn forget(&self, message: MessageId) {
        self.0.lock().retain(|it| it.message_id() != message);
    }

    /// As [`latest`](Self::latest), for a question to the queue, which is asked without the lock.
    fn find_latest(&self, is_it: impl Fn(&Message) -> bool) -> Option<Message> {
        let messages = self.0.lock().clone();
        messages.into_iter().rfind(|it| is_it(it))
    }

    fn latest(&self, is_it: impl Fn(&Message) -> bool) -> Option<Message> {
        self.0.lock().iter().rfind(|it| is_it(it)).cloned()
    }

    fn take_latest(&self, is_it: impl Fn(&Message) -> bool) -> Option<Message> {
        let mut messages = self.0.lock();
        let at = messages.iter().rposition(is_it)?;
        messages.remove(at)
    }
}
