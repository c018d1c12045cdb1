//! `encode_native`: Arrow → ClickHouse.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arrow;
use crate::block;

/// See `sojourn/_native.pyi`.
#[pyfunction]
pub fn encode_native<'py>(
    py: Python<'py>,
    records: &Bound<'py, PyAny>,
    columns: Vec<(String, String)>,
    compress: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let records = arrow::import(records)?;
    let bytes = py
        .detach(|| block::encode(&records, &columns, compress))
        .map_err(PyValueError::new_err)?;
    Ok(PyBytes::new(py, &bytes))
}
