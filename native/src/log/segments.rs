//! The files of the log: segments of one size that lie one behind the other, are made once and used again.
//!
//! The log is one long row of bytes; a position in it is a place in the segment `position / capacity`, whose file is named after that
//! number. A segment is used again by renaming it: overwriting a file costs less than half of writing a new one.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crc_fast::crc32_iscsi;

use super::record::u64_at;

/// Before the records of each file: what it is, which one it is, and where the first record lay that was not settled when it was begun.
pub const PAGE: usize = 4096;
/// Version of the format. A file of a later one is refused.
pub const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"SOJRNLOG";
const CHECKED: usize = 52;
const ZEROS: usize = 1 << 20;

/// What the first page of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Title {
    pub log: u64,
    pub number: u64,
    /// Where reading has to begin.
    pub tail: u64,
    /// The last request before it.
    pub released: u64,
    pub epoch: u32,
}

/// Why the first page of a file is none.
#[derive(Debug, PartialEq, Eq)]
pub enum NoTitle {
    Damaged,
    /// A later version of this program wrote it.
    Newer(u32),
}

impl Title {
    pub fn read(page: &[u8]) -> Result<Self, NoTitle> {
        let page = page.get(..CHECKED + 4).ok_or(NoTitle::Damaged)?;
        if &page[..8] != MAGIC {
            return Err(NoTitle::Damaged);
        }
        let version = u64_at(page, 8) as u32;
        if version > VERSION {
            return Err(NoTitle::Newer(version)); // a later version may have another checksum
        }
        if crc32_iscsi(&page[..CHECKED]).to_le_bytes() != page[CHECKED..] || version != VERSION {
            return Err(NoTitle::Damaged);
        }
        Ok(Self {
            epoch: (u64_at(page, 8) >> 32) as u32,
            log: u64_at(page, 16),
            number: u64_at(page, 24),
            tail: u64_at(page, 32),
            released: u64_at(page, 40),
        })
    }

    pub fn page(&self) -> [u8; PAGE] {
        let mut page = [0; PAGE];
        page[..8].copy_from_slice(MAGIC);
        page[8..12].copy_from_slice(&VERSION.to_le_bytes());
        page[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        for (at, value) in [(16, self.log), (24, self.number), (32, self.tail), (40, self.released)] {
            page[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let sum = crc32_iscsi(&page[..CHECKED]);
        page[CHECKED..CHECKED + 4].copy_from_slice(&sum.to_le_bytes());
        page
    }
}

/// The directory with the files.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Bytes of records in a segment.
    pub capacity: u64,
}

impl Folder {
    pub fn new(path: &Path, segment: u64) -> Self {
        Self {
            path: path.to_owned(),
            capacity: segment - PAGE as u64,
        }
    }

    /// The numbers of the segments in a directory, and the size that they have.
    pub fn list(path: &Path) -> io::Result<(BTreeSet<u64>, Option<u64>)> {
        let (mut numbers, mut size) = (BTreeSet::new(), None);
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
            if let Some(number) = number
                .filter(|digits| digits.len() == 16)
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            {
                numbers.insert(number);
                size = size.max(Some(entry.metadata()?.len()));
            }
        }
        Ok((numbers, size))
    }

    pub fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:016x}.log"))
    }

    pub fn title(&self, number: u64) -> io::Result<Result<Title, NoTitle>> {
        let mut page = [0; PAGE];
        let file = File::open(self.file(number))?;
        Ok(match file.read_exact_at(&mut page, 0) {
            Ok(()) => Title::read(&page),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(NoTitle::Damaged),
            Err(error) => return Err(error),
        })
    }

    /// Makes a new segment with all of its bytes, so that no later write finds the disk full.
    pub fn create(&self, number: u64) -> io::Result<()> {
        let made = self.fill(number);
        if made.is_err() {
            let _ = fs::remove_file(self.file(number)); // half of a segment is of no use
        }
        made
    }

    fn fill(&self, number: u64) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.file(number))?;
        let zeros = vec![0; ZEROS.min(self.capacity as usize + PAGE)];
        let (mut at, size) = (0, self.capacity + PAGE as u64);
        while at < size {
            let piece = zeros.len().min((size - at) as usize);
            file.write_all_at(&zeros[..piece], at)?;
            at += piece as u64;
        }
        file.sync_all()?;
        self.sync()
    }

    pub fn rename(&self, from: u64, to: u64) -> io::Result<()> {
        fs::rename(self.file(from), self.file(to))?;
        self.sync()
    }

    pub fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(number))
    }

    pub fn open(&self, number: u64, write: bool) -> io::Result<File> {
        OpenOptions::new().read(true).write(write).open(self.file(number))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Reads the row of bytes that the segments are. What is missing or cannot be read is zeros, which are no record.
pub struct Reading {
    folder: Folder,
    open: Option<(u64, File)>,
}

impl Reading {
    pub fn new(folder: Folder) -> Self {
        Self { folder, open: None }
    }

    pub fn read(&mut self, mut position: u64, mut into: &mut [u8]) {
        while !into.is_empty() {
            let (number, at) = (position / self.folder.capacity, position % self.folder.capacity);
            let piece = into.len().min((self.folder.capacity - at) as usize);
            let (here, rest) = into.split_at_mut(piece);
            let read = self.segment(number).and_then(|file| read_all(file, here, at + PAGE as u64));
            if let Err(done) = read.map_err(|_| 0).and_then(|done| if done == piece { Ok(()) } else { Err(done) }) {
                here[done..].fill(0);
            }
            position += piece as u64;
            into = rest;
        }
    }

    fn segment(&mut self, number: u64) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.open = Some((number, self.folder.open(number, false)?));
        }
        self.open
            .as_ref()
            .map(|(_, file)| file)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// As much as there is.
fn read_all(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_read_back_and_a_later_format_is_told_from_damage() {
        let title = Title {
            log: 1,
            number: 2,
            tail: 3,
            released: 4,
            epoch: 5,
        };
        let mut page = title.page();
        assert_eq!(Title::read(&page), Ok(title));
        page[30] ^= 1;
        assert_eq!(Title::read(&page), Err(NoTitle::Damaged));
        page[8] = 9;
        assert_eq!(Title::read(&page), Err(NoTitle::Newer(9)));
        assert_eq!(Title::read(&page[..20]), Err(NoTitle::Damaged));
    }
}
