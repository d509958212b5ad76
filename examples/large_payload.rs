//! A file of 1 GB goes through a queue: as a stream into a payload store, a directory here, and as a stream to the worker.
//! `cargo run --release --example large_payload --features payloads [-- --megabytes N]` takes some seconds and twice the
//! space in the temporary directory. It prints the peak memory of the process, on Linux, which has to stay under 64 MB.

use {
    futures_util::StreamExt,
    indicatif::{ProgressBar, ProgressStyle},
    requeue::{
        Queue, SendMessage,
        backend::MessageQueueError,
        payloads::{ObjectPayloadStore, PayloadQueue, chunks_of},
        worker::{Job, Runner},
    },
    std::{
        env,
        error::Error,
        fs::{self, File},
        io::{self, BufWriter, Write},
        path::{Path, PathBuf},
        process,
    },
};

/// In MB. Whoever holds one chunk at a time needs far less.
const MOST_MEMORY: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let megabytes = megabytes()?;
    let scratch = Scratch::new()?;
    let report = scratch.0.join("report.csv");
    let lines = write_report(&report, megabytes * 1_000_000)?;

    let queue = Queue::standard("reports").build()?;
    let store = ObjectPayloadStore::in_directory(scratch.0.join("payloads"))?;
    // Nothing is loaded into memory: the handler opens the body itself.
    let reports = PayloadQueue::builder(&queue, store)
        .prefix("reports/")
        .load_at_most_bytes(0)
        .build()?;

    let bar = progress_bar("send", fs::metadata(&report)?.len());
    let body = chunks_of(bar.wrap_read(File::open(&report)?));
    pollster::block_on(reports.send_stream(SendMessage::new(""), body))?;
    bar.finish();
    println!(
        "the message in the queue has {} bytes",
        queue.snapshot().messages[0].content.body().len()
    );

    let opener = reports.clone();
    let runner = Runner::builder(&reports)
        .until_none_left()
        .each_async(move |job: Job| {
            let reports = opener.clone();
            async move {
                match count_lines(&reports, &job).await? {
                    counted if counted == lines => Ok(()),
                    counted => Err(format!("{counted} lines came of {lines}")),
                }
            }
        })?;
    let counts = pollster::block_on(runner.run())?;
    let left = fs::read_dir(scratch.0.join("payloads/reports"))?.count();
    println!("{lines} lines, {} job done, {left} payloads left", counts.succeeded);
    if counts.succeeded != 1 || left != 0 {
        return Err("the report was not worked on".into());
    }
    check_memory()
}

async fn count_lines(reports: &PayloadQueue<Queue>, job: &Job) -> Result<usize, String> {
    let text = |error: MessageQueueError| error.to_string();
    let mut body = reports.open(job).await.map_err(text)?;
    let bar = progress_bar("work", body.size_bytes().unwrap_or_default());
    let mut lines = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(text)?;
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        bar.inc(chunk.len() as u64);
    }
    bar.finish();
    Ok(lines)
}

/// Writes lines until there are so many bytes; returns how many lines.
fn write_report(path: &Path, bytes: u64) -> io::Result<usize> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut lines, mut written) = (0, 0);
    while written < bytes {
        let line = format!("{lines},customer-{},{}.90,paid\n", lines % 1_009, lines % 97);
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
        lines += 1;
    }
    file.flush()?;
    Ok(lines)
}

fn progress_bar(verb: &'static str, bytes: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_message(verb)
}

fn check_memory() -> Result<(), Box<dyn Error>> {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return Ok(());
    };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak
        .and_then(|peak| peak.split_whitespace().next())
        .unwrap_or("0")
        .parse::<u64>()?;
    let megabytes = kilobytes * 1_024 / 1_000_000;
    println!("peak memory {megabytes} MB");
    if megabytes >= MOST_MEMORY {
        return Err(format!("the peak memory is {megabytes} MB, it has to stay under {MOST_MEMORY} MB").into());
    }
    Ok(())
}

fn megabytes() -> Result<u64, lexopt::Error> {
    let mut megabytes = 1_000;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("megabytes") => megabytes = lexopt::ValueExt::parse(&arguments.value()?)?,
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=2_000).contains(&megabytes) {
        return Err(format!("--megabytes is {megabytes}, it has to be 1 to 2000").into());
    }
    Ok(megabytes)
}

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("requeue-large-payload-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
