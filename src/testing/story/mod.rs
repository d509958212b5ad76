//! What happened, told line by line so that a person can follow it: the story of a case, and every other timeline.

mod deaths;
mod fold;
mod picture;
mod render;
#[cfg(test)]
mod tests;

pub(super) use {
    deaths::{explain_deaths, steps_without_death},
    render::{Colours, instant, is_coloured, lines},
};

use {
    super::faults::Fault,
    std::{
        fmt,
        io::{self, Write},
        panic::Location,
        sync::Arc,
    },
};

/// One line of a [`Story`] or of a [`Timeline`](super::assertions::Timeline).
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, testing::assertions::Recorder};
///
/// let recorder = Recorder::new();
/// let jobs = Queue::standard("jobs").clock(ManualClock::default()).listener(recorder.clone()).build()?;
/// jobs.send("resize cat.png")?;
/// let timeline = recorder.timeline();
/// let event = &timeline.events()[0];
/// assert_eq!((event.at_millis, event.who.as_str()), (0, "jobs"));
/// assert_eq!((event.what.as_str(), event.fault), ("m1 sent \"resize cat.png\"", None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Milliseconds since the beginning.
    pub at_millis: u64,
    /// The producer, a consumer, or a queue.
    pub who: String,
    /// What it did, and what came of it.
    pub what: String,
    /// The fault that struck.
    pub fault: Option<Fault>,
    /// The queue that it was about.
    pub queue: Option<Arc<str>>,
    /// The messages that it was about, by their names in the story: `m1`, `m2`.
    pub messages: Vec<String>,
    /// Where in the consumer it was called.
    pub place: Option<Place>,
    /// What sort of act it was.
    pub kind: EventKind,
}

/// The sort of an act, which its text tells in words.
///
/// # Examples
/// ```
/// use requeue::{Queue, testing::{Consumer, EventKind, check}};
/// use proptest::strategy::Just;
///
/// let error = check("jobs", || 0)
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("resize cat.png"))
///     .consumer("resizer", |resized| {
///         let resized = resized.clone();
///         Consumer::each(move |_, _| {
///             *resized.borrow_mut() += 1;
///             Ok::<_, String>(())
///         })
///     })
///     .always("nothing is ever resized", |resized| *resized == 0)
///     .run()
///     .unwrap_err();
/// let kinds: Vec<_> = error.story().unwrap().events.iter().map(|it| it.kind).collect();
/// assert_eq!(kinds, [EventKind::Send, EventKind::Receive, EventKind::Finish]);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A message is sent to the queue.
    Send,
    /// Messages are received from the queue, or none are.
    Receive,
    /// A message is deleted from the queue.
    Delete,
    /// A message is hidden for another time, released or postponed.
    Visibility,
    /// A handler returns.
    Finish,
    /// A consumer says something, by [`Context::note`](super::Context::note).
    Note,
    /// A consumer dies.
    Death,
    /// The clock jumps: the act of nobody.
    Time,
    /// The queue moves a message to its dead-letter queue.
    DeadLetter,
    /// The queue drops a message at the end of its retention.
    Expire,
    /// Anything else.
    #[default]
    Other,
}

/// A place in the code of a consumer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Place {
    /// As the compiler names it.
    pub file: &'static str,
    /// Counted from 1.
    pub line: u32,
}

impl From<&'static Location<'static>> for Place {
    fn from(location: &'static Location<'static>) -> Self {
        Self {
            file: location.file(),
            line: location.line(),
        }
    }
}

impl fmt::Display for Place {
    /// The name of the file without its folders, and the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file_name(), self.line)
    }
}

impl Place {
    fn file_name(&self) -> &'static str {
        self.file.rsplit(['/', '\\']).next().unwrap_or(self.file)
    }
}

/// The shortest way found to a failure, as a timeline.
///
/// # Examples
/// ```
/// use requeue::{Queue, testing::{Consumer, check}};
/// use proptest::strategy::Just;
///
/// let error = check("jobs", || 0)
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("resize cat.png"))
///     .consumer("resizer", |resized| {
///         let resized = resized.clone();
///         Consumer::each(move |_, _| {
///             *resized.borrow_mut() += 1;
///             Ok::<_, String>(())
///         })
///     })
///     .always("nothing is ever resized", |resized| *resized == 0)
///     .run()
///     .unwrap_err();
/// let story = error.story().unwrap();
/// assert_eq!(story.events.last().unwrap().what, "works on m1: ok");
/// assert_eq!(story.violation, "it does not hold that nothing is ever resized");
/// assert_eq!(story.replay, "run it again, or keep it by regression_file: send 0");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Story {
    /// The events, in order.
    pub events: Vec<Event>,
    /// What was violated, in a sentence.
    pub violation: String,
    /// How to see it again.
    pub replay: String,
}

impl Story {
    /// The story as text, with colours for a terminal or without; [`Display`](fmt::Display) is without.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, testing::{Consumer, check}};
    /// use proptest::strategy::Just;
    ///
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("resize cat.png"))
    ///     .consumer("resizer", |_| Consumer::each(|_, _| -> Result<(), String> { panic!("no disk") }))
    ///     .run()
    ///     .unwrap_err();
    /// let story = error.story().unwrap();
    /// assert!(story.render(true).contains("\u{1b}[31mviolated:\u{1b}[0m resizer panicked on m1 at "));
    /// assert_eq!(story.render(false), story.to_string());
    /// assert!(story.to_string().contains(": no disk\n"));
    /// ```
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let colours = Colours::of(colour);
        let Colours { faint, red, plain, .. } = colours;
        let Self { violation, replay, .. } = self;
        let last_call = self.last_call();
        let mut lines = render::folded_lines(&self.events, colours);
        lines.push(format!("{red}violated:{plain} {violation}{last_call}"));
        lines.push(format!("{faint}replay:   {replay}{plain}\n"));
        lines.join("\n")
    }

    /// The lines that the events are told in: one for each, or the first occurrence of a cycle and one line for all others.
    ///
    /// # Examples
    /// A message that fails every time comes again every 30 s, until it expires after four days:
    /// ```
    /// use requeue::{Queue, testing::{Consumer, Fate, Faults, check}};
    /// use proptest::strategy::Just;
    ///
    /// let error = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("resize cat.png"))
    ///     .consumer("resizer", |_| Consumer::each(|_, _| Err::<(), _>("no disk")))
    ///     .faults(Faults::none())
    ///     .cases(1)
    ///     .finally("all is deleted", |(), messages| messages.iter().all(|it| it.fate == Some(Fate::Deleted)))
    ///     .run()
    ///     .unwrap_err();
    /// let story = error.story().unwrap();
    /// assert!(story.events.len() > 100);
    /// assert_eq!(story.lines().len(), 5);
    /// assert!(story.lines()[3].contains("...  and so on every 30 s, "));
    /// ```
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        render::folded_lines(&self.events, Colours::of(false))
    }

    /// The story as a page of HTML with a picture: a lane for each actor and each queue, time downwards.
    ///
    /// The page needs nothing from elsewhere, runs no script, and follows whether the reader prefers light or dark. Of a
    /// picture of more than 400 rows the middle is left out. [`CaseFailure::save_html`](super::CaseFailure::save_html)
    /// saves it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// # let check = check("jobs", || ())
    /// #     .queue(|| Queue::standard("jobs"))
    /// #     .messages(Just("resize cat.png"))
    /// #     .consumer("resizer", |_| Consumer::each(|_, _| -> Result<(), String> { panic!("no disk") }));
    /// let error = check.run().unwrap_err();
    /// let html = error.story().unwrap().to_html("Pictures & films");
    /// assert!(html.starts_with("<!doctype html>"));
    /// assert!(html.contains("<h1>Pictures &amp; films</h1>"));
    /// ```
    #[must_use]
    pub fn to_html(&self, title: &str) -> String {
        self.page(title, None)
    }

    /// The page with a line more of what else leads to the violation.
    pub(super) fn page(&self, title: &str, also: Option<&str>) -> String {
        picture::page(self, title, also)
    }

    /// Where the actor of the last event last called, in brackets; nothing if its death or the violation tells where it
    /// was, or nobody knows.
    fn last_call(&self) -> String {
        let Some(last) = self.events.last().filter(|it| it.kind != EventKind::Death) else {
            return String::new();
        };
        let mut calls = self.events.iter().rev().filter(|it| it.who == last.who);
        let place = calls.find_map(|it| it.place);
        let unknown = |place: &Place| !self.violation.contains(&format!("{}:", place.file_name()));
        place
            .filter(unknown)
            .map_or_else(String::new, |place| format!(" (last call at {place})"))
    }

    /// Writes the story to standard error, in colour if that is a terminal and `NO_COLOR` is not set.
    ///
    /// # Errors
    /// What writing answers.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::{Consumer, check}};
    /// # use proptest::strategy::Just;
    /// # let check = check("jobs", || ())
    /// #     .queue(|| Queue::standard("jobs"))
    /// #     .messages(Just("resize cat.png"))
    /// #     .consumer("resizer", |_| Consumer::each(|_, _| -> Result<(), String> { panic!("no disk") }));
    /// let error = check.run().unwrap_err();
    /// let written = error.story().unwrap().print();
    /// assert!(written.is_ok());
    /// ```
    pub fn print(&self) -> io::Result<()> {
        let stderr = io::stderr();
        let text = self.render(is_coloured(&stderr));
        stderr.lock().write_all(text.as_bytes())
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
