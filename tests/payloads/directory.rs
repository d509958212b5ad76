//! Payloads as files.

use {
    super::large,
    futures_util::StreamExt,
    requeue::{
        Queue,
        backend::{ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest},
        payloads::{ObjectPayloadStore, PayloadQueue},
    },
    std::{fs, path::PathBuf, sync::Arc, time::Duration},
};

/// A directory that is gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("requeue {name} {}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files(directory: &std::path::Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn a_payload_is_a_file_as_long_as_its_message_lives() {
    // E2 E8
    let scratch = Scratch::new("payload files");
    let store = ObjectPayloadStore::in_directory(&scratch.0).unwrap();
    let queue = Queue::standard("jobs").build().unwrap();
    let jobs = PayloadQueue::builder(&queue, store).prefix("jobs/").build().unwrap();
    pollster::block_on(jobs.send(large().into())).unwrap();
    assert_eq!(files(&scratch.0.join("jobs")), 1);
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    assert!(messages[0].body() == large());
    assert!(pollster::block_on(jobs.delete(&messages)).unwrap().is_empty());
    assert_eq!(files(&scratch.0.join("jobs")), 0);
}

#[test]
fn a_directory_works_within_tokio_and_without() {
    let scratch = Scratch::new("payload runtimes");
    let store = ObjectPayloadStore::in_directory(&scratch.0).unwrap();
    let queue = Queue::standard("jobs").build().unwrap();
    let jobs = PayloadQueue::builder(&queue, store).build().unwrap();
    pollster::block_on(jobs.send(large().into())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        jobs.send(large().into()).await.unwrap();
        let messages = jobs.receive(ReceiveRequest::new(10)).await.unwrap();
        assert_eq!(messages.len(), 2);
        assert!(jobs.delete(&messages).await.unwrap().is_empty());
    });
    assert_eq!(files(&scratch.0), 0);
}

#[test]
fn a_file_is_read_part_by_part_and_may_vanish_meanwhile() {
    let scratch = Scratch::new("payload parts");
    let store = ObjectPayloadStore::in_directory(&scratch.0).unwrap();
    let queue = Queue::standard("jobs").build().unwrap();
    let jobs = PayloadQueue::builder(&queue, store).build().unwrap();
    let body: String = (0..500_000).map(|number| format!("{number:06}")).collect();
    pollster::block_on(jobs.send(body.as_str().into())).unwrap();
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    assert!(messages[0].body() == body);
    pollster::block_on(jobs.release(&messages)).unwrap();
    let request = ReceiveRequest::new(1).load_bodies(false);
    let message = pollster::block_on(jobs.receive(request)).unwrap().remove(0);
    let mut stream = pollster::block_on(jobs.open(&message)).unwrap();
    assert!(pollster::block_on(stream.next()).unwrap().is_ok());
    fs::remove_file(fs::read_dir(&scratch.0).unwrap().next().unwrap().unwrap().path()).unwrap();
    let error = pollster::block_on(stream.next()).unwrap().unwrap_err();
    assert_eq!(error.code, "PayloadNotFound");
    assert!(pollster::block_on(stream.next()).is_none());
}

#[test]
fn a_directory_that_vanished_has_lost_no_payload() {
    let scratch = Scratch::new("payload volume");
    let directory = scratch.0.join("volume");
    let store = Arc::new(ObjectPayloadStore::in_directory(&directory).unwrap());
    let queue = Queue::standard("jobs").build().unwrap();
    let builder = PayloadQueue::builder(&queue, Arc::clone(&store));
    let jobs = builder.discard_missing(true).build().unwrap();
    pollster::block_on(jobs.send(large().into())).unwrap();
    let request = ReceiveRequest::new(1).load_bodies(false);
    let messages = pollster::block_on(jobs.receive(request)).unwrap();
    fs::rename(&directory, scratch.0.join("elsewhere")).unwrap();
    let is_transient = |error: MessageQueueError| {
        assert!(error.message.contains("is not there"), "{error}");
        assert_eq!(error.kind, ErrorKind::Transient);
    };
    is_transient(pollster::block_on(jobs.send(large().into())).unwrap_err());
    is_transient(pollster::block_on(jobs.load(&messages[0])).unwrap_err());
    is_transient(pollster::block_on(jobs.sweep(Duration::ZERO).remove()).unwrap_err());
    assert!(!directory.exists(), "no send makes it anew");
    assert!(pollster::block_on(jobs.delete(&messages)).unwrap().is_empty());
    assert_eq!((jobs.orphans(), jobs.queue().counts().in_flight), (1, 0));
    fs::rename(scratch.0.join("elsewhere"), &directory).unwrap();
    let swept = pollster::block_on(jobs.sweep(Duration::ZERO).remove()).unwrap();
    assert_eq!(swept.removed, 1);
}

#[test]
fn a_put_that_was_cut_off_leaves_a_file_that_a_sweep_removes() {
    let scratch = Scratch::new("payload leftovers");
    let store = ObjectPayloadStore::in_directory(&scratch.0).unwrap();
    let queue = Queue::standard("jobs").build().unwrap();
    let jobs = PayloadQueue::builder(&queue, store).prefix("jobs/").build().unwrap();
    pollster::block_on(jobs.send(large().into())).unwrap();
    let id = "9a7a4f9c-1a4f-4b8e-9a6b-5c7d1f3e2a10";
    let [cut_off, other] = [format!("jobs/{id}#1"), format!("{id}#2")];
    for name in [&*cut_off, &other, "jobs/notes#1", "jobs/notes#x"] {
        fs::write(scratch.0.join(name), "half of it").unwrap();
    }
    let sweep = || jobs.sweep(Duration::ZERO);
    let found = pollster::block_on(sweep().list()).unwrap();
    assert!(found.iter().map(|it| &*it.key).eq([&*cut_off]), "{found:?}");
    assert_eq!(pollster::block_on(sweep().remove()).unwrap().removed, 1);
    assert!(!scratch.0.join(&cut_off).exists() && scratch.0.join(&other).exists());
    assert_eq!(
        pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap().len(),
        1
    );
}

#[cfg(feature = "journal")]
#[test]
fn messages_of_a_journal_find_their_payloads_again() {
    let scratch = Scratch::new("payload journal");
    let open = || {
        let queue = Queue::standard("jobs")
            .journal(scratch.0.join("journal"))
            .open()
            .unwrap();
        let store = ObjectPayloadStore::in_directory(scratch.0.join("payloads")).unwrap();
        PayloadQueue::builder(&queue, store).build().unwrap()
    };
    let jobs = open();
    pollster::block_on(jobs.send(large().into())).unwrap();
    let pointer = jobs.queue().snapshot().messages[0].content.body().len();
    assert!(pointer < 200, "the journal has the pointer alone");
    drop(jobs);
    let jobs = open();
    let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
    assert!(messages[0].body() == large());
    assert!(pollster::block_on(jobs.delete(&messages)).unwrap().is_empty());
    assert_eq!(files(&scratch.0.join("payloads")), 0);
}
