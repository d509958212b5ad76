//! The 50 scenarios of the rules, each observed on SQS, through two doors: the native API, and a client
//! of the AWS SDK (feature `aws-sdk`).
//!
//! Each is written once, in terms of [`door`], and must look the same through both, so that the doors cannot drift
//! apart. One that [`scenarios!`] does not list is dead code. The native API has no digests: that part of B24 is the
//! client's alone.

#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
mod client;
mod door;
mod fifo;
mod move_tasks;
mod native;
mod standard;

macro_rules! scenarios {
    ($($file:ident: $($scenario:ident)+;)+) => {
        const NAMES: &[&str] = &[$($(stringify!($scenario),)+)+];

        mod through_the_native_api {
            $($(#[test] fn $scenario() { super::$file::$scenario(&super::native::house()) })+)+
        }

        #[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
        mod through_the_client {
            $($(#[test] fn $scenario() { super::$file::$scenario(&super::client::house()) })+)+
        }
    };
}

scenarios! {
    standard:
        b01_visibility_zero_leaves_the_message_for_the_next_receive
        b02_an_older_handle_ends_the_newer_reception
        b03_a_handle_deletes_after_its_visibility_timeout
        b04_changing_visibility_after_the_timeout_succeeds
        b05_short_extensions_keep_a_message_hidden_until_they_stop
        b06_a_changed_timeout_is_not_remembered_by_the_next_receive
        b07_a_message_that_timed_out_comes_before_one_sent_later
        b08_a_delayed_message_comes_when_its_delay_ends
        b09_retention_ends_messages_in_flight_and_their_handles_still_delete
        b10_deleting_twice_with_one_handle_succeeds
        b11_the_visibility_of_a_deleted_message_cannot_be_changed
        b12_garbage_is_no_receipt_handle
        b13_attributes_count_toward_the_size_limit
        b14_an_oversized_entry_fails_alone
        b15_the_limit_of_a_queue_does_not_bound_the_total_of_a_batch
        b16_a_batch_of_more_than_1_mib_stores_nothing
        b17_a_batch_of_20_is_refused
        b18_a_second_purge_at_once_is_refused
        b19_purge_deletes_messages_in_flight_and_delayed_ones
        b20_attributes_given_are_compared_with_the_current_values
        b21_a_default_given_explicitly_equals_an_unset_attribute
        b22_a_group_id_on_a_standard_queue_is_returned_without_a_sequence_number
        b23_a_malformed_group_id_is_refused_on_a_standard_queue
        b24_a_name_pattern_selects_by_prefix_without_its_dot
        b25_a_dead_letter_keeps_its_id_and_count_and_names_its_source;
    fifo:
        b26_one_group_comes_in_order
        b27_a_receive_fills_from_one_group_before_the_next
        b28_a_long_poll_gets_the_second_message_of_a_group_when_the_first_is_deleted
        b29_extending_the_first_message_locks_the_group
        b30_extending_the_second_message_leaves_the_first_receivable
        b31_extending_the_last_message_leaves_those_before_it_receivable
        b32_a_message_given_back_comes_after_a_group_that_waits
        b33_a_message_whose_shortened_timeout_ends_comes_after_a_group_that_waits
        b34_deleting_the_messages_in_flight_unlocks_their_group_at_its_place
        b35_deleting_one_of_two_messages_in_flight_leaves_their_group_locked
        b36_after_timeouts_groups_never_received_come_first
        b37_after_visibility_zero_groups_never_received_come_first
        b38_messages_that_time_out_come_back_in_their_order
        b39_a_handle_does_not_delete_after_its_visibility_timeout
        b40_a_handle_deletes_within_its_extended_timeout
        b41_a_body_sent_again_after_its_delete_is_a_duplicate
        b42_the_scope_says_whether_a_deduplication_id_counts_in_another_group
        b43_purge_forgets_deduplication_ids
        b44_a_delay_of_zero_means_the_delay_of_the_queue
        b45_a_message_has_no_delay_of_its_own
        b46_a_group_whose_message_was_dead_lettered_takes_new_ones
        b47_a_message_left_over_is_counted_as_visible;
    move_tasks:
        b48_without_a_destination_each_message_returns_to_its_own_source
        b49_a_cancelled_task_moves_one_more_message_and_stops
        b50_one_task_of_a_source_is_active_at_a_time;
}

#[test]
fn all_50_scenarios_are_listed_in_their_order() {
    assert_eq!(NAMES.len(), 50);
    for (at, name) in NAMES.iter().enumerate() {
        let number = format!("b{:02}_", at + 1);
        assert!(name.starts_with(&number), "{name} stands where {number} belongs");
    }
}
