//! The embedded queue as a [`MessageQueue`].

use {
    super::{
        error::{EntryFailure, MessageQueueError},
        limits::QueueLimits,
        message_queue::{MessageCounts, MessageQueue, ReceiveRequest},
        received::ReceivedMessage,
    },
    crate::{
        clock::Clock,
        error::{
            ChangeVisibilityError, DeadLetterError, DeleteError, ErrorCode, ErrorKind, InvalidParameterValue,
            InvalidReason, ReceiveError, SendBatchError, SendError, StorageError,
        },
        message::SendMessage,
        queue::{Message, Queue, Receive},
    },
    futures_util::future::join_all,
    std::{future::Future, sync::Arc, time::Duration},
};

impl MessageQueue for Queue {
    fn url(&self) -> &str {
        self.url()
    }

    fn is_fifo(&self) -> bool {
        self.is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        self.settings().visibility_timeout
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock()
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn limits(&self) -> QueueLimits {
        let limits = self.limits();
        QueueLimits {
            max_messages: limits.receive_messages,
            max_wait_time: limits.receive_wait_time,
            max_visibility_timeout: limits.visibility_timeout,
        }
    }

    fn restores_receive_count(&self) -> bool {
        true
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        self.send_async(message).await.map(drop).map_err(Into::into)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let messages = receive_from(self, &request).await?;
        Ok(messages.into_iter().map(ReceivedMessage::from).collect())
    }

    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        if !self.is_recorded() {
            receive_from(self, request).at_once(messages);
        }
    }

    fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
        let message = message.embedded().filter(|message| !message.is_recorded());
        message.is_some_and(|message| message.delete().is_ok())
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if self.is_recorded() {
            return each_recorded(messages, Message::delete_async).await;
        }
        each(messages, |_, message| message.delete().map_err(Into::into))
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if self.is_recorded() {
            return each_recorded(messages, |message| message.change_visibility_async(timeout)).await;
        }
        each(messages, |_, message| {
            message.change_visibility(timeout).map_err(Into::into)
        })
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::postpone(self, messages, Duration::ZERO).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if self.is_recorded() {
            return each_recorded(messages, |message| message.postpone_async(delay)).await;
        }
        each(messages, |_, message| message.postpone(delay).map_err(Into::into))
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        if self.is_gone() {
            return Err(ReceiveError::QueueDoesNotExist.into());
        }
        let counts = self.counts();
        Ok(MessageCounts {
            visible: counts.visible as u64,
            in_flight: counts.in_flight as u64,
            delayed: counts.delayed as u64,
            approximate: false,
        })
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        own(message)?.dead_letter_async(reason).await.map_err(Into::into)
    }

    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        if let Some(message) = message.embedded() {
            message.report_failure(reason);
        }
    }
}

/// The receive that a request asks for.
#[inline]
pub(crate) fn receive_from<'queue>(queue: &'queue Queue, request: &ReceiveRequest) -> Receive<'queue> {
    let mut receive = queue
        .receive()
        .max_messages(request.max_messages)
        .wait_time(request.wait_time);
    if let Some(timeout) = request.visibility_timeout {
        receive = receive.visibility_timeout(timeout);
    }
    if let Some(max) = request.max_messages_per_group {
        receive = receive.max_messages_per_group(max);
    }
    receive
}

/// Makes a call for each message of a queue with a journal, all at once: they wait for the same write.
async fn each_recorded<'m, F, E>(
    messages: &'m [ReceivedMessage],
    call: impl Fn(&'m Message) -> F,
) -> Result<Vec<EntryFailure>, MessageQueueError>
where
    F: Future<Output = Result<(), E>>,
    MessageQueueError: From<E>,
{
    let calls = messages.iter().map(|message| {
        let called = own(message).map(&call);
        async { called?.await.map_err(MessageQueueError::from) }
    });
    failures(join_all(calls).await)
}

/// Makes a call for each message and its index; a queue that is gone ends it.
pub(crate) fn each(
    messages: &[ReceivedMessage],
    call: impl Fn(usize, &Message) -> Result<(), MessageQueueError>,
) -> Result<Vec<EntryFailure>, MessageQueueError> {
    let calls = messages.iter().enumerate();
    failures(calls.map(|(index, message)| own(message).and_then(|message| call(index, message))))
}

/// The failures among the results for each message, in order. A queue that is gone ends the call.
fn failures(
    results: impl IntoIterator<Item = Result<(), MessageQueueError>>,
) -> Result<Vec<EntryFailure>, MessageQueueError> {
    let mut failed = Vec::new();
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::QueueDoesNotExist => return Err(error),
            Err(error) => failed.push(EntryFailure { index, error }),
        }
    }
    Ok(failed)
}

/// A message of an embedded queue goes by its own queue, whichever handle is asked.
fn own(message: &ReceivedMessage) -> Result<&Message, MessageQueueError> {
    message.embedded().ok_or_else(|| {
        let text = format!(
            "message {} was not received from an embedded queue",
            message.message_id()
        );
        MessageQueueError::new(ErrorKind::Refused, ErrorCode::ReceiptHandleIsInvalid.name(), text)
    })
}

/// Whether a message is not in flight under its handle (D19), rather than a parameter out of range (D25, D26).
fn is_not_held(error: &InvalidParameterValue) -> bool {
    let InvalidParameterValue::Value { reason, .. } = error else {
        return false;
    };
    use InvalidReason::{NotAvailable, NotInFlight, ReceiptHandleExpired};
    matches!(reason, NotAvailable | NotInFlight | ReceiptHandleExpired)
}

/// A handle that is none of this queue's never was: on Amazon SQS, whose handles are opaque, it may have been.
fn kind_of(code: ErrorCode) -> ErrorKind {
    match code {
        ErrorCode::ReceiptHandleIsInvalid => ErrorKind::Refused,
        code => code.kind().unwrap_or(ErrorKind::Refused),
    }
}

/// Only a full disk has room again. A journal that is closed or has stopped never records anything again.
fn kind_of_storage(error: &StorageError) -> ErrorKind {
    match error {
        StorageError::Full { .. } => ErrorKind::Transient,
        _ => ErrorKind::Refused,
    }
}

/// Widens the error of an operation; what no kind is known for is refused for good.
macro_rules! from_errors {
    ($($error:ident)+) => {$(
        impl From<$error> for MessageQueueError {
            fn from(error: $error) -> Self {
                let kind = match &error {
                    $error::Storage(it) => kind_of_storage(it),
                    $error::InvalidParameterValue(it) if is_not_held(it) => ErrorKind::NotHeld,
                    _ => kind_of(error.error_code()),
                };
                Self::new(kind, error.code(), error.to_string())
            }
        }
    )+};
}
from_errors!(SendError SendBatchError ReceiveError DeleteError ChangeVisibilityError DeadLetterError);

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::{backend::MessageParts, clock::ManualClock, queue::FactChannel},
    };

    #[test]
    fn a_receive_at_once_gets_what_there_is_and_tells_nothing_of_an_empty_queue() {
        let (channel, facts) = FactChannel::bounded(100);
        let jobs = Queue::standard("jobs").listener(channel).build().unwrap();
        let (mut messages, request) = (Vec::new(), ReceiveRequest::new(2));
        jobs.receive_at_once(&request, &mut messages);
        assert!(messages.is_empty() && facts.is_empty());
        let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
        let request = request.visibility_timeout(Duration::from_secs(5));
        jobs.receive_at_once(&request, &mut messages);
        assert!(messages.iter().map(|it| it.body()).eq(["1", "2"]));
        let now = MessageQueue::clock(&jobs).now();
        let until = messages[0].invisible_until().unwrap();
        assert!(until <= now.saturating_add(Duration::from_secs(5)));
        assert!(messages.iter().all(|message| jobs.delete_at_once(message)));
        assert_eq!(jobs.snapshot().messages.len(), 1);
    }

    #[test]
    fn what_is_refused_is_not_done_at_once() {
        let clock = ManualClock::default();
        let jobs = Queue::fifo("jobs.fifo")
            .clock(clock.clone())
            .content_based_deduplication(true);
        let jobs = jobs.build().unwrap();
        jobs.send(SendMessage::new("1").message_group_id("a")).unwrap();
        let mut messages = Vec::new();
        for request in [ReceiveRequest::new(0), ReceiveRequest::new(11)] {
            jobs.receive_at_once(&request, &mut messages);
        }
        let day = Duration::from_secs(86_400);
        jobs.receive_at_once(&ReceiveRequest::new(1).visibility_timeout(day), &mut messages);
        assert!(messages.is_empty());
        jobs.receive_at_once(&ReceiveRequest::new(1), &mut messages);
        clock.advance(Duration::from_secs(30));
        assert!(
            !jobs.delete_at_once(&messages[0]),
            "its visibility timeout is over (D19)"
        );
        assert!(!jobs.delete_at_once(&MessageParts::default().into()));
        assert_eq!(jobs.snapshot().messages.len(), 1);
    }

    #[test]
    fn a_receive_at_once_sends_dead_letters_on() {
        // L9
        let failed = Queue::standard("failed").build().unwrap();
        let jobs = Queue::standard("jobs").dead_letter(&failed, 1).build().unwrap();
        jobs.send("poison").unwrap();
        let message = jobs.receive().blocking().unwrap().remove(0);
        message.change_visibility(Duration::ZERO).unwrap();
        let mut messages = Vec::new();
        jobs.receive_at_once(&ReceiveRequest::new(10), &mut messages);
        assert!(messages.is_empty());
        assert_eq!(
            (jobs.snapshot().messages.len(), failed.snapshot().messages.len()),
            (0, 1)
        );
    }

    #[test]
    fn a_timeout_that_is_too_long_does_not_cost_the_lease() {
        // D25 D26
        let clock = ManualClock::default();
        let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
        jobs.send("resize cat.png").unwrap();
        let message = jobs.receive().blocking().unwrap().remove(0);
        clock.advance(Duration::from_secs(1));
        let kind = |timeout| {
            let error = message.change_visibility(Duration::from_secs(timeout)).unwrap_err();
            MessageQueueError::from(error).kind
        };
        let (day, total) = (kind(86_400), kind(43_200));
        assert_eq!((day, total), (ErrorKind::Refused, ErrorKind::Refused));
        message.delete().unwrap();
        assert_eq!(kind(30), ErrorKind::NotHeld);
    }

    #[test]
    fn a_full_disk_is_transient_and_a_journal_that_has_ended_is_refused() {
        let source = Arc::new(std::io::Error::other("gone"));
        let kind = |error: StorageError| MessageQueueError::from(ReceiveError::Storage(error)).kind;
        assert_eq!(
            kind(StorageError::Full { source: source.clone() }),
            ErrorKind::Transient
        );
        let ended = [
            StorageError::Closed,
            StorageError::Stopped { source: source.clone() },
            StorageError::Unknown { source },
            StorageError::Forked { opened_by: 7 },
        ];
        assert!(ended.map(kind).iter().all(|it| *it == ErrorKind::Refused));
    }
}
