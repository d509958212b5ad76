//! Amazon SQS as a [`MessageQueue`], through the user's own client.

mod batch;
mod convert;
mod dead_letter;
mod error;

use {
    self::{
        batch::failures,
        convert::{count, received, seconds, system_attributes, user_attributes},
        dead_letter::DeadLetters,
        error::{concerns_the_message, from_sdk, refused},
    },
    super::{
        error::{EntryFailure, MessageQueueError},
        message_queue::{MessageCounts, MessageQueue, ReceiveRequest},
        received::ReceivedMessage,
    },
    crate::{
        clock::{Clock, SystemClock},
        message::SendMessage,
    },
    aws_sdk_sqs::{
        Client,
        types::{
            ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
            QueueAttributeName,
        },
    },
    std::{fmt, sync::Arc, time::Duration},
};

/// A queue of Amazon SQS, or of anything that an `aws_sdk_sqs::Client` speaks to, for a [`Runner`](crate::worker::Runner).
/// Feature `worker-sqs`.
///
/// Region, endpoint, credentials, retries and timeouts are the client's. A `read_timeout` or `operation_timeout` has to
/// be longer than the runner's wait time, 20 s unless set otherwise, or it ends every long poll.
///
/// SQS counts in whole seconds: visibility timeouts, waits and delays are rounded up, so that no message comes back
/// sooner than asked and no wait becomes a short poll. Beyond SQS's limits they are refused, as an embedded queue
/// refuses them.
///
/// # Dead letters
/// SQS has no action that moves one message. [`dead_letter`](MessageQueue::dead_letter) sends a copy to the dead-letter
/// queue and then deletes the original: body, user attributes, trace header and group are kept, and the reason is added
/// as the attribute [`REASON`](Self::REASON) unless the message has ten attributes. It is a message of its own: its id
/// and its timestamps are new. On a FIFO queue its deduplication id is the id of the original, so that a move which was
/// cut short and is made again within five minutes leaves one copy.
///
/// # Examples
/// An unmodified client on a service in process, in place of Amazon's:
#[cfg_attr(feature = "aws-sdk", doc = "```")]
#[cfg_attr(not(feature = "aws-sdk"), doc = "```text")]
/// use requeue::{QueueAttributes, Service, worker::{Job, Runner}, backend::SqsQueue};
///
/// let service = Service::new();
/// let url = service.create_queue("jobs", QueueAttributes::new())?.url().to_owned();
/// let client = aws_sdk_sqs::Client::new(&service.sdk_config());
///
/// let jobs = pollster::block_on(SqsQueue::connect(client.clone(), url.as_str()))?;
/// pollster::block_on(client.send_message().queue_url(url).message_body("resize cat.png").send())?;
/// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
///     assert_eq!(job.body(), "resize cat.png");
///     Ok::<(), String>(())
/// })?;
/// assert_eq!(runner.blocking()?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqsQueue {
    client: Client,
    url: Arc<str>,
    fifo: bool,
    visibility_timeout: Duration,
    clock: Arc<dyn Clock>,
    dead_letters: Arc<DeadLetters>,
}

impl SqsQueue {
    /// The user attribute in which a dead letter says why it is one.
    ///
    /// It has at most 1,024 characters, and those that SQS does not take are replaced. A message with ten attributes
    /// of its own keeps those.
    pub const REASON: &str = "DeadLetterReason";

    /// The queue at `url`, asked once for what a runner has to know.
    ///
    /// So missing credentials, permissions, network or queue show at once. The call is GetQueueAttributes.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](super::ErrorKind::QueueDoesNotExist); [`Transient`](super::ErrorKind::Transient) if SQS
    /// was not reached or could not answer; [`Denied`](super::ErrorKind::Denied) for want of credentials or permissions;
    /// [`Refused`](super::ErrorKind::Refused) if the client lacks a region.
    ///
    /// # Examples
    #[cfg_attr(feature = "aws-sdk", doc = "```")]
    #[cfg_attr(not(feature = "aws-sdk"), doc = "```text")]
    /// use requeue::{Service, backend::{ErrorKind, SqsQueue}};
    ///
    /// let client = aws_sdk_sqs::Client::new(&Service::new().sdk_config());
    /// let url = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs";
    /// let error = pollster::block_on(SqsQueue::connect(client, url)).unwrap_err();
    /// assert_eq!(error.kind, ErrorKind::QueueDoesNotExist);
    /// assert!(error.message.ends_with("(queue https://sqs.us-east-1.amazonaws.com/000000000000/jobs)"));
    /// ```
    pub async fn connect(client: Client, url: impl Into<Arc<str>>) -> Result<Self, MessageQueueError> {
        let url = url.into();
        let answer = client
            .get_queue_attributes()
            .queue_url(&*url)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .attribute_names(QueueAttributeName::RedrivePolicy)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| from_sdk(error).of_queue(&url))?;
        let attributes = answer.attributes.unwrap_or_default();
        let text = |name| attributes.get(&name).map(String::as_str);
        let timeout = text(QueueAttributeName::VisibilityTimeout).and_then(|text| text.parse().ok());
        let timeout = timeout.ok_or_else(|| {
            let answer = format!("the attributes of queue {url} lack its visibility timeout");
            refused("InvalidAttributeValue", answer)
        })?;
        let mut queue = Self::with_visibility_timeout(client, url, Duration::from_secs(timeout));
        if let Some(arn) = text(QueueAttributeName::QueueArn) {
            queue.fifo = is_fifo(arn);
        }
        queue.dead_letters = Arc::new(DeadLetters::by_policy(text(QueueAttributeName::RedrivePolicy)));
        Ok(queue)
    }

    /// The queue at `url`, of which the visibility timeout is known: no call is made.
    ///
    /// A runner renews its leases by this timeout unless it is given one of its own. Whether it is a FIFO queue is read
    /// off the name.
    ///
    /// # Examples
    #[cfg_attr(feature = "aws-sdk", doc = "```")]
    #[cfg_attr(not(feature = "aws-sdk"), doc = "```text")]
    /// use requeue::{Service, backend::{MessageQueue, SqsQueue}};
    /// use std::time::Duration;
    ///
    /// let client = aws_sdk_sqs::Client::new(&Service::new().sdk_config());
    /// let url = "https://sqs.us-east-1.amazonaws.com/000000000000/orders.fifo";
    /// let orders = SqsQueue::with_visibility_timeout(client, url, Duration::from_secs(60));
    /// assert!(orders.is_fifo());
    /// ```
    #[must_use]
    pub fn with_visibility_timeout(client: Client, url: impl Into<Arc<str>>, timeout: Duration) -> Self {
        let url = url.into();
        Self {
            fifo: is_fifo(&url),
            client,
            url,
            visibility_timeout: timeout,
            clock: Arc::new(SystemClock::new()),
            dead_letters: Arc::default(),
        }
    }

    /// The time by which a runner reckons the leases; the machine's unless this is called, as for a test in virtual time.
    ///
    /// # Examples
    #[cfg_attr(feature = "aws-sdk", doc = "```")]
    #[cfg_attr(not(feature = "aws-sdk"), doc = "```text")]
    /// use requeue::{Clock, ManualClock, Service, backend::{MessageQueue, SqsQueue}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let service = Service::builder().clock(clock.clone()).build();
    /// let client = aws_sdk_sqs::Client::new(&service.sdk_config());
    /// let url = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs";
    /// let jobs = SqsQueue::with_visibility_timeout(client, url, Duration::from_secs(30)).clock(clock.clone());
    /// assert_eq!(MessageQueue::clock(&jobs).now(), clock.now());
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Names the dead-letter queue; otherwise the queue's redrive policy does, and SQS is asked for its URL once.
    ///
    /// # Examples
    #[cfg_attr(feature = "aws-sdk", doc = "```")]
    #[cfg_attr(not(feature = "aws-sdk"), doc = "```text")]
    /// use requeue::{QueueAttributes, Service, backend::{MessageQueue, ReceiveRequest, SqsQueue}};
    ///
    /// let service = Service::new();
    /// let [jobs, failed] = ["jobs", "failed"].map(|name| service.create_queue(name, QueueAttributes::new()).unwrap());
    /// let client = aws_sdk_sqs::Client::new(&service.sdk_config());
    /// let queue = pollster::block_on(SqsQueue::connect(client, jobs.url()))?.dead_letter_queue_url(failed.url());
    ///
    /// jobs.send("resize cat.txt")?;
    /// let message = pollster::block_on(MessageQueue::receive(&queue, ReceiveRequest::new(1)))?.remove(0);
    /// pollster::block_on(queue.dead_letter(&message, "not an image"))?;
    /// let dead_letter = failed.receive().blocking()?.remove(0);
    /// let reason = dead_letter.attributes().get(SqsQueue::REASON).and_then(|reason| reason.string_value());
    /// assert_eq!((dead_letter.body(), reason), ("resize cat.txt", Some("not an image")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter_queue_url(mut self, url: impl Into<String>) -> Self {
        self.dead_letters = Arc::new(DeadLetters::at(url.into()));
        self
    }

    async fn delete_one(&self, message: &ReceivedMessage) -> Result<(), MessageQueueError> {
        let delete = self.client.delete_message().queue_url(&*self.url);
        let deleted = delete.receipt_handle(message.receipt_handle()).send().await;
        deleted.map(drop).map_err(from_sdk)
    }

    async fn delete_batch(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let mut batch = self.client.delete_message_batch().queue_url(&*self.url);
        for (index, message) in messages.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.receipt_handle(message.receipt_handle()).build();
            batch = batch.entries(entry.map_err(error::not_built)?);
        }
        let answer = batch.send().await.map_err(from_sdk)?;
        let successful = answer.successful().iter().map(|entry| entry.id());
        Ok(failures(messages.len(), successful, answer.failed()))
    }

    async fn hide_one(&self, message: &ReceivedMessage, seconds: i32) -> Result<(), MessageQueueError> {
        let change = self.client.change_message_visibility().queue_url(&*self.url);
        let change = change
            .receipt_handle(message.receipt_handle())
            .visibility_timeout(seconds);
        change.send().await.map(drop).map_err(from_sdk)
    }

    async fn hide_batch(
        &self,
        messages: &[ReceivedMessage],
        seconds: i32,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let mut batch = self.client.change_message_visibility_batch().queue_url(&*self.url);
        for (index, message) in messages.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.receipt_handle(message.receipt_handle());
            let entry = entry.visibility_timeout(seconds).build();
            batch = batch.entries(entry.map_err(error::not_built)?);
        }
        let answer = batch.send().await.map_err(from_sdk)?;
        let successful = answer.successful().iter().map(|entry| entry.id());
        Ok(failures(messages.len(), successful, answer.failed()))
    }

    /// Sends a message to the queue at `url`.
    async fn send_to(&self, url: &str, message: &SendMessage) -> Result<(), MessageQueueError> {
        let send = self.client.send_message().queue_url(url).message_body(message.body());
        let send = send
            .set_delay_seconds(message.get_delay().map(seconds))
            .set_message_attributes(user_attributes(message.get_attributes())?)
            .set_message_system_attributes(system_attributes(message)?)
            .set_message_group_id(message.get_message_group_id().map(str::to_owned))
            .set_message_deduplication_id(message.get_message_deduplication_id().map(str::to_owned));
        send.send().await.map(drop).map_err(from_sdk)
    }
}

impl MessageQueue for SqsQueue {
    fn url(&self) -> &str {
        &self.url
    }

    fn is_fifo(&self) -> bool {
        self.fifo
    }

    fn visibility_timeout(&self) -> Duration {
        self.visibility_timeout
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        self.send_to(&self.url, &message).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let receive = self.client.receive_message().queue_url(&*self.url);
        let receive = receive
            .max_number_of_messages(count(request.max_messages))
            .wait_time_seconds(seconds(request.wait_time))
            .set_visibility_timeout(request.visibility_timeout.map(seconds))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let answer = receive.send().await.map_err(from_sdk)?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(|it| received(it, &self.url))
            .collect())
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        match messages {
            [] => Ok(Vec::new()),
            [message] => alone(self.delete_one(message).await),
            messages => self.delete_batch(messages).await,
        }
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let seconds = seconds(timeout);
        match messages {
            [] => Ok(Vec::new()),
            [message] => alone(self.hide_one(message, seconds).await),
            messages => self.hide_batch(messages, seconds).await,
        }
    }

    /// GetQueueAttributes, whose numbers lag behind by up to a minute.
    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let ask = self.client.get_queue_attributes().queue_url(&*self.url);
        let answer = ask.set_attribute_names(Some(names.to_vec())).send().await;
        let attributes = answer.map_err(from_sdk)?.attributes.unwrap_or_default();
        let number = |name| {
            let text = attributes.get(name).map(String::as_str).unwrap_or_default();
            let lacks = format!("the attributes of queue {} lack {name}: {text:?}", self.url);
            text.parse().map_err(|_| refused("InvalidAttributeValue", lacks))
        };
        let [visible, in_flight, delayed] = names.each_ref().map(number);
        Ok(MessageCounts {
            visible: visible?,
            in_flight: in_flight?,
            delayed: delayed?,
            approximate: true,
        })
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        self.copy_to_dead_letter_queue(message, reason).await?;
        self.delete_one(message).await
    }
}

impl fmt::Debug for SqsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsQueue")
            .field("url", &self.url)
            .field("visibility_timeout", &self.visibility_timeout)
            .finish_non_exhaustive()
    }
}

/// The name of a FIFO queue, and no other, ends so (Q5).
fn is_fifo(url_or_arn: &str) -> bool {
    url_or_arn.ends_with(".fifo")
}

/// What a call for one message says in terms of a call for several: what concerns the message is its failure alone.
fn alone(result: Result<(), MessageQueueError>) -> Result<Vec<EntryFailure>, MessageQueueError> {
    match result {
        Ok(()) => Ok(Vec::new()),
        Err(error) if concerns_the_message(&error) => Ok(vec![EntryFailure::new(0, error)]),
        Err(error) => Err(error),
    }
}
