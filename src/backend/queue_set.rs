//! Several queues received from as one, by priority or by weight.

use {
    super::{
        error::{EntryFailure, MessageQueueError, QueueSetError, SEPARATOR},
        limits::QueueLimits,
        load::load_bodies,
        message_queue::{Loaded, MessageCounts, MessageQueue, ReceiveRequest},
        outage::Outage,
        received::ReceivedMessage,
        shares::Shares,
    },
    crate::{
        clock::Clock,
        error::{ErrorCode, ErrorKind},
        message::SendMessage,
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        fmt,
        future::{Future, poll_fn},
        iter,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Poll,
        time::Duration,
    },
};

/// The name of the queue with this URL; those of a set separated by commas.
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) fn queue_name(url: &str) -> std::borrow::Cow<'_, str> {
    let begin = |url: &str| url.rfind('/').map_or(0, |slash| slash + 1);
    if url.contains(SEPARATOR) {
        let names: Vec<_> = url.split(SEPARATOR).map(|url| &url[begin(url)..]).collect();
        return std::borrow::Cow::Owned(names.join(","));
    }
    std::borrow::Cow::Borrowed(&url[begin(url)..])
}

/// The longest wait on one of several queues behind a network, while the others are not asked.
const WAIT_PER_QUEUE: Duration = Duration::from_secs(1);

/// Several queues that a [`Runner`](crate::worker::Runner) receives from as if they were one.
///
/// By [priority](Self::by_priority) a queue is received from only while those before it have nothing visible. By
/// [weight](Self::by_weight) each queue that has messages gets its share of the receives, so that none starves. Each
/// receive brings messages of one queue; what is done with a message goes to the queue that it came from, and
/// [`queue_url`](ReceivedMessage::queue_url) tells which that is.
///
/// A receive that waits does so on all queues at once, if they live in this process. Of queues behind a network it waits
/// on one for up to 1 s, and on the next one at the next receive, since the answer of a receive that is dropped would be
/// lost until the visibility timeout. As each receive begins with a short poll of every queue, a message is received
/// after about 1 s at the latest; on Amazon SQS, where a short poll asks only some of the servers (D9), it may take more.
///
/// FIFO queues keep their order, and a group id that several of them use is one group to a runner. The visibility
/// timeout is the shortest of the queues' own, unless the runner is given one. The first queue's clock tells the time.
///
/// A queue whose receives fail by an error that [may pass](ErrorKind::may_pass) is left alone for a pause that grows from
/// 1 s to 20 s, and the others are received from meanwhile. Its error, which names it, is told each time: as soon as the
/// others have nothing, otherwise by the next receive. So the
/// [`outage_timeout`](crate::worker::RunnerBuilder::outage_timeout) of a runner counts while no queue answers; if the runner
/// ends once [none is visible](crate::worker::RunnerBuilder::until_none_visible), while one fails and the others have
/// nothing. Any other error of one queue is an error of the set: a runner ends when one of its queues is gone.
///
/// # Examples
/// ```
/// use requeue::{Queue, backend::QueueSet, worker::{Job, Runner}};
///
/// let [urgent, usual] = ["urgent", "usual"].map(|name| Queue::standard(name).build());
/// let (urgent, usual) = (urgent?, usual?);
/// usual.send("resize cat.png")?;
/// urgent.send("resize dog.png")?;
/// let both = QueueSet::by_priority([urgent, usual])?;
/// let order = std::sync::Mutex::new(Vec::new());
/// let runner = Runner::builder(&both).until_none_visible().each(move |job: &Job| {
///     let mut order = order.lock().unwrap();
///     order.push(job.body().to_owned());
///     assert_eq!(order[0], "resize dog.png");
///     Ok::<(), String>(())
/// })?;
/// assert_eq!(runner.blocking()?.succeeded, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct QueueSet<Q> {
    members: Arc<[Member<Q>]>,
    /// `None` for strict priority.
    shares: Option<Arc<Mutex<Shares>>>,
    /// The URLs, separated by spaces.
    url: Arc<str>,
    /// The queue whose turn it is to be waited on, where that is done one after the other.
    turn: Arc<AtomicUsize>,
    /// Receives under way that wait, and ask a queue again when its outage may be over.
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Member<Q> {
    queue: Q,
    url: Arc<str>,
    outage: Outage,
}

/// Counts a receive that waits while it is under way.
struct Waiting<'s>(&'s AtomicUsize);

impl<'s> Waiting<'s> {
    fn begin(count: &'s AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<Q: MessageQueue> QueueSet<Q> {
    /// Queues by strict priority, the most urgent first: one is received from only while those before it have nothing
    /// visible.
    ///
    /// # Errors
    /// [`QueueSetError`]: no queue, one that is there twice, or FIFO queues beside standard ones.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, backend::{QueueSet, QueueSetError}};
    ///
    /// let error = QueueSet::<Queue>::by_priority([]).unwrap_err();
    /// assert_eq!(error, QueueSetError::Empty);
    /// ```
    pub fn by_priority(queues: impl IntoIterator<Item = Q>) -> Result<Self, QueueSetError> {
        Self::new(queues.into_iter().collect(), None)
    }

    /// Queues by weight, at least 1: while all have messages, each gets its part of what is received.
    ///
    /// Shares are counted in messages; where a receive brings several, they are kept to within a receive of each queue.
    ///
    /// # Errors
    /// [`QueueSetError`]: no queue, one that is there twice, a weight of zero, or FIFO queues beside standard ones.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, backend::{MessageQueue, QueueSet, ReceiveRequest}};
    ///
    /// let [large, small] = ["large", "small"].map(|name| Queue::standard(name).build());
    /// let (large, small) = (large?, small?);
    /// for _ in 0..8 {
    ///     large.send("large")?;
    ///     small.send("small")?;
    /// }
    /// let both = QueueSet::by_weight([(large, 3), (small, 1)])?;
    /// let mut received = Vec::new();
    /// for _ in 0..8 {
    ///     received.extend(pollster::block_on(both.receive(ReceiveRequest::new(1)))?);
    /// }
    /// assert_eq!(received.iter().filter(|message| message.body() == "large").count(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_weight(queues: impl IntoIterator<Item = (Q, u32)>) -> Result<Self, QueueSetError> {
        let (queues, weights): (Vec<Q>, Vec<u32>) = queues.into_iter().unzip();
        if let Some(at) = weights.iter().position(|weight| *weight == 0) {
            let url = queues[at].url().to_owned();
            return Err(QueueSetError::ZeroWeight { url });
        }
        Self::new(queues, Some(weights))
    }

    fn new(queues: Vec<Q>, weights: Option<Vec<u32>>) -> Result<Self, QueueSetError> {
        let Some(first) = queues.first() else {
            return Err(QueueSetError::Empty);
        };
        let urls: Vec<&str> = queues.iter().map(Q::url).collect();
        if let Some(at) = (1..urls.len()).find(|at| urls[..*at].contains(&urls[*at])) {
            let url = urls[at].to_owned();
            return Err(QueueSetError::Repeated { url });
        }
        if let Some(other) = queues.iter().find(|it| it.is_fifo() != first.is_fifo()) {
            let (fifo, standard) = if first.is_fifo() {
                (first, other)
            } else {
                (other, first)
            };
            return Err(QueueSetError::MixedTypes {
                fifo: fifo.url().to_owned(),
                standard: standard.url().to_owned(),
            });
        }
        let url = urls.join(&SEPARATOR.to_string()).into();
        let member = |queue: Q| Member {
            url: queue.url().into(),
            queue,
            outage: Outage::new(),
        };
        Ok(Self {
            shares: weights.map(|weights| Arc::new(Mutex::new(Shares::new(weights)))),
            members: queues.into_iter().map(member).collect(),
            url,
            turn: Arc::default(),
            waiting: Arc::default(),
        })
    }

    /// The queues in the order in which this receive is to ask them.
    fn order(&self) -> Vec<usize> {
        match &self.shares {
            None => (0..self.members.len()).collect(),
            Some(shares) => shares.lock().order(),
        }
    }

    /// The queues to be asked first, in their order, those to be left alone, and when the first of these may be asked again.
    ///
    /// Invariant: there is one to be asked.
    fn by_outage(&self) -> (Vec<usize>, Vec<usize>, Option<Timestamp>) {
        let (now, mut first) = (self.clock().now(), None);
        let (failing, ready): (Vec<_>, Vec<_>) = self.order().into_iter().partition(|at| {
            let ends = self.members[*at].outage.ends_after(now);
            first = first.into_iter().chain(ends).min();
            ends.is_some()
        });
        if ready.is_empty() {
            // Whoever receives goes by the pauses of its own.
            return (failing, ready, None);
        }
        (ready, failing, first)
    }

    /// Asks one queue after the other, without waiting, for messages of the first that has any.
    async fn ask_each(&self, order: &[usize], request: ReceiveRequest) -> Answer {
        let request = request.wait_time(Duration::ZERO);
        for at in order {
            let answer = self.members[*at].queue.receive(request).await;
            let messages = self.answered(*at, answer)?;
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
        Ok(Vec::new())
    }

    /// Waits on all queues at once; what is dropped once one has messages loses none, as the queues are in process.
    async fn wait_on_all(&self, order: &[usize], request: ReceiveRequest) -> Answer {
        let receive = |at: &usize| Some((*at, Box::pin(self.members[*at].queue.receive(request))));
        let mut receives: Vec<_> = order.iter().map(receive).collect();
        poll_fn(|context| {
            for slot in &mut receives {
                let Some((at, receive)) = slot else { continue };
                let Poll::Ready(answer) = Pin::new(receive).poll(context) else {
                    continue;
                };
                let failed = answer.is_err();
                let answer = self.answered(*at, answer);
                if failed || !answer.as_ref().is_ok_and(Vec::is_empty) {
                    return Poll::Ready(answer);
                }
                *slot = None;
            }
            if receives.iter().any(Option::is_some) {
                Poll::Pending
            } else {
                Poll::Ready(Ok(Vec::new()))
            }
        })
        .await
    }

    /// Waits on the queue whose turn it is.
    async fn wait_on_next(&self, order: &[usize], request: ReceiveRequest) -> Answer {
        let at = order[self.turn.fetch_add(1, Ordering::Relaxed) % order.len()];
        let wait_time = request.wait_time.min(WAIT_PER_QUEUE);
        let answer = self.members[at].queue.receive(request.wait_time(wait_time)).await;
        self.answered(at, answer)
    }

    /// The messages that a queue gave; none if its error may pass, which is told later.
    fn answered(&self, at: usize, answer: Answer) -> Answer {
        let member = &self.members[at];
        match answer {
            Ok(messages) => {
                member.outage.succeeded();
                Ok(if messages.is_empty() {
                    messages
                } else {
                    self.served(at, messages)
                })
            }
            Err(error) => {
                let error = error.of_queue(&member.url);
                member.outage.failed(error, self.clock().now()).map(|()| Vec::new())
            }
        }
    }

    /// Messages of any of the queues.
    async fn receive_any(&self, mut request: ReceiveRequest) -> Answer {
        // The receive that met this error had messages of another queue.
        self.tell()?;
        let waits = !request.wait_time.is_zero();
        let _waiting = waits.then(|| Waiting::begin(&self.waiting));
        let (order, failing, again_at) = self.by_outage();
        let mut messages = self.ask_each(&order, request).await?;
        // Without one that waits for it, nobody but this receive could tell that a failing queue is not an empty one.
        if messages.is_empty() && self.waiting.load(Ordering::Relaxed) == 0 {
            messages = self.ask_each(&failing, request).await?;
        }
        if !messages.is_empty() {
            return Ok(messages);
        }
        self.tell()?;
        if !waits {
            return Ok(messages);
        }
        if let Some(again_at) = again_at {
            let left = again_at.saturating_duration_since(self.clock().now());
            request.wait_time = request.wait_time.min(left);
        }
        let messages = if self.is_in_process() {
            self.wait_on_all(&order, request).await?
        } else {
            self.wait_on_next(&order, request).await?
        };
        if messages.is_empty() {
            self.tell()?;
        }
        Ok(messages)
    }

    /// An error that has not been told, as the answer of a receive.
    fn tell(&self) -> Result<(), MessageQueueError> {
        let mut errors = self.members.iter().filter_map(|it| it.outage.take_untold());
        errors.next().map_or(Ok(()), Err)
    }

    /// Counts what a queue gave, and names it in messages whose implementation does not.
    fn served(&self, at: usize, mut messages: Vec<ReceivedMessage>) -> Vec<ReceivedMessage> {
        if let Some(shares) = &self.shares {
            shares.lock().served(at, messages.len());
        }
        for message in &mut messages {
            if self.member_of(message).is_none() {
                message.set_queue_url(&self.members[at].url);
            }
        }
        messages
    }

    /// The queue that a message came from.
    fn member_of(&self, message: &ReceivedMessage) -> Option<usize> {
        let url = message.queue_url();
        // A member may be a set itself.
        let is_its = |member: &Member<Q>| member.url.split(SEPARATOR).any(|its| its == url);
        self.members.iter().position(is_its)
    }

    /// Makes a call for the messages of each queue, in the order given; answers by their places among all.
    async fn for_each_queue<C>(
        &self,
        messages: &[ReceivedMessage],
        call: impl Fn(usize, Vec<ReceivedMessage>) -> C,
    ) -> Result<Vec<EntryFailure>, MessageQueueError>
    where
        C: Future<Output = Result<Vec<EntryFailure>, MessageQueueError>>,
    {
        let mut by_queue: Vec<(Vec<usize>, Vec<ReceivedMessage>)> =
            iter::repeat_with(Default::default).take(self.members.len()).collect();
        let mut failed = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            match self.member_of(message) {
                Some(at) => {
                    by_queue[at].0.push(index);
                    by_queue[at].1.push(message.clone());
                }
                None => failed.push(EntryFailure::new(index, foreign(message))),
            }
        }
        for (at, (indexes, messages)) in by_queue.into_iter().enumerate() {
            if messages.is_empty() {
                continue;
            }
            match call(at, messages).await {
                Ok(failures) => failed.extend(failures.into_iter().filter_map(|failure| {
                    let index = *indexes.get(failure.index)?;
                    Some(EntryFailure { index, ..failure })
                })),
                // The calls to the other queues have taken effect, or will.
                Err(error) => {
                    failed.extend(indexes.into_iter().map(|index| EntryFailure::new(index, error.clone())));
                }
            }
        }
        failed.sort_by_key(|failure| failure.index);
        Ok(failed)
    }
}

type Answer = Result<Vec<ReceivedMessage>, MessageQueueError>;

impl<Q: MessageQueue> MessageQueue for QueueSet<Q> {
    /// The URLs of its queues, separated by spaces.
    fn url(&self) -> &str {
        &self.url
    }

    fn is_fifo(&self) -> bool {
        self.members[0].queue.is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        let timeouts = self.members.iter().map(|it| it.queue.visibility_timeout());
        timeouts.min().unwrap_or_default()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.members[0].queue.clock()
    }

    fn is_in_process(&self) -> bool {
        self.members.iter().all(|it| it.queue.is_in_process())
    }

    fn limits(&self) -> QueueLimits {
        let limits = self.members.iter().map(|it| it.queue.limits());
        let lowest = limits.reduce(|one, other| QueueLimits {
            max_messages: one.max_messages.min(other.max_messages),
            max_wait_time: one.max_wait_time.min(other.max_wait_time),
            max_visibility_timeout: one.max_visibility_timeout.min(other.max_visibility_timeout),
        });
        lowest.unwrap_or_default()
    }

    fn restores_receive_count(&self) -> bool {
        self.members.iter().all(|it| it.queue.restores_receive_count())
    }

    /// Refused: it is open which queue is meant.
    async fn send(&self, _: SendMessage) -> Result<(), MessageQueueError> {
        let text = format!(
            "a set of queues takes no messages, send to one of its queues: {}",
            self.url
        );
        Err(MessageQueueError::new(
            ErrorKind::Refused,
            "AWS.SimpleQueueService.UnsupportedOperation",
            text,
        ))
    }

    async fn receive(&self, request: ReceiveRequest) -> Answer {
        // Afterwards: a body that cannot be loaded is no outage of its queue.
        let messages = self.receive_any(request.load_bodies(false)).await?;
        if request.load_bodies {
            return load_bodies(self, &request, messages).await;
        }
        Ok(messages)
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let delete = |at: usize, its: Vec<ReceivedMessage>| async move { self.members[at].queue.delete(&its).await };
        self.for_each_queue(messages, delete).await
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let change = |at: usize, its: Vec<ReceivedMessage>| async move {
            self.members[at].queue.change_visibility(&its, timeout).await
        };
        self.for_each_queue(messages, change).await
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let release = |at: usize, its: Vec<ReceivedMessage>| async move { self.members[at].queue.release(&its).await };
        self.for_each_queue(messages, release).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let postpone =
            |at: usize, its: Vec<ReceivedMessage>| async move { self.members[at].queue.postpone(&its, delay).await };
        self.for_each_queue(messages, postpone).await
    }

    async fn load(&self, message: &ReceivedMessage) -> Result<Loaded, MessageQueueError> {
        let at = self.member_of(message).ok_or_else(|| foreign(message))?;
        self.members[at].queue.load(message).await
    }

    /// The sums of its queues' counts. A queue that cannot be asked now, while others can, counts as one message in flight,
    /// as it may hold some; the next receive tells its error.
    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        let (mut sum, mut unknown) = (MessageCounts::default(), Vec::new());
        for member in self.members.iter() {
            let counts = match member.queue.counts().await {
                Ok(counts) => counts,
                Err(error) => {
                    let error = error.of_queue(&member.url);
                    if !error.kind.may_pass() {
                        return Err(error);
                    }
                    unknown.push((member, error));
                    continue;
                }
            };
            sum.visible = sum.visible.saturating_add(counts.visible);
            sum.in_flight = sum.in_flight.saturating_add(counts.in_flight);
            sum.delayed = sum.delayed.saturating_add(counts.delayed);
            sum.approximate |= counts.approximate;
        }
        if unknown.len() == self.members.len() {
            if let Some((_, error)) = unknown.pop() {
                return Err(error);
            }
        }
        for (member, error) in unknown {
            sum.in_flight = sum.in_flight.saturating_add(1);
            sum.approximate = true;
            member.outage.tell(error);
        }
        Ok(sum)
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        let at = self.member_of(message).ok_or_else(|| foreign(message))?;
        self.members[at].queue.dead_letter(message, reason).await
    }

    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        if let Some(at) = self.member_of(message) {
            self.members[at].queue.report_failure(message, reason);
        }
    }
}

/// The error for a message of no queue of the set.
fn foreign(message: &ReceivedMessage) -> MessageQueueError {
    let text = format!(
        "message {} was received from {:?}, which is not in the set",
        message.message_id(),
        message.queue_url()
    );
    MessageQueueError::new(ErrorKind::Refused, ErrorCode::ReceiptHandleIsInvalid.name(), text)
}

impl<Q> Clone for QueueSet<Q> {
    fn clone(&self) -> Self {
        Self {
            members: Arc::clone(&self.members),
            shares: self.shares.clone(),
            url: Arc::clone(&self.url),
            turn: Arc::clone(&self.turn),
            waiting: Arc::clone(&self.waiting),
        }
    }
}

impl<Q> fmt::Debug for QueueSet<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.shares.as_deref().map(|it| it.lock().weights().to_vec());
        f.debug_struct("QueueSet")
            .field("queues", &self.url)
            .field("weights", &shares)
            .finish()
    }
}
