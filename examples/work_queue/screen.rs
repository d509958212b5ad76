//! What the user sees while the queue is at work: a progress bar on a terminal, plain lines elsewhere.

use {
    crate::{files::some, tally::Tally},
    indicatif::{ProgressBar, ProgressStyle},
    requeue::{Clock, SystemClock, Timestamp},
    std::{
        io::{self, IsTerminal, Write},
        time::Duration,
    },
};

pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    files: usize,
    clock: SystemClock,
    shown_at: Timestamp,
}

impl Screen {
    pub(crate) fn new(clock: SystemClock, files: usize) -> Self {
        let bar = (io::stdout().is_terminal() && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{elapsed} [{bar:24}] {pos}/{len} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(files as u64).with_style(style.progress_chars("=> "))
        });
        Self {
            bar,
            files,
            clock,
            shown_at: clock.now(),
        }
    }

    /// Prints a line; that nobody reads it any more is no reason to stop.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        let print = || {
            let _ = writeln!(io::stdout(), "{}", text.as_ref());
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Shows how far the queue is: ten times a second on a terminal, once a second elsewhere.
    pub(crate) fn progress(&mut self, tally: &Tally) {
        let interval = Duration::from_millis(if self.bar.is_some() { 100 } else { 1_000 });
        let now = self.clock.now();
        if now.saturating_duration_since(self.shown_at) < interval {
            return;
        }
        self.shown_at = now;
        let settled = tally.sent.len() - tally.open();
        let dead = some(tally.dead.len(), "dead letter");
        let details = format!("settled, {} retried, {dead}", tally.retries);
        match &self.bar {
            Some(bar) => {
                bar.set_message(details);
                bar.set_position(settled as u64);
            }
            None => self.line(format!("{settled} of {} {details}", some(self.files, "job"))),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
