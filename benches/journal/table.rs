//! Prints what was measured, a row for each contender of a case.

use super::driver::{Form, Options, Scale};

/// A figure of one contender, and what it is compared with.
pub(crate) struct Row {
    pub(crate) contender: &'static str,
    pub(crate) figure: Figure,
    /// What `requeue` takes, divided by what the contender takes.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<Goal>,
}

#[derive(Clone, Copy)]
pub(crate) enum Figure {
    /// Nanoseconds for a message.
    Nanoseconds(f64),
    /// Bytes for a message.
    Bytes(f64),
    /// Bytes of a directory.
    Size(f64),
    Seconds(f64),
}

/// What a row has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The highest ratio.
    Ratio(f64),
    /// The fewest messages in a second.
    PerSecond(f64),
    /// The highest figure, in the figure's own terms.
    AtMost(f64),
}

impl Row {
    pub(crate) fn new(contender: &'static str, figure: Figure) -> Self {
        Self {
            contender,
            figure,
            ratio: None,
            goal: None,
        }
    }

    pub(crate) fn with_goal(self, goal: Goal) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    fn is_met(&self, goal: Goal) -> bool {
        match goal {
            Goal::Ratio(limit) => self.ratio.is_some_and(|ratio| ratio <= limit),
            Goal::PerSecond(least) => self.figure.per_second().is_some_and(|rate| rate >= least),
            Goal::AtMost(limit) => self.figure.number() <= limit,
        }
    }

    fn text(&self, scale: Scale) -> String {
        let ratio = self.ratio.map_or_else(String::new, |ratio| digits(ratio));
        let goal = self.goal.map_or_else(String::new, |goal| {
            let verdict = match (scale.is_judged(), self.is_met(goal)) {
                (false, _) => "",
                (true, true) => ": pass",
                (true, false) => ": MISS",
            };
            format!("{}{verdict}", goal.text(self.figure))
        });
        let row = format!(
            "  {:<52} {:>12} {:>12} {ratio:>7}  {goal}",
            self.contender,
            self.figure.text(),
            self.figure.rate(),
        );
        row.trim_end().to_owned()
    }

    fn json(&self, case: &str, scale: Scale) -> String {
        let mut object = format!(
            r#"{{"case":"{case}","contender":"{}","{}":{:.3}"#,
            self.contender,
            self.figure.name(),
            self.figure.number(),
        );
        if let Some(ratio) = self.ratio {
            object += &format!(r#","ratio":{ratio:.4}"#);
        }
        if let Some(goal) = self.goal {
            object += &format!(r#","goal":"{}""#, goal.text(self.figure));
            if scale.is_judged() {
                object += &format!(r#","met":{}"#, self.is_met(goal));
            }
        }
        object + "}"
    }
}

impl Figure {
    fn number(self) -> f64 {
        match self {
            Self::Nanoseconds(number) | Self::Bytes(number) | Self::Size(number) | Self::Seconds(number) => number,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds(_) => "ns",
            Self::Bytes(_) => "bytes_per_message",
            Self::Size(_) => "bytes",
            Self::Seconds(_) => "seconds",
        }
    }

    fn per_second(self) -> Option<f64> {
        match self {
            Self::Nanoseconds(nanoseconds) => Some(1e9 / nanoseconds),
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Nanoseconds(nanoseconds) => format!("{:.2} us", nanoseconds / 1e3),
            Self::Bytes(bytes) => format!("{bytes:.0} B"),
            Self::Size(bytes) => format!("{:.1} MiB", bytes / f64::from(1 << 20)),
            Self::Seconds(seconds) => format!("{seconds:.3} s"),
        }
    }

    fn rate(self) -> String {
        self.per_second()
            .map_or_else(String::new, |rate| format!("{rate:.0}/s"))
    }
}

impl Goal {
    fn text(self, figure: Figure) -> String {
        match (self, figure) {
            (Self::Ratio(limit), _) => format!("at most {}", digits(limit)),
            (Self::PerSecond(least), _) => format!("at least {least:.0}/s"),
            (Self::AtMost(limit), Figure::Nanoseconds(_)) => format!("at most {}", Figure::Nanoseconds(limit).text()),
            (Self::AtMost(limit), Figure::Bytes(_)) => format!("at most {}", Figure::Bytes(limit).text()),
            (Self::AtMost(limit), Figure::Size(_)) => format!("at most {}", Figure::Size(limit).text()),
            (Self::AtMost(limit), Figure::Seconds(_)) => format!("at most {}", Figure::Seconds(limit).text()),
        }
    }
}

/// A rival that costs many times as much still shows a figure.
fn digits(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else if ratio < 1.0 {
        format!("{ratio:.3}")
    } else {
        format!("{ratio:.2}")
    }
}

pub(crate) fn print(case: &str, what: &str, rows: &[Row], options: &Options) {
    if options.form == Form::Json {
        for row in rows {
            println!("{}", row.json(case, options.scale));
        }
    } else {
        println!("{case}: {what}");
        for row in rows {
            println!("{}", row.text(options.scale));
        }
        println!();
    }
}
