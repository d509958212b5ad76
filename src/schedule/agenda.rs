//! The agenda of a scheduler: what is due when, and what to do next. A pure state machine with time as an argument.

use {
    super::{
        catch_up::{look_at_many, look_at_one},
        cron::Cron,
        event::{SchedulerEvent, SchedulerReport},
        spec::{AddScheduleError, CatchUp, MAX_NAME, Schedule, Source, When},
    },
    crate::{backend::MessageQueueError, time::Timestamp},
    std::{
        collections::{BTreeMap, BTreeSet, VecDeque},
        sync::Arc,
        task::Waker,
        time::Duration,
    },
};

/// A clock that is set back by more than this was wrong before: patterns go on from the time it shows now. By less, what
/// was sent already is not sent again. As in cron(8).
const MAX_SET_BACK: Duration = Duration::from_secs(3 * 60 * 60);

/// Counts up in the order of the adding, and is never used again, as a name may be.
pub(super) type EntryId = u64;

/// How a scheduler works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) fifo: bool,
    /// How long before it is due a job may be given to the queue.
    pub(super) lead: Duration,
    pub(super) tolerance: Duration,
    pub(super) until_none_held: bool,
}

pub(super) struct Agenda {
    config: Config,
    entries: BTreeMap<EntryId, AgendaEntry>,
    names: BTreeMap<Arc<str>, EntryId>,
    /// When something is to be done for each entry.
    actions: BTreeSet<(Timestamp, EntryId)>,
    /// When the next job of each entry is due.
    due: BTreeSet<(Timestamp, EntryId)>,
    next_id: EntryId,
    /// The latest time that was told since the clock was last set back.
    seen: Timestamp,
    /// To be told before anything else is done.
    ended: Vec<SchedulerEvent>,
    sending: Option<Sending>,
    waker: Option<Waker>,
    stopped: bool,
    error: Option<MessageQueueError>,
    report: SchedulerReport,
}

struct AgendaEntry {
    name: Arc<str>,
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
    /// The pattern counts from no earlier time, even if the clock is set back.
    since: Timestamp,
}

#[derive(Clone, Copy)]
struct Sending {
    id: EntryId,
    /// Whether the queue is being asked at this moment.
    calling: bool,
}

/// A job to be sent.
pub(super) struct Dispatch {
    pub(super) id: EntryId,
    pub(super) name: Arc<str>,
    pub(super) due: Timestamp,
    pub(super) source: Source,
}

pub(super) enum Next {
    Send(Dispatch),
    Tell(SchedulerEvent),
    /// Until something is to be done, unless the agenda changes; `None` if nothing is.
    Sleep(Option<Timestamp>),
    Over,
}

impl Agenda {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            entries: BTreeMap::new(),
            names: BTreeMap::new(),
            actions: BTreeSet::new(),
            due: BTreeSet::new(),
            next_id: 1,
            seen: Timestamp::ZERO,
            ended: Vec::new(),
            sending: None,
            waker: None,
            stopped: false,
            error: None,
            report: SchedulerReport::default(),
        }
    }

    pub(super) fn add(
        &mut self,
        name: Arc<str>,
        schedule: Schedule,
        source: Source,
        now: Timestamp,
    ) -> Result<(), AddScheduleError> {
        if self.stopped {
            return Err(AddScheduleError::Stopped);
        }
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AddScheduleError::Name(name.to_string()));
        }
        if self.names.contains_key(&name) {
            return Err(AddScheduleError::NameInUse(name.to_string()));
        }
        if let Source::Fixed(message) = &source {
            if let Some(delay) = message.get_delay() {
                return Err(AddScheduleError::Delay(delay));
            }
            if self.config.fifo && message.get_message_group_id().is_none() {
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
        let id = self.next_id;
        self.next_id += 1;
        self.report.added += 1;
        self.names.insert(Arc::clone(&name), id);
        let entry = AgendaEntry {
            name,
            source,
            cron,
            catch_up: schedule.catch_up,
            due,
            ready: VecDeque::new(),
            latest: due,
            since: schedule.since.unwrap_or_default(),
        };
        self.insert(id, &entry);
        self.entries.insert(id, entry);
        Ok(())
    }

    /// Removes a schedule; says whether a job of it is being sent at this moment, `None` if there is no such schedule.
    pub(super) fn cancel(&mut self, name: &str) -> Option<bool> {
        let id = self.names.remove(name)?;
        let entry = self.entries.remove(&id)?;
        self.remove(id, &entry);
        self.report.cancelled += 1;
        Some(self.sending.is_some_and(|sending| sending.id == id && sending.calling))
    }

    /// What is to be done.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        if self.stopped {
            return Next::Over;
        }
        self.notice(now);
        loop {
            if let Some(event) = self.ended.pop() {
                return Next::Tell(event);
            }
            let Some(&(at, id)) = self.actions.first() else { break };
            if at > now {
                return Next::Sleep(Some(at));
            }
            let entry = self.entry(id);
            if let Some(&due) = entry.ready.front() {
                let (name, source) = (Arc::clone(&entry.name), entry.source.clone());
                self.sending = Some(Sending { id, calling: false });
                return Next::Send(Dispatch { id, name, due, source });
            }
            if let Some(event) = self.look(id, now) {
                return Next::Tell(event);
            }
        }
        if self.config.until_none_held {
            self.stopped = true;
            return Next::Over;
        }
        Next::Sleep(None)
    }

    /// Lets patterns go on from `now` if the clock was set back far.
    fn notice(&mut self, now: Timestamp) {
        if now.saturating_add(MAX_SET_BACK) >= self.seen {
            self.seen = self.seen.max(now);
            return;
        }
        self.seen = now;
        let patterns = self.entries.iter().filter(|(_, entry)| entry.cron.is_some());
        let ids: Vec<_> = patterns.map(|(id, _)| *id).collect();
        for id in ids {
            self.change(id, |entry| {
                entry.ready.retain(|due| *due <= now);
                entry.latest = entry.since.max(now);
            });
        }
    }

    /// Finds out which jobs of a schedule are to be sent, as its time has come.
    fn look(&mut self, id: EntryId, now: Timestamp) -> Option<SchedulerEvent> {
        let tolerance = self.config.tolerance;
        let entry = self.entry(id);
        let (name, first, catch_up) = (Arc::clone(&entry.name), entry.due, entry.catch_up);
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
            name,
            first,
            latest,
            jobs,
        })
    }

    /// Whether the queue may be asked to take the job that is being sent: not if it was cancelled, or may not be given
    /// to the queue any more because the clock was set back.
    pub(super) fn begin_call(&mut self, id: EntryId, due: Timestamp, now: Timestamp) -> bool {
        let lead = self.config.lead;
        let on = !self.stopped && self.entries.contains_key(&id) && due <= now.saturating_add(lead);
        if on {
            self.sending = Some(Sending { id, calling: true });
        }
        on
    }

    /// The queue has taken the job.
    pub(super) fn sent(&mut self, id: EntryId) {
        self.report.sent += 1;
        self.go_on(id);
    }

    /// The job is not sent.
    pub(super) fn not_sent(&mut self, id: EntryId) {
        self.report.not_sent += 1;
        self.go_on(id);
    }

    /// The queue did not take the job and is to be asked again.
    pub(super) fn retry(&mut self, id: EntryId) {
        self.report.retries += 1;
        self.sending = Some(Sending { id, calling: false });
    }

    pub(super) const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether there is no use in waiting to send the job again.
    pub(super) fn is_off(&self, id: EntryId) -> bool {
        self.stopped || !self.entries.contains_key(&id)
    }

    /// No job is being sent; one that was and is not done stays in the agenda.
    pub(super) fn release(&mut self) {
        self.sending = None;
    }

    /// Goes on after the first job that was ready.
    fn go_on(&mut self, id: EntryId) {
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
    pub(super) fn due(&self) -> impl Iterator<Item = (Timestamp, &Arc<str>)> + '_ {
        let name = |id| self.entries.get(id).map(|entry| &entry.name);
        self.due.iter().filter_map(move |(due, id)| Some((*due, name(id)?)))
    }

    /// Whom to wake when the agenda changes.
    pub(super) fn listen(&mut self, waker: &Waker) -> Option<Waker> {
        if self.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            return None;
        }
        self.waker.replace(waker.clone())
    }

    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    fn entry(&self, id: EntryId) -> &AgendaEntry {
        self.entries
            .get(&id)
            .expect("invariant: what is on the agenda is an entry")
    }

    /// Changes an entry; it leaves the agenda if no job is to follow.
    fn change(&mut self, id: EntryId, change: impl FnOnce(&mut AgendaEntry)) {
        let Some(mut entry) = self.entries.remove(&id) else {
            return;
        };
        self.remove(id, &entry);
        change(&mut entry);
        let next = match (entry.ready.front(), &entry.cron) {
            (Some(due), _) => Some(*due),
            (None, Some(cron)) => cron.next_after(entry.latest),
            (None, None) => None,
        };
        if let Some(due) = next {
            entry.due = due;
            self.insert(id, &entry);
            self.entries.insert(id, entry);
            return;
        }
        self.names.remove(&entry.name);
        if entry.cron.is_some() {
            let (name, latest) = (entry.name, entry.latest);
            self.ended.push(SchedulerEvent::Ended { name, latest });
        }
    }

    fn insert(&mut self, id: EntryId, entry: &AgendaEntry) {
        self.due.insert((entry.due, id));
        self.actions.insert((self.time_to_act(entry), id));
    }

    fn remove(&mut self, id: EntryId, entry: &AgendaEntry) {
        self.due.remove(&(entry.due, id));
        self.actions.remove(&(self.time_to_act(entry), id));
    }

    /// A job that is sent once waits in the queue for as long as the queue can delay it; one that is made when it is
    /// due, and the next of many, which can then be cancelled or skipped to the last, wait here.
    fn time_to_act(&self, entry: &AgendaEntry) -> Timestamp {
        match (&entry.source, &entry.cron) {
            (Source::Fixed(_), None) => entry.due.saturating_sub(self.config.lead),
            _ => entry.due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SendMessage;

    const CONFIG: Config = Config {
        fifo: false,
        lead: Duration::from_secs(900),
        tolerance: Duration::from_secs(60),
        until_none_held: true,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn add(agenda: &mut Agenda, name: &str, schedule: impl Into<Schedule>) {
        agenda
            .add(
                name.into(),
                schedule.into(),
                Source::Fixed(SendMessage::new("x")),
                at(0),
            )
            .unwrap();
    }

    /// The ids and due times of what is sent at `now`, in seconds.
    fn send_all(agenda: &mut Agenda, now: Timestamp) -> Vec<(u64, u64)> {
        let mut sent = Vec::new();
        loop {
            match agenda.next(now) {
                Next::Send(Dispatch { id, due, .. }) => {
                    assert!(agenda.begin_call(id, due, now));
                    agenda.sent(id);
                    sent.push((id, due.as_secs()));
                }
                Next::Tell(_) => {}
                Next::Sleep(_) | Next::Over => return sent,
            }
        }
    }

    #[test]
    fn jobs_of_the_same_instant_go_in_the_order_of_their_adding() {
        let fifo = Config {
            fifo: true,
            lead: Duration::ZERO,
            ..CONFIG
        };
        let mut agenda = Agenda::new(fifo);
        let source = || Source::Fixed(SendMessage::new("x").message_group_id("g"));
        let minutely = || Cron::new("* * * * *").unwrap();
        for schedule in [
            at(60).into(),
            minutely().into(),
            at(59).into(),
            at(60).into(),
            minutely().into(),
        ] {
            let name = agenda.next_id.to_string();
            agenda.add(name.into(), schedule, source(), at(0)).unwrap();
        }
        assert_eq!(send_all(&mut agenda, at(59)), [(3, 59)]);
        assert_eq!(send_all(&mut agenda, at(60)), [(1, 60), (2, 60), (4, 60), (5, 60)]);
        assert_eq!(send_all(&mut agenda, at(120)), [(2, 120), (5, 120)]);
    }

    #[test]
    fn a_job_sent_once_goes_as_soon_as_a_queue_can_delay_it() {
        let mut agenda = Agenda::new(CONFIG);
        add(&mut agenda, "x", at(1_000));
        assert!(matches!(agenda.next(at(99)), Next::Sleep(Some(then)) if then == at(100)));
        assert_eq!(send_all(&mut agenda, at(100)), [(1, 1_000)]);
        assert!(matches!(agenda.next(at(100)), Next::Over));
    }

    #[test]
    fn cancelling_tells_whether_a_job_is_on_its_way() {
        let mut agenda = Agenda::new(CONFIG);
        add(&mut agenda, "once", at(0));
        add(&mut agenda, "cron", Cron::new("* * * * *").unwrap());
        let id = 1;
        assert!(matches!(agenda.next(at(0)), Next::Send(_)));
        assert!(agenda.begin_call(id, at(0), at(0)));
        assert_eq!(agenda.cancel("cron"), Some(false));
        assert_eq!(agenda.cancel("once"), Some(true));
        assert_eq!(agenda.cancel("once"), None);
        agenda.retry(id);
        assert!(agenda.is_off(id) && !agenda.begin_call(id, at(0), at(0)));
        agenda.release();
        assert!(matches!(agenda.next(at(99)), Next::Over));
        assert_eq!((agenda.actions.len(), agenda.due.len(), agenda.names.len()), (0, 0, 0));
    }

    #[test]
    fn a_name_that_is_used_again_does_not_inherit_the_job_that_was_being_sent() {
        let mut agenda = Agenda::new(CONFIG);
        add(&mut agenda, "x", at(0));
        assert!(matches!(agenda.next(at(0)), Next::Send(_)));
        assert!(agenda.begin_call(1, at(0), at(0)));
        assert_eq!(agenda.cancel("x"), Some(true));
        add(&mut agenda, "x", at(0));
        agenda.sent(1);
        assert_eq!(send_all(&mut agenda, at(0)), [(2, 0)]);
    }

    #[test]
    fn a_clock_that_is_set_back_far_is_followed_but_not_before_the_start_of_a_schedule() {
        let mut agenda = Agenda::new(CONFIG);
        let hourly = || Schedule::from(Cron::new("@hourly").unwrap()).catch_up(CatchUp::All { at_most: 9 });
        const DAY: u64 = 86_400;
        let now = at(2 * DAY);
        for (name, schedule) in [("1", hourly()), ("2", hourly().since(at(DAY + 5_000)))] {
            agenda
                .add(name.into(), schedule, Source::Fixed(SendMessage::new("x")), now)
                .unwrap();
        }
        add(&mut agenda, "3", at(3 * DAY));
        assert_eq!(send_all(&mut agenda, at(2 * DAY)).last(), Some(&(2, 2 * DAY)));
        let hour = |number: u64| DAY + number * 3_600;
        assert_eq!(send_all(&mut agenda, at(2 * DAY - 3 * 3_600)), [], "by three hours");
        assert_eq!(send_all(&mut agenda, at(DAY)), [], "by a day");
        assert_eq!(
            send_all(&mut agenda, at(hour(2))),
            [(1, hour(1)), (1, hour(2)), (2, hour(2))]
        );
        assert_eq!(
            agenda.due().last().unwrap().0,
            at(3 * DAY),
            "what is sent once keeps its instant"
        );
    }

    #[test]
    fn jobs_that_are_ready_when_the_clock_is_set_back_are_sent_once() {
        let mut agenda = Agenda::new(CONFIG);
        add(
            &mut agenda,
            "1",
            Schedule::from(Cron::new("@hourly").unwrap()).catch_up(CatchUp::All { at_most: 9 }),
        );
        assert!(matches!(agenda.next(at(10 * 3_600)), Next::Tell(_)));
        let times = |hours: std::ops::RangeInclusive<u64>| hours.map(|it| (1, it * 3_600)).collect::<Vec<_>>();
        assert_eq!(send_all(&mut agenda, at(5 * 3_600)), times(2..=5));
        assert_eq!(send_all(&mut agenda, at(10 * 3_600)), times(6..=10));
    }

    #[test]
    fn a_job_that_was_put_down_is_sent_again_and_one_after_the_clock_was_set_back_waits() {
        let mut agenda = Agenda::new(CONFIG);
        add(&mut agenda, "x", at(1_000));
        let id = 1;
        assert!(matches!(agenda.next(at(100)), Next::Send(_)));
        assert!(
            !agenda.begin_call(id, at(1_000), at(99)),
            "SQS delays for 900 s and no more"
        );
        agenda.release();
        assert!(matches!(agenda.next(at(99)), Next::Sleep(Some(then)) if then == at(100)));
        assert_eq!(send_all(&mut agenda, at(100)), [(1, 1_000)]);
    }
}
