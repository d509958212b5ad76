//! What is remembered of the lives of messages, and what is forgotten.

use {
    super::{World, row},
    crate::data::Memory,
    requeue::{Message, MessageId, SendMessage},
    serde_json::{Value, json},
    std::{sync::Arc, time::Duration},
};

fn life(world: &World, id: MessageId) -> Option<Value> {
    world.watch.life(id, 100)
}

fn whats(life: &Value) -> Vec<&str> {
    let events = life["events"].as_array().unwrap();
    events.iter().map(|event| event["what"].as_str().unwrap()).collect()
}

#[test]
fn lives_beyond_the_memory_are_forgotten_the_oldest_first() {
    let world = World::remembering(Memory {
        lives: 3,
        ..Memory::default()
    });
    let jobs = world.queue("jobs");
    let ids: Vec<_> = (0..5)
        .map(|number| jobs.send(format!("{number}")).unwrap().message_id)
        .collect();
    let remembered: Vec<bool> = ids.iter().map(|id| life(&world, *id).is_some()).collect();
    assert_eq!(remembered, [false, false, true, true, true]);
    assert_eq!(world.watch.remembered(), (3, 2));
    let received = jobs.receive().blocking().unwrap();
    assert_eq!(received[0].message_id(), ids[0]);
    let again = life(&world, ids[0]).unwrap();
    assert_eq!(
        (whats(&again), &again["complete"]),
        (vec!["received"], &json!(false)),
        "it says that there was more"
    );
}

#[test]
fn events_beyond_the_memory_are_dropped_and_counted() {
    let world = World::remembering(Memory {
        events_of_life: 4,
        ..Memory::default()
    });
    let jobs = world.queue("jobs");
    let id = jobs.send("m").unwrap().message_id;
    for _ in 0..3 {
        jobs.receive().blocking().unwrap()[0].release().unwrap();
    }
    let short = life(&world, id).unwrap();
    assert_eq!(whats(&short), ["received", "released", "received", "released"]);
    assert_eq!((&short["dropped"], &short["complete"]), (&json!(3), &json!(false)));

    let world = World::remembering(Memory {
        events: 10,
        ..Memory::default()
    });
    let jobs = world.queue("jobs");
    for _ in 0..50 {
        jobs.send("m").unwrap();
    }
    assert_eq!(world.watch.remembered(), (10, 40));
}

#[test]
fn renewals_of_a_lease_are_one_event() {
    let world = World::new();
    let jobs = world.queue("jobs");
    let id = jobs.send("m").unwrap().message_id;
    let held = jobs.receive().blocking().unwrap();
    let renew = |message: &Message| message.change_visibility(Duration::from_secs(60)).unwrap();
    (0..5).for_each(|_| renew(&held[0]));
    let shown = life(&world, id).unwrap();
    assert_eq!(whats(&shown), ["sent", "received", "visibility changed"]);
    assert_eq!(shown["events"][2]["times"], 5);
}

#[test]
fn a_purge_ends_the_lives_of_its_queue_alone() {
    let world = World::new();
    let (jobs, mail) = (world.queue("jobs"), world.queue("mail"));
    let (purged, stays) = (jobs.send("m").unwrap().message_id, mail.send("m").unwrap().message_id);
    let gone = jobs.send("m").unwrap().message_id;
    let held = jobs.receive().max_messages(2).blocking().unwrap();
    let first = held.iter().find(|message| message.message_id() == gone).unwrap();
    first.delete().unwrap();
    jobs.purge().unwrap();
    let shown = life(&world, purged).unwrap();
    assert_eq!(
        (whats(&shown), &shown["queue"]),
        (vec!["sent", "received", "purged"], &Value::Null)
    );
    assert_eq!(whats(&life(&world, gone).unwrap()).last(), Some(&"deleted"));
    assert_eq!(life(&world, stays).unwrap()["queue"], "mail");
    let overview = world.dashboard().overview();
    assert_eq!(
        (
            &row(&overview, "jobs")["oldest_ms"],
            &row(&overview, "mail")["oldest_ms"]
        ),
        (&Value::Null, &json!(0))
    );
}

#[test]
fn a_delayed_message_ages_from_its_send_once_it_is_visible() {
    let world = World::new();
    let jobs = world.queue("jobs");
    jobs.send(SendMessage::new("m").delay(Duration::from_secs(10))).unwrap();
    world.clock.advance(Duration::from_secs(9));
    assert_eq!(row(&world.dashboard().overview(), "jobs")["oldest_ms"], Value::Null);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(row(&world.dashboard().overview(), "jobs")["oldest_ms"], 10_000);
}

#[test]
fn what_is_kept_of_reasons_and_contents_is_bounded() {
    let world = World::remembering(Memory {
        events: 1_000,
        ..Memory::default()
    });
    let (jobs, failed) = world.with_dead_letters("jobs", 100);
    let id = jobs.send("m").unwrap().message_id;
    let snapshot = jobs.snapshot();
    assert_eq!(
        Arc::strong_count(snapshot.messages[0].content.body()),
        3,
        "the queue, the snapshot and the watch share one body"
    );
    let reason = "no such file ".repeat(20_000);
    let held = jobs.receive().blocking().unwrap();
    held[0].report_failure(reason.as_str());
    held[0].dead_letter(reason.as_str()).unwrap();
    failed.receive().blocking().unwrap()[0].delete().unwrap();
    let shown = life(&world, id).unwrap();
    let events = shown["events"].as_array().unwrap();
    let reasons = events.iter().filter_map(|event| event["reason"].as_str());
    let lengths: Vec<usize> = reasons.chain(shown["reason"].as_str()).map(str::len).collect();
    assert!(
        lengths.len() >= 3 && lengths.iter().all(|length| *length == 2_000),
        "{lengths:?}"
    );
    assert_eq!(
        shown["content"]["attributes"],
        Value::Null,
        "a content with a long reason is not kept"
    );
    for _ in 0..100 {
        jobs.send("m").unwrap();
        jobs.receive().blocking().unwrap()[0]
            .dead_letter(reason.as_str())
            .unwrap();
    }
    let (lives, forgotten) = world.watch.remembered();
    assert!(
        lives < 30 && lives + forgotten as usize == 101,
        "{lives} lives, {forgotten} forgotten"
    );
}
