//! An implementation that breaks one requirement at a time, each of which the conformance check has to notice.

use {
    crate::common::forward::forward,
    requeue::{
        Alarm, Clock, Queue, ReceiptHandle, SendMessage, Service, Timestamp,
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageParts, MessageQueue, MessageQueueError, ReceiveRequest,
            ReceivedMessage,
        },
        testing::conformance::{Created, Fixture, InProcess, Wanted, check, requirements},
    },
    std::{
        collections::BTreeSet,
        future::poll_fn,
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicUsize, Ordering},
        task,
        time::Duration,
    },
};

/// What is wrong with a queue, and which requirement says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    None,
    /// As a server does: a receive that was dropped takes a message later all the same, which comes again.
    NoneAnswersAfterDrop,
    /// As a server does: a receive that is dropped has taken the messages, which come again.
    NoneAnswersOnDrop,
    Body,
    Attributes,
    TraceHeader,
    StandardGroup,
    SentTimestamp,
    Group,
    DeduplicationId,
    SequenceNumber,
    ReceiveCount,
    FirstReceive,
    Delay,
    DelayInWholeSeconds,
    DeleteHides,
    DeleteOfOneAlone,
    SecondDelete,
    MaximumAtOnce,
    AtOnceLooksOnly,
    VisibilityAtOnce,
    DeletesNothingAtOnce,
    Maximum,
    NoWait,
    WaitInWholeSeconds,
    EndlessWait,
    DeafWait,
    ReceiveDeletes,
    DroppedReceiveHides,
    DroppedReceiveLoses,
    Visibility,
    VisibilityInWholeSeconds,
    GiveBackIgnored,
    GiveBackLate,
    ExtensionIgnored,
    ExtensionInWholeSeconds,
    IndexZero,
    GoneIsDone,
    GoneFailsAll,
    ReleaseCounts,
    PostponeIgnored,
    CountsLackDelayed,
    LatestFirst,
    GiveBackLateInGroups,
    OverIsDone,
    OverIsTransient,
    DeadLetterIgnored,
    DeadLetterCopied,
    DeadLetterStripped,
    PickyReason,
    DeadLetterLosesGroup,
    DeadLetterNowhere,
    NoDeadLetterQueueDiscards,
    ParametersClamped,
    TooLongIsNotHeld,
    DeletedIsTransient,
    DeletedIsEmpty,
}

const NOTICED: &[(Flaw, &str)] = &[
    (Flaw::Body, "messages_arrive_as_sent"),
    (Flaw::Attributes, "messages_arrive_as_sent"),
    (Flaw::TraceHeader, "messages_arrive_as_sent"),
    (Flaw::StandardGroup, "messages_arrive_as_sent"),
    (Flaw::SentTimestamp, "messages_arrive_as_sent"),
    (Flaw::Group, "fifo_messages_arrive_as_sent"),
    (Flaw::DeduplicationId, "fifo_messages_arrive_as_sent"),
    (Flaw::SequenceNumber, "fifo_messages_arrive_as_sent"),
    (Flaw::ReceiveCount, "messages_are_received_again"),
    (Flaw::FirstReceive, "messages_are_received_again"),
    (Flaw::Delay, "delays_are_kept"),
    (Flaw::DelayInWholeSeconds, "delays_are_kept"),
    (Flaw::DeleteHides, "a_delete_is_final"),
    (Flaw::DeleteOfOneAlone, "a_delete_is_final"),
    (Flaw::SecondDelete, "a_delete_is_final"),
    (Flaw::MaximumAtOnce, "what_is_done_at_once_is_done"),
    (Flaw::AtOnceLooksOnly, "what_is_done_at_once_is_done"),
    (Flaw::VisibilityAtOnce, "what_is_done_at_once_is_done"),
    (Flaw::DeletesNothingAtOnce, "what_is_done_at_once_is_done"),
    (Flaw::Maximum, "a_receive_keeps_its_maximum"),
    (Flaw::NoWait, "a_long_poll_waits_to_its_end"),
    (Flaw::WaitInWholeSeconds, "a_long_poll_waits_to_its_end"),
    (Flaw::EndlessWait, "a_long_poll_waits_to_its_end"),
    (Flaw::DeafWait, "a_long_poll_ends_with_a_message"),
    (Flaw::ReceiveDeletes, "a_dropped_receive_loses_nothing"),
    (Flaw::DroppedReceiveHides, "a_dropped_receive_loses_nothing"),
    (Flaw::DroppedReceiveLoses, "a_dropped_receive_loses_nothing"),
    (Flaw::Visibility, "a_received_message_is_hidden"),
    (Flaw::VisibilityInWholeSeconds, "a_received_message_is_hidden"),
    (Flaw::GiveBackIgnored, "a_message_can_be_given_back"),
    (Flaw::GiveBackLate, "a_message_can_be_given_back"),
    (Flaw::ExtensionIgnored, "a_lease_can_be_extended"),
    (Flaw::ExtensionInWholeSeconds, "a_lease_can_be_extended"),
    (Flaw::IndexZero, "failures_are_reported_by_index"),
    (Flaw::GoneIsDone, "failures_are_reported_by_index"),
    (Flaw::GoneFailsAll, "failures_are_reported_by_index"),
    (Flaw::ReleaseCounts, "what_is_released_or_postponed_comes_back"),
    (Flaw::PostponeIgnored, "what_is_released_or_postponed_comes_back"),
    (Flaw::CountsLackDelayed, "counts_tell_what_is_left"),
    (Flaw::LatestFirst, "groups_keep_their_order"),
    (Flaw::GiveBackLateInGroups, "given_back_in_order"),
    (Flaw::OverIsDone, "an_expired_lease_is_reported"),
    (Flaw::OverIsTransient, "an_expired_lease_is_reported"),
    (Flaw::DeadLetterIgnored, "a_dead_letter_moves_at_once"),
    (Flaw::DeadLetterCopied, "a_dead_letter_moves_at_once"),
    (Flaw::DeadLetterStripped, "a_dead_letter_moves_at_once"),
    (Flaw::PickyReason, "a_dead_letter_moves_at_once"),
    (Flaw::DeadLetterLosesGroup, "a_dead_letter_frees_its_group"),
    (Flaw::DeadLetterNowhere, "a_dead_letter_is_never_nowhere"),
    (
        Flaw::NoDeadLetterQueueDiscards,
        "a_missing_dead_letter_queue_is_reported",
    ),
    (Flaw::ParametersClamped, "bad_parameters_are_refused"),
    (Flaw::TooLongIsNotHeld, "bad_parameters_are_refused"),
    (Flaw::DeletedIsTransient, "a_deleted_queue_is_reported"),
    (Flaw::DeletedIsEmpty, "a_deleted_queue_is_reported"),
];

/// An embedded queue as if it were elsewhere: its messages come in parts and go by their handles.
struct Broken {
    queue: Queue,
    service: Service,
    flaw: Flaw,
    /// Receives that were dropped, and that the server has still to answer.
    dropped: AtomicUsize,
}

fn fixture(flaw: Flaw) -> InProcess<Broken> {
    InProcess::new(move |service, _, queue| Broken {
        queue: queue.clone(),
        service: service.clone(),
        flaw,
        dropped: AtomicUsize::new(0),
    })
}

impl Broken {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn parts(&self, message: &ReceivedMessage) -> MessageParts {
        let mut parts = MessageParts {
            queue_url: message.queue_url().into(),
            message_id: message.message_id().into_owned(),
            receipt_handle: message.receipt_handle().into_owned(),
            body: message.body().to_owned(),
            attributes: message.attributes().clone(),
            sent_timestamp: message.sent_timestamp(),
            approximate_receive_count: message.approximate_receive_count(),
            approximate_first_receive_timestamp: message.approximate_first_receive_timestamp(),
            message_group_id: message.message_group_id().map(str::to_owned),
            message_deduplication_id: message.message_deduplication_id().map(str::to_owned),
            sequence_number: message.sequence_number().map(Into::into),
            aws_trace_header: message.aws_trace_header().map(str::to_owned),
            dead_letter_queue_source_arn: message.dead_letter_queue_source_arn().map(str::to_owned),
            dead_letter_reason: message.dead_letter_reason().map(str::to_owned),
            invisible_until: message.invisible_until(),
        };
        match self.flaw {
            Flaw::Body => parts.body = parts.body.trim().replace('\t', " "),
            Flaw::Attributes => parts.attributes = parts.attributes.matching(["text"]),
            Flaw::TraceHeader => parts.aws_trace_header = None,
            Flaw::StandardGroup if !self.queue.is_fifo() => parts.message_group_id = None,
            Flaw::SentTimestamp => parts.sent_timestamp = Timestamp::ZERO,
            Flaw::Group => parts.message_group_id = None,
            Flaw::DeduplicationId => parts.message_deduplication_id = None,
            Flaw::SequenceNumber => parts.sequence_number = Some("1".to_owned()),
            Flaw::ReceiveCount => parts.approximate_receive_count = 1,
            Flaw::FirstReceive => parts.approximate_first_receive_timestamp = self.queue.clock().now(),
            _ => {}
        }
        parts
    }

    /// Waits in the queue's time, for good if there is no instant to wait for.
    async fn wait(&self, span: Option<Duration>) {
        let clock = self.queue.clock();
        let deadline = span.map(|span| clock.now().saturating_add(span));
        let mut alarm = Alarm::default();
        poll_fn(|context| {
            if deadline.is_some_and(|deadline| clock.now() >= deadline) {
                return task::Poll::Ready(());
            }
            if let Some(deadline) = deadline {
                alarm = clock.wake_at(deadline, context.waker().clone());
            }
            task::Poll::Pending
        })
        .await;
    }

    fn each(
        &self,
        messages: &[ReceivedMessage],
        call: impl Fn(&ReceiptHandle) -> Result<(), MessageQueueError>,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let mut failures = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let handle = message.receipt_handle().parse().expect("a handle of this queue");
            let index = if self.has(Flaw::IndexZero) { 0 } else { index };
            match call(&handle) {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::QueueDoesNotExist => return Err(self.gone(error)),
                Err(error) => failures.push(EntryFailure::new(index, self.spoilt(error))),
            }
        }
        match failures.first() {
            Some(first) if self.has(Flaw::GoneFailsAll) => Err(first.error.clone()),
            Some(_) if self.has(Flaw::GoneIsDone) => Ok(Vec::new()),
            Some(_) if self.has(Flaw::OverIsDone) && self.queue.is_fifo() => Ok(Vec::new()),
            _ => Ok(failures),
        }
    }

    fn spoilt(&self, mut error: MessageQueueError) -> MessageQueueError {
        match (self.flaw, error.kind) {
            (Flaw::TooLongIsNotHeld, ErrorKind::Refused) => error.kind = ErrorKind::NotHeld,
            (Flaw::OverIsTransient, ErrorKind::NotHeld) => error.kind = ErrorKind::Transient,
            _ => {}
        }
        error
    }

    fn gone(&self, mut error: MessageQueueError) -> MessageQueueError {
        if self.has(Flaw::DeletedIsTransient) && error.kind == ErrorKind::QueueDoesNotExist {
            error.kind = ErrorKind::Transient;
        }
        error
    }

    fn dead_letter_queue(&self) -> Option<Queue> {
        let policy = self.queue.settings().redrive_policy?;
        self.service.queue(policy.dead_letter_target_arn()).ok()
    }

    /// Moves a message in two steps, as must be done where there is no action for it.
    async fn move_by_hand(&self, message: &ReceivedMessage) -> Result<(), MessageQueueError> {
        let handle = message.receipt_handle().parse().expect("a handle of this queue");
        let Some(target) = self.dead_letter_queue() else {
            let refused = MessageQueueError::new(ErrorKind::Refused, "UnsupportedOperation", "no dead-letter queue");
            return match self.flaw {
                Flaw::NoDeadLetterQueueDiscards => Ok(self.queue.delete(&handle)?),
                _ => Err(refused),
            };
        };
        let mut copy = SendMessage::new(message.body());
        if !self.has(Flaw::DeadLetterStripped) {
            copy = copy.attributes(message.attributes().clone());
        }
        if let Some(group) = message.message_group_id() {
            let group = if self.has(Flaw::DeadLetterLosesGroup) {
                "other"
            } else {
                group
            };
            copy = copy
                .message_group_id(group)
                .message_deduplication_id(&*message.message_id());
        }
        if self.has(Flaw::DeadLetterNowhere) {
            self.queue.delete(&handle)?;
            self.wait(Some(Duration::from_millis(1))).await;
            target.send(copy)?;
            return Ok(());
        }
        target.send(copy)?;
        self.wait(Some(Duration::from_millis(1))).await;
        if !self.has(Flaw::DeadLetterCopied) {
            self.queue.delete(&handle)?;
        }
        Ok(())
    }
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

/// A receive that is dropped before it has answered, and with which the server goes on.
struct Dropped<'b>(&'b Broken);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        let Broken {
            queue, flaw, dropped, ..
        } = self.0;
        if *flaw == Flaw::NoneAnswersAfterDrop {
            dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        for message in queue.receive().max_messages(10).blocking().unwrap() {
            if *flaw == Flaw::DroppedReceiveLoses {
                message.delete().unwrap();
            }
        }
    }
}

impl Broken {
    async fn answer(&self, mut request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let wait = request.wait_time;
        match self.flaw {
            Flaw::Maximum => request.max_messages = 10,
            Flaw::ParametersClamped => request.max_messages = request.max_messages.clamp(1, 10),
            Flaw::NoWait | Flaw::DeafWait | Flaw::EndlessWait => request.wait_time = Duration::ZERO,
            Flaw::WaitInWholeSeconds => request.wait_time = whole_seconds(wait),
            Flaw::Visibility => request.visibility_timeout = None,
            Flaw::VisibilityInWholeSeconds => {
                request.visibility_timeout = request.visibility_timeout.map(whole_seconds);
            }
            _ => {}
        }
        let receive = || async {
            match MessageQueue::receive(&self.queue, request).await {
                Err(error) if self.has(Flaw::DeletedIsEmpty) && error.kind == ErrorKind::QueueDoesNotExist => {
                    Ok(vec![])
                }
                received => received.map_err(|error| self.gone(error)),
            }
        };
        let mut messages = receive().await?;
        if messages.is_empty() && !wait.is_zero() {
            match self.flaw {
                Flaw::DeafWait => self.wait(Some(wait)).await,
                // Such as never ends in the time that a check has for it.
                Flaw::EndlessWait => self.wait(Some(wait * 100)).await,
                _ => return Ok(messages),
            }
            messages = receive().await?;
        }
        if self.has(Flaw::DroppedReceiveHides) {
            self.wait(Some(Duration::from_millis(1))).await;
        }
        if self.has(Flaw::ReceiveDeletes) {
            for message in &messages {
                self.queue
                    .delete(&message.receipt_handle().parse().expect("a handle of this queue"))?;
            }
            self.wait(Some(Duration::from_millis(1))).await;
        }
        if self.has(Flaw::LatestFirst) {
            messages.reverse();
        }
        Ok(messages.iter().map(|message| self.parts(message).into()).collect())
    }
}

impl MessageQueue for Broken {
    forward!(self.queue: url is_fifo visibility_timeout clock);

    fn is_in_process(&self) -> bool {
        self.has(Flaw::DroppedReceiveHides)
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        let message = match (self.flaw, message.get_delay()) {
            (Flaw::Delay, Some(_)) => message.delay(Duration::ZERO),
            (Flaw::DelayInWholeSeconds, Some(delay)) => message.delay(whole_seconds(delay)),
            _ => message,
        };
        self.queue
            .send(message)
            .map(drop)
            .map_err(|error| self.gone(error.into()))
    }

    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        let mut request = *request;
        match self.flaw {
            Flaw::MaximumAtOnce => request.max_messages = 10,
            Flaw::AtOnceLooksOnly => request.visibility_timeout = Some(Duration::ZERO),
            Flaw::VisibilityAtOnce => request.visibility_timeout = None,
            _ => return,
        }
        self.queue.receive_at_once(&request, messages);
    }

    fn delete_at_once(&self, _: &ReceivedMessage) -> bool {
        self.has(Flaw::DeletesNothingAtOnce)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        if !matches!(
            self.flaw,
            Flaw::NoneAnswersAfterDrop | Flaw::NoneAnswersOnDrop | Flaw::DroppedReceiveLoses
        ) {
            return self.answer(request).await;
        }
        for _ in 0..self.dropped.swap(0, Ordering::Relaxed) {
            drop(self.queue.receive().max_messages(1).await);
        }
        let dropped = Dropped(self);
        let answer = self.answer(request).await;
        std::mem::forget(dropped);
        answer
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let messages = match self.flaw {
            Flaw::DeleteOfOneAlone => &messages[..messages.len().min(1)],
            _ => messages,
        };
        self.each(messages, |handle| match self.flaw {
            Flaw::DeleteHides => Ok(self.queue.change_visibility(handle, self.visibility_timeout())?),
            Flaw::SecondDelete if self.queue.snapshot().messages.is_empty() => Err(MessageQueueError::new(
                ErrorKind::Refused,
                "InvalidParameterValue",
                "it is gone",
            )),
            _ => Ok(self.queue.delete(handle)?),
        })
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let timeout = match self.flaw {
            Flaw::GiveBackIgnored if timeout.is_zero() => return Ok(Vec::new()),
            Flaw::ExtensionIgnored if !timeout.is_zero() => return Ok(Vec::new()),
            Flaw::GiveBackLate if timeout.is_zero() => Duration::from_secs(5),
            Flaw::GiveBackLateInGroups if timeout.is_zero() && self.queue.is_fifo() => Duration::from_secs(5),
            Flaw::ExtensionInWholeSeconds => whole_seconds(timeout),
            _ => timeout,
        };
        self.each(messages, |handle| Ok(self.queue.change_visibility(handle, timeout)?))
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        let mut counts = MessageQueue::counts(&self.queue).await?;
        if self.has(Flaw::CountsLackDelayed) {
            counts.delayed = 0;
        }
        Ok(counts)
    }

    fn restores_receive_count(&self) -> bool {
        self.has(Flaw::ReleaseCounts)
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if self.has(Flaw::PostponeIgnored) {
            return Ok(Vec::new());
        }
        self.change_visibility(messages, delay).await
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        use Flaw::{
            DeadLetterCopied, DeadLetterIgnored, DeadLetterLosesGroup, DeadLetterNowhere, DeadLetterStripped,
            NoDeadLetterQueueDiscards, PickyReason,
        };
        match self.flaw {
            DeadLetterIgnored => return Ok(()),
            PickyReason if reason.is_empty() => {
                return Err(MessageQueueError::new(
                    ErrorKind::Refused,
                    "MissingParameter",
                    "a reason",
                ));
            }
            DeadLetterCopied
            | DeadLetterLosesGroup
            | DeadLetterNowhere
            | DeadLetterStripped
            | NoDeadLetterQueueDiscards => return self.move_by_hand(message).await,
            _ => {}
        }
        let handle: ReceiptHandle = message.receipt_handle().parse().expect("a handle of this queue");
        let moved = self.queue.dead_letter(&handle, reason).map_err(MessageQueueError::from);
        moved.map_err(|error| self.gone(error))
    }
}

/// A fixture that cannot count the messages of a queue.
struct Blind(InProcess<Broken>);

impl Fixture for Blind {
    type Queue = Broken;

    async fn create(&self, wanted: Wanted) -> Created<Broken> {
        self.0.create(wanted).await
    }

    async fn delete_queue(&self, queue: &Broken) {
        self.0.delete_queue(queue).await;
    }

    async fn pass(&self, span: Duration) {
        self.0.pass(span).await;
    }

    fn run<T>(&self, check: impl Future<Output = T>) -> T {
        self.0.run(check)
    }
}

/// The sentence with which a requirement fails, if it does.
fn sentence<F: Fixture>(fixture: &F, requirement: &str) -> Option<String> {
    let all = requirements();
    let requirement = all.iter().find(|it| it.name() == requirement).expect("a requirement");
    let panic = catch_unwind(AssertUnwindSafe(|| requirement.check(fixture))).err()?;
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

#[test]
fn a_queue_without_a_flaw_conforms() {
    check(&fixture(Flaw::None));
    check(&Blind(fixture(Flaw::None)));
}

#[test]
fn a_server_that_answers_into_a_closed_connection_conforms() {
    for flaw in [Flaw::NoneAnswersAfterDrop, Flaw::NoneAnswersOnDrop] {
        check(&fixture(flaw));
    }
}

#[test]
fn every_flaw_is_noticed_and_told() {
    for (flaw, requirement) in NOTICED {
        for said in [
            sentence(&fixture(*flaw), requirement),
            sentence(&Blind(fixture(*flaw)), requirement),
        ] {
            let said = said.unwrap_or_else(|| panic!("{requirement} does not notice {flaw:?}"));
            println!("{flaw:?}: {said}");
            let named = format!("the requirement {requirement} is broken: ");
            assert!(said.starts_with(&named), "{flaw:?}: {said}");
        }
    }
}

#[test]
fn every_requirement_has_been_seen_to_fail() {
    let all = requirements::<InProcess<Queue>>();
    let all: BTreeSet<&str> = all.iter().map(|requirement| requirement.name()).collect();
    let seen: BTreeSet<&str> = NOTICED.iter().map(|(_, requirement)| *requirement).collect();
    assert_eq!(all, seen);
}
