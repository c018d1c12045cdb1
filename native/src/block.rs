//! Arrow columns → a block in ClickHouse's format Native, the cheapest thing a ClickHouse server can be given.
//!
//! A block is: number of columns, number of rows, then per column its name, its type, the prefixes of all LowCardinality parts inside, and
//! the values column by column. Over HTTP there is no block info (revision 0).
//! Source: <https://clickhouse.com/docs/interfaces/formats/Native> and `SerializationLowCardinality.cpp`.

mod code;
pub mod keys;
mod kind;
mod text;

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, GenericListArray, OffsetSizeTrait, RecordBatch, StructArray, make_array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;
use kind::Kind;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use crate::written::varint;

/// One block with the columns (name, ClickHouse type) in that order; columns of `records` that are not asked for are left out. Empty for no rows.
pub fn encode(records: &RecordBatch, columns: &[(String, String)], compress: bool) -> Result<Vec<u8>, String> {
    let plan = plan(records, columns)?;
    let mut out = Vec::new();
    let mut frame = compress.then(|| FrameEncoder::with_frame_info(FrameInfo::new().block_size(BlockSize::Max256KB), Vec::new()));
    if records.num_rows() > 0 {
        varint(&mut out, plan.len() as u64);
        varint(&mut out, records.num_rows() as u64);
    }
    for column in plan.iter().filter(|column| !column.array.is_empty()) {
        text::write(&mut out, column.name.as_bytes());
        text::write(&mut out, column.kind_name.as_bytes());
        prefix(&mut out, &column.kind);
        values(&mut out, &column.kind, column.array).map_err(|error| format!("column {}: {error}", column.name))?;
        if let Some(frame) = &mut frame {
            // Column by column: what was just written is still in the cache, and the whole is never held uncompressed.
            frame.write_all(&out).map_err(|error| error.to_string())?;
            out.clear();
        }
    }
    match frame {
        Some(frame) => frame.finish().map_err(|error| error.to_string()),
        None => Ok(out),
    }
}

struct Column<'a> {
    name: &'a str,
    kind_name: &'a str,
    kind: Kind,
    array: &'a ArrayRef,
}

fn plan<'a>(records: &'a RecordBatch, columns: &'a [(String, String)]) -> Result<Vec<Column<'a>>, String> {
    let one = |(name, kind_name): &'a (String, String)| {
        let array = records.column_by_name(name).ok_or_else(|| format!("column {name} is missing"))?;
        let kind = Kind::parse(kind_name).map_err(|error| format!("column {name}: {error}"))?;
        Ok(Column {
            name,
            kind_name,
            kind,
            array,
        })
    };
    columns.iter().map(one).collect()
}

/// The serialisation version (1) of every LowCardinality inside, before any value of the column.
fn prefix(out: &mut Vec<u8>, kind: &Kind) {
    match kind {
        Kind::Code => out.extend_from_slice(&1u64.to_le_bytes()),
        Kind::Array(inner) | Kind::Nullable(inner) => prefix(out, inner),
        Kind::Map(key, value) => {
            prefix(out, key);
            prefix(out, value);
        }
        Kind::Tuple(parts) => parts.iter().for_each(|part| prefix(out, part)),
        _ => {}
    }
}

/// The values of a column. A null becomes the type's default, as in any insert that leaves it out, unless the type is Nullable.
fn values(out: &mut Vec<u8>, kind: &Kind, array: &dyn Array) -> Result<(), String> {
    let unfit = || format!("Arrow {} does not fit ClickHouse {kind:?}", array.data_type());
    match (kind, array.data_type()) {
        (Kind::Text, _) => text::column(out, array).ok_or_else(unfit),
        (Kind::Code, _) => code::column(out, array).ok_or_else(unfit),
        (Kind::Bool, DataType::Boolean) => {
            let flags = array.as_boolean();
            out.extend((0..flags.len()).map(|row| u8::from(flags.is_valid(row) && flags.value(row))));
            Ok(())
        }
        (Kind::Array(inner), DataType::List(_)) => list(out, array.as_list::<i32>(), |out, items| values(out, inner, items)),
        (Kind::Array(inner), DataType::LargeList(_)) => list(out, array.as_list::<i64>(), |out, items| values(out, inner, items)),
        (Kind::Map(key, value), DataType::Map(..)) => {
            let map = array.as_map();
            let entries = |out: &mut Vec<u8>, items: &dyn Array| tuple(out, &[key, value], items);
            lists(out, map.offsets(), map.nulls(), map.entries(), entries)
        }
        (Kind::Map(key, value), DataType::List(_)) => list(out, array.as_list::<i32>(), |out, items| tuple(out, &[key, value], items)),
        (Kind::Map(key, value), DataType::LargeList(_)) => list(out, array.as_list::<i64>(), |out, items| tuple(out, &[key, value], items)),
        (Kind::Tuple(parts), DataType::Struct(_)) => tuple(out, &parts.iter().collect::<Vec<_>>(), array),
        (Kind::Nullable(inner), _) => {
            let nulls = array.logical_nulls();
            out.extend((0..array.len()).map(|row| u8::from(nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)))));
            values(out, inner, array)
        }
        (_, arrow) => numbers(out, kind.same_memory(arrow).ok_or_else(unfit)?, array),
    }
}

fn numbers(out: &mut Vec<u8>, width: usize, array: &dyn Array) -> Result<(), String> {
    let data = array.to_data();
    let from = data.offset() * width;
    let bytes = data.buffers()[0]
        .as_slice()
        .get(from..from + data.len() * width)
        .ok_or("buffer too short")?;
    let start = out.len();
    out.extend_from_slice(bytes);
    if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (row, value) in out[start..].chunks_exact_mut(width).enumerate() {
            if nulls.is_null(row) {
                value.fill(0);
            }
        }
    }
    Ok(())
}

fn tuple(out: &mut Vec<u8>, parts: &[&Kind], array: &dyn Array) -> Result<(), String> {
    let rows: &StructArray = array
        .as_struct_opt()
        .ok_or_else(|| format!("Arrow {} is not a struct", array.data_type()))?;
    if rows.num_columns() != parts.len() {
        return Err(format!("{} parts for a tuple of {}", rows.num_columns(), parts.len()));
    }
    if rows.null_count() > 0 {
        return Err("a tuple cannot be null".to_string());
    }
    parts
        .iter()
        .zip(rows.columns())
        .try_for_each(|(part, column)| values(out, part, column))
}

fn list<O: OffsetSizeTrait>(
    out: &mut Vec<u8>,
    array: &GenericListArray<O>,
    write: impl Fn(&mut Vec<u8>, &dyn Array) -> Result<(), String>,
) -> Result<(), String> {
    lists(out, array.offsets(), array.nulls(), array.values(), write)
}

/// Where each row ends, then the items of all rows.
fn lists<O: OffsetSizeTrait>(
    out: &mut Vec<u8>,
    offsets: &OffsetBuffer<O>,
    nulls: Option<&NullBuffer>,
    items: &dyn Array,
    write: impl Fn(&mut Vec<u8>, &dyn Array) -> Result<(), String>,
) -> Result<(), String> {
    let rows = offsets.len() - 1;
    let hidden = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row)) && offsets[row] != offsets[row + 1];
    if (nulls.is_some_and(|nulls| nulls.null_count() > 0)) && (0..rows).any(hidden) {
        return compacted(out, offsets, items, hidden, write);
    }
    let first = offsets[0].as_usize();
    ends(out, rows, offsets[1..].iter().map(|end| end.as_usize() - first));
    write(out, &items.slice(first, offsets[rows].as_usize() - first))
}

/// Arrow lets a null list point at items; they are left out.
fn compacted<O: OffsetSizeTrait>(
    out: &mut Vec<u8>,
    offsets: &OffsetBuffer<O>,
    items: &dyn Array,
    hidden: impl Fn(usize) -> bool,
    write: impl Fn(&mut Vec<u8>, &dyn Array) -> Result<(), String>,
) -> Result<(), String> {
    let data = items.to_data();
    let mut kept = MutableArrayData::new(vec![&data], false, 0);
    let mut at = Vec::with_capacity(offsets.len());
    for row in 0..offsets.len() - 1 {
        if !hidden(row) {
            kept.try_extend(0, offsets[row].as_usize(), offsets[row + 1].as_usize())
                .map_err(|error| error.to_string())?;
        }
        at.push(kept.len());
    }
    ends(out, at.len(), at.into_iter());
    write(out, &make_array(kept.freeze()))
}

fn ends(out: &mut Vec<u8>, rows: usize, ends: impl Iterator<Item = usize>) {
    let start = out.len();
    out.resize(start + rows * 8, 0);
    for (bytes, end) in out[start..].chunks_exact_mut(8).zip(ends) {
        bytes.copy_from_slice(&(end as u64).to_le_bytes());
    }
}
