//! The queue of a conformance check, and the operations that checks use.

use {
    super::fixture::{Fixture, Wanted},
    crate::{
        backend::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        clock::Clock,
        message::SendMessage,
        time::Timestamp,
    },
    std::{
        future::{Future, poll_fn},
        sync::Arc,
        task,
        time::Duration,
    },
};

/// Panics with the sentence of a requirement that is broken.
macro_rules! require {
    ($kept:expr, $($sentence:tt)+) => {
        assert!($kept, $($sentence)+)
    };
}
pub(super) use require;

/// The queue's own timeout where a check names none.
pub(super) const VISIBILITY: Duration = secs(30);

/// The most long polls for an expected message.
const PATIENCE: usize = 5;
const WAIT: Duration = secs(2);

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The future, if it is `Send`, as executors with many threads ask.
const fn sendable<F: Future + Send>(future: F) -> F {
    future
}

pub(super) struct Scene<'f, F: Fixture> {
    fixture: &'f F,
    pub(super) queue: F::Queue,
    pub(super) dead_letter_queue: Option<F::Queue>,
    clock: Arc<dyn Clock>,
}

impl<'f, F: Fixture> Scene<'f, F> {
    pub(super) async fn standard(fixture: &'f F) -> Self {
        Self::of(fixture, false, VISIBILITY, false).await
    }

    pub(super) async fn fifo(fixture: &'f F) -> Self {
        Self::of(fixture, true, VISIBILITY, false).await
    }

    pub(super) async fn with_dead_letter_queue(fixture: &'f F, fifo: bool) -> Self {
        let scene = Self::of(fixture, fifo, VISIBILITY, true).await;
        require!(
            scene.dead_letter_queue.is_some(),
            "the fixture makes a dead-letter queue when asked for one"
        );
        scene
    }

    pub(super) async fn of(fixture: &'f F, fifo: bool, visibility_timeout: Duration, dead_letter_queue: bool) -> Self {
        let wanted = Wanted {
            fifo,
            visibility_timeout,
            dead_letter_queue,
        };
        let created = fixture.create(wanted).await;
        let queue = created.queue;
        require!(
            queue.is_fifo() == fifo,
            "is_fifo reports whether it is a FIFO queue, which it is: {fifo}"
        );
        let reported = queue.visibility_timeout();
        require!(
            reported == visibility_timeout,
            "visibility_timeout reports the queue's own, which is {visibility_timeout:?} and not {reported:?}"
        );
        Self {
            fixture,
            clock: queue.clock(),
            queue,
            dead_letter_queue: created.dead_letter_queue,
        }
    }

    pub(super) fn fixture(&self) -> &'f F {
        self.fixture
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn since(&self, start: Timestamp) -> Duration {
        self.now().saturating_duration_since(start)
    }

    pub(super) async fn pass(&self, span: Duration) {
        self.fixture.pass(span).await;
        settle().await;
    }

    pub(super) async fn send(&self, message: SendMessage) {
        let body = message.body().to_owned();
        let sent = sendable(self.queue.send(message)).await;
        require!(sent.is_ok(), "message {body:?} is sent, which failed: {sent:?}");
    }

    /// Sends messages of these bodies; on a FIFO queue in group `g`.
    pub(super) async fn send_all(&self, bodies: &[&str]) {
        for body in bodies {
            self.send(self.message("g", body)).await;
        }
    }

    /// A message as this type of queue takes it.
    pub(super) fn message(&self, group: &str, body: &str) -> SendMessage {
        let message = SendMessage::new(body);
        if self.queue.is_fifo() {
            message
                .message_group_id(group)
                .message_deduplication_id(format!("{group}-{body}"))
        } else {
            message
        }
    }

    pub(super) async fn receive(&self, request: ReceiveRequest) -> Vec<ReceivedMessage> {
        match sendable(self.queue.receive(request)).await {
            Ok(messages) => messages,
            Err(error) => {
                panic!("a receive of {request:?} is answered, which failed: {error}")
            }
        }
    }

    /// What a short poll brings.
    pub(super) async fn look(&self) -> Vec<ReceivedMessage> {
        self.receive(ReceiveRequest::new(10)).await
    }

    /// Receives as many messages as there have to be.
    pub(super) async fn take(&self, count: usize) -> Vec<ReceivedMessage> {
        self.take_by(&self.queue, ReceiveRequest::new(10), count).await
    }

    pub(super) async fn take_one(&self) -> ReceivedMessage {
        self.take_one_for(VISIBILITY).await
    }

    pub(super) async fn take_one_for(&self, visibility: Duration) -> ReceivedMessage {
        let request = ReceiveRequest::new(1).visibility_timeout(visibility);
        self.take_by(&self.queue, request, 1).await.remove(0)
    }

    pub(super) async fn take_dead_letter(&self) -> ReceivedMessage {
        let dead_letters = self.dead_letter_queue.as_ref().unwrap_or(&self.queue);
        self.take_by(dead_letters, ReceiveRequest::new(1), 1).await.remove(0)
    }

    async fn take_by(&self, queue: &F::Queue, request: ReceiveRequest, count: usize) -> Vec<ReceivedMessage> {
        let mut taken = Vec::new();
        for _ in 0..PATIENCE {
            let request = request.wait_time(WAIT);
            match queue.receive(request).await {
                Ok(messages) => taken.extend(messages),
                Err(error) => {
                    panic!("a receive of {request:?} is answered, which failed: {error}")
                }
            }
            if taken.len() >= count {
                break;
            }
        }
        require!(
            taken.len() == count,
            "what has been sent and is neither hidden nor deleted can be received: {count} messages, and not {:?}",
            bodies(&taken)
        );
        taken
    }

    pub(super) async fn delete(&self, messages: &[ReceivedMessage]) -> Vec<EntryFailure> {
        let deleted = sendable(self.queue.delete(messages)).await;
        answered("delete", messages, deleted)
    }

    pub(super) async fn change_visibility(&self, messages: &[ReceivedMessage], timeout: Duration) -> Vec<EntryFailure> {
        let changed = sendable(self.queue.change_visibility(messages, timeout)).await;
        answered("change of visibility", messages, changed)
    }

    pub(super) async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        sendable(self.queue.dead_letter(message, reason)).await
    }

    /// Asserts that nothing can be received.
    pub(super) async fn require_hidden(&self, why: &str) {
        let bodies = bodies(&self.look().await);
        require!(bodies.is_empty(), "{why}: {bodies:?} came");
    }
}

/// What came of a call for messages; that it fails as a whole is for queues that are gone and errors on the way.
fn answered(
    verb: &str,
    messages: &[ReceivedMessage],
    result: Result<Vec<EntryFailure>, MessageQueueError>,
) -> Vec<EntryFailure> {
    match result {
        Ok(failures) => failures,
        Err(error) => panic!(
            "a {verb} reports by index for which messages it failed, but all of it failed for {} \
             of them: {error}",
            messages.len()
        ),
    }
}

pub(super) fn require_done(failures: &[EntryFailure], what: &str) {
    require!(failures.is_empty(), "{what}, which failed: {failures:?}");
}

pub(super) fn require_kind(result: Result<(), MessageQueueError>, kind: ErrorKind, what: &str) {
    let found = result.as_ref().err().map(|error| error.kind);
    require!(found == Some(kind), "{what} is {kind:?}, not {result:?}");
}

pub(super) fn bodies(messages: &[ReceivedMessage]) -> Vec<String> {
    messages.iter().map(|message| message.body().to_owned()).collect()
}

/// Lets everything else that runs in this task have its turn.
pub(super) async fn settle() {
    const TURNS: usize = 16;
    for _ in 0..TURNS {
        let mut again = true;
        poll_fn(|context| {
            if !std::mem::take(&mut again) {
                return task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            task::Poll::Pending
        })
        .await;
    }
}
