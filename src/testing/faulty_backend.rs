//! [`FaultyQueue`] as a [`MessageQueue`](crate::backend::MessageQueue).

use {
    super::{
        faults::Fault,
        faulty::FaultyQueue,
        wire::{CallError, Wire},
    },
    crate::{
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageQueue, MessageQueueError, QueueLimits, ReceiveRequest,
            ReceivedMessage, each, receive_from,
        },
        clock::Clock,
        message::SendMessage,
        queue::Message,
    },
    std::{error::Error, sync::Arc, time::Duration},
};

impl<E: Error + Into<Self>> From<CallError<E>> for MessageQueueError {
    fn from(error: CallError<E>) -> Self {
        let (code, text) = (error.code(), error.to_string());
        match error {
            CallError::Refused(error) => error.into(),
            _ => Self::new(ErrorKind::Transient, code.unwrap_or("RequestTimeout"), text),
        }
    }
}

/// As over a network: answers get lost, calls come late, and a stop waits for the answer to a receive.
///
/// A call for several messages meets one fault, as a batch does. Counting messages and moving one to the dead-letter
/// queue meets none. A receive waits for a message until its wait is over, unless a fault answers before.
///
/// # Examples
/// A runner whose jobs are all done, whatever strikes:
/// ```
/// use requeue::{ManualClock, Queue, testing::{Faults, FaultyQueue}, worker::{Job, Runner}};
///
/// let clock = ManualClock::default();
/// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
/// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
/// let faulty = FaultyQueue::new(&jobs, &clock, Faults::everyday(), 7)?;
/// let runner = Runner::builder(&faulty).until_none_left().each_async(|_: Job| async { Ok::<_, String>(()) })?;
/// let report = pollster::block_on(clock.run_until(runner.run()))?;
/// assert!(report.succeeded >= 2 && jobs.snapshot().messages.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl MessageQueue for FaultyQueue {
    fn url(&self) -> &str {
        self.queue().url()
    }

    fn is_fifo(&self) -> bool {
        self.queue().is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        MessageQueue::visibility_timeout(self.queue())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.queue().clock()
    }

    fn limits(&self) -> QueueLimits {
        MessageQueue::limits(self.queue())
    }

    fn restores_receive_count(&self) -> bool {
        true
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        self.send(message).map(drop).map_err(Into::into)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let fault = self.draw(Wire::RECEIVE);
        let poll = receive_from(self.queue(), &request);
        let (result, struck) = self.wire().wait(poll, fault).await;
        self.note(struck);
        Ok(result?.into_iter().map(ReceivedMessage::from).collect())
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let failures = self.call(Wire::DELETE, messages, |message| Ok(message.delete()?))?;
        let failed = |index| failures.iter().any(|failure| failure.index == index);
        let deleted = messages.iter().enumerate().filter(|it| !failed(it.0));
        for message in deleted.filter_map(|it| it.1.embedded()) {
            self.wire().deleted(message);
        }
        Ok(failures)
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.call(Wire::VISIBILITY, messages, move |message| {
            Ok(message.change_visibility(timeout)?)
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
        let own = messages.iter().filter_map(ReceivedMessage::embedded);
        own.for_each(|message| self.wire().forget(message.message_id()));
        self.call(Wire::VISIBILITY, messages, move |message| Ok(message.postpone(delay)?))
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        MessageQueue::counts(self.queue()).await
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        MessageQueue::dead_letter(self.queue(), message, reason).await
    }

    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        MessageQueue::report_failure(self.queue(), message, reason);
    }
}

impl FaultyQueue {
    /// A call for up to ten messages, which one fault strikes: all of it, or one entry.
    fn call(
        &self,
        candidates: &[Fault],
        messages: &[ReceivedMessage],
        call: impl Fn(&Message) -> Result<(), MessageQueueError> + Send + 'static,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let struck = self.draw_for_batch(candidates, messages.len());
        let messages = messages.to_vec();
        let result = self.wire().carry(struck.fault, None, move |_| {
            each(&messages, |index, message| match struck.entry {
                Some(entry) if entry == index => {
                    let text = "a fault of the testing kit";
                    Err(MessageQueueError::new(ErrorKind::Transient, "InternalError", text))
                }
                _ => call(message),
            })
        });
        Ok(self.note_unless_refused(struck.fault, result)?)
    }
}
