//! [`Passed`], what a check without a failure has tried.

use {
    crate::testing::{faults::Fault, ledger::Fates},
    std::{collections::BTreeMap, fmt, sync::Arc, time::Duration},
};

/// The result of a check without a failure; as text, what was tried.
///
/// # Examples
/// ```
/// # use requeue::{Queue, testing::{Consumer, Faults, check}};
/// # use proptest::strategy::Just;
/// let passed = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
///     .faults(Faults::none())
///     .cases(100)
///     .run()?;
/// assert_eq!((passed.cases, passed.regressions), (100, 0));
/// assert!(passed.steps > 100 && passed.faults.is_empty());
/// assert!(passed.to_string().starts_with("without faults nothing breaks it ("));
/// # Ok::<(), requeue::testing::CheckError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Passed {
    /// Opportunities for a single fault, or for an action of the outside world, that were tried.
    pub opportunities: u64,
    /// Such opportunities that were left out because there are too many.
    pub left_out: u64,
    /// Schedules run: without a disturbance, with each single one, and with pairs.
    pub schedules: u64,
    /// Those of them with a pair.
    pub pairs: u64,
    /// Whether all pairs were tried: each opportunity with each that follows it.
    pub pairs_complete: bool,
    /// The machine's time that the schedules took; it takes no part in comparisons.
    pub elapsed: Duration,
    /// Random cases run.
    pub cases: u64,
    /// Cases run again that failed once, from a regression file.
    pub regressions: u64,
    /// Steps taken in all schedules and cases, those that bring them to their end included.
    pub steps: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, usize>,
    /// In how many schedules and cases each condition of [`sometimes`](super::Check::sometimes) held.
    pub reached: BTreeMap<Arc<str>, u64>,
    /// What became of the messages.
    pub fates: Fates,
    /// What programs returned where no fault had struck, if it was an error, as
    /// `worker returns: Err("no such queue")`, and in how many schedules and cases.
    pub errors: BTreeMap<String, u64>,
    /// The faults of the check that never struck: there was no opportunity for them.
    pub never_met: Vec<Fault>,
}

impl Passed {
    fn compared(&self) -> impl PartialEq + '_ {
        let Self {
            opportunities,
            left_out,
            schedules,
            pairs,
            pairs_complete,
            elapsed: _,
            cases,
            regressions,
            steps,
            faults,
            reached,
            fates,
            errors,
            never_met,
        } = self;
        let tried = (opportunities, left_out, schedules, pairs, pairs_complete);
        (
            tried,
            cases,
            regressions,
            steps,
            faults,
            reached,
            fates,
            errors,
            never_met,
        )
    }

    /// Schedules and cases run.
    pub(super) const fn all(&self) -> u64 {
        self.cases + self.schedules + self.regressions
    }

    /// What became of the messages; those that are left are in queues from which nobody receives.
    fn told_fates(&self) -> String {
        let Fates {
            messages,
            deleted,
            dead_lettered,
            expired,
            ..
        } = self.fates;
        let left = messages.saturating_sub(deleted + dead_lettered + expired);
        let fates = [
            (deleted, "deleted"),
            (dead_lettered, "dead-lettered"),
            (expired, "expired"),
            (left, "left"),
        ];
        let fates = fates.into_iter().filter(|it| it.0 > 0);
        let fates: Vec<_> = fates
            .map(|(count, what)| format!("{} {what}", Grouped(count)))
            .collect();
        format!("{}: {}", counted(messages, "message"), fates.join(", "))
    }

    /// What the schedules show, without their number.
    fn shown(&self) -> String {
        let Self {
            opportunities,
            pairs,
            pairs_complete,
            ..
        } = self;
        let places = match opportunities {
            1 => "the one opportunity".to_owned(),
            several => format!("any of {} opportunities", Grouped(*several)),
        };
        let at = |disturbed: &str| format!("{disturbed} at {places} breaks it");
        match (opportunities, pairs, pairs_complete) {
            (0, _, _) => "without faults nothing breaks it".to_owned(),
            (_, 0, false) => at("no single fault"),
            (_, _, true) => at("no single fault and no pair"),
            (_, pairs, false) => format!("{}, nor do {} of its pairs", at("no single fault"), Grouped(*pairs)),
        }
    }
}

impl PartialEq for Passed {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for Passed {}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if self.schedules > 0 {
            let seconds = self.elapsed.as_secs_f64();
            let (shown, schedules) = (self.shown(), counted(self.schedules, "schedule"));
            lines.push(format!("{shown} ({schedules}, {seconds:.1} s)"));
        }
        if self.left_out > 0 {
            let further = if self.left_out == 1 {
                "opportunity"
            } else {
                "opportunities"
            };
            lines.push(format!("left out: {} {further}", Grouped(self.left_out)));
        }
        let cases = counted(self.cases, if self.schedules > 0 { "random case" } else { "case" });
        let again = match self.regressions {
            0 => String::new(),
            regressions => format!(", {}", counted(regressions, "regression")),
        };
        lines.push(format!(
            "passed: {cases}{again}, {} in all",
            counted(self.steps, "step")
        ));
        if self.fates.messages > 0 {
            lines.push(self.told_fates());
        }
        for (name, count) in &self.reached {
            lines.push(format!("in {} of them {name}", Grouped(*count)));
        }
        for (error, count) in &self.errors {
            lines.push(format!("without a fault, {} times: {error}", Grouped(*count)));
        }
        if !self.never_met.is_empty() {
            let names: Vec<_> = self.never_met.iter().map(Fault::to_string).collect();
            lines.push(format!("never met: {}", names.join(", ")));
        }
        f.write_str(&lines.join("\n"))
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", Grouped(number))
}

/// A number with its thousands set apart: `38,000`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1_000, self.0 % 1_000) {
            (0, rest) => write!(f, "{rest}"),
            (thousands, rest) => write!(f, "{},{rest:03}", Self(thousands)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed() -> Passed {
        Passed {
            opportunities: 214,
            schedules: 38_000,
            pairs: 37_700,
            pairs_complete: true,
            elapsed: Duration::from_millis(2_400),
            cases: 1_000,
            steps: 1_234_567,
            ..Passed::default()
        }
    }

    #[test]
    fn it_says_what_was_tried() {
        assert_eq!(
            passed().to_string(),
            "no single fault and no pair at any of 214 opportunities breaks it (38,000 schedules, 2.4 s)\n\
             passed: 1,000 random cases, 1,234,567 steps in all"
        );
    }

    #[test]
    fn it_says_what_was_not_tried() {
        let some = Passed {
            pairs_complete: false,
            left_out: 5,
            regressions: 2,
            never_met: vec![Fault::DeleteLate, Fault::OverLimit],
            ..passed()
        };
        assert_eq!(
            some.to_string(),
            "no single fault at any of 214 opportunities breaks it, nor do 37,700 of its pairs (38,000 schedules, 2.4 \
             s)\nleft out: 5 opportunities\npassed: 1,000 random cases, 2 regressions, 1,234,567 steps in all\nnever \
             met: DeleteLate, OverLimit"
        );
        let none = Passed { pairs: 0, ..some };
        let text = none.to_string();
        assert!(
            text.starts_with("no single fault at any of 214 opportunities breaks it (38,000"),
            "{text}"
        );
    }

    #[test]
    fn a_replay_says_nothing_of_schedules() {
        let replayed = Passed {
            cases: 1,
            steps: 7,
            ..Passed::default()
        };
        assert_eq!(replayed.to_string(), "passed: 1 case, 7 steps in all");
    }

    #[test]
    fn time_takes_no_part_in_comparisons() {
        let slower = Passed {
            elapsed: Duration::from_secs(9),
            ..passed()
        };
        assert_eq!(slower, passed());
        assert_ne!(Passed { pairs: 1, ..passed() }, passed());
    }
}
