//! What a page of a large queue costs, and whom: `cargo test --release -p dashboard measured -- --nocapture`.

use {
    super::Site,
    crate::{
        data::{Dashboard, Memory, Watch},
        demo,
    },
    requeue::{Queue, QueueAttributes, Service, SystemClock},
    std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::{Duration, Instant},
    },
};

const MESSAGES: usize = 100_000;

/// Sends as long as it is to go on: how many, the median and the longest time that one took.
fn sends(queue: &Queue, go_on: impl Fn(usize) -> bool) -> (usize, Duration, Duration) {
    let mut took = Vec::new();
    while go_on(took.len()) {
        let begun = Instant::now();
        queue.send("a job that waits behind the page").unwrap();
        took.push(begun.elapsed());
        thread::sleep(Duration::from_micros(200));
    }
    took.sort();
    (took.len(), took[took.len() / 2], took[took.len() - 1])
}

#[test]
fn pages_of_100_000_messages() {
    let (clock, watch) = (SystemClock::new(), Watch::new(Memory::default()));
    let service = Service::builder().clock(clock).listener(watch.clone()).build();
    let archive = service.create_queue(demo::ARCHIVE, QueueAttributes::new()).unwrap();
    let begun = Instant::now();
    demo::fill(&archive, MESSAGES).unwrap();
    println!(
        "{MESSAGES} sends that are watched: {:?} each",
        begun.elapsed() / MESSAGES as u32
    );
    let unwatched = Queue::standard("unwatched").build().unwrap();
    let begun = Instant::now();
    demo::fill(&unwatched, MESSAGES).unwrap();
    println!(
        "{MESSAGES} sends that are not: {:?} each",
        begun.elapsed() / MESSAGES as u32
    );
    let begun = Instant::now();
    drop(archive.snapshot());
    println!("a snapshot: {:?}", begun.elapsed());

    let site = Site::start(Dashboard::new(service, clock, watch), false);
    let (stop, last) = (AtomicBool::new(false), MESSAGES / 50 - 1);
    let (sent, median, longest) = sends(&archive, |sent| sent < 1_000);
    println!("{sent} sends with no page open: median {median:?}, longest {longest:?}");
    for query in [
        "",
        &format!("page={last}"),
        "sort=receives",
        "group=acme",
        "text=checksum%22%3A1234",
        "error=none",
    ] {
        let path = format!("/api/queues/{}/messages?{query}", demo::ARCHIVE);
        stop.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let sender = scope.spawn(|| sends(&archive, |sent| sent == 0 || !stop.load(Ordering::Relaxed)));
            let mut took: Vec<Duration> = (0..20)
                .map(|_| {
                    let begun = Instant::now();
                    assert_eq!(site.get(&path).status, 200);
                    begun.elapsed()
                })
                .collect();
            stop.store(true, Ordering::Relaxed);
            took.sort();
            let (sent, median, longest) = sender.join().unwrap();
            println!(
                "{query:?}: median {:?}, longest {:?}; {sent} sends meanwhile: median {median:?}, longest {longest:?}",
                took[10], took[19]
            );
        });
    }
    let begun = Instant::now();
    let overview = site.get("/api/overview");
    println!("an overview: {:?}, {} bytes", begun.elapsed(), overview.body.len());
}
