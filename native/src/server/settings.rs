//! What a server is told when it starts: JSON from the receiver's description.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::lane::Acknowledge;
use crate::wire::Signal;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub grpc: Option<Grpc>,
    pub http: Option<Http>,
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Largest request, before and after decompression.
    #[serde(default = "max_request_bytes")]
    pub max_request_bytes: usize,
    /// Threads that read, decode and answer.
    #[serde(default = "workers")]
    pub workers: usize,
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub max_connections: usize,
    pub max_concurrent_streams: u32,
    /// From a new connection to its first request.
    #[serde(deserialize_with = "seconds")]
    pub read_header_timeout: Duration,
    /// From the header of a request to the end of its body.
    #[serde(deserialize_with = "seconds")]
    pub read_timeout: Duration,
    /// Silence after which a connection is closed.
    #[serde(deserialize_with = "seconds")]
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_concurrent_streams: 256,
            read_header_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
        }
    }
}

/// Files in PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and those between it and an authority.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Authorities whose clients are let in. None: clients need no certificate.
    pub client_ca_file: Option<PathBuf>,
    #[serde(default)]
    pub min_version: Version,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Version {
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    pub endpoint: String,
    pub tls: Option<Tls>,
    /// In place of the common limit.
    pub max_request_bytes: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub endpoint: String,
    pub tls: Option<Tls>,
    /// Where each signal is taken; `/v1/…` if a signal is not told.
    #[serde(default)]
    pub paths: Paths,
    pub cors: Option<Cors>,
    /// In place of the common limit.
    pub max_request_bytes: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    pub traces: Option<Vec<String>>,
    pub logs: Option<Vec<String>>,
    pub metrics: Option<Vec<String>>,
}

impl Settings {
    /// Largest request of either transport.
    pub fn max_grpc_bytes(&self) -> usize {
        self.grpc
            .as_ref()
            .and_then(|grpc| grpc.max_request_bytes)
            .unwrap_or(self.max_request_bytes)
    }

    pub fn max_http_bytes(&self) -> usize {
        self.http
            .as_ref()
            .and_then(|http| http.max_request_bytes)
            .unwrap_or(self.max_request_bytes)
    }
}

impl Paths {
    pub fn of(&self, signal: Signal) -> Option<&[String]> {
        match signal {
            Signal::Traces => self.traces.as_deref(),
            Signal::Logs => self.logs.as_deref(),
            Signal::Metrics => self.metrics.as_deref(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    pub allowed_origins: Vec<String>,
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    #[serde(default)]
    pub exposed_headers: Vec<String>,
    /// Seconds that a browser may remember the answer; 0: the browser's own habit.
    #[serde(default)]
    pub max_age: u32,
}

fn max_request_bytes() -> usize {
    64 << 20
}

fn workers() -> usize {
    1
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
