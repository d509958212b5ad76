//! The least that a durable send costs: one write at the end of a file that has its space, and one `fdatasync`.

use {
    super::Store,
    fs4::FileExt,
    parking_lot::Mutex,
    std::{
        fs::File,
        io::{Seek, SeekFrom, Write},
        path::Path,
    },
};

/// Longer than what a case appends; another round begins at its start.
const LENGTH: u64 = 8 << 20;

pub(crate) struct Bare {
    file: Mutex<(File, u64)>,
    bytes: Vec<u8>,
}

impl Bare {
    /// Appends so many bytes at a time.
    pub(crate) fn open(directory: &Path, bytes: usize) -> Self {
        let file = File::create_new(directory.join("bare")).expect("a new file");
        FileExt::allocate(&file, LENGTH).expect("the disk has room");
        file.sync_all().expect("the file can be synced");
        Self {
            file: Mutex::new((file, 0)),
            bytes: vec![b'x'; bytes],
        }
    }

    /// The same in a file that was written once over its whole length before.
    pub(crate) fn open_filled(directory: &Path, bytes: usize) -> Self {
        let mut bare = Self::open(directory, bytes);
        let (file, _) = bare.file.get_mut();
        file.write_all(&vec![0; LENGTH as usize]).expect("the disk has room");
        file.sync_all().expect("the file can be synced");
        bare
    }
}

impl Store for Bare {
    fn send(&self, _body: &str) {
        let (file, end) = &mut *self.file.lock();
        if *end + self.bytes.len() as u64 > LENGTH {
            *end = 0;
        }
        file.seek(SeekFrom::Start(*end)).expect("the file has this length");
        file.write_all(&self.bytes).expect("the file has its space");
        file.sync_data().expect("the file can be synced");
        *end += self.bytes.len() as u64;
    }

    fn take(&self) {
        unreachable!("a bare file only appends");
    }
}
