//! What producers send.

use {
    super::{
        Lab,
        agenda::{Event, Micros},
        calls::Action,
        facts::Numbered,
        slab::Slab,
        window::micros,
    },
    crate::{
        message::SendMessage,
        queue::Queue,
        sim::{
            draw::{Arrival, ArrivalStream, Streams, generator, uniform},
            scenario::Producer,
        },
        testing::{CallError, FaultyQueue},
    },
    std::{mem, sync::Arc},
};

/// After which time a send that failed is made again.
const RESEND: Micros = 1_000_000;

pub(super) struct ProducerState<'q> {
    config: Producer,
    queue: u32,
    target: &'q Queue,
    pub(super) wire: Option<FaultyQueue>,
    /// Whether every body carries its number: workers may receive a message that the ledger knows no more.
    pub(super) numbers_all: bool,
    stream: ArrivalStream,
    next: Option<Arrival>,
    sent: u64,
    poison_key: u64,
    /// What is collected for the next batch, and which batch that is.
    collected: Vec<Numbered>,
    sizes: Vec<usize>,
    batch: u32,
    /// Messages whose sends failed.
    unsent: Slab<(Numbered, usize)>,
    body: String,
    /// A body of the usual size.
    usual: Arc<str>,
}

impl<'q> ProducerState<'q> {
    pub(super) fn new(
        name: &str,
        config: &Producer,
        (queue, target): (u32, &'q Queue),
        streams: Streams,
        stream: ArrivalStream,
        wire: Option<FaultyQueue>,
    ) -> Self {
        Self {
            config: config.clone(),
            queue,
            target,
            wire,
            numbers_all: false,
            stream,
            next: None,
            sent: 0,
            poison_key: streams.key("poison", name),
            collected: Vec::new(),
            sizes: Vec::new(),
            batch: 0,
            unsent: Slab::new(),
            body: String::new(),
            usual: ".".repeat(config.bytes).into(),
        }
    }

    pub(super) fn group_name(&self, group: u32) -> Arc<str> {
        Arc::clone(self.stream.group_name(group))
    }

    /// How many messages it has had to send.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether a batch was sent already.
    pub(super) fn has_sent(&self, batch: u32) -> bool {
        self.batch != batch || self.collected.is_empty()
    }

    /// How many messages it has to send again.
    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Whether no handler can do this message.
    #[inline]
    pub(super) fn is_poison(&self, number: u64) -> bool {
        let share = self.config.poison_share;
        share > 0.0 && uniform(&mut generator(self.poison_key, number, 0)) < share
    }

    /// A message whose body carries its number.
    fn numbered(&mut self, numbered: Numbered, bytes: usize) -> SendMessage {
        numbered.write(&mut self.body, bytes);
        self.message(numbered, self.body.as_str().into())
    }

    fn message(&self, numbered: Numbered, body: Arc<str>) -> SendMessage {
        let mut message = SendMessage::new(body);
        if let Some(group) = numbered.group {
            message = message.message_group_id(self.stream.group_name(group));
        } else if self.target.is_fifo() {
            message = message.message_group_id("all");
        }
        if self.target.is_fifo() {
            message = message.message_deduplication_id(format!("{}-{}", numbered.producer, numbered.number));
        }
        match self.config.delay {
            Some(delay) => message.delay(delay),
            None => message,
        }
    }
}

impl Lab<'_> {
    pub(super) fn begin_to_send(&mut self) {
        for producer in 0..self.producers.len() as u32 {
            self.line_up(producer);
        }
    }

    /// Enters the next message of a producer.
    fn line_up(&mut self, producer: u32) {
        let state = &mut self.producers[producer as usize];
        state.next = state.stream.next();
        if let Some(next) = &state.next {
            self.agenda.enter(next.at, Event::Send { producer });
        }
    }

    pub(super) fn send_next(&mut self, producer: u32) {
        let state = &mut self.producers[producer as usize];
        let Some(arrival) = state.next.take() else { return };
        let numbered = Numbered {
            producer,
            number: state.sent,
            group: arrival.group,
        };
        state.sent += 1;
        let bytes = arrival.bytes.unwrap_or(state.config.bytes);
        if state.config.batch_size > 1 {
            self.collect(producer, numbered, bytes);
        } else {
            self.send(producer, numbered, bytes);
        }
        self.line_up(producer);
    }

    fn send(&mut self, producer: u32, numbered: Numbered, bytes: usize) {
        let state = &mut self.producers[producer as usize];
        let queue = state.queue as usize;
        self.queues[queue].calls.add(Action::SendMessage, bytes, self.place);
        let message = match &state.wire {
            None if bytes == state.config.bytes && !state.numbers_all => {
                self.facts.sending(Some(numbered));
                state.message(numbered, Arc::clone(&state.usual))
            }
            _ => state.numbered(numbered, bytes),
        };
        let refused = match &state.wire {
            None => state.target.send(message).is_err(),
            Some(wire) => match wire.send(message) {
                Ok(_) => false,
                Err(CallError::Refused(_)) => true,
                Err(_) => {
                    let (message, _) = state.unsent.insert((numbered, bytes));
                    self.agenda
                        .enter(self.now + RESEND, Event::Resend { producer, message });
                    false
                }
            },
        };
        if refused {
            self.facts.sending(None);
            if self.place.batch.is_some() {
                self.ledger.queue_mut(queue as u32).totals.refused += 1;
            }
        }
    }

    pub(super) fn resend(&mut self, producer: u32, message: u32) {
        if let Some((numbered, bytes)) = self.producers[producer as usize].unsent.remove(message) {
            self.send(producer, numbered, bytes);
        }
    }

    // Batches.

    fn collect(&mut self, producer: u32, numbered: Numbered, bytes: usize) {
        let state = &mut self.producers[producer as usize];
        state.collected.push(numbered);
        state.sizes.push(bytes);
        let batch = state.batch;
        if state.collected.len() >= state.config.batch_size {
            return self.flush(producer, batch);
        }
        if state.collected.len() == 1 {
            let at = self.now + micros(state.config.batch_window);
            self.agenda.enter(at, Event::Flush { producer, batch });
        }
    }

    pub(super) fn flush(&mut self, producer: u32, batch: u32) {
        let state = &mut self.producers[producer as usize];
        if state.has_sent(batch) {
            return;
        }
        state.batch = batch.wrapping_add(1);
        let (collected, sizes) = (mem::take(&mut state.collected), mem::take(&mut state.sizes));
        let bytes = sizes.iter().sum();
        self.queues[state.queue as usize]
            .calls
            .add(Action::SendMessageBatch, bytes, self.place);
        let entries = collected.iter().zip(&sizes);
        let entries: Vec<SendMessage> = entries
            .map(|(numbered, bytes)| state.numbered(*numbered, *bytes))
            .collect();
        let refused = match state.target.send_batch(entries) {
            Ok(result) => result.failed.len(),
            Err(_) => collected.len(),
        };
        if self.place.batch.is_some() {
            self.ledger.queue_mut(state.queue).totals.refused += refused as u64;
        }
    }
}
