//! Columns of type String: the length of each value, then its bytes.

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{AnyDictionaryArray, Array, GenericByteArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

use super::keys;
use crate::written::varint;

pub fn write(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    // A copy of nothing may read from a dangling pointer, which costs 90 ns with masked loads.
    if !value.is_empty() {
        out.extend_from_slice(value);
    }
}

/// None if the array holds no text.
pub fn column(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    let nulls = array.null_count() > 0;
    match array.data_type() {
        DataType::Utf8 if !nulls => plain(out, array.as_bytes::<Utf8Type>()),
        DataType::LargeUtf8 if !nulls => plain(out, array.as_bytes::<LargeUtf8Type>()),
        DataType::Binary if !nulls => plain(out, array.as_bytes::<BinaryType>()),
        DataType::LargeBinary if !nulls => plain(out, array.as_bytes::<LargeBinaryType>()),
        DataType::Dictionary(..) if !nulls => dictionary(out, array.as_any_dictionary())?,
        _ => all(array)?.into_iter().for_each(|value| write(out, value)),
    }
    Some(())
}

fn plain<T: ByteArrayType>(out: &mut Vec<u8>, array: &GenericByteArray<T>) {
    let offsets = array.offsets();
    let bytes = offsets[array.len()].as_usize() - offsets[0].as_usize();
    if bytes == 0 {
        out.resize(out.len() + array.len(), 0);
        return;
    }
    let mut room = Room::new(out, bytes + bytes / 128 + array.len());
    for ends in offsets.windows(2) {
        let (from, to) = (ends[0].as_usize(), ends[1].as_usize());
        room.length(to - from);
        room.copy(array.value_data(), from, to - from);
    }
    room.close();
}

/// Every entry is written once, with its length, and then copied for each row.
fn dictionary(out: &mut Vec<u8>, array: &dyn AnyDictionaryArray) -> Option<()> {
    let (mut entries, mut ends) = (Vec::new(), vec![0]);
    for value in all(array.values().as_ref())? {
        write(&mut entries, value);
        ends.push(entries.len());
    }
    entries.resize(entries.len() + CHUNK, 0); // so that every entry can be copied as a whole chunk
    if ends.len() == 2 {
        repeated(out, &entries[..ends[1]], array.len());
        return Some(());
    }
    let mut bytes = 0;
    keys::each(array, |key| bytes += ends[key + 1] - ends[key]);
    let mut room = Room::new(out, bytes);
    keys::each(array, |key| room.copy(&entries, ends[key], ends[key + 1] - ends[key]));
    room.close();
    Some(())
}

/// One entry for every row: what many columns are made of, mostly of empty texts.
fn repeated(out: &mut Vec<u8>, entry: &[u8], rows: usize) {
    match entry {
        [byte] => out.resize(out.len() + rows, *byte),
        _ => {
            out.reserve(entry.len() * rows);
            (0..rows).for_each(|_| out.extend_from_slice(entry));
        }
    }
}

/// Copies of a constant size are two instructions where a call of memcpy is fifty; most texts are that short.
const CHUNK: usize = 64;
const SHORT: usize = 32;

/// Bytes at the end of a vector that are already there, to be written without growing it.
struct Room<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
}

impl<'a> Room<'a> {
    fn new(out: &'a mut Vec<u8>, bytes: usize) -> Self {
        let at = out.len();
        out.resize(at + bytes + CHUNK, 0);
        Room { out, at }
    }

    #[inline]
    fn length(&mut self, mut length: usize) {
        while length >= 0x80 {
            self.out[self.at] = length as u8 | 0x80;
            self.at += 1;
            length >>= 7;
        }
        self.out[self.at] = length as u8;
        self.at += 1;
    }

    #[inline]
    fn copy(&mut self, source: &[u8], from: usize, length: usize) {
        if length <= SHORT && from + SHORT <= source.len() {
            self.out[self.at..self.at + SHORT].copy_from_slice(&source[from..from + SHORT]);
        } else if length <= CHUNK && from + CHUNK <= source.len() {
            self.out[self.at..self.at + CHUNK].copy_from_slice(&source[from..from + CHUNK]);
        } else {
            self.out[self.at..self.at + length].copy_from_slice(&source[from..from + length]);
        }
        self.at += length;
    }

    fn close(self) {
        self.out.truncate(self.at);
    }
}

static NOTHING: [u8; 1] = [0];

/// All values, empty for a null. None if the array holds no text.
pub fn all(array: &dyn Array) -> Option<Vec<&[u8]>> {
    fn of<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<&'a [u8]> {
        values.map(|value| value.unwrap_or(&NOTHING[..0])).collect()
    }
    Some(match array.data_type() {
        DataType::Utf8 => of(array.as_bytes::<Utf8Type>().iter().map(|value| value.map(str::as_bytes))),
        DataType::LargeUtf8 => of(array.as_bytes::<LargeUtf8Type>().iter().map(|value| value.map(str::as_bytes))),
        DataType::Binary => of(array.as_bytes::<BinaryType>().iter()),
        DataType::LargeBinary => of(array.as_bytes::<LargeBinaryType>().iter()),
        DataType::Utf8View => of(array.as_string_view().iter().map(|value| value.map(str::as_bytes))),
        DataType::BinaryView => of(array.as_binary_view().iter()),
        DataType::Null => vec![&NOTHING[..0]; array.len()],
        DataType::Dictionary(..) => {
            let texts = all(array.as_any_dictionary().values().as_ref())?;
            let entries = keys::or_null(array.as_any_dictionary());
            of(entries.into_iter().map(|key| key.map(|key| texts[key as usize])))
        }
        _ => return None,
    })
}
