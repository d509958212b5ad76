//! The queues of a run, and what a journal has kept of an earlier one.

use {
    crate::{
        files::some,
        measure::Measured,
        options::Options,
        tally::{Tally, hex},
    },
    requeue::{Queue, QueueAttributes, RedrivePolicy, Service, ServiceBuilder, SetQueueAttributesError},
    sha2::{Digest, Sha256},
    std::{error::Error, fs, time::Duration},
};

/// Of a message that only waits to be looked at.
const LONGEST: Duration = Duration::from_secs(1_209_600);

/// The tag by which a journal knows the directory that its jobs are about.
const ROOT: &str = "root";

pub(crate) struct Queues {
    pub(crate) service: Service,
    pub(crate) jobs: Queue,
    pub(crate) failed: Queue,
    /// What the workers have counted, with a journal: a job is deleted once its result is here.
    pub(crate) results: Option<Queue>,
}

impl Queues {
    pub(crate) fn open(builder: ServiceBuilder, options: &Options) -> Result<Self, Box<dyn Error>> {
        let service = match &options.journal {
            Some(directory) => builder.journal(directory).open()?,
            None => builder.build(),
        };
        let kept = || QueueAttributes::new().message_retention_period(LONGEST);
        let failed = queue(&service, "jobs-failed", kept())?;
        let attributes = kept()
            .visibility_timeout(options.visibility)
            .redrive_policy(RedrivePolicy::new(failed.arn(), options.max_receive_count));
        let jobs = queue(&service, "jobs", attributes)?;
        let results = options.journal.is_some().then(|| queue(&service, "results", kept()));
        let results = results.transpose()?;
        if results.is_some() {
            check_root(&service, options)?;
        }
        Ok(Self {
            service,
            jobs,
            failed,
            results,
        })
    }

    /// Takes note of what is there from an earlier run, and answers with what is to be said about it.
    pub(crate) fn note_found(&self, tally: &mut Tally) -> Option<String> {
        let results = self.results.as_ref()?.snapshot().messages;
        tally.note_found(
            self.jobs.snapshot().messages,
            self.failed.snapshot().messages,
            results.iter().filter_map(|result| read(result.content.body())),
        );
        let (open, done, dead) = (tally.open(), tally.done.len(), tally.dead.len());
        (open + done + dead > 0).then(|| {
            let (dead, open) = (some(dead, "dead letter"), some(open, "job"));
            format!("going on with an earlier run: {done} done, {dead}, {open} sent and not done")
        })
    }
}

/// Finds a queue and sets its attributes, or makes it.
fn queue(service: &Service, name: &str, attributes: QueueAttributes) -> Result<Queue, Box<dyn Error>> {
    let Ok(queue) = service.queue(name) else {
        return Ok(service.create_queue(name, attributes)?);
    };
    let set: Result<(), SetQueueAttributesError> = service.set_attributes(name, attributes);
    set?;
    Ok(queue)
}

/// A journal is about one directory.
fn check_root(service: &Service, options: &Options) -> Result<(), Box<dyn Error>> {
    let root = fs::canonicalize(&options.root)?;
    let root = hex(&Sha256::digest(root.as_os_str().as_encoded_bytes()));
    match service.list_queue_tags("jobs")?.get(ROOT) {
        Some(other) if *other != root => Err("the journal is of another directory".into()),
        Some(_) => Ok(()),
        None => Ok(service.tag_queue("jobs", [(ROOT, root)])?),
    }
}

/// A result as the body of a message.
pub(crate) fn write(path: &str, measured: &Measured) -> String {
    let Measured {
        bytes,
        lines,
        words,
        sha256,
    } = measured;
    format!("{bytes} {lines} {words} {} {path}", hex(sha256))
}

fn read(body: &str) -> Option<(String, Measured)> {
    let mut parts = body.splitn(5, ' ');
    let mut number = || parts.next()?.parse().ok();
    let (bytes, lines, words) = (number()?, number()?, number()?);
    let digits = parts.next()?;
    let mut sha256 = [0; 32];
    for (place, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    let measured = Measured {
        bytes,
        lines,
        words,
        sha256,
    };
    Some((parts.next()?.to_owned(), measured))
}
