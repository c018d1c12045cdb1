//! Finished columns → the RecordBatch of `Delivery.logs()`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow_schema::ArrowError;

use super::Logs;
use crate::columns::{Text, Words, dictionary};
use crate::finish::{Facts, codes, ordered, records, time};
use crate::group::kind_words;
use crate::parts::{hex_digits, rows_of};
use crate::schema::{Fact, OTEL_LOGS};

/// Digits of a trace id.
const ID: usize = 32;

/// All columns in the order of the schema, then those that are never stored.
pub fn batch(mut logs: Logs) -> Result<RecordBatch, ArrowError> {
    let facts = Facts::of(&logs.facts, false);
    let blank = logs.traces.intern(b"");
    let only = |wanted: bool| -> Vec<u32> {
        let rows = facts.trace.iter().zip(&logs.log_traces);
        rows.map(|(&trace, &log_trace)| if log_trace == wanted { trace } else { blank })
            .collect()
    };
    let (traces, log_traces) = (only(false), only(true));
    let ids = ids(logs.traces)?;
    let [what, keys, values, facets] = logs.facets.finish()?;
    let mut spans = Text::default();
    for &span in &logs.spans {
        let digits = hex_digits(span);
        spans.push(if span == 0 { &[] } else { &digits });
    }
    let digests = UInt64Array::from_iter_values(logs.facts.iter().map(|fact| fact.digest));
    let mut columns = logs.sources.finish()?.columns(&logs.source_rows)?;
    columns.extend([
        ("Timestamp", time(facts.start)),
        ("TraceId", dictionary(traces, Arc::clone(&ids))?),
        ("LogTrace", dictionary(log_traces, Arc::clone(&ids))?),
        ("_trace", dictionary(facts.trace, ids)?),
        ("SpanId", Arc::new(spans.finish()?) as ArrayRef),
        ("TraceFlags", Arc::new(UInt8Array::from(logs.trace_flags))),
        ("SeverityText", logs.severity_texts.finish()?),
        ("SeverityNumber", Arc::new(UInt8Array::from(logs.severities))),
        ("Body", Arc::new(logs.bodies.finish()?)),
        ("LogAttributes", logs.attributes.finish()?),
        ("EventName", logs.event_names.finish()?),
        ("Event", logs.events.finish()?),
        ("SessionId", logs.sessions.finish()?),
        ("IdClass", Arc::new(UInt8Array::from(facts.id_class))),
        ("Kind", codes(facts.kind, &kind_words())?),
        ("Model", logs.models.finish()?),
        ("Provider", logs.providers.finish()?),
        ("Tool", logs.tools.finish()?),
        ("UserId", logs.users.finish()?),
        ("ResponseId", logs.responses.finish()?),
        ("InputTokens", Arc::new(UInt32Array::from(facts.input_tokens))),
        ("OutputTokens", Arc::new(UInt32Array::from(facts.output_tokens))),
        ("CacheReadTokens", Arc::new(UInt32Array::from(facts.cache_read))),
        ("CacheWriteTokens", Arc::new(UInt32Array::from(facts.cache_write))),
        ("ReasoningTokens", Arc::new(UInt32Array::from(facts.reasoning))),
        ("CostPico", Arc::new(Int64Array::from(facts.cost))),
        ("CostSource", Arc::new(UInt8Array::from(facts.cost_source))),
        ("TimeToFirstTokenNs", Arc::new(UInt64Array::from(logs.first_tokens))),
        ("Input", logs.inputs.finish()?),
        ("Output", logs.outputs.finish()?),
        ("Facets.What", what),
        ("Facets.Key", keys),
        ("Facets.Value", values),
        ("Flags", Arc::new(UInt32Array::from(facts.flags))),
        ("Arrival", time(facts.arrival)),
        ("Digest", Arc::new(digests)),
        ("_fact", rows_of(facts.packed, Fact::SIZE)?),
        ("_facets", facets),
        ("_total_tokens", Arc::new(Int64Array::from(logs.totals))),
    ]);
    let names: Vec<&str> = OTEL_LOGS
        .into_iter()
        .chain(["_fact", "_facets", "_total_tokens", "_trace"])
        .collect();
    records(ordered(&names, &columns)?)
}

/// Trace ids, apart from the names of tenants behind them.
fn ids(traces: Words) -> Result<ArrayRef, ArrowError> {
    if (0..traces.len()).all(|word| traces.get(word).len() <= ID) {
        return traces.finish();
    }
    let mut texts = Text::default();
    for word in 0..traces.len() {
        let text = traces.get(word);
        texts.push(&text[..text.len().min(ID)]);
    }
    Ok(Arc::new(texts.finish()?))
}
