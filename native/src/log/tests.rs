//! The log as a lane uses it, on a real disk.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::delivery;

const SMALL: u64 = 1 << 20;
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory that is removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("sojourn-log-{}-{number}", std::process::id())))
    }

    fn open(&self) -> Log {
        Log::open(&self.0, SMALL).expect("it can be opened")
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.0)
            .expect("there")
            .map(|file| file.expect("file").path())
            .collect();
        files.sort();
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn body(number: u64, size: usize) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.resize(size.max(8), number as u8);
    body
}

fn add(log: &Log, number: u64, size: usize) -> Range {
    log.has_room(size).expect("room");
    let (range, verdict) = log.append(Signal::Traces, "acme", &body(number, size), number as i64);
    delivery::wait(verdict).expect("safe");
    range
}

fn numbers(reader: &mut Reader) -> Vec<(u64, bool)> {
    let mut found = Vec::new();
    while let Some(logged) = reader.read() {
        let number = u64::from_le_bytes(logged.body[..8].try_into().expect("eight bytes"));
        assert_eq!(logged.body, body(number, logged.body.len()));
        assert_eq!((logged.arrival, logged.tenant), (number as i64, "acme"));
        found.push((number, logged.ends_group));
    }
    found
}

#[test]
fn what_was_safe_is_read_back_with_its_groups() {
    let place = Place::new();
    let log = place.open();
    let first = add(&log, 1, 10);
    let second = Range::extended(Some(first), add(&log, 2, 300_000)); // over the end of two segments
    log.cut(second);
    add(&log, 3, 70);
    drop(log);
    let log = place.open();
    assert_eq!((log.report.requests, log.report.damaged, log.report.unfinished), (3, 0, 0));
    let mut reader = log.backlog().expect("there is one");
    assert_eq!(numbers(&mut reader), [(1, false), (2, true), (3, false)]);
    assert_eq!(log.unread(&reader), Unread::Nothing);
    assert!(log.backlog().is_none());
}

#[test]
fn what_is_settled_is_not_read_again_and_its_segments_are_used_again() {
    let place = Place::new();
    let log = place.open();
    for number in 1..=100 {
        let range = add(&log, number, 50_000); // five times as much as the log holds
        if number < 100 {
            log.cut(range);
            log.release(range);
        }
    }
    assert!(place.files().len() <= 4, "{:?}", place.files());
    drop(log);
    let log = place.open();
    assert_eq!(numbers(&mut log.backlog().expect("one is left")), [(100, false)]);
}

#[test]
fn a_full_log_says_later_until_something_is_settled() {
    let place = Place::new();
    let log = place.open();
    let mut ranges = Vec::new();
    while log.has_room(50_000).is_ok() {
        ranges.push(add(&log, ranges.len() as u64 + 1, 50_000));
    }
    assert!(ranges.len() > 12, "{}", ranges.len());
    assert!(log.is_nearly_full());
    assert!(matches!(log.has_room(50_000), Err(Refusal::Later { .. })));
    assert!(matches!(log.has_room(2 << 20), Err(Refusal::TooLarge(_))));
    log.release(ranges[7]);
    assert_eq!(log.has_room(50_000), Ok(()));
    add(&log, 99, 50_000);
    let size: u64 = place.files().iter().map(|file| fs::metadata(file).expect("file").len()).sum();
    assert!(size <= SMALL);
}

#[test]
fn a_group_that_is_held_keeps_everything_behind_it() {
    let place = Place::new();
    let log = place.open();
    let (one, two) = (add(&log, 1, 10), add(&log, 2, 10));
    log.release(one);
    log.hold();
    log.release(two);
    drop(log);
    assert_eq!(numbers(&mut place.open().backlog().expect("one is left")), [(2, false)]);
}

#[test]
fn tokens_are_the_same_after_a_restart_and_never_twice_for_other_requests() {
    let place = Place::new();
    let log = place.open();
    let group = Range::extended(Some(add(&log, 1, 10)), add(&log, 2, 10));
    let token = log.token(group);
    drop(log);
    let log = place.open();
    let mut reader = log.backlog().expect("there is one");
    let first = reader.read().expect("one").range;
    let second = reader.read().expect("two").range;
    assert_eq!(log.token(Range::extended(Some(first), second)), token);
    let mine = add(&log, 3, 10);
    assert_eq!((log.is_replayed(second), log.is_replayed(mine)), (true, false));
    drop(log);
    let file = place.files().remove(0);
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|file| file.write_all_at(&[0; 4096], PAGE as u64 + record::size(14) as u64)) // the second request never was safe
        .expect("written");
    let log = place.open();
    let first = log.backlog().expect("one is left").read().expect("one").range;
    let other = add(&log, 2, 10);
    assert_eq!(other.last, 2);
    assert_ne!(log.token(Range::extended(Some(first), other)), token);
}

#[test]
fn a_later_format_is_refused_and_damage_is_not() {
    let place = Place::new();
    let log = place.open();
    add(&log, 1, 10);
    add(&log, 2, 10);
    add(&log, 3, 10);
    drop(log);
    let file = fs::OpenOptions::new().write(true).open(place.files().remove(0)).expect("there");
    file.write_all_at(b"?", PAGE as u64 + record::size(14) as u64 + 50)
        .expect("written");
    let log = place.open();
    assert_eq!((log.report.requests, log.report.damaged), (3, 1));
    assert_eq!(numbers(&mut log.backlog().expect("two are left")), [(1, false), (3, false)]);
    drop(log);
    file.write_all_at(b"?", 0).expect("written"); // the title is no title
    let log = place.open();
    assert_eq!(numbers(&mut log.backlog().expect("two are left")), [(1, false), (3, false)]);
    drop(log);
    file.write_all_at(b"\x02", 8).expect("written");
    assert!(matches!(Log::open(&place.0, SMALL), Err(Failed::Newer(_, 2))));
}

#[test]
fn the_last_start_that_can_be_numbered_is_no_trouble() {
    let place = Place::new();
    drop(place.open());
    let title = segments::Title {
        log: 1,
        number: 0,
        tail: 0,
        released: 0,
        epoch: u32::MAX,
    };
    let file = fs::OpenOptions::new().write(true).open(place.files().remove(0)).expect("there");
    file.write_all_at(&title.page(), 0).expect("written");
    let log = place.open();
    add(&log, 1, 10);
    drop(log);
    assert_eq!(numbers(&mut place.open().backlog().expect("one is left")), [(1, false)]);
}

#[test]
fn what_is_added_while_one_reads_is_read_too() {
    let place = Place::new();
    let log = place.open();
    add(&log, 1, 10);
    let mut reader = log.reader();
    assert_eq!(log.unread(&reader), Unread::Nothing);
    for number in 2..40 {
        add(&log, number, 9_000);
    }
    let found = numbers(&mut reader);
    assert_eq!((found.len(), found[0], log.unread(&reader)), (38, (2, false), Unread::Nothing));
}

#[test]
fn a_log_that_cannot_be_written_says_so_and_goes_on_when_it_can() {
    let place = Place::new();
    let log = place.open();
    add(&log, 1, 10);
    let next = place.0.join("0000000000000001.log");
    fs::create_dir(&next).expect("in the way");
    let (_, verdict) = log.append(Signal::Traces, "acme", &body(2, 200_000), 2);
    assert!(matches!(delivery::wait(verdict), Err(Refusal::Later { .. })));
    assert!(log.failing().is_some());
    assert!(matches!(log.has_room(10), Err(Refusal::Later { .. })));
    fs::remove_dir(&next).expect("out of the way");
    assert!(log.wait(Duration::from_secs(30)));
    assert_eq!(log.failing(), None);
    add(&log, 3, 10);
    drop(log);
    let log = place.open();
    assert_eq!(numbers(&mut log.backlog().expect("there is one")).len(), 3);
}
