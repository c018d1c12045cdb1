//! Stored rows of `otel_traces` or `otel_logs` → the packed rows that decoding and settling made of them, bit for bit but for the number of the trace.

mod read;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, Field, Schema};
use hashbrown::HashMap;
use read::{Lists, Texted, integers};

use crate::logs::sent;
use crate::parts::{list, rows_of};
use crate::schema::{Facet, Fact, KINDS, NO_KIND, NUMBERS};
use crate::texts::{Open, Texts};

/// `_fact` and `_facets` of the rows. The error names the column that is missing or of a wrong type.
pub fn facts(records: &RecordBatch, texts: &Texts) -> Result<RecordBatch, String> {
    let mut texts = texts.lock();
    let rows = records.num_rows();
    let mut facts = vec![Fact::default(); rows];
    numbers(records, &mut facts)?;
    let name = if records.column_by_name("LogTrace").is_some() {
        record_ids(records, &mut facts)?;
        "Event"
    } else {
        span_times(records, &mut facts)?;
        span_ids(records, &mut facts)?;
        "SpanName"
    };
    names(records, name, &mut texts, &mut facts)?;
    owners(records, &mut texts, &mut facts)?;
    let packed = facts.iter().flat_map(Fact::pack).collect();
    let (facets, ends) = facets(records, &mut texts)?;
    batch(packed, facets, ends).map_err(|error| error.to_string())
}

fn batch(facts: Vec<u8>, facets: Vec<u8>, ends: Vec<i32>) -> Result<RecordBatch, ArrowError> {
    let offsets = OffsetBuffer::new([0].into_iter().chain(ends).collect());
    let arrays = vec![rows_of(facts, Fact::SIZE)?, list(offsets, rows_of(facets, Facet::SIZE)?)?];
    let fields: Vec<Field> = ["_fact", "_facets"]
        .iter()
        .zip(&arrays)
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), false))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Sets a field of all rows from a column of integers.
fn set(records: &RecordBatch, name: &str, facts: &mut [Fact], put: impl Fn(&mut Fact, i64)) -> Result<(), String> {
    for (fact, value) in facts.iter_mut().zip(integers(records, name)?) {
        put(fact, value);
    }
    Ok(())
}

fn numbers(records: &RecordBatch, facts: &mut [Fact]) -> Result<(), String> {
    set(records, "Timestamp", facts, |fact, value| fact.start = value)?;
    set(records, "Arrival", facts, |fact, value| fact.arrival = value)?;
    set(records, "Flags", facts, |fact, value| fact.flags = value as u32)?;
    set(records, "IdClass", facts, |fact, value| fact.id_class = value as u8)?;
    set(records, "CostSource", facts, |fact, value| fact.cost_source = value as u8)?;
    set(records, "CostPico", facts, |fact, value| fact.cost = value)?;
    set(records, "InputTokens", facts, |fact, value| fact.input_tokens = value as u32)?;
    set(records, "OutputTokens", facts, |fact, value| fact.output_tokens = value as u32)?;
    set(records, "CacheReadTokens", facts, |fact, value| fact.cache_read = value as u32)?;
    set(records, "CacheWriteTokens", facts, |fact, value| fact.cache_write = value as u32)?;
    set(records, "ReasoningTokens", facts, |fact, value| fact.reasoning = value as u32)?;
    Ok(())
}

fn span_times(records: &RecordBatch, facts: &mut [Fact]) -> Result<(), String> {
    set(records, "Duration", facts, |fact, value| fact.end = fact.start.wrapping_add(value))?;
    for (fact, version) in facts.iter_mut().zip(read::versions(records, "Version")?) {
        (fact.digest, fact.sent_end) = (version as u64, (version >> 64) as u64);
    }
    Ok(())
}

/// A record is its own span: an instant, known by its digest, below the span that it names.
fn record_ids(records: &RecordBatch, facts: &mut [Fact]) -> Result<(), String> {
    set(records, "Digest", facts, |fact, value| fact.digest = value as u64)?;
    let (traces, log_traces) = (Texted::of(records, "TraceId")?, Texted::of(records, "LogTrace")?);
    let spans = Texted::of(records, "SpanId")?;
    let tenants = Texted::of(records, "Tenant")?;
    let mut numbers = HashMap::new();
    for (row, fact) in facts.iter_mut().enumerate() {
        let trace = match traces.get(row) {
            b"" => log_traces.get(row),
            id => id,
        };
        let next = numbers.len() as u32;
        fact.trace = *numbers.entry((tenants.get(row), trace)).or_insert(next);
        (fact.span, fact.end) = (fact.digest, fact.start);
        fact.sent_end = sent(fact.start, fact.flags, fact.arrival);
        let alone = traces.get(row).is_empty(); // a span without its trace is none
        fact.parent = if alone { 0 } else { unhex(spans.get(row)) };
    }
    Ok(())
}

fn span_ids(records: &RecordBatch, facts: &mut [Fact]) -> Result<(), String> {
    let (traces, spans, parents) = (
        Texted::of(records, "TraceId")?,
        Texted::of(records, "SpanId")?,
        Texted::of(records, "ParentSpanId")?,
    );
    let tenants = Texted::of(records, "Tenant")?;
    let mut numbers = HashMap::new();
    for (row, fact) in facts.iter_mut().enumerate() {
        let next = numbers.len() as u32;
        fact.trace = *numbers.entry((tenants.get(row), traces.get(row))).or_insert(next);
        fact.span = unhex(spans.get(row));
        fact.parent = unhex(parents.get(row));
    }
    Ok(())
}

fn unhex(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    u64::from_str_radix(text, 16).unwrap_or_default()
}

fn names(records: &RecordBatch, name: &str, texts: &mut Open<'_>, facts: &mut [Fact]) -> Result<(), String> {
    type Put = fn(&mut Fact, u64);
    let columns: [(&str, Put); 10] = [
        (name, |fact, hash| fact.name = hash),
        ("UserId", |fact, hash| fact.user = hash),
        ("ServiceName", |fact, hash| fact.service = hash),
        ("ScopeName", |fact, hash| fact.scope = hash),
        ("Model", |fact, hash| fact.model = hash),
        ("Provider", |fact, hash| fact.provider = hash),
        ("Tool", |fact, hash| fact.tool = hash),
        ("ResponseId", |fact, hash| fact.response = hash),
        ("Input", |fact, hash| fact.input = hash),
        ("Output", |fact, hash| fact.output = hash),
    ];
    for (name, put) in columns {
        let hashes = Texted::of(records, name)?.hashes(texts);
        facts.iter_mut().zip(hashes).for_each(|(fact, hash)| put(fact, hash));
    }
    let kinds = Texted::of(records, "Kind")?;
    for (row, fact) in facts.iter_mut().enumerate() {
        let code = KINDS.iter().position(|kind| kind.as_bytes() == kinds.get(row));
        fact.kind = code.map_or(NO_KIND, |code| code as u8);
    }
    Ok(())
}

/// Session and project: hashes of texts that stand in several columns.
fn owners(records: &RecordBatch, texts: &mut Open<'_>, facts: &mut [Fact]) -> Result<(), String> {
    let (tenants, projects, sessions) = (
        Texted::of(records, "Tenant")?,
        Texted::of(records, "Project")?,
        Texted::of(records, "SessionId")?,
    );
    for (row, fact) in facts.iter_mut().enumerate() {
        let project = [tenants.get(row), b"\0", projects.get(row)].concat();
        fact.project = texts.intern(&String::from_utf8_lossy(&project));
        if !sessions.get(row).is_empty() {
            let session = [&project, &b"\0"[..], sessions.get(row)].concat();
            fact.session = texts.intern(&String::from_utf8_lossy(&session));
        }
    }
    Ok(())
}

fn facets(records: &RecordBatch, texts: &mut Open<'_>) -> Result<(Vec<u8>, Vec<i32>), String> {
    let what = Lists::of(records, "Facets.What")?;
    let (keys, values) = (Lists::of(records, "Facets.Key")?, Lists::of(records, "Facets.Value")?);
    if what.ends != keys.ends || what.ends != values.ends {
        return Err("columns Facets.*: their lists differ in length".to_string());
    }
    let codes = what.integers()?;
    let (keys, values) = (keys.texts()?.hashes(texts), values.texts()?);
    let numbers: Vec<Option<i64>> = codes.iter().enumerate().map(|(at, &what)| number(what, values.get(at))).collect();
    let values = values.hashes(texts);
    let mut packed = Vec::with_capacity(codes.len() * Facet::SIZE);
    for (((what, key), hash), number) in codes.into_iter().zip(keys).zip(values).zip(numbers) {
        let (what, value) = (what as u32, number.map_or(hash, |number| number as u64));
        packed.extend_from_slice(
            &Facet {
                what,
                spare: 0,
                key,
                value,
            }
            .pack(),
        );
    }
    Ok((packed, what.ends))
}

/// The value of a facet that is a number; None for the others.
fn number(what: i64, text: &[u8]) -> Option<i64> {
    let is_number = NUMBERS.iter().any(|&known| i64::from(known) == what);
    is_number.then(|| {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    })
}
