//! Damaged directories, and torn ends.

use {
    super::*,
    crate::journal::{fs::FileSystem, log::read, sim_fs::Image},
    std::path::Path,
};

fn closed_log(count: usize) -> SimFs {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, count, 100, Level::Synced);
    log.close().unwrap();
    fs
}

fn first() -> String {
    name(1)
}

fn name(number: u32) -> String {
    format!("segment-{number:010}.log")
}

/// The directory with one file changed.
fn changed(image: &Image, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> SimFs {
    let mut image = image.clone();
    let mut bytes = image.files[file].to_vec();
    change(&mut bytes);
    image.files.insert(file.to_owned(), Arc::new(bytes));
    SimFs::from_image(&image)
}

fn without(image: &Image, file: &str) -> SimFs {
    let mut image = image.clone();
    image.files.remove(file).unwrap();
    SimFs::from_image(&image)
}

/// The error of opening a directory, which stays as it was.
fn refused(fs: &SimFs) -> JournalError {
    let before = fs.seen();
    let opened = Log::open(
        Arc::new(fs.clone()),
        inline(),
        &mut |_, _| Ok(()),
        &mut || Ok(()),
        &mut |_, _| {},
    );
    let error = opened.unwrap_err();
    assert!(fs.seen() == before, "changed by {error}");
    error
}

/// File, offset and number of records.
fn damage(fs: &SimFs) -> (String, u64, u64) {
    match refused(fs) {
        JournalError::Damaged { file, offset, records } => {
            (file.to_str().unwrap().to_owned(), offset, records.unwrap_or(0))
        }
        error => panic!("{error}"),
    }
}

/// Where frames of 100 bytes begin in the first segment, each synced by itself: behind the header, the first mark, and the
/// mark behind each frame.
fn frame_at(number: u64) -> usize {
    64 + 28 + (number as usize - 1) * (128 + 28)
}

#[test]
fn a_flipped_bit_is_harmless_or_named_wherever_it_is() {
    let image = closed_log(20).seen();
    let (expected, mut harmless, mut named) = (bodies(20, 100), 0, 0);
    for (file, bytes) in &image.files {
        for bit in 0..bytes.len() * 8 {
            let fs = changed(&image, file, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            match open_from(&fs, inline(), 1) {
                Ok((_, frames)) => {
                    assert!(frames == expected, "bit {bit} of {file}: {} frames", frames.len());
                    harmless += 1;
                }
                Err(JournalError::Damaged { .. }) => named += 1,
                Err(error) => panic!("bit {bit} of {file}: {error}"),
            }
        }
    }
    assert!(harmless > 1_000 && named > 20_000, "{harmless} harmless, {named} named");
}

#[test]
fn a_shorter_file_is_damage_wherever_it_ends() {
    let image = closed_log(20).seen();
    for (file, bytes) in &image.files {
        for length in 0..bytes.len() {
            let (named, offset, _) = damage(&changed(&image, file, |bytes| bytes.truncate(length)));
            assert_eq!(&named, file);
            assert!(offset <= length as u64, "{offset} of {length}");
        }
    }
}

#[test]
fn damage_is_named_with_its_file_its_place_and_the_number_of_records() {
    let image = closed_log(10).seen();
    let at = frame_at(4);
    let fs = changed(&image, &first(), |bytes| bytes[at + 50] ^= 1);
    assert_eq!(damage(&fs), (first(), at as u64, 1));
    let fs = changed(&image, &first(), |bytes| bytes[at..frame_at(7)].fill(0));
    assert_eq!(damage(&fs), (first(), at as u64, 3));
    let last = frame_at(10);
    let fs = changed(&image, &first(), |bytes| bytes[last] ^= 1);
    assert_eq!(damage(&fs), (first(), last as u64, 1));
    assert_eq!(
        refused(&fs).to_string(),
        format!("segment-0000000001.log is damaged at byte {last}: 1 record is lost; salvage copies what can be read")
    );
}

#[test]
fn a_torn_end_is_cut_by_zeros_and_the_log_goes_on() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 3, 100, Level::Synced);
    fill(&log, 3, 100, Level::Written);
    let image = fs.moment().killed().seen();
    // The fifth frame is behind the mark of the third one.
    let torn = frame_at(4) + 128;
    let fs = changed(&image, &first(), |bytes| bytes[torn + 30..torn + 60].fill(0));
    let (log, frames) = open(&fs);
    assert_eq!(frames, bodies(4, 100));
    let bytes = fs.seen().files[&first()].clone();
    assert_eq!(bytes.len() as u64, SEGMENT);
    let used = bytes.iter().rposition(|it| *it != 0).unwrap();
    assert!(used < torn + 28, "a mark at most stands there: {used}");
    fill(&log, 20, 100, Level::Synced);
    drop(log);
    assert_eq!(open(&fs).1, bodies(24, 100));
}

#[test]
fn segments_behind_a_torn_end_are_removed() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 1, 100, Level::Synced);
    for _ in 0..40 {
        append(&log, 100);
    }
    // The writes are there, and no sync came after them.
    log.shared.write(41).unwrap();
    let image = fs.moment().killed().seen();
    assert!(image.files.len() >= 3);
    let torn = frame_at(2);
    let fs = changed(&image, &first(), |bytes| bytes[torn] ^= 1);
    let (_log, frames) = open(&fs);
    assert_eq!(frames, bodies(1, 100));
    assert_eq!(fs.list().unwrap(), [first()]);
}

#[test]
fn a_segment_that_is_missing_is_damage() {
    let fs = closed_log(60);
    let image = fs.seen();
    assert!(image.files.len() >= 6);
    for number in 2..=4 {
        let (file, offset, records) = damage(&without(&image, &name(number)));
        assert_eq!((file, offset), (name(number), 0));
        assert!((10..=13).contains(&records), "{records}");
    }
    let (file, ..) = damage(&without(&image, &first()));
    assert_eq!(file, first());
    // The newest segment with frames, and the one after it.
    let (log, _) = open(&fs);
    let newest = log.newest() as u32;
    drop(log);
    let mut image = image;
    image.files.retain(|file, _| *file < name(newest));
    let (file, ..) = damage(&SimFs::from_image(&image));
    assert_eq!(file, name(newest));
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let fs = changed(&closed_log(3).seen(), &first(), |bytes| {
        bytes[8] = 2;
        let sum = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    });
    let error = refused(&fs);
    assert_eq!(
        error.to_string(),
        "segment-0000000001.log has version 2 of the format, and this release reads versions up to 1"
    );
}

#[test]
fn a_segment_of_another_directory_or_under_another_name_is_refused() {
    let image = closed_log(20).seen();
    let other = SimFs::default();
    let options = LogOptions {
        store: Some(8),
        ..inline()
    };
    fill(&open_from(&other, options, 1).unwrap().0, 20, 100, Level::Synced);
    for (from, number) in [(other.seen(), 2), (image.clone(), 1)] {
        let mut mixed = image.clone();
        let bytes = from.files[&name(number)].clone();
        mixed.files.insert(name(2), bytes);
        let error = refused(&SimFs::from_image(&mixed));
        assert!(
            matches!(&error, JournalError::ForeignSegment { file } if file == Path::new(&name(2))),
            "{error}"
        );
    }
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    for foreign in [
        "report.txt",
        "segment-1.log",
        "segment-0000000000.log",
        "segment-0000000001.log.bak",
    ] {
        let fs = SimFs::default();
        drop(fs.create(foreign).unwrap());
        let error = refused(&fs);
        assert!(
            matches!(&error, JournalError::NotAJournal { file } if file == Path::new(foreign)),
            "{error}"
        );
    }
    let fs = SimFs::default();
    for ignored in ["lost+found", ".DS_Store", "LOCK", "segment-0000000001.tmp"] {
        drop(fs.create(ignored).unwrap());
    }
    assert!(open(&fs).1.is_empty());
    assert!(!fs.list().unwrap().contains(&"segment-0000000001.tmp".to_owned()));
}

#[test]
fn a_copy_of_a_segment_inside_a_message_is_not_taken_for_frames() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 5, 100, Level::Synced);
    let copy = fs.seen().files[&first()][64..900].to_vec();
    let position = log.append(|out| out.extend_from_slice(&copy));
    log.wait(position, Level::Written).unwrap();
    // Its head is gone, so that its body is searched for frames.
    let image = fs.moment().killed().seen();
    let head = image.files[&first()]
        .windows(copy.len())
        .position(|it| it == copy)
        .unwrap()
        - 28;
    let fs = changed(&image, &first(), |bytes| bytes[head] ^= 1);
    assert_eq!(open(&fs).1, bodies(5, 100));
}

#[test]
fn what_is_readable_of_a_damaged_log_can_be_read() {
    let image = closed_log(60).seen();
    let at = frame_at(4);
    let fs = changed(&without(&image, &name(3)).seen(), &first(), |bytes| {
        bytes[at..at + 300].fill(7);
    });
    let before = fs.seen();
    let (mut frames, mut damage) = (Vec::new(), Vec::new());
    let mut on_frame = |number, body: &[u8]| {
        frames.push((number, body.to_vec()));
        Ok(())
    };
    let mut on_damage = |error| match error {
        JournalError::Damaged { file, records, .. } => {
            damage.push((file.to_str().unwrap().to_owned(), records.unwrap_or(0)));
            Ok(())
        }
        error => Err(error),
    };
    let contents = read(&fs, &mut on_frame, &mut on_damage, &mut |_, _| {}).unwrap();
    assert!(fs.seen() == before);
    assert!(!contents.is_torn);
    assert_eq!(contents.segments.len(), image.files.len() - 1);
    assert_eq!(damage[0], (first(), 2));
    assert_eq!((damage.len(), &damage[1].0), (2, &name(3)));
    let lost = damage.iter().map(|it| it.1).sum::<u64>();
    assert_eq!(frames.len() as u64 + lost, 60);
    assert!(frames.iter().all(|(number, bytes)| *bytes == body(*number, 100)));
}

#[test]
fn a_damaged_header_of_the_oldest_segment_is_one_damage() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 60, 100, Level::Synced);
    for _ in 0..2 {
        let oldest = log.read_oldest(&mut |_, _| Ok(())).unwrap().unwrap();
        log.remove_oldest(oldest).unwrap();
    }
    log.close().unwrap();
    let fs = changed(&fs.seen(), &name(3), |bytes| bytes[..HEADER_BYTES].fill(7));
    let mut damage = Vec::new();
    let mut on_damage = |error: JournalError| {
        damage.push(error.to_string());
        Ok(())
    };
    read(&fs, &mut |_, _| Ok(()), &mut on_damage, &mut |_, _| {}).unwrap();
    assert!(damage.iter().all(|it| it.contains(&name(3))), "{damage:?}");
    assert_eq!(damage.len(), 1, "{damage:?}");
}

const HEADER_BYTES: usize = super::super::frame::HEADER;
