//! Map columns in the making: attributes of spans, events and links, and those of resources.

use std::sync::Arc;

use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Fields};

use crate::columns::{Offsets, Text, Words, dictionary, same};
use crate::digest;
use crate::lift::clean;
use crate::schema::flags;
use crate::values::{AnyValue, MAX_VALUE, key_value};
use crate::wire::{Broken, each};

/// Attributes that are stored per span, event, link, record, point and resource.
pub const MAX_ATTRIBUTES: usize = 1024;

/// The keys of a map column. Keys of one map are distinct: the first occurrence counts.
#[derive(Default)]
struct Keys {
    words: Words,
    rows: Vec<u32>,
    /// For each position in a map: the key that stood there in the last map. It usually stands there again, which spares the hash.
    expected: Vec<u32>,
    /// For each word: the last map that had it.
    seen: Vec<u64>,
    /// For each word: its part in the digest of a map.
    digests: Vec<u64>,
    map: u64,
}

impl Keys {
    fn start(&mut self) {
        self.map += 1;
    }

    #[inline]
    fn intern(&mut self, position: usize, key: &[u8]) -> u32 {
        match self.expected.get(position) {
            Some(&word) if same(self.words.get(word), key) => word,
            _ => self.unexpected(position, key),
        }
    }

    fn unexpected(&mut self, position: usize, key: &[u8]) -> u32 {
        let word = self.words.intern(key);
        match self.expected.get_mut(position) {
            Some(slot) => *slot = word,
            None if position < 256 => self.expected.push(word),
            None => {}
        }
        self.seen.resize(self.words.len() as usize, 0);
        for new in self.digests.len() as u32..self.words.len() {
            self.digests.push(digest::text(self.words.get(new)));
        }
        word
    }

    /// Whether the map under construction has no such key yet.
    #[inline]
    fn first(&mut self, word: u32) -> bool {
        std::mem::replace(&mut self.seen[word as usize], self.map) != self.map
    }

    fn truncate(&mut self, rows: usize, words: u32) {
        self.rows.truncate(rows);
        self.words.truncate(words);
        self.seen.truncate(words as usize);
        self.digests.truncate(words as usize);
        self.expected.clear();
    }

    fn bytes(&self) -> usize {
        4 * self.rows.len() + self.words.bytes()
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        dictionary(self.rows, self.words.finish()?)
    }
}

/// A map column whose values are mostly different: attributes of spans, events and links.
#[derive(Default)]
pub struct Attributes {
    keys: Keys,
    pub values: Text,
    ends: Offsets,
}

impl Attributes {
    /// Starts the next map.
    pub fn start(&mut self) {
        self.keys.start();
    }

    /// The number of the key that stands at `position` on the wire.
    #[inline]
    pub fn key(&mut self, position: usize, key: &[u8]) -> u32 {
        self.keys.intern(position, key)
    }

    /// Whether the map under construction has no such key yet; from now on it has.
    #[inline]
    pub fn first(&mut self, key: u32) -> bool {
        self.keys.first(key)
    }

    /// What the key adds to the digest of a map, for `digest::value`.
    #[inline]
    pub fn digest(&self, key: u32) -> u64 {
        self.keys.digests[key as usize]
    }

    /// Adds an entry whose value was appended to `values` and closed.
    #[inline]
    pub fn entry(&mut self, key: u32) {
        self.keys.rows.push(key);
    }

    pub fn end(&mut self) {
        self.ends.push(self.keys.rows.len());
    }

    /// Number of entries in the map under construction.
    #[inline]
    pub fn open(&self) -> usize {
        self.keys.rows.len() - self.ends.last()
    }

    /// Gives up the map under construction.
    pub fn drop_open(&mut self) {
        self.truncate(self.mark());
    }

    pub fn words(&self) -> u32 {
        self.keys.words.len()
    }

    pub fn mark(&self) -> (usize, u32) {
        (self.ends.len(), self.keys.words.len())
    }

    pub fn truncate(&mut self, (maps, words): (usize, u32)) {
        self.ends.truncate(maps);
        let entries = self.ends.last();
        self.values.truncate(entries);
        self.keys.truncate(entries, words);
    }

    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes() + self.ends.bytes()
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        map(self.ends, self.keys.finish()?, Arc::new(self.values.finish()?))
    }
}

/// The map column of resource attributes: each distinct resource is encoded once and then repeated.
#[derive(Default)]
pub struct Resources {
    keys: Keys,
    values: Words,
    rows: Vec<u32>,
    ends: Offsets,
}

/// An encoded resource: its entries as numbers of keys and values.
#[derive(Default)]
pub struct Resource {
    keys: Vec<u32>,
    values: Vec<u32>,
}

impl Resource {
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Resources {
    pub fn start(&mut self) {
        self.keys.start();
    }

    /// Adds an entry to a resource, unless it has the key already.
    pub fn entry(&mut self, resource: &mut Resource, key: &[u8], value: &[u8]) -> bool {
        let key = self.keys.intern(resource.keys.len(), key);
        let first = self.keys.first(key);
        if first {
            resource.keys.push(key);
            resource.values.push(self.values.intern(value));
        }
        first
    }

    #[inline]
    pub fn push(&mut self, resource: &Resource) {
        self.keys.rows.extend_from_slice(&resource.keys);
        self.rows.extend_from_slice(&resource.values);
        self.ends.push(self.rows.len());
    }

    pub fn mark(&self) -> (usize, u32, u32) {
        (self.ends.len(), self.keys.words.len(), self.values.len())
    }

    pub fn truncate(&mut self, (maps, keys, values): (usize, u32, u32)) {
        self.ends.truncate(maps);
        let entries = self.ends.last();
        self.keys.truncate(entries, keys);
        self.rows.truncate(entries);
        self.values.truncate(values);
    }

    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes() + 4 * self.rows.len() + self.ends.bytes()
    }

    pub fn finish(self) -> Result<ArrayRef, ArrowError> {
        let values = dictionary(self.rows, self.values.finish()?)?;
        map(self.ends, self.keys.finish()?, values)
    }

    /// The distinct keys and values, for `repeated`.
    pub fn words(self) -> Result<(ArrayRef, ArrayRef), ArrowError> {
        Ok((self.keys.words.finish()?, self.values.finish()?))
    }
}

/// A map column with one encoded map per row, over words that are arrays already.
pub fn repeated<'a>(maps: impl Iterator<Item = &'a Resource>, keys: &ArrayRef, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let (mut key_rows, mut value_rows, mut ends) = (Vec::new(), Vec::new(), Offsets::default());
    for map in maps {
        key_rows.extend_from_slice(&map.keys);
        value_rows.extend_from_slice(&map.values);
        ends.push(key_rows.len());
    }
    map(
        ends,
        dictionary(key_rows, Arc::clone(keys))?,
        dictionary(value_rows, Arc::clone(values))?,
    )
}

fn map(ends: Offsets, keys: ArrayRef, values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let fields = Fields::from(vec![
        Field::new("keys", keys.data_type().clone(), false),
        Field::new("values", values.data_type().clone(), true),
    ]);
    let entries = Field::new("entries", DataType::Struct(fields.clone()), false);
    let ends = ends.finish(keys.len())?;
    let pairs = StructArray::try_new(fields, vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(Arc::new(entries), ends, pairs, None, false)?))
}

/// Stores the attributes of a message (field `number`) as the next map, shows each to `look`, and gives flags back.
pub fn attributes_of<'a>(
    attributes: &mut Attributes,
    message: &'a [u8],
    number: u32,
    mut look: impl FnMut(&'a [u8], &AnyValue<'a>),
) -> Result<u32, Broken> {
    let (mut flag, mut position) = (0, 0);
    attributes.start();
    each(message, number, |pair| {
        let (key, value) = key_value(pair)?;
        look(key, &value);
        if attributes.open() >= MAX_ATTRIBUTES {
            flag |= flags::TRUNCATED;
            return Ok(());
        }
        let word = attributes.key(position, key);
        position += 1;
        if attributes.first(word) {
            flag |= store(attributes, word, &value)?;
        }
        Ok(())
    })?;
    attributes.end();
    Ok(flag)
}

/// Adds an entry of the map under construction, and gives flags back.
#[inline]
pub fn store(attributes: &mut Attributes, word: u32, value: &AnyValue<'_>) -> Result<u32, Broken> {
    let mut flag = 0;
    match *value {
        AnyValue::Text(text) if text.len() <= MAX_VALUE => attributes.values.values.extend_from_slice(text),
        _ => flag = write_value(value, &mut attributes.values.values)?,
    }
    attributes.values.close();
    attributes.entry(word);
    Ok(flag)
}

/// Appends a value as text, at most `MAX_VALUE` bytes of it.
pub fn write_value(value: &AnyValue<'_>, out: &mut Vec<u8>) -> Result<u32, Broken> {
    let start = out.len();
    value.write(out)?;
    if out.len() - start <= MAX_VALUE {
        return Ok(0);
    }
    let kept = clean::cut_bytes(&out[start..], MAX_VALUE).len();
    out.truncate(start + kept);
    Ok(flags::TRUNCATED)
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn of_two_equal_keys_the_first_counts() {
        let mut maps = Attributes::default();
        for map in [&["a", "b", "a"][..], &[], &["b", "a"]] {
            maps.start();
            for (position, key) in map.iter().enumerate() {
                let number = maps.key(position, key.as_bytes());
                if maps.first(number) {
                    maps.values.push(position.to_string().as_bytes());
                    maps.entry(number);
                }
            }
            maps.end();
        }
        maps.truncate((3, maps.words()));
        let array = maps.finish().unwrap();
        assert_eq!(array.as_map().value_length(0), 2);
        assert_eq!(array.as_map().value_length(1), 0);
        assert_eq!(array.as_map().values().as_string::<i32>().value(2), "0");
    }
}
