//! Memory of what is built on queues follows what it holds now, never what passed through.
//!
//! Each case lets a burst pass, and then has no more live bytes than without the burst, up to a constant. The allocator
//! counts the bytes of the whole process, so the cases run one after another: hence no test harness.

use {
    requeue::{
        ManualClock, Queue,
        request::{RequestBuilder, Requester},
        schedule::Scheduler,
    },
    stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc},
    std::{
        alloc::System,
        future::{Future, IntoFuture},
        pin::pin,
        process::ExitCode,
        task::{Context, Waker},
        time::Duration,
    },
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that a burst may leave.
const MOST_BYTES: usize = 64 * 1_024;

const BURST: usize = 30_000;

fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Lets a burst of this size pass; answers the live bytes at the end, while all that lives on is alive.
type Case = fn(usize) -> usize;

fn main() -> ExitCode {
    let cases: [(&str, Case); 2] = [("schedules", schedules), ("requests", requests)];
    let mut failed = 0;
    for (name, run) in cases {
        // The first run makes what is made once in a process and kept.
        let [_, fresh] = [(); 2].map(|()| run(1));
        let left = run(BURST).saturating_sub(fresh);
        let holds = left <= MOST_BYTES;
        println!(
            "growth of {name}: {BURST} leave {left} bytes ... {}",
            if holds { "ok" } else { "FAILED" }
        );
        failed += usize::from(!holds);
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn queue(clock: &ManualClock, name: &str) -> Queue {
    Queue::standard(name).clock(clock.clone()).build().unwrap()
}

/// Schedules that are added and cancelled.
fn schedules(burst: usize) -> usize {
    let clock = ManualClock::default();
    let jobs = queue(&clock, "jobs");
    let scheduler = Scheduler::builder(&jobs).clock(clock).build();
    let handle = scheduler.handle();
    for number in 0..burst {
        let hour = Duration::from_secs(3_600);
        handle.add(number.to_string(), hour, "resize cat.png").unwrap();
    }
    for number in 0..burst {
        handle.cancel(&number.to_string()).unwrap();
    }
    live_bytes()
}

/// Requests that nobody waits for any more.
fn requests(burst: usize) -> usize {
    let clock = ManualClock::default();
    let [asked, host] = ["asked", "host"].map(|name| queue(&clock, name));
    let requester = Requester::new(&asked, &host);
    let mut waiting: Vec<_> = (0..burst)
        .map(|_| requester.request("?"))
        .map(RequestBuilder::into_future)
        .collect();
    for request in &mut waiting {
        let request = pin!(request);
        assert!(request.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(waiting);
    assert_eq!(requester.report().dropped, burst as u64);
    asked.purge().unwrap();
    clock.advance(Duration::from_secs(60));
    live_bytes()
}
