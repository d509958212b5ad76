//! A clock that is behind the latest entry when the journal is opened.
//!
//! Nobody knows which of the two is wrong. So only what hides messages is read as earlier, for good: a message may then be
//! delivered once more. All else stays as it was recorded, and is lost neither now nor when the clock is right again.

use {
    super::{MessageImage, PhaseImage, QueueImage, ServiceImage},
    crate::time::Timestamp,
    std::time::Duration,
};

impl ServiceImage {
    /// The journal was opened, for the `epoch`th time, when the clock said `at`.
    pub(super) fn opened(&mut self, epoch: u64, at: Timestamp) {
        let span = self.latest.saturating_duration_since(at);
        self.latest = at;
        let is_new = epoch != self.epoch;
        self.epoch = epoch;
        for queue in self.queues.values_mut() {
            if is_new {
                queue.keep_sends_so_far();
            }
            if !span.is_zero() {
                queue
                    .messages
                    .values_mut()
                    .for_each(|message| message.show_earlier(span));
            }
        }
    }
}

impl QueueImage {
    fn keep_sends_so_far(&mut self) {
        let latest = self.remembered.last_key_value();
        self.sends_from = latest.map_or(0, |(sequence, _)| sequence.saturating_add(1));
    }
}

impl MessageImage {
    fn show_earlier(&mut self, span: Duration) {
        let earlier = |at: &mut Timestamp| *at = at.saturating_sub(span);
        match &mut self.phase {
            PhaseImage::Delayed { from, until } => {
                earlier(from);
                earlier(until);
            }
            PhaseImage::InFlight { until, .. } => earlier(until),
            PhaseImage::Visible { .. } => {}
        }
    }
}
