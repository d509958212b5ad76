//! The way between a queue and its users, on which a given fault strikes a given call.

use {
    super::faults::Fault,
    crate::{
        clock::{Clock, ManualClock},
        error::{ChangeVisibilityError, DeleteError, ReceiveError, SendError},
        message::{MessageId, SendMessage},
        queue::{Message, Queue, Sent},
        time::Timestamp,
    },
    std::{
        collections::{BTreeMap, VecDeque},
        fmt,
        time::Duration,
    },
};

/// So many messages are remembered for duplicates.
const REMEMBERED: usize = 16;

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
    /// No answer came: the call was carried out, or will be.
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

/// A call whose effect is on its way.
enum Late {
    Send(SendMessage),
    Delete(Message),
    Visibility(Message, Duration),
}

/// What [`Wire::apply_late`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arrived {
    Send,
    Delete(MessageId),
    Visibility(MessageId),
}

/// A queue, what of it is on its way, and what may be delivered again.
pub(super) struct Wire {
    pub(super) queue: Queue,
    pub(super) clock: ManualClock,
    received: VecDeque<Message>,
    deleted: VecDeque<Message>,
    late: BTreeMap<(Timestamp, u64), Late>,
    calls: u64,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = self.late.len();
        f.debug_struct("Wire").field("late", &late).finish_non_exhaustive()
    }
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

    pub(super) fn new(queue: &Queue, clock: &ManualClock) -> Self {
        Self {
            queue: queue.clone(),
            clock: clock.clone(),
            received: VecDeque::new(),
            deleted: VecDeque::new(),
            late: BTreeMap::new(),
            calls: 0,
        }
    }

    /// When the next late call takes effect.
    pub(super) fn next_late(&self) -> Option<Timestamp> {
        self.late.keys().next().map(|key| key.0)
    }

    /// Carries out the late calls that are due; one that the queue refuses by now is lost.
    pub(super) fn apply_late(&mut self) -> Vec<Arrived> {
        let (now, mut arrived) = (self.clock.now(), Vec::new());
        while self.next_late().is_some_and(|due| due <= now) {
            let Some((_, late)) = self.late.pop_first() else { break };
            match late {
                Late::Send(message) => {
                    if self.queue.send(message).is_ok() {
                        arrived.push(Arrived::Send);
                    }
                }
                Late::Delete(message) => {
                    if message.delete().is_ok() {
                        arrived.push(Arrived::Delete(message.message_id()));
                    }
                }
                Late::Visibility(message, timeout) => {
                    if message.change_visibility(timeout).is_ok() {
                        arrived.push(Arrived::Visibility(message.message_id()));
                    }
                }
            }
        }
        arrived
    }

    fn put_off(&mut self, late: Late) {
        self.calls += 1;
        let due = self.clock.now().saturating_add(Fault::LATE);
        self.late.insert((due, self.calls), late);
    }

    pub(super) fn send(&mut self, message: SendMessage, fault: Option<Fault>) -> Result<Sent, CallError<SendError>> {
        self.apply_late();
        match fault {
            Some(Fault::SendThrottled) => return Err(CallError::RequestThrottled),
            Some(Fault::SendLate) => {
                self.put_off(Late::Send(message));
                return Err(CallError::ResponseLost);
            }
            _ => {}
        }
        let sent = self.queue.send(message).map_err(CallError::Refused)?;
        match fault {
            Some(Fault::SendResponseLost) => Err(CallError::ResponseLost),
            _ => Ok(sent),
        }
    }

    /// Receives, and tells the fault that really struck: there may be nothing to reorder, to lose or to repeat.
    pub(super) fn receive(
        &mut self,
        max_messages: usize,
        visibility_timeout: Option<Duration>,
        fault: Option<Fault>,
    ) -> (Result<Vec<Message>, CallError<ReceiveError>>, Option<Fault>) {
        self.apply_late();
        match fault {
            Some(Fault::ReceiveThrottled) => return (Err(CallError::RequestThrottled), fault),
            Some(Fault::OverLimit) => return (Err(CallError::Refused(ReceiveError::OverLimit)), fault),
            Some(Fault::SampledPoll) if self.queue.counts().approximate_number_of_messages > 0 => {
                return (Ok(Vec::new()), fault);
            }
            Some(Fault::DuplicateInFlight) => {
                if let Some(copy) = self.copy_of_one_in_flight() {
                    return (Ok(vec![copy]), fault);
                }
            }
            Some(Fault::DuplicateAfterDelete) => {
                if let Some(copy) = self.deleted.pop_back() {
                    return (Ok(vec![copy]), fault);
                }
            }
            _ => {}
        }
        let mut poll = self
            .queue
            .receive()
            .max_messages(max_messages)
            .wait_time(Duration::ZERO);
        if let Some(timeout) = visibility_timeout {
            poll = poll.visibility_timeout(timeout);
        }
        let mut messages = match poll.blocking() {
            Ok(messages) => messages,
            Err(error) => return (Err(CallError::Refused(error)), None),
        };
        match fault {
            Some(Fault::ReceiveResponseLost) if !messages.is_empty() => (Err(CallError::ResponseLost), fault),
            Some(Fault::Reordered) if messages.len() > 1 => {
                self.remember(&messages);
                messages.reverse();
                (Ok(messages), fault)
            }
            _ => {
                self.remember(&messages);
                (Ok(messages), None)
            }
        }
    }

    fn remember(&mut self, messages: &[Message]) {
        self.received.extend(messages.iter().cloned());
        let excess = self.received.len().saturating_sub(REMEMBERED);
        self.received.drain(..excess);
    }

    fn copy_of_one_in_flight(&self) -> Option<Message> {
        if self.received.is_empty() {
            return None;
        }
        let snapshot = self.queue.snapshot();
        let in_flight = |message: &&Message| {
            let held = snapshot
                .messages
                .iter()
                .find(|it| it.message_id == message.message_id());
            held.is_some_and(|it| matches!(it.phase, crate::state::MessagePhase::InFlight { .. }))
        };
        self.received.iter().rev().find(in_flight).cloned()
    }

    pub(super) fn delete(&mut self, message: &Message, fault: Option<Fault>) -> Result<(), CallError<DeleteError>> {
        self.apply_late();
        match fault {
            Some(Fault::DeleteFails | Fault::BatchEntryFails) => return Err(CallError::ServiceUnavailable),
            Some(Fault::DeleteLate) => {
                self.put_off(Late::Delete(message.clone()));
                return Err(CallError::ResponseLost);
            }
            _ => {}
        }
        message.delete().map_err(CallError::Refused)?;
        if fault == Some(Fault::DeleteResponseLost) {
            return Err(CallError::ResponseLost);
        }
        self.deleted.push_back(message.clone());
        let excess = self.deleted.len().saturating_sub(REMEMBERED);
        self.deleted.drain(..excess);
        Ok(())
    }

    pub(super) fn change_visibility(
        &mut self,
        message: &Message,
        timeout: Duration,
        fault: Option<Fault>,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        self.apply_late();
        match fault {
            Some(Fault::VisibilityFails) => return Err(CallError::ServiceUnavailable),
            Some(Fault::VisibilityLate) => {
                self.put_off(Late::Visibility(message.clone(), timeout));
                return Err(CallError::ResponseLost);
            }
            _ => {}
        }
        message.change_visibility(timeout).map_err(CallError::Refused)?;
        match fault {
            Some(Fault::VisibilityResponseLost) => Err(CallError::ResponseLost),
            _ => Ok(()),
        }
    }
}
