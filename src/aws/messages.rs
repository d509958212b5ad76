//! The actions that send, receive, delete and hide one message.

use {
    super::{
        call::Call,
        digest::{self, BodyDigest},
        fault::Fault,
        model::{
            ChangeMessageVisibilityRequest, DeleteMessageRequest, Message, MessageAttributeValue, Nothing,
            ReceiveMessageRequest, ReceiveMessageResult, SendMessageRequest, SendMessageResult,
        },
        range::{count, seconds, visibility_timeout},
        shape::Blob,
        throttle::Load,
    },
    crate::{
        error::{InvalidMessageAttribute, InvalidParameterValue, InvalidReason, SendError},
        limits::Limits,
        message::{self, AttributeContent, MessageId, ReceiptHandle, SendMessage},
        queue::{self, Queue, Receive},
        state::Sent,
    },
    std::collections::BTreeMap,
};

const TRACE_HEADER: &str = "AWSTraceHeader";

/// What a request says of a message to be sent, alone or in a batch.
pub(super) struct Outgoing {
    pub(super) body: String,
    pub(super) delay_seconds: Option<i64>,
    pub(super) attributes: BTreeMap<String, MessageAttributeValue>,
    pub(super) system_attributes: BTreeMap<String, MessageAttributeValue>,
    pub(super) deduplication_id: Option<String>,
    pub(super) group_id: Option<String>,
}

/// The digests of a message, which its send is answered with (M49).
pub(super) struct Digests {
    body: BodyDigest,
    pub(super) attributes: Option<String>,
    pub(super) system_attributes: Option<String>,
}

pub(super) async fn send(call: &Call<'_>, input: SendMessageRequest) -> Result<SendMessageResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    call.admit(&queue, Load::Send(&[input.message_group_id.as_deref()]))?;
    let outgoing = Outgoing {
        body: input.message_body,
        delay_seconds: input.delay_seconds,
        attributes: input.message_attributes,
        system_attributes: input.message_system_attributes,
        deduplication_id: input.message_deduplication_id,
        group_id: input.message_group_id,
    };
    let message = outgoing.into_message(call.service().limits());
    let mut message = message.map_err(|refused| queue.refuse(*refused))?;
    let header = call.request.header_named("X-Amzn-Trace-Id");
    if let Some(header) = header.filter(|header| !header.is_empty()) {
        // M23
        if message.get_aws_trace_header().is_none() {
            message = message.aws_trace_header(header);
        }
    }
    let digests = Digests::of(&message);
    let Sent {
        message_id,
        sequence_number,
    } = queue.send_async(message).await?;
    Ok(SendMessageResult {
        md5_of_message_body: digests.body_of_sent(call, &queue, message_id),
        md5_of_message_attributes: digests.attributes,
        md5_of_message_system_attributes: digests.system_attributes,
        message_id: message_id.to_string(),
        sequence_number: sequence_number.map(|number| number.to_string()),
    })
}

impl Outgoing {
    /// The message, if everything in it can be said to a queue; the queue checks the rest.
    ///
    /// Otherwise the first reason why not, with what can be said: the queue looks at that for a fault that comes first
    /// (X11), and a batch is checked with it before its entries are (M37).
    pub(super) fn into_message(self, limits: &Limits) -> Result<SendMessage, Box<(SendMessage, SendError)>> {
        let (mut message, mut refused) = (SendMessage::new(self.body), None);
        if let Some(id) = self.group_id {
            message = message.message_group_id(id);
        }
        if let Some(id) = self.deduplication_id {
            message = message.message_deduplication_id(id);
        }
        if let Some(given) = self.delay_seconds {
            let reason = InvalidReason::Delay { limit: limits.delay };
            match seconds("DelaySeconds", given, limits.delay, reason) {
                Ok(delay) => message = message.delay(delay),
                Err(error) => refused = Some(error),
            }
        }
        for (name, value) in self.attributes {
            match value.into_native(&name) {
                Ok(value) => message = message.attribute(name, value),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        for (name, value) in self.system_attributes {
            match trace_header(name, value) {
                Ok(header) => message = message.aws_trace_header(header),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            None => Ok(message),
            Some(error) => Err(Box::new((message, error.into()))),
        }
    }
}

impl Digests {
    pub(super) fn of(message: &SendMessage) -> Self {
        Self {
            body: digest::of_body(message.body()),
            attributes: digest::of_attributes(message.get_attributes()),
            system_attributes: digest::of_trace_header(message.get_aws_trace_header()),
        }
    }

    /// The digest of the body, remembered for when the message is received.
    ///
    /// Not on a FIFO queue: a duplicate has the id of the original, whatever its body (F11).
    pub(super) fn body_of_sent(&self, call: &Call<'_>, queue: &Queue, id: MessageId) -> String {
        if !queue.is_fifo() {
            call.parts.recent.put(id, self.body);
        }
        digest::hex(self.body)
    }
}

impl MessageAttributeValue {
    /// The value of a user attribute; whether it fits its type is for the queue to say (M14-M20).
    fn into_native(self, name: &str) -> Result<message::MessageAttributeValue, InvalidParameterValue> {
        if !self.string_list_values.is_empty() || !self.binary_list_values.is_empty() {
            return Err(InvalidMessageAttribute::ListValues { name: name.to_owned() }.into());
        }
        let content = match (self.string_value, self.binary_value) {
            (Some(_), Some(_)) => return Err(InvalidMessageAttribute::TwoValues { name: name.to_owned() }.into()),
            (None, Some(Blob(bytes))) => AttributeContent::Binary(bytes),
            (text, None) => AttributeContent::String(text.unwrap_or_default()),
        };
        Ok(message::MessageAttributeValue::new(
            self.data_type.unwrap_or_default(),
            content,
        ))
    }

    fn of(value: &message::MessageAttributeValue) -> Self {
        Self {
            string_value: value.string_value().map(str::to_owned),
            binary_value: value.binary_value().map(|bytes| Blob(bytes.to_vec())),
            string_list_values: Vec::new(),
            binary_list_values: Vec::new(),
            data_type: Some(value.data_type().to_owned()),
        }
    }
}

/// The one system attribute that a send may set (M22).
fn trace_header(name: String, value: MessageAttributeValue) -> Result<String, InvalidParameterValue> {
    if name != TRACE_HEADER {
        return Err(InvalidMessageAttribute::SystemName { name }.into());
    }
    if value.data_type.as_deref() != Some("String") {
        return Err(InvalidMessageAttribute::SystemDataType { name }.into());
    }
    Ok(value.string_value.unwrap_or_default())
}

pub(super) async fn receive(call: &Call<'_>, input: ReceiveMessageRequest) -> Result<ReceiveMessageResult, Fault> {
    let queue = call.queue(&input.queue_url)?;
    call.admit(&queue, Load::Receive)?;
    let (receive, names) = poll(&queue, input, call.service().limits())?;
    let messages = receive.await?;
    call.received(&queue, messages.len());
    let digest = |message: &queue::Message| call.parts.recent.of(message.message_id(), message.body());
    Ok(names.result(&messages, digest))
}

/// What a request asks a queue for, and what it asks to be told of each message.
pub(super) fn poll<'queue>(
    queue: &'queue Queue,
    input: ReceiveMessageRequest,
    limits: &Limits,
) -> Result<(Receive<'queue>, SystemNames), Fault> {
    let mut receive = queue.receive().message_attribute_names(input.message_attribute_names);
    if let Some(given) = input.max_number_of_messages {
        receive = receive.max_messages(count("MaxNumberOfMessages", given, limits.receive_messages)?);
    }
    if let Some(given) = input.visibility_timeout {
        receive = receive.visibility_timeout(visibility_timeout(given, limits)?);
    }
    if let Some(given) = input.wait_time_seconds {
        let limit = limits.receive_wait_time;
        receive = receive.wait_time(seconds(
            "WaitTimeSeconds",
            given,
            limit,
            InvalidReason::WaitTime { limit },
        )?);
    }
    if let Some(id) = input.receive_request_attempt_id {
        receive = receive.receive_request_attempt_id(id);
    }
    let names = SystemNames::of(input.attribute_names, input.message_system_attribute_names);
    Ok((receive, names))
}

/// Which system attributes a receive asks for (M45).
pub(super) struct SystemNames {
    all: bool,
    names: Vec<String>,
}

impl SystemNames {
    fn of(mut names: Vec<String>, more: Vec<String>) -> Self {
        names.extend(more);
        Self {
            all: names.iter().any(|name| name == "All"),
            names,
        }
    }

    /// The answer to the receive, with the digest of each body.
    pub(super) fn result(
        &self,
        messages: &[queue::Message],
        digest: impl Fn(&queue::Message) -> BodyDigest,
    ) -> ReceiveMessageResult {
        let messages = messages.iter();
        ReceiveMessageResult {
            messages: messages
                .map(|message| Message::of(message, digest(message), self))
                .collect(),
        }
    }

    fn select(&self, name: &str) -> bool {
        self.all || self.names.iter().any(|given| given == name)
    }
}

impl Message {
    fn of(message: &queue::Message, digest: BodyDigest, names: &SystemNames) -> Self {
        let attributes = message.attributes();
        Self {
            message_id: message.message_id().to_string(),
            receipt_handle: message.receipt_handle().to_string(),
            md5_of_body: digest::hex(digest),
            body: message.body().to_owned(),
            attributes: system_attributes(message, names),
            md5_of_message_attributes: digest::of_attributes(attributes),
            message_attributes: attributes
                .iter()
                .map(|(name, value)| (name.to_owned(), MessageAttributeValue::of(value)))
                .collect(),
        }
    }
}

/// The system attributes that a message has and that are asked for (M46, M47).
fn system_attributes(message: &queue::Message, names: &SystemNames) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let mut put = |name: &str, value: &dyn Fn() -> Option<String>| {
        if names.select(name) {
            attributes.extend(value().map(|value| (name.to_owned(), value)));
        }
    };
    put("ApproximateFirstReceiveTimestamp", &|| {
        Some(message.approximate_first_receive_timestamp().as_millis().to_string())
    });
    put("ApproximateReceiveCount", &|| {
        Some(message.approximate_receive_count().to_string())
    });
    put("SenderId", &|| Some(message.sender_id().to_owned()));
    put("SentTimestamp", &|| {
        Some(message.sent_timestamp().as_millis().to_string())
    });
    put(TRACE_HEADER, &|| message.aws_trace_header().map(str::to_owned));
    put("DeadLetterQueueSourceArn", &|| {
        message.dead_letter_queue_source_arn().map(str::to_owned)
    });
    put("MessageGroupId", &|| message.message_group_id().map(str::to_owned));
    put("MessageDeduplicationId", &|| {
        message.message_deduplication_id().map(str::to_owned)
    });
    put("SequenceNumber", &|| {
        message.sequence_number().map(|number| number.to_string())
    });
    attributes
}

pub(super) async fn delete(call: &Call<'_>, input: DeleteMessageRequest) -> Result<Nothing, Fault> {
    let queue = call.queue(&input.queue_url)?;
    call.admit(&queue, Load::Delete(1))?;
    let handle = input.receipt_handle.parse::<ReceiptHandle>()?;
    queue.delete_async(&handle).await?;
    Ok(Nothing)
}

pub(super) async fn change_visibility(
    call: &Call<'_>,
    input: ChangeMessageVisibilityRequest,
) -> Result<Nothing, Fault> {
    let queue = call.queue(&input.queue_url)?;
    let timeout = visibility_timeout(input.visibility_timeout, call.service().limits())?;
    let handle = input.receipt_handle.parse::<ReceiptHandle>()?;
    queue.change_visibility_async(&handle, timeout).await?;
    Ok(Nothing)
}
