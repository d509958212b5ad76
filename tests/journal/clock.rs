//! Clocks that were wrong for one opening.

use {
    crate::{
        directory::{self, Directory},
        open::{builder, clock_at, service},
    },
    requeue::{ManualClock, Queue, QueueAttributes, SendMessage, Service, Timestamp, journal::Durability},
    std::time::Duration,
};

const START: u64 = 1_700_000_000_000;
const SECOND: u64 = 1_000;
const DAY: u64 = 86_400_000;
const YEAR: u64 = 365 * DAY;

struct Place {
    directory: Directory,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: Directory::new(),
            clock: clock_at(START),
        }
    }

    /// Opens the service when the clock says this, and closes it afterwards.
    fn at<T>(&mut self, now: u64, what: impl FnOnce(&Service, &ManualClock) -> T) -> T {
        self.clock = clock_at(now);
        let service = service(self.directory.path(), &self.clock);
        let answer = what(&service, &self.clock);
        service.close().unwrap();
        answer
    }
}

fn jobs(service: &Service) -> Queue {
    service.create_queue("jobs", QueueAttributes::new()).unwrap()
}

fn orders(service: &Service) -> Queue {
    let attributes = QueueAttributes::new().fifo_queue(true);
    service.create_queue("orders.fifo", attributes).unwrap()
}

fn order(id: &str) -> SendMessage {
    let message = SendMessage::new(id).message_group_id("g");
    message.message_deduplication_id(id)
}

fn stored(queue: &Queue) -> Vec<String> {
    let messages = queue.snapshot().messages.into_iter();
    messages.map(|message| message.content.body().to_string()).collect()
}

/// Visible and hidden.
fn counts(service: &Service) -> (usize, usize) {
    let counts = jobs(service).counts();
    (counts.visible, counts.in_flight + counts.delayed)
}

#[test]
fn a_clock_that_was_far_back_for_one_opening_loses_nothing_when_it_is_right_again() {
    let mut place = Place::new();
    let (sent, first) = place.at(START, |service, _| {
        jobs(service).send("old").unwrap();
        (
            jobs(service).snapshot().messages,
            orders(service).send(order("1")).unwrap(),
        )
    });
    for (back, later) in [(YEAR, SECOND), (30 * YEAR, 2 * SECOND)] {
        place.at(START - back, |service, clock| {
            assert_eq!(counts(service), (1, 0));
            assert_eq!(orders(service).send(order("1")).unwrap(), first, "it is remembered");
            clock.advance(Duration::from_secs(3 * 86_400));
            assert_eq!(counts(service), (1, 0));
        });
        place.at(START + later, |service, _| {
            assert_eq!(jobs(service).snapshot().messages, sent);
            assert_eq!(orders(service).send(order("1")).unwrap(), first, "it is remembered");
        });
    }
    place.at(START + 4 * DAY - 1, |service, clock| {
        assert_eq!(counts(service), (1, 0));
        clock.advance(Duration::from_millis(1));
        assert_eq!(counts(service), (0, 0), "its retention is over");
    });
}

#[test]
fn a_clock_that_was_ahead_for_one_opening_loses_nothing_when_it_is_right_again() {
    let mut place = Place::new();
    let first = place.at(START, |service, _| {
        jobs(service).send("before").unwrap();
        orders(service).send(order("1")).unwrap()
    });
    place.at(START + 3 * DAY, |service, _| {
        jobs(service).send("ahead").unwrap();
        orders(service).send(order("2")).unwrap();
        assert_eq!(jobs(service).receive().blocking().unwrap()[0].body(), "before");
    });
    place.at(START + SECOND, |service, clock| {
        assert_eq!(stored(&jobs(service)), ["before", "ahead"]);
        assert_eq!(counts(service), (1, 1));
        assert_eq!(orders(service).send(order("1")).unwrap(), first, "it is remembered");
        jobs(service).send("right").unwrap();
        clock.advance(Duration::from_secs(30));
        assert_eq!(counts(service), (3, 0));
    });
    place.at(START + 4 * DAY - 1, |service, clock| {
        assert_eq!(stored(&jobs(service)), ["before", "ahead", "right"]);
        clock.advance(Duration::from_secs(2));
        assert_eq!(stored(&jobs(service)), ["ahead"]);
    });
}

#[test]
fn a_name_that_was_deleted_when_the_clock_was_ahead_is_free_after_a_minute() {
    let mut place = Place::new();
    place.at(START + YEAR, |service, _| {
        let queue = jobs(service);
        service.delete_queue(queue.url()).unwrap();
    });
    place.at(START, |service, clock| {
        assert!(service.create_queue("jobs", QueueAttributes::new()).is_err());
        clock.advance(Duration::from_secs(60));
        jobs(service);
    });
}

#[test]
fn a_clock_that_is_a_year_back_is_seen_although_the_latest_fact_is_gone_with_its_segment() {
    let mut place = Place::new();
    let path = place.directory.path().to_owned();
    place.at(START, |service, clock| {
        jobs(service).send("resize").unwrap();
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(jobs(service).receive().blocking().unwrap().len(), 1);
        // Tags have no instant. The segment goes when the thread of the journal comes to it.
        for number in 0.. {
            service.tag_queue("jobs", [("number", number.to_string())]).unwrap();
            if !directory::names(&path).contains(&"segment-0000000001.log".to_owned()) {
                break;
            }
        }
    });
    for round in 0..3 {
        place.at(START - YEAR + round * SECOND, |service, _| {
            assert_eq!(counts(service), (0, 1));
        });
    }
    place.at(START - YEAR + 30 * SECOND, |service, _| {
        assert_eq!(counts(service), (1, 0));
    });
}

#[test]
fn a_clock_that_jumps_to_and_fro_loses_nothing_and_hides_nothing_for_longer() {
    let mut place = Place::new();
    let sent = place.at(START, |service, _| {
        jobs(service).send("resize").unwrap();
        jobs(service)
            .send(SendMessage::new("later").delay(Duration::from_secs(900)))
            .unwrap();
        orders(service).send(order("1")).unwrap();
        stored(&jobs(service))
    });
    for (round, now) in (1..).zip([YEAR, 0, 2 * YEAR, YEAR, 3 * YEAR, 10, 0]) {
        place.at(START - 3 * YEAR + now, |service, clock| {
            assert_eq!(stored(&jobs(service)), sent, "round {round}");
            assert_eq!(stored(&orders(service)), ["1"], "round {round}");
            jobs(service).receive().max_messages(10).blocking().unwrap();
            assert_eq!(jobs(service).receive().blocking().unwrap().len(), 0, "round {round}");
            clock.advance(Duration::from_secs(29));
            let hidden = jobs(service).receive().blocking().unwrap().len();
            assert_eq!(hidden, 0, "round {round}");
        });
    }
    place.at(START, |service, clock| {
        clock.advance(Duration::from_secs(900));
        assert_eq!(counts(service), (2, 0));
        assert_eq!(stored(&jobs(service)), sent);
    });
}

#[test]
fn a_clock_that_went_back_while_the_journal_was_open_sets_nothing_back_again_with_each_segment() {
    let mut place = Place::new();
    let path = place.directory.path().to_owned();
    place.at(START, |service, clock| {
        jobs(service).send("resize").unwrap();
        jobs(service).send("watch the clock").unwrap();
        let queue = jobs(service);
        let receive = queue.receive().visibility_timeout(Duration::from_secs(3_600));
        assert_eq!(receive.blocking().unwrap().len(), 1);
        let passing = service.create_queue("passing", QueueAttributes::new()).unwrap();
        clock.set(Timestamp::from_millis(START - 600 * SECOND));
        loop {
            passing.send("x".repeat(1_000)).unwrap();
            passing.receive().blocking().unwrap()[0].delete().unwrap();
            if !directory::names(&path).contains(&"segment-0000000003.log".to_owned()) {
                break;
            }
        }
    });
    place.at(START, |service, clock| {
        assert_eq!(counts(service), (1, 1));
        clock.advance(Duration::from_millis(3_599_999));
        assert_eq!(counts(service), (1, 1));
    });
}

#[test]
fn an_interval_ends_by_the_clock_of_the_service() {
    let directory = Directory::new();
    let clock = clock_at(START);
    let interval = Durability::Interval(Duration::from_secs(5));
    let service = builder(directory.path(), &clock).durability(interval).open().unwrap();
    jobs(&service).send("resize").unwrap();
    // The thread of the journal parks when it has done what there was to do.
    let parked = || clock.next_deadline() == Some(Timestamp::from_millis(START + 5_000));
    let is_parked = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        parked()
    });
    assert!(is_parked);
    service.close().unwrap();
}
