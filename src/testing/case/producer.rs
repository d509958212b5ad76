//! The producer, and the outside world.

use {
    super::{Case, Held, Unfit},
    crate::{
        error::SendError,
        message::SendMessage,
        testing::{
            consumer::Context,
            faults::Fault,
            ledger::{Actor, Property, Violation},
            log::Told,
            net::{MOST_OF_A_BODY, Port, Pulse},
            quiet::quietly,
            story::EventKind,
            watchdog::Call,
            wire::{CallError, Wire},
        },
    },
    std::sync::Arc,
};

const PRODUCER: &str = "producer";

impl<W> Case<'_, W> {
    /// The producer sends a message; without an answer it sends it again, with the same deduplication id if there is one.
    pub(super) fn send(&mut self, message: usize) -> Held {
        if self.sent.get(message) != Some(&false) {
            return Ok(());
        }
        self.sent[message] = true;
        let fault = self.choose(Wire::SEND);
        self.send_once(message, fault, "")?;
        match fault {
            Some(_) => self.send_once(message, None, " again"),
            None => Ok(()),
        }
    }

    fn send_once(&mut self, number: usize, fault: Option<Fault>, again: &str) -> Held {
        let planned = &self.plan.messages[number];
        let (line, message) = (planned.queue.min(self.net.lines.len() - 1), planned.message.clone());
        let told = told(&message);
        let result = self.net.lines[line].wire.send(message, fault, Arc::from(PRODUCER));
        match &result {
            Err(CallError::Refused(SendError::QueueDoesNotExist)) => {
                return Err(Violation::new(Property::NoneDisappears, "the queue was deleted"));
            }
            Err(CallError::Refused(error)) => {
                self.unfit = Some(Unfit::Message(error.clone()));
                return Err(Violation::new(Property::NoneDisappears, "a message was refused"));
            }
            _ => {}
        }
        let before = self.ledgers[line].len();
        self.note_facts(Actor::Kit)?;
        let is_new = self.ledgers[line].len() > before;
        let newest = self.ledgers[line].newest().map(ToOwned::to_owned).filter(|_| is_new);
        let queue = Arc::clone(&self.net.lines[line].name);
        self.net.tell(PRODUCER, fault, |_| {
            let what = match (&newest, &result) {
                (Some(name), Ok(_)) => format!("sends {name} {told}{again}"),
                (Some(name), Err(_)) => format!("sends {name} {told}{again}: no answer"),
                (None, Ok(_)) => format!("sends {told}{again}: a duplicate"),
                (None, Err(error)) => format!("sends {told}{again}: {error}"),
            };
            Told::from(what).of(&queue, newest.clone()).kind(EventKind::Send)
        });
        Ok(())
    }

    /// The outside world acts.
    pub(super) fn act(&mut self, action: usize) -> Held {
        let Some(config) = self.setup.actions.get(action) else {
            return Ok(());
        };
        self.net.tell("world", None, |_| config.name.to_string());
        let pulse = Arc::new(Pulse::default());
        let context = Context {
            port: Port {
                net: Arc::clone(&self.net),
                pulse: Arc::clone(&pulse),
                name: Arc::from("world"),
                line: 0,
            },
        };
        let acted = quietly(Call::Action(action), || (config.act)(&self.world, &context));
        if let Err(panic) = acted {
            let sentence = format!("the action {:?} panicked{panic}", config.name);
            return Err(Violation::new(Property::NoConsumerPanics, sentence));
        }
        self.note_facts(Actor::Kit)
    }
}

fn told(message: &SendMessage) -> String {
    let group = message.get_message_group_id();
    let group = group.map_or_else(String::new, |group| format!(" of group {group}"));
    let body: String = message.body().chars().take(MOST_OF_A_BODY).collect();
    format!("{body:?}{group}")
}
