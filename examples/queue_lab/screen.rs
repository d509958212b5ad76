//! What the user sees while the lab is at work: a progress bar, on a terminal only.

use {
    indicatif::{ProgressBar, ProgressStyle},
    requeue::{Clock, SystemClock, Timestamp, sim::Progress},
    std::{
        io::{self, IsTerminal},
        sync::mpsc::{self, RecvTimeoutError},
        thread,
        time::Duration,
    },
};

const STEPS: f64 = 1_000.0;

/// Calls `run`, shows meanwhile how far it is, and tells how long it took.
pub(crate) fn shown<T: Send>(
    virtual_time: Duration,
    progress: &Progress,
    run: impl FnOnce() -> T + Send,
) -> (T, Duration) {
    let clock = SystemClock::new();
    let started_at = clock.now();
    let result = if io::stderr().is_terminal() {
        thread::scope(|scope| {
            let (ended, end) = mpsc::channel::<()>();
            scope.spawn(move || show(virtual_time, progress, (&clock, started_at), &end));
            let result = run();
            drop(ended);
            result
        })
    } else {
        run()
    };
    (result, clock.now().saturating_duration_since(started_at))
}

/// Shows a bar until nobody is left to send on `end`.
fn show(virtual_time: Duration, progress: &Progress, (clock, started_at): (&SystemClock, Timestamp), end: &mpsc::Receiver<()>) {
    let style = ProgressStyle::with_template("{elapsed} [{bar:24}] {percent} % {wide_msg}");
    let bar = ProgressBar::new(STEPS as u64);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    while end.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
        let took = clock.now().saturating_duration_since(started_at).as_secs_f64();
        let share = progress.share();
        let passed = Duration::from_secs_f64(virtual_time.as_secs_f64() * share);
        let rate = progress.messages() as f64 / took.max(0.001);
        bar.set_position((share * STEPS) as u64);
        bar.set_message(format!("{} of virtual time, {} messages a second", span(passed), thousands(rate)));
    }
    bar.finish_and_clear();
}

/// Days, hours and minutes.
pub(crate) fn span(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A whole number with commas.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
