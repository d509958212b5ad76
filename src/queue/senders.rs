//! The senders that wait for capacity in a queue with a budget, in order of arrival.

use {
    super::{
        budget::{Amount, Budget},
        waiters::Ticket,
    },
    crate::{
        error::BudgetLimit,
        message::{Id, SendMessage},
        time::Timestamp,
    },
    std::{
        collections::{BTreeMap, BTreeSet, VecDeque},
        task::Waker,
        time::Duration,
    },
};

/// How many senders one step grants capacity to.
const GRANTS_AT_ONCE: usize = 32;

/// A sender's place in line, kept when it looks in vain.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    deadline: Timestamp,
    ticket: Ticket,
}

/// Deduplication id and group of a FIFO message.
pub(super) type Ids = (Id, Id);

/// By what a FIFO queue recognises a repetition: deduplication id and group.
pub(super) fn ids(message: &SendMessage) -> Option<Ids> {
    let content = message.content();
    Some((content.deduplication()?.clone(), content.group()?.clone()))
}

/// How a sender waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// Blocked: it takes its capacity as soon as it is woken.
    Thread,
    /// May be kept and never polled.
    Future,
}

/// Someone in line.
#[derive(Debug)]
struct Sender {
    waker: Waker,
    caller: Caller,
    deadline: Timestamp,
    /// When it will look unasked.
    until: Timestamp,
    size: usize,
    ids: Option<Ids>,
}

/// Parked senders of one queue, and the capacity that is no longer free although nothing is stored there yet.
///
/// Strictly first come, first served, so that a large message is not passed over for ever by small ones. Freed capacity is
/// granted to the first in line by whichever step made it, and no other sender takes it before the deadline of that
/// one. A step grants capacity to futures at the front of the line up to the first thread, whose own step grants to the
/// next: threads store their messages in the order of the line, and a future that is never polled holds up nobody for
/// whom there is capacity as well. The cost of a step grows with no more than the logarithm of the line's length.
#[derive(Debug)]
pub(super) struct Senders {
    line: BTreeMap<Ticket, Sender>,
    /// What all of `line` ask for.
    wanted: Amount,
    issued: Ticket,
    /// Those who were woken for capacity that is theirs, and the sizes of their messages.
    granted: BTreeMap<Place, usize>,
    /// The capacity of all in `granted` and of all permits.
    promised: Amount,
    /// The FIFO messages of `line`.
    by_ids: BTreeSet<(Ids, Ticket)>,
    /// Sends that were accepted while repetitions of them waited in line, which need no capacity (F11).
    accepted: VecDeque<Ids>,
}

impl Senders {
    pub(super) const fn new() -> Self {
        Self {
            line: BTreeMap::new(),
            wanted: Amount { messages: 0, bytes: 0 },
            issued: 0,
            granted: BTreeMap::new(),
            promised: Amount { messages: 0, bytes: 0 },
            by_ids: BTreeSet::new(),
            accepted: VecDeque::new(),
        }
    }

    /// Whether nobody sleeps in line.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// What is not free although it is not stored.
    pub(super) const fn promised(&self) -> Amount {
        self.promised
    }

    /// The limit that keeps out a message of `size` whose sender has this place in line, or comes only now. It needs
    /// capacity beside all that is stored or promised, and beside all that others ask for who came before.
    pub(super) fn kept_out_by(
        &mut self,
        budget: &Budget,
        stored: Amount,
        size: usize,
        place: Option<Place>,
        now: Timestamp,
    ) -> Option<BudgetLimit> {
        if place.is_some_and(|place| self.granted.contains_key(&place)) {
            return None;
        }
        self.withdraw_late(now);
        let own = place.and_then(|place| self.line.get_key_value(&place.ticket));
        // `wanted` is the sum over the whole line. What it says is exact for the first in line and for a newcomer; for
        // the others it counts those behind them too, and so errs towards waiting.
        let is_first = own.is_some_and(|(own, _)| self.line.keys().next() == Some(own));
        let before = match own {
            _ if is_first => Amount::default(),
            Some((_, own)) => self.wanted - Amount::of_one(own.size),
            None => self.wanted,
        };
        budget.broken_by(stored + self.promised + before, size)
    }

    /// Capacity that was granted and not taken by the sender's own deadline is free again: a future may be kept and never
    /// polled.
    fn withdraw_late(&mut self, now: Timestamp) {
        const A_FEW: usize = 64;
        for _ in 0..A_FEW {
            let Some(first) = self.granted.first_entry().filter(|first| first.key().deadline < now) else {
                break;
            };
            self.promised = self.promised - Amount::of_one(first.remove());
        }
    }

    /// Puts the caller in line, or back in the place it has; answers when it has to look again unasked: at its
    /// `deadline`, the first in line also when capacity may become free by itself.
    ///
    /// The waker it had in line comes back to be dropped with the lock released: that may run code of an executor.
    pub(super) fn park(
        &mut self,
        place: &mut Option<Place>,
        (waker, caller): (Waker, Caller),
        (size, ids): (usize, Option<Ids>),
        deadline: Timestamp,
        expiry: Option<Timestamp>,
    ) -> (Timestamp, Option<Waker>) {
        let next = self.next_room(expiry);
        let before = place.and_then(|place| self.take(place.ticket));
        let Place { ticket, .. } = *place.get_or_insert_with(|| {
            self.issued += 1;
            let ticket = self.issued;
            Place { deadline, ticket }
        });
        let is_first = self.line.first_key_value().is_none_or(|(first, _)| ticket < *first);
        let until = next.filter(|_| is_first).map_or(deadline, |next| next.min(deadline));
        self.wanted = self.wanted + Amount::of_one(size);
        self.by_ids.extend(ids.clone().map(|ids| (ids, ticket)));
        let sender = Sender {
            waker,
            caller,
            deadline,
            until,
            size,
            ids,
        };
        self.line.insert(ticket, sender);
        (until, before.map(|before| before.waker))
    }

    /// Takes the caller out of line, with the capacity granted to it. Its waker comes back to be dropped with the lock
    /// released.
    pub(super) fn leave(&mut self, place: &mut Option<Place>) -> Option<Waker> {
        let place = place.take()?;
        if let Some(size) = self.granted.remove(&place) {
            self.promised = self.promised - Amount::of_one(size);
        }
        self.take(place.ticket).map(|sender| sender.waker)
    }

    fn take(&mut self, ticket: Ticket) -> Option<Sender> {
        let sender = self.line.remove(&ticket)?;
        self.wanted = self.wanted - Amount::of_one(sender.size);
        if let Some(ids) = &sender.ids {
            self.by_ids.remove(&(ids.clone(), ticket));
        }
        if self.by_ids.is_empty() {
            self.accepted.clear();
        }
        Some(sender)
    }

    /// Gives capacity to a permit.
    pub(super) fn promise(&mut self, size: usize) {
        self.promised = self.promised + Amount::of_one(size);
    }

    /// Takes back what [`promise`](Self::promise) gave.
    pub(super) fn release(&mut self, size: usize) {
        self.promised = self.promised - Amount::of_one(size);
    }

    /// Grants capacity to the first in line while there is some, up to the first thread and to at most `GRANTS_AT_ONCE`;
    /// their wakers, in the order of the line.
    pub(super) fn grant(&mut self, budget: &Budget, stored: Amount, now: Timestamp, wakers: &mut Vec<Waker>) {
        self.withdraw_late(now);
        for _ in 0..GRANTS_AT_ONCE {
            let fits = |first: &Sender| budget.broken_by(stored + self.promised, first.size).is_none();
            let first = self.line.first_key_value().filter(|(_, first)| fits(first));
            let Some(ticket) = first.map(|(ticket, _)| *ticket) else {
                break;
            };
            let Some(Sender {
                waker,
                caller,
                deadline,
                size,
                ..
            }) = self.take(ticket)
            else {
                break;
            };
            self.granted.insert(Place { deadline, ticket }, size);
            self.promise(size);
            wakers.push(waker);
            // A thread that is woken takes its capacity and ends that step, which grants to the next in line. A future
            // may not be polled for long, so those behind it are granted theirs here.
            if caller == Caller::Thread {
                break;
            }
        }
    }

    /// When capacity may become free although nobody calls: by the next `expiry` of a message, or because the first who was
    /// granted some has not taken it.
    fn next_room(&self, expiry: Option<Timestamp>) -> Option<Timestamp> {
        let granted = self.granted.first_key_value();
        let withdrawn = granted.map(|(place, _)| place.deadline.saturating_add(Duration::from_millis(1)));
        expiry.into_iter().chain(withdrawn).min()
    }

    /// The waker of the first in line, if it would otherwise sleep past the instant at which capacity may become free.
    pub(super) fn notify_of(&mut self, expiry: Option<Timestamp>) -> Option<Waker> {
        let next = self.next_room(expiry)?;
        let first = self.line.values_mut().next().filter(|first| next < first.until)?;
        first.until = next;
        Some(first.waker.clone())
    }

    /// Whether an accepted send may concern someone in line, and so has to be [noted](Self::note_accepted).
    pub(super) fn have_ids(&self) -> bool {
        !self.by_ids.is_empty()
    }

    /// Notes that a send was accepted, which others in line may repeat.
    pub(super) fn note_accepted(&mut self, ids: Ids) {
        if self.next_with_id(&ids.0).is_some() {
            self.accepted.push_back(ids);
        }
    }

    fn next_with_id(&self, id: &Id) -> Option<&(Ids, Ticket)> {
        let from = ((id.clone(), Id::from("")), 0);
        self.by_ids.range(from..).next().filter(|((next, _), _)| next == id)
    }

    /// Takes one out of line whose message repeats an accepted one and so needs no capacity (F11); its waker.
    ///
    /// With one deduplication scope for the queue all messages with the same id are repetitions, otherwise those of the
    /// same group; so it is enough to ask for one of another group.
    pub(super) fn take_repeated(&mut self, mut is_repeated: impl FnMut(&Ids) -> bool) -> Option<Waker> {
        while let Some(ids) = self.accepted.front() {
            let same = self.by_ids.range((ids.clone(), 0)..).next();
            let same = same.filter(|(other, _)| other == ids);
            let next = same.or_else(|| self.next_with_id(&ids.0).filter(|(other, _)| is_repeated(other)));
            let next = next.map(|(_, ticket)| *ticket);
            if let Some(sender) = next.and_then(|ticket| self.take(ticket)) {
                return Some(sender.waker);
            }
            self.accepted.pop_front();
        }
        None
    }

    /// Ends the line: everybody's waker.
    pub(super) fn notify_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let line = std::mem::take(&mut self.line);
        self.by_ids.clear();
        line.into_values().map(|sender| sender.waker)
    }
}
