//! Columns in the making. Each can be cut back to an earlier length, so that a bad request leaves no trace.

use std::sync::Arc;

use arrow_array::types::{ArrowDictionaryKeyType, UInt32Type};
use arrow_array::{ArrayRef, DictionaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use hashbrown::HashTable;

use crate::texts::hash;

/// Whether two texts are equal. Empty ones are never compared byte by byte: the pointer of an empty slice may be far outside of any page,
/// and vectorised comparisons of such addresses have been measured at 90 ns.
#[inline]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// Where the parts of a column begin and end.
pub struct Offsets(Vec<i32>);

impl Default for Offsets {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl Offsets {
    /// Ends a part.
    #[inline]
    pub fn push(&mut self, end: usize) {
        self.0.push(end as i32); // `finish` refuses what does not fit
    }

    /// Number of parts.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// Where a part starts; for the number of parts: where the next one will.
    #[inline]
    pub fn start(&self, part: usize) -> usize {
        self.0[part] as usize
    }

    /// Where the last part ends.
    #[inline]
    pub fn last(&self) -> usize {
        self.0[self.0.len() - 1] as usize
    }

    pub fn truncate(&mut self, parts: usize) {
        self.0.truncate(parts + 1);
    }

    pub fn bytes(&self) -> usize {
        4 * self.0.len()
    }

    /// For `len` items in all. An error if they passed 2 GiB.
    pub fn finish(self, len: usize) -> Result<OffsetBuffer<i32>, ArrowError> {
        if i32::try_from(len).is_err() {
            return Err(ArrowError::OffsetOverflowError(len));
        }
        Ok(OffsetBuffer::new(ScalarBuffer::from(self.0)))
    }
}

/// Texts one after another.
#[derive(Default)]
pub struct Text {
    pub values: Vec<u8>,
    offsets: Offsets,
}

impl Text {
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        self.values.extend_from_slice(text);
        self.close();
    }

    /// Ends a text whose bytes were appended to `values`.
    #[inline]
    pub fn close(&mut self) {
        self.offsets.push(self.values.len());
    }

    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    #[inline]
    pub fn get(&self, index: usize) -> &[u8] {
        &self.values[self.offsets.start(index)..self.offsets.start(index + 1)]
    }

    pub fn truncate(&mut self, len: usize) {
        self.values.truncate(self.offsets.start(len));
        self.offsets.truncate(len);
    }

    pub fn bytes(&self) -> usize {
        self.values.len() + self.offsets.bytes()
    }

    /// The texts as an array. Bytes that are not UTF-8 become U+FFFD.
    pub fn finish(self) -> Result<StringArray, ArrowError> {
        let offsets = self.offsets.finish(self.values.len())?;
        let values = Buffer::from_vec(self.values);
        match StringArray::try_new(offsets.clone(), values.clone(), None) {
            Ok(array) => Ok(array),
            Err(_) => Ok(repaired(&offsets, &values)),
        }
    }
}

#[cold]
fn repaired(offsets: &OffsetBuffer<i32>, values: &[u8]) -> StringArray {
    let texts = offsets.windows(2).map(|pair| &values[pair[0] as usize..pair[1] as usize]);
    StringArray::from_iter_values(texts.map(String::from_utf8_lossy))
}

/// Distinct texts, numbered in order of appearance, with their keyed hashes. Always valid UTF-8.
#[derive(Default)]
pub struct Words {
    texts: Text,
    hashes: Vec<u64>,
    table: HashTable<u32>,
}

impl Words {
    /// Words that begin with the empty one, number 0.
    pub fn with_empty() -> Self {
        let mut words = Self::default();
        words.intern(b"");
        words
    }

    /// Words that begin with the given ones.
    pub fn starting(known: &[&str]) -> Self {
        let mut words = Self::default();
        for word in known {
            words.intern(word.as_bytes());
        }
        words
    }

    #[inline]
    pub fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = hash(text);
        match self.find(hash, text) {
            Some(index) => index,
            None => self.add(hash, text),
        }
    }

    #[inline]
    fn find(&self, hash: u64, text: &[u8]) -> Option<u32> {
        let texts = &self.texts;
        self.table.find(hash, |&index| same(texts.get(index as usize), text)).copied()
    }

    #[cold]
    fn add(&mut self, hash: u64, text: &[u8]) -> u32 {
        if std::str::from_utf8(text).is_err() {
            return self.intern(String::from_utf8_lossy(text).as_bytes());
        }
        let index = self.texts.len() as u32;
        self.texts.push(text);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, index, |&index| hashes[index as usize]);
        index
    }

    #[inline]
    pub fn get(&self, index: u32) -> &[u8] {
        self.texts.get(index as usize)
    }

    /// The word as text; words are repaired when they are added.
    pub fn text(&self, index: u32) -> &str {
        std::str::from_utf8(self.get(index)).unwrap_or_default()
    }

    #[inline]
    pub fn hash(&self, index: u32) -> u64 {
        self.hashes[index as usize]
    }

    pub fn len(&self) -> u32 {
        self.texts.len() as u32
    }

    pub fn truncate(&mut self, len: u32) {
        for index in len..self.len() {
            if let Ok(entry) = self.table.find_entry(self.hash(index), |&other| other == index) {
                entry.remove();
            }
        }
        self.texts.truncate(len as usize);
        self.hashes.truncate(len as usize);
    }

    pub fn bytes(&self) -> usize {
        self.texts.bytes() + 14 * self.hashes.len()
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.texts.finish()?))
    }
}

/// A column of words: the distinct texts and one number per row.
pub struct Dict {
    pub words: Words,
    rows: Vec<u32>,
    last: u32,
}

impl Default for Dict {
    fn default() -> Self {
        Self::new()
    }
}

impl Dict {
    /// A column whose word 0 is the empty one.
    pub fn new() -> Self {
        Self::of(Words::with_empty())
    }

    pub fn of(words: Words) -> Self {
        Self {
            words,
            rows: Vec::new(),
            last: 0,
        }
    }

    /// Adds a row; most rows repeat the one before.
    #[inline]
    pub fn push(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            self.rows.push(0);
            return 0;
        }
        if !same(self.words.get(self.last), text) {
            self.last = self.words.intern(text);
        }
        self.rows.push(self.last);
        self.last
    }

    #[inline]
    pub fn push_index(&mut self, index: u32) {
        self.rows.push(index);
    }

    #[inline]
    pub fn hash(&self, index: u32) -> u64 {
        self.words.hash(index)
    }

    /// The text of the last row.
    pub fn newest(&self) -> &[u8] {
        self.rows.last().map_or(&[], |&row| self.words.get(row))
    }

    pub fn mark(&self) -> (usize, u32) {
        (self.rows.len(), self.words.len())
    }

    pub fn truncate(&mut self, (rows, words): (usize, u32)) {
        self.rows.truncate(rows);
        self.words.truncate(words);
        self.last = 0;
    }

    pub fn bytes(&self) -> usize {
        4 * self.rows.len() + self.words.bytes()
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        dictionary(self.rows, self.words.finish()?)
    }
}

pub fn dictionary(rows: Vec<u32>, values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(dictionary_of::<UInt32Type>(
        PrimitiveArray::new(rows.into(), None),
        values,
    )?))
}

fn dictionary_of<K: ArrowDictionaryKeyType>(rows: PrimitiveArray<K>, values: ArrayRef) -> Result<DictionaryArray<K>, ArrowError> {
    DictionaryArray::try_new(rows, values)
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn texts_are_cut_back_and_repaired() {
        let mut texts = Text::default();
        for text in [&b"a"[..], b"", b"b\xffc", b"d\xc3"] {
            texts.push(text);
        }
        texts.push(b"\xa9"); // with the text before: a valid sequence across a border
        texts.push(b"gone");
        texts.truncate(5);
        let array = texts.finish().unwrap();
        let values: Vec<_> = array.iter().map(Option::unwrap).collect();
        assert_eq!(values, ["a", "", "b\u{fffd}c", "d\u{fffd}", "\u{fffd}"]);
    }

    #[test]
    fn words_that_were_cut_off_can_come_again() {
        let mut column = Dict::new();
        column.push(b"kept");
        let mark = column.mark();
        column.push(b"gone");
        column.push(b"gone\xff");
        column.truncate(mark);
        assert_eq!(column.words.len(), 2);
        for text in [&b"new"[..], b"gone", b"kept", b"", b"gone\xff", b"gone\xff"] {
            column.push(text);
        }
        let array = column.finish().unwrap();
        let array = array.as_dictionary::<UInt32Type>();
        let words = array.downcast_dict::<StringArray>().unwrap();
        let texts: Vec<_> = words.into_iter().map(Option::unwrap).collect();
        assert_eq!(texts, ["kept", "new", "gone", "kept", "", "gone\u{fffd}", "gone\u{fffd}"]);
        assert_eq!(array.values().len(), 5);
    }
}
