//! Which way a step takes, by what was drawn and what was answered.

use std::collections::BTreeSet;

use requeue::{Message, MessageId};

use crate::compare::{Fault, Pair, Same, same};
use crate::reference::*;
use crate::steps::Step;
use crate::ways::{self, Budget, Setting};

impl Pair {
    /// What the setting and the moment make of a step.
    pub(crate) fn count_step(&self, step: &Step) {
        let Some(verb) = ways::verb(step) else { return };
        let Setting { listener, budget, .. } = self.setting;
        let reach = |way| self.ways.reach(verb, way);
        reach(if listener {
            "with a listener"
        } else {
            "without a listener"
        });
        reach(match budget {
            Budget::None => "without a budget",
            Budget::Messages(_) => "with a budget of messages",
            Budget::Bytes(_) => "with a budget of bytes",
        });
        reach(if self.waiters.is_empty() {
            "while nobody waits"
        } else {
            "while a receiver waits"
        });
        if self.much_due {
            reach("with more due than one step does");
        }
    }

    /// The message of a handle, if this call takes messages and not handles.
    pub(crate) fn by_value(&self, verb: &'static str, queue: usize, handle: Handle) -> Option<&Message> {
        let place = self.handles.iter().position(|(known, _)| *known == handle)?;
        let by_value = self.setting.by_message && queue == handle.queue;
        self.ways.reach(verb, if by_value { "by message" } else { "by handle" });
        if queue != handle.queue {
            self.ways.reach(verb, "of another queue's message");
        }
        by_value.then(|| &self.messages[place])
    }

    pub(crate) fn count_draft(&self, verb: &'static str, queue: usize, draft: &Draft, model: &Result<Sent, Refusal>) {
        let (reach, setup) = (|way| self.ways.reach(verb, way), self.world.setup(queue));
        match model {
            Err(refusal) if refusal.code == "OverLimit" => return reach("refused for the budget"),
            Err(_) => return reach("refused"),
            Ok(sent) if self.message_ids.get(sent.id).is_some_and(Option::is_some) => {
                return reach("of what was sent before");
            }
            Ok(_) => {}
        }
        reach(match draft.attribute {
            Some(_) => "with an attribute",
            None => "with a body alone",
        });
        reach(match draft.message_group_id {
            Some(_) => "with a group",
            None => "without a group",
        });
        match draft.delay {
            Some(1..) => reach("with a delay of its own"),
            None if setup.delay > 0 => reach("with the delay of the queue"),
            _ => {}
        }
    }

    pub(crate) fn count_receive(&self, queue: usize, request: &Request, answer: &Result<Vec<Message>, Fault>) {
        let reach = |way| self.ways.reach(ways::RECEIVE, way);
        let Ok(messages) = answer else { return };
        let is_short = request.wait_time.is_none_or(|wait| wait == 0);
        let counts = self.world.counts(queue);
        if counts.not_visible >= self.world.limits().in_flight {
            reach("with the most in flight");
        }
        match messages.len() {
            0 => return reach("of nothing"),
            1 => reach("of one"),
            _ => reach("of many"),
        }
        reach(if is_short { "by a short poll" } else { "by a long poll" });
        if self.setting.shards > 1 {
            reach(if is_short {
                "from one shard of many"
            } else {
                "from all shards of many"
            });
        }
        reach(match request.visibility_timeout {
            Some(0) => "with timeout zero",
            _ => "with a timeout",
        });
        reach(match request.max_messages {
            None | Some(1) => "asked for one",
            Some(_) => "asked for many",
        });
        if messages.iter().any(|it| it.approximate_receive_count() > 1) {
            reach("of what was received before");
        }
        if request.max_messages_per_group.is_some() {
            reach("with a limit of each group");
        }
        if request.without_attribute {
            reach("without the attribute");
        }
        if !self.world.noisy_groups(queue).is_empty() {
            reach("from a queue with noisy groups");
        }
        if self
            .shape
            .gone
            .is_some_and(|most| messages.iter().any(|it| it.approximate_receive_count() > most))
        {
            reach("of what would be a dead letter");
        }
    }

    pub(crate) fn count_entries<T>(&self, verb: &'static str, model: &Result<Vec<Result<T, Refusal>>, Refusal>) {
        let way = match model {
            Err(_) => "refused as a whole",
            Ok(entries) if entries.iter().any(Result::is_err) => "with an entry that fails",
            Ok(_) => "with all entries good",
        };
        self.ways.reach(verb, way);
    }

    /// What a listener was told tells what is stored.
    pub(crate) fn look_at_facts(&self, queue: usize, stored: &BTreeSet<MessageId>) -> Same {
        let Some(listening) = &self.listening else {
            return Ok(());
        };
        same("a fact that cannot be", listening.wrong(), None)?;
        let kinds = listening.take_kinds();
        kinds.into_iter().for_each(|kind| self.ways.reach(ways::FACT, kind));
        same("stored by facts", stored, &listening.stored(self.queues[queue].arn()))
    }
}
