//! Columns of type String: the length of each value, then its bytes.

use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{Array, GenericByteArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

use super::varint;

pub fn write(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len());
    // A copy of nothing may read from a dangling pointer, which costs 90 ns with masked loads.
    if !value.is_empty() {
        out.extend_from_slice(value);
    }
}

/// None if the array holds no text.
pub fn column(out: &mut Vec<u8>, array: &dyn Array) -> Option<()> {
    match array.data_type() {
        DataType::Utf8 => plain(out, array.as_bytes::<Utf8Type>()),
        DataType::LargeUtf8 => plain(out, array.as_bytes::<LargeUtf8Type>()),
        DataType::Binary => plain(out, array.as_bytes::<BinaryType>()),
        DataType::LargeBinary => plain(out, array.as_bytes::<LargeBinaryType>()),
        _ => each(array, |value| write(out, value))?,
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
    out.reserve(bytes + 2 * array.len());
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let values = array.value_data();
    for (row, ends) in offsets.windows(2).enumerate() {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            out.push(0);
        } else {
            write(out, &values[ends[0].as_usize()..ends[1].as_usize()]);
        }
    }
}

static NOTHING: [u8; 1] = [0];

/// Every value in order, empty for a null. None if the array holds no text.
pub fn each<'a>(array: &'a dyn Array, mut take: impl FnMut(&'a [u8])) -> Option<()> {
    match array.data_type() {
        DataType::Utf8 => texts(array.as_bytes::<Utf8Type>().iter().map(|value| value.map(str::as_bytes)), take),
        DataType::LargeUtf8 => texts(array.as_bytes::<LargeUtf8Type>().iter().map(|value| value.map(str::as_bytes)), take),
        DataType::Binary => texts(array.as_bytes::<BinaryType>().iter(), take),
        DataType::LargeBinary => texts(array.as_bytes::<LargeBinaryType>().iter(), take),
        DataType::Utf8View => texts(array.as_string_view().iter().map(|value| value.map(str::as_bytes)), take),
        DataType::BinaryView => texts(array.as_binary_view().iter(), take),
        DataType::Null => (0..array.len()).for_each(|_| take(&NOTHING[..0])),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let texts = all(dictionary.values().as_ref())?;
            super::code::keys(dictionary, |key| take(key.map_or(&NOTHING[..0], |key| texts[key])));
        }
        _ => return None,
    }
    Some(())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, mut take: impl FnMut(&'a [u8])) {
    values.for_each(|value| take(value.unwrap_or(&NOTHING[..0])));
}

/// All values, empty for a null.
pub fn all(array: &dyn Array) -> Option<Vec<&[u8]>> {
    let mut texts = Vec::with_capacity(array.len() + 1);
    each(array, |value| texts.push(value))?;
    Some(texts)
}
