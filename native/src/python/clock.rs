//! `Clock`: the system's, or one that tests set by hand.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::clock;

#[pyclass(frozen, module = "sojourn._native")]
pub struct Clock(pub Arc<clock::Clock>);

#[pymethods]
impl Clock {
    #[new]
    #[pyo3(signature = (fixed=None))]
    fn new(fixed: Option<i64>) -> Self {
        Self(Arc::new(fixed.map_or(clock::Clock::System, clock::Clock::fixed)))
    }

    fn now(&self) -> i64 {
        self.0.now()
    }

    fn set(&self, now: i64) -> PyResult<()> {
        if self.0.set(now) {
            Ok(())
        } else {
            Err(PyValueError::new_err(
                "the system's clock cannot be set: make one with Clock(fixed)",
            ))
        }
    }
}
