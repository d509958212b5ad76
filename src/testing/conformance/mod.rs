//! What an implementation of [`MessageQueue`](crate::backend::MessageQueue) has to do, as checks for its tests. Feature
//! `worker`.
//!
//! A [`Fixture`] makes queues of the implementation and lets time pass; [`check`] runs every [`Requirement`] against it
//! and panics with a sentence that names the broken one. The queues of this crate are checked so: the embedded one, and
//! `SqsQueue` on a client that a service in process answers.
//!
//! Requirements are written for a queue that may lie behind a network: what has to come is waited for, and spans are
//! seconds. On a manual clock they take milliseconds. In real time they take about twelve minutes one after the other, and
//! four if they run at the same time, each on queues of its own.

mod dead_letters;
mod fifo;
mod fixture;
mod in_process;
mod leases;
mod messages;
mod polls;
mod refusals;
mod scene;

use {
    crate::sync::panic_text,
    std::panic::{AssertUnwindSafe, catch_unwind},
};

pub use {
    fixture::{Created, Fixture, Wanted},
    in_process::InProcess,
};

/// Panics unless queues of this fixture keep every requirement.
///
/// # Panics
/// With a sentence that names the first broken requirement.
///
/// # Examples
/// ```
/// use requeue::testing::conformance::{InProcess, check};
///
/// check(&InProcess::embedded());
/// ```
pub fn check<F: Fixture>(fixture: &F) {
    for requirement in requirements() {
        requirement.check(fixture);
    }
}

/// Every requirement, to be checked one by one.
///
/// # Examples
/// ```
/// use requeue::testing::conformance::{InProcess, requirements};
///
/// let fixture = InProcess::embedded();
/// for requirement in requirements() {
///     println!("{}", requirement.name());
///     requirement.check(&fixture);
/// }
/// ```
#[must_use]
pub fn requirements<F: Fixture>() -> Vec<Requirement<F>> {
    macro_rules! all {
        ($($file:ident: $($name:ident)+;)+) => {
            vec![$($(Requirement {
                name: stringify!($name),
                check: |fixture| fixture.run($file::$name(fixture)),
            }),+),+]
        };
    }
    all! {
        messages: messages_arrive_as_sent fifo_messages_arrive_as_sent messages_are_received_again delays_are_kept
            a_delete_is_final what_is_done_at_once_is_done;
        polls: a_receive_keeps_its_maximum a_long_poll_waits_to_its_end a_long_poll_ends_with_a_message
            a_dropped_receive_loses_nothing;
        leases: a_received_message_is_hidden a_message_can_be_given_back a_lease_can_be_extended
            failures_are_reported_by_index what_is_released_or_postponed_comes_back counts_tell_what_is_left;
        fifo: groups_keep_their_order given_back_in_order an_expired_lease_is_reported;
        dead_letters: a_dead_letter_moves_at_once a_dead_letter_frees_its_group a_dead_letter_is_never_nowhere
            a_missing_dead_letter_queue_is_reported;
        refusals: bad_parameters_are_refused a_deleted_queue_is_reported;
    }
}

/// One thing that an implementation of [`MessageQueue`](crate::backend::MessageQueue) has to do.
#[derive(Debug)]
pub struct Requirement<F> {
    name: &'static str,
    check: fn(&F),
}

impl<F: Fixture> Requirement<F> {
    /// Its name, a claim in snake case.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, testing::conformance::{InProcess, requirements}};
    ///
    /// let all = requirements::<InProcess<Queue>>();
    /// assert!(all.iter().any(|requirement| requirement.name() == "a_delete_is_final"));
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Panics unless queues of this fixture keep it.
    ///
    /// # Panics
    /// With a sentence that names the requirement and what was broken.
    ///
    /// # Examples
    /// ```
    /// use requeue::testing::conformance::{InProcess, requirements};
    ///
    /// requirements()[0].check(&InProcess::embedded());
    /// ```
    pub fn check(&self, fixture: &F) {
        let checked = catch_unwind(AssertUnwindSafe(|| (self.check)(fixture)));
        if let Err(payload) = checked {
            let sentence = panic_text(payload).unwrap_or_default();
            panic!("the requirement {} is broken: {sentence}", self.name);
        }
    }
}
