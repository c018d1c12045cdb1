//! `ExportLogsServiceRequest` → columns, in one pass over the bytes.
//!
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto>

mod columns;
mod finish;
mod row;

use std::borrow::Cow;
use std::sync::Arc;

pub use columns::Logs;
pub use finish::batch;
pub use row::sent;

use crate::bounds::{self, Window};
use crate::digest;
use crate::group::Taken;
use crate::lift::records::{PREVIOUS_ID, Record, fulfils};
use crate::lift::{Found, LLM, Plan, Reader, SPAN};
use crate::maps::{MAX_ATTRIBUTES, store};
use crate::schema::flags;
use crate::sources::Owner;
use crate::values::{AnyValue, key_value};
use crate::wire::{Broken, Fields, each, last, merged};

/// Numbers of the fields of a log record that are read.
const KNOWN: u32 = 0b1_1111_0110_1110;

/// Adds the records of a request to the columns. On an error they hold a part of it, which the caller cuts off.
pub fn decode(plan: &Plan, logs: &mut Logs, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Broken> {
    logs.begin(tenant);
    let mut request = Request {
        plan,
        tenant,
        limit: bounds::memory(logs.bytes(), body.len()),
        logs,
        found: Found::default(),
        window: Window::around(arrival, plan.max_future_skew),
        attributes: 0,
        taken: 0,
    };
    each(body, 1, |resource_logs| request.resource_logs(resource_logs))?;
    Ok(Taken {
        items: request.taken,
        ..Taken::default()
    })
}

struct Request<'a, 'g> {
    plan: &'g Plan,
    tenant: &'g str,
    logs: &'g mut Logs,
    found: Found<'a>,
    window: Window,
    limit: usize,
    /// Digest of the attributes of the record in hand.
    attributes: u64,
    taken: u64,
}

/// One record's fields, apart from its attributes, which went into the columns at once.
#[derive(Default)]
struct Sent<'a> {
    time: u64,
    observed: u64,
    severity: u64,
    severity_text: &'a [u8],
    body: AnyValue<'a>,
    flags: u32,
    trace: &'a [u8],
    span: &'a [u8],
    event_name: &'a [u8],
    /// Attribute `event.name`.
    event: &'a [u8],
}

/// What the name of a record's event says about it.
#[derive(Default)]
struct Told<'a> {
    event: Cow<'a, [u8]>,
    kind: u8,
    /// Whether it tells a call as OpenTelemetry does, not in words of its own.
    generic: bool,
    previous: Option<Vec<u8>>,
}

impl Told<'_> {
    fn settle(&mut self, known: Option<&Record>, only: bool, found: &mut Found<'_>) {
        if let Some(known) = known.filter(|_| only) {
            self.kind = known.kind;
            found.flag(known.flags);
        }
    }
}

impl<'a> Request<'a, '_> {
    fn resource_logs(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        let resource = merged(message, 1)?;
        let owner = self.logs.sources.owner(self.plan, self.tenant, &resource)?;
        let url = last(message, 3)?;
        each(message, 2, |scope_logs| self.scope_logs(&owner, url, scope_logs))
    }

    fn scope_logs(&mut self, owner: &Arc<Owner>, url: &[u8], message: &'a [u8]) -> Result<(), Broken> {
        let scope = merged(message, 1)?;
        let scope_url = last(message, 3)?;
        let mut source = None;
        each(message, 2, |record| {
            let number = match source {
                Some(number) => number,
                None => *source.insert(self.logs.sources.add(owner, url, &scope, scope_url)?),
            };
            self.record(number, record)
        })
    }

    fn record(&mut self, source: u32, message: &'a [u8]) -> Result<(), Broken> {
        if self.taken.is_multiple_of(64) && self.logs.bytes() > self.limit {
            return Err(Broken::TooLarge);
        }
        self.found.clear();
        self.attributes = 0;
        self.logs.attributes.start();
        let record = self.fields(message)?;
        let told = self.told(source, &record, message)?;
        self.row(source, &record, told)?;
        self.taken += 1;
        Ok(())
    }

    /// Tags are number << 3 | wire type: 0x32 is field 6, attributes.
    fn fields(&mut self, message: &'a [u8]) -> Result<Sent<'a>, Broken> {
        let mut record = Sent::default();
        let mut position = 0;
        let mut fields = Fields::of(message);
        while let Some(tag) = fields.tag()? {
            match tag {
                0x32 => {
                    self.attribute(&mut record, position, fields.bytes()?)?;
                    position += 1;
                }
                0x09 => record.time = fields.fixed64()?,
                0x10 => record.severity = fields.varint()?,
                0x1a => record.severity_text = fields.bytes()?,
                0x2a => record.body = AnyValue::parse(fields.bytes()?)?,
                0x45 => record.flags = fields.fixed32()?,
                0x4a => record.trace = fields.bytes()?,
                0x52 => record.span = fields.bytes()?,
                0x59 => record.observed = fields.fixed64()?,
                0x62 => record.event_name = fields.bytes()?,
                _ => fields.skip(tag, KNOWN)?,
            }
        }
        Ok(record)
    }

    #[inline]
    fn attribute(&mut self, record: &mut Sent<'a>, position: usize, pair: &'a [u8]) -> Result<(), Broken> {
        let (key, value) = key_value(pair)?;
        let Logs { attributes, lifts, .. } = &mut *self.logs;
        let word = attributes.key(position, key);
        if word >= lifts.known() {
            lifts.learn(self.plan, key, Reader::Records);
        }
        if !attributes.first(word) {
            return Ok(());
        }
        for entry in lifts.of(word) {
            self.found.take(self.plan, entry, key, &value);
        }
        match value {
            AnyValue::Text(text) if key == b"event.name" => record.event = text,
            _ if key == b"exception.type" || key == b"exception.message" => self.found.flag(flags::ERROR),
            _ => {}
        }
        if attributes.open() >= MAX_ATTRIBUTES {
            self.found.flag(flags::TRUNCATED);
            self.attributes = self.attributes.wrapping_add(digest::text(pair));
            return Ok(());
        }
        let (start, digest) = (attributes.values.values.len(), attributes.digest(word));
        self.found.flag(store(attributes, word, &value)?);
        let written = &attributes.values.values[start..];
        self.attributes = self.attributes.wrapping_add(digest::value(digest, &value, written));
        Ok(())
    }

    /// The name of the event, and what records of that name tell. Only for names that the plan knows the attributes are walked over again.
    fn told(&mut self, source: u32, record: &Sent<'a>, message: &'a [u8]) -> Result<Told<'a>, Broken> {
        let name = if record.event.is_empty() { record.event_name } else { record.event };
        let sources = &self.logs.sources;
        let event = self.plan.event_name(sources.scopes.get(sources.get(source).scope), name);
        let known = self.plan.record(&event);
        let generic = known.is_none() && self.plan.is_generic_call(&event);
        let mut told = Told {
            event,
            generic,
            kind: if generic { LLM } else { SPAN },
            previous: None,
        };
        let plan = self.plan;
        let uses = plan.event(&told.event);
        if uses.is_empty() && known.is_none_or(Record::is_told_by_its_name) {
            told.settle(known, true, &mut self.found);
            return Ok(told);
        }
        let mut only = known.is_none_or(|known| known.only.is_empty());
        each(message, 6, |pair| {
            let (key, value) = key_value(pair)?;
            self.found.take_event(plan, uses, 0, key, &value);
            if let Some(known) = known {
                only = only || fulfils(&known.only, key, &value);
                if known.flags & flags::SESSION_START != 0 && key == PREVIOUS_ID && told.previous.is_none() {
                    told.previous = self.plan.session_id(&value).map(|(id, _)| id.into_owned());
                }
            }
            Ok(())
        })?;
        if let AnyValue::Map(members) = record.body {
            each(members, 1, |pair| {
                let (key, value) = key_value(pair)?;
                self.found.take_event(plan, uses, 1, key, &value);
                Ok(())
            })?;
        }
        told.settle(known, only, &mut self.found);
        Ok(told)
    }
}
