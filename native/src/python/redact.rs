//! `redact`: what a lane does to requests before it looks at them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::lane::signal_named;
use crate::redact::Redact;

/// See `sojourn/_native.pyi`.
#[pyfunction]
pub fn redact<'py>(py: Python<'py>, plan: &str, signal: &str, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let plan = Redact::parse(plan).map_err(PyValueError::new_err)?;
    let masked = plan.apply(signal_named(signal)?, body);
    let masked = masked.map_err(|refusal| PyValueError::new_err(refusal.to_string()))?;
    Ok(PyBytes::new(py, &masked))
}
