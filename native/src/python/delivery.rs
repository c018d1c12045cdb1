//! `Delivery`: one group on its way through the pipeline.

use std::collections::HashMap;

use arrow_schema::ArrowError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arrow::Arrow;
use super::lane::seconds;
use crate::delivery;
use crate::group::Group;
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

    #[getter]
    fn logged(&self) -> bool {
        self.0.is_logged()
    }

    #[getter]
    fn replayed(&self) -> bool {
        self.0.is_replayed()
    }

    fn traces(&self, py: Python<'_>) -> PyResult<Option<Arrow>> {
        let records = py.detach(|| self.0.take(Group::traces).transpose()).map_err(unfinished)?;
        Ok(records.flatten().map(Arrow::from))
    }

    fn logs(&self, py: Python<'_>) -> PyResult<Option<Arrow>> {
        let records = py.detach(|| self.0.take(Group::logs).transpose()).map_err(unfinished)?;
        Ok(records.flatten().map(Arrow::from))
    }

    fn metrics(&self, py: Python<'_>) -> PyResult<HashMap<&'static str, Arrow>> {
        let tables = py.detach(|| self.0.take(Group::metrics).transpose()).map_err(unfinished)?;
        let arrows = tables.into_iter().flatten();
        Ok(arrows.map(|(table, records)| (table, Arrow::from(records))).collect())
    }

    fn raw<'py>(&self, py: Python<'py>) -> Vec<(&'static str, Bound<'py, PyBytes>)> {
        self.0.raw(|signal, body| (signal.name(), PyBytes::new(py, body)))
    }

    /// What the inserts of this group are told apart by.
    fn token(&self, py: Python<'_>, patience: f64) -> PyResult<Option<String>> {
        let patience = seconds(patience)?;
        Ok(py.detach(|| self.0.token(patience)))
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

fn unfinished(error: ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("cannot finish a group: {error}"))
}
