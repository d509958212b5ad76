//! [`Durability`], and which verb asks for which.

use {super::log::Level, crate::queue::Verb, std::time::Duration};

/// How safe an entry of a journal is when the call that made it returns.
///
/// # Examples
/// ```
/// use requeue::{Service, journal::Durability};
///
/// # let directory = std::env::temp_dir().join(format!("requeue-durability-{}", std::process::id()));
/// let service = Service::builder().journal(&directory).send_durability(Durability::Written).open()?;
/// # service.close()?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Durability {
    /// On disk: it survives a power cut. Costs a sync of the disk, which calls that come at the same time share.
    Synced,
    /// With the operating system, and on disk within this time: it survives the death of the process, and a power cut
    /// unless that comes first.
    Interval(Duration),
    /// With the operating system: it survives the death of the process, but perhaps not a power cut.
    Written,
}

impl Durability {
    const fn level(self) -> Level {
        match self {
            Self::Synced => Level::Synced,
            Self::Interval(time) => Level::Interval(time),
            Self::Written => Level::Written,
        }
    }
}

/// What each verb asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durabilities {
    pub(super) send: Durability,
    pub(super) receive: Durability,
    pub(super) visibility: Durability,
    pub(super) delete: Durability,
}

impl Durabilities {
    pub(super) const fn level(&self, verb: Verb) -> Level {
        let durability = match verb {
            Verb::Send => self.send,
            Verb::Receive => self.receive,
            Verb::ChangeVisibility => self.visibility,
            Verb::Delete => self.delete,
            Verb::Manage => Durability::Synced,
        };
        durability.level()
    }
}

impl Default for Durabilities {
    fn default() -> Self {
        Self {
            send: Durability::Synced,
            receive: Durability::Written,
            visibility: Durability::Written,
            delete: Durability::Synced,
        }
    }
}
