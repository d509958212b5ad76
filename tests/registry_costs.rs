//! What a call of a service allocates does not grow with the queues it is not about. The only test of its binary: the
//! count is of the whole process.

mod common;

use {
    common::secs,
    requeue::{ListQueues, ManualClock, QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask},
    stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc},
    std::alloc::System,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The bytes that a call allocates.
fn cost<T>(call: impl FnOnce() -> T) -> usize {
    let region = Region::new(ALLOCATOR);
    let result = call();
    let bytes = region.change().bytes_allocated;
    drop(result);
    bytes
}

/// The costs of a page, a filtered page, a move task and the creation of the dead-letter queue anew.
fn costs(sources: usize) -> [usize; 4] {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    let dead = service.create_queue("dead", QueueAttributes::new()).unwrap();
    let policy = RedrivePolicy::new(dead.arn(), 3);
    for n in 0..sources {
        let attributes = QueueAttributes::new().redrive_policy(policy.clone());
        service.create_queue(&format!("jobs-{n}"), attributes).unwrap();
    }
    let list = |request: &ListQueues| service.list_dead_letter_source_queues("dead", request).unwrap();
    let page = ListQueues::new().max_results(10);
    let token = list(&page).next_token.unwrap();
    let page = cost(|| list(&page.next_token(token)));
    let filtered = cost(|| list(&ListQueues::new().prefix("jobs-19")));
    let task = StartMessageMoveTask::new(dead.arn());
    let task = cost(|| service.start_message_move_task(&task).unwrap());
    service.delete_queue("dead").unwrap();
    clock.advance(secs(60));
    let anew = cost(|| service.create_queue("dead", QueueAttributes::new()).unwrap());
    [page, filtered, task, anew]
}

#[test]
fn a_call_costs_what_it_answers_and_not_what_there_is() {
    // L23 L24
    let (few, many) = (costs(200), costs(5_000));
    // Of 11 names that begin with jobs-19, and of 111; a map may grow by a node or two.
    assert!(many[1] <= 20 * few[1], "{few:?} {many:?}");
    for call in [0, 2, 3] {
        assert!(many[call] <= few[call] + 2_000, "call {call}: {few:?} {many:?}");
    }
}
