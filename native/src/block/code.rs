//! Columns of type LowCardinality(String): a dictionary, then an index per value. An Arrow dictionary goes over as it is.

use arrow_array::cast::AsArray;
use arrow_array::{AnyDictionaryArray, Array};
use hashbrown::HashMap;

use super::{keys, text};

/// Bits of the index header: the keys are in this block (512), and they replace what was there (1024). The low byte is the index type.
const FLAGS: u64 = 512 | 1024;

/// None if the array holds no text. Nothing at all is written for no values.
pub fn column(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    if array.is_empty() {
        return text::all(array).map(drop);
    }
    match array.as_any_dictionary_opt() {
        Some(dictionary) => from_dictionary(out, dictionary),
        None => from_texts(out, array),
    }
}

fn from_dictionary(out: &mut Vec<u8>, array: &dyn AnyDictionaryArray) -> Option<()> {
    let texts = text::all(array.values().as_ref())?;
    if array.null_count() > 0 || texts.len() > 2 * array.len() {
        let (texts, indices) = compact(texts, &keys::or_null(array));
        write(out, &texts, &indices);
    } else {
        let width = head(out, &texts, array.len());
        keys::write(out, array, width);
    }
    Some(())
}

/// Only the texts that are used, '' for null: a few rows may come with the dictionary of a large group.
fn compact<'a>(mut texts: Vec<&'a [u8]>, keys: &[Option<u32>]) -> (Vec<&'a [u8]>, Vec<u32>) {
    let null = texts.len() as u32;
    texts.push(&[]);
    let (mut used, mut moved) = (Vec::new(), vec![u32::MAX; texts.len()]);
    let place = |key: &Option<u32>| {
        let old = key.unwrap_or(null) as usize;
        if moved[old] == u32::MAX {
            moved[old] = used.len() as u32;
            used.push(texts[old]);
        }
        moved[old]
    };
    let indices = keys.iter().map(place).collect();
    (used, indices)
}

fn from_texts(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    let mut texts: Vec<&[u8]> = Vec::new();
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let mut indices: Vec<u32> = Vec::with_capacity(array.len());
    for value in text::all(array)? {
        let same_as_last = indices.last().filter(|last| texts[**last as usize] == value).copied();
        indices.push(same_as_last.unwrap_or_else(|| {
            *known.entry(value).or_insert_with(|| {
                texts.push(value);
                texts.len() as u32 - 1
            })
        }));
    }
    write(out, &texts, &indices);
    Some(())
}

fn write(out: &mut Vec<u8>, texts: &[&[u8]], indices: &[u32]) {
    let width = head(out, texts, indices.len());
    keys::little(out, indices, width, |index| index);
}

/// Everything before the indices; gives back how many bytes each of them has.
fn head(out: &mut Vec<u8>, texts: &[&[u8]], values: usize) -> usize {
    let (kind, width) = match texts.len() {
        0..=0x100 => (0u64, 1),
        0x101..=0x1_0000 => (1, 2),
        _ => (2, 4),
    };
    out.extend_from_slice(&(FLAGS | kind).to_le_bytes());
    out.extend_from_slice(&(texts.len() as u64).to_le_bytes());
    texts.iter().for_each(|value| text::write(out, value));
    out.extend_from_slice(&(values as u64).to_le_bytes());
    width
}
