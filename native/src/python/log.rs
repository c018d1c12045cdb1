//! `Log`: the write-ahead log of a lane.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::lane::{Lane, signal_named};
use crate::log::{self, Failed, moving};

#[pyclass(frozen, module = "sojourn._native")]
pub struct Log(pub Arc<log::Log>);

#[pymethods]
impl Log {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, max_size: u64) -> PyResult<Self> {
        let opened = py.detach(|| log::Log::open(&path, max_size));
        opened.map(|log| Self(Arc::new(log))).map_err(|failed| match failed {
            Failed::Io(error) => PyOSError::new_err((error.raw_os_error(), error.to_string(), path)),
            Failed::Newer(file, version) => PyValueError::new_err(format!(
                "{}: is in format {version}, and this version of Sojourn knows {}",
                file.display(),
                log::FORMAT
            )),
        })
    }

    /// Hands everything to the lanes of its signal, whose logs keep it from then on. Gives how many requests could not be handed on.
    fn move_to(&self, py: Python<'_>, lanes: HashMap<String, Vec<PyRef<'_, Lane>>>) -> PyResult<u64> {
        let mut by_signal: [Vec<_>; 3] = Default::default();
        for (signal, lanes) in &lanes {
            by_signal[signal_named(signal)? as usize] = lanes.iter().map(|lane| Arc::clone(&lane.0)).collect();
        }
        Ok(py.detach(|| moving::move_to(&self.0, &by_signal)))
    }

    fn report(&self) -> HashMap<&'static str, u64> {
        let report = self.0.report;
        HashMap::from([
            ("requests", report.requests),
            ("bytes", report.bytes),
            ("damaged", report.damaged),
            ("unfinished", report.unfinished),
        ])
    }

    fn failing(&self) -> Option<String> {
        self.0.failing()
    }

    fn stats(&self) -> HashMap<&'static str, f64> {
        self.0.samples().into_iter().collect()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}
