//! Any bytes as a segment of a journal: a service or an error, never a panic, and the inspector agrees.
//!
//! The first byte of an input says what follows: an even one, the bytes of the file behind a valid header; an odd one,
//! the bodies of records, each behind its length in two bytes, to which valid checksums are added. Without these hardly
//! any input would come to the decoder of records.
#![no_main]

use {
    crc32fast::Hasher,
    libfuzzer_sys::fuzz_target,
    requeue::{ListQueues, ManualClock, Service, journal::inspect},
    std::{fs, path::PathBuf, sync::LazyLock},
};

const STORE: u128 = 7;
const NUMBER: u32 = 1;
const HEADER: usize = 64;
const HEAD: usize = 28;

static DIRECTORY: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("requeue-fuzz-{}", std::process::id())));

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let mut file = vec![0; HEADER];
    if kind % 2 == 0 {
        file.extend_from_slice(rest);
    } else {
        add_records(&mut file, rest);
    }
    file.resize(file.len() + 3 * HEAD, 0);
    fill_header(&mut file);

    let _ = fs::remove_dir_all(&*DIRECTORY);
    fs::create_dir_all(&*DIRECTORY).expect("a directory");
    fs::write(DIRECTORY.join("segment-0000000001.log"), &file).expect("a file");
    let inspected = inspect(&*DIRECTORY);
    let opened = Service::builder()
        .clock(ManualClock::default())
        .journal(&*DIRECTORY)
        .open();
    if let Ok(service) = &opened {
        let names = service.list_queues(&ListQueues::new()).expect("a list of queues");
        assert!(inspected.is_ok(), "{names:?} were opened, and {inspected:?}");
    }
});

fn add_records(file: &mut Vec<u8>, mut rest: &[u8]) {
    let mut hasher = Hasher::new();
    hasher.update(&STORE.to_le_bytes());
    hasher.update(&NUMBER.to_le_bytes());
    let seed = hasher.finalize();
    let sum = |bytes: &[u8]| {
        let mut hasher = Hasher::new_with_initial(seed);
        hasher.update(bytes);
        hasher.finalize()
    };
    let mut number = 0u64;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (body, after) = after.split_at(length);
        rest = after;
        if body.is_empty() {
            continue;
        }
        number += 1;
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&(body.len() as u32).to_le_bytes());
        head.extend_from_slice(&number.to_le_bytes());
        head.extend_from_slice(&(number - 1).to_le_bytes());
        head.extend_from_slice(&sum(body).to_le_bytes());
        head.extend_from_slice(&sum(&head).to_le_bytes());
        file.extend_from_slice(&head);
        file.extend_from_slice(body);
    }
}

fn fill_header(file: &mut [u8]) {
    let length = file.len() as u64;
    file[..8].copy_from_slice(b"requeue\n");
    file[8..12].copy_from_slice(&1u32.to_le_bytes());
    file[12..28].copy_from_slice(&STORE.to_le_bytes());
    file[28..32].copy_from_slice(&NUMBER.to_le_bytes());
    file[32..40].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&file[..HEADER - 4]);
    file[HEADER - 4..HEADER].copy_from_slice(&sum.to_le_bytes());
}
