//! What publishing costs: to one subscription, and to 1,000 with filter policies of five keys each, of which ten match.
//!
//! `cargo bench --bench topics --features topics` prints microseconds for a publish, deliveries to the queues included and
//! what empties them again not, and judges those of the policies. In `selective` the value of one key tells the ten;
//! in `combined` it takes two keys, each of which a tenth of the policies agree to; in `ranges` no policy names a value, so
//! that all are looked at. In `body` the message is JSON and read for each publish, and the policies are those of
//! `selective`. The body has 256 bytes, and delivery is raw but for `envelope`.
//!
//! Figures and goals are in `benches/README.md`.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

#[allow(dead_code, unused_imports, reason = "this bench prints a table of its own")]
mod driver;

use {
    driver::Options,
    requeue::{
        Limits, MessageAttributeValue, Queue,
        topics::{FilterPolicy, PublishMessage, Topic},
    },
    std::{
        process::ExitCode,
        time::{Duration, Instant},
    },
};

const SUBSCRIPTIONS: usize = 1_000;
const MATCHING: usize = 10;

/// The most microseconds that a publish may take where ten of 1,000 policies match.
const GOAL: f64 = 100.0;

/// Publishes between two looks at the clock.
const ROUND: usize = 50;

struct Case {
    name: &'static str,
    subscriptions: usize,
    matching: usize,
    raw: bool,
    policy: fn(usize) -> Option<FilterPolicy>,
    message: fn() -> PublishMessage,
}

const CASES: [Case; 7] = [
    Case::one("one", true, |_| None),
    Case::one("one, envelope", false, |_| None),
    Case::one("one, policy", true, |_| selective(42)),
    Case::many("selective", selective, message),
    Case::many("combined", combined, message),
    Case::many("ranges", ranges, message),
    Case::many("body", |number| FilterPolicy::body(&selective_text(number)).ok(), json),
];

impl Case {
    const fn one(name: &'static str, raw: bool, policy: fn(usize) -> Option<FilterPolicy>) -> Self {
        Self {
            name,
            subscriptions: 1,
            matching: 1,
            raw,
            policy,
            message,
        }
    }

    const fn many(
        name: &'static str,
        policy: fn(usize) -> Option<FilterPolicy>,
        message: fn() -> PublishMessage,
    ) -> Self {
        Self {
            name,
            subscriptions: SUBSCRIPTIONS,
            matching: MATCHING,
            raw: true,
            policy,
            message,
        }
    }
}

fn selective_text(number: usize) -> String {
    format!(
        r#"{{"kind": ["kind-{}"], "region": ["eu", "us"], "state": ["paid", "open"],
            "total": [{{"numeric": [">", 0, "<=", 1000]}}], "customer": [{{"prefix": "c"}}]}}"#,
        number % 100
    )
}

fn selective(number: usize) -> Option<FilterPolicy> {
    FilterPolicy::attributes(&selective_text(number)).ok()
}

fn combined(number: usize) -> Option<FilterPolicy> {
    let text = format!(
        r#"{{"tens": ["{}"], "ones": ["{}"], "state": ["paid", "open"],
            "total": [{{"numeric": [">", 0, "<=", 1000]}}], "customer": [{{"prefix": "c"}}]}}"#,
        number / 10 % 10,
        number % 10
    );
    FilterPolicy::attributes(&text).ok()
}

fn ranges(number: usize) -> Option<FilterPolicy> {
    let bottom = number % 100;
    let text = format!(
        r#"{{"total": [{{"numeric": [">=", {bottom}, "<", {}]}}], "customer": [{{"prefix": "c"}}],
            "state": [{{"anything-but": "void"}}], "region": [{{"exists": true}}], "kind": [{{"prefix": "kind"}}]}}"#,
        bottom + 1
    );
    FilterPolicy::attributes(&text).ok()
}

fn message() -> PublishMessage {
    PublishMessage::new("x".repeat(256))
        .attribute("kind", MessageAttributeValue::string("kind-42"))
        .attribute("tens", MessageAttributeValue::string("4"))
        .attribute("ones", MessageAttributeValue::string("2"))
        .attribute("region", MessageAttributeValue::string("eu"))
        .attribute("state", MessageAttributeValue::string("paid"))
        .attribute("total", MessageAttributeValue::number("42.5"))
        .attribute("customer", MessageAttributeValue::string("c-17"))
}

fn json() -> PublishMessage {
    let order = r#""kind": "kind-42", "region": "eu", "state": "paid", "total": 42.5, "customer": "c-17""#;
    PublishMessage::new(format!("{{{order}, \"note\": \"{}\"}}", "x".repeat(158)))
}

fn main() -> ExitCode {
    let options = match Options::read("topics", &["--quick"], &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let rounds = options.scale.of(1_000);
    println!("{:<16} {:>13} {:>9} {:>8}", "case", "subscriptions", "matching", "us");
    let mut is_missed = false;
    for case in &CASES {
        let micros = measure(case, rounds);
        println!(
            "{:<16} {:>13} {:>9} {micros:>8.2}",
            case.name, case.subscriptions, case.matching
        );
        is_missed |= case.subscriptions == SUBSCRIPTIONS && micros > GOAL;
    }
    if !options.scale.is_judged() {
        println!("{}", driver::NOT_JUDGED);
    } else if is_missed {
        println!("more than {GOAL} us for a publish to {SUBSCRIPTIONS} subscriptions");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The median round, in microseconds for a publish.
fn measure(case: &Case, rounds: usize) -> f64 {
    let mut limits = Limits::default();
    limits.filter_policies = usize::MAX;
    limits.purge_interval = Duration::ZERO;
    let topic = Topic::standard("bench")
        .limits(limits.clone())
        .build()
        .expect("a new topic");
    let subscribe = |number| {
        let queue = Queue::standard("bench")
            .limits(limits.clone())
            .build()
            .expect("a new queue");
        let subscription = topic.subscribe(&queue).raw_message_delivery(case.raw);
        let subscription = match (case.policy)(number) {
            Some(policy) => subscription.filter_policy(policy),
            None => subscription,
        };
        subscription.create().expect("a new subscription");
        queue
    };
    let queues: Vec<Queue> = (0..case.subscriptions).map(subscribe).collect();
    let message = (case.message)();
    let round = || {
        let begun = Instant::now();
        for _ in 0..ROUND {
            let published = topic.publish(message.clone()).expect("a legal message");
            assert_eq!(published.delivered, case.matching);
        }
        let taken = begun.elapsed().as_secs_f64() * 1e6 / ROUND as f64;
        queues.iter().for_each(|queue| queue.purge().expect("no interval"));
        taken
    };
    round(); // compiles the policies; not counted
    let mut taken: Vec<_> = (0..rounds).map(|_| round()).collect();
    taken.sort_by(f64::total_cmp);
    taken[taken.len() / 2]
}
