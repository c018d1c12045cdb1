//! `Lane`: the queue between the sockets and one pipeline thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyBlockingIOError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::delivery::Delivery;
use super::log::Log;
use super::texts::Texts;
use crate::delivery;
use crate::intake::Encoding;
use crate::lane::{self, Acknowledge, Decoding, Settings};
use crate::lift::Plan;
use crate::redact::Redact;
use crate::refusal::Refusal;
use crate::wire::Signal;

#[pyclass(frozen, module = "sojourn._native")]
pub struct Lane(pub Arc<lane::Lane>);

#[pymethods]
impl Lane {
    #[new]
    #[pyo3(signature = (*, texts, lift, flush_interval, flush_rows, flush_bytes, queue_bytes, decode=true, raw=false, log=None, redact=None))]
    #[allow(clippy::too_many_arguments)] // keywords of a constructor in Python
    fn new(
        texts: Option<&Texts>,
        lift: &str,
        flush_interval: f64,
        flush_rows: usize,
        flush_bytes: usize,
        queue_bytes: usize,
        decode: bool,
        raw: bool,
        log: Option<&Log>,
        redact: Option<&str>,
    ) -> PyResult<Self> {
        let decode = match (decode, texts) {
            (false, _) => None,
            (true, None) => return Err(PyValueError::new_err("a lane that decodes needs texts")),
            (true, Some(texts)) => Some(Decoding {
                plan: Arc::new(Plan::parse(lift).map_err(PyValueError::new_err)?),
                texts: Arc::clone(&texts.0),
            }),
        };
        let flush_interval = seconds(flush_interval)?;
        Ok(Self(Arc::new(lane::Lane::new(Settings {
            flush_interval,
            flush_rows,
            flush_bytes,
            queue_bytes,
            decode,
            raw,
            log: log.map(|log| Arc::clone(&log.0)),
            redact: redact.map(Redact::parse).transpose().map_err(PyValueError::new_err)?,
        }))))
    }

    fn next(&self, py: Python<'_>, timeout: f64) -> PyResult<Option<Delivery>> {
        let timeout = seconds(timeout)?;
        Ok(py.detach(|| self.0.next(timeout)).map(Delivery))
    }

    #[pyo3(signature = (signal, body, content_type, arrival, tenant="", durable=false))]
    #[allow(clippy::too_many_arguments)] // what a request is, and Python itself
    fn push(
        &self,
        py: Python<'_>,
        signal: &str,
        body: PyBackedBytes,
        content_type: &str,
        arrival: i64,
        tenant: &str,
        durable: bool,
    ) -> PyResult<()> {
        let signal = signal_named(signal)?;
        let encoding = Encoding::of(content_type).ok_or_else(|| {
            PyValueError::new_err(format!(
                "content type {content_type:?}: use {} or {}",
                Encoding::PROTOBUF,
                Encoding::JSON
            ))
        })?;
        py.detach(|| {
            let body = encoding.to_protobuf(signal, &body)?;
            let acknowledge = if durable { Acknowledge::Durable } else { Acknowledge::Received };
            let receipt = self.0.put(signal, &body, arrival, tenant, acknowledge)?;
            receipt.verdict.map_or(Ok(()), delivery::wait)
        })
        .map_err(|refusal| match refusal {
            Refusal::Later { .. } => PyBlockingIOError::new_err(refusal.to_string()),
            _ => PyValueError::new_err(refusal.to_string()),
        })
    }

    fn flush(&self) {
        self.0.flush();
    }

    fn wake(&self) {
        self.0.wake();
    }

    fn close(&self) {
        self.0.close();
    }

    fn stats(&self) -> HashMap<&'static str, f64> {
        let load = self.0.load();
        HashMap::from([
            ("queued_bytes", load.bytes as f64),
            ("queued_rows", load.rows as f64),
            ("capacity_bytes", load.capacity as f64),
            ("behind", f64::from(u8::from(load.behind))),
        ])
    }
}

pub fn signal_named(name: &str) -> PyResult<Signal> {
    Signal::named(name).ok_or_else(|| PyValueError::new_err(format!("signal {name:?} is not known: use traces, logs or metrics")))
}

pub fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| PyValueError::new_err(format!("{value} is not a length of time in seconds")))
}
