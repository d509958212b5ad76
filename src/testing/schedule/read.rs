//! Schedules read from text.

use {
    super::{
        CaseSchedule, Plan, PlannedMessage, ScheduleError, VERSION,
        words::{self, Problem, Read, Words, number},
    },
    crate::{
        message::{AttributeContent, MessageAttributeValue, SendMessage},
        testing::{
            faults::Fault,
            source::{Step, Strike},
        },
    },
    data_encoding::HEXLOWER_PERMISSIVE,
    std::str::FromStr,
};

/// The word that ends a schedule.
const END: &str = "end";

const ONCE: &str = "this setting only once";

impl FromStr for CaseSchedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let mut lines = words::lines(text);
        let schedule = Self::read(&mut lines)?;
        match lines.next() {
            Some((line, text)) => Err(refused(line, Words::new(text).expected("nothing after the end"))),
            None => Ok(schedule),
        }
    }
}

impl CaseSchedule {
    /// Reads the lines of a schedule up to its `end`.
    pub(in crate::testing) fn read<'a>(
        lines: &mut impl Iterator<Item = (usize, &'a str)>,
    ) -> Result<Self, ScheduleError> {
        let first = lines.next().map_or("", |it| it.1);
        let first = first.split('#').next().unwrap_or_default().trim_end();
        if first != VERSION {
            let found = first.to_owned();
            return Err(ScheduleError::Version { found });
        }
        let mut reading = Reading::default();
        loop {
            let (line, text) = lines.next().ok_or(ScheduleError::Truncated)?;
            match reading.line(line, Words::new(text)) {
                Ok(false) => {}
                Ok(true) => return reading.finish(),
                Err(_) if lines.next().is_none() => return Err(ScheduleError::Truncated),
                Err(problem) => return Err(refused(line, problem)),
            }
        }
    }
}

fn refused(line: usize, problem: Problem) -> ScheduleError {
    let Problem { column, text, expected } = problem;
    ScheduleError::Line {
        line,
        column,
        text,
        expected: expected.into_owned(),
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reading<'a> {
    seed: Option<u64>,
    variant: Option<usize>,
    shards: Option<usize>,
    messages: Vec<PlannedMessage>,
    steps: Vec<Step>,
    /// The greatest number of a message that is sent, and where: its message may follow.
    last_sent: Option<(usize, usize, Words<'a>)>,
}

impl<'a> Reading<'a> {
    /// Whether it is the last line.
    fn line(&mut self, line: usize, mut words: Words<'a>) -> Read<bool> {
        const EXPECTED: &str = "one of seed, variant, shards, message, send, turn, wait, act, run, end";
        let begin = words;
        match words.word(EXPECTED, Some)? {
            END => {
                words.end()?;
                return Ok(true);
            }
            "message" => self.messages.push(message(&mut words)?),
            "seed" => setting(&mut self.seed, &mut words, "a number below 2^64", number)?,
            "variant" => setting(&mut self.variant, &mut words, "the number of a variant", number)?,
            "shards" => setting(&mut self.shards, &mut words, "a number from 1 to 100", shards)?,
            keyword => {
                let step = step(keyword, &mut words)?.ok_or_else(|| begin.expected(EXPECTED))?;
                if let Step::Send { message, .. } = step {
                    if self.last_sent.is_none_or(|(greatest, ..)| message > greatest) {
                        self.last_sent = Some((message, line, begin));
                    }
                }
                self.steps.push(step);
            }
        }
        words.end()?;
        Ok(false)
    }

    fn finish(self) -> Result<CaseSchedule, ScheduleError> {
        let count = self.messages.len();
        if let Some((message, line, words)) = self.last_sent {
            if message >= count {
                let expected = format!("the number of a message, counted from 0, of which there are {count}");
                return Err(refused(line, words.expected(expected)));
            }
        }
        Ok(CaseSchedule {
            plan: Plan {
                seed: self.seed.unwrap_or(0),
                variant: self.variant.unwrap_or(0),
                shards: self.shards.unwrap_or(1),
                messages: self.messages,
            },
            steps: self.steps,
        })
    }
}

fn setting<T>(
    place: &mut Option<T>,
    words: &mut Words<'_>,
    expected: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Read<()> {
    if place.is_some() {
        return Err(words.expected(ONCE));
    }
    *place = Some(words.word(expected, read)?);
    Ok(())
}

fn shards(word: &str) -> Option<usize> {
    number(word).filter(|shards| (1..=100).contains(shards))
}

/// `None` for another keyword.
fn step(keyword: &str, words: &mut Words<'_>) -> Read<Option<Step>> {
    let step = match keyword {
        "send" => Step::Send {
            message: words.number("the number of a message")?,
            strike: strike(words)?,
        },
        "turn" => Step::Turn {
            consumer: words.number("the number of a consumer")?,
            strike: strike(words)?,
        },
        "wait" => Step::Advance {
            millis: millis(words)?,
            strike: strike(words)?,
        },
        "act" => Step::Action {
            action: words.number("the number of an action")?,
            strike: strike(words)?,
        },
        "run" => run(words)?,
        _ => return Ok(None),
    };
    Ok(Some(step))
}

fn millis(words: &mut Words<'_>) -> Read<u64> {
    words.has_more()?;
    let begin = *words;
    let time = words.duration()?;
    let whole = time.subsec_nanos() % 1_000_000 == 0;
    let millis = u64::try_from(time.as_millis()).ok().filter(|_| whole);
    millis.ok_or_else(|| begin.expected("whole milliseconds, less than 2^64"))
}

fn run(words: &mut Words<'_>) -> Read<Step> {
    const EXPECTED: &str = "until and a fault, or a number of acts";
    words.has_more()?;
    if words.peek() != "until" {
        let acts = words.number(EXPECTED)?;
        return Ok(Step::RunFor { acts });
    }
    words.word(EXPECTED, Some)?;
    let strike = strike(words)?.ok_or_else(|| words.expected(a_fault()))?;
    Ok(Step::RunUntil { strike })
}

/// The fault that strikes, if any, and how many opportunities it lets pass.
fn strike(words: &mut Words<'_>) -> Read<Option<Strike>> {
    if !words.has_more()? {
        return Ok(None);
    }
    let fault = words.word(a_fault(), |word| word.parse::<Fault>().ok())?;
    let passed = if words.has_more()? {
        words.number("how many opportunities the fault lets pass")?
    } else {
        0
    };
    Ok(Some(Strike { fault, passed }))
}

fn a_fault() -> String {
    let names: Vec<_> = Fault::ALL.iter().map(ToString::to_string).collect();
    format!("a fault, one of {}", names.join(", "))
}

fn message(words: &mut Words<'_>) -> Read<PlannedMessage> {
    const KEYS: &str = "one of to=, group=, deduplication=, delay=, trace=, string=, binary=";
    words.has_more()?;
    let mut message = SendMessage::new(words.text()?);
    let (mut queue, mut keys) = (0, Vec::new());
    while words.has_more()? {
        let begin = *words;
        let key = words.word(KEYS, Some)?;
        if words.sign('=').is_err() {
            return Err(begin.expected(KEYS));
        }
        if keys.contains(&key) {
            return Err(begin.expected(ONCE));
        }
        message = match key {
            "string" | "binary" => {
                message = attribute(message, key, words)?;
                continue;
            }
            "to" => {
                queue = words.number("the number of a queue")?;
                message
            }
            "group" => message.message_group_id(words.text()?),
            "deduplication" => message.message_deduplication_id(words.text()?),
            "trace" => message.aws_trace_header(words.text()?),
            "delay" => message.delay(words.duration()?),
            _ => return Err(begin.expected(KEYS)),
        };
        keys.push(key);
    }
    Ok(PlannedMessage { message, queue })
}

/// Name, type and value, with colons between them.
fn attribute(message: SendMessage, kind: &str, words: &mut Words<'_>) -> Read<SendMessage> {
    let begin = *words;
    let name = words.text()?;
    if message.get_attributes().get(&name).is_some() {
        return Err(begin.expected("each name of an attribute only once"));
    }
    words.sign(':')?;
    let data_type = words.text()?;
    words.sign(':')?;
    let begin = *words;
    let value = words.text()?;
    let content = if kind == "string" {
        AttributeContent::from(&*value)
    } else {
        let bytes = HEXLOWER_PERMISSIVE.decode(value.as_bytes());
        AttributeContent::from(bytes.map_err(|_| begin.expected("bytes as pairs of hexadecimal digits"))?)
    };
    Ok(message.attribute(name, MessageAttributeValue::new(data_type, content)))
}
