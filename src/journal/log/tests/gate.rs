//! A file system whose writes and syncs a test holds up.

use {
    crate::{
        journal::{
            fs::{FileSystem, LogFile},
            sim_fs::SimFs,
        },
        sync::{Condvar, Mutex},
    },
    std::{io, sync::Arc},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Gated {
    pub(super) sim: SimFs,
    pub(super) writes: Arc<Gate>,
    pub(super) syncs: Arc<Gate>,
    /// The longest read.
    pub(super) longest_read: Arc<Mutex<usize>>,
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Whether calls are held up, and how many came to the gate.
    state: Mutex<(bool, u64)>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn close(&self) {
        self.state.lock().0 = true;
    }

    pub(super) fn open(&self) {
        self.state.lock().0 = false;
        self.changed.notify_all();
    }

    /// Calls that came so far.
    pub(super) fn arrived(&self) -> u64 {
        self.state.lock().1
    }

    /// Blocks until so many calls came.
    pub(super) fn wait_for_calls(&self, calls: u64) {
        let mut state = self.state.lock();
        while state.1 < calls {
            self.changed.wait(&mut state);
        }
    }

    fn pass(&self) {
        let mut state = self.state.lock();
        state.1 += 1;
        self.changed.notify_all();
        while state.0 {
            self.changed.wait(&mut state);
        }
    }
}

impl FileSystem for Gated {
    fn list(&self) -> io::Result<Vec<String>> {
        self.sim.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.wrap(self.sim.create(name)?)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.wrap(self.sim.open(name)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.sim.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.sim.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.sim.sync_directory()
    }
}

impl Gated {
    fn wrap(&self, file: Box<dyn LogFile>) -> io::Result<Box<dyn LogFile>> {
        let gates = self.clone();
        Ok(Box::new(GatedFile { file, gates }))
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn LogFile>,
    gates: Gated,
}

impl LogFile for GatedFile {
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut longest = self.gates.longest_read.lock();
        *longest = buffer.len().max(*longest);
        drop(longest);
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.gates.writes.pass();
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.gates.syncs.pass();
        self.file.sync()
    }
}
