//! The load: threads that use every verb of five queues, and report each call and each answer.

use {
    super::history::{Answer, Call, Draft, Held, Received, Report},
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    requeue::{
        Clock, DeleteError, ManualClock, Message, Queue, QueueAttributes, RedrivePolicy, SendError, SendMessage,
        Service, StartMessageMoveTask,
    },
    std::{collections::VecDeque, time::Duration},
};

/// Messages are deleted and hidden by those who received them, and nothing else happens to them.
pub(crate) const WORK: &str = "work";
/// Messages move to [`FAILED`], and back by move tasks.
pub(crate) const JOBS: &str = "jobs";
pub(crate) const FAILED: &str = "failed";
/// Messages move to [`FAILED_ORDERS`]. Each thread sends to a group of its own.
pub(crate) const ORDERS: &str = "orders.fifo";
pub(crate) const FAILED_ORDERS: &str = "failed.fifo";
pub(crate) const QUEUES: [&str; 5] = [WORK, JOBS, FAILED, ORDERS, FAILED_ORDERS];
pub(crate) const TAG: &str = "step";

/// So many messages are enough for a queue.
const ENOUGH: usize = 120;
/// A thread holds no more than this.
const MOST_HELD: usize = 25;
/// Time within which a send is repeated; the queue remembers it for five minutes.
const REPEATED_WITHIN: u64 = 100_000;

/// Finds or makes the queues.
pub(crate) fn make_queues(service: &Service) {
    let attributes = || QueueAttributes::new().message_retention_period(Duration::from_secs(1_209_600));
    let make = |name: &str, attributes: QueueAttributes| service.create_queue(name, attributes).unwrap();
    make(WORK, attributes());
    let failed = make(FAILED, attributes());
    make(JOBS, attributes().redrive_policy(RedrivePolicy::new(failed.arn(), 3)));
    let failed = make(FAILED_ORDERS, attributes().fifo_queue(true));
    let orders = attributes().fifo_queue(true);
    make(ORDERS, orders.redrive_policy(RedrivePolicy::new(failed.arn(), 4)));
}

/// The body of a message: its key, and so many bytes that segments fill up.
pub(crate) fn body(key: &str) -> String {
    let sum: usize = key.bytes().map(usize::from).sum();
    let padding = match sum % 16 {
        0 => 5_000,
        rest => rest * 37,
    };
    format!("{key} {}", "x".repeat(padding))
}

/// The key of a body, if the body is whole.
pub(crate) fn key(text: &str) -> Option<&str> {
    let (key, _) = text.split_once(' ')?;
    (text == body(key)).then_some(key)
}

pub(crate) struct Load<'a> {
    pub(crate) service: &'a Service,
    pub(crate) clock: &'a ManualClock,
    /// Makes keys that no other load has.
    pub(crate) round: u64,
    pub(crate) report: &'a (dyn Fn(Report) + Sync),
}

/// A message as a thread received it.
struct Mine {
    message: Message,
    queue: &'static str,
    held: Held,
    /// It is invisible at least until then, as far as this thread knows.
    until: u64,
}

struct Worker<'a> {
    load: &'a Load<'a>,
    thread: usize,
    random: Xoshiro256PlusPlus,
    mine: VecDeque<Mine>,
    sent: u64,
    /// The latest sends of the thread to its group, and when they were begun.
    orders: VecDeque<(u64, Draft)>,
}

impl Load<'_> {
    /// Does so many steps on this thread.
    pub(crate) fn run(&self, thread: usize, seed: u64, steps: usize) {
        let mut worker = Worker {
            load: self,
            thread,
            random: Xoshiro256PlusPlus::seed_from_u64(seed ^ (thread as u64) << 32),
            mine: VecDeque::new(),
            sent: 0,
            orders: VecDeque::new(),
        };
        for _ in 0..steps {
            worker.step();
        }
    }

    /// Receives up to ten messages without hiding them, so that they come in the order in which they are.
    pub(crate) fn peek(&self, thread: usize, queue: &'static str) -> Vec<Received> {
        let report = |report| (self.report)(report);
        let now = || self.clock.now().as_millis();
        let call = Call::Receive {
            queue: queue.to_owned(),
        };
        report(Report::Call {
            thread,
            now: now(),
            call,
        });
        let of = self.service.queue(queue).unwrap();
        let messages = of
            .receive()
            .max_messages(10)
            .visibility_timeout(Duration::ZERO)
            .blocking()
            .unwrap();
        let received: Vec<_> = messages.iter().map(received).collect();
        let answer = Answer::Received(received.clone());
        report(Report::Answer {
            thread,
            now: now(),
            answer,
        });
        received
    }
}

fn received(message: &Message) -> Received {
    Received {
        key: key(message.body()).unwrap_or("damaged").to_owned(),
        id: message.message_id().to_string(),
        count: message.approximate_receive_count(),
        until: message.invisible_until().as_millis(),
        handle: message.receipt_handle().to_string(),
        sequence: message.sequence_number().map(|it| it.to_string().parse().unwrap()),
    }
}

fn sent(sent: &requeue::Sent) -> (String, Option<u128>) {
    let sequence = sent.sequence_number.map(|it| it.to_string().parse().unwrap());
    (sent.message_id.to_string(), sequence)
}

impl Worker<'_> {
    fn below(&mut self, end: u64) -> u64 {
        self.random.next_u64() % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    fn now(&self) -> u64 {
        self.load.clock.now().as_millis()
    }

    fn queue(&self, name: &str) -> Queue {
        self.load.service.queue(name).unwrap()
    }

    fn call(&self, call: Call, make: impl FnOnce() -> Answer) -> Answer {
        let thread = self.thread;
        (self.load.report)(Report::Call {
            thread,
            now: self.now(),
            call,
        });
        let answer = make();
        (self.load.report)(Report::Answer {
            thread,
            now: self.now(),
            answer: answer.clone(),
        });
        answer
    }

    fn step(&mut self) {
        match self.below(100) {
            0..15 => self.send(1),
            15..23 => self.send(10),
            23..48 => self.receive(),
            48..63 => self.delete(1),
            63..69 => self.delete(10),
            69..75 => self.hide(1),
            75..79 => self.hide(10),
            79..82 => self.dead_letter(),
            82 => self.release(),
            83..85 => self.move_back(),
            85..88 => self.tag(),
            _ => self.pass_time(),
        }
        while self.mine.len() > MOST_HELD {
            self.delete(10);
        }
    }

    fn draft(&mut self, queue: &str) -> Draft {
        let now = self.now();
        if queue == ORDERS {
            self.orders.retain(|(at, _)| now < at + REPEATED_WITHIN);
            if !self.orders.is_empty() && self.below(5) == 0 {
                let place = self.below(self.orders.len() as u64) as usize;
                return self.orders[place].1.clone();
            }
        }
        self.sent += 1;
        let draft = Draft {
            key: format!("{}.{}.{}", self.load.round, self.thread, self.sent),
            group: (queue == ORDERS).then(|| format!("g{}", self.thread)),
            delay: match self.below(8) {
                0 if queue != ORDERS => 1 + self.below(3_000),
                _ => 0,
            },
        };
        if queue == ORDERS {
            self.orders.push_back((now, draft.clone()));
            self.orders.truncate(20);
        }
        draft
    }

    fn send(&mut self, most: u64) {
        let name = self.one_of(&[WORK, JOBS, ORDERS]);
        let queue = self.queue(name);
        if queue.counts().visible > ENOUGH {
            return;
        }
        let length = 1 + self.below(most);
        let mut drafts: Vec<Draft> = Vec::new();
        for _ in 0..length {
            let draft = self.draft(name);
            drafts.push(draft);
        }
        let outgoing = |draft: &Draft| {
            let message = SendMessage::new(body(&draft.key)).delay(Duration::from_millis(draft.delay));
            match &draft.group {
                Some(group) => SendMessage::new(body(&draft.key))
                    .message_group_id(group.as_str())
                    .message_deduplication_id(draft.key.as_str()),
                None => message,
            }
        };
        let call = Call::Send {
            queue: name.to_owned(),
            drafts: drafts.clone(),
        };
        let refused = |error: &SendError| Answer::Refused(error.to_string());
        self.call(call, || match &drafts[..] {
            [draft] if most == 1 => match queue.send(outgoing(draft)) {
                Ok(one) => Answer::Sent(vec![Some(sent(&one))]),
                Err(error) => refused(&error),
            },
            _ => match queue.send_batch(drafts.iter().map(outgoing)) {
                Ok(batch) => {
                    let mut answers = vec![None; drafts.len()];
                    for one in &batch.successful {
                        answers[one.id.parse::<usize>().unwrap()] = Some(sent(&one.output));
                    }
                    match batch.failed.first() {
                        Some(failure) => Answer::Refused(failure.message.clone()),
                        None => Answer::Sent(answers),
                    }
                }
                Err(error) => Answer::Refused(error.to_string()),
            },
        });
    }

    fn receive(&mut self) {
        let name = self.one_of(&[WORK, WORK, JOBS, JOBS, ORDERS, ORDERS, FAILED, FAILED_ORDERS]);
        let timeout = self.one_of(&[0, 50, 1_000, 30_000, 30_000, 3_600_000]);
        let most = self.one_of(&[1, 3, 10]);
        let queue = self.queue(name);
        let mut messages = Vec::new();
        self.call(Call::Receive { queue: name.to_owned() }, || {
            let receive = queue.receive().max_messages(most);
            match receive.visibility_timeout(Duration::from_millis(timeout)).blocking() {
                Ok(received) => messages = received,
                Err(error) => return Answer::Refused(error.to_string()),
            }
            Answer::Received(messages.iter().map(received).collect())
        });
        if self.below(4) == 0 {
            return; // a consumer that dies
        }
        self.mine.extend(messages.into_iter().map(|message| Mine {
            held: Held {
                key: key(message.body()).unwrap_or("damaged").to_owned(),
                count: message.approximate_receive_count(),
            },
            until: message.invisible_until().as_millis(),
            message,
            queue: name,
        }));
    }

    /// Takes messages of one queue away from those that the thread holds; what it held too long is forgotten, as a
    /// consumer of a standard queue that goes on with it would disturb the one that has it now.
    fn take(&mut self, most: u64) -> Vec<Mine> {
        let now = self.now();
        self.mine.retain(|mine| now < mine.until);
        let length = 1 + self.below(most) as usize;
        let Some(first) = self.mine.front() else {
            return Vec::new();
        };
        let (queue, mut taken, mut kept) = (first.queue, Vec::new(), VecDeque::new());
        for mine in self.mine.drain(..) {
            if mine.queue == queue && taken.len() < length {
                taken.push(mine);
            } else {
                kept.push_back(mine);
            }
        }
        self.mine = kept;
        taken
    }

    fn delete(&mut self, most: u64) {
        let taken = self.take(most);
        let Some(first) = taken.first() else { return };
        let (name, queue) = (first.queue, self.queue(first.queue));
        let messages = taken.iter().map(|it| it.held.clone()).collect();
        let call = Call::Delete {
            queue: name.to_owned(),
            messages,
        };
        let sure = |mine: &Mine| self.now() < mine.until;
        self.call(call, || match &taken[..] {
            [mine] if most == 1 => {
                let answer: Result<(), DeleteError> = match mine.held.count % 2 {
                    0 => mine.message.delete(),
                    _ => queue.delete(&mine.message.receipt_handle()),
                };
                match answer {
                    Ok(()) => Answer::Settled(vec![Some(sure(mine))]),
                    Err(error) => Answer::Refused(error.to_string()),
                }
            }
            _ => match queue.delete_batch(taken.iter().map(|mine| &mine.message)) {
                Ok(batch) => {
                    let mut answers = vec![None; taken.len()];
                    for one in &batch.successful {
                        let place: usize = one.id.parse().unwrap();
                        answers[place] = Some(sure(&taken[place]));
                    }
                    Answer::Settled(answers)
                }
                Err(error) => Answer::Refused(error.to_string()),
            },
        });
    }

    fn hide(&mut self, most: u64) {
        let mut taken = self.take(most);
        let Some(first) = taken.first() else { return };
        let (name, queue) = (first.queue, self.queue(first.queue));
        let timeout = self.one_of(&[0, 500, 2_000, 60_000, 600_000]);
        let span = Duration::from_millis(timeout);
        let messages = taken.iter().map(|it| it.held.clone()).collect();
        let before = self.now();
        let outcome = |mine: &Mine| {
            let now = self.now();
            (now < mine.until, before + timeout, now + timeout)
        };
        let answer = self.call(
            Call::Hide {
                queue: name.to_owned(),
                messages,
            },
            || match &taken[..] {
                [mine] if most == 1 => match mine.message.change_visibility(span) {
                    Ok(()) => Answer::Hidden(vec![Some(outcome(mine))]),
                    Err(error) => Answer::Refused(error.to_string()),
                },
                _ => match queue.change_visibility_batch(taken.iter().map(|mine| (&mine.message, span))) {
                    Ok(batch) => {
                        let mut answers = vec![None; taken.len()];
                        for one in &batch.successful {
                            let place: usize = one.id.parse().unwrap();
                            answers[place] = Some(outcome(&taken[place]));
                        }
                        Answer::Hidden(answers)
                    }
                    Err(error) => Answer::Refused(error.to_string()),
                },
            },
        );
        if let Answer::Hidden(outcomes) = answer {
            for (mine, outcome) in taken.iter_mut().zip(outcomes) {
                mine.until = outcome.map_or(0, |(_, low, _)| low);
            }
            self.mine.extend(taken.into_iter().filter(|mine| mine.until > before));
        }
    }

    fn dead_letter(&mut self) {
        let now = self.now();
        let leaves = |mine: &Mine| now < mine.until && [JOBS, ORDERS].contains(&mine.queue);
        let Some(place) = self.mine.iter().position(leaves) else {
            return;
        };
        let Some(mine) = self.mine.remove(place) else { return };
        let call = Call::DeadLetter {
            queue: mine.queue.to_owned(),
            message: mine.held.clone(),
        };
        self.call(call, || match mine.message.dead_letter("no good") {
            Ok(()) => Answer::Settled(vec![Some(self.now() < mine.until)]),
            Err(error) => Answer::Refused(error.to_string()),
        });
    }

    fn release(&mut self) {
        let Some(mine) = self.take(1).pop() else { return };
        let call = Call::Release {
            queue: mine.queue.to_owned(),
            message: mine.held.clone(),
        };
        self.call(call, || match mine.message.release() {
            Ok(()) => Answer::Settled(vec![Some(self.now() < mine.until)]),
            Err(error) => Answer::Refused(error.to_string()),
        });
    }

    fn move_back(&mut self) {
        let mut request = StartMessageMoveTask::new(self.queue(FAILED).arn());
        if self.below(2) == 0 {
            request = request.max_messages_per_second(5);
        }
        let service = self.load.service;
        self.call(Call::Move, || match service.start_message_move_task(&request) {
            Ok(_) => Answer::Done,
            Err(error) => Answer::Refused(error.to_string()),
        });
    }

    /// One thread sets the tag, so that its values rise.
    fn tag(&mut self) {
        if self.thread > 0 {
            return;
        }
        self.sent += 1;
        let value = self.load.round * 1_000_000 + self.sent;
        let service = self.load.service;
        self.call(Call::Tag { value }, || {
            match service.tag_queue(WORK, [(TAG, value.to_string())]) {
                Ok(()) => Answer::Done,
                Err(error) => Answer::Refused(error.to_string()),
            }
        });
    }

    fn pass_time(&mut self) {
        let span = match self.below(60) {
            0 => 31_000,
            1..6 => 2_000,
            other => other * 3,
        };
        let to = self.now() + span;
        (self.load.report)(Report::Clock(to));
        self.load.clock.advance_to(requeue::Timestamp::from_millis(to));
    }
}
