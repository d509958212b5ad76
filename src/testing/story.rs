//! What happened, told line by line so that a person can follow it: the story of a case, and every other timeline.

use {
    super::faults::Fault,
    crate::{message::MessageId, time::Timestamp},
    std::{
        collections::HashMap,
        env, fmt,
        io::{self, IsTerminal, Write},
        rc::Rc,
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
#[derive(Clone, Debug, Eq, PartialEq)]
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
}

/// The codes that a terminal colours text by, or none.
#[derive(Clone, Copy)]
pub(super) struct Colours {
    faint: &'static str,
    red: &'static str,
    bold: &'static str,
    plain: &'static str,
}

impl Colours {
    pub(super) const fn of(colour: bool) -> Self {
        if colour {
            Self {
                faint: "\u{1b}[2m",
                red: "\u{1b}[31m",
                bold: "\u{1b}[1m",
                plain: "\u{1b}[0m",
            }
        } else {
            Self {
                faint: "",
                red: "",
                bold: "",
                plain: "",
            }
        }
    }
}

/// Whether a stream is a terminal, and nobody asked for no colour.
pub(super) fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// Minutes, seconds and milliseconds since the beginning.
pub(super) fn instant(millis: u64) -> String {
    format!("{}:{:02}.{:03}", millis / 60_000, millis / 1_000 % 60, millis % 1_000)
}

/// A line for each event: when, who, what, and an arrow to the fault that struck.
pub(super) fn lines(events: &[Event], colours: Colours) -> Vec<String> {
    let Colours {
        faint,
        red,
        bold,
        plain,
    } = colours;
    let width = events.iter().map(|it| it.who.len()).max().unwrap_or(0);
    let line = |event: &Event| {
        let (time, who, what) = (instant(event.at_millis), &event.who, &event.what);
        let fault = event
            .fault
            .map_or_else(String::new, |fault| format!("  {red}<- {fault}{plain}"));
        format!("{faint}{time:>10}{plain}  {bold}{who:width$}{plain}  {what}{fault}")
    };
    events.iter().map(line).collect()
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
/// assert!(story.replay.starts_with("seed 0, case "));
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
    /// assert!(story.render(true).contains("\u{1b}[31mviolated:\u{1b}[0m resizer panicked on m1: no disk"));
    /// assert_eq!(story.render(false), story.to_string());
    /// assert!(story.to_string().contains("violated: resizer panicked on m1: no disk"));
    /// ```
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let colours = Colours::of(colour);
        let Colours { faint, red, plain, .. } = colours;
        let Self { violation, replay, .. } = self;
        let mut lines = lines(&self.events, colours);
        lines.push(format!("{red}violated:{plain} {violation}"));
        lines.push(format!("{faint}replay:   {replay}{plain}\n"));
        lines.join("\n")
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

/// Counts the events of a case, and keeps them if they are to be told.
#[derive(Default)]
pub(super) struct Log {
    pub(super) recording: bool,
    pub(super) count: usize,
    pub(super) events: Vec<Event>,
    begin: Timestamp,
    names: HashMap<MessageId, usize>,
}

impl Log {
    pub(super) fn new(recording: bool, begin: Timestamp) -> Self {
        Self {
            recording,
            begin,
            ..Self::default()
        }
    }

    /// Names a message m1, m2 and so on, in the order of their first mention.
    pub(super) fn introduce(&mut self, message: MessageId) {
        let next = self.names.len() + 1;
        self.names.entry(message).or_insert(next);
    }

    pub(super) fn name(&self, message: MessageId) -> String {
        match self.names.get(&message) {
            Some(number) => format!("m{number}"),
            None => "an unknown message".to_owned(),
        }
    }

    pub(super) fn add(&mut self, at: Timestamp, who: &Rc<str>, fault: Option<Fault>, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.recording {
            self.events.push(Event {
                at_millis: at.as_millis().saturating_sub(self.begin.as_millis()),
                who: who.to_string(),
                what: what(),
                fault,
            });
        }
    }
}
