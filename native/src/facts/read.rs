//! Columns as databases give them: texts plain or as dictionaries, integers of any width, lists.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::block::keys;
use crate::texts::Open;

fn column<'a>(records: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    records.column_by_name(name).ok_or_else(|| format!("column {name} is missing"))
}

fn unfit(name: &str, array: &dyn Array) -> String {
    format!("column {name}: {} does not fit", array.data_type())
}

/// A column of integers or times; unsigned 64-bit numbers keep their bits. Nulls are 0.
pub fn integers(records: &RecordBatch, name: &str) -> Result<Vec<i64>, String> {
    let array = column(records, name)?;
    integers_of(array).ok_or_else(|| unfit(name, array))
}

fn integers_of(array: &dyn Array) -> Option<Vec<i64>> {
    fn read<T: ArrowPrimitiveType>(array: &dyn Array, widen: impl Fn(T::Native) -> i64) -> Option<Vec<i64>> {
        let array = array.as_primitive_opt::<T>()?;
        Some(array.iter().map(|value| value.map_or(0, &widen)).collect())
    }
    match array.data_type() {
        DataType::UInt8 => read::<UInt8Type>(array, i64::from),
        DataType::UInt16 => read::<UInt16Type>(array, i64::from),
        DataType::UInt32 => read::<UInt32Type>(array, i64::from),
        DataType::UInt64 => read::<UInt64Type>(array, |value| value as i64),
        DataType::Int8 => read::<Int8Type>(array, i64::from),
        DataType::Int16 => read::<Int16Type>(array, i64::from),
        DataType::Int32 => read::<Int32Type>(array, i64::from),
        DataType::Int64 => read::<Int64Type>(array, |value| value),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => read::<TimestampNanosecondType>(array, |value| value),
        _ => None,
    }
}

/// A column of 128-bit numbers, little-endian bytes.
pub fn versions(records: &RecordBatch, name: &str) -> Result<Vec<u128>, String> {
    let array = column(records, name)?;
    let bytes = array.as_fixed_size_binary_opt().filter(|bytes| bytes.value_length() == 16);
    let bytes = bytes.ok_or_else(|| unfit(name, array))?;
    let number = |value: Option<&[u8]>| u128::from_le_bytes(value.and_then(|value| value.try_into().ok()).unwrap_or_default());
    Ok(bytes.iter().map(number).collect())
}

/// Texts: distinct ones, and for each row which one; or one per row.
pub struct Texted<'a> {
    values: Plain<'a>,
    rows: Option<Vec<usize>>,
    len: usize,
}

enum Plain<'a> {
    Short(&'a arrow_array::GenericByteArray<arrow_array::types::Utf8Type>),
    Long(&'a arrow_array::GenericByteArray<arrow_array::types::LargeUtf8Type>),
    ShortBytes(&'a arrow_array::GenericByteArray<arrow_array::types::BinaryType>),
    LongBytes(&'a arrow_array::GenericByteArray<arrow_array::types::LargeBinaryType>),
    View(&'a arrow_array::StringViewArray),
}

impl<'a> Texted<'a> {
    pub fn of(records: &'a RecordBatch, name: &str) -> Result<Self, String> {
        let array = column(records, name)?;
        Self::of_array(array).ok_or_else(|| unfit(name, array))
    }

    pub fn of_array(array: &'a dyn Array) -> Option<Self> {
        let len = array.len();
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            let values = Plain::of(dictionary.values())?;
            let beyond = dictionary.values().len(); // reads as the empty text
            let places = keys::or_null(dictionary).into_iter();
            let rows = places.map(|place| place.map_or(beyond, |place| place as usize)).collect();
            return Some(Self {
                values,
                rows: Some(rows),
                len,
            });
        }
        let values = Plain::of(array)?;
        Some(Self { values, rows: None, len })
    }

    pub fn get(&self, row: usize) -> &'a [u8] {
        self.values.get(self.rows.as_ref().map_or(row, |rows| rows[row]))
    }

    /// The hash of each row's text; the texts are kept.
    pub fn hashes(&self, texts: &mut Open<'_>) -> Vec<u64> {
        let mut hash = |text: &[u8]| texts.intern(&String::from_utf8_lossy(text));
        match &self.rows {
            None => (0..self.len).map(|row| hash(self.values.get(row))).collect(),
            Some(rows) => {
                let mut known: Vec<Option<u64>> = vec![None; self.values.len() + 1];
                rows.iter()
                    .map(|&value| *known[value].get_or_insert_with(|| hash(self.values.get(value))))
                    .collect()
            }
        }
    }
}

impl<'a> Plain<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Plain::Short(array.as_bytes_opt()?),
            DataType::LargeUtf8 => Plain::Long(array.as_bytes_opt()?),
            DataType::Binary => Plain::ShortBytes(array.as_bytes_opt()?),
            DataType::LargeBinary => Plain::LongBytes(array.as_bytes_opt()?),
            DataType::Utf8View => Plain::View(array.as_string_view_opt()?),
            _ => return None,
        })
    }

    fn len(&self) -> usize {
        match self {
            Plain::Short(array) => array.len(),
            Plain::Long(array) => array.len(),
            Plain::ShortBytes(array) => array.len(),
            Plain::LongBytes(array) => array.len(),
            Plain::View(array) => array.len(),
        }
    }

    /// The text; empty for null and behind the end.
    fn get(&self, row: usize) -> &'a [u8] {
        if row >= self.len() {
            return b"";
        }
        match self {
            Plain::Short(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Plain::Long(array) if array.is_valid(row) => array.value(row).as_bytes(),
            Plain::ShortBytes(array) if array.is_valid(row) => array.value(row),
            Plain::LongBytes(array) if array.is_valid(row) => array.value(row),
            Plain::View(array) if array.is_valid(row) => array.value(row).as_bytes(),
            _ => b"",
        }
    }
}

/// A column of lists: all items, and where each row's end.
pub struct Lists {
    name: String,
    items: ArrayRef,
    pub ends: Vec<i32>,
}

impl Lists {
    pub fn of(records: &RecordBatch, name: &str) -> Result<Self, String> {
        let array = column(records, name)?;
        let (offsets, values): (Vec<i64>, _) = match array.data_type() {
            DataType::List(_) => (
                array.as_list::<i32>().offsets().iter().map(|&at| i64::from(at)).collect(),
                array.as_list::<i32>().values(),
            ),
            DataType::LargeList(_) => (array.as_list::<i64>().offsets().to_vec(), array.as_list::<i64>().values()),
            _ => return Err(unfit(name, array)),
        };
        if array.null_count() > 0 {
            return Err(format!("column {name}: lists must not be null"));
        }
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let ends = offsets[1..].iter().map(|&at| i32::try_from(at - first)).collect::<Result<_, _>>();
        Ok(Self {
            name: name.to_string(),
            items: values.slice(first as usize, (last - first) as usize),
            ends: ends.map_err(|_| format!("column {name}: too many items"))?,
        })
    }

    pub fn integers(&self) -> Result<Vec<i64>, String> {
        integers_of(&self.items).ok_or_else(|| unfit(&self.name, &self.items))
    }

    pub fn texts(&self) -> Result<Texted<'_>, String> {
        Texted::of_array(&self.items).ok_or_else(|| unfit(&self.name, &self.items))
    }
}
