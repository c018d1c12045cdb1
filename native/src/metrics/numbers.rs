//! The numbers of points: on the wire, and as parts of digests.

use super::columns::Lists;
use crate::digest;
use crate::wire::{Broken, Fields, Value};

pub fn double(value: Value<'_>) -> Result<f64, Broken> {
    Ok(f64::from_bits(value.fixed64()?))
}

/// Eight bytes each: packed, or one that is not.
pub fn words(value: Value<'_>, mut push: impl FnMut(u64)) -> Result<(), Broken> {
    match value {
        Value::Fixed64(word) => push(word),
        Value::Bytes(packed) => {
            let (words, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(Broken::Truncated);
            }
            words.iter().for_each(|word| push(u64::from_le_bytes(*word)));
        }
        _ => return Err(Broken::WireType),
    }
    Ok(())
}

/// The buckets of one sign: their counts go into the list under construction.
pub fn buckets(message: &[u8], counts: &mut Lists<u64>, offset: &mut i32) -> Result<(), Broken> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        match (number, value) {
            (1, _) => *offset = unzigzag(value.varint()?),
            (2, Value::Bytes(packed)) => {
                let mut numbers = Fields::of(packed);
                while !numbers.is_empty() {
                    counts.items.push(numbers.varint()?);
                }
            }
            (2, _) => counts.items.push(value.varint()?),
            _ => {}
        }
    }
    Ok(())
}

pub fn quantile(message: &[u8], numbers: &mut [Lists<f64>; 2]) -> Result<(), Broken> {
    let mut pair = [0.0, 0.0];
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        if let 1 | 2 = number {
            pair[number as usize - 1] = double(value)?;
        }
    }
    numbers[0].items.push(pair[0]);
    numbers[1].items.push(pair[1]);
    Ok(())
}

pub fn unzigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// A list of any length as a part of a digest.
pub fn list_of(numbers: &[u64]) -> u64 {
    numbers
        .iter()
        .fold(numbers.len() as u64, |sum, number| digest::parts([sum, *number]))
}

pub fn list_of_doubles(numbers: &[f64]) -> u64 {
    let start = numbers.len() as u64;
    numbers
        .iter()
        .fold(start, |sum, number| digest::parts([sum, digest::number(*number)]))
}
