//! `Delivery`: one group on its way through the pipeline.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arrow::Arrow;
use crate::delivery;
use crate::refusal::Refusal;

#[pyclass(frozen, module = "sojourn._native")]
pub struct Delivery(pub delivery::Delivery);

#[pymethods]
impl Delivery {
    #[getter]
    fn rows(&self) -> usize {
        self.0.rows
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes
    }

    #[getter]
    fn oldest(&self) -> i64 {
        self.0.oldest
    }

    fn traces(&self, py: Python<'_>) -> PyResult<Option<Arrow>> {
        py.detach(|| match self.0.group() {
            Some(group) if group.rows() > 0 => group.finish().map(|records| Some(Arrow::from(records))),
            _ => Ok(None),
        })
        .map_err(PyRuntimeError::new_err)
    }

    fn raw<'py>(&self, py: Python<'py>) -> Vec<(&'static str, Bound<'py, PyBytes>)> {
        self.0.raw(|signal, body| (signal.name(), PyBytes::new(py, body)))
    }

    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.settle(py, Ok(()))
    }

    #[pyo3(signature = (message, retry_after))]
    fn refuse(&self, py: Python<'_>, message: String, retry_after: Option<f64>) -> PyResult<()> {
        let refusal = match retry_after {
            None => Refusal::Never(message),
            Some(seconds) => Refusal::later(message, seconds),
        };
        self.settle(py, Err(refusal))
    }
}

impl Delivery {
    fn settle(&self, py: Python<'_>, outcome: delivery::Outcome) -> PyResult<()> {
        if py.detach(|| self.0.settle(outcome)) {
            Ok(())
        } else {
            Err(PyRuntimeError::new_err("this delivery was committed or refused before"))
        }
    }
}
