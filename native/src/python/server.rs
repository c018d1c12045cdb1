//! `Server`: OTLP over gRPC and HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::clock::Clock;
use super::keyring::Keyring;
use super::lane::{Lane, seconds, signal_named};
use crate::intake::Intake;
use crate::server::settings::Settings;
use crate::server::{self, Keyrings};

#[pyclass(frozen, module = "sojourn._native")]
pub struct Server(server::Server);

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (settings, lanes, clock, auth=HashMap::new()))]
    fn new(
        py: Python<'_>,
        settings: &str,
        lanes: HashMap<String, Vec<PyRef<'_, Lane>>>,
        clock: &Clock,
        auth: HashMap<String, PyRef<'_, Keyring>>,
    ) -> PyResult<Self> {
        let settings: Settings = serde_json::from_str(settings).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut by_signal: [Vec<_>; 3] = Default::default();
        for (signal, lanes) in &lanes {
            by_signal[signal_named(signal)? as usize] = lanes.iter().map(|lane| Arc::clone(&lane.0)).collect();
        }
        let of = |port| auth.get(port).map(|keyring| Arc::clone(&keyring.0));
        let keyrings = Keyrings {
            grpc: of("grpc"),
            http: of("http"),
        };
        let intake = Intake::new(by_signal, Arc::clone(&clock.0), settings.acknowledge);
        py.detach(|| server::Server::start(settings, intake, keyrings))
            .map(Self)
            .map_err(|failed| {
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

    fn reload_tls(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.0.reload_tls())?)
    }

    fn stats(&self) -> HashMap<String, f64> {
        self.0.samples().into_iter().collect()
    }
}
