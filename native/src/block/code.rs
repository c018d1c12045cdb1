//! Columns of type LowCardinality(String): a dictionary, then an index per value. An Arrow dictionary goes over as it is.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{AnyDictionaryArray, Array};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use hashbrown::HashMap;

use super::text;

/// Bits of the index header: the keys are in this block (512), and they replace what was there (1024). The low byte is the index width.
const FLAGS: u64 = 512 | 1024;

/// None if the array holds no text. Nothing at all is written for no values.
pub fn column(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    if array.is_empty() {
        return text::each(array, |_| ());
    }
    match array.as_any_dictionary_opt() {
        Some(dictionary) => from_dictionary(out, dictionary),
        None => from_texts(out, array),
    }
}

/// The index of every value, None for a null.
pub fn keys(array: &dyn AnyDictionaryArray, take: impl FnMut(Option<usize>)) {
    macro_rules! dispatch {
        ($($arrow:ident => $kind:ty),*) => {
            match array.keys().data_type() {
                $(DataType::$arrow => array.keys().as_primitive::<$kind>().iter().map(|key| key.map(|key| key.as_usize())).for_each(take),)*
                _ => unreachable!("Arrow knows no other keys"),
            }
        };
    }
    dispatch!(Int8 => Int8Type, Int16 => Int16Type, Int32 => Int32Type, Int64 => Int64Type,
              UInt8 => UInt8Type, UInt16 => UInt16Type, UInt32 => UInt32Type, UInt64 => UInt64Type);
}

fn from_dictionary(out: &mut Vec<u8>, array: &dyn AnyDictionaryArray) -> Option<()> {
    let mut texts = text::all(array.values().as_ref())?;
    let mut indices = Vec::with_capacity(array.len());
    let null = texts.len() as u32; // becomes an entry of its own, ''
    keys(array, |key| indices.push(key.map_or(null, |key| key as u32)));
    if array.keys().null_count() > 0 {
        texts.push(&[]);
    }
    if texts.len() > 2 * indices.len() {
        texts = compact(&texts, &mut indices);
    }
    write(out, &texts, &indices);
    Some(())
}

/// Only the texts that are used: a few rows may come with the dictionary of a large group.
fn compact<'a>(texts: &[&'a [u8]], indices: &mut [u32]) -> Vec<&'a [u8]> {
    let mut used = Vec::new();
    let mut moved = vec![u32::MAX; texts.len()];
    for index in indices {
        let place = &mut moved[*index as usize];
        if *place == u32::MAX {
            *place = used.len() as u32;
            used.push(texts[*index as usize]);
        }
        *index = *place;
    }
    used
}

fn from_texts(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    let mut texts: Vec<&[u8]> = Vec::new();
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut indices: Vec<u32> = Vec::with_capacity(array.len());
    text::each(array, |value| {
        let same_as_last = indices.last().filter(|last| texts[**last as usize] == value).copied();
        indices.push(same_as_last.unwrap_or_else(|| {
            *known.entry(value).or_insert_with(|| {
                texts.push(value);
                texts.len() as u32 - 1
            })
        }));
    })?;
    write(out, &texts, &indices);
    Some(())
}

fn write(out: &mut Vec<u8>, texts: &[&[u8]], indices: &[u32]) {
    let width = match texts.len() {
        0..=0x100 => 0u64,
        0x101..=0x1_0000 => 1,
        _ => 2,
    };
    out.extend_from_slice(&(FLAGS | width).to_le_bytes());
    out.extend_from_slice(&(texts.len() as u64).to_le_bytes());
    texts.iter().for_each(|value| text::write(out, value));
    out.extend_from_slice(&(indices.len() as u64).to_le_bytes());
    match width {
        0 => out.extend(indices.iter().map(|index| *index as u8)),
        1 => little(out, indices, |index| (index as u16).to_le_bytes()),
        _ => little(out, indices, u32::to_le_bytes),
    }
}

fn little<const N: usize>(out: &mut Vec<u8>, indices: &[u32], bytes: impl Fn(u32) -> [u8; N]) {
    let start = out.len();
    out.resize(start + indices.len() * N, 0);
    for (place, index) in out[start..].chunks_exact_mut(N).zip(indices) {
        place.copy_from_slice(&bytes(*index));
    }
}
