//! `ExportMetricsServiceRequest` → columns, one set for each kind of point, in one pass over the bytes.
//!
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>

mod columns;
mod exemplars;
mod finish;
mod numbers;
mod points;

use std::borrow::Cow;
use std::sync::Arc;

pub use columns::Metrics;
use columns::{Kind, Series};
pub use finish::batches;

use crate::bounds::{self, Window};
use crate::digest;
use crate::group::Taken;
use crate::lift::{Found, Plan};
use crate::sources::Owner;
use crate::wire::{Broken, Fields, each, last, merged};

/// Adds the points of a request to the columns. On an error they hold a part of it, which the caller cuts off.
pub fn decode(plan: &Plan, metrics: &mut Metrics, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Broken> {
    let mut request = Request {
        plan,
        tenant,
        limit: bounds::memory(metrics.bytes(), body.len()),
        metrics,
        found: Found::default(),
        window: Window::around(arrival, plan.max_future_skew),
        taken: 0,
    };
    each(body, 1, |resource_metrics| request.resource_metrics(resource_metrics))?;
    Ok(Taken {
        items: request.taken,
        ..Taken::default()
    })
}

struct Request<'a, 'g> {
    plan: &'g Plan,
    tenant: &'g str,
    metrics: &'g mut Metrics,
    found: Found<'a>,
    window: Window,
    limit: usize,
    taken: u64,
}

/// A scope of a resource, and its number once it has a point.
struct Scope<'s> {
    owner: &'s Arc<Owner>,
    resource_url: &'s [u8],
    message: Cow<'s, [u8]>,
    url: &'s [u8],
    number: Option<u32>,
}

/// A metric's own fields, and the message with its points.
#[derive(Default)]
struct Metric<'a> {
    name: &'a [u8],
    description: &'a [u8],
    unit: &'a [u8],
    data: Option<Data<'a>>,
}

/// The points of a metric: one message, or several of one kind, which count as one.
struct Data<'a> {
    kind: Kind,
    first: &'a [u8],
    more: Vec<&'a [u8]>,
}

impl<'a> Data<'a> {
    fn parts(&self) -> impl Iterator<Item = &'a [u8]> {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }
}

impl<'a> Request<'a, '_> {
    fn resource_metrics(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        let resource = merged(message, 1)?;
        let owner = self.metrics.sources.owner(self.plan, self.tenant, &resource)?;
        let resource_url = last(message, 3)?;
        each(message, 2, |scope_metrics| {
            let mut scope = Scope {
                owner: &owner,
                resource_url,
                message: merged(scope_metrics, 1)?,
                url: last(scope_metrics, 3)?,
                number: None,
            };
            each(scope_metrics, 2, |metric| self.metric(&mut scope, metric))
        })
    }

    fn metric(&mut self, scope: &mut Scope<'_>, message: &'a [u8]) -> Result<(), Broken> {
        let metric = fields(message)?;
        let Some(data) = &metric.data else { return Ok(()) };
        let (temporality, monotonic) = accumulation(data)?;
        let mut series = None;
        for part in data.parts() {
            each(part, 1, |point| {
                let number = match series {
                    Some(number) => number,
                    None => *series.insert(self.series(scope, &metric, data.kind, temporality, monotonic)?),
                };
                self.point(number, data.kind, point)
            })?;
        }
        Ok(())
    }

    /// A series is one metric of one source: what its points share.
    fn series(&mut self, scope: &mut Scope<'_>, metric: &Metric<'_>, kind: Kind, temporality: i32, monotonic: bool) -> Result<u32, Broken> {
        let metrics = &mut *self.metrics;
        let source = match scope.number {
            Some(number) => number,
            None => *scope
                .number
                .insert(metrics.sources.add(scope.owner, scope.resource_url, &scope.message, scope.url)?),
        };
        let texts = [metric.name, metric.description, metric.unit].map(digest::text);
        let digest = digest::parts([
            metrics.sources.get(source).digest,
            texts[0],
            texts[1],
            texts[2],
            u64::from(kind.field()),
            temporality as u64,
            u64::from(monotonic),
        ]);
        metrics.series.push(Series {
            source,
            name: metrics.names.intern(metric.name),
            description: metrics.descriptions.intern(metric.description),
            unit: metrics.units.intern(metric.unit),
            temporality,
            monotonic,
            digest,
        });
        Ok(metrics.series.len() as u32 - 1)
    }

    fn point(&mut self, series: u32, kind: Kind, point: &'a [u8]) -> Result<(), Broken> {
        if self.taken.is_multiple_of(64) && self.metrics.bytes() > self.limit {
            return Err(Broken::TooLarge);
        }
        let source = self.metrics.series[series as usize].source;
        self.metrics.repeated += self.metrics.sources.row_bytes(source);
        match kind {
            Kind::Gauge => self.gauge(series, point)?,
            Kind::Sum => self.sum(series, point)?,
            Kind::Histogram => self.histogram(series, point)?,
            Kind::Exponential => self.exponential(series, point)?,
            Kind::Summary => self.summary(series, point)?,
        }
        self.taken += 1;
        Ok(())
    }
}

/// The kind of the points of a metric: the number of its table, and its field. None if it has none.
pub fn kind(message: &[u8]) -> Result<Option<(usize, u32)>, Broken> {
    let data = fields(message)?.data;
    Ok(data.map(|data| (data.kind as usize, data.kind.field())))
}

/// Whether the points of some kind are in this field of a metric.
pub fn is_kind(field: u32) -> bool {
    Kind::of(field).is_some()
}

/// Of the kinds of points the last one counts, as for every `oneof`; messages of one kind are merged.
fn fields(message: &[u8]) -> Result<Metric<'_>, Broken> {
    let mut metric = Metric::default();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        match number {
            1 => metric.name = value.bytes()?,
            2 => metric.description = value.bytes()?,
            3 => metric.unit = value.bytes()?,
            _ => {
                let Some(kind) = Kind::of(number) else { continue };
                let part = value.bytes()?;
                match &mut metric.data {
                    Some(data) if data.kind == kind => data.more.push(part),
                    data => {
                        let (first, more) = (part, Vec::new());
                        *data = Some(Data { kind, first, more });
                    }
                }
            }
        }
    }
    Ok(metric)
}

/// Temporality, and whether the metric is monotonic.
fn accumulation(data: &Data<'_>) -> Result<(i32, bool), Broken> {
    let (mut temporality, mut monotonic) = (0, false);
    if matches!(data.kind, Kind::Gauge | Kind::Summary) {
        return Ok((temporality, monotonic));
    }
    for part in data.parts() {
        let mut fields = Fields::of(part);
        while let Some((number, value)) = fields.take()? {
            match number {
                2 => temporality = value.varint()? as i32,
                3 if data.kind == Kind::Sum => monotonic = value.varint()? != 0,
                _ => {}
            }
        }
    }
    Ok((temporality, monotonic))
}
