//! `Shelf`: packed rows of traces that Python keeps between groups.

use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_buffer::Buffer;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arrow::import_array;
use super::many::{ByteArray, Bytes, ends, locked, plain, writable};
use crate::shelf::{self, Block, Found};

fn keys_of(bytes: &[u8]) -> PyResult<&[shelf::Key]> {
    let (keys, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(PyValueError::new_err("keys are 24 bytes each"));
    }
    Ok(keys)
}

/// The bytes of a column of packed rows, where they are.
fn bytes_of(rows: &Bound<'_, PyAny>) -> PyResult<Buffer> {
    let array = import_array(rows)?;
    let rows = array
        .as_fixed_size_binary_opt()
        .ok_or_else(|| PyValueError::new_err("rows are a fixed_size_binary array"))?;
    Ok(rows.values().clone())
}

#[pyclass(frozen, module = "sojourn._native")]
pub struct Shelf(Mutex<shelf::Shelf>);

#[pymethods]
impl Shelf {
    #[new]
    fn new(budget: usize) -> Self {
        Self(Mutex::new(shelf::Shelf::new(budget)))
    }

    fn get(&self, py: Python<'_>, keys: &[u8]) -> PyResult<(Bytes, Bytes, ByteArray, Bytes, ByteArray)> {
        let shelf = locked(&self.0);
        let found: Vec<_> = keys_of(keys)?.iter().map(|key| shelf.get(key)).collect();
        let numbers = |of: fn(Found<'_>) -> i64, none: i64| -> Vec<i64> { found.iter().map(|each| each.map_or(none, of)).collect() };
        let tags: Vec<u64> = found.iter().map(|each| each.map_or(0, |each| each.tag)).collect();
        let known = found.iter().flatten();
        Ok((
            plain(py, &tags, u64::to_le_bytes)?,
            plain(py, &numbers(|each| each.rows.len() as i64, -1), i64::to_le_bytes)?,
            writable(py, known.clone().map(|each| each.rows))?,
            plain(py, &numbers(|each| each.facets.len() as i64, 0), i64::to_le_bytes)?,
            writable(py, known.map(|each| each.facets))?,
        ))
    }

    #[allow(clippy::too_many_arguments)] // columns of one table
    fn put(
        &self,
        py: Python<'_>,
        keys: &[u8],
        tags: PyBuffer<u64>,
        row_sizes: PyBuffer<i64>,
        rows: &Bound<'_, PyAny>,
        facet_sizes: PyBuffer<i64>,
        facets: &Bound<'_, PyAny>,
        stamp: i64,
    ) -> PyResult<Option<(Bytes, i64)>> {
        let (keys, tags) = (keys_of(keys)?, tags.to_vec(py)?);
        let (rows, facets) = (bytes_of(rows)?, bytes_of(facets)?);
        let row_ends = ends(py, &row_sizes, keys.len(), &rows)?;
        let facet_ends = ends(py, &facet_sizes, keys.len(), &facets)?;
        if tags.len() != keys.len() {
            return Err(PyValueError::new_err("one tag per key is needed"));
        }
        let block = Block { rows, facets };
        let entries = (0..keys.len()).map(|at| (keys[at], tags[at], row_ends[at], facet_ends[at]));
        let gone = locked(&self.0).put(block, entries, stamp);
        Ok(gone.map(|gone| (PyBytes::new(py, gone.keys.as_flattened()).unbind(), gone.stamp)))
    }

    fn drop(&self, keys: &[u8]) -> PyResult<()> {
        locked(&self.0).drop_keys(keys_of(keys)?.iter().copied());
        Ok(())
    }

    fn size(&self) -> usize {
        locked(&self.0).size()
    }
}
