//! What does not return ends the process, and is told with its place. That is about real time, and needs a process of its
//! own.
use {
    super::consumers::{jobs, of, secs},
    proptest::prelude::Just,
    requeue::testing::{Consumer, check},
    std::{
        env,
        hint::black_box,
        process::{Command, Output},
        sync::mpsc::channel,
        time::Duration,
    },
};

const CHILD: &str = "REQUEUE_TEST_OF_WHAT_BLOCKS";

/// Runs a test of this file in a process of its own.
fn child(name: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("check::blocked::{name}")])
        .env(CHILD, "1")
        .output()
        .unwrap()
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

fn told(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SOON: Duration = Duration::from_millis(400);

#[test]
fn a_handler_that_loops_for_ever_ends_the_process() {
    if is_child() {
        let loops = || {
            Consumer::each(|message, context| -> Result<(), String> {
                let _ = context.change_visibility(message, secs(60)); // the line that is told
                while black_box(true) {}
                Ok(())
            })
        };
        drop(of(loops).blocked_after(SOON).run());
    }
    let told = told(&child("a_handler_that_loops_for_ever_ends_the_process"));
    let here = include_str!("blocked.rs")
        .lines()
        .position(|it| it.contains("the line that is told"));
    let call = format!("It last called the kit at blocked.rs:{}.\n", here.unwrap() + 1);
    assert!(
        told.contains("\nthe check made for a test is blocked: c (of consumers.rs:")
            && told.contains(") has not returned for 0.4 s.\n"),
        "{told}"
    );
    assert!(told.contains(&call), "{told}");
    assert!(
        told.contains("It has m1.\n") && told.contains("Check::blocked_after"),
        "{told}"
    );
}

#[test]
fn a_replay_that_is_blocked_tells_its_story() {
    if is_child() {
        let blocks = || {
            Consumer::each(|_, context| -> Result<(), String> {
                context.note("waits for a message that nobody sends");
                let (sender, receiver) = channel::<()>();
                let received = receiver.recv();
                drop((received, sender));
                Ok(())
            })
        };
        let schedule = "requeue schedule 2\nmessage \"job\"\nsend 0\nend\n".parse().unwrap();
        drop(of(blocks).blocked_after(SOON).replay(&schedule));
    }
    let told = told(&child("a_replay_that_is_blocked_tells_its_story"));
    assert!(
        told.contains("  0:00.000  c         waits for a message that nobody sends\n"),
        "{told}"
    );
}

#[test]
fn a_property_that_loops_for_ever_is_named() {
    if is_child() {
        let check = check("jobs", || 0)
            .queue(jobs)
            .messages(Just("job"))
            .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())));
        let check = check.always("it is zero", |number| {
            while black_box(*number == 0) {}
            true
        });
        drop(check.blocked_after(SOON).run());
    }
    let told = told(&child("a_property_that_loops_for_ever_is_named"));
    assert!(
        told.contains("the check jobs is blocked: the property \"it is zero\" has not returned"),
        "{told}"
    );
}

#[test]
fn who_returns_in_time_or_may_take_for_ever_is_let_be() {
    for limit in [secs(3_600), Duration::MAX] {
        let slow = || {
            Consumer::each(|_, _| {
                (0..10_000).for_each(|it| _ = black_box(it));
                Ok::<_, String>(())
            })
        };
        assert!(of(slow).blocked_after(limit).cases(20).run().is_ok());
    }
}
