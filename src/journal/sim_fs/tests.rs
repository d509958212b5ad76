//! What is claimed of the disk in memory.

use super::*;
use std::collections::BTreeSet;

const ALL: Bounds = Bounds {
    each: usize::MAX,
    drawn: 200,
    seed: 1,
};

fn images(sim: &SimFs) -> Vec<Image> {
    let mut images = Vec::new();
    sim.moment().power_cut(ALL, |it| images.push(it));
    images
}

/// What a power cut may leave of file `a`, by the first byte of each of its sectors; `-` where there is no file.
fn sectors(sim: &SimFs) -> BTreeSet<String> {
    let sectors = |image: &Image| {
        let content = image.files.get("a")?;
        let firsts = content.chunks(SECTOR).map(|it| char::from(it[0].max(b'0')));
        Some(firsts.collect::<String>())
    };
    images(sim)
        .iter()
        .map(|it| sectors(it).unwrap_or_else(|| "-".to_owned()))
        .collect()
}

fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.into_iter().map(str::to_owned).collect()
}

/// A directory with the synced file `a` of so many sectors.
fn with_file(sectors: usize) -> (SimFs, Box<dyn LogFile>) {
    let sim = SimFs::default();
    let file = sim.create("a").unwrap();
    file.allocate((sectors * SECTOR) as u64).unwrap();
    file.sync().unwrap();
    sim.sync_directory().unwrap();
    (sim, file)
}

#[test]
fn what_was_synced_is_left_whole() {
    let (sim, file) = with_file(2);
    file.write_at(&[b'x'; 2 * SECTOR], 0).unwrap();
    file.sync().unwrap();
    assert_eq!(sectors(&sim), texts(["xx"]));
    assert_eq!(images(&sim), [sim.seen()]);
}

#[test]
fn any_sectors_of_a_write_that_was_not_synced_may_be_left() {
    let (sim, file) = with_file(3);
    file.write_at(&[b'x'; 3 * SECTOR], 0).unwrap();
    let expected = ["000", "x00", "0x0", "00x", "xx0", "x0x", "0xx", "xxx"];
    assert_eq!(sectors(&sim), texts(expected));
}

#[test]
fn a_sector_may_be_left_as_any_write_left_it() {
    let (sim, file) = with_file(1);
    for byte in *b"xyz" {
        file.write_at(&[byte], 0).unwrap();
    }
    assert_eq!(sectors(&sim), texts(["0", "x", "y", "z"]));
}

#[test]
fn a_name_is_left_once_the_directory_is_synced() {
    let sim = SimFs::default();
    let file = sim.create("a").unwrap();
    file.write_at(b"x", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(sectors(&sim), texts(["-", "x"]));
    sim.sync_directory().unwrap();
    assert_eq!(sectors(&sim), texts(["x"]));
}

#[test]
fn a_length_that_was_not_synced_may_be_lost_with_what_is_behind_it() {
    let (sim, file) = with_file(1);
    file.write_at(&[b'x'; 2 * SECTOR], 0).unwrap();
    assert_eq!(sectors(&sim), texts(["0", "x", "00", "0x", "x0", "xx"]));
}

#[test]
fn changes_of_names_are_left_in_their_order() {
    let (sim, _file) = with_file(1);
    sim.rename("a", "b").unwrap();
    sim.rename("b", "c").unwrap();
    sim.remove("c").unwrap();
    let names: BTreeSet<_> = images(&sim)
        .iter()
        .map(|it| it.files.keys().cloned().collect::<String>())
        .collect();
    assert_eq!(names, texts(["a", "b", "c", ""]));
    sim.sync_directory().unwrap();
    assert_eq!(images(&sim), [Image::default()]);
}

#[test]
fn a_later_sync_does_not_make_up_for_one_that_failed() {
    let (sim, file) = with_file(2);
    file.write_at(b"x", 0).unwrap();
    sim.fail(Call::Sync, 1, false, Failure::Io);
    file.sync().unwrap_err();
    file.write_at(b"y", SECTOR as u64).unwrap();
    file.sync().unwrap();
    assert_eq!(sectors(&sim), texts(["0y", "xy"]));
    file.write_at(b"z", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(sectors(&sim), texts(["zy"]));
}

#[test]
fn a_killed_process_loses_nothing_and_leaves_it_not_synced() {
    let (sim, file) = with_file(1);
    file.write_at(b"x", 0).unwrap();
    let next = sim.moment().killed();
    assert_eq!(next.seen(), sim.seen());
    assert_eq!(sectors(&next), texts(["0", "x"]));
    next.open("a").unwrap().sync().unwrap();
    assert_eq!(sectors(&next), texts(["x"]));
    assert_eq!(sectors(&sim), texts(["0", "x"]));
}

#[test]
fn calls_fail_as_told() {
    let (sim, file) = with_file(1);
    sim.fail(Call::Write, 2, false, Failure::Io);
    file.write_at(b"x", 0).unwrap();
    assert_eq!(file.write_at(b"yy", 0).unwrap_err().kind(), ErrorKind::Other);
    let mut first = [0; 2];
    file.read_at(&mut first, 0).unwrap();
    assert_eq!(&first, b"y\0", "the first half of a write that failed");
    file.write_at(b"z", 0).unwrap();
    sim.fail(Call::Rename, 1, true, Failure::Full);
    for _ in 0..3 {
        assert_eq!(sim.rename("a", "b").unwrap_err().kind(), ErrorKind::StorageFull);
    }
    sim.mend();
    sim.rename("a", "b").unwrap();
    assert_eq!((sim.calls(Call::Write), sim.calls(Call::Rename)), (3, 4));
}

#[test]
fn a_full_disk_has_room_again_once_a_file_is_gone() {
    let (sim, file) = with_file(2);
    sim.set_capacity(Some(3 * SECTOR as u64));
    let other = sim.create("b").unwrap();
    let error = other.allocate(2 * SECTOR as u64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let error = file.write_at(b"x", 3 * SECTOR as u64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    sim.remove("a").unwrap();
    other.allocate(2 * SECTOR as u64).unwrap_err();
    drop(file);
    other.allocate(2 * SECTOR as u64).unwrap();
    assert_eq!(sim.used(), 2 * SECTOR as u64);
}

#[test]
fn a_moment_is_kept_for_each_call_that_changes_something() {
    let (sim, file) = with_file(1);
    sim.record();
    file.write_at(b"x", 0).unwrap();
    file.read_at(&mut [0], 0).unwrap();
    sim.fail(Call::Sync, 1, false, Failure::Io);
    file.sync().unwrap_err();
    file.sync().unwrap();
    let moments = sim.moments();
    let changes: Vec<_> = moments.iter().map(|it| it.changes).collect();
    assert_eq!(changes, [4, 5, 6, 7]);
    let seen = |at: usize| moments[at].killed().seen().files["a"][0];
    assert_eq!((seen(0), seen(1)), (0, b'x'));
}

#[test]
fn a_skipped_sync_succeeds_and_keeps_nothing() {
    let (sim, file) = with_file(1);
    sim.skip(Call::Sync);
    file.write_at(b"x", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(sectors(&sim), texts(["0", "x"]));
    sim.skip(Call::SyncDirectory);
    sim.remove("a").unwrap();
    sim.sync_directory().unwrap();
    assert_eq!(sectors(&sim), texts(["-", "0", "x"]));
}
