//! The actions of an SDK that change a queue: what they ask for, and what they did.

use {
    crate::{
        message::MessageId,
        queue::Message,
        testing::{
            net::{Act, Begun, CallKind, Dead, Port},
            wire::{Arrived, CallError, Wire},
        },
    },
    aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::ConnectorError},
    aws_smithy_types::body::SdkBody,
    serde_json::{Value, json},
    std::{fmt, sync::Arc, time::Duration},
};

/// What a client is answered.
pub(super) type Answer = Result<HttpResponse, ConnectorError>;

/// A call that changes a queue, for one message or for a batch.
pub(super) struct Change {
    pub(super) kind: CallKind,
    batch: bool,
    input: Value,
    /// Of each entry, the message that its handle is of.
    messages: Vec<Option<Message>>,
}

/// The endpoint did as asked.
pub(super) struct Done {
    response: HttpResponse,
    output: Value,
}

/// The endpoint refused, or there is none.
pub(super) struct Refusal {
    answer: Box<Answer>,
    text: String,
}

impl Change {
    /// `None` for any other action.
    pub(super) fn new(action: &str, input: Value) -> Option<Self> {
        let (action, batch) = match action.strip_suffix("Batch") {
            Some(action) => (action, true),
            None => (action, false),
        };
        let kind = match action {
            "SendMessage" => CallKind::Send,
            "DeleteMessage" => CallKind::Delete,
            "ChangeMessageVisibility" => CallKind::Visibility,
            _ => return None,
        };
        Some(Self {
            kind,
            batch,
            input,
            messages: Vec::new(),
        })
    }

    /// What it asks for each message.
    fn entries(&self) -> &[Value] {
        match self.batch {
            true => self.input["Entries"].as_array().map_or(&[], Vec::as_slice),
            false => std::slice::from_ref(&self.input),
        }
    }

    pub(super) fn entries_of_batch(&self) -> Option<usize> {
        self.batch.then(|| self.entries().len())
    }

    pub(super) fn id(&self, entry: Option<usize>) -> Option<&str> {
        self.entries().get(entry?)?["Id"].as_str()
    }

    /// Looks for the messages before the call, which may end their handles.
    pub(super) fn find(&mut self, wire: &Wire) {
        let message = |entry: &Value| wire.message_of(entry["ReceiptHandle"].as_str()?.parse().ok()?);
        self.messages = self.entries().iter().map(message).collect();
    }

    /// The body of the request with an entry that the service fails at: it takes part in the checks of the batch as if it
    /// did not (M37).
    pub(super) fn without(&self, failing: usize) -> Vec<u8> {
        let mut input = self.input.clone();
        let entry = &mut input["Entries"][failing];
        match self.kind {
            CallKind::Send => entry["DelaySeconds"] = json!(-1),
            CallKind::Delete | CallKind::Visibility => entry["ReceiptHandle"] = json!("none"),
        }
        input.to_string().into_bytes()
    }

    /// What is told of it if it arrives late.
    pub(super) fn arrived(&self, who: &Arc<str>) -> Option<Arrived> {
        let first = || self.messages.iter().flatten().next().map(Message::message_id);
        match self.kind {
            CallKind::Send => Some(Arrived::Send(Arc::clone(who))),
            CallKind::Delete => first().map(Arrived::Delete),
            CallKind::Visibility => first().map(Arrived::Visibility),
        }
    }

    /// Ends the call: what the consumer knows by the answer, and what is told of it.
    pub(super) fn end(&self, port: &Port, begun: Begun, result: &Result<Done, CallError<Refusal>>) -> Result<(), Dead> {
        let done = result.as_ref().ok().map(|done| &done.output);
        let succeeded = |entry: &Value| !self.batch || done.is_none_or(|it| named(&it["Successful"], entry).is_some());
        let entries = self.entries().iter();
        let changed = || entries.clone().zip(&self.messages).filter(|it| succeeded(it.0));
        match self.kind {
            CallKind::Send => {
                let sent = entries.map(|entry| (done.and_then(|it| self.sent(it, entry)), text(entry, "MessageBody")));
                let sent: Vec<_> = sent.collect();
                let mut log = port.net.log.lock();
                sent.iter().filter_map(|it| it.0).for_each(|id| log.introduce(id));
                drop(log);
                port.end(begun, &Act::Send { messages: &sent }, result)
            }
            CallKind::Delete => {
                let deleted: Vec<_> = changed().filter_map(|it| it.1.as_ref()).collect();
                if done.is_some() {
                    deleted.iter().for_each(|message| port.wire().deleted(message));
                }
                let messages: Vec<_> = deleted.iter().map(|message| message.message_id()).collect();
                let attempted: Vec<_> = self.messages.iter().flatten().map(Message::message_id).collect();
                let (messages, attempted) = (&messages[..], &attempted[..]);
                port.end(begun, &Act::Delete { messages, attempted }, result)
            }
            CallKind::Visibility => {
                let counted = |it: &Message| (it.message_id(), Some(it.approximate_receive_count()));
                let messages: Vec<_> = changed().filter_map(|it| it.1.as_ref()).map(counted).collect();
                let failed = entries.clone().zip(&self.messages).filter(|it| !succeeded(it.0));
                let failed: Vec<_> = failed.filter_map(|it| it.1.as_ref()).map(counted).collect();
                let timeouts = changed().filter_map(|it| it.0["VisibilityTimeout"].as_u64());
                let act = Act::Hide {
                    messages: &messages,
                    failed: &failed,
                    timeout: Duration::from_secs(timeouts.min().unwrap_or_default()),
                    verb: "hides",
                };
                port.end(begun, &act, result)
            }
        }
    }

    fn sent(&self, output: &Value, entry: &Value) -> Option<MessageId> {
        let sent = match self.batch {
            true => named(&output["Successful"], entry)?,
            false => output,
        };
        sent["MessageId"].as_str()?.parse().ok()
    }
}

/// The result that has the id of an entry.
fn named<'r>(results: &'r Value, entry: &Value) -> Option<&'r Value> {
    results.as_array()?.iter().find(|result| result["Id"] == entry["Id"])
}

fn text(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

impl Done {
    pub(super) fn of(answer: Answer) -> Result<Self, Refusal> {
        let refuse = |answer: Answer, text: String| {
            let answer = Box::new(answer);
            Err(Refusal { answer, text })
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                let text = error.to_string();
                return refuse(Err(error), text);
            }
        };
        let body = response.body().bytes().unwrap_or_default();
        let output: Value = serde_json::from_slice(body).unwrap_or_default();
        match response.status().is_success() {
            true => Ok(Self { response, output }),
            false => {
                let text = text(&output, "message");
                refuse(Ok(response), text)
            }
        }
    }

    /// The entry of this id failed in the service.
    pub(super) fn failing(mut self, id: Option<&str>) -> Self {
        let failed = self.output["Failed"].as_array_mut().into_iter().flatten();
        for entry in failed.filter(|it| id.is_some() && it["Id"].as_str() == id) {
            entry["Code"] = json!("InternalError");
            entry["SenderFault"] = json!(false);
            entry["Message"] = json!("a fault of the testing kit");
        }
        if id.is_some() {
            *self.response.body_mut() = SdkBody::from(self.output.to_string());
        }
        self
    }

    pub(super) fn answer(self) -> Answer {
        Ok(self.response)
    }
}

impl Refusal {
    pub(super) fn answer(self) -> Answer {
        *self.answer
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
