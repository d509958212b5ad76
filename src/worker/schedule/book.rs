//! The book of a scheduler: what is due when, and what is to be done next. A machine that is told the time.

use {
    super::{
        catch_up::{look_at_many, look_at_one},
        cron::Cron,
        event::{SchedulerEvent, SchedulerReport},
        plan::{AddScheduleError, CatchUp, Schedule, ScheduleId, Source, When},
    },
    crate::{time::Timestamp, worker::message_queue::MessageQueueError},
    std::{
        collections::{BTreeSet, HashMap, VecDeque},
        task::Waker,
        time::Duration,
    },
};

/// How a scheduler works.
#[derive(Clone, Copy, Debug)]
pub(super) struct BookPlan {
    pub(super) fifo: bool,
    /// How long before it is due a job may be given to the queue.
    pub(super) lead: Duration,
    pub(super) tolerance: Duration,
    pub(super) until_none_visible: bool,
}

pub(super) struct Book {
    plan: BookPlan,
    entries: HashMap<ScheduleId, Entry>,
    /// When something is to be done for each entry.
    agenda: BTreeSet<(Timestamp, ScheduleId)>,
    /// When the next job of each entry is due.
    due: BTreeSet<(Timestamp, ScheduleId)>,
    next_id: u64,
    sending: Option<Sending>,
    waker: Option<Waker>,
    stopped: bool,
    error: Option<MessageQueueError>,
    report: SchedulerReport,
}

struct Entry {
    source: Source,
    /// `None` for a job that is sent once.
    cron: Option<Cron>,
    catch_up: CatchUp,
    /// When the next job is due.
    due: Timestamp,
    /// Jobs that are to be sent, after a look found that their time has come; `due` is the first of them.
    ready: VecDeque<Timestamp>,
    /// The time after which the pattern goes on once nothing is ready.
    latest: Timestamp,
}

#[derive(Clone, Copy)]
struct Sending {
    id: ScheduleId,
    /// Whether the queue is being asked at this moment.
    calling: bool,
}

/// A job to be sent.
pub(super) struct Dispatch {
    pub(super) id: ScheduleId,
    pub(super) due: Timestamp,
    pub(super) source: Source,
}

pub(super) enum Next {
    Send(Dispatch),
    Tell(SchedulerEvent),
    /// Until something is to be done, unless the book changes; `None` if nothing is.
    Sleep(Option<Timestamp>),
    Over,
}

impl Book {
    pub(super) fn new(plan: BookPlan) -> Self {
        Self {
            plan,
            entries: HashMap::new(),
            agenda: BTreeSet::new(),
            due: BTreeSet::new(),
            next_id: 1,
            sending: None,
            waker: None,
            stopped: false,
            error: None,
            report: SchedulerReport::default(),
        }
    }

    pub(super) fn add(
        &mut self,
        schedule: Schedule,
        source: Source,
        now: Timestamp,
    ) -> Result<ScheduleId, AddScheduleError> {
        if self.stopped {
            return Err(AddScheduleError::Stopped);
        }
        if let Source::Fixed(message) = &source {
            if let Some(delay) = message.get_delay() {
                return Err(AddScheduleError::Delay(delay));
            }
            if self.plan.fifo && message.get_message_group_id().is_none() {
                return Err(AddScheduleError::MissingGroup);
            }
        }
        let since = schedule.since.unwrap_or(now);
        let (due, cron) = match schedule.when {
            When::At(at) => (at, None),
            When::After(after) => (since.saturating_add(after), None),
            When::Cron(cron) => match cron.next_after(since) {
                Some(due) => (due, Some(cron)),
                None => return Err(AddScheduleError::Never(cron.pattern().to_owned())),
            },
        };
        let id = ScheduleId(self.next_id);
        self.next_id += 1;
        self.report.added += 1;
        let entry = Entry {
            source,
            cron,
            catch_up: schedule.catch_up,
            due,
            ready: VecDeque::new(),
            latest: due,
        };
        self.write_down(id, &entry);
        self.entries.insert(id, entry);
        Ok(id)
    }

    /// Removes a schedule; says whether a job of it is being sent at this moment, `None` if there is no such schedule.
    pub(super) fn cancel(&mut self, id: ScheduleId) -> Option<bool> {
        let entry = self.entries.remove(&id)?;
        self.strike_out(id, &entry);
        self.report.cancelled += 1;
        Some(self.sending.is_some_and(|sending| sending.id == id && sending.calling))
    }

    /// What is to be done.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        if self.stopped {
            return Next::Over;
        }
        while let Some(&(at, id)) = self.agenda.first() {
            if at > now {
                return Next::Sleep(Some(at));
            }
            let entry = self.entry(id);
            if let Some(&due) = entry.ready.front() {
                let source = entry.source.clone();
                self.sending = Some(Sending { id, calling: false });
                return Next::Send(Dispatch { id, due, source });
            }
            if let Some(event) = self.look(id, now) {
                return Next::Tell(event);
            }
        }
        if self.plan.until_none_visible {
            self.stopped = true;
            return Next::Over;
        }
        Next::Sleep(None)
    }

    /// Finds out which jobs of a schedule are to be sent, as its time has come.
    fn look(&mut self, id: ScheduleId, now: Timestamp) -> Option<SchedulerEvent> {
        let tolerance = self.plan.tolerance;
        let entry = self.entry(id);
        let (first, catch_up) = (entry.due, entry.catch_up);
        let look = match &entry.cron {
            None => look_at_one(first, now, tolerance, catch_up),
            Some(cron) => look_at_many(cron, first, now, tolerance, catch_up),
        };
        let (missed, latest, jobs) = (look.missed, look.latest, look.jobs.len());
        self.change(id, |entry| {
            entry.latest = look.latest;
            entry.ready = look.jobs;
        });
        self.report.missed += u64::from(missed);
        missed.then_some(SchedulerEvent::Missed {
            id,
            first,
            latest,
            jobs,
        })
    }

    /// Whether the queue may be asked to take the job that is being sent: not if it was cancelled, or may not be given
    /// to the queue any more because the clock was set back.
    pub(super) fn begin_call(&mut self, id: ScheduleId, due: Timestamp, now: Timestamp) -> bool {
        let lead = self.plan.lead;
        let on = !self.stopped && self.entries.contains_key(&id) && due <= now.saturating_add(lead);
        if on {
            self.sending = Some(Sending { id, calling: true });
        }
        on
    }

    /// The queue has taken the job.
    pub(super) fn sent(&mut self, id: ScheduleId) {
        self.report.sent += 1;
        self.go_on(id);
    }

    /// The job is not sent.
    pub(super) fn not_sent(&mut self, id: ScheduleId) {
        self.report.not_sent += 1;
        self.go_on(id);
    }

    /// The queue did not take the job and is to be asked again.
    pub(super) fn retry(&mut self, id: ScheduleId) {
        self.report.retries += 1;
        self.sending = Some(Sending { id, calling: false });
    }

    pub(super) const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether there is no use in waiting to send the job again.
    pub(super) fn is_off(&self, id: ScheduleId) -> bool {
        self.stopped || !self.entries.contains_key(&id)
    }

    /// No job is being sent; one that was and is not done stays in the book.
    pub(super) fn put_down(&mut self) {
        self.sending = None;
    }

    /// Goes on after the first job that was ready.
    fn go_on(&mut self, id: ScheduleId) {
        self.sending = None;
        if self.entries.contains_key(&id) {
            self.change(id, |entry| {
                entry.ready.pop_front();
            });
        }
    }

    pub(super) fn stop(&mut self, error: Option<MessageQueueError>) -> Option<Waker> {
        self.stopped = true;
        self.error = self.error.take().or(error);
        self.waker.take()
    }

    pub(super) fn error(&self) -> Option<&MessageQueueError> {
        self.error.as_ref()
    }

    pub(super) fn report(&self) -> SchedulerReport {
        SchedulerReport {
            held: self.entries.len(),
            ..self.report
        }
    }

    /// The schedules whose next jobs are due first, in that order.
    pub(super) fn due(&self) -> impl Iterator<Item = (Timestamp, ScheduleId)> + '_ {
        self.due.iter().copied()
    }

    /// Whom to wake when the book changes.
    pub(super) fn listen(&mut self, waker: &Waker) -> Option<Waker> {
        if self.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            return None;
        }
        self.waker.replace(waker.clone())
    }

    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    fn entry(&self, id: ScheduleId) -> &Entry {
        self.entries
            .get(&id)
            .expect("invariant: what is on the agenda is an entry")
    }

    /// Changes an entry; it leaves the book if no job is to follow.
    fn change(&mut self, id: ScheduleId, change: impl FnOnce(&mut Entry)) {
        let Some(mut entry) = self.entries.remove(&id) else {
            return;
        };
        self.strike_out(id, &entry);
        change(&mut entry);
        let next = match entry.ready.front() {
            Some(due) => Some(*due),
            None => entry.cron.as_ref().and_then(|cron| cron.next_after(entry.latest)),
        };
        if let Some(due) = next {
            entry.due = due;
            self.write_down(id, &entry);
            self.entries.insert(id, entry);
        }
    }

    fn write_down(&mut self, id: ScheduleId, entry: &Entry) {
        self.due.insert((entry.due, id));
        self.agenda.insert((self.time_to_act(entry), id));
    }

    fn strike_out(&mut self, id: ScheduleId, entry: &Entry) {
        self.due.remove(&(entry.due, id));
        self.agenda.remove(&(self.time_to_act(entry), id));
    }

    /// A job that is sent once waits in the queue for as long as the queue can delay it; one that is made when it is
    /// due, and the next of many, which can then be cancelled or skipped to the last, wait here.
    fn time_to_act(&self, entry: &Entry) -> Timestamp {
        match (&entry.source, &entry.cron) {
            (Source::Fixed(_), None) => entry.due.saturating_sub(self.plan.lead),
            _ => entry.due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SendMessage;

    const PLAN: BookPlan = BookPlan {
        fifo: false,
        lead: Duration::from_secs(900),
        tolerance: Duration::from_secs(60),
        until_none_visible: true,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn add(book: &mut Book, schedule: impl Into<Schedule>) -> ScheduleId {
        book.add(schedule.into(), Source::Fixed(SendMessage::new("x")), at(0))
            .unwrap()
    }

    /// The ids and due times of what is sent at `now`, in seconds.
    fn send_all(book: &mut Book, now: Timestamp) -> Vec<(u64, u64)> {
        let mut sent = Vec::new();
        loop {
            match book.next(now) {
                Next::Send(Dispatch { id, due, .. }) => {
                    assert!(book.begin_call(id, due, now));
                    book.sent(id);
                    sent.push((id.0, due.as_secs()));
                }
                Next::Tell(_) => {}
                Next::Sleep(_) | Next::Over => return sent,
            }
        }
    }

    #[test]
    fn jobs_of_the_same_instant_go_in_the_order_of_their_adding() {
        let fifo = BookPlan {
            fifo: true,
            lead: Duration::ZERO,
            ..PLAN
        };
        let mut book = Book::new(fifo);
        let source = || Source::Fixed(SendMessage::new("x").message_group_id("g"));
        let minutely = || Cron::new("* * * * *").unwrap();
        for schedule in [
            at(60).into(),
            minutely().into(),
            at(59).into(),
            at(60).into(),
            minutely().into(),
        ] {
            book.add(schedule, source(), at(0)).unwrap();
        }
        assert_eq!(send_all(&mut book, at(59)), [(3, 59)]);
        assert_eq!(send_all(&mut book, at(60)), [(1, 60), (2, 60), (4, 60), (5, 60)]);
        assert_eq!(send_all(&mut book, at(120)), [(2, 120), (5, 120)]);
    }

    #[test]
    fn a_job_sent_once_goes_as_soon_as_a_queue_can_delay_it() {
        let mut book = Book::new(PLAN);
        add(&mut book, at(1_000));
        assert!(matches!(book.next(at(99)), Next::Sleep(Some(then)) if then == at(100)));
        assert_eq!(send_all(&mut book, at(100)), [(1, 1_000)]);
        assert!(matches!(book.next(at(100)), Next::Over));
    }

    #[test]
    fn cancelling_tells_whether_a_job_is_on_its_way() {
        let mut book = Book::new(PLAN);
        let (id, cron) = (add(&mut book, at(0)), add(&mut book, Cron::new("* * * * *").unwrap()));
        assert!(matches!(book.next(at(0)), Next::Send(_)));
        assert!(book.begin_call(id, at(0), at(0)));
        assert_eq!(book.cancel(cron), Some(false));
        assert_eq!(book.cancel(id), Some(true));
        assert_eq!(book.cancel(id), None);
        book.retry(id);
        assert!(book.is_off(id) && !book.begin_call(id, at(0), at(0)));
        book.put_down();
        assert!(matches!(book.next(at(99)), Next::Over));
        assert_eq!((book.agenda.len(), book.due.len(), book.report().held), (0, 0, 0));
    }

    #[test]
    fn a_job_that_was_put_down_is_sent_again_and_one_after_the_clock_was_set_back_waits() {
        let mut book = Book::new(PLAN);
        let id = add(&mut book, at(1_000));
        assert!(matches!(book.next(at(100)), Next::Send(_)));
        assert!(
            !book.begin_call(id, at(1_000), at(99)),
            "SQS delays for 900 s and no more"
        );
        book.put_down();
        assert!(matches!(book.next(at(99)), Next::Sleep(Some(then)) if then == at(100)));
        assert_eq!(send_all(&mut book, at(100)), [(1, 1_000)]);
    }
}
