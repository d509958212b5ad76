//! A service: addresses, deletion, changes of attributes, one seed, how long it lives.

use crate::common::{DAY, assert_refused, bodies, counts, in_group, millis, receive, receive_for, secs, take};
use requeue::{
    Budget, FactEntry, FactListener, ListQueues, ManualClock, QueueAttributes, ReceiveError, RedrivePolicy, SendError,
    SendMessage, Service, StaleDelete,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

const NO_QUEUE: &str = "The specified queue does not exist.";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn service() -> (ManualClock, Service) {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    (clock, service)
}

fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Service {
    let (_, service) = service();
    for name in names {
        service.create_queue(name, bare()).unwrap();
    }
    service
}

mod addresses {
    use super::*;

    #[test]
    fn urls_and_arns_name_region_and_account() {
        // X3 Q6
        let service = Service::builder()
            .region("eu-west-1")
            .account_id("123456789012")
            .build();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        assert_eq!(jobs.url(), "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs");
        assert_eq!(jobs.arn(), "arn:aws:sqs:eu-west-1:123456789012:jobs");
    }

    #[test]
    fn a_queue_is_found_by_name_url_and_arn() {
        // Q6 Q7 Q8
        let service = with_queues(["jobs", "other"]);
        service.queue("jobs").unwrap().send("m").unwrap();
        for address in [
            "jobs",
            "https://sqs.us-east-1.amazonaws.com/000000000000/jobs",
            "http://localhost:4566/000000000000/jobs",
            "arn:aws:sqs:us-east-1:000000000000:jobs",
        ] {
            let found = service.queue(address).unwrap();
            assert_eq!((found.name(), counts(&found)), ("jobs", [1, 0, 0]), "{address}");
        }
    }

    #[test]
    fn every_call_of_the_service_takes_name_url_or_arn() {
        // Q7
        let service = with_queues(["jobs"]);
        let jobs = service.queue("jobs").unwrap();
        for address in [jobs.name(), jobs.url(), jobs.arn()] {
            service.set_attributes(address, bare().delay(secs(1))).unwrap();
            service.tag_queue(address, [("a", "b")]).unwrap();
            #[cfg(feature = "aws-protocol")]
            {
                service.add_permission(address, "l", ["123456789012"], ["*"]).unwrap();
                assert_eq!(service.permissions(address).unwrap().len(), 1);
                service.remove_permission(address, "l").unwrap();
            }
            service
                .list_dead_letter_source_queues(address, &ListQueues::new())
                .unwrap();
            assert_eq!(service.list_queue_tags(address).unwrap().len(), 1);
            service.untag_queue(address, ["a"]).unwrap();
        }
        service.delete_queue(jobs.url()).unwrap();
    }

    #[test]
    fn an_unknown_queue_does_not_exist_for_any_call() {
        // Q8 Q35
        let service = with_queues(["jobs"]);
        for address in [
            "orders",
            "",
            "https://sqs.us-east-1.amazonaws.com/111111111111/jobs",
            "arn:aws:sqs:eu-west-1:000000000000:jobs",
        ] {
            assert_refused!(service.queue(address), "QueueDoesNotExist", NO_QUEUE);
            assert_refused!(service.delete_queue(address), "QueueDoesNotExist", NO_QUEUE);
            assert_refused!(service.set_attributes(address, bare()), "QueueDoesNotExist", NO_QUEUE);
            assert_refused!(service.tag_queue(address, [("", "")]), "QueueDoesNotExist", NO_QUEUE);
            assert_refused!(service.untag_queue(address, [""]), "QueueDoesNotExist", NO_QUEUE);
            assert_refused!(service.list_queue_tags(address), "QueueDoesNotExist", NO_QUEUE);
            #[cfg(feature = "aws-protocol")]
            {
                assert_refused!(service.permissions(address), "QueueDoesNotExist", NO_QUEUE);
                let add = service.add_permission(address, "", [""], [""]);
                assert_refused!(add, "QueueDoesNotExist", NO_QUEUE);
                assert_refused!(service.remove_permission(address, ""), "QueueDoesNotExist", NO_QUEUE);
            }
            let list = service.list_dead_letter_source_queues(address, &ListQueues::new().max_results(0));
            assert_refused!(list, "QueueDoesNotExist", NO_QUEUE);
        }
    }
}

mod deletion {
    use super::*;

    #[test]
    fn a_queue_is_deleted_whatever_it_holds() {
        // Q35 Q36
        let (_, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("in flight").unwrap();
        let held = receive(&jobs, 1).remove(0);
        jobs.send("visible").unwrap();
        jobs.send(SendMessage::new("delayed").delay(secs(9))).unwrap();
        service.delete_queue("jobs").unwrap();
        assert_refused!(jobs.send("m"), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(jobs.receive().blocking(), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(held.delete(), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(jobs.purge(), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(jobs.set_attributes(bare()), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(service.queue("jobs"), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(service.delete_queue("jobs"), "QueueDoesNotExist", NO_QUEUE);
        assert_refused!(jobs.delete_queue(), "QueueDoesNotExist", NO_QUEUE);
    }

    #[test]
    fn a_long_poll_on_a_deleted_queue_ends_at_once() {
        // Q38
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        thread::scope(|scope| {
            let polls: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| jobs.receive().wait_time(secs(20)).blocking()))
                .collect();
            clock.wait_for_sleepers(3);
            service.delete_queue("jobs").unwrap();
            for poll in polls {
                assert_eq!(poll.join().unwrap().unwrap_err(), ReceiveError::QueueDoesNotExist);
            }
        });
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_queue_that_nobody_uses_stays() {
        // Q41
        let (clock, service) = service();
        service.create_queue("jobs", bare()).unwrap();
        clock.advance(DAY * 365);
        assert!(service.queue("jobs").unwrap().send("m").is_ok());
    }

    #[test]
    fn a_second_purge_within_60_seconds_is_refused() {
        // D44
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        let text = "Only one PurgeQueue operation on jobs is allowed every 60 seconds.";
        jobs.purge().unwrap();
        assert_refused!(jobs.purge(), "PurgeQueueInProgress", text);
        clock.advance(millis(59_999));
        assert_refused!(service.queue("jobs").unwrap().purge(), "PurgeQueueInProgress", text);
        clock.advance(millis(1));
        jobs.purge().unwrap();
    }

    #[test]
    fn a_purge_takes_visible_delayed_and_in_flight_messages() {
        // D43
        let (_, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("in flight").unwrap();
        receive(&jobs, 1);
        jobs.send(SendMessage::new("delayed").delay(secs(9))).unwrap();
        jobs.send("visible").unwrap();
        assert_eq!(counts(&jobs), [1, 1, 1]);
        jobs.purge().unwrap();
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

mod changes {
    use super::*;

    #[test]
    fn a_change_acts_at_once() {
        // Q39
        let (_, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        service
            .set_attributes("jobs", bare().maximum_message_size(1_024).delay(secs(7)))
            .unwrap();
        assert!(jobs.send("x".repeat(1_024)).is_ok());
        assert_eq!(counts(&jobs), [0, 0, 1]);
        assert_eq!(
            jobs.send("x".repeat(1_025)).unwrap_err().code(),
            "InvalidParameterValue"
        );
    }

    #[test]
    fn retention_acts_on_stored_messages() {
        // Q40
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("old").unwrap();
        clock.advance(secs(61));
        jobs.send("young").unwrap();
        service
            .set_attributes("jobs", bare().message_retention_period(secs(60)))
            .unwrap();
        assert_eq!(bodies(&receive(&jobs, 10)), ["young"]);
    }

    #[test]
    fn the_delay_acts_on_stored_messages_of_a_fifo_queue_alone() {
        // Q40
        let (clock, service) = service();
        let fifo = bare().fifo_queue(true).content_based_deduplication(true).delay(secs(9));
        let orders = service.create_queue("orders.fifo", fifo).unwrap();
        let jobs = service.create_queue("jobs", bare().delay(secs(9))).unwrap();
        orders.send(in_group("g", "m")).unwrap();
        jobs.send("m").unwrap();
        for queue in ["orders.fifo", "jobs"] {
            service.set_attributes(queue, bare().delay(secs(2))).unwrap();
        }
        clock.advance(secs(2));
        assert_eq!((counts(&orders), counts(&jobs)), ([1, 0, 0], [0, 0, 1]));
        clock.advance(secs(7));
        assert_eq!(counts(&jobs), [1, 0, 0]);
    }

    #[test]
    fn visibility_timeout_and_size_act_on_later_calls_only() {
        // Q40
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("x".repeat(5_000)).unwrap();
        take(&jobs);
        let changes = bare().visibility_timeout(secs(1)).maximum_message_size(1_024);
        service.set_attributes("jobs", changes).unwrap();
        clock.advance(secs(29));
        assert_eq!(counts(&jobs), [0, 1, 0]);
        clock.advance(secs(1));
        assert_eq!(take(&jobs).body().len(), 5_000);
        clock.advance(secs(1));
        assert_eq!(counts(&jobs), [1, 0, 0]);
    }

    #[test]
    fn one_bad_attribute_keeps_the_others_from_changing() {
        // Q28
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        let before = jobs.settings();
        clock.advance(secs(1));
        let changes = bare().delay(secs(1)).visibility_timeout(secs(43_201));
        assert_refused!(
            service.set_attributes("jobs", changes),
            "InvalidAttributeValue",
            "Invalid value for the parameter VisibilityTimeout."
        );
        assert_eq!(jobs.settings(), before);
    }

    #[test]
    fn attributes_and_permissions_move_the_time_of_the_last_change_and_tags_do_not() {
        // Q15
        let (clock, service) = service();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        let created = jobs.settings().created_timestamp;
        assert_eq!(jobs.settings().last_modified_timestamp, created);
        let modified_after = |change: &dyn Fn()| {
            clock.advance(secs(1));
            change();
            let settings = jobs.settings();
            assert_eq!(settings.created_timestamp, created);
            settings
                .last_modified_timestamp
                .saturating_duration_since(created)
                .as_secs()
        };
        assert_eq!(modified_after(&|| service.tag_queue("jobs", [("a", "b")]).unwrap()), 0);
        assert_eq!(modified_after(&|| service.set_attributes("jobs", bare()).unwrap()), 2);
        assert_eq!(modified_after(&|| service.untag_queue("jobs", ["a"]).unwrap()), 2);
        #[cfg(feature = "aws-protocol")]
        {
            let add = || service.add_permission("jobs", "l", ["123456789012"], ["*"]).unwrap();
            assert_eq!(modified_after(&add), 4);
            assert_eq!(modified_after(&|| service.remove_permission("jobs", "l").unwrap()), 5);
        }
    }

    #[test]
    fn changes_made_at_once_by_several_threads_are_all_kept() {
        // Q28
        let service = with_queues(["jobs"]);
        let jobs = service.queue("jobs").unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for secs_of in 0..300 {
                    service.set_attributes("jobs", bare().delay(secs(secs_of))).unwrap();
                    assert_eq!(jobs.settings().delay, secs(secs_of), "another thread undid this change");
                }
            });
            scope.spawn(|| {
                for secs_of in 0..300 {
                    jobs.set_attributes(bare().visibility_timeout(secs(secs_of))).unwrap();
                    assert_eq!(jobs.settings().visibility_timeout, secs(secs_of));
                }
            });
        });
    }
}

mod building {
    use super::*;

    #[test]
    fn every_queue_has_the_budget_of_its_service() {
        let service = Service::builder().budget(Budget::new().messages(1)).build();
        for name in ["a", "b"] {
            let queue = service.create_queue(name, bare()).unwrap();
            queue.send("one").unwrap();
            assert!(matches!(queue.send("two"), Err(SendError::QueueFull { .. })));
        }
    }

    #[test]
    fn a_budget_does_not_refuse_arrivals_from_another_queue() {
        let service = Service::builder().budget(Budget::new().messages(1)).build();
        let dead = service.create_queue("dead", bare()).unwrap();
        let policy = RedrivePolicy::new(dead.arn(), 1);
        let jobs = service.create_queue("jobs", bare().redrive_policy(policy)).unwrap();
        dead.send("one").unwrap();
        jobs.send("two").unwrap();
        receive_for(&jobs, 1, Duration::ZERO);
        receive(&jobs, 1);
        assert_eq!(counts(&dead), [2, 0, 0]);
    }

    #[test]
    fn every_queue_ignores_stale_deletes_if_its_service_says_so() {
        // D20
        let service = Service::builder().stale_delete(StaleDelete::Ignore).build();
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("m").unwrap();
        let stale = receive_for(&jobs, 1, Duration::ZERO).remove(0);
        receive(&jobs, 1);
        stale.delete().unwrap();
        assert_eq!(counts(&jobs), [0, 1, 0]);
    }
}

mod seeds {
    use super::*;

    /// Ids and handles of a few steps.
    fn run(seed: u64) -> Vec<String> {
        let service = Service::builder()
            .clock(ManualClock::default())
            .seed(seed)
            .shards(4)
            .build();
        let mut drawn = Vec::new();
        for name in ["a", "b"] {
            let queue = service.create_queue(name, bare()).unwrap();
            drawn.push(queue.send("m").unwrap().message_id.to_string());
            let received = queue.receive().wait_time(Duration::from_secs(1)).blocking().unwrap();
            drawn.push(received[0].receipt_handle().to_string());
        }
        drawn
    }

    #[test]
    fn the_same_seed_and_steps_give_the_same_bytes() {
        assert_eq!(run(7), run(7));
    }

    #[test]
    fn seeds_and_queues_of_one_seed_differ() {
        let all: Vec<_> = (0..4).flat_map(run).collect();
        let distinct: BTreeMap<_, _> = all.iter().map(|it| (it, ())).collect();
        assert_eq!(distinct.len(), all.len());
    }
}

mod lifetime {
    use super::*;

    /// Calls the service on every fact.
    #[derive(Clone, Default)]
    struct Meddler(Arc<(OnceLock<Service>, Mutex<Vec<String>>)>);

    impl FactListener for Meddler {
        fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
            let Some(service) = self.0.0.get() else { return };
            let found = service.queue(queue).is_ok();
            service.list_queues(&ListQueues::new()).unwrap();
            if found && entry.number == 2 {
                service.set_attributes(queue, bare().delay(secs(1))).unwrap();
                service
                    .set_attributes(queue, bare().visibility_timeout(secs(1)))
                    .unwrap();
            }
            self.0.1.lock().unwrap().push(format!("{} {}", entry.number, found));
        }
    }

    #[test]
    fn a_listener_may_call_the_service() {
        let meddler = Meddler::default();
        let service = Service::builder()
            .clock(ManualClock::default())
            .listener(meddler.clone())
            .build();
        assert!(meddler.0.0.set(service.clone()).is_ok());
        let jobs = service.create_queue("jobs", bare()).unwrap();
        jobs.send("m").unwrap();
        service
            .set_attributes("jobs", bare().visibility_timeout(secs(1)))
            .unwrap();
        assert_eq!(jobs.settings().delay, secs(1));
        service.delete_queue("jobs").unwrap();
        assert_eq!(
            *meddler.0.1.lock().unwrap(),
            ["1 true", "2 true", "3 true", "4 true", "5 false"]
        );
    }

    #[test]
    fn a_handle_of_a_queue_keeps_its_service_alive() {
        let (clock, service) = service();
        let dead = service.create_queue("dead", bare()).unwrap();
        let policy = RedrivePolicy::new(dead.arn(), 1);
        let jobs = service.create_queue("jobs", bare().redrive_policy(policy)).unwrap();
        drop((dead, service));
        jobs.send("m").unwrap();
        receive_for(&jobs, 1, Duration::ZERO);
        assert!(
            receive(&jobs, 1).is_empty(),
            "the dead-letter queue died with the handles of its service"
        );
        assert_eq!(counts(&jobs), [0, 0, 0]);
        drop(clock);
    }
}
