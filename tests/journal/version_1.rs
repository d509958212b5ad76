//! A directory of format 1, which every later release opens. It was written once, by `writes_the_directory_when_asked`.

use {
    crate::{
        directory::{Directory, copy},
        open::clock_at,
    },
    requeue::{
        DeduplicationScope, ManualClock, MessageAttributeValue, Queue, QueueAttributes, QueueSettings, ReceiptHandle,
        RedriveAllowPolicy, RedrivePolicy, SendMessage, Service, StartMessageMoveTask,
        journal::{inspect, salvage},
    },
    std::{
        env,
        error::Error,
        fmt::Write as _,
        fs,
        path::{Path, PathBuf},
        time::Duration,
    },
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Before the clock of any machine, which the salvager reads.
const BEGIN: u64 = 1_700_000_000_000;
/// When it is looked at.
const LATER: u64 = BEGIN + 100_000;

fn stored() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/version_1")
}

fn open(directory: &Path, clock: &ManualClock) -> Outcome<Service> {
    let builder = Service::builder()
        .clock(clock.clone())
        .region("eu-central-1")
        .account_id("123456789012");
    Ok(builder.journal(directory).segment_bytes(4_096).open()?)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn of_group(body: &str, group: &str) -> SendMessage {
    SendMessage::new(body).message_group_id(group)
}

/// What there is to know about a queue.
fn describe(service: &Service, queue: &Queue, text: &mut String) -> Outcome {
    let QueueSettings {
        delay,
        maximum_message_size,
        message_retention_period,
        receive_message_wait_time,
        visibility_timeout,
        redrive_policy,
        redrive_allow_policy,
        kms_master_key_id,
        kms_data_key_reuse_period,
        sqs_managed_sse_enabled,
        fifo_queue,
        content_based_deduplication,
        deduplication_scope,
        fifo_throughput_limit,
        created_timestamp,
        last_modified_timestamp,
        ..
    } = queue.settings();
    writeln!(text, "{}", queue.name())?;
    writeln!(
        text,
        "{delay:?} {maximum_message_size} {message_retention_period:?} {receive_message_wait_time:?}"
    )?;
    writeln!(
        text,
        "{visibility_timeout:?} {redrive_policy:?} {redrive_allow_policy:?}"
    )?;
    writeln!(
        text,
        "{kms_master_key_id:?} {kms_data_key_reuse_period:?} {sqs_managed_sse_enabled}"
    )?;
    writeln!(
        text,
        "{fifo_queue} {content_based_deduplication} {deduplication_scope} {fifo_throughput_limit}"
    )?;
    writeln!(text, "{created_timestamp} {last_modified_timestamp}")?;
    writeln!(text, "{:?}", service.list_queue_tags(queue.name())?)?;
    writeln!(text, "{:?}", service.list_message_move_tasks(queue.arn(), Some(10))?)?;
    writeln!(text, "{:#?}", queue.snapshot())?;
    Ok(())
}

fn describe_all(service: &Service) -> Outcome<String> {
    let mut text = String::new();
    for name in ["failed", "jobs", "orders.fifo", "purged"] {
        describe(service, &service.queue(name)?, &mut text)?;
    }
    Ok(text)
}

fn make_queues(service: &Service) -> Outcome {
    let failed = QueueAttributes::new().redrive_allow_policy(RedriveAllowPolicy::ByQueue(vec![
        "arn:aws:sqs:eu-central-1:123456789012:jobs".to_owned(),
    ]));
    let failed = service.create_queue("failed", failed)?;
    let jobs = QueueAttributes::new()
        .redrive_policy(RedrivePolicy::new(failed.arn(), 2))
        .kms_master_key_id("alias/jobs")
        .visibility_timeout(seconds(120));
    service.create_queue_with_tags("jobs", jobs, [("team", "images"), ("cost", "7")])?;
    let orders = QueueAttributes::new()
        .fifo_queue(true)
        .content_based_deduplication(true);
    service.create_queue("orders.fifo", orders)?;
    service.create_queue(
        "purged",
        QueueAttributes::new().message_retention_period(seconds(3_600)),
    )?;
    service.create_queue("gone", QueueAttributes::new())?.send("gone")?;
    Ok(service.delete_queue("gone")?)
}

/// One message for each thing that may happen to it.
fn use_standard_queues(service: &Service, clock: &ManualClock) -> Outcome<ReceiptHandle> {
    let (jobs, failed) = (service.queue("jobs")?, service.queue("failed")?);
    let full = SendMessage::new("attributes")
        .attribute("width", MessageAttributeValue::number("640").label("px"))
        .attribute("pixel", MessageAttributeValue::binary([0, 0xff]))
        .attribute("kind", MessageAttributeValue::string("cat"))
        .message_group_id("customer-3")
        .aws_trace_header("Root=1-5759e988-bd862e3fe1be46a994272793");
    jobs.send(full)?;
    for body in [
        "deleted",
        "released",
        "postponed",
        "changed",
        "returned",
        "given up",
        "often",
        "held",
    ] {
        jobs.send(body)?;
    }
    jobs.send(SendMessage::new("delayed").delay(seconds(200)))?;
    jobs.send(SendMessage::new("no longer delayed").delay(seconds(10)))?;
    let mut handle = None;
    for message in jobs.receive().max_messages(10).blocking()? {
        match message.body() {
            "deleted" => message.delete()?,
            "released" => message.release()?,
            "postponed" => message.postpone(seconds(300))?,
            "changed" => message.change_visibility(seconds(400))?,
            "returned" | "often" => message.change_visibility(Duration::ZERO)?,
            "given up" => message.dead_letter("not an image")?,
            _ => handle = Some(message.receipt_handle()),
        }
    }
    clock.advance(seconds(15));
    jobs.receive()
        .max_messages(10)
        .visibility_timeout(Duration::ZERO)
        .blocking()?;
    jobs.receive()
        .max_messages(10)
        .visibility_timeout(seconds(100))
        .blocking()?;
    let task = StartMessageMoveTask::new(failed.arn()).destination_arn(service.queue("purged")?.arn());
    service.start_message_move_task(&task.max_messages_per_second(1))?;
    Ok(handle.ok_or("no message is held")?)
}

fn use_fifo_queue(service: &Service) -> Outcome {
    let orders = service.queue("orders.fifo")?;
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b1", "b")] {
        orders.send(of_group(body, group))?;
    }
    orders.receive().visibility_timeout(seconds(200)).blocking()?;
    orders.set_attributes(QueueAttributes::new().deduplication_scope(DeduplicationScope::MessageGroup))?;
    let purged = service.queue("purged")?;
    purged.send("before")?;
    purged.purge()?;
    purged.send("after")?;
    Ok(())
}

/// `REQUEUE_WRITE_VERSION_1=1 cargo test --features journal --test journal writes_the_directory` writes the directory anew,
/// and beside it what is in it: only as long as no release has the format.
#[test]
fn writes_the_directory_when_asked() -> Outcome {
    if env::var_os("REQUEUE_WRITE_VERSION_1").is_none() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(stored());
    let clock = clock_at(BEGIN);
    let service = open(&stored(), &clock)?;
    make_queues(&service)?;
    use_fifo_queue(&service)?;
    service.close()?;
    drop(service);
    // The clock was set back by a second meanwhile.
    let clock = clock_at(BEGIN - 1_000);
    let service = open(&stored(), &clock)?;
    let handle = use_standard_queues(&service, &clock)?;
    service.close()?;
    drop(service);
    fs::remove_file(stored().join("LOCK"))?;

    let scratch = Directory::new();
    copy(&stored(), &scratch.join("copy"));
    let text = describe_all(&open(&scratch.join("copy"), &clock_at(LATER))?)?;
    fs::write(stored().join("contents.txt"), format!("{handle}\n{text}"))?;
    Ok(())
}

/// A copy of the directory, the handle of the message that is held, and what is in it.
fn directory_of_version_1() -> Outcome<(Directory, ReceiptHandle, String)> {
    let directory = Directory::new();
    copy(&stored(), &directory.join("journal"));
    let contents = directory.join("journal").join("contents.txt");
    let text = fs::read_to_string(&contents)?;
    fs::remove_file(contents)?;
    let (handle, text) = text.split_once('\n').ok_or("one line")?;
    Ok((directory, handle.parse()?, text.to_owned()))
}

#[test]
fn a_directory_of_version_1_is_read() -> Outcome {
    let (directory, handle, text) = directory_of_version_1()?;
    let service = open(&directory.join("journal"), &clock_at(LATER))?;
    assert_eq!(describe_all(&service)?, text);
    let jobs = service.queue("jobs")?;
    let held = |jobs: &Queue| {
        jobs.snapshot()
            .messages
            .iter()
            .filter(|message| &**message.content.body() == "held")
            .count()
    };
    assert_eq!(held(&jobs), 1);
    jobs.delete(&handle)?;
    assert_eq!(held(&jobs), 0);
    let orders = service.queue("orders.fifo")?;
    let before = orders.snapshot().messages.len();
    orders.send(of_group("a2", "a"))?;
    assert_eq!(orders.snapshot().messages.len(), before, "the send is remembered");
    Ok(())
}

#[test]
fn a_directory_of_version_1_is_salvaged() -> Outcome {
    let (directory, _, text) = directory_of_version_1()?;
    let salvaged = salvage(directory.join("journal"), directory.join("rest"))?;
    assert!(salvaged.damage.is_empty());
    let service = open(&directory.join("rest"), &clock_at(LATER))?;
    assert_eq!(describe_all(&service)?, text);
    Ok(())
}

#[test]
fn a_directory_of_version_1_is_inspected() -> Outcome {
    let (directory, ..) = directory_of_version_1()?;
    let found = inspect(directory.join("journal"))?;
    let names: Vec<_> = found.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["failed", "jobs", "orders.fifo", "purged"]);
    assert!(found.segments.len() > 1 && found.damage.is_empty() && !found.is_torn);
    Ok(())
}
