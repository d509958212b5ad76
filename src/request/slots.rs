//! Pending requests by the names of their virtual queues.

use {
    super::{DeliverError, QUEUE_NAME},
    crate::{
        backend::ReceivedMessage,
        error::excerpt,
        sync::{Mutex, wake},
    },
    std::{
        collections::BTreeMap,
        mem,
        sync::Arc,
        task::{Context, Poll, Waker},
    },
};

/// The most virtual queues of one client (E13).
pub(super) const MAX_OPEN: usize = 1_000_000;

/// What a requester has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RequesterReport {
    /// Requests made.
    pub requests: u64,
    /// Requests whose answer came in time.
    pub answered: u64,
    /// Requests whose time was over.
    pub timed_out: u64,
    /// Requests that could not be sent.
    pub not_sent: u64,
    /// Requests that nobody waits for any more, because their future was dropped.
    pub dropped: u64,
    /// Requests that wait.
    pub in_flight: usize,
    /// Answers to requests that do not wait any more: late ones, and repeated ones.
    pub late_answers: u64,
    /// Messages on the host queue that are for nobody here.
    pub orphans: u64,
}

#[derive(Default)]
pub(super) struct Slots {
    /// What the names of this requester begin with, so that an answer to another is not taken for one of its own.
    prefix: String,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: BTreeMap<u64, Slot>,
    opened: u64,
    report: RequesterReport,
}

/// A virtual queue: it keeps its first message.
enum Slot {
    Empty(Option<Waker>),
    Full(Box<ReceivedMessage>),
}

/// How a request ended without an answer.
#[derive(Clone, Copy)]
pub(super) enum End {
    TimedOut,
    NotSent,
    Dropped,
}

impl Slots {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            prefix: format!("{seed:016x}-"),
            table: Mutex::default(),
        }
    }

    /// Opens a slot for a request; `None` if there are too many.
    pub(super) fn open(self: &Arc<Self>) -> Option<Ticket> {
        let mut table = self.table.lock();
        if table.open.len() >= MAX_OPEN {
            return None;
        }
        table.opened += 1;
        table.report.requests += 1;
        let number = table.opened;
        table.open.insert(number, Slot::Empty(None));
        drop(table);
        Some(Ticket {
            slots: Arc::clone(self),
            number,
            closed: false,
        })
    }

    /// Delivers a message of the host queue to the request that it answers, which may be over.
    pub(super) fn deliver(&self, message: &ReceivedMessage) -> Result<(), DeliverError> {
        let name = message.attributes().get(QUEUE_NAME).and_then(|it| it.string_value());
        let number = name.and_then(|name| name.strip_prefix(&self.prefix)?.parse().ok());
        let mut table = self.table.lock();
        let Some(number) = number.filter(|number| (1..=table.opened).contains(number)) else {
            table.report.orphans += 1;
            drop(table);
            let unknown = |name| DeliverError::Unknown { name: excerpt(name) };
            return Err(name.map_or(DeliverError::Unnamed, unknown));
        };
        let waker = match table.open.get_mut(&number) {
            Some(slot @ Slot::Empty(_)) => match mem::replace(slot, Slot::Full(Box::new(message.clone()))) {
                Slot::Empty(waker) => waker,
                Slot::Full(_) => None,
            },
            Some(Slot::Full(_)) | None => {
                table.report.late_answers += 1;
                None
            }
        };
        drop(table);
        wake(waker);
        Ok(())
    }

    pub(super) fn report(&self) -> RequesterReport {
        let table = self.table.lock();
        RequesterReport {
            in_flight: table.open.len(),
            ..table.report
        }
    }
}

/// A pending request; dropping it gives up its answer.
pub(super) struct Ticket {
    slots: Arc<Slots>,
    number: u64,
    closed: bool,
}

impl Ticket {
    /// The name of the virtual queue.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.slots.prefix, self.number)
    }

    pub(super) fn poll_answer(&mut self, context: &Context<'_>) -> Poll<ReceivedMessage> {
        let mut table = self.slots.table.lock();
        let before = match table.open.get_mut(&self.number) {
            Some(Slot::Empty(waker)) if waker.as_ref().is_some_and(|it| it.will_wake(context.waker())) => None,
            Some(Slot::Empty(waker)) => waker.replace(context.waker().clone()),
            Some(Slot::Full(_)) => {
                drop(table);
                return self.close(End::Dropped).map_or(Poll::Pending, Poll::Ready);
            }
            None => None,
        };
        drop(table);
        drop(before);
        Poll::Pending
    }

    /// Closes the slot; the answer, if it came before, or `end` is counted.
    pub(super) fn close(&mut self, end: End) -> Option<ReceivedMessage> {
        if mem::replace(&mut self.closed, true) {
            return None;
        }
        let mut table = self.slots.table.lock();
        let slot = table.open.remove(&self.number);
        let report = &mut table.report;
        match (&slot, end) {
            (Some(Slot::Full(_)), _) => report.answered += 1,
            (_, End::TimedOut) => report.timed_out += 1,
            (_, End::NotSent) => report.not_sent += 1,
            (_, End::Dropped) => report.dropped += 1,
        }
        drop(table);
        match slot {
            Some(Slot::Full(message)) => Some(*message),
            _ => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let unread = self.close(End::Dropped);
        drop(unread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::MessageParts,
        message::{MessageAttributeValue, MessageAttributes},
    };

    fn answer(name: &str, body: &str) -> ReceivedMessage {
        let mut attributes = MessageAttributes::new();
        attributes.insert(QUEUE_NAME, MessageAttributeValue::string(name));
        let body = body.to_owned();
        ReceivedMessage::from(MessageParts {
            body,
            attributes,
            ..MessageParts::default()
        })
    }

    #[test]
    fn a_slot_keeps_its_first_message_and_the_rest_is_late() {
        // E15
        let slots = Arc::new(Slots::new(1));
        let mut ticket = slots.open().unwrap();
        assert_eq!(ticket.name(), "0000000000000001-1");
        for body in ["first", "second"] {
            slots.deliver(&answer(&ticket.name(), body)).unwrap();
        }
        let context = Context::from_waker(Waker::noop());
        assert!(matches!(ticket.poll_answer(&context), Poll::Ready(it) if it.body() == "first"));
        assert!(ticket.poll_answer(&context).is_pending());
        slots.deliver(&answer(&ticket.name(), "third")).unwrap();
        drop(ticket);
        let report = slots.report();
        assert_eq!(
            (report.answered, report.late_answers, report.in_flight, report.dropped),
            (1, 2, 0, 0)
        );
    }

    #[test]
    fn an_answer_that_comes_with_the_end_of_time_counts() {
        let slots = Arc::new(Slots::new(1));
        let mut ticket = slots.open().unwrap();
        slots.deliver(&answer(&ticket.name(), "just in time")).unwrap();
        assert_eq!(ticket.close(End::TimedOut).unwrap().body(), "just in time");
        let mut ticket = slots.open().unwrap();
        assert!(ticket.close(End::TimedOut).is_none());
        assert_eq!((slots.report().answered, slots.report().timed_out), (1, 1));
    }

    #[test]
    fn names_of_others_and_names_never_given_are_for_nobody() {
        // E12
        let slots = Arc::new(Slots::new(1));
        let ticket = slots.open().unwrap();
        let other = Arc::new(Slots::new(2)).open().unwrap().name();
        for name in [
            &other,
            "",
            "1",
            "0000000000000001-",
            "0000000000000001-0",
            "0000000000000001-2",
            "0000000000000001-x",
        ] {
            let unknown = DeliverError::Unknown { name: name.to_owned() };
            assert_eq!(slots.deliver(&answer(name, "x")), Err(unknown));
        }
        let unnamed = ReceivedMessage::from(MessageParts::default());
        assert_eq!(slots.deliver(&unnamed), Err(DeliverError::Unnamed));
        assert_eq!((slots.report().orphans, slots.report().in_flight), (8, 1));
        drop(ticket);
        assert_eq!((slots.report().dropped, slots.report().in_flight), (1, 0));
    }

    #[test]
    fn no_more_virtual_queues_are_open_than_a_client_may_have() {
        // E13
        let slots = Arc::new(Slots::new(1));
        let mut tickets: Vec<_> = (0..MAX_OPEN).map(|_| slots.open().unwrap()).collect();
        assert!(slots.open().is_none());
        tickets.pop();
        assert!(slots.open().is_some());
    }
}
