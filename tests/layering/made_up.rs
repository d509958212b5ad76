//! The laws under made-up sources: a law that has gone blind fails here.

use super::*;

/// The lines of `text` that `law` complains about, each once, in order.
fn broken(law: Law, path: &str, text: &str) -> Vec<usize> {
    let breaches = law(&Source::new(path, text));
    let mut lines: Vec<_> = breaches.into_iter().map(|it| it.line).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn a_path_up_the_layers_is_noticed_however_it_is_written() {
    let broken = |path, text| broken(imports_go_down_the_layers, path, text);
    for text in [
        "use crate::queue::Queue;",
        "pub(crate) use crate::{time::Timestamp, queue::{self, Queue}};",
        "fn f(it: &crate::service::Service) {}",
        "use super::queue;",
        "fn f() { self::super::clock::read() }",
        "use crate::{\n    clock};",
    ] {
        let expected = [text.lines().count()];
        assert_eq!(broken("src/state/mod.rs", text), expected, "{text}");
    }
    let text = "\nuse super::super::service::Service;";
    assert_eq!(broken("src/state/queue.rs", text), [2]);
    assert_eq!(broken("src/time.rs", "use super::state::Queue;"), [1]);
}

#[test]
fn a_path_along_or_down_the_layers_is_allowed() {
    let broken = |path, text| broken(imports_go_down_the_layers, path, text);
    let text = "use crate::{error::SendError, limits::Limits, time::*};
        use super::record::Record;
        use self::clock::A;
        use std::{queue::Q, service};
        pub(crate) struct A;
        pub(super) fn f() {}
        pub(in crate::state) fn g() {}";
    assert_eq!(broken("src/state/queue.rs", text), []);
    assert_eq!(broken("src/error/mod.rs", "use crate::message::A;"), []);
    assert_eq!(broken("src/guide/mod.rs", "use crate::service::A;"), []);
    assert_eq!(broken("src/lib.rs", "pub use crate::service::A;"), []);
}

#[test]
fn a_re_export_and_a_module_in_no_layer_are_noticed() {
    let broken = |path, text| broken(imports_go_down_the_layers, path, text);
    assert_eq!(broken("src/state/mod.rs", "use crate::Queue;"), [1]);
    assert_eq!(broken("src/state/mod.rs", "use crate::*;"), [1]);
    assert_eq!(broken("src/cellar.rs", ""), [1]);
}

#[test]
fn an_adapter_that_names_another_is_noticed() {
    let broken = |path, text| broken(adapters_do_not_know_each_other, path, text);
    for (path, text) in [
        ("src/testing/story.rs", "use crate::aws::Endpoint;"),
        ("src/testing/mod.rs", "use super::aws;"),
        ("src/aws/mod.rs", "fn f(it: &crate::testing::Story) {}"),
    ] {
        assert_eq!(broken(path, text), [1], "{text}");
        assert_eq!(broken("src/lib.rs", text), []);
    }
    let text = "use crate::{queue::Queue, testing::story::Story}; use super::model;";
    assert_eq!(broken("src/testing/strategies/mod.rs", text), []);
}

#[test]
fn a_lab_that_reaches_into_an_adapter_is_noticed() {
    let broken = |path, text| broken(the_lab_uses_adapters_as_others_do, path, text);
    for text in [
        "use crate::worker::dispatch::Dispatcher;",
        "use crate::{queue::Queue, testing::{Fault, story::Story}};",
        "use crate::schedule::Cron;",
        "use super::super::aws::Endpoint;",
    ] {
        assert_eq!(broken("src/sim/run.rs", text), [1], "{text}");
        assert_eq!(broken("src/worker/run.rs", text), []);
    }
    let text = "use crate::{backend::Backoff, testing::{Fault, Faults}, worker::FailurePolicy::RetryNow};";
    assert_eq!(broken("src/sim/run.rs", text), []);
}

#[test]
fn tests_comments_and_literals_are_exempt_and_nothing_after_them_is() {
    let text = r##"//! [`crate::queue`]
/* crate::queue /* nested */ crate::queue */
#[cfg(test)]
use crate::queue;
#[cfg(all(test, unix))]
#[allow(unused)]
pub(crate) mod tests { use crate::queue; fn f() { let _ = '{'; } }
const A: &[&str] = &["crate::queue \" crate::queue", r#"crate::queue " crate::queue"#];
fn f<'a>(it: &'a str) -> char { '\'' } fn g() -> u8 { b'"' }
#[cfg(not(test))]
use crate::queue::A;
use crate::queue::B;
"##;
    let law = imports_go_down_the_layers;
    assert_eq!(broken(law, "src/state/mod.rs", text), [11, 12]);
}

#[test]
fn the_file_of_a_test_module_is_exempt_and_its_neighbour_is_not() {
    let texts = [
        ("src/state/mod.rs", "#[cfg(test)]\nmod tests;\nmod queue;"),
        ("src/state/queue.rs", "use crate::queue::Queue;"),
        ("src/state/tests.rs", "use crate::queue::Queue;"),
        ("src/state/tests/fifo.rs", "use crate::queue::Queue;"),
    ];
    let sources = without_test_files(texts.map(|(path, text)| Source::new(path, text)).into());
    let breaches = sources.iter().flat_map(imports_go_down_the_layers);
    let paths: Vec<_> = breaches.map(|it| it.path).collect();
    assert_eq!(paths, ["src/state/queue.rs"]);
}

#[test]
fn an_impure_state_machine_is_noticed() {
    let broken = |path, text| broken(the_state_machine_is_pure, path, text);
    for text in [
        "use std::time::Instant;",
        "fn f() { std::thread::yield_now() }",
        "use rand::Rng;",
        "a: Mutex<u8>,",
    ] {
        assert_eq!(broken("src/state/queue.rs", text), [1], "{text}");
        assert_eq!(broken("src/queue/mod.rs", text), []);
    }
    let text = "use std::time::Duration; // no Instant";
    assert_eq!(broken("src/state/queue.rs", text), []);
}

#[test]
fn a_lock_outside_sync_is_noticed() {
    let broken = |path, text| broken(only_sync_names_the_lock_library, path, text);
    for text in [
        "use parking_lot::Mutex;",
        "use std::{sync::{Arc, Mutex}};",
        "type A = std::sync::RwLock<u8>;",
    ] {
        assert_eq!(broken("src/queue/mod.rs", text), [1], "{text}");
        assert_eq!(broken("src/sync.rs", text), []);
    }
    let text = "use crate::sync::{Mutex}; use std::sync::{Arc, atomic::AtomicU64};";
    assert_eq!(broken("src/queue/mod.rs", text), []);
}

#[test]
fn machine_time_outside_the_clock_is_noticed() {
    let broken = |path, text| broken(only_the_clock_reads_time_or_sleeps, path, text);
    for text in [
        "let a = Instant::now();",
        "std::thread::sleep(A);",
        "park_timeout(a)",
        "condvar.wait_for(&mut a, b)",
    ] {
        assert_eq!(broken("src/queue/mod.rs", text), [1], "{text}");
        assert_eq!(broken("src/clock/system.rs", text), []);
        assert_eq!(broken("benches/rivals.rs", text), []);
    }
    let text = "clock.wait_for_sleepers(1)";
    assert_eq!(broken("src/queue/mod.rs", text), []);
}

#[test]
fn a_reference_model_that_leans_on_the_queue_is_noticed() {
    let broken = |path, text| broken(the_reference_model_stands_alone, path, text);
    for text in ["use crate::compare::Pair;", "fn f() { requeue::Queue::standard(a) }"] {
        assert_eq!(broken("tests/model/reference/world.rs", text), [1], "{text}");
        assert_eq!(broken("tests/model/compare.rs", text), [], "{text}");
    }
    let text = "use super::store::RefQueue; use std::fmt; // crate::state";
    assert_eq!(broken("tests/model/reference/world.rs", text), []);
}

#[test]
fn a_sleeping_test_is_noticed() {
    let broken = |path, text| broken(tests_do_not_sleep, path, text);
    let text = "#[cfg(test)]\nmod tests { fn f() { thread::sleep(A) } }";
    assert_eq!(broken("tests/receive.rs", text), [2]);
    assert_eq!(broken("src/queue/mod.rs", text), [2]);
    assert_eq!(broken("src/clock/system.rs", text), []);
    assert_eq!(broken("tests/system_clock.rs", text), []);
    assert_eq!(broken("tests/clients/moto/src/jobs.rs", text), []);
    assert_eq!(broken("examples/visibility.rs", text), []);
}

#[test]
fn a_long_file_and_a_foreign_letter_are_noticed() {
    let long = no_file_is_longer_than_600_lines;
    assert_eq!(broken(long, "tests/a.rs", &"\n".repeat(600)), []);
    assert_eq!(broken(long, "tests/a.rs", &"\n".repeat(601)), [601]);
    let foreign = sources_are_ascii;
    assert_eq!(broken(foreign, "src/time.rs", "a\n// \u{2014}\n"), [2]);
    assert_eq!(broken(foreign, "tests/a.rs", "\"\u{e9}\""), []);
}

#[test]
fn undone_work_is_noticed() {
    let broken = |text| broken(nothing_is_left_undone, "examples/a.rs", text);
    let undone = "#[ignore]\nfn f() { todo!() }\nunimplemented! {}\n";
    assert_eq!(broken(undone), [1, 2, 3]);
    assert_eq!(broken(concat!("// FIX", "ME\n/// ```", "ignore")), [1, 2]);
    let text = "// todo! and #[ignore]\nlet ignore = a[1]; \"todo!\"; a.ignore();";
    assert_eq!(broken(text), []);
}

#[test]
fn a_breach_names_file_line_and_law() {
    let source = Source::new("src/a.rs", "\nuse parking_lot::Mutex;");
    let breach = only_sync_names_the_lock_library(&source).remove(0);
    let expected = "src/a.rs:2: only src/sync.rs names a lock library: `parking_lot`";
    assert_eq!(breach.to_string(), expected);
}
