//! A story as a picture on a page of its own: a lane for each actor and queue, time downwards.

mod lanes;
mod page;
#[cfg(test)]
mod tests;

pub(super) use page::page;

use {
    super::{
        Event, EventKind,
        fold::{Cycle, Row, fold},
        render::{again, instant, span},
    },
    crate::testing::faults::Fault,
    lanes::{LANE, Lanes},
    page::{cut, escaped},
    std::{fmt::Write as _, iter},
};

/// Rows beyond these are left out in the middle.
const MOST_ROWS: usize = 400;
/// Characters of a label; all of it is in its tooltip.
const LONGEST_LABEL: usize = 64;
const LONGEST_TOOLTIP: usize = 400;
/// What a character takes at most on average, in the font and size of the labels.
const CHARACTER: usize = 8;
const HEAD: usize = 48;
const ARROW_ROW: usize = 38;
const POINT_ROW: usize = 28;
const STRIP_ROW: usize = 32;
/// Colours of messages.
const COLOURS: usize = 6;

/// The picture of the events and of what was violated in the end, as an SVG element.
fn svg(events: &[Event], violation: &str) -> String {
    let rows = fold(events);
    let told: Vec<&Event> = shown(&rows)
        .filter_map(|row| match row {
            Shown::Row(Row::Event(at)) => Some(&events[*at]),
            _ => None,
        })
        .collect();
    let mut picture = Picture::new(events, Lanes::of(&told));
    for row in shown(&rows) {
        match row {
            Shown::Row(Row::Event(at)) => picture.event(*at),
            Shown::Row(Row::Again(cycle)) => picture.again(cycle),
            Shown::LeftOut(count) => picture.strip(&format!("... {count} rows left out"), ""),
        }
    }
    picture.finish(violation)
}

enum Shown<'a> {
    Row(&'a Row),
    LeftOut(usize),
}

/// The rows that are drawn: of too many the first and the last.
fn shown(rows: &[Row]) -> impl Iterator<Item = Shown<'_>> {
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    let (begin, rest) = rows.split_at(if left_out > 0 { MOST_ROWS / 2 } else { rows.len() });
    let middle = (left_out > 0).then_some(Shown::LeftOut(left_out));
    let end = &rest[left_out..];
    begin
        .iter()
        .map(Shown::Row)
        .chain(middle)
        .chain(end.iter().map(Shown::Row))
}

struct Picture<'a> {
    events: &'a [Event],
    lanes: Lanes<'a>,
    /// Where the next row begins.
    y: usize,
    /// How far to the right something is drawn.
    width: usize,
    /// The time of the row before.
    millis: Option<u64>,
    /// Where each event is drawn.
    tops: Vec<usize>,
    behind: String,
    front: String,
}

impl<'a> Picture<'a> {
    fn new(events: &'a [Event], lanes: Lanes<'a>) -> Self {
        Self {
            events,
            width: lanes.right(),
            lanes,
            y: HEAD + 12,
            millis: None,
            tops: vec![0; events.len()],
            behind: String::new(),
            front: String::new(),
        }
    }

    /// A row for an event, after one for the time since the row before.
    fn event(&mut self, at: usize) {
        let event = &self.events[at];
        self.time_passes(event.at_millis);
        self.tops[at] = self.y;
        let Some(actor) = self.lanes.actor(event) else {
            return self.strip(&with_fault(event), "bad");
        };
        let tooltip = tooltip(event);
        let _ = write!(self.front, "<g><title>{tooltip}</title>");
        match self.lanes.queue(event) {
            Some(queue) if event.kind == EventKind::Receive => self.arrow(event, queue, actor),
            Some(queue) => self.arrow(event, actor, queue),
            None => self.point(event, actor),
        }
        self.front.push_str("</g>\n");
    }

    fn time_passes(&mut self, now: u64) {
        let before = self.millis.replace(now);
        if before == Some(now) {
            return;
        }
        if let Some(passed) = before.map(|before| now.saturating_sub(before)) {
            let (y, left, right) = (self.y + 12, self.lanes.left(), self.lanes.right());
            let _ = write!(self.behind, "<path class=\"gap\" d=\"M{left} {y}H{right}\"/>");
            self.time(y + 4, "", &format!("+ {}", span(passed)));
            self.y += 26;
        }
        self.time(self.y + 18, " now", &instant(now));
    }

    fn time(&mut self, y: usize, class: &str, time: &str) {
        self.text(self.lanes.left() - 10, y, &format!("t{class}"), time);
    }

    fn text(&mut self, x: usize, y: usize, class: &str, content: &str) {
        let _ = write!(
            self.front,
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{content}</text>"
        );
    }

    /// What an event is about, to the right of `x`.
    fn label(&mut self, event: &Event, x: usize, y: usize) {
        let class = match event.kind {
            EventKind::Note => "note",
            _ => "",
        };
        let fault = event.fault.map_or_else(String::new, |fault| {
            format!("<tspan class=\"f\" dx=\"8\">&#8592; {fault}</tspan>")
        });
        let (what, length) = (
            coloured(&cut(&event.what, LONGEST_LABEL), &event.messages),
            cut(&with_fault(event), LONGEST_LABEL + 28).chars().count(),
        );
        self.text(x, y, class, &format!("{what}{fault}"));
        self.width = self.width.max(x + length * CHARACTER);
    }

    fn arrow(&mut self, event: &Event, from: usize, to: usize) {
        let (from, to) = (self.lanes.x(from), self.lanes.x(to));
        let y = self.y + 25;
        let class = colour(event);
        let toward = |x: usize, by: usize| if to > from { x - by } else { x + by };
        let (tip, dashed) = match event.fault.map(Effect::of) {
            Some(Effect::Lost) => (toward(to, LANE / 4), ""),
            Some(Effect::Late) => (to, " late"),
            _ => (to, ""),
        };
        let (back, lost) = (toward(tip, 9), tip != to);
        let _ = write!(
            self.front,
            "<circle class=\"p {class}\" cx=\"{from}\" cy=\"{y}\" r=\"3\"/>"
        );
        let _ = write!(
            self.front,
            "<path class=\"a {class}{dashed}\" d=\"M{from} {y}H{back}\"/>"
        );
        match lost {
            true => self.cross(back, y, 5, "bad"),
            false => {
                let _ = write!(
                    self.front,
                    "<path class=\"p {class}\" d=\"M{tip} {y}L{back} {}V{}Z\"/>",
                    y - 5,
                    y + 5
                );
            }
        }
        self.label(event, from.min(to) + 10, self.y + 17);
        self.y += ARROW_ROW;
    }

    fn point(&mut self, event: &Event, lane: usize) {
        let (x, y) = (self.lanes.x(lane), self.y + 14);
        match event.kind {
            EventKind::Death => self.cross(x, y, 6, "bad"),
            EventKind::Expire | EventKind::DeadLetter => self.cross(x, y, 6, &colour(event)),
            EventKind::Note => {
                let _ = write!(
                    self.front,
                    "<rect class=\"p\" x=\"{}\" y=\"{}\" width=\"8\" height=\"8\"/>",
                    x - 4,
                    y - 4
                );
            }
            _ => {
                let class = colour(event);
                let _ = write!(
                    self.front,
                    "<circle class=\"p {class}\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"
                );
            }
        }
        self.label(event, x + 12, self.y + 18);
        self.y += POINT_ROW;
    }

    fn cross(&mut self, x: usize, y: usize, half: usize, class: &str) {
        let (left, top, whole) = (x - half, y - half, 2 * half);
        let _ = write!(
            self.front,
            "<path class=\"x {class}\" d=\"M{left} {top}l{whole} {whole}m0 -{whole}l-{whole} {whole}\"/>"
        );
    }

    /// A line of text over all lanes.
    fn strip(&mut self, text: &str, class: &str) {
        let (y, left) = (self.y, self.lanes.left());
        let (top, width) = (y + 3, self.lanes.right() - left);
        let _ = write!(
            self.behind,
            "<rect class=\"strip\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"22\" rx=\"11\"/>"
        );
        self.text(left + 12, y + 18, &format!("s {class}"), &escaped(text));
        self.width = self.width.max(left + 12 + text.chars().count() * CHARACTER);
        self.y += STRIP_ROW;
    }

    /// All further occurrences of what the rows before tell.
    fn again(&mut self, cycle: &Cycle) {
        let (top, left) = (self.tops[cycle.first.start] - 3, self.lanes.left());
        self.strip(&again(cycle, self.events), "");
        let (width, height) = (self.lanes.right() - left, self.y - 7 - top);
        let _ = write!(
            self.behind,
            "<rect class=\"cycle\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"11\"/>"
        );
        self.millis = Some(cycle.last(self.events).at_millis);
    }

    fn finish(mut self, violation: &str) -> String {
        let bottom = self.y + 8;
        let lanes = self.lanes.lines(HEAD, bottom);
        let mut heads = self.lanes.heads(8);
        self.y = bottom;
        if bottom > 1_000 {
            heads += &self.lanes.heads(bottom);
            self.y += HEAD;
        }
        let width = self.width.max(360) + 12;
        for line in wrapped(&format!("violated: {violation}"), (width - 24) / CHARACTER) {
            self.y += 22;
            self.text(12, self.y, "f", &escaped(&line));
        }
        let height = self.y + 14;
        let about = format!("{} events of {}", self.events.len(), self.lanes);
        let Self { behind, front, .. } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"what about\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title id=\"what\">What happened, in order</title>\
             <desc id=\"about\">{}. The same follows as text.</desc>\n{lanes}{behind}\n{heads}\n{front}</svg>",
            escaped(&about)
        )
    }
}

/// How far a call comes that a fault strikes.
enum Effect {
    Whole,
    Lost,
    Late,
}

impl Effect {
    const fn of(fault: Fault) -> Self {
        match fault {
            Fault::DeleteFails
            | Fault::VisibilityFails
            | Fault::BatchEntryFails
            | Fault::SendThrottled
            | Fault::Outage
            | Fault::ReceiveThrottled
            | Fault::ReceiveResponseLost
            | Fault::OverLimit => Self::Lost,
            Fault::DeleteLate | Fault::VisibilityLate | Fault::SendLate => Self::Late,
            _ => Self::Whole,
        }
    }
}

/// The class that an event is coloured by: a fault's, or its message's if it is about one.
fn colour(event: &Event) -> String {
    match (event.fault, &event.messages[..]) {
        (Some(_), _) => "bad".to_owned(),
        (None, [message]) => colour_of(message),
        _ => String::new(),
    }
}

/// The class of `m1`, `m2` and so on; none for another name.
fn colour_of(message: &str) -> String {
    let number: Option<usize> = message.strip_prefix('m').and_then(|it| it.parse().ok());
    number.map_or_else(String::new, |it| format!("c{}", it.saturating_sub(1) % COLOURS))
}

fn with_fault(event: &Event) -> String {
    match event.fault {
        Some(fault) => format!("{} <- {fault}", event.what),
        None => event.what.clone(),
    }
}

fn tooltip(event: &Event) -> String {
    let place = event.place.map_or_else(String::new, |place| format!(" ({place})"));
    let (time, who, what) = (instant(event.at_millis), &event.who, with_fault(event));
    escaped(&cut(&format!("{time} {who} {what}{place}"), LONGEST_TOOLTIP))
}

/// A text, escaped, with the names of messages in their colours.
fn coloured(text: &str, messages: &[String]) -> String {
    let mut html = String::with_capacity(text.len());
    for word in words(text) {
        match messages.iter().find(|it| *it == word) {
            Some(message) => {
                let class = colour_of(message);
                let _ = write!(html, "<tspan class=\"m {class}\">{}</tspan>", escaped(word));
            }
            None => html.push_str(&escaped(word)),
        }
    }
    html
}

/// The words of a text and what is between them, up to the first quotation mark; then the rest.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        let first = rest.chars().next()?;
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        let end = match first {
            '"' => None,
            _ => rest.find(|letter: char| letter == '"' || is_word(letter) != is_word(first)),
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(word)
    })
}

/// A text in lines of at most `longest` characters, where its words allow it.
fn wrapped(text: &str, longest: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < longest => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
