//! The exemplars of points: single values that were measured, and the spans in which they were.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::ArrowError;

use crate::columns::{Offsets, Text};
use crate::digest;
use crate::finish::time;
use crate::maps::{Attributes, attributes_of};
use crate::parts::{hex, list};
use crate::wire::{Broken, Fields};

/// Exemplars that are stored of a point.
const MAX_EXEMPLARS: usize = 4096;

#[derive(Default)]
pub struct Exemplars {
    attributes: Attributes,
    times: Vec<i64>,
    values: Vec<f64>,
    spans: Text,
    traces: Text,
    ends: Offsets,
}

pub struct ExemplarsMark {
    rows: usize,
    words: u32,
}

impl Exemplars {
    /// Adds one to the point under construction; gives what it adds to the point's digest.
    pub fn add(&mut self, message: &[u8]) -> Result<u64, Broken> {
        if self.times.len() - self.ends.last() >= MAX_EXEMPLARS {
            return Ok(digest::text(message));
        }
        let (mut time, mut value, mut span, mut trace) = (0, 0.0, &[][..], &[][..]);
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.take()? {
            match number {
                2 => time = field.fixed64()?,
                3 => value = f64::from_bits(field.fixed64()?),
                4 => span = field.bytes()?,
                5 => trace = field.bytes()?,
                6 => value = field.fixed64()? as i64 as f64,
                _ => {}
            }
        }
        let mut sum = 0u64;
        attributes_of(&mut self.attributes, message, 7, |key, value| {
            let mut text = Vec::new();
            let _ = value.write(&mut text); // what cannot be written is refused where it is stored
            sum = sum.wrapping_add(digest::attribute(key, value, &text));
        })?;
        self.times.push(i64::try_from(time).unwrap_or(i64::MAX));
        self.values.push(value);
        id(&mut self.spans, span, 8);
        id(&mut self.traces, trace, 16);
        Ok(digest::parts([
            time,
            digest::number(value),
            digest::text(span),
            digest::text(trace),
            sum,
        ]))
    }

    /// Ends the exemplars of a point.
    #[inline]
    pub fn end(&mut self) {
        self.ends.push(self.times.len());
    }

    pub fn mark(&self) -> ExemplarsMark {
        ExemplarsMark {
            rows: self.ends.len(),
            words: self.attributes.words(),
        }
    }

    pub fn truncate(&mut self, mark: &ExemplarsMark) {
        self.ends.truncate(mark.rows);
        let exemplars = self.ends.last();
        self.attributes.truncate((exemplars, mark.words));
        self.times.truncate(exemplars);
        self.values.truncate(exemplars);
        self.spans.truncate(exemplars);
        self.traces.truncate(exemplars);
    }

    pub fn bytes(&self) -> usize {
        self.attributes.bytes() + 16 * self.times.len() + self.spans.bytes() + self.traces.bytes() + self.ends.bytes()
    }

    pub fn finish(self) -> Result<[(&'static str, ArrayRef); 5], ArrowError> {
        let ends = self.ends.finish(self.times.len())?;
        let lists = |items: ArrayRef| list(ends.clone(), items);
        Ok([
            ("Exemplars.FilteredAttributes", lists(self.attributes.finish()?)?),
            ("Exemplars.TimeUnix", lists(time(self.times))?),
            ("Exemplars.Value", lists(Arc::new(Float64Array::from(self.values)))?),
            ("Exemplars.SpanId", lists(Arc::new(self.spans.finish()?))?),
            ("Exemplars.TraceId", lists(Arc::new(self.traces.finish()?))?),
        ])
    }
}

/// An id in hex; one of a wrong length, or of zeros alone, is none.
fn id(column: &mut Text, bytes: &[u8], length: usize) {
    if bytes.len() == length && bytes.iter().any(|&byte| byte != 0) {
        hex(bytes, &mut column.values);
    }
    column.close();
}
