//! What goes into the reference queue and what comes out of it, in plain values: milliseconds, texts and counts.

/// One second; every instant and span of the reference is in milliseconds.
pub(crate) const SECOND: u64 = 1_000;
/// The longest invisibility of one reception (D25, D26).
pub(crate) const TWELVE_HOURS: u64 = 43_200 * SECOND;
/// The memory of deduplication ids (F9) and of receive attempt ids (F35).
pub(crate) const FIVE_MINUTES: u64 = 300 * SECOND;

/// The limits that a test makes small.
#[derive(Clone, Debug)]
pub(crate) struct SmallLimits {
    /// D15 and F29.
    pub(crate) in_flight: usize,
    /// N3 (a).
    pub(crate) noisy_in_flight: usize,
    /// M10.
    pub(crate) batch_bytes: usize,
}

impl Default for SmallLimits {
    fn default() -> Self {
        Self {
            in_flight: 120_000,
            noisy_in_flight: 30,
            batch_bytes: 1_048_576,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    Queue,
    MessageGroup,
}

/// The attributes of one queue.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) fifo: bool,
    pub(crate) visibility: u64,
    pub(crate) delay: u64,
    pub(crate) retention: u64,
    pub(crate) maximum_size: usize,
    pub(crate) content_based: bool,
    pub(crate) scope: Scope,
    /// The dead-letter queue by its place in the world, and `maxReceiveCount`.
    pub(crate) redrive: Option<(usize, u32)>,
}

impl Setup {
    pub(crate) fn standard() -> Self {
        Self {
            fifo: false,
            visibility: 30 * SECOND,
            delay: 0,
            retention: 345_600 * SECOND,
            maximum_size: 262_144,
            content_based: false,
            scope: Scope::Queue,
            redrive: None,
        }
    }

    pub(crate) fn fifo() -> Self {
        Self {
            fifo: true,
            content_based: true,
            ..Self::standard()
        }
    }

    pub(crate) fn visibility(mut self, seconds: u64) -> Self {
        self.visibility = seconds * SECOND;
        self
    }

    pub(crate) fn delay(mut self, seconds: u64) -> Self {
        self.delay = seconds * SECOND;
        self
    }

    pub(crate) fn retention(mut self, seconds: u64) -> Self {
        self.retention = seconds * SECOND;
        self
    }

    pub(crate) fn maximum_size(mut self, bytes: usize) -> Self {
        self.maximum_size = bytes;
        self
    }

    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub(crate) fn content_based(mut self, on: bool) -> Self {
        self.content_based = on;
        self
    }

    pub(crate) fn redrive(mut self, target: usize, maximum: u32) -> Self {
        self.redrive = Some((target, maximum));
        self
    }
}

/// A message as a producer writes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Draft {
    pub(crate) body: String,
    pub(crate) delay: Option<u64>,
    pub(crate) group: Option<String>,
    pub(crate) dedup: Option<String>,
}

impl Draft {
    pub(crate) fn new(body: &str) -> Self {
        Self {
            body: body.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    pub(crate) fn dedup(mut self, dedup: &str) -> Self {
        self.dedup = Some(dedup.to_owned());
        self
    }

    pub(crate) fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Some(milliseconds);
        self
    }
}

/// An error as its SQS code and a part of the text that it must carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) fn refuse<T>(code: &'static str, text: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, text })
}

/// What a send answers: the message's number in the world, and its place in the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: usize,
    pub(crate) serial: u64,
}

/// A receipt handle: queue, message (by its arrival there, so that a stay that ended is never met again) and reception.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Handle {
    pub(crate) queue: usize,
    pub(crate) serial: u64,
    pub(crate) reception: u32,
}

/// A deduplication id as a consumer sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Dedup {
    Text(String),
    /// L12: it became the message id.
    MessageId,
}

/// A received message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    pub(crate) id: usize,
    pub(crate) handle: Handle,
    pub(crate) body: String,
    pub(crate) group: Option<String>,
    pub(crate) dedup: Option<Dedup>,
    pub(crate) sent_at: u64,
    pub(crate) first_received_at: u64,
    pub(crate) receive_count: u32,
    pub(crate) source: Option<usize>,
    pub(crate) invisible_until: u64,
}

/// What a receive asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) maximum: Option<usize>,
    pub(crate) visibility: Option<u64>,
    pub(crate) wait: Option<u64>,
    pub(crate) attempt: Option<String>,
}

/// A change of attributes; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) visibility: Option<u64>,
    pub(crate) delay: Option<u64>,
    pub(crate) retention: Option<u64>,
    pub(crate) content_based: Option<bool>,
    pub(crate) scope: Option<Scope>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// The number of the event that made the message visible (F22).
    Visible {
        event: u64,
    },
    Delayed {
        until: u64,
    },
    InFlight {
        until: u64,
    },
}

/// A phase without the reference's own bookkeeping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    Visible,
    Delayed { until: u64 },
    InFlight { until: u64 },
}

/// One stored message as a snapshot shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: usize,
    pub(crate) serial: u64,
    pub(crate) body: String,
    pub(crate) phase: Seen,
    pub(crate) group: Option<String>,
    pub(crate) sent_at: u64,
    pub(crate) receive_count: u32,
    pub(crate) expires_at: u64,
    pub(crate) blocked: bool,
}

/// C1 and C2.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) visible: usize,
    pub(crate) not_visible: usize,
    pub(crate) delayed: usize,
}
