//! Panics are told with their place, wherever they are.
use {
    super::consumers::{failure, of, passed, secs},
    requeue::testing::{CheckError, Consumer, Fault, Faults, Property},
    std::{
        panic::{AssertUnwindSafe, catch_unwind},
        process::Command,
    },
};

/// The place of the line of this file that ends in a comment.
fn place(comment: &str) -> String {
    let mut lines = include_str!("panics.rs").lines();
    let line = lines.position(|it| it.ends_with(&format!("// {comment}")));
    format!("panics.rs:{}", line.unwrap() + 1)
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom"); // the line of the bomb
    }
}

#[test]
fn a_panic_of_a_handler_is_told_with_its_place() {
    let panics = || {
        Consumer::each(|_, _| -> Result<(), String> {
            panic!("no disk"); // it panics here
        })
    };
    let expected = format!("c panicked on m1 at {}: no disk", place("it panics here"));
    assert_eq!(failure(&of(panics)).violation.sentence, expected);
}

#[test]
fn a_panic_of_the_standard_library_is_told_where_the_handler_called_it() {
    let unwraps = || {
        Consumer::each(|_, _| {
            let number: u32 = "five".parse().expect("no number"); // it expects too much
            if number > 5 { Err("too many") } else { Ok(()) }
        })
    };
    let expected = format!(
        "c panicked on m1 at {}: no number: ParseIntError {{ kind: InvalidDigit }}",
        place("it expects too much")
    );
    assert_eq!(failure(&of(unwraps)).violation.sentence, expected);
}

#[test]
fn a_handler_that_panics_as_it_is_dropped_at_the_end_is_told() {
    let found = failure(&of(|| {
        let bomb = Bomb;
        Consumer::each(move |_, _| {
            let _ = &bomb;
            Ok::<_, String>(())
        })
    }));
    assert_eq!(found.violation.property, Property::NoConsumerPanics);
    let sentence = &found.violation.sentence;
    assert!(
        sentence.starts_with("c panicked as it was dropped at panics.rs:"),
        "{sentence}"
    );
    assert_eq!(found.story.events.last().unwrap().what, "panics as it is dropped");
}

#[test]
fn a_handler_that_panics_as_it_is_dropped_after_its_death_is_told() {
    let waits = || {
        Consumer::each_async(|_, context| async move {
            let bomb = Bomb;
            context.wait(secs(1)).await;
            std::mem::forget(bomb);
            Ok::<_, String>(())
        })
    };
    let faults = Faults::none().with(Fault::CrashBeforeDelete, 0.5);
    let found = failure(&of(waits).faults(faults));
    let sentence = &found.violation.sentence;
    assert!(
        sentence.starts_with("c panicked on m1 as it was dropped at panics.rs:") && sentence.ends_with(": boom"),
        "{sentence}"
    );
    passed(&of(waits).faults(Faults::none()));
}

#[test]
fn a_panic_that_the_handler_catches_is_in_the_story_and_no_failure() {
    let catches = |bad: bool| {
        of(move || {
            Consumer::each(move |_, _| {
                drop(catch_unwind(AssertUnwindSafe(|| panic!("no disk"))));
                if bad { panic!("no memory") } else { Ok::<_, String>(()) }
            })
        })
    };
    passed(&catches(false));
    let found = failure(&catches(true));
    let told = found.story.to_string();
    assert!(
        told.contains("c         catches a panic at panics.rs:") && told.contains(": no disk\n"),
        "{told}"
    );
    assert!(found.violation.sentence.ends_with(": no memory"));
}

#[test]
fn who_misses_the_runtime_of_tokio_is_told_how_to_get_it() {
    let sleeps = || {
        Consumer::each_async(|_, _| async {
            let _ = tokio::time::timeout(secs(1), std::future::ready(())).await;
            Ok::<_, String>(())
        })
    };
    let sentence = failure(&of(sleeps)).violation.sentence;
    assert!(sentence.contains("there is no reactor running"), "{sentence}");
    assert!(sentence.contains("Consumer::on_tokio"), "{sentence}");
}

const CHILD: &str = "REQUEUE_TEST_OF_A_DESTRUCTOR";

/// Rust ends a process in which a destructor panics during an unwinding: a child has to be that process.
#[test]
fn a_destructor_that_panics_in_the_middle_of_a_death_is_told_before_the_process_ends() {
    if std::env::var_os(CHILD).is_some() {
        let consumer = || {
            Consumer::each(|_, context| {
                let bomb = Bomb;
                context.checkpoint();
                std::mem::forget(bomb);
                Ok::<_, String>(())
            })
        };
        let faults = Faults::none().with(Fault::CrashBeforeDelete, 1.0);
        let result: Result<_, CheckError> = of(consumer).faults(faults).run();
        panic!("{result:?}");
    }
    let name = "check::panics::a_destructor_that_panics_in_the_middle_of_a_death_is_told_before_the_process_ends";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads", "1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        told.contains("the check made for a test ends the process: a destructor of c (of consumers.rs:"),
        "{told}"
    );
    assert!(
        told.contains(&format!(") panicked at {}: boom\n", place("the line of the bomb"))),
        "{told}"
    );
    assert!(
        told.contains("while the check ended it in the middle of a call"),
        "{told}"
    );
}

#[cfg(feature = "testing-tokio")]
mod on_tokio {
    use super::*;

    #[test]
    fn a_panic_of_a_spawned_task_is_in_the_story() {
        let spawns = |gives_up: bool| {
            of(move || {
                let consumer = Consumer::each_async(move |_, _| async move {
                    let joined = tokio::spawn(async { panic!("no disk") }).await;
                    assert!(!gives_up || joined.is_ok(), "the task failed");
                    Ok::<_, String>(())
                });
                consumer.on_tokio()
            })
        };
        passed(&spawns(false).cases(100));
        let told = failure(&spawns(true)).story.to_string();
        assert!(
            told.contains("catches a panic at panics.rs:") && told.contains(": no disk"),
            "{told}"
        );
    }

    #[test]
    fn a_spawned_task_that_panics_as_it_is_dropped_is_told() {
        let spawns = || {
            let consumer = Consumer::each_async(|_, _| async {
                drop(tokio::spawn(async {
                    let _bomb = Bomb;
                    std::future::pending::<()>().await;
                }));
                tokio::task::yield_now().await;
                Ok::<_, String>(())
            });
            consumer.on_tokio()
        };
        let found = failure(&of(spawns));
        let expected = format!(
            "c panicked as it was dropped at {}: boom",
            place("the line of the bomb")
        );
        assert_eq!(found.violation.sentence, expected);
    }
}
