//! ListQueues, and the pages it shares with ListDeadLetterSourceQueues.

use crate::common::assert_refused;
use requeue::{Limits, ListQueues, ManualClock, QueueAttributes, Service};

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Service {
    let service = Service::builder().clock(ManualClock::default()).seed(1).build();
    for name in names {
        service.create_queue(name, bare()).unwrap();
    }
    service
}

/// The last segments of the URLs on a page.
fn names(urls: &[String]) -> Vec<&str> {
    urls.iter().map(|url| url.rsplit('/').next().unwrap()).collect()
}

#[test]
fn queues_are_listed_in_ascending_order_of_their_names() {
    // Q9
    let service = with_queues(["b", "a-2", "C", "a-10", "a_1"]);
    let page = service.list_queues(&ListQueues::new()).unwrap();
    assert_eq!(names(&page.items), ["C", "a-10", "a-2", "a_1", "b"]);
    assert_eq!(page.next_token, None);
    assert_eq!(page.items[0], service.queue("C").unwrap().url());
    let none = with_queues([]).list_queues(&ListQueues::new()).unwrap();
    assert_eq!((none.items.len(), none.next_token), (0, None));
}

#[test]
fn a_prefix_selects_by_case() {
    // Q9
    let service = with_queues(["jobs-a", "jobs-b", "Jobs-c", "job", "orders"]);
    let list = |prefix| service.list_queues(&ListQueues::new().prefix(prefix)).unwrap().items;
    assert_eq!(names(&list("jobs")), ["jobs-a", "jobs-b"]);
    assert_eq!(names(&list("jobs-b")), ["jobs-b"]);
    assert_eq!(names(&list("J")), ["Jobs-c"]);
    assert!(list("x").is_empty() && list("jobs-b2").is_empty());
}

#[test]
fn pages_follow_one_another_without_gap_or_overlap() {
    // Q9 Q10
    let service = with_queues(["a", "jobs-1", "jobs-2", "jobs-3", "jobs-4", "jobs-5", "z"]);
    for size in 1..=5 {
        let mut request = ListQueues::new().prefix("jobs-").max_results(size);
        let mut seen = Vec::new();
        loop {
            let page = service.list_queues(&request).unwrap();
            assert!(page.items.len() == size || page.next_token.is_none());
            seen.extend(page.items);
            let Some(token) = page.next_token else { break };
            request = request.next_token(token);
        }
        assert_eq!(
            names(&seen),
            ["jobs-1", "jobs-2", "jobs-3", "jobs-4", "jobs-5"],
            "{size} at a time"
        );
    }
}

#[test]
fn a_token_comes_only_with_a_page_size_and_only_if_more_remain() {
    // Q9
    let mut limits = Limits::default();
    limits.list_results = 2;
    let service = Service::builder().limits(limits).build();
    for name in ["a", "b", "c"] {
        service.create_queue(name, bare()).unwrap();
    }
    let cut = service.list_queues(&ListQueues::new()).unwrap();
    assert_eq!((names(&cut.items), cut.next_token), (vec!["a", "b"], None));
    let page = service.list_queues(&ListQueues::new().max_results(2)).unwrap();
    let token = page.next_token.expect("one queue remains");
    let rest = service
        .list_queues(&ListQueues::new().max_results(1).next_token(token))
        .unwrap();
    assert_eq!((names(&rest.items), rest.next_token), (vec!["c"], None));
}

#[test]
fn a_list_without_page_size_is_cut_at_1000() {
    // Q9
    let names_of: Vec<_> = (0..1_001).map(|number| format!("q{number:04}")).collect();
    let service = with_queues(names_of.iter().map(String::as_str));
    let page = service.list_queues(&ListQueues::new()).unwrap();
    assert_eq!((page.items.len(), page.next_token), (1_000, None));
    let page = service.list_queues(&ListQueues::new().max_results(1_000)).unwrap();
    assert!(page.next_token.is_some());
}

#[test]
fn a_page_has_1_to_1000_queues() {
    // Q9 Q10
    let service = with_queues(["jobs"]);
    for size in [1, 2, 999, 1_000] {
        assert_eq!(
            service
                .list_queues(&ListQueues::new().max_results(size))
                .unwrap()
                .items
                .len(),
            1
        );
    }
    for size in [0, 1_001] {
        let text = format!(
            "Value {size} for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided."
        );
        let request = ListQueues::new().max_results(size);
        assert_refused!(service.list_queues(&request), "InvalidParameterValue", text);
        let sources = service.list_dead_letter_source_queues("jobs", &request);
        assert_refused!(sources, "InvalidParameterValue", text);
    }
}

#[test]
fn a_token_of_nobodys_making_is_refused() {
    // Q10
    let service = with_queues(["jobs"]);
    for token in ["", "jobs", "am9icw=", "L2pvYnM=", "/w=="] {
        let text = format!("Value {token} for parameter NextToken is invalid. Reason: The page token is unknown.");
        let request = ListQueues::new().max_results(1).next_token(token);
        assert_refused!(service.list_queues(&request), "InvalidParameterValue", text);
        let sources = service.list_dead_letter_source_queues("jobs", &request);
        assert_refused!(sources, "InvalidParameterValue", text);
    }
}

#[test]
fn a_token_outlives_the_queue_it_came_from() {
    // Q10
    let service = with_queues(["a", "b", "c"]);
    let request = ListQueues::new().max_results(1);
    let token = service.list_queues(&request).unwrap().next_token.unwrap();
    service.delete_queue("a").unwrap();
    let page = service.list_queues(&request.next_token(token)).unwrap();
    assert_eq!(names(&page.items), ["b"]);
}

#[test]
fn deleted_queues_are_not_listed() {
    // Q9 Q36
    let service = with_queues(["a", "b"]);
    service.queue("a").unwrap().delete_queue().unwrap();
    service.delete_queue("b").unwrap();
    assert!(service.list_queues(&ListQueues::new()).unwrap().items.is_empty());
}
