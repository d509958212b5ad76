//! The lanes of a picture: one for each actor and each queue, in the order in which they are first heard of.

use {
    super::{
        super::{Event, EventKind, render::instant},
        page::{cut, escaped},
    },
    std::fmt::{self, Write as _},
};

/// From one lane to the next.
pub(super) const LANE: usize = 132;
/// What a character of a time takes at most.
const DIGIT: usize = 7;
const LONGEST_NAME: usize = 15;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Lane<'a> {
    name: &'a str,
    is_queue: bool,
}

impl<'a> Lane<'a> {
    /// Whose act it is: none if it is nobody's.
    fn actor(event: &'a Event) -> Option<Self> {
        let who = event.who.as_str();
        let (name, is_queue) = match event.kind {
            EventKind::Time => return None,
            EventKind::DeadLetter | EventKind::Expire => (event.queue.as_deref().unwrap_or(who), true),
            _ => (who, false),
        };
        Some(Self { name, is_queue })
    }

    /// The queue that the act passes something to, or from.
    fn queue(event: &'a Event) -> Option<Self> {
        let passes = matches!(
            event.kind,
            EventKind::Send | EventKind::Receive | EventKind::Delete | EventKind::Visibility
        );
        let name = event.queue.as_deref().filter(|_| passes)?;
        Some(Self { name, is_queue: true })
    }
}

pub(super) struct Lanes<'a> {
    lanes: Vec<Lane<'a>>,
    /// Where the times end and the first lane begins.
    left: usize,
}

impl<'a> Lanes<'a> {
    pub(super) fn of(events: &[&'a Event]) -> Self {
        let mut lanes = Vec::new();
        for lane in events
            .iter()
            .flat_map(|it| [Lane::actor(it), Lane::queue(it)])
            .flatten()
        {
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        let times = events.iter().map(|it| instant(it.at_millis).len());
        let longest = times.max().unwrap_or(0).max("0:00.000".len());
        let left = 22 + longest * DIGIT;
        Self { lanes, left }
    }

    /// The place of the lane of the one who acts; none if it is the act of nobody.
    pub(super) fn actor(&self, event: &Event) -> Option<usize> {
        let lane = Lane::actor(event)?;
        self.lanes.iter().position(|it| *it == lane)
    }

    pub(super) fn queue(&self, event: &Event) -> Option<usize> {
        let lane = Lane::queue(event)?;
        self.lanes.iter().position(|it| *it == lane)
    }

    /// The middle of a lane.
    pub(super) const fn x(&self, lane: usize) -> usize {
        self.left + LANE / 2 + lane * LANE
    }

    /// Where the first lane begins.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// Where the last lane ends.
    pub(super) fn right(&self) -> usize {
        self.left + self.lanes.len().max(1) * LANE
    }

    pub(super) fn lines(&self, top: usize, bottom: usize) -> String {
        let mut svg = String::new();
        for lane in 0..self.lanes.len() {
            let _ = write!(svg, "<path class=\"l\" d=\"M{} {top}V{bottom}\"/>", self.x(lane));
        }
        svg
    }

    /// The names of the lanes.
    pub(super) fn heads(&self, top: usize) -> String {
        let (mut svg, width) = (String::new(), LANE - 12);
        for (place, Lane { name, is_queue }) in self.lanes.iter().enumerate() {
            let (x, y) = (self.x(place), top + 21);
            let left = x - width / 2;
            let (class, round, sort) = match is_queue {
                true => ("head queue", 3, "queue "),
                false => ("head", 16, ""),
            };
            let _ = write!(
                svg,
                "<g><title>{sort}{}</title><rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" \
                 height=\"32\" rx=\"{round}\"/>",
                escaped(name),
            );
            if *is_queue {
                let (first, last) = (left + 7, left + width - 7);
                let bottom = top + 32;
                let _ = write!(
                    svg,
                    "<path class=\"side\" d=\"M{first} {top}V{bottom}M{last} {top}V{bottom}\"/>"
                );
            }
            let name = escaped(&cut(name, LONGEST_NAME));
            let _ = write!(svg, "<text class=\"name\" x=\"{x}\" y=\"{y}\">{name}</text></g>");
        }
        svg
    }
}

impl fmt::Display for Lanes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Lane { name, is_queue }) in self.lanes.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let sort = if *is_queue { "queue " } else { "" };
            write!(f, "{comma}{sort}{name}")?;
        }
        Ok(())
    }
}
