//! Closing a journal.

use {
    super::error::JournalError,
    crate::{queue::Queue, service::Service},
};

impl Service {
    /// Writes and syncs everything that is recorded, and lets the directory go, so that it can be opened again.
    ///
    /// Calls of the service and its queues that record something fail with [`StorageError::Closed`](crate::StorageError)
    /// from here on, and so do long polls and sends that wait for capacity. A journal that is not closed is closed when the last handle of its service, queues and messages is
    /// dropped, without an answer whether that worked. Of a service without a journal it does nothing.
    ///
    /// # Errors
    /// [`JournalError::Storage`] if the journal had stopped, or its last write or sync fails.
    ///
    /// # Examples
    /// ```
    /// use requeue::{QueueAttributes, Service};
    ///
    /// # let directory = std::env::temp_dir().join(format!("requeue-close-{}", std::process::id()));
    /// let service = Service::builder().journal(&directory).open()?;
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// service.close()?;
    /// assert_eq!(jobs.send("resize cat.png").unwrap_err().code(), "InternalFailure");
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> Result<(), JournalError> {
        Ok(self.close_journal().unwrap_or(Ok(()))?)
    }
}

impl Queue {
    /// Closes the journal of the queue, as [`Service::close`] does: that of all queues in the same directory.
    ///
    /// # Errors
    /// As [`Service::close`].
    ///
    /// # Examples
    /// ```
    /// use requeue::Queue;
    ///
    /// # let directory = std::env::temp_dir().join(format!("requeue-close-queue-{}", std::process::id()));
    /// let jobs = Queue::standard("jobs").journal(&directory).open()?;
    /// jobs.close()?;
    /// assert!(Queue::standard("jobs").journal(&directory).open().is_ok());
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> Result<(), JournalError> {
        Ok(self.close_journal().unwrap_or(Ok(()))?)
    }
}
