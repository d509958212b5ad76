//! The table at the end.

use {
    crate::{files::Shown, tally::Tally},
    std::{collections::BTreeSet, sync::Arc, time::Duration},
};

/// What the run came to.
pub(crate) struct Outcome<'a> {
    pub(crate) tally: &'a Tally,
    /// What is in the dead-letter queue at the end.
    pub(crate) dead: BTreeSet<Arc<str>>,
    /// Links and the like.
    pub(crate) passed_over: usize,
    pub(crate) unlisted: &'a [(String, String)],
    /// All of it.
    pub(crate) elapsed: Duration,
    /// From the first send until the last job of the first round that could be done was.
    pub(crate) working: Duration,
    pub(crate) done_while_working: usize,
}

impl Outcome<'_> {
    /// Whether every file below the root is done or a dead letter.
    pub(crate) fn is_complete(&self) -> bool {
        self.tally.refused.is_empty() && self.unlisted.is_empty() && self.unaccounted() == 0
    }

    fn unaccounted(&self) -> usize {
        self.tally.unaccounted(&self.dead).count()
    }

    pub(crate) fn lines(&self, most: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(
            self.table()
                .into_iter()
                .map(|(name, value)| format!("{name:<26}{value:>14}")),
        );
        lines.push(format!("sha256 over the lines of sha256sum: {}", self.tally.sha256()));
        let dead = self.dead.iter().map(|path| (&**path, self.tally.reason(path)));
        list(&mut lines, "dead letters", dead, most);
        let refused = self.tally.refused.iter().map(|(name, reason)| (&**name, &**reason));
        list(&mut lines, "not sent", refused, most);
        let lost = self
            .tally
            .unaccounted(&self.dead)
            .map(|path| (path, "neither done nor a dead letter"));
        list(&mut lines, "unaccounted for", lost, most);
        let unlisted = self.unlisted.iter().map(|(name, reason)| (&**name, &**reason));
        list(&mut lines, "not listed", unlisted, most);
        lines
    }

    fn table(&self) -> Vec<(&'static str, String)> {
        let tally = self.tally;
        let sum = |part: fn(&crate::measure::Measured) -> u64| thousands(tally.done.values().map(part).sum());
        let count = |count: usize| thousands(count as u64);
        let rate = self.done_while_working as f64 / self.working.max(Duration::from_millis(1)).as_secs_f64();
        vec![
            ("jobs", count(tally.sent.len())),
            ("  done", count(tally.done.len())),
            ("  dead letters", count(self.dead.len())),
            ("  unaccounted for", count(self.unaccounted())),
            ("files not sent", count(tally.refused.len())),
            ("links and the like", count(self.passed_over)),
            ("bytes", sum(|file| file.bytes)),
            ("lines", sum(|file| file.lines)),
            ("words", sum(|file| file.words)),
            ("receives", thousands(tally.receives)),
            ("  retries", thousands(tally.retries)),
            ("duplicates", thousands(tally.duplicates)),
            ("timeouts extended", thousands(tally.extensions)),
            ("elapsed", format!("{:.2} s", self.elapsed.as_secs_f64())),
            (
                "  until the last was done",
                format!("{:.3} s", self.working.as_secs_f64()),
            ),
            ("messages/s until then", thousands(rate.round() as u64)),
        ]
    }
}

fn list<'a>(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = (&'a str, &'a str)>, most: usize) {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return;
    }
    lines.push(format!("{title}:"));
    lines.extend(
        items
            .by_ref()
            .take(most)
            .map(|(name, what)| format!("  {}: {what}", Shown(name))),
    );
    let more = items.count() as u64;
    if more > 0 {
        lines.push(format!("  and {} more, see --all", thousands(more)));
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
