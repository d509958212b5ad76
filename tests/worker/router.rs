//! Routers: which handler gets a message, what becomes of one without a route, and what a builder refuses.

use {
    super::{
        driver::{World, give_way},
        notes::Notes,
    },
    crate::common::{bodies, counts, fifo, millis, receive, secs, standard},
    requeue::{
        MessageAttributeValue, Queue, SendMessage,
        backend::Backoff,
        worker::{BuildRunnerError, FailurePolicy, Job, Router, Runner, RunnerReport},
    },
    std::sync::Arc,
};

/// A message of this type.
fn of_type(kind: &str, body: &str) -> SendMessage {
    SendMessage::new(body).attribute("type", MessageAttributeValue::string(kind))
}

/// A function that notes its name and the body.
fn noting(notes: &Notes, name: &'static str) -> impl Fn(&Job) -> Result<(), String> + Send + Sync + 'static {
    let notes = notes.clone();
    move |job| {
        notes.write(format!("{name}: {}", job.body()));
        Ok(())
    }
}

fn run<S: 'static>(world: &mut World, jobs: &Queue, router: Router<S>, notes: &Notes) -> RunnerReport {
    let runner = Runner::builder(jobs).until_none_visible().on_event(notes.events());
    world.run(runner.each_routed(router).unwrap().run()).unwrap()
}

#[test]
fn each_message_goes_to_the_handler_of_its_route_be_it_async_or_not() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    let sent = [
        of_type("mail", "1"),
        of_type("resize", "2"),
        of_type("mail", "3"),
        SendMessage::new("4").attribute("type", MessageAttributeValue::number("7")),
        of_type("Mail", "5"),
    ];
    let _ = jobs.send_batch(sent).unwrap();
    let notes = Notes::new();
    let mail = notes.clone();
    let router = Router::by_attribute("type")
        .route("resize", noting(&notes, "resize"))
        .route_async("mail", move |job: Job| {
            let notes = mail.clone();
            async move {
                give_way().await;
                notes.write(format!("mail: {}", job.body()));
                Ok::<(), String>(())
            }
        })
        .route("7", noting(&notes, "seven"))
        .route("Mail", noting(&notes, "Mail"));
    let report = run(&mut world, &jobs, router, &notes);
    assert_eq!((report.succeeded, report.failed), (5, 0));
    assert_eq!(notes.take(), ["mail: 1", "resize: 2", "mail: 3", "seven: 4", "Mail: 5"]);
}

#[test]
fn a_router_runs_on_threads_and_as_a_future_and_serves_several_queues() {
    fn crosses<T: Send + 'static>(_: T) {}
    let notes = Notes::new();
    let router = Router::by_attribute("type").route("resize", noting(&notes, "resize"));
    let router = router.route_async("mail", |_: Job| async { Ok::<(), String>(()) });
    let router = router
        .state(Arc::new(1))
        .route("one", |_: &Job, one: &Arc<i32>| match **one {
            1 => Ok(()),
            _ => Err("another state"),
        });
    for _ in 0..2 {
        let jobs = Queue::standard("jobs").build().unwrap();
        let kinds = ["resize", "mail", "one", "mail", "one", "resize"];
        let _ = jobs.send_batch(kinds.map(|kind| of_type(kind, "m"))).unwrap();
        let builder = Runner::builder(&jobs).concurrency(3).until_none_visible();
        crosses(builder.clone().each_routed(router.clone()).unwrap().run());
        let runner = builder.each_routed(router.clone()).unwrap();
        assert_eq!(runner.blocking().unwrap().succeeded, 6);
    }
    assert_eq!(notes.take().len(), 4);
}

#[test]
fn a_message_without_a_route_fails_by_the_policy_with_its_value_and_the_routes_as_the_reason() {
    let mut world = World::new();
    let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
    let jobs = standard(&world.clock).dead_letter(&dead, 2).build().unwrap();
    let binary = SendMessage::new("4").attribute("type", MessageAttributeValue::binary(*b"resize"));
    let sent = [
        of_type("dance", "1"),
        of_type("resize", "2"),
        SendMessage::new("3"),
        binary,
    ];
    let _ = jobs.send_batch(sent).unwrap();
    let notes = Notes::new();
    let resize = noting(&notes, "resize");
    let router = Router::by_attribute("type")
        .route("resize", resize)
        .route("mail", noting(&notes, "mail"));
    let retry = FailurePolicy::Backoff(Backoff::new(millis(1), millis(1)));
    let runner = Runner::builder(&jobs).until_none_left().failure_policy(retry);
    let runner = runner.on_event(notes.events()).each_routed(router).unwrap();
    let report = world.run(runner.run()).unwrap();
    assert_eq!((report.succeeded, report.failed, report.retries), (1, 6, 3));
    let mut lines = notes.take();
    lines.sort();
    let routes = r#"the routes are "mail", "resize""#;
    let failures = [
        format!(r#"1 failed by Answer: no route: the attribute "type" is "dance"; {routes}"#),
        format!(r#"3 failed by Answer: no route: the message has no attribute "type"; {routes}"#),
        format!(r#"4 failed by Answer: no route: the attribute "type" is binary, not text; {routes}"#),
    ];
    let expected: Vec<_> = failures.into_iter().flat_map(|line| [line.clone(), line]).collect();
    assert_eq!(lines, [expected, vec!["resize: 2".to_owned()]].concat());
    assert_eq!(counts(&dead), [3, 0, 0]);
}

#[test]
fn a_message_without_a_route_is_dead_lettered_at_once_if_the_router_says_so() {
    let mut world = World::new();
    let dead = Queue::fifo("dead.fifo").clock(world.clock.clone()).build().unwrap();
    let jobs = fifo(&world.clock).dead_letter(&dead, 100).build().unwrap();
    for message in [of_type("dance", "1"), of_type("resize", "2"), SendMessage::new("3")] {
        jobs.send(message.message_group_id("g")).unwrap();
    }
    let notes = Notes::new();
    let router = Router::by_attribute("type").otherwise_dead_letter();
    let report = run(
        &mut world,
        &jobs,
        router.route("resize", noting(&notes, "resize")),
        &Notes::new(),
    );
    assert_eq!((report.succeeded, report.dead_lettered, report.received), (1, 2, 3));
    assert_eq!(notes.take(), ["resize: 2"], "the group goes on");
    let letters = receive(&dead, 10);
    assert_eq!(bodies(&letters), ["1", "3"]);
    let reason = r#"no route: the attribute "type" is "dance"; the routes are "resize""#;
    assert_eq!(letters[0].dead_letter_reason(), Some(reason));
}

#[test]
fn without_a_dead_letter_queue_a_message_without_a_route_is_left_to_its_timeout() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send(of_type("dance", "1")).unwrap();
    let notes = Notes::new();
    let router = Router::by_attribute("type").route("resize", noting(&notes, "resize"));
    let report = run(&mut world, &jobs, router.otherwise_dead_letter(), &notes);
    assert_eq!((report.failed, report.dead_lettered, counts(&jobs)), (1, 0, [0, 1, 0]));
    assert_eq!(notes.take().last().map(String::as_str), Some("1 left by Refused"));
}

#[test]
fn a_handler_for_the_others_gets_what_has_no_route_and_the_last_choice_counts() {
    let mut world = World::new();
    let notes = Notes::new();
    let sent = || [of_type("dance", "1"), of_type("resize", "2"), SendMessage::new("3")];
    let router = || Router::by_attribute("type").route("resize", noting(&notes, "resize"));
    let expected = ["others: 1", "resize: 2", "others: 3"];

    let jobs = standard(&world.clock).build().unwrap();
    let _ = jobs.send_batch(sent()).unwrap();
    let others = router().otherwise_dead_letter().otherwise(noting(&notes, "others"));
    assert_eq!(run(&mut world, &jobs, others, &notes).succeeded, 3);
    assert_eq!(notes.take(), expected);

    let _ = jobs.send_batch(sent()).unwrap();
    let own = notes.clone();
    let others = router()
        .otherwise(noting(&notes, "nobody"))
        .otherwise_async(move |job: Job| {
            let notes = own.clone();
            async move {
                give_way().await;
                notes.write(format!("others: {}", job.body()));
                Ok::<(), String>(())
            }
        });
    assert_eq!(run(&mut world, &jobs, others, &notes).succeeded, 3);
    assert_eq!(notes.take(), expected);
}

#[test]
fn routes_are_given_the_state_that_stood_before_them() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    let sent = [
        of_type("plain", "1"),
        of_type("sync", "2"),
        of_type("async", "3"),
        of_type("other", "4"),
    ];
    let _ = jobs.send_batch(sent.clone()).unwrap();
    let notes = Notes::new();
    let router = Router::by_attribute("type")
        .route("plain", noting(&notes, "plain"))
        .state(notes.clone())
        .route("sync", |job: &Job, notes: &Notes| {
            notes.write(format!("sync: {}", job.body()));
            Ok::<(), String>(())
        })
        .route_async("async", |job: Job, notes: Notes| async move {
            notes.write(format!("async: {}", job.body()));
            Ok::<(), String>(())
        });
    let other = router.clone().otherwise(|job: &Job, notes: &Notes| {
        notes.write(format!("other: {}", job.body()));
        Ok::<(), String>(())
    });
    let other_async = router.otherwise_async(|job: Job, notes: Notes| async move {
        notes.write(format!("other: {}", job.body()));
        Ok::<(), String>(())
    });
    let expected = ["plain: 1", "sync: 2", "async: 3", "other: 4"];
    assert_eq!(run(&mut world, &jobs, other, &notes).succeeded, 4);
    assert_eq!(notes.take(), expected);
    let _ = jobs.send_batch(sent).unwrap();
    assert_eq!(run(&mut world, &jobs, other_async, &notes).succeeded, 4);
    assert_eq!(notes.take(), expected);
}

#[test]
fn a_panic_in_a_route_or_in_the_clone_of_its_state_fails_the_job_alone() {
    struct Broken;
    impl Clone for Broken {
        fn clone(&self) -> Self {
            panic!("no connection is left")
        }
    }
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    let kinds = ["sync", "async", "state", "fine"];
    let _ = jobs.send_batch(kinds.map(|kind| of_type(kind, kind))).unwrap();
    let notes = Notes::new();
    let router = Router::by_attribute("type")
        .route("sync", |_: &Job| -> Result<(), String> { panic!("oh") })
        .route_async("async", |_: Job| async {
            give_way().await;
            assert!(counts_to_three(), "oh");
            Ok::<(), String>(())
        })
        .state(Broken)
        .route("fine", |_: &Job, _: &Broken| Ok::<(), String>(()))
        .route_async("state", |_: Job, _: Broken| async { Ok::<(), String>(()) });
    let report = run(&mut world, &jobs, router, &notes);
    assert_eq!((report.panicked, report.failed, report.succeeded), (3, 3, 1));
    let mut lines = notes.take();
    lines.sort();
    let panicked = |kind: &str, text: &str| format!("{kind} failed by Panic: the handler panicked: {text}");
    let no_state = panicked("state", "no connection is left");
    assert_eq!(lines, [panicked("async", "oh"), no_state, panicked("sync", "oh")]);
}

fn counts_to_three() -> bool {
    false
}

#[test]
fn an_async_route_may_be_cut_off_by_the_handler_timeout() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send(of_type("slow", "1")).unwrap();
    let router = Router::by_attribute("type");
    let router = router.route_async("slow", |_: Job| std::future::pending::<Result<(), String>>());
    let runner = Runner::builder(&jobs).until_none_visible().handler_timeout(secs(5));
    let report = world.run(runner.each_routed(router).unwrap().run()).unwrap();
    assert_eq!((report.timed_out, report.failed, world.time()), (1, 1, secs(5)));
}

#[test]
fn the_reason_stays_short_however_long_the_value_and_the_routes_are() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send(of_type(&"\u{e9}\n".repeat(10_000), "1")).unwrap();
    let notes = Notes::new();
    let names = (0..100).map(|number| format!("a-long-name-of-a-route-{number:03}"));
    let router = names.fold(Router::by_attribute("type"), |router, name| {
        router.route(name, |_: &Job| Ok::<(), String>(()))
    });
    assert_eq!(run(&mut world, &jobs, router, &notes).failed, 1);
    let line = notes.take().remove(0);
    let value = "\u{e9}\\n".repeat(100);
    let start = format!(r#"1 failed by Answer: no route: the attribute "type" is "{value}"..; the routes are "a-long"#);
    assert!(line.starts_with(&start), "{line}");
    assert!(line.ends_with(r#""a-long-name-of-a-route-006" and 93 more"#), "{line}");
}

#[test]
fn a_router_has_routes_and_each_name_once() {
    let jobs = Queue::standard("jobs").build().unwrap();
    let done = |_: &Job| Ok::<(), String>(());
    let built = |router: Router| Runner::builder(&jobs).each_routed(router).map(drop);
    let router = || Router::by_attribute("type");
    assert_eq!(built(router().route("a", done).route("A", done)), Ok(()));
    assert_eq!(built(router()), Err(BuildRunnerError::NoRoute));
    assert_eq!(built(router().otherwise(done)), Err(BuildRunnerError::NoRoute));
    for (name, valid) in [("", false), ("a b", false), ("AWS.type", false), ("a-b_c.d", true)] {
        // M13, M21
        let built = built(Router::by_attribute(name).route("a", done));
        assert_eq!(built.is_ok(), valid, "{name:?}");
        let named = |error: BuildRunnerError| error.to_string().contains(&format!("the message attribute {name:?}: "));
        assert!(built.err().is_none_or(named), "{name:?}");
    }
    let twice = |name: &str| Err(BuildRunnerError::RouteTwice(name.to_owned()));
    let many = router()
        .route("a", done)
        .route("b", done)
        .route("b", done)
        .route("a", done);
    assert_eq!(built(many), twice("b"), "the first is named");
    let over_state = router().route("a", done).state(1);
    let over_state = over_state.route_async("a", |_: Job, _: i32| async { Ok::<(), String>(()) });
    let over_state = Runner::builder(&jobs).each_routed(over_state).map(drop);
    assert_eq!(over_state, twice("a"));
    assert_eq!(
        BuildRunnerError::RouteTwice("resize".to_owned()).to_string(),
        "two routes have the name \"resize\", a router has to have one for each value"
    );
    assert_eq!(
        BuildRunnerError::NoRoute.to_string(),
        "the router has no route, it has to have at least 1"
    );
    let settings = Runner::builder(&jobs)
        .concurrency(0)
        .each_routed(router().route("a", done));
    assert_eq!(settings.map(drop), Err(BuildRunnerError::Concurrency));
}

#[cfg(feature = "serde")]
#[test]
fn a_router_by_a_field_reads_it_from_the_body() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    let sent = [
        r#"{"type":"resize"}"#,
        r#"{"type":7}"#,
        r#"{"type":"dance"}"#,
        "{}",
        "resize",
        "[]",
    ];
    let _ = jobs.send_batch(sent).unwrap();
    let notes = Notes::new();
    let router = Router::by_field("type")
        .route("resize", noting(&notes, "resize"))
        .route("7", noting(&notes, "seven"));
    let report = run(&mut world, &jobs, router, &notes);
    assert_eq!((report.succeeded, report.failed), (2, 4));
    let routes = r#"the routes are "7", "resize""#;
    let failed = |body: &str, why: &str| format!("{body} failed by Answer: no route: {why}; {routes}");
    assert_eq!(
        notes.take(),
        [
            r#"resize: {"type":"resize"}"#.to_owned(),
            r#"seven: {"type":7}"#.to_owned(),
            failed(r#"{"type":"dance"}"#, r#"the field "type" is "dance""#),
            failed("{}", r#"the body has no field "type""#),
            failed("resize", "the body is not JSON: expected value at line 1 column 1"),
            failed("[]", "the body is not a JSON object"),
        ]
    );
}
