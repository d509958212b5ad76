//! What is in a journal that no process has open.
//! `cargo run --release --features journal --example journal_inspect -- DIR` lists its queues, `-- DIR QUEUE` the messages of
//! one of them, and `-- DIR --salvage TO` copies what can be read of a damaged journal to a new directory. Nothing is
//! changed in DIR. Without arguments it makes a small journal and inspects that.
use {
    requeue::{
        Message, MessagePhase, Queue, SendMessage,
        journal::{InspectedQueue, Inspection, JournalError, inspect, salvage},
    },
    std::{env, error::Error, fs, path::PathBuf, process::ExitCode},
};

struct Arguments {
    directory: PathBuf,
    queue: Option<String>,
    salvage_to: Option<PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(arguments) = arguments()? else {
        return show_a_small_journal().map(|()| ExitCode::SUCCESS);
    };
    let damage = match &arguments.salvage_to {
        Some(to) => {
            let salvaged = salvage(&arguments.directory, to)?;
            println!(
                "{} queues and {} messages in {}",
                salvaged.queues,
                salvaged.messages,
                to.display()
            );
            match salvaged.lost_records {
                Some(records) => println!("{records} records could not be read"),
                None => println!("how many records could not be read cannot be told"),
            }
            salvaged.damage
        }
        None => {
            let found = inspect(&arguments.directory)?;
            print(&found, arguments.queue.as_deref())?;
            found.damage
        }
    };
    Ok(report(&damage))
}

/// `None` without arguments.
fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut directory, mut queue, mut salvage_to) = (None, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("salvage") => salvage_to = Some(PathBuf::from(parser.value()?)),
            Value(value) if directory.is_none() => directory = Some(PathBuf::from(value)),
            Value(value) if queue.is_none() => queue = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let Some(directory) = directory else {
        let nothing = salvage_to.is_none();
        return if nothing {
            Ok(None)
        } else {
            Err("--salvage needs the directory to read".into())
        };
    };
    Ok(Some(Arguments {
        directory,
        queue,
        salvage_to,
    }))
}

fn print(found: &Inspection, queue: Option<&str>) -> Result<(), String> {
    match queue {
        Some(name) => {
            let queue = found.queues.iter().find(|queue| queue.name == name);
            print_messages(queue.ok_or_else(|| format!("the journal has no queue {name:?}"))?);
        }
        None => print_queues(found),
    }
    Ok(())
}

fn print_queues(found: &Inspection) {
    let bytes: u64 = found.segments.iter().map(|segment| segment.bytes).sum();
    println!(
        "{} records in {} files of {bytes} bytes",
        found.records,
        found.segments.len()
    );
    for queue in &found.queues {
        let counts = queue.snapshot.counts;
        println!(
            "{}: {} visible, {} in flight, {} delayed",
            queue.name, counts.visible, counts.in_flight, counts.delayed
        );
        for (key, value) in &queue.tags {
            println!("  {key}={value}");
        }
    }
}

fn print_messages(queue: &InspectedQueue) {
    for message in &queue.snapshot.messages {
        let phase = match message.phase {
            MessagePhase::Delayed { until } => format!("delayed until {until}"),
            MessagePhase::InFlight { until } => format!("in flight until {until}"),
            _ => "visible".to_owned(),
        };
        let (id, receives) = (message.message_id, message.approximate_receive_count);
        println!("{id} {phase}, received {receives} times: {:?}", message.content.body());
    }
}

fn report(damage: &[JournalError]) -> ExitCode {
    for error in damage {
        eprintln!("damage: {error}");
    }
    if damage.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    }
}

fn show_a_small_journal() -> Result<(), Box<dyn Error>> {
    let directory = env::temp_dir().join(format!("requeue-inspect-{}", std::process::id()));
    let jobs = Queue::standard("jobs").journal(&directory).open()?;
    jobs.send("resize cat.png")?;
    jobs.send(SendMessage::new("resize dog.png").delay(std::time::Duration::from_secs(60)))?;
    let held: Vec<Message> = jobs.receive().blocking()?;
    assert!(
        matches!(inspect(&directory), Err(JournalError::Locked { .. })),
        "it is open"
    );
    jobs.close()?;

    let found = inspect(&directory)?;
    print_queues(&found);
    print_messages(&found.queues[0]);
    let counts = found.queues[0].snapshot.counts;
    assert_eq!((counts.visible, counts.in_flight, counts.delayed), (0, held.len(), 1));
    assert!(found.damage.is_empty());
    Ok(fs::remove_dir_all(directory)?)
}
