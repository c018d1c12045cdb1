//! Finished columns → the RecordBatch of `Delivery.traces()`.

use std::sync::Arc;

use arrow_array::types::TimestampNanosecondType;
use arrow_array::{ArrayRef, Int64Array, PrimitiveArray, RecordBatch, StringArray, UInt8Array, UInt32Array, UInt64Array};
use arrow_schema::{ArrowError, Field, Schema};

use crate::columns::{Text, dictionary};
use crate::group::{Columns, SPAN_KINDS, STATUS_CODES, kind_words};
use crate::parts::{hex_digits, rows_of};
use crate::schema::{Fact, KINDS, NO_KIND, OTEL_TRACES};

/// All columns in the order of the schema, then those that are never stored.
pub fn batch(columns: Columns) -> Result<RecordBatch, ArrowError> {
    let facts = Facts::of(&columns.facts, true);
    let rows = columns.facts.len();
    let traces = columns.traces.finish()?;
    let [event_times, event_names, event_attributes] = columns.events.finish()?;
    let [link_traces, link_spans, link_states, link_attributes] = columns.links.finish()?;
    let [what, keys, values, facets] = columns.facets.finish()?;
    let arrays: Vec<ArrayRef> = vec![
        time(facts.start),
        dictionary(facts.trace, traces)?,
        Arc::new(facts.span.finish()?),
        Arc::new(facts.parent.finish()?),
        Arc::new(columns.states.finish()?),
        columns.names.finish()?,
        codes(columns.span_kinds, &SPAN_KINDS)?,
        columns.services.finish()?,
        columns.resources.finish()?,
        columns.scopes.finish()?,
        columns.scope_versions.finish()?,
        columns.attributes.finish()?,
        Arc::new(UInt64Array::from(facts.duration)),
        codes(columns.statuses, &STATUS_CODES)?,
        Arc::new(columns.messages.finish()?),
        event_times,
        event_names,
        event_attributes,
        link_traces,
        link_spans,
        link_states,
        link_attributes,
        columns.tenants.finish(rows)?,
        columns.projects.finish()?,
        columns.sessions.finish()?,
        Arc::new(UInt8Array::from(facts.id_class)),
        codes(facts.kind, &kind_words())?,
        columns.models.finish()?,
        columns.providers.finish()?,
        columns.tools.finish()?,
        columns.users.finish()?,
        columns.responses.finish()?,
        Arc::new(UInt32Array::from(facts.input_tokens)),
        Arc::new(UInt32Array::from(facts.output_tokens)),
        Arc::new(UInt32Array::from(facts.cache_read)),
        Arc::new(UInt32Array::from(facts.cache_write)),
        Arc::new(UInt32Array::from(facts.reasoning)),
        Arc::new(Int64Array::from(facts.cost)),
        Arc::new(UInt8Array::from(facts.cost_source)),
        Arc::new(UInt64Array::from(columns.first_tokens)),
        columns.inputs.finish()?,
        columns.outputs.finish()?,
        what,
        keys,
        values,
        Arc::new(UInt32Array::from(facts.flags)),
        time(facts.arrival),
        rows_of(facts.version, 16)?,
        rows_of(facts.packed, Fact::SIZE)?,
        facets,
        Arc::new(Int64Array::from(columns.totals)),
    ];
    let names = OTEL_TRACES.into_iter().chain(["_fact", "_facets", "_total_tokens"]);
    records(names.map(str::to_string).zip(arrays).collect())
}

/// Columns as a batch; none of them has nulls.
pub fn records(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let (names, arrays): (Vec<String>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let fields: Vec<Field> = names
        .into_iter()
        .zip(&arrays)
        .map(|(name, array)| Field::new(name, array.data_type().clone(), false))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// The columns of a table in the order of its schema. An error if one is missing.
pub fn ordered(names: &[&str], columns: &[(&'static str, ArrayRef)]) -> Result<Vec<(String, ArrayRef)>, ArrowError> {
    let find = |name: &&str| {
        let found = columns.iter().find(|(of, _)| of == name);
        let (_, array) = found.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is missing")))?;
        debug_assert_eq!(array.null_count(), 0);
        Ok(((*name).to_string(), Arc::clone(array)))
    };
    names.iter().map(find).collect()
}

pub fn time(times: Vec<i64>) -> ArrayRef {
    Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(times.into(), None).with_timezone("UTC"))
}

pub fn codes(rows: Vec<u32>, words: &[&str]) -> Result<ArrayRef, ArrowError> {
    dictionary(rows, Arc::new(StringArray::from(words.to_vec())))
}

/// The columns that stand in the packed rows.
#[derive(Default)]
pub struct Facts {
    pub packed: Vec<u8>,
    pub start: Vec<i64>,
    pub duration: Vec<u64>,
    pub arrival: Vec<i64>,
    pub trace: Vec<u32>,
    pub flags: Vec<u32>,
    pub kind: Vec<u32>,
    pub id_class: Vec<u8>,
    pub cost_source: Vec<u8>,
    pub input_tokens: Vec<u32>,
    pub output_tokens: Vec<u32>,
    pub cache_read: Vec<u32>,
    pub cache_write: Vec<u32>,
    pub reasoning: Vec<u32>,
    pub cost: Vec<i64>,
    pub span: Text,
    pub parent: Text,
    pub version: Vec<u8>,
}

impl Facts {
    /// One pass: the rows are larger than the cache. Without `spans` the columns that only spans have stay empty.
    pub fn of(facts: &[Fact], spans: bool) -> Self {
        let mut columns = Self::with_capacity(facts.len());
        for fact in facts {
            columns.push(fact);
            if spans {
                columns.push_span(fact);
            }
        }
        columns
    }

    fn with_capacity(rows: usize) -> Self {
        Self {
            packed: Vec::with_capacity(rows * Fact::SIZE),
            ..Self::default()
        }
    }

    #[inline]
    fn push(&mut self, fact: &Fact) {
        self.packed.extend_from_slice(&fact.pack());
        self.start.push(fact.start);
        self.arrival.push(fact.arrival);
        self.trace.push(fact.trace);
        self.flags.push(fact.flags);
        self.kind.push(if fact.kind == NO_KIND {
            KINDS.len() as u32
        } else {
            u32::from(fact.kind)
        });
        self.id_class.push(fact.id_class);
        self.cost_source.push(fact.cost_source);
        self.input_tokens.push(fact.input_tokens);
        self.output_tokens.push(fact.output_tokens);
        self.cache_read.push(fact.cache_read);
        self.cache_write.push(fact.cache_write);
        self.reasoning.push(fact.reasoning);
        self.cost.push(fact.cost);
    }

    #[inline]
    fn push_span(&mut self, fact: &Fact) {
        self.duration.push(fact.end.abs_diff(fact.start));
        self.span.push(&hex_digits(fact.span));
        let parent = hex_digits(fact.parent);
        self.parent.push(if fact.parent == 0 { &[] } else { &parent });
        let version = u128::from(fact.sent_end) << 64 | u128::from(fact.digest);
        self.version.extend_from_slice(&version.to_le_bytes());
    }
}
