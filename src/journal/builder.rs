//! [`JournalBuilder`], what a journal is to be.

use {
    super::{
        durability::{Durabilities, Durability},
        error::JournalError,
        fs::{FileSystem, RealFileSystem},
        log::LogOptions,
        open::open,
    },
    crate::{
        queue::{Queue, QueueBuilder},
        service::{Service, ServiceBuilder},
    },
    std::{
        fmt,
        path::{Path, PathBuf},
        sync::Arc,
    },
};

/// How far a journal has been opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OpenProgress {
    /// Bytes read so far.
    pub bytes_read: u64,
    /// Bytes to read in all.
    pub bytes_total: u64,
}

type OnProgress = Box<dyn FnMut(u64, u64) + Send>;

/// What an opening needs beside a service and a directory.
pub(super) struct Options {
    pub(super) log: LogOptions,
    pub(super) durabilities: Durabilities,
    pub(super) on_progress: OnProgress,
    /// The queue for which the journal is opened, if it is for one.
    pub(super) queue: Option<String>,
}

/// A service or a queue with a journal; [`open`](Self::open) makes it.
///
/// From [`ServiceBuilder::journal`] or [`QueueBuilder::journal`], whose settings it keeps.
///
/// # Examples
/// ```
/// use requeue::{Queue, journal::Durability};
/// use std::time::Duration;
///
/// # let directory = std::env::temp_dir().join(format!("requeue-builder-{}", std::process::id()));
/// let jobs = Queue::standard("jobs").journal(&directory).durability(Durability::Written).open()?;
/// jobs.send("resize cat.png")?;
/// jobs.close()?;
///
/// let jobs = Queue::standard("jobs").journal(&directory).open()?;
/// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
/// # jobs.close()?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a journal is opened by `open`"]
pub struct JournalBuilder<B> {
    builder: B,
    directory: PathBuf,
    options: Options,
}

impl ServiceBuilder {
    /// Keeps the queues of the service in a directory, which is created if it is missing; see
    /// [`journal`](crate::journal).
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// # let directory = std::env::temp_dir().join(format!("requeue-service-{}", std::process::id()));
    /// let service = Service::builder().journal(&directory).open()?;
    /// service.create_queue("jobs", QueueAttributes::new())?.send("resize cat.png")?;
    /// service.close()?;
    ///
    /// let service = Service::builder().journal(&directory).open()?;
    /// assert_eq!(service.queue("jobs")?.counts().visible, 1);
    /// # service.close()?;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn journal(self, directory: impl AsRef<Path>) -> JournalBuilder<Self> {
        JournalBuilder::new(self, directory.as_ref())
    }
}

impl QueueBuilder {
    /// Keeps the queue in a directory, which is created if it is missing; see [`journal`](crate::journal).
    ///
    /// The directory holds a service with this one queue. Attributes that are given here and differ from those stored are
    /// set when it is opened. A dead-letter queue has to be in the same journal: use a [`Service`].
    ///
    /// # Examples
    /// ```
    /// use requeue::Queue;
    ///
    /// # let directory = std::env::temp_dir().join(format!("requeue-queue-{}", std::process::id()));
    /// let jobs = Queue::standard("jobs").journal(&directory).open()?;
    /// jobs.send("resize cat.png")?; // on disk when it returns
    /// # jobs.close()?;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn journal(self, directory: impl AsRef<Path>) -> JournalBuilder<Self> {
        JournalBuilder::new(self, directory.as_ref())
    }
}

impl<B> JournalBuilder<B> {
    fn new(builder: B, directory: &Path) -> Self {
        Self {
            builder,
            directory: directory.to_owned(),
            options: Options {
                log: LogOptions::default(),
                durabilities: Durabilities::default(),
                on_progress: Box::new(|_, _| {}),
                queue: None,
            },
        }
    }

    /// The size of a file of the journal in bytes, kept within 4 KiB to 1 GiB and by default 8 MiB. A call that records
    /// more gets a file of its own size. It may differ from that of the files that are there.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.options.log.segment_bytes = bytes.clamp(4 << 10, 1 << 30);
        self
    }

    /// How safe sends, receives, changes of visibility and deletes are when they return.
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.options.durabilities = Durabilities {
            send: durability,
            receive: durability,
            visibility: durability,
            delete: durability,
        };
        self
    }

    /// How safe a send is when it returns, by default [`Synced`](Durability::Synced).
    pub const fn send_durability(mut self, durability: Durability) -> Self {
        self.options.durabilities.send = durability;
        self
    }

    /// How safe a receive is before its messages are delivered, by default [`Written`](Durability::Written).
    pub const fn receive_durability(mut self, durability: Durability) -> Self {
        self.options.durabilities.receive = durability;
        self
    }

    /// How safe a change of visibility, a release or a postponement is when it returns, by default
    /// [`Written`](Durability::Written).
    pub const fn visibility_durability(mut self, durability: Durability) -> Self {
        self.options.durabilities.visibility = durability;
        self
    }

    /// How safe a delete is when it returns, and the end of a message by [`dead_letter`](crate::Message::dead_letter); by
    /// default [`Synced`](Durability::Synced).
    pub const fn delete_durability(mut self, durability: Durability) -> Self {
        self.options.durabilities.delete = durability;
        self
    }

    /// Is called while the journal is read, about once for each of its files.
    pub fn on_progress(mut self, mut on_progress: impl FnMut(OpenProgress) + Send + 'static) -> Self {
        self.options.on_progress = Box::new(move |bytes_read, bytes_total| {
            on_progress(OpenProgress {
                bytes_read,
                bytes_total,
            });
        });
        self
    }
}

impl JournalBuilder<ServiceBuilder> {
    /// Opens the journal and the service in it.
    ///
    /// # Errors
    /// See [`JournalError`], also for what becomes of the directory.
    pub fn open(self) -> Result<Service, JournalError> {
        let files = RealFileSystem::open(&self.directory)?;
        self.open_in(Arc::new(files))
    }

    /// Opens the journal in the files given.
    pub(super) fn open_in(self, files: Arc<dyn FileSystem>) -> Result<Service, JournalError> {
        open(self.builder, files, &self.directory, self.options)
    }
}

impl JournalBuilder<QueueBuilder> {
    /// Opens the journal and the queue in it, or makes the queue.
    ///
    /// # Errors
    /// See [`JournalError`], also for what becomes of the directory.
    pub fn open(self) -> Result<Queue, JournalError> {
        let (name, attributes, environment) = self.builder.into_parts()?;
        let service = JournalBuilder {
            builder: ServiceBuilder::of_queue(environment),
            directory: self.directory,
            options: Options {
                queue: Some(name.clone()),
                ..self.options
            },
        };
        let service = service.open()?;
        match service.queue(&name) {
            Ok(queue) => {
                if attributes.first_difference(&queue.settings()).is_some() {
                    queue.set_attributes(attributes)?;
                }
                Ok(queue)
            }
            Err(_) => Ok(service.create_queue(&name, attributes)?),
        }
    }
}

impl<B> fmt::Debug for JournalBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalBuilder")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
