//! `Server`: OTLP over gRPC and HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::clock::Clock;
use super::lane::{Lane, seconds, signal_named};
use crate::intake::Intake;
use crate::server;
use crate::server::settings::{Acknowledge, Settings};

#[pyclass(frozen, module = "sojourn._native")]
pub struct Server(server::Server);

#[pymethods]
impl Server {
    #[new]
    fn new(py: Python<'_>, settings: &str, lanes: HashMap<String, Vec<PyRef<'_, Lane>>>, clock: &Clock) -> PyResult<Self> {
        let settings: Settings = serde_json::from_str(settings).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut by_signal: [Vec<_>; 3] = Default::default();
        for (signal, lanes) in &lanes {
            by_signal[signal_named(signal)? as usize] = lanes.iter().map(|lane| Arc::clone(&lane.0)).collect();
        }
        let intake = Intake::new(by_signal, Arc::clone(&clock.0), settings.acknowledge == Acknowledge::Committed);
        py.detach(|| server::Server::start(settings, intake)).map(Self).map_err(|failed| {
            let error = failed.error;
            PyOSError::new_err((error.raw_os_error(), error.to_string(), failed.endpoint))
        })
    }

    #[getter]
    fn grpc(&self) -> Option<String> {
        self.0.grpc.as_ref().map(SocketAddr::to_string)
    }

    #[getter]
    fn http(&self) -> Option<String> {
        self.0.http.as_ref().map(SocketAddr::to_string)
    }

    fn stop(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(timeout)?;
        py.detach(|| self.0.stop(timeout));
        Ok(())
    }

    fn stats(&self) -> HashMap<String, f64> {
        self.0.samples().into_iter().collect()
    }
}
