//! What the data shows: overviews, pages, filters and messages.

use {
    super::{Site, World, row},
    requeue::{
        MessageAttributeValue, Queue, SendMessage,
        worker::{Job, Runner, RunnerError, RunnerHandle, RunnerReport},
    },
    serde_json::{Value, json},
    std::{
        collections::BTreeSet,
        thread::{self, JoinHandle},
        time::Duration,
    },
};

fn ids(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
}

fn bodies(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["body"].as_str().unwrap())
        .collect()
}

#[test]
fn an_overview_has_counts_ages_and_rates_of_the_services_time() {
    let world = World::new();
    let (jobs, failed) = world.with_dead_letters("jobs", 1);
    for body in ["first", "second", "third"] {
        jobs.send(body).unwrap();
        world.clock.advance(Duration::from_secs(2));
    }
    jobs.send(SendMessage::new("later").delay(Duration::from_secs(60)))
        .unwrap();
    jobs.receive().blocking().unwrap()[0].delete().unwrap();
    let held = jobs.receive().blocking().unwrap();
    held[0].report_failure("no such file");
    let overview = world.dashboard().overview();
    let shown = row(&overview, "jobs");
    assert_eq!(
        (&shown["visible"], &shown["in_flight"], &shown["delayed"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        shown["oldest_ms"], 4_000,
        "the first is gone, the second was sent 4 seconds ago"
    );
    assert_eq!(
        (&shown["in_rate"], &shown["out_rate"]),
        (&json!(0.3), &json!(0.0)),
        "of the ten seconds before this one"
    );
    let sum = |points: &Value| {
        points
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point.as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((sum(&shown["in"]), sum(&shown["out"])), (4, 1));
    assert_eq!(shown["dead_letter_queue"], "jobs-failed");
    assert_eq!(row(&overview, failed.name())["sources"], json!(["jobs"]));
    world.clock.advance(Duration::from_secs(600));
    let overview = world.dashboard().overview();
    assert_eq!(sum(&row(&overview, "jobs")["in"]), 0, "the chart is of five minutes");
}

#[test]
fn a_delayed_message_that_leaves_takes_no_other_age_with_it() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("first").unwrap();
    let later = SendMessage::new("later").delay(Duration::from_secs(60));
    let later = jobs.send(later).unwrap().message_id;
    world.clock.advance(Duration::from_secs(3));
    assert_eq!(jobs.delete_by_id(&[later]).unwrap(), 1);
    assert_eq!(row(&world.dashboard().overview(), "jobs")["oldest_ms"], 3_000);
}

#[test]
fn the_oldest_of_a_queue_with_unseen_messages_is_a_minimum() {
    let (world, unwatched) = (World::new(), World::new());
    let jobs = unwatched.queue("jobs");
    jobs.send("before").unwrap();
    let dashboard = crate::data::Dashboard::new(unwatched.service.clone(), unwatched.clock.clone(), world.watch);
    let overview = dashboard.overview();
    assert_eq!(
        (
            &row(&overview, "jobs")["oldest_ms"],
            &row(&overview, "jobs")["oldest_is_minimum"]
        ),
        (&Value::Null, &json!(true))
    );
    let overview = unwatched.dashboard().overview();
    assert_eq!(
        (
            &row(&overview, "jobs")["oldest_ms"],
            &row(&overview, "jobs")["oldest_is_minimum"]
        ),
        (&json!(0), &json!(false))
    );
}

/// Three letters with two reasons, one of them in flight; and a job that waits for its group.
fn letters(world: &World) -> Queue {
    let (jobs, failed) = world.with_dead_letters("jobs", 5);
    for (body, group, reason) in [
        ("cat", "acme", "no such file"),
        ("dog", "hooli", "disk is full"),
        ("cow", "acme", "disk is full"),
    ] {
        jobs.send(SendMessage::new(body).message_group_id(group)).unwrap();
        let held = jobs.receive().blocking().unwrap();
        held[0].dead_letter(reason).unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    failed
}

#[test]
fn filters_select_by_state_group_error_and_text() {
    let world = World::new();
    let failed = letters(&world);
    let held = failed.receive().blocking().unwrap();
    let site = world.site();
    let page = |query: &str| site.get(&format!("/api/queues/jobs-failed/messages?{query}")).json();
    assert_eq!(bodies(&page("")), ["cat", "dog", "cow"]);
    assert_eq!(bodies(&page("phase=in_flight")), [held[0].body()]);
    assert_eq!(bodies(&page("phase=visible")).len(), 2);
    assert_eq!(bodies(&page("group=acme")), ["cat", "cow"]);
    assert_eq!(bodies(&page("error=disk")), ["dog", "cow"]);
    assert_eq!(bodies(&page("error=disk+is&group=acme")), ["cow"]);
    assert_eq!(bodies(&page("text=co")), ["cow"]);
    let id = page("text=dog")["messages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bodies(&page(&format!("text={}", &id[4..20]))), ["dog"]);
    assert_eq!(bodies(&page("text=%3Cb%3E")), [""; 0]);
    let all = page("");
    assert_eq!(
        all["reasons"],
        json!([{ "text": "disk is full", "count": 2 }, { "text": "no such file", "count": 1 }])
    );
    assert_eq!(all["groups"][0], json!({ "text": "acme", "count": 2 }));
    assert_eq!((&page("group=acme")["matched"], &all["total"]), (&json!(2), &json!(3)));
    let chosen = site.get("/api/queues/jobs-failed/selection?error=disk").json();
    assert_eq!(chosen["count"], 2);
    let refused = site.get("/api/queues/jobs-failed/messages?phase=lost");
    assert_eq!(refused.status, 400);
}

#[test]
fn pages_and_orders_are_made_by_the_server() {
    let world = World::new();
    let jobs = world.queue("jobs");
    for number in 0..25 {
        jobs.send(SendMessage::new("x".repeat(number + 1)).delay(Duration::from_secs(number as u64)))
            .unwrap();
    }
    let site = world.site();
    let page = |query: &str| site.get(&format!("/api/queues/jobs/messages?{query}")).json();
    let first = page("size=10");
    assert_eq!(
        (&first["pages"], &first["matched"], ids(&first).len()),
        (&json!(3), &json!(25), 10)
    );
    assert_eq!(ids(&page("size=10&page=2")).len(), 5);
    assert_eq!(page("size=10&page=99")["page"], 2, "beyond the last it is the last");
    assert_eq!(ids(&page("size=0")).len(), 1);
    assert_eq!(bodies(&page("sort=newest&size=1"))[0].len(), 25);
    assert_eq!(bodies(&page("sort=largest&size=1"))[0].len(), 25);
    assert_eq!(
        bodies(&page("sort=deadline&size=1"))[0].len(),
        2,
        "the first is visible already"
    );
    assert_eq!(site.get("/api/queues/jobs/messages?page=x").status, 400);
}

#[test]
fn a_message_that_waits_for_its_group_is_held_back() {
    let world = World::new();
    let orders = world.queue("orders.fifo");
    for body in ["one", "two"] {
        let message = SendMessage::new(body).message_group_id("customer-3");
        orders.send(message.message_deduplication_id(body)).unwrap();
    }
    let held = orders.receive().blocking().unwrap();
    assert_eq!(held.len(), 1);
    let page = world.site().get("/api/queues/orders.fifo/messages").json();
    let phases = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["phase"]);
    assert_eq!(phases.collect::<Vec<_>>(), ["in_flight", "blocked"]);
    assert_eq!(page["messages"][0]["until"], held[0].invisible_until().as_millis());
}

#[test]
fn a_life_is_the_facts_of_a_message_across_queues() {
    let world = World::new();
    let (jobs, _failed) = world.with_dead_letters("jobs", 5);
    let message = SendMessage::new("resize cat.png").attribute("priority", MessageAttributeValue::number("3"));
    let id = jobs.send(message).unwrap().message_id;
    let held = jobs.receive().blocking().unwrap();
    held[0].dead_letter("no such file").unwrap();
    let site = world.site();
    let shown = site.get(&format!("/api/queues/jobs-failed/messages/{id}")).json();
    let events = shown["life"]["events"].as_array().unwrap();
    let events = events
        .iter()
        .map(|event| (event["queue"].as_str().unwrap(), event["what"].as_str().unwrap()));
    let expected = [
        ("jobs", "sent"),
        ("jobs", "received"),
        ("jobs", "failed"),
        ("jobs", "moved to the dead-letter queue"),
        ("jobs-failed", "arrived as a dead letter"),
    ];
    assert_eq!(events.collect::<Vec<_>>(), expected);
    assert_eq!(
        (&shown["life"]["complete"], &shown["life"]["queue"]),
        (&json!(true), &json!("jobs-failed"))
    );
    assert_eq!(
        shown["content"]["attributes"][0],
        json!({ "name": "priority", "type": "Number", "value": "3", "bytes": null })
    );
    assert_eq!(shown["message"]["reason"], "no such file");
    assert_eq!(shown["life"].get("content"), None, "it is beside the life");
    // In the queue that it has left there is its life alone.
    assert_eq!(
        site.get(&format!("/api/queues/jobs/messages/{id}")).json()["message"],
        Value::Null
    );
}

#[test]
fn large_bodies_are_cut_between_characters() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let body = "\u{20ac}".repeat(80_000);
    let id = jobs.send(body.as_str()).unwrap().message_id;
    let site = world.site();
    let page = site.get("/api/queues/jobs/messages").json();
    assert_eq!(bodies(&page)[0], "\u{20ac}".repeat(66));
    assert_eq!(page["messages"][0]["body_bytes"], 240_000);
    let shown = site.get(&format!("/api/queues/jobs/messages/{id}")).json();
    assert_eq!(shown["content"]["body"], "\u{20ac}".repeat(21_845));
    jobs.receive().blocking().unwrap()[0].delete().unwrap();
    let shown = site.get(&format!("/api/queues/jobs/messages/{id}")).json();
    assert_eq!(
        (&shown["content"]["body"], &shown["content"]["body_bytes"]),
        (&json!("\u{20ac}".repeat(341)), &json!(240_000))
    );
}

/// A site that shows a runner named `resizer`, whose jobs last until it is stopped; with its handle and its thread.
fn resizer(world: &World, jobs: &Queue) -> (Site, RunnerHandle, JoinHandle<Result<RunnerReport, RunnerError>>) {
    let runner = Runner::builder(jobs).concurrency(2).each_async(|job: Job| async move {
        job.set_progress("2 of 3");
        job.stopping().await;
        Ok::<(), String>(())
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let dashboard = world.dashboard().runner("resizer", jobs, runner.handle());
    let running = thread::spawn(move || runner.blocking());
    (Site::start(dashboard, false), handle, running)
}

#[test]
fn workers_are_shown_with_their_jobs() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send(SendMessage::new("resize cat.png").message_group_id("acme"))
        .unwrap();
    let (site, handle, running) = resizer(&world, &jobs);
    let overview = site.overview_until(|overview| overview["runners"][0]["jobs"][0]["progress"] == "2 of 3");
    let runner = &overview["runners"][0];
    assert_eq!(
        (&runner["name"], &runner["queue"], &runner["state"]),
        (&json!("resizer"), &json!("jobs"), &json!("running"))
    );
    assert_eq!(
        (&runner["in_progress"], &runner["jobs"][0]["group"]),
        (&json!(1), &json!("acme"))
    );
    assert_eq!(
        site.get("/api/queues/jobs/messages").json()["messages"][0]["worker"],
        "resizer"
    );
    handle.stop();
    running.join().unwrap().unwrap();
}

#[test]
fn what_is_not_there_is_not_found() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let site = world.site();
    assert_eq!(
        site.get("/api/queues/orders/messages").error(),
        "there is no queue orders"
    );
    for path in [
        "messages",
        "selection",
        "messages/no-id",
        "messages/00000000-0000-4000-8000-000000000000",
    ] {
        let of_jobs = if path.contains('/') { "jobs" } else { "orders" };
        assert_eq!(site.get(&format!("/api/queues/{of_jobs}/{path}")).status, 404, "{path}");
    }
    assert_eq!(site.get("/api/queues/jobs/messages").status, 200);
    let id = jobs.send("m").unwrap().message_id;
    jobs.delete_queue().unwrap();
    assert_eq!(
        site.get("/api/queues/jobs/messages").status,
        404,
        "it was deleted while the page was open"
    );
    let shown = site.get(&format!("/api/queues/jobs/messages/{id}")).json();
    assert_eq!(shown["life"]["events"][1]["what"], "queue deleted");
    assert_eq!(site.get("/nowhere").status, 404);
    assert_eq!(site.get("/api/action").status, 405);
}

/// The names of all fields in a JSON text.
fn fields(json: &Value, names: &mut BTreeSet<String>) {
    match json {
        Value::Object(object) => object.iter().for_each(|(name, value)| {
            names.insert(name.clone());
            fields(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let world = World::new();
    let failed = letters(&world);
    let id = failed.snapshot().messages[0].message_id;
    let jobs = world.service.queue("jobs").unwrap();
    let attribute = MessageAttributeValue::number("3");
    let with_attribute = jobs
        .send(SendMessage::new("m").attribute("priority", attribute))
        .unwrap();
    let (site, handle, running) = resizer(&world, &jobs);
    site.post(&json!({ "action": "redrive", "queue": "jobs-failed", "per_second": 1 }));
    let mut names = BTreeSet::new();
    let overview = site.overview_until(|overview| !overview["runners"][0]["jobs"][0].is_null());
    fields(&overview, &mut names);
    for path in [
        "jobs-failed/messages".to_owned(),
        "jobs-failed/selection".to_owned(),
        format!("jobs-failed/messages/{id}"),
        format!("jobs/messages/{}", with_attribute.message_id),
    ] {
        fields(&site.get(&format!("/api/queues/{path}")).json(), &mut names);
    }
    handle.stop();
    running.join().unwrap().unwrap();
    let lines = include_str!("../data/mod.rs").lines();
    let docs: String = lines.filter(|line| line.starts_with("//! |")).collect();
    let undocumented: Vec<_> = names
        .iter()
        .filter(|name| !docs.contains(&format!("`{name}`")))
        .collect();
    assert!(
        names.len() > 70 && undocumented.is_empty(),
        "{} {undocumented:?}",
        names.len()
    );
}
