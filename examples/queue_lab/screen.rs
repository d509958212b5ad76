//! What the user sees while the lab is at work: a progress bar, on a terminal only.

use {
    indicatif::{ProgressBar, ProgressStyle},
    requeue::{Clock, SystemClock, Timestamp, sim::Progress},
    std::{
        io::{self, IsTerminal},
        sync::mpsc::{self, Receiver, RecvTimeoutError},
        thread,
        time::Duration,
    },
};

const STEPS: f64 = 1_000.0;

/// Calls `run`, shows meanwhile how far each run is on average, and tells how long it took.
pub(crate) fn shown<T>(horizon: Duration, progress: &Progress, run: impl FnOnce() -> T) -> (T, Duration) {
    let clock = SystemClock::new();
    let started_at = clock.now();
    let result = thread::scope(|scope| {
        let (running, end) = mpsc::channel::<()>();
        if io::stderr().is_terminal() {
            scope.spawn(move || show(horizon, progress, (&clock, started_at), &end));
        }
        let result = run();
        drop(running);
        result
    });
    (result, clock.now().saturating_duration_since(started_at))
}

/// Shows a bar until the other side of `end` is dropped.
fn show(horizon: Duration, progress: &Progress, (clock, started_at): (&SystemClock, Timestamp), end: &Receiver<()>) {
    let style = ProgressStyle::with_template("{elapsed} [{bar:24}] {wide_msg}");
    let bar = ProgressBar::new(STEPS as u64);
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    while end.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
        let share = progress.share();
        let took = clock.now().saturating_duration_since(started_at);
        let (passed, all) = (span(horizon.mul_f64(share)), span(horizon));
        bar.set_position((share * STEPS) as u64);
        bar.set_message(format!(
            "{passed} of {all}, {} messages/s",
            per_second(progress.messages(), took)
        ));
    }
    bar.finish_and_clear();
}

/// How fast the simulation itself was.
pub(crate) fn rate(messages: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!(
        "{} messages in {seconds:.1} s: {} a second",
        thousands(messages),
        per_second(messages, took)
    )
}

fn per_second(messages: u64, took: Duration) -> String {
    thousands((messages as f64 / took.as_secs_f64().max(0.001)) as u64)
}

/// The two largest parts of a time: `1 d 2 h`, `2 h 3 min`, `3 min 4 s`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
