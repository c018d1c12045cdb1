//! `facts`: stored rows, packed again.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::arrow::{Arrow, import};
use super::texts::Texts;

#[pyfunction]
pub fn facts(records: &Bound<'_, PyAny>, texts: &Texts) -> PyResult<Arrow> {
    let py = records.py();
    let records = import(records)?;
    let packed = py.detach(|| crate::facts::facts(&records, &texts.0));
    Ok(Arrow::from(packed.map_err(PyValueError::new_err)?))
}
