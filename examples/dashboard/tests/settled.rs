//! Actions over HTTP.

use {
    super::{Site, World, row},
    requeue::{
        SendMessage,
        worker::{Job, Runner},
    },
    serde_json::{Value, json},
    std::time::Duration,
};

fn delete_matching(site: &Site, selection: &Value) -> super::Answer {
    site.post(&json!({ "action": "delete_matching", "queue": "jobs", "selection": selection["selection"] }))
}

#[test]
fn a_test_message_is_sent_with_all_it_may_have() {
    let world = World::new();
    let (jobs, orders) = (world.queue("jobs"), world.queue("orders.fifo"));
    let site = world.site();
    let sent = site.post(&json!({
        "action": "send", "queue": "jobs", "body": "resize cat.png", "group_id": "acme", "delay_seconds": 5,
        "attributes": [{ "name": "priority", "type": "Number", "value": "3" }],
    }));
    assert_eq!(sent.status, 200, "{}", sent.body);
    assert_eq!(jobs.counts().delayed, 1);
    world.clock.advance(Duration::from_secs(5));
    let received = jobs.receive().blocking().unwrap();
    assert_eq!(
        (received[0].body(), received[0].message_group_id()),
        ("resize cat.png", Some("acme"))
    );
    assert_eq!(
        received[0].message_id().to_string(),
        sent.json()["message_id"].as_str().unwrap()
    );
    let fifo =
        json!({ "action": "send", "queue": "orders.fifo", "body": "m", "group_id": "g", "deduplication_id": "d" });
    assert_eq!((site.post(&fifo).status, site.post(&fifo).status), (200, 200));
    assert_eq!(orders.counts().visible, 1, "the second is a duplicate");
    let refusals = [
        json!({ "action": "send", "queue": "orders.fifo", "body": "m" }),
        json!({ "action": "send", "queue": "jobs", "body": "" }),
        json!({ "action": "send", "queue": "jobs", "body": "m", "delay_seconds": 901 }),
        json!({ "action": "send", "queue": "jobs", "body": "x".repeat(1_048_577) }),
        json!({ "action": "send", "queue": "jobs", "body": "m", "attributes": [{ "name": "n", "type": "Number", "value": "x" }] }),
        json!({ "action": "send", "queue": "jobs", "body": "m", "attributes": [
            { "name": "n", "type": "String", "value": "x" }, { "name": "n", "type": "String", "value": "y" },
        ] }),
    ];
    for refusal in refusals {
        let answer = site.post(&refusal);
        assert!(answer.status == 400 && !answer.error().is_empty(), "{}", answer.body);
    }
    // In this order each would go before all others, which takes minutes.
    let names = (0..120_000).rev().map(|number| format!("n{number:06}"));
    let attributes: Vec<Value> = names
        .map(|name| json!({ "name": name, "type": "String", "value": "x" }))
        .collect();
    let many = site.post(&json!({ "action": "send", "queue": "jobs", "body": "m", "attributes": attributes }));
    assert_eq!(many.error(), "a message has at most 10 attributes, this one has 120000");
    assert_eq!(
        site.post(&json!({ "action": "send", "queue": "mail", "body": "m" }))
            .error(),
        "there is no queue mail"
    );
}

#[test]
fn a_redrive_has_a_rate_a_progress_and_an_end() {
    let world = World::new();
    let (jobs, failed) = world.with_dead_letters("jobs", 1);
    for number in 0..10 {
        jobs.send(format!("{number}")).unwrap();
        jobs.receive().blocking().unwrap()[0].dead_letter("no").unwrap();
    }
    let site = world.site();
    let begun = site.post(&json!({ "action": "redrive", "queue": "jobs-failed", "per_second": 2 }));
    assert_eq!(begun.status, 200, "{}", begun.body);
    world.clock.advance(Duration::from_secs(1));
    let overview = site.overview_until(|overview| row(overview, "jobs-failed")["task"]["moved"] == 3);
    let task = &row(&overview, "jobs-failed")["task"];
    assert_eq!(
        (&task["status"], &task["to_move"], &task["per_second"]),
        (&json!("RUNNING"), &json!(10), &json!(2))
    );
    assert_eq!((jobs.counts().visible, failed.counts().visible), (3, 7));
    let cancelled = site.post(&json!({ "action": "cancel", "task_handle": task["handle"] }));
    assert_eq!(cancelled.json()["done"], "The redrive was cancelled after 3 messages.");
    world.clock.advance(Duration::from_secs(60));
    assert!(failed.counts().visible >= 6);
    let all = site.post(&json!({ "action": "redrive", "queue": "jobs-failed", "destination": "jobs" }));
    assert_eq!(
        (all.status, failed.counts().visible, jobs.counts().visible),
        (200, 0, 10)
    );
    for refused in [
        json!({ "queue": "jobs" }),
        json!({ "queue": "jobs-failed", "per_second": 501 }),
    ] {
        let mut action = refused;
        action["action"] = "redrive".into();
        assert_eq!(site.post(&action).status, 400, "{action}");
    }
    assert_eq!(
        site.post(&json!({ "action": "cancel", "task_handle": "x" })).status,
        400
    );
    assert_eq!(
        site.post(&json!({ "action": "redrive", "queue": "jobs-failed", "destination": "mail" }))
            .status,
        404
    );
}

#[test]
fn a_queue_is_purged_and_a_runner_paused() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let site = Site::start(world.dashboard().runner("resizer", &jobs, runner.handle()), false);
    assert_eq!(site.post(&json!({ "action": "purge", "queue": "jobs" })).status, 200);
    assert_eq!(jobs.counts().visible, 0);
    let again = site.post(&json!({ "action": "purge", "queue": "jobs" }));
    assert!(
        again.status == 400 && again.error().contains("60 seconds"),
        "{}",
        again.body
    );
    let state = || runner.handle().report().state.to_string();
    assert_eq!(
        site.post(&json!({ "action": "pause", "runner": "resizer" })).status,
        200
    );
    assert_eq!(state(), "paused");
    assert_eq!(
        site.post(&json!({ "action": "resume", "runner": "resizer" })).status,
        200
    );
    assert_eq!(state(), "running");
    assert_eq!(
        site.post(&json!({ "action": "pause", "runner": "mailer" })).error(),
        "there is no runner mailer"
    );
    assert_eq!(site.post(&json!({ "action": "purge", "queue": "mail" })).status, 404);
}

#[test]
fn one_message_is_deleted_in_whatever_phase() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let held = jobs.send("held").unwrap().message_id;
    let _in_flight = jobs.receive().blocking().unwrap();
    let delayed = jobs
        .send(SendMessage::new("delayed").delay(Duration::from_secs(60)))
        .unwrap()
        .message_id;
    let visible = jobs.send("visible").unwrap().message_id;
    jobs.send("stays").unwrap();
    let site = world.site();
    for id in [held, delayed, visible] {
        let action = json!({ "action": "delete", "queue": "jobs", "message_id": id.to_string() });
        let answer = site.post(&action);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let gone = site.post(&action);
        let text = format!("message {id} is not in the queue");
        assert_eq!((gone.status, gone.error()), (404, text), "its life is remembered");
    }
    let page = site.get("/api/queues/jobs/messages").json();
    assert_eq!(
        (&page["total"], &page["messages"][0]["body"]),
        (&json!(1), &json!("stays"))
    );
    assert_eq!(
        site.post(&json!({ "action": "delete", "queue": "jobs", "message_id": "x" }))
            .status,
        404
    );
}

#[test]
fn a_filter_with_a_name_that_is_not_known_is_refused() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("cat").unwrap();
    let site = world.site();
    for path in ["selection?txt=dog", "messages?txt=dog"] {
        assert_eq!(site.get(&format!("/api/queues/jobs/{path}")).status, 400);
    }
    assert_eq!(
        site.get("/api/queues/jobs/messages?text=cat&size=10&page=0").status,
        200
    );
}

#[test]
fn a_filter_deletes_what_was_counted_and_no_other() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let send = |body: &str| jobs.send(SendMessage::new(body).message_group_id("acme")).unwrap();
    let _ = ["first", "second", "third"].map(send);
    let site = world.site();
    let selection = site.get("/api/queues/jobs/selection?phase=visible").json();
    assert_eq!(selection["count"], 3);
    // One is gone, one is in flight by now, and one came within the same millisecond.
    jobs.receive().blocking().unwrap()[0].delete().unwrap();
    let _in_flight = jobs.receive().blocking().unwrap();
    send("came later");
    let mail = world.queue("mail");
    mail.send("m").unwrap();
    let elsewhere = json!({ "action": "delete_matching", "queue": "mail", "selection": selection["selection"] });
    assert_eq!(site.post(&elsewhere).status, 409, "it was counted in another queue");
    let answer = delete_matching(&site, &selection);
    assert_eq!(
        (answer.status, &answer.json()["deleted"]),
        (200, &json!(2)),
        "{}",
        answer.body
    );
    let left = site.get("/api/queues/jobs/messages").json();
    assert_eq!(
        (&left["total"], &left["messages"][0]["body"]),
        (&json!(1), &json!("came later"))
    );
    let again = delete_matching(&site, &selection);
    assert_eq!(
        (again.status, again.error()),
        (409, "this count is not kept any more, nothing was deleted".to_owned())
    );
}

#[test]
fn the_oldest_counts_are_forgotten() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("m").unwrap();
    let site = world.site();
    let selections: Vec<Value> = (0..9).map(|_| site.get("/api/queues/jobs/selection").json()).collect();
    assert_eq!(delete_matching(&site, &selections[0]).status, 409);
    assert_eq!(jobs.counts().visible, 1);
    assert_eq!(delete_matching(&site, &selections[1]).status, 200);
    assert_eq!(jobs.counts().visible, 0);
}

#[test]
fn a_count_that_nobody_confirms_is_forgotten_after_ten_minutes() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send("m").unwrap();
    let site = world.site();
    let [first, second] = [0, 1].map(|_| site.get("/api/queues/jobs/selection").json());
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(delete_matching(&site, &first).status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(delete_matching(&site, &second).status, 409);
}
