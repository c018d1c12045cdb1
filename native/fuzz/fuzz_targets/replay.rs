//! A log of any records, damaged anywhere: it is opened, read to its end, written on, and the next start finds what was written.
#![no_main]

use std::fs;
use std::path::Path;

use _native::delivery;
use _native::log::Log;
use _native::log::record::{Header, Kind};
use _native::log::segments::{PAGE, Title};
use _native::wire::Signal;
use libfuzzer_sys::fuzz_target;

/// The smallest segments: records lie across their borders.
const SEGMENT: usize = 2 * PAGE;
const CAPACITY: usize = SEGMENT - PAGE;
const SIZE: u64 = 16 * SEGMENT as u64;

fuzz_target!(|data: &[u8]| {
    let mut told = Told(data);
    let folder = std::env::temp_dir().join(format!("sojourn-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a place");
    lay(&folder, &mut told);
    if let Ok(log) = Log::open(&folder, SIZE) {
        let taken = read(&log);
        assert!(taken <= log.report.requests);
        if log.has_room(3).is_ok() {
            let (range, verdict) = log.append(Signal::Logs, "acme", b"new", 7);
            delivery::wait(verdict).expect("safe");
            drop(log);
            let log = Log::open(&folder, SIZE).expect("it was opened before");
            let mut reader = log.backlog().expect("what was added is there");
            let mut last = 0;
            while let Some(logged) = reader.read() {
                assert!(logged.range.last > last);
                last = logged.range.last;
            }
            assert_eq!(last, range.last);
        }
    }
    let _ = fs::remove_dir_all(&folder);
});

/// How many requests are read, each later than the one before.
fn read(log: &Log) -> u64 {
    let Some(mut reader) = log.backlog() else { return 0 };
    let (mut count, mut last) = (0, 0);
    while let Some(logged) = reader.read() {
        assert!(logged.range.last > last);
        (count, last) = (count + 1, logged.range.last);
    }
    count
}

/// Puts files there that hold the records which are told, and some damage.
fn lay(folder: &Path, told: &mut Told<'_>) {
    let first = u64::from(told.byte() % 3);
    let title = Title {
        log: 5,
        number: 0,
        tail: first * CAPACITY as u64 + told.some(),
        released: told.some(),
        epoch: told.some() as u32,
    };
    let flags = told.byte();
    let mut bytes = records(first * CAPACITY as u64, told);
    while !told.0.is_empty() && !bytes.is_empty() {
        let at = usize::from(told.short()) % bytes.len();
        bytes[at] ^= told.byte();
    }
    for (index, piece) in bytes.chunks(CAPACITY).enumerate() {
        let number = first + index as u64;
        let mut file = Title { number, ..title }.page().to_vec();
        if flags & (1 << (index % 8)) != 0 {
            file[usize::from(told.short()) % 64] ^= 1;
        }
        file.extend_from_slice(piece);
        file.resize(if flags == 255 { file.len() } else { SEGMENT }, 0);
        fs::write(folder.join(format!("{number:016x}.log")), file).expect("written");
    }
}

fn records(begin: u64, told: &mut Told<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = told.byte() % 24;
    let (mut sequence, mut batch, mut epoch) = (told.some(), begin, 0);
    for _ in 0..count {
        let shape = told.byte();
        let position = begin + bytes.len() as u64;
        if shape & 8 != 0 {
            batch = position;
        }
        sequence = if shape & 16 != 0 { told.some() } else { sequence.wrapping_add(1) };
        let kind = match shape & 7 {
            0 => Kind::Cut,
            1 => Kind::Release,
            other => Kind::Request(Signal::ALL[usize::from(other) % Signal::ALL.len()]),
        };
        epoch += u32::from(told.byte() % 4 == 3); // each start of the collector has a later one
        let moment = if kind == Kind::Release {
            begin as i64 + told.some() as i64
        } else {
            1
        };
        let body = vec![shape; usize::from(told.short()) % 3000];
        let body = if matches!(kind, Kind::Request(_)) { &body[..] } else { &[] };
        Header::new(kind, epoch, sequence, batch, moment).write(b"a", body, position, &mut bytes);
        if shape & 32 != 0 {
            bytes.resize(bytes.len() + 8, 0);
        }
    }
    bytes
}

struct Told<'a>(&'a [u8]);

impl Told<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Small numbers mostly, and great ones.
    fn some(&mut self) -> u64 {
        match self.byte() {
            255 => (1 << 62) - u64::from(self.byte() % 2),
            254 => u64::from(self.short()),
            small => u64::from(small),
        }
    }
}
