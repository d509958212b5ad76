//! Schedules and their parts as text.

use {
    super::{
        CaseSchedule, PlannedMessage, VERSION,
        words::{Text, Time},
    },
    crate::testing::source::{Step, Strike},
    data_encoding::HEXLOWER,
    std::{fmt, time::Duration},
};

impl fmt::Display for CaseSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, steps } = self;
        writeln!(f, "{VERSION}")?;
        writeln!(f, "seed {}", plan.seed)?;
        if plan.variant > 0 {
            writeln!(f, "variant {}", plan.variant)?;
        }
        if plan.shards > 1 {
            writeln!(f, "shards {}", plan.shards)?;
        }
        for message in &plan.messages {
            writeln!(f, "{message}")?;
        }
        for step in steps {
            writeln!(f, "{step}")?;
        }
        writeln!(f, "end")
    }
}

impl fmt::Display for PlannedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, queue } = self;
        write!(f, "message {:?}", message.body())?;
        if *queue > 0 {
            write!(f, " to={queue}")?;
        }
        let texts = [
            ("group", message.get_message_group_id()),
            ("deduplication", message.get_message_deduplication_id()),
            ("trace", message.get_aws_trace_header()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                write!(f, " {key}={}", Text(text))?;
            }
        }
        if let Some(delay) = message.get_delay() {
            write!(f, " delay={}", Time(delay))?;
        }
        for (name, value) in message.get_attributes().iter() {
            let bytes = value.binary_value().map(|bytes| HEXLOWER.encode(bytes));
            let kind = if bytes.is_some() { "binary" } else { "string" };
            let content = bytes.as_deref().or_else(|| value.string_value()).unwrap_or_default();
            write!(
                f,
                " {kind}={}:{}:{}",
                Text(name),
                Text(value.data_type()),
                Text(content)
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { message, .. } => write!(f, "send {message}")?,
            Self::Turn { consumer, .. } => write!(f, "turn {consumer}")?,
            Self::Advance { millis, .. } => write!(f, "wait {}", Time(Duration::from_millis(*millis)))?,
            Self::Action { action, .. } => write!(f, "act {action}")?,
            Self::RunUntil { .. } => f.write_str("run until")?,
            Self::RunFor { acts } => write!(f, "run {acts}")?,
        }
        match self.strike() {
            Some(Strike { fault, passed: 0 }) => write!(f, " {fault}"),
            Some(Strike { fault, passed }) => write!(f, " {fault} {passed}"),
            None => Ok(()),
        }
    }
}
