//! Checks of producers.

use {
    super::{
        at::{At, Span},
        faults::{self, Calls},
        queue::known,
    },
    crate::{
        error::check,
        limits::Limits,
        sim::scenario::{Arrivals, Groups, Producer, QueueConfig, Scenario, ScenarioError, TraceEntry, build::is_fifo},
    },
};

/// Hours of a day and of a week.
const HOURS: [usize; 2] = [24, 168];

/// Each group has a name and a place in the statistics.
const MAX_GROUPS: usize = 1_000_000;

type Checked = Result<(), ScenarioError>;

pub(super) fn check(at: &At<'_>, producer: &Producer, scenario: &Scenario) -> Checked {
    known(&at.to("queue"), &producer.queue, scenario)?;
    let (fifo, limits) = (is_fifo(&producer.queue), Limits::default());
    arrivals(&at.to("arrivals"), &producer.arrivals)?;
    groups(&at.to("groups"), &producer.groups)?;
    at.to("poison_share").share(producer.poison_share)?;
    at.to("batch_size")
        .count(producer.batch_size, 1..=limits.batch_entries)?;
    at.to("batch_window").span(producer.batch_window)?;
    faults::check(&at.to("faults"), &producer.faults, &producer.queue, Calls::OfProducers)?;
    if producer.batch_size > 1 && !producer.faults.is_empty() {
        let size = producer.batch_size;
        return Err(at
            .to("faults")
            .fail(format!("the batch size is {size}, with faults of sends it has to be 1")));
    }
    if let Some(delay) = producer.delay {
        let at = at.to("delay");
        if fifo {
            return Err(at.fail(format!(
                "messages of the FIFO queue {:?} cannot have a delay of their own, set `delay` of the queue",
                producer.queue
            )));
        }
        at.spans(delay, Default::default(), limits.delay)?;
    }
    sizes(at, producer, scenario.queue.get(&producer.queue), &limits)
}

fn arrivals(at: &At<'_>, arrivals: &Arrivals) -> Checked {
    let parent = at;
    match arrivals {
        Arrivals::Constant { rate } => parent.to("constant").to("rate").rate(*rate),
        Arrivals::Poisson { rate } => parent.to("poisson").to("rate").rate(*rate),
        Arrivals::Profile { rates } => profile(&parent.to("profile"), rates),
        Arrivals::Bursts {
            rate,
            off_rate,
            mean_on,
            mean_off,
        } => {
            let at = parent.to("bursts");
            at.to("rate").rate(*rate)?;
            at.to("off_rate").rate_or_zero(*off_rate)?;
            at.to("mean_on").span_above_zero(*mean_on)?;
            at.to("mean_off").span_above_zero(*mean_off)
        }
        Arrivals::Trace { entries, file } => {
            let at = parent.to("trace");
            if entries.is_empty() {
                let whose = file
                    .as_ref()
                    .map_or_else(|| "the trace".to_owned(), |it| it.display().to_string());
                return Err(at.fail(format!("{whose} has no message, it has to have at least 1")));
            }
            trace(&at.to("entries"), entries)
        }
    }
}

fn profile(at: &At<'_>, rates: &[f64]) -> Checked {
    let at = at.to("rates");
    if !HOURS.contains(&rates.len()) {
        let [day, week] = HOURS;
        let count = rates.len();
        return Err(at.fail(format!(
            "the profile has {count} rates, it has to have one for each hour of a day ({day}) or a week ({week})"
        )));
    }
    for (hour, rate) in rates.iter().enumerate() {
        at.entry(hour).rate_or_zero(*rate)?;
    }
    if rates.iter().all(|rate| *rate == 0.0) {
        return Err(at.fail("all rates of the profile are 0, at least one has to be more than 0"));
    }
    Ok(())
}

fn trace(at: &At<'_>, entries: &[TraceEntry]) -> Checked {
    let limits = Limits::default();
    for (place, pair) in entries.windows(2).enumerate() {
        if pair[1].time < pair[0].time {
            let entry = at.entry(place + 1);
            let (time, before) = (Span(pair[1].time), Span(pair[0].time));
            return Err(entry
                .to("time")
                .refuse(time, format_args!("that of the entry before, {before}, or later")));
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        let invalid = |group| check::check_id("MessageGroupId", group, &limits).err();
        if let Some(error) = entry.group.as_deref().and_then(invalid) {
            return Err(at.entry(place).to("group").fail(error.to_string()));
        }
    }
    match entries.last() {
        Some(last) => at.entry(entries.len() - 1).to("time").span(last.time),
        None => Ok(()),
    }
}

fn groups(at: &At<'_>, groups: &Groups) -> Checked {
    let parent = at;
    match *groups {
        Groups::None => Ok(()),
        Groups::Equal { count } => parent.to("equal").to("count").count(count, 1..=MAX_GROUPS),
        Groups::Zipf { count, exponent } => {
            let at = parent.to("zipf");
            at.to("count").count(count, 1..=MAX_GROUPS)?;
            at.to("exponent").not_negative(exponent)
        }
        Groups::Noisy { count, share } => {
            let at = parent.to("noisy");
            at.to("count").count(count, 2..=MAX_GROUPS)?;
            at.to("share").share(share)
        }
    }
}

/// Each body fits the queue, and each batch a call.
fn sizes(at: &At<'_>, producer: &Producer, queue: Option<&QueueConfig>, limits: &Limits) -> Checked {
    let most = queue.and_then(|it| it.maximum_message_size);
    let most = most.unwrap_or(limits.maximum_message_size_default);
    at.to("bytes").count(producer.bytes, 1..=most)?;
    let batch = producer.batch_size;
    let check_batch = |at: &At<'_>, sum: usize| {
        let limit = limits.batch_bytes;
        let words = || {
            at.fail(format!(
                "a batch of {batch} messages has up to {sum} bytes, it may have at most {limit}"
            ))
        };
        if sum > limit { Err(words()) } else { Ok(()) }
    };
    let Arrivals::Trace { entries, .. } = &producer.arrivals else {
        return check_batch(&at.to("batch_size"), batch.saturating_mul(producer.bytes));
    };
    let (arrivals, bytes) = (at.to("arrivals"), |entry: &TraceEntry| {
        entry.bytes.unwrap_or(producer.bytes)
    });
    let trace = arrivals.to("trace");
    let at = trace.to("entries");
    let mut sum = 0_usize;
    for (place, entry) in entries.iter().enumerate() {
        if !(1..=most).contains(&bytes(entry)) {
            return at.entry(place).to("bytes").count(bytes(entry), 1..=most);
        }
        // A batch can begin with any entry.
        sum += bytes(entry);
        if let Some(before) = place.checked_sub(batch) {
            sum -= bytes(&entries[before]);
        }
        if sum > limits.batch_bytes {
            return check_batch(&at.entry(place).to("bytes"), sum);
        }
    }
    Ok(())
}
