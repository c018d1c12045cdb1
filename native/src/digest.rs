//! What makes two records or points the same: the digest of their content. It is the same in every process, however the bytes were laid out
//! on the wire, in whatever order the attributes stood and in whatever request they came.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::values::{AnyValue, MAX_VALUE};

/// So that no attribute adds the same as a tenant.
const TENANT: u64 = 0x7465_6e61_6e74;

/// A text as a part of a digest.
#[inline]
pub fn text(text: &[u8]) -> u64 {
    xxh3_64(text)
}

/// What a tenant adds to the digests of all that is its own; nothing for the one without a name.
pub fn tenant(name: &str) -> u64 {
    if name.is_empty() {
        0
    } else {
        xxh3_64_with_seed(name.as_bytes(), TENANT)
    }
}

/// A value as a part of a digest; `written` is its text, which is canonical unless it was cut.
#[inline]
pub fn value(seed: u64, value: &AnyValue<'_>, written: &[u8]) -> u64 {
    let (kind, raw) = match *value {
        AnyValue::Empty => (0, written),
        AnyValue::Text(text) => (1, text),
        AnyValue::Bool(_) => (2, written),
        AnyValue::Int(_) => (3, written),
        AnyValue::Double(_) => (4, written),
        AnyValue::List(list) => (5, list),
        AnyValue::Map(map) => (6, map),
        AnyValue::Bytes(bytes) => (7, bytes),
    };
    xxh3_64_with_seed(if written.len() < MAX_VALUE { written } else { raw }, seed.wrapping_add(kind))
}

/// What one attribute adds to the digest of its map: a map's digest is the sum over its attributes.
#[inline]
pub fn attribute(key: &[u8], of: &AnyValue<'_>, written: &[u8]) -> u64 {
    value(xxh3_64(key), of, written)
}

/// A number as a part of a digest. There are many bit patterns that are no number, and JSON has one word for all of them.
#[inline]
pub fn number(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() }
}

/// Parts of fixed number and meaning, in order.
pub fn parts<const N: usize>(parts: [u64; N]) -> u64 {
    let mut bytes = [0; 256];
    let bytes = &mut bytes[..8 * N];
    for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_its_text() {
        let (number, word) = (AnyValue::Int(1), AnyValue::Text(b"1"));
        assert_ne!(attribute(b"a", &number, b"1"), attribute(b"a", &word, b"1"));
        assert_ne!(attribute(b"a", &number, b"1"), attribute(b"b", &number, b"1"));
        assert_ne!(parts([1, 2]), parts([2, 1]));
        assert_ne!(parts([1]), parts([1, 0]));
    }

    #[test]
    fn long_values_differ_behind_what_is_stored() {
        let (one, other) = (vec![b'a'; MAX_VALUE + 1], [vec![b'a'; MAX_VALUE], vec![b'b']].concat());
        let written = &one[..MAX_VALUE];
        assert_ne!(value(0, &AnyValue::Text(&one), written), value(0, &AnyValue::Text(&other), written));
    }
}
