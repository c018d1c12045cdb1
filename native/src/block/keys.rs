//! The indices of dictionary arrays, whatever their width.

use arrow_array::AnyDictionaryArray;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

macro_rules! of_width {
    ($array:expr, $keys:ident => $body:expr; $($arrow:ident $kind:ty),*) => {
        match $array.keys().data_type() {
            $(DataType::$arrow => { let $keys = $array.keys().as_primitive::<$kind>(); $body })*
            other => unreachable!("Arrow has no dictionaries with keys of {other}"),
        }
    };
    ($array:expr, $keys:ident => $body:expr) => {
        of_width!($array, $keys => $body; Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type,
            UInt8 UInt8Type, UInt16 UInt16Type, UInt32 UInt32Type, UInt64 UInt64Type)
    };
}

/// The index of every value; the array must have no nulls.
#[inline]
pub fn each(array: &dyn AnyDictionaryArray, mut take: impl FnMut(usize)) {
    of_width!(array, keys => keys.values().iter().for_each(|key| take(key.as_usize())))
}

/// The index of every value, None for a null.
pub fn or_null(array: &dyn AnyDictionaryArray) -> Vec<Option<u32>> {
    of_width!(array, keys => keys.iter().map(|key| key.map(|key| key.as_usize() as u32)).collect())
}

/// Appends the indices in `width` bytes each, little-endian; the array must have no nulls.
pub fn write(out: &mut Vec<u8>, array: &dyn AnyDictionaryArray, width: usize) {
    of_width!(array, keys => little(out, keys.values(), width, |key| key.as_usize() as u32));
}

pub fn little<T: Copy>(out: &mut Vec<u8>, keys: &[T], width: usize, number: impl Fn(T) -> u32) {
    let start = out.len();
    out.resize(start + keys.len() * width, 0);
    let places = &mut out[start..];
    match width {
        1 => places.iter_mut().zip(keys).for_each(|(place, key)| *place = number(*key) as u8),
        2 => fill::<2, T>(places, keys, |key| (number(key) as u16).to_le_bytes()),
        _ => fill::<4, T>(places, keys, |key| number(key).to_le_bytes()),
    }
}

fn fill<const N: usize, T: Copy>(places: &mut [u8], keys: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for (place, key) in places.chunks_exact_mut(N).zip(keys) {
        place.copy_from_slice(&bytes(*key));
    }
}
