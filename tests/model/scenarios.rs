//! The reference replays what was observed on AWS (B1 to B47) and the table of D19: standard queues.

use crate::reference::*;

/// A world with one clock, driven by texts: group `g1` of `g1-m1` is what stands before the dash.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) start: u64,
}

pub(crate) const START: u64 = 1_767_225_600_000;

impl Story {
    pub(crate) fn new(setups: &[Setup]) -> Self {
        Self::with_limits(setups, ModelLimits::default())
    }

    pub(crate) fn with_limits(setups: &[Setup], limits: ModelLimits) -> Self {
        Self {
            world: World::with_limits(START, setups, limits),
            start: START,
        }
    }

    /// Moves the clock to `seconds` after the start of the story.
    pub(crate) fn at(&mut self, seconds: f64) {
        self.world.set_clock(self.start + (seconds * 1000.0) as u64);
    }

    pub(crate) fn send(&mut self, bodies: &[&str]) {
        for body in bodies {
            let mut draft = Draft::new(body);
            if self.world.setup(0).fifo {
                draft.message_group_id = Some(body.split('-').next().expect("split gives one part").to_owned());
            }
            self.world.send(0, &draft).expect("the draft is valid");
        }
    }

    pub(crate) fn send_as(&mut self, draft: Draft) -> Sent {
        self.world.send(0, &draft).expect("the draft is valid")
    }

    pub(crate) fn receive_from(&mut self, queue: usize, maximum: usize, visibility: Option<u64>) -> Vec<Received> {
        let visibility = visibility.map(|seconds| seconds * SECOND);
        let request = Request {
            max_messages: Some(maximum),
            visibility_timeout: visibility,
            ..Request::default()
        };
        self.world.receive(queue, &request).expect("the request is valid")
    }

    /// The bodies, and the handles in the same order.
    pub(crate) fn receive(&mut self, maximum: usize, visibility: Option<u64>) -> (Vec<String>, Vec<Handle>) {
        let received = self.receive_from(0, maximum, visibility);
        received
            .into_iter()
            .map(|message| (message.body, message.handle))
            .unzip()
    }

    pub(crate) fn bodies(&mut self, maximum: usize) -> Vec<String> {
        self.receive(maximum, None).0
    }

    pub(crate) fn one(&mut self) -> Handle {
        self.receive(1, None).1[0]
    }

    pub(crate) fn change(&mut self, handle: Handle, seconds: u64) -> Result<(), Refusal> {
        self.world.change_visibility(0, handle, seconds * SECOND)
    }

    pub(crate) fn delete(&mut self, handle: Handle) -> Result<(), Refusal> {
        self.world.delete(0, handle)
    }

    pub(crate) fn visible(&self) -> usize {
        self.world.counts(0).visible
    }
}

pub(crate) fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Refusal>, code: &str, text: &str) {
    let refusal = answer.expect_err("the call is refused");
    assert_eq!(refusal.code, code);
    assert!(refusal.text.contains(text), "{refusal:?} does not say {text:?}");
}

pub(crate) const INVALID: &str = "InvalidParameterValue";

#[test]
fn visibility_zero_on_receive_leaves_a_message_visible() {
    let mut story = Story::new(&[Setup::standard()]); // B1
    story.send(&["m"]);
    assert_eq!(story.receive(1, Some(0)).0, ["m"]);
    assert_eq!(story.receive(1, Some(3)).0, ["m"]);
    assert!(story.bodies(1).is_empty());
}

#[test]
fn an_older_handle_ends_the_current_reception_on_a_standard_queue() {
    let mut story = Story::new(&[Setup::standard()]); // B2
    story.send(&["m"]);
    let first = story.receive(1, Some(0)).1[0];
    story.receive(1, Some(3));
    story.change(first, 0).unwrap();
    assert_eq!(story.bodies(1), ["m"]);
}

#[test]
fn a_handle_whose_visibility_ended_still_deletes_on_a_standard_queue() {
    let mut story = Story::new(&[Setup::standard().visibility_timeout(SECOND)]); // B3
    story.send(&["m"]);
    let handle = story.one();
    story.at(2.0);
    story.delete(handle).unwrap();
    assert_eq!(story.visible(), 0);
}

#[test]
fn changing_an_ended_visibility_has_no_effect_on_a_standard_queue() {
    let mut story = Story::new(&[Setup::standard().visibility_timeout(SECOND)]); // B4, D30
    story.send(&["m"]);
    let handle = story.one();
    story.at(2.0);
    story.change(handle, 2).unwrap();
    assert_eq!(story.visible(), 1);
}

#[test]
fn repeated_extension_hides_a_message_until_it_stops() {
    let mut story = Story::new(&[Setup::standard().visibility_timeout(2 * SECOND)]); // B5
    story.send(&["m"]);
    let handle = story.one();
    for second in 1..=4 {
        story.at(f64::from(second));
        story.change(handle, 2).unwrap();
        assert!(story.bodies(1).is_empty());
    }
    story.at(6.0);
    assert_eq!(story.bodies(1), ["m"]);
}

#[test]
fn a_changed_visibility_is_not_remembered() {
    let mut story = Story::new(&[Setup::standard()]); // B6, D23
    story.send(&["m"]);
    let handle = story.one();
    story.change(handle, 0).unwrap();
    assert_eq!(story.bodies(1), ["m"]);
    assert!(story.bodies(1).is_empty());
}

#[test]
fn send_order_beats_the_order_of_becoming_visible() {
    let mut story = Story::new(&[Setup::standard()]); // B7, D49
    story.send(&["m1"]);
    story.receive(1, Some(3));
    story.at(1.5);
    story.send(&["m2"]);
    story.at(4.5);
    assert_eq!(story.receive(1, Some(3)).0, ["m1"]);
}

#[test]
fn a_delayed_message_arrives_when_its_delay_ends() {
    let mut story = Story::new(&[Setup::standard()]); // B8
    story.send_as(Draft::new("m").delay(SECOND));
    assert!(story.bodies(1).is_empty());
    story.at(0.999);
    assert_eq!(
        story.world.counts(0),
        Counts {
            delayed: 1,
            ..Counts::default()
        }
    );
    story.at(1.0);
    assert_eq!(story.bodies(1), ["m"]);
}

#[test]
fn retention_ends_a_message_in_any_phase() {
    let mut story = Story::new(&[Setup::standard()
        .message_retention_period(60 * SECOND)
        .visibility_timeout(60 * SECOND)]); // B9, D37
    story.send(&["m1", "m2"]);
    story.at(5.0);
    let (bodies, handles) = story.receive(1, None);
    assert_eq!(bodies, ["m1"]);
    story.at(66.0);
    assert!(story.bodies(1).is_empty());
    story.at(74.0);
    assert!(story.bodies(1).is_empty());
    story.delete(handles[0]).unwrap();
}

#[test]
fn a_deleted_message_can_be_deleted_again_and_not_changed() {
    for setup in [Setup::standard(), Setup::fifo()] {
        let mut story = Story::new(&[setup]); // B10, B11, D19
        story.send(&["m"]);
        let handle = story.one();
        story.delete(handle).unwrap();
        story.delete(handle).unwrap();
        assert_refused(story.change(handle, 10), INVALID, "does not exist or is not available");
    }
}

#[test]
fn a_handle_of_another_queue_is_invalid() {
    for setup in [Setup::standard(), Setup::fifo()] {
        let mut story = Story::new(&[setup.clone(), setup]); // D19
        story.send(&["m"]);
        let handle = story.one();
        assert_refused(story.world.delete(1, handle), "ReceiptHandleIsInvalid", "");
        assert_refused(
            story.world.change_visibility(1, handle, 0),
            "ReceiptHandleIsInvalid",
            "",
        );
    }
}

#[test]
fn an_older_handle_deletes_a_message_received_again_on_a_standard_queue() {
    let mut story = Story::new(&[Setup::standard().visibility_timeout(SECOND)]); // D19
    story.send(&["m"]);
    let old = story.one();
    story.at(1.0);
    story.one();
    story.delete(old).unwrap();
    assert_eq!(story.world.counts(0), Counts::default());
}

#[test]
fn one_reception_lasts_twelve_hours_at_most() {
    let mut story = Story::new(&[Setup::standard()]); // D25, D26, D28
    story.send(&["m"]);
    let handle = story.receive(1, Some(43_200)).1[0];
    story.change(handle, 43_200).unwrap();
    story.at(0.001);
    assert_refused(story.change(handle, 43_200), INVALID, "Total VisibilityTimeout");
    assert_refused(story.change(handle, 43_201), INVALID, "Must be between 0 and 43200");
    story.change(handle, 43_199).unwrap();
}

#[test]
fn sizes_are_checked_per_entry_and_per_batch() {
    let limits = ModelLimits {
        batch_bytes: 3_000,
        ..ModelLimits::default()
    };
    let mut story = Story::with_limits(&[Setup::standard().maximum_message_size(1_024)], limits);
    let (long, short) = (Draft::new(&"x".repeat(1_025)), Draft::new("m"));
    assert_refused(story.world.send(0, &long), INVALID, "Message must be shorter than"); // B13
    let both = [("0".to_owned(), long.clone()), ("1".to_owned(), short.clone())];
    let answers = story.world.send_batch(0, &both).unwrap();
    assert!(answers[0].is_err() && answers[1].is_ok()); // B14
    let three: Vec<_> = (0..3).map(|id| (id.to_string(), long.clone())).collect();
    assert_refused(story.world.send_batch(0, &three), "BatchRequestTooLong", ""); // B16
    let twenty: Vec<_> = (0..20).map(|id| (id.to_string(), short.clone())).collect();
    assert_refused(story.world.send_batch(0, &twenty), "TooManyEntriesInBatchRequest", ""); // B17
    assert_eq!(story.visible(), 1);
}

#[test]
fn purge_empties_the_queue_once_a_minute() {
    let mut story = Story::new(&[Setup::standard()]); // B18, B19, D44
    story.send(&["m"]);
    story.one();
    story.send_as(Draft::new("later").delay(SECOND));
    story.world.purge(0).unwrap();
    assert_eq!(story.world.counts(0), Counts::default());
    story.at(59.999);
    assert_refused(story.world.purge(0), "PurgeQueueInProgress", "");
    story.at(60.0);
    story.world.purge(0).unwrap();
}

#[test]
fn a_group_id_on_a_standard_queue_is_kept_and_checked() {
    let mut story = Story::new(&[Setup::standard()]); // B22, B23
    story.send_as(Draft::new("m").message_group_id("test"));
    assert_eq!(
        story.receive_from(0, 1, None)[0].message_group_id.as_deref(),
        Some("test")
    );
    for bad in ["group 123", "", &"x".repeat(129)] {
        let answer = story.world.send(0, &Draft::new("m").message_group_id(bad));
        assert_refused(answer, INVALID, "MessageGroupId can only include");
    }
}

#[test]
fn a_message_received_often_enough_moves_at_the_next_attempt() {
    let mut story = Story::new(&[Setup::standard().visibility_timeout(0).redrive(1, 1), Setup::standard()]); // B25
    story.send(&["m"]);
    let sent = story.receive_from(0, 1, None)[0].clone();
    assert!(story.bodies(1).is_empty());
    let moved = story.receive_from(1, 1, None)[0].clone();
    assert_eq!((moved.id, moved.receive_count, moved.source), (sent.id, 2, Some(0)));
}

#[test]
fn the_limit_of_messages_in_flight_is_an_error_on_short_polls_of_standard_queues_only() {
    for (setup, refused) in [(Setup::standard(), true), (Setup::fifo(), false)] {
        let limits = ModelLimits {
            in_flight: 2,
            ..ModelLimits::default()
        };
        let mut story = Story::with_limits(&[setup], limits); // D15, D17, F29
        story.send(&["1-a", "2-b", "3-c"]);
        assert_eq!(story.bodies(10).len(), 2);
        assert_eq!(story.world.receive(0, &Request::default()).is_err(), refused);
        let long = Request {
            wait_time: Some(SECOND),
            ..Request::default()
        };
        assert!(story.world.receive(0, &long).unwrap().is_empty());
    }
}

#[test]
fn a_message_received_three_times_sorts_behind_the_others() {
    let mut story = Story::new(&[Setup::standard()]); // D49
    story.send(&["m1"]);
    (0..3).for_each(|_| drop(story.receive(1, Some(0))));
    story.send(&["m2"]);
    assert_eq!(story.receive(10, Some(0)).0, ["m2", "m1"]);
}

#[test]
fn a_standard_message_keeps_its_age_in_the_dead_letter_queue_and_a_fifo_message_starts_anew() {
    for (setup, left) in [(Setup::standard(), 0), (Setup::fifo(), 1)] {
        let source = setup.clone().redrive(1, 1); // L13, L14, L15
        let mut story = Story::new(&[source, setup.message_retention_period(60 * SECOND)]);
        story.send(&["g-m"]);
        story.receive(1, Some(0));
        story.at(60.0);
        assert!(story.bodies(1).is_empty());
        assert_eq!(story.world.counts(1).visible, left);
    }
}

#[test]
fn a_tenant_that_crowds_the_queue_is_served_last() {
    let limits = ModelLimits {
        noisy_in_flight: 3,
        ..ModelLimits::default()
    };
    let mut story = Story::with_limits(&[Setup::standard()], limits); // N3 (a), N4
    for body in ["m1", "m2", "m3", "m4"] {
        story.send_as(Draft::new(body).message_group_id("loud"));
    }
    story.send_as(Draft::new("m5").message_group_id("quiet"));
    assert_eq!(story.bodies(3), ["m1", "m2", "m3"]);
    assert_eq!(story.bodies(10), ["m5", "m4"]);
}

#[test]
fn a_tenant_that_took_the_time_of_the_consumers_is_served_last_for_five_minutes() {
    let mut story = Story::new(&[Setup::standard()]); // N3 (b), N9
    for body in ["m1", "m2"] {
        story.send_as(Draft::new(body).message_group_id("slow"));
    }
    story.send_as(Draft::new("m3").message_group_id("other"));
    let handle = story.one();
    story.at(1.5);
    story.delete(handle).unwrap();
    assert_eq!(story.world.noisy_groups(0), ["slow"]);
    assert_eq!(story.receive(10, Some(0)).0, ["m3", "m2"]);
    story.at(301.0);
    assert_eq!(story.receive(10, Some(0)).0, ["m2", "m3"]);
}

#[test]
fn a_clock_that_goes_back_is_read_as_the_latest_instant() {
    let mut story = Story::new(&[Setup::standard()]);
    story.at(10.0);
    story.world.set_clock(START);
    story.send(&["m"]);
    assert_eq!(story.world.snapshot(0)[0].sent_at, START + 10 * SECOND);
}
