//! Finished columns → the RecordBatches of `Delivery.metrics()`, one for each table that has rows.

use std::mem::take;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int32Array, PrimitiveArray, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow_schema::ArrowError;

use super::columns::{Kind, Lists, Metrics, Points, Series};
use crate::columns::dictionary;
use crate::finish::{ordered, records, time};
use crate::parts::list;
use crate::schema;
use crate::sources::Finished;

type Column = (&'static str, ArrayRef);

/// What the tables share.
struct Shared {
    sources: Finished,
    series: Vec<Series>,
    names: ArrayRef,
    descriptions: ArrayRef,
    units: ArrayRef,
}

/// Table → rows, in the order of the schema.
pub fn batches(metrics: Metrics) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
    let shared = Shared {
        sources: metrics.sources.finish()?,
        series: metrics.series,
        names: metrics.names.finish()?,
        descriptions: metrics.descriptions.finish()?,
        units: metrics.units.finish()?,
    };
    let points = [
        metrics.gauges,
        metrics.sums,
        metrics.histograms,
        metrics.exponentials,
        metrics.summaries,
    ];
    let tables = Kind::ALL.into_iter().zip(points).filter(|(_, points)| points.rows() > 0);
    tables
        .map(|(kind, points)| Ok((table(kind), batch(&shared, kind, points)?)))
        .collect()
}

fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge => "otel_metrics_gauge",
        Kind::Sum => "otel_metrics_sum",
        Kind::Histogram => "otel_metrics_histogram",
        Kind::Exponential => "otel_metrics_exponential_histogram",
        Kind::Summary => "otel_metrics_summary",
    }
}

fn columns_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Gauge => &schema::OTEL_METRICS_GAUGE,
        Kind::Sum => &schema::OTEL_METRICS_SUM,
        Kind::Histogram => &schema::OTEL_METRICS_HISTOGRAM,
        Kind::Exponential => &schema::OTEL_METRICS_EXPONENTIAL_HISTOGRAM,
        Kind::Summary => &schema::OTEL_METRICS_SUMMARY,
    }
}

fn batch(shared: &Shared, kind: Kind, mut points: Points) -> Result<RecordBatch, ArrowError> {
    let mut columns = own(kind, &mut points)?;
    columns.extend(common(shared, points)?);
    records(ordered(columns_of(kind), &columns)?)
}

/// The columns of every table of points.
fn common(shared: &Shared, points: Points) -> Result<Vec<Column>, ArrowError> {
    let series = || points.series.iter().map(|&series| &shared.series[series as usize]);
    let words = |values: &ArrayRef, word: fn(&Series) -> u32| dictionary(series().map(word).collect(), Arc::clone(values));
    let sources: Vec<u32> = series().map(|series| series.source).collect();
    let mut columns = shared.sources.columns(&sources)?;
    columns.extend([
        ("MetricName", words(&shared.names, |series| series.name)?),
        ("MetricDescription", words(&shared.descriptions, |series| series.description)?),
        ("MetricUnit", words(&shared.units, |series| series.unit)?),
        (
            "AggregationTemporality",
            Arc::new(Int32Array::from_iter_values(series().map(|series| series.temporality))),
        ),
        (
            "IsMonotonic",
            Arc::new(BooleanArray::from_iter(series().map(|series| Some(series.monotonic)))),
        ),
        ("Attributes", points.attributes.finish()?),
        ("StartTimeUnix", time(points.starts)),
        ("TimeUnix", time(points.times)),
        ("Flags", Arc::new(UInt32Array::from(points.flags))),
        ("SessionId", points.sessions.finish()?),
        ("IdClass", Arc::new(UInt8Array::from(points.id_classes))),
        ("Arrival", time(points.arrivals)),
        ("Digest", Arc::new(UInt64Array::from(points.digests))),
    ]);
    columns.extend(points.exemplars.finish()?);
    Ok(columns)
}

/// The columns that only this kind of points has; they are taken out.
fn own(kind: Kind, points: &mut Points) -> Result<Vec<Column>, ArrowError> {
    let value = doubles(&mut points.values);
    if let Kind::Gauge | Kind::Sum = kind {
        return Ok(vec![("Value", value)]);
    }
    let mut columns = vec![("Count", counts(&mut points.counts)), ("Sum", value)];
    if kind != Kind::Summary {
        columns.extend([("Min", doubles(&mut points.least)), ("Max", doubles(&mut points.greatest))]);
    }
    let [buckets, negative] = &mut points.buckets;
    let [bounds, more] = &mut points.numbers;
    match kind {
        Kind::Histogram => columns.extend([
            ("BucketCounts", lists::<UInt64Type>(buckets)?),
            ("ExplicitBounds", lists::<Float64Type>(bounds)?),
        ]),
        Kind::Exponential => columns.extend([
            ("Scale", whole(&mut points.scales)),
            ("ZeroCount", counts(&mut points.zeros)),
            ("PositiveOffset", whole(&mut points.offsets[0])),
            ("NegativeOffset", whole(&mut points.offsets[1])),
            ("PositiveBucketCounts", lists::<UInt64Type>(buckets)?),
            ("NegativeBucketCounts", lists::<UInt64Type>(negative)?),
        ]),
        _ => columns.extend([
            ("ValueAtQuantiles.Quantile", lists::<Float64Type>(bounds)?),
            ("ValueAtQuantiles.Value", lists::<Float64Type>(more)?),
        ]),
    }
    Ok(columns)
}

fn doubles(values: &mut Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(take(values)))
}

fn counts(values: &mut Vec<u64>) -> ArrayRef {
    Arc::new(UInt64Array::from(take(values)))
}

fn whole(values: &mut Vec<i32>) -> ArrayRef {
    Arc::new(Int32Array::from(take(values)))
}

fn lists<T: ArrowPrimitiveType>(lists: &mut Lists<T::Native>) -> Result<ArrayRef, ArrowError> {
    let ends = take(&mut lists.ends).finish(lists.items.len())?;
    list(ends, Arc::new(PrimitiveArray::<T>::new(take(&mut lists.items).into(), None)))
}
