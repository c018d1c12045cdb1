//! What came in and what became of it, counted at the edge by signal and transport.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::refusal::Refusal;
use crate::wire::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Grpc,
    Http,
}

impl Transport {
    const ALL: [Self; 2] = [Self::Grpc, Self::Http];

    fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// Upper bounds of the latency buckets, in seconds.
const BOUNDS: [f64; 6] = [0.001, 0.01, 0.1, 1.0, 10.0, f64::INFINITY];
const OUTCOMES: [&str; 3] = ["success", "refused", "failed"];

#[derive(Default)]
struct Row {
    accepted: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
    requests: [AtomicU64; OUTCOMES.len()],
    buckets: [AtomicU64; BOUNDS.len()],
    nanoseconds: AtomicU64,
}

/// Counters since the start. Cheap to count, read when asked.
#[derive(Default)]
pub struct Meters {
    rows: [[Row; Transport::ALL.len()]; Signal::ALL.len()],
    connections: [AtomicU64; Transport::ALL.len()],
}

impl Meters {
    fn row(&self, signal: Signal, transport: Transport) -> &Row {
        &self.rows[signal as usize][transport as usize]
    }

    pub fn items(&self, signal: Signal, transport: Transport, accepted: u64, refused: u64) {
        let row = self.row(signal, transport);
        row.accepted.fetch_add(accepted, Ordering::Relaxed);
        row.refused.fetch_add(refused, Ordering::Relaxed);
    }

    pub fn bytes(&self, signal: Signal, transport: Transport, bytes: usize) {
        self.row(signal, transport).bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many connections are open now.
    pub fn connections(&self, transport: Transport, open: usize) {
        self.connections[transport as usize].store(open as u64, Ordering::Relaxed);
    }

    /// Counts an answer: "refused" may be sent again, "failed" may not.
    pub fn answered(&self, signal: Signal, transport: Transport, refusal: Option<&Refusal>, took: Duration) {
        let outcome = match refusal {
            None => 0,
            Some(Refusal::Later { .. }) => 1,
            Some(_) => 2,
        };
        self.count(signal, transport, outcome, 1, took);
    }

    /// Counts several successes that took equally long, since they were answered together.
    pub fn succeeded(&self, signal: Signal, transport: Transport, count: u64, took: Duration) {
        if count > 0 {
            self.count(signal, transport, 0, count, took);
        }
    }

    fn count(&self, signal: Signal, transport: Transport, outcome: usize, count: u64, took: Duration) {
        let row = self.row(signal, transport);
        row.requests[outcome].fetch_add(count, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len() - 1);
        row.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        row.nanoseconds.fetch_add(nanoseconds.saturating_mul(count), Ordering::Relaxed);
    }

    /// Prometheus samples: name with labels → value. Rows without any request are left out.
    pub fn samples(&self) -> Vec<(String, f64)> {
        let mut samples = Vec::new();
        for transport in Transport::ALL {
            let name = format!("sojourn_receiver_connections{{transport=\"{}\"}}", transport.name());
            samples.push((name, read(&self.connections[transport as usize])));
        }
        for signal in Signal::ALL {
            for transport in Transport::ALL {
                let row = self.row(signal, transport);
                if row.requests.iter().any(|count| count.load(Ordering::Relaxed) > 0) {
                    row.samples(signal, transport, &mut samples);
                }
            }
        }
        samples
    }
}

impl Row {
    fn samples(&self, signal: Signal, transport: Transport, samples: &mut Vec<(String, f64)>) {
        let (items, signal, transport) = (signal.items(), signal.name(), transport.name());
        let labels = format!("signal=\"{signal}\",transport=\"{transport}\"");
        for (what, count) in [("accepted", &self.accepted), ("refused", &self.refused)] {
            let name = format!("otelcol_receiver_{what}_{items}_total{{transport=\"{transport}\"}}");
            samples.push((name, read(count)));
        }
        for (outcome, count) in OUTCOMES.iter().zip(&self.requests) {
            let name = format!("otelcol_receiver_requests_total{{{labels},outcome=\"{outcome}\"}}");
            samples.push((name, read(count)));
        }
        samples.push((format!("sojourn_receiver_bytes_total{{{labels}}}"), read(&self.bytes)));
        let mut below = 0.0;
        for (bound, count) in BOUNDS.iter().zip(&self.buckets) {
            below += read(count);
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            samples.push((format!("sojourn_receiver_request_seconds_bucket{{{labels},le=\"{bound}\"}}"), below));
        }
        samples.push((format!("sojourn_receiver_request_seconds_count{{{labels}}}"), below));
        samples.push((
            format!("sojourn_receiver_request_seconds_sum{{{labels}}}"),
            read(&self.nanoseconds) / 1e9,
        ));
    }
}

fn read(count: &AtomicU64) -> f64 {
    count.load(Ordering::Relaxed) as f64
}
