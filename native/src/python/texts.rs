//! `Texts`: texts by their hash, shared by decoding threads and Python.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::texts;

#[pyclass(frozen, module = "sojourn._native")]
pub struct Texts(pub Arc<texts::Texts>);

#[pymethods]
impl Texts {
    #[new]
    fn new(budget: usize) -> Self {
        Self(Arc::new(texts::Texts::new(budget)))
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
