//! The list columns of spans: events, links, facets; and the numbers of traces.

use std::sync::Arc;

use arrow_array::types::TimestampNanosecondType;
use arrow_array::{ArrayRef, FixedSizeBinaryArray, ListArray, PrimitiveArray, UInt8Array};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field};
use hashbrown::HashTable;

use crate::columns::{Dict, Offsets, Text, Words, dictionary};
use crate::maps::Attributes;
use crate::schema::Facet;
use crate::texts::hash;

/// The distinct traces of a group, known by tenant and id, numbered in order of appearance.
#[derive(Default)]
pub struct Traces {
    ids: Vec<(u32, [u8; 16])>,
    table: HashTable<u32>,
    /// Whose spans are read now.
    tenant: u32,
    /// Of this tenant.
    last: Option<([u8; 16], u32)>,
}

impl Traces {
    /// The traces from now on are those of this tenant.
    pub fn begin(&mut self, tenant: u32) {
        if self.tenant != tenant {
            (self.tenant, self.last) = (tenant, None);
        }
    }

    /// The number of a trace; spans of one trace usually come together.
    #[inline]
    pub fn number(&mut self, id: [u8; 16]) -> u32 {
        match self.last {
            Some((last, number)) if last == id => number,
            _ => self.other(id),
        }
    }

    fn other(&mut self, id: [u8; 16]) -> u32 {
        let (ids, key) = (&mut self.ids, (self.tenant, id));
        let found = self.table.find(hash(&id), |&number| ids[number as usize] == key).copied();
        let number = found.unwrap_or_else(|| {
            let number = ids.len() as u32;
            ids.push(key);
            self.table.insert_unique(hash(&id), number, |&number| hash(&ids[number as usize].1));
            number
        });
        self.last = Some((id, number));
        number
    }

    pub fn len(&self) -> u32 {
        self.ids.len() as u32
    }

    pub fn truncate(&mut self, len: u32) {
        for number in len..self.len() {
            if let Ok(entry) = self.table.find_entry(hash(&self.ids[number as usize].1), |&other| other == number) {
                entry.remove();
            }
        }
        self.ids.truncate(len as usize);
        self.last = None;
    }

    pub fn bytes(&self) -> usize {
        58 * self.ids.len()
    }

    /// The dictionary of ids in hex.
    pub fn finish(&self) -> Result<ArrayRef, ArrowError> {
        let mut texts = Text::default();
        for (_, id) in &self.ids {
            hex(id, &mut texts.values);
            texts.close();
        }
        Ok(Arc::new(texts.finish()?))
    }
}

/// Appends bytes as lower-case hex digits.
pub fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    for eight in bytes.chunks(8) {
        let mut number = [0; 8];
        number[..eight.len()].copy_from_slice(eight);
        out.extend_from_slice(&hex_digits(u64::from_be_bytes(number))[..2 * eight.len()]);
    }
}

/// The 16 lower-case hex digits of a number.
#[inline]
pub fn hex_digits(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|place| DIGITS[(number >> (60 - 4 * place)) as usize & 15])
}

/// The events of all spans.
#[derive(Default)]
pub struct Events {
    pub times: Vec<i64>,
    pub names: Dict,
    pub attributes: Attributes,
    ends: Offsets,
}

#[derive(Clone, Copy)]
pub struct EventsMark {
    rows: usize,
    names: (usize, u32),
    attributes: (usize, u32),
}

impl Events {
    /// Number of events of the span under construction.
    #[inline]
    pub fn open(&self) -> usize {
        self.times.len() - self.ends.last()
    }

    /// Ends the events of a span.
    #[inline]
    pub fn end(&mut self) {
        self.ends.push(self.times.len());
    }

    pub fn mark(&self) -> EventsMark {
        EventsMark {
            rows: self.ends.len(),
            names: self.names.mark(),
            attributes: self.attributes.mark(),
        }
    }

    pub fn truncate(&mut self, mark: EventsMark) {
        self.ends.truncate(mark.rows);
        let events = self.ends.last();
        self.times.truncate(events);
        self.names.truncate((events, mark.names.1));
        self.attributes.truncate((events, mark.attributes.1));
    }

    /// Gives up the events of the span under construction.
    pub fn drop_open(&mut self) {
        let mut mark = self.mark();
        mark.attributes.1 = self.attributes.words();
        self.truncate(mark);
    }

    pub fn bytes(&self) -> usize {
        self.ends.bytes() + 8 * self.times.len() + self.names.bytes() + self.attributes.bytes()
    }

    /// Times, names, attributes.
    pub fn finish(self) -> Result<[ArrayRef; 3], ArrowError> {
        let ends = self.ends.finish(self.times.len())?;
        let times = PrimitiveArray::<TimestampNanosecondType>::new(self.times.into(), None).with_timezone("UTC");
        Ok([
            list(ends.clone(), Arc::new(times))?,
            list(ends.clone(), self.names.finish()?)?,
            list(ends.clone(), self.attributes.finish()?)?,
        ])
    }
}

/// The links of all spans.
#[derive(Default)]
pub struct Links {
    pub traces: Text,
    pub spans: Text,
    pub states: Text,
    pub attributes: Attributes,
    ends: Offsets,
}

impl Links {
    /// Adds a link. Ids of a wrong length are left empty.
    pub fn push(&mut self, trace: &[u8], span: &[u8], state: &[u8]) {
        if trace.len() == 16 {
            hex(trace, &mut self.traces.values);
        }
        self.traces.close();
        if span.len() == 8 {
            hex(span, &mut self.spans.values);
        }
        self.spans.close();
        self.states.push(state);
    }

    #[inline]
    pub fn open(&self) -> usize {
        self.traces.len() - self.ends.last()
    }

    #[inline]
    pub fn end(&mut self) {
        self.ends.push(self.traces.len());
    }

    pub fn mark(&self) -> (usize, u32) {
        (self.ends.len(), self.attributes.words())
    }

    pub fn truncate(&mut self, (rows, words): (usize, u32)) {
        self.ends.truncate(rows);
        let links = self.ends.last();
        self.traces.truncate(links);
        self.spans.truncate(links);
        self.states.truncate(links);
        self.attributes.truncate((links, words));
    }

    pub fn drop_open(&mut self) {
        self.truncate(self.mark());
    }

    pub fn bytes(&self) -> usize {
        self.ends.bytes() + self.traces.bytes() + self.spans.bytes() + self.states.bytes() + self.attributes.bytes()
    }

    /// Trace ids, span ids, states, attributes.
    pub fn finish(self) -> Result<[ArrayRef; 4], ArrowError> {
        let ends = self.ends.finish(self.traces.len())?;
        Ok([
            list(ends.clone(), Arc::new(self.traces.finish()?))?,
            list(ends.clone(), Arc::new(self.spans.finish()?))?,
            list(ends.clone(), Arc::new(self.states.finish()?))?,
            list(ends.clone(), self.attributes.finish()?)?,
        ])
    }
}

/// What spans say about their sessions besides ids and numbers: metadata, tags, names.
pub struct Facets {
    packed: Vec<Facet>,
    keys: Words,
    values: Words,
    key_rows: Vec<u32>,
    value_rows: Vec<u32>,
    ends: Offsets,
}

impl Default for Facets {
    fn default() -> Self {
        Self {
            packed: Vec::new(),
            keys: Words::with_empty(),
            values: Words::with_empty(),
            key_rows: Vec::new(),
            value_rows: Vec::new(),
            ends: Offsets::default(),
        }
    }
}

impl Facets {
    pub fn push(&mut self, what: u32, key: &[u8], value: &[u8]) {
        let (key, value) = (self.keys.intern(key), self.values.intern(value));
        self.key_rows.push(key);
        self.value_rows.push(value);
        self.packed.push(Facet {
            what,
            spare: 0,
            key: self.keys.hash(key),
            value: self.values.hash(value),
        });
    }

    /// A facet whose value is a number.
    pub fn push_number(&mut self, what: u32, key: &[u8], value: i64) {
        self.push(what, key, value.to_string().as_bytes());
        if let Some(facet) = self.packed.last_mut() {
            facet.value = value as u64;
        }
    }

    /// Ends the facets of a span.
    #[inline]
    pub fn end(&mut self) {
        self.ends.push(self.packed.len());
    }

    pub fn mark(&self) -> (usize, u32, u32) {
        (self.ends.len(), self.keys.len(), self.values.len())
    }

    pub fn truncate(&mut self, (rows, keys, values): (usize, u32, u32)) {
        self.ends.truncate(rows);
        let facets = self.ends.last();
        self.packed.truncate(facets);
        self.key_rows.truncate(facets);
        self.value_rows.truncate(facets);
        self.keys.truncate(keys);
        self.values.truncate(values);
    }

    /// Calls `keep` with the words and where the new ones begin.
    pub fn words(&self, (_, keys, values): (usize, u32, u32), mut keep: impl FnMut(&Words, u32)) {
        keep(&self.keys, keys);
        keep(&self.values, values);
    }

    pub fn bytes(&self) -> usize {
        self.ends.bytes() + (Facet::SIZE + 8) * self.packed.len() + self.keys.bytes() + self.values.bytes()
    }

    /// What, keys, values, packed.
    pub fn finish(self) -> Result<[ArrayRef; 4], ArrowError> {
        let ends = self.ends.finish(self.packed.len())?;
        let what: UInt8Array = self.packed.iter().map(|facet| facet.what as u8).collect();
        let packed: Vec<u8> = self.packed.iter().flat_map(Facet::pack).collect();
        Ok([
            list(ends.clone(), Arc::new(what))?,
            list(ends.clone(), dictionary(self.key_rows, self.keys.finish()?)?)?,
            list(ends.clone(), dictionary(self.value_rows, self.values.finish()?)?)?,
            list(ends.clone(), rows_of(packed, Facet::SIZE)?)?,
        ])
    }
}

/// Packed rows as an array.
pub fn rows_of(packed: Vec<u8>, size: usize) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(FixedSizeBinaryArray::try_new(
        size as i32,
        Buffer::from_vec(packed),
        None,
    )?))
}

pub fn list(offsets: OffsetBuffer<i32>, items: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let item = Field::new("item", items.data_type().clone(), false);
    Ok(Arc::new(ListArray::try_new(Arc::new(item), offsets, items, None)?))
}
