//! What a disk holds, and what a power cut may leave of it.

use {
    rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{
        collections::{BTreeMap, BTreeSet, HashSet},
        hash::{BuildHasher, RandomState},
        sync::Arc,
    },
};

/// What a disk writes whole or not at all, in bytes.
pub(crate) const SECTOR: usize = 512;

/// The files of a directory, by name.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<String, Arc<Vec<u8>>>,
}

/// How many images of each kind a crash may leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of each kind that is enumerated: so many are drawn where there are more.
    pub(crate) each: usize,
    /// Subsets of sectors drawn at random, each sector at any of its versions.
    pub(crate) drawn: usize,
    pub(crate) seed: u64,
}

/// A directory as programs see it, and what of it a power cut cannot take.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) names: BTreeMap<String, u64>,
    safe_names: BTreeMap<String, u64>,
    /// What is not synced, oldest first.
    renamings: Vec<Naming>,
    files: BTreeMap<u64, File>,
    /// Files and changes made so far.
    made: u64,
}

#[derive(Clone, Debug)]
enum Naming {
    Linked(String, u64),
    Renamed(String, String),
    Removed(String),
}

#[derive(Clone, Debug, Default)]
struct File {
    content: Arc<Vec<u8>>,
    safe: Arc<Vec<u8>>,
    /// What is not synced, oldest first.
    changes: Vec<Change>,
    /// Open files.
    users: usize,
}

/// A change of one place of a file.
#[derive(Clone, Debug)]
struct Change {
    /// Counts the changes of the disk.
    number: u64,
    what: What,
    /// A sync failed since. The system takes the sector for clean, and no later sync writes it.
    given_up: bool,
}

#[derive(Clone, Debug)]
enum What {
    Length(usize),
    /// Within one sector.
    Bytes(usize, Arc<[u8]>),
}

/// What a power cut keeps or drops by itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Length,
    Sector(usize),
}

impl What {
    fn place(&self) -> Place {
        match self {
            Self::Length(_) => Place::Length,
            Self::Bytes(offset, _) => Place::Sector(offset / SECTOR),
        }
    }

    /// The length is set at the end, because a file that ends early may have sectors behind its end.
    fn apply(&self, content: &mut Vec<u8>) {
        if let Self::Bytes(offset, bytes) = self {
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
    }
}

impl File {
    fn note(&mut self, number: &mut u64, what: What) {
        *number += 1;
        let number = *number;
        self.changes.push(Change {
            number,
            what,
            given_up: false,
        });
    }

    fn resize(&mut self, number: &mut u64, length: usize) {
        if length != self.content.len() {
            Arc::make_mut(&mut self.content).resize(length, 0);
            self.note(number, What::Length(length));
        }
    }

    fn write(&mut self, number: &mut u64, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.content.len() {
            self.resize(number, end);
        }
        Arc::make_mut(&mut self.content)[offset..end].copy_from_slice(bytes);
        let mut at = offset;
        while at < end {
            let next = end.min((at / SECTOR + 1) * SECTOR);
            self.note(number, What::Bytes(at, bytes[at - offset..next - offset].into()));
            at = next;
        }
    }

    /// Places changed since a sync failed, and no others.
    fn sync(&mut self) {
        let synced = self.changes.iter().filter(|it| !it.given_up);
        let synced: BTreeSet<_> = synced.map(|it| it.what.place()).collect();
        let given_up = self.changes.iter().any(|it| it.given_up);
        if !given_up {
            self.safe = self.content.clone();
            self.changes.clear();
            return;
        }
        let length = if synced.contains(&Place::Length) {
            self.content.len()
        } else {
            self.safe.len()
        };
        let safe = Arc::make_mut(&mut self.safe);
        safe.resize(length.max(self.content.len()), 0);
        for place in &synced {
            if let Place::Sector(sector) = place {
                let range = sector * SECTOR..self.content.len().min((sector + 1) * SECTOR);
                safe[range.clone()].copy_from_slice(&self.content[range]);
            }
        }
        safe.truncate(length);
        self.changes.retain(|it| !synced.contains(&it.what.place()));
    }

    /// The content with the changes that `kept` names.
    fn left(&self, kept: &HashSet<u64>) -> Arc<Vec<u8>> {
        let mut length = self.safe.len();
        let mut content = self.safe.clone();
        for change in self.changes.iter().filter(|it| kept.contains(&it.number)) {
            match change.what {
                What::Length(it) => length = it,
                What::Bytes(..) => change.what.apply(Arc::make_mut(&mut content)),
            }
        }
        if content.len() != length {
            Arc::make_mut(&mut content).resize(length, 0);
        }
        content
    }
}

impl From<&Image> for Disk {
    fn from(image: &Image) -> Self {
        let mut disk = Self::default();
        for (name, content) in &image.files {
            disk.made += 1;
            let file = File {
                content: content.clone(),
                safe: content.clone(),
                ..File::default()
            };
            disk.files.insert(disk.made, file);
            disk.names.insert(name.clone(), disk.made);
        }
        disk.safe_names = disk.names.clone();
        disk
    }
}

impl Disk {
    /// After the death of the process.
    pub(super) fn without_users(&self) -> Self {
        let mut disk = self.clone();
        disk.files.values_mut().for_each(|it| it.users = 0);
        disk
    }

    fn file(&mut self, file: u64) -> &mut File {
        self.files.get_mut(&file).expect("a file is kept while it has users")
    }

    pub(super) fn content(&self, file: u64) -> &[u8] {
        &self.files[&file].content
    }

    /// Bytes that files take which have a name or are open.
    pub(super) fn used(&self) -> u64 {
        let named: BTreeSet<_> = self.names.values().collect();
        let files = self.files.iter();
        let live = files.filter(|(id, file)| file.users > 0 || named.contains(id));
        live.map(|(_, file)| file.content.len() as u64).sum()
    }

    pub(super) fn link(&mut self, name: &str) -> u64 {
        self.made += 1;
        self.files.insert(self.made, File::default());
        self.names.insert(name.to_owned(), self.made);
        self.renamings.push(Naming::Linked(name.to_owned(), self.made));
        self.made
    }

    pub(super) fn use_file(&mut self, file: u64) {
        self.file(file).users += 1;
    }

    pub(super) fn leave_file(&mut self, file: u64) {
        if let Some(file) = self.files.get_mut(&file) {
            file.users = file.users.saturating_sub(1);
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let renaming = Naming::Renamed(from.to_owned(), to.to_owned());
        renaming.apply(&mut self.names);
        self.renamings.push(renaming);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let removal = Naming::Removed(name.to_owned());
        removal.apply(&mut self.names);
        self.renamings.push(removal);
    }

    pub(super) fn sync_names(&mut self) {
        self.renamings.clear();
        self.safe_names = self.names.clone();
        let named: BTreeSet<_> = self.names.values().copied().collect();
        self.files.retain(|id, file| file.users > 0 || named.contains(id));
    }

    pub(super) fn allocate(&mut self, file: u64, length: usize) {
        let mut made = self.made;
        let file = self.file(file);
        let length = length.max(file.content.len());
        file.resize(&mut made, length);
        self.made = made;
    }

    pub(super) fn write(&mut self, file: u64, bytes: &[u8], offset: usize) {
        let mut made = self.made;
        self.file(file).write(&mut made, bytes, offset);
        self.made = made;
    }

    pub(super) fn sync(&mut self, file: u64) {
        self.file(file).sync();
    }

    pub(super) fn give_up(&mut self, file: u64) {
        self.file(file).changes.iter_mut().for_each(|it| it.given_up = true);
    }

    /// The directory as programs see it.
    pub(super) fn seen(&self) -> Image {
        let file = |(name, id): (&String, &u64)| (name.clone(), self.files[id].content.clone());
        Image {
            files: self.names.iter().map(file).collect(),
        }
    }

    /// The directory with so many of the unsynced changes of names, and the changes that `kept` names.
    fn left(&self, renamings: usize, kept: &HashSet<u64>) -> Image {
        let mut names = self.safe_names.clone();
        self.renamings[..renamings].iter().for_each(|it| it.apply(&mut names));
        let file = |(name, id): (String, u64)| (name, self.files[&id].left(kept));
        Image {
            files: names.into_iter().map(file).collect(),
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Linked(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Renamed(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Removed(name) => {
                names.remove(name);
            }
        }
    }
}

// What a power cut may leave.

/// The unsynced changes of a disk: number and place, oldest first.
type Changes = Vec<(u64, (u64, Place))>;

impl Disk {
    fn changes(&self) -> Changes {
        let mut changes: Changes = Vec::new();
        for (id, file) in &self.files {
            let of_file = file.changes.iter();
            changes.extend(of_file.map(|it| (it.number, (*id, it.what.place()))));
        }
        changes.sort_unstable();
        changes
    }

    /// Calls `each` once for each image that differs from the others.
    pub(super) fn images(&self, bounds: Bounds, mut each: impl FnMut(Image)) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(bounds.seed);
        let changes = self.changes();
        let mut seen = HashSet::new();
        let hasher = RandomState::new();
        let mut show = |renamings, kept: &HashSet<u64>| {
            let image = self.left(renamings, kept);
            if seen.insert(hasher.hash_one(&image)) {
                each(image);
            }
        };
        let all: HashSet<_> = changes.iter().map(|(number, _)| *number).collect();
        for renamings in 0..=self.renamings.len() {
            show(renamings, &all);
            show(renamings, &HashSet::new());
        }
        for kept in subsets(&changes, bounds, &mut rng) {
            show(self.renamings.len(), &kept);
            if !self.renamings.is_empty() {
                show(rng.random_range(0..self.renamings.len()), &kept);
            }
        }
    }
}

/// The changes kept: each prefix, each place dropped alone, each place kept alone, and random versions of each place.
fn subsets(changes: &Changes, bounds: Bounds, rng: &mut Xoshiro256PlusPlus) -> Vec<HashSet<u64>> {
    let mut places: BTreeMap<(u64, Place), Vec<u64>> = BTreeMap::new();
    for (number, place) in changes {
        places.entry(*place).or_default().push(*number);
    }
    let numbers = |changes: &[(u64, _)]| changes.iter().map(|(number, _)| *number).collect::<HashSet<_>>();
    let mut subsets = Vec::new();
    for length in some(changes.len(), bounds.each, rng) {
        subsets.push(numbers(&changes[..length]));
    }
    let places: Vec<_> = places.into_values().collect();
    for place in some(places.len(), bounds.each, rng) {
        let mut without = numbers(changes);
        places[place].iter().for_each(|it| {
            without.remove(it);
        });
        subsets.push(without);
        subsets.push(places[place].iter().copied().collect());
    }
    let drawn = if places.len() > 1 { bounds.drawn } else { 0 };
    for _ in 0..drawn {
        let versions = places.iter().flat_map(|place| {
            let kept = rng.random_range(0..=place.len());
            place[..kept].to_vec()
        });
        subsets.push(versions.collect());
    }
    subsets
}

/// All numbers below `count`, or so many of them: always the last.
fn some(count: usize, most: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let mut drawn: BTreeSet<_> = [count - 1].into();
    while drawn.len() < most {
        drawn.insert(rng.random_range(0..count));
    }
    drawn.into_iter().collect()
}
