//! `sift`: what is left of a request when rows were dropped or changed.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::lane::signal_named;
use crate::sift::Sieve;
use crate::wire::Bad;

/// See `sojourn/_native.pyi`.
#[pyfunction]
pub fn sift<'py>(
    py: Python<'py>,
    signal: &str,
    body: &[u8],
    fates: Vec<PyBackedBytes>,
    next: Vec<usize>,
    wanted: u8,
) -> PyResult<(Bound<'py, PyBytes>, Vec<usize>)> {
    let fates = fates.iter().map(|fates| &fates[..]).collect();
    let less = false;
    let mut sieve = Sieve { fates, next, wanted, less };
    let left = sieve.apply(signal_named(signal)?, body);
    let left = left.map_err(|broken| PyValueError::new_err(Bad::from(broken).message))?;
    Ok((PyBytes::new(py, &left), sieve.next))
}
