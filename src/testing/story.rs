//! What happened in a case, told so that a person can follow it.

use {
    super::faults::Fault,
    crate::{message::MessageId, time::Timestamp},
    std::{
        collections::HashMap,
        fmt,
        io::{self, IsTerminal, Write},
        rc::Rc,
    },
};

/// One line of a [`Story`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Milliseconds since the case began.
    pub at_millis: u64,
    /// The producer, a consumer, or the queue.
    pub who: String,
    /// What it did, and what came of it.
    pub what: String,
    /// The fault that struck.
    pub fault: Option<Fault>,
}

/// The shortest way found to a failure, as a timeline.
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
    /// The story as text, with colours for a terminal or without.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, testing::{Consumer, check}};
    /// use proptest::strategy::Just;
    ///
    /// let failure = check("jobs", Vec::<String>::new)
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("resize cat.png"))
    ///     .consumer("resizer", |world| {
    ///         let world = world.clone();
    ///         Consumer::each(move |message| {
    ///             world.borrow_mut().push(message.body().to_owned());
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("nothing is ever resized", |world| world.is_empty())
    ///     .run()
    ///     .unwrap_err();
    /// let story = failure.story().unwrap();
    /// assert!(story.render(false).contains("nothing is ever resized"));
    /// assert!(story.events.len() <= 3);
    /// ```
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let (faint, red, bold, plain) = if colour {
            ("\u{1b}[2m", "\u{1b}[31m", "\u{1b}[1m", "\u{1b}[0m")
        } else {
            ("", "", "", "")
        };
        let width = self.events.iter().map(|it| it.who.len()).max().unwrap_or(0);
        let mut text = String::new();
        for Event {
            at_millis,
            who,
            what,
            fault,
        } in &self.events
        {
            let (minutes, seconds, millis) = (at_millis / 60_000, at_millis / 1_000 % 60, at_millis % 1_000);
            let fault = fault.map_or_else(String::new, |fault| format!("  {red}<- {fault}{plain}"));
            let time = format!("{minutes:3}:{seconds:02}.{millis:03}");
            text += &format!("{faint}{time}{plain}  {bold}{who:width$}{plain}  {what}{fault}\n");
        }
        let Self { violation, replay, .. } = self;
        text += &format!("{red}violated:{plain} {violation}\n{faint}replay:   {replay}{plain}\n");
        text
    }

    /// Writes the story to standard error, in colour if that is a terminal.
    ///
    /// # Errors
    /// What writing answers.
    pub fn print(&self) -> io::Result<()> {
        let stderr = io::stderr();
        let text = self.render(stderr.is_terminal());
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
