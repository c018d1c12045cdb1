//! `ExportTraceServiceRequest` → columns, in one pass over the bytes.
//!
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>

mod marks;
mod row;

use marks::Marks;
use xxhash_rust::xxh3::Xxh3;

use crate::bounds::{self, Window};
use crate::group::{Columns, Taken};
use crate::lift::{Found, Plan, Reader};
use crate::maps::{MAX_ATTRIBUTES, attributes_of, store};
use crate::schema::flags;
use crate::sources::{Names, Owner};
use crate::values::key_value;
use crate::wire::{Broken, Fields, each, merged};

const MAX_EVENTS: usize = 4096;
const MAX_LINKS: usize = 1024;
/// Numbers of the fields of a span that are read.
const KNOWN: u32 = 0b1010_1011_1111_1110;

/// Adds the spans of a request to the columns. On an error they hold a part of it, which the caller cuts off.
pub fn decode(plan: &Plan, columns: &mut Columns, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Broken> {
    let number = columns.tenants.begin(tenant, columns.facts.len());
    columns.traces.begin(number);
    let limit = bounds::memory(columns.bytes(), body.len());
    let mut request = Request {
        plan,
        tenant,
        columns,
        found: Found::default(),
        marks: Marks::default(),
        window: Window::around(arrival, plan.max_future_skew),
        limit,
        taken: 0,
        rejected: 0,
    };
    each(body, 1, |resource_spans| request.resource_spans(resource_spans))?;
    Ok(request.answer())
}

struct Request<'a, 'g> {
    plan: &'g Plan,
    tenant: &'g str,
    columns: &'g mut Columns,
    found: Found<'a>,
    marks: Marks<'a>,
    window: Window,
    limit: usize,
    taken: u64,
    rejected: u64,
}

/// What all spans of a resource and scope share.
struct Source {
    owner: Owner,
    scope: u32,
    scope_version: u32,
    /// Has seen the bytes of resource and scope.
    digest: Xxh3,
}

/// One span's fields, apart from those that went into the columns at once.
#[derive(Default)]
struct Span<'a> {
    trace: &'a [u8],
    id: &'a [u8],
    parent: &'a [u8],
    state: &'a [u8],
    name: &'a [u8],
    kind: u64,
    start: u64,
    end: u64,
    status: u64,
    message: &'a [u8],
}

impl<'a> Request<'a, '_> {
    fn answer(self) -> Taken {
        let message = match self.rejected {
            0 => String::new(),
            count => format!("{count} spans have no valid id: a trace id has 16 bytes, a span id 8, and not all of them are zero"),
        };
        Taken {
            items: self.taken,
            rejected: self.rejected,
            message,
        }
    }

    fn resource_spans(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        let resource = merged(message, 1)?;
        let mut source = self.source(&resource)?;
        let digest = source.digest.clone();
        each(message, 2, |scope_spans| {
            source.digest = digest.clone();
            self.scope_spans(&mut source, scope_spans)
        })
    }

    fn source(&mut self, message: &[u8]) -> Result<Source, Broken> {
        let columns = &mut *self.columns;
        let names = Names {
            resources: &mut columns.resources,
            services: &mut columns.services.words,
            projects: &mut columns.projects.words,
            keys: &mut columns.keys,
        };
        let mut digest = Xxh3::new();
        digest.update(message);
        Ok(Source {
            owner: Owner::read(self.plan, names, self.tenant, message)?,
            scope: 0,
            scope_version: 0,
            digest,
        })
    }

    fn scope_spans(&mut self, source: &mut Source, message: &'a [u8]) -> Result<(), Broken> {
        let scope = merged(message, 1)?;
        source.digest.update(&scope);
        (source.scope, source.scope_version) = (0, 0);
        let mut fields = Fields::of(&scope);
        while let Some((number, value)) = fields.take()? {
            match number {
                1 => source.scope = self.columns.scopes.words.intern(value.bytes()?),
                2 => source.scope_version = self.columns.scope_versions.words.intern(value.bytes()?),
                _ => {}
            }
        }
        each(message, 2, |span| self.span(source, span))
    }

    fn span(&mut self, source: &Source, message: &'a [u8]) -> Result<(), Broken> {
        if self.taken.is_multiple_of(64) && self.columns.bytes() > self.limit {
            return Err(Broken::TooLarge);
        }
        self.found.clear();
        self.marks.clear();
        self.found.flag(source.owner.truncated);
        self.columns.attributes.start();
        let span = self.fields(message)?;
        match ids(&span) {
            Some(ids) => {
                self.row(source, &span, ids, message);
                self.taken += 1;
            }
            None => {
                self.columns.attributes.drop_open();
                self.columns.events.drop_open();
                self.columns.links.drop_open();
                self.rejected += 1;
            }
        }
        Ok(())
    }

    /// Tags are number << 3 | wire type: 0x4a is field 9, attributes.
    fn fields(&mut self, message: &'a [u8]) -> Result<Span<'a>, Broken> {
        let mut span = Span::default();
        let mut position = 0;
        let mut fields = Fields::of(message);
        while let Some(tag) = fields.tag()? {
            match tag {
                0x4a => {
                    self.attribute(position, fields.bytes()?)?;
                    position += 1;
                }
                0x0a => span.trace = fields.bytes()?,
                0x12 => span.id = fields.bytes()?,
                0x1a => span.state = fields.bytes()?,
                0x22 => span.parent = fields.bytes()?,
                0x2a => span.name = fields.bytes()?,
                0x30 => span.kind = fields.varint()?,
                0x39 => span.start = fields.fixed64()?,
                0x41 => span.end = fields.fixed64()?,
                0x5a => self.event(fields.bytes()?)?,
                0x6a => self.link(fields.bytes()?)?,
                0x7a => status(&mut span, fields.bytes()?)?,
                _ => fields.skip(tag, KNOWN)?,
            }
        }
        Ok(span)
    }

    #[inline]
    fn attribute(&mut self, position: usize, pair: &'a [u8]) -> Result<(), Broken> {
        let (key, value) = key_value(pair)?;
        let Columns { attributes, lifts, .. } = &mut *self.columns;
        let word = attributes.key(position, key);
        if word >= lifts.known() {
            lifts.learn(self.plan, key, Reader::Spans);
        }
        if !attributes.first(word) {
            return Ok(());
        }
        for entry in lifts.of(word) {
            self.found.take(self.plan, entry, key, &value);
        }
        if attributes.open() < MAX_ATTRIBUTES {
            self.found.flag(store(attributes, word, &value)?);
        } else {
            self.found.flag(flags::TRUNCATED);
        }
        Ok(())
    }

    fn event(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        let number = self.columns.events.open();
        if number >= MAX_EVENTS {
            self.found.flag(flags::TRUNCATED);
            return Ok(());
        }
        let (mut time, mut name) = (0, &[][..]);
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            match number {
                1 => time = value.fixed64()?,
                2 => name = value.bytes()?,
                _ => {}
            }
        }
        let (time, bad) = self.window.clamp(time);
        self.found.flag(bad | if name == b"exception" { flags::ERROR } else { 0 });
        let events = &mut self.columns.events;
        events.times.push(time);
        events.names.push(name);
        let (uses, mark) = (self.plan.event(name), self.plan.mark(name));
        if self.plan.is_first_token(uses) {
            self.found.first_event(time);
        }
        if mark != 0 {
            self.found.flag(mark);
            self.marks.add(name, time);
        }
        let flag = attributes_of(&mut events.attributes, message, 3, |key, value| {
            if !uses.is_empty() {
                self.found.take_event(self.plan, uses, number as u32, key, value);
            }
            if mark != 0 {
                self.marks.attribute(self.plan, key, value);
            }
        })?;
        self.found.flag(flag);
        Ok(())
    }

    fn link(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        if self.columns.links.open() >= MAX_LINKS {
            self.found.flag(flags::TRUNCATED);
            return Ok(());
        }
        let (mut trace, mut span, mut state) = (&[][..], &[][..], &[][..]);
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            match number {
                1 => trace = value.bytes()?,
                2 => span = value.bytes()?,
                3 => state = value.bytes()?,
                _ => {}
            }
        }
        let links = &mut self.columns.links;
        links.push(trace, span, state);
        self.found.flag(attributes_of(&mut links.attributes, message, 4, |_, _| {})?);
        Ok(())
    }
}

fn status<'a>(span: &mut Span<'a>, message: &'a [u8]) -> Result<(), Broken> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        match number {
            2 => span.message = value.bytes()?,
            3 => span.status = value.varint()?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether decoding makes a row of this span, and does not reject it.
pub fn is_row(message: &[u8]) -> Result<bool, Broken> {
    let mut span = Span::default();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        match number {
            1 => span.trace = value.bytes()?,
            2 => span.id = value.bytes()?,
            4 => span.parent = value.bytes()?,
            _ => {}
        }
    }
    Ok(ids(&span).is_some())
}

/// Trace, span and parent id (0 for a root), if they are valid.
fn ids(span: &Span<'_>) -> Option<([u8; 16], u64, u64)> {
    let trace: [u8; 16] = span.trace.try_into().ok()?;
    let id = u64::from_be_bytes(span.id.try_into().ok()?);
    let parent = if span.parent.is_empty() {
        0
    } else {
        u64::from_be_bytes(span.parent.try_into().ok()?)
    };
    (trace != [0; 16] && id != 0).then_some((trace, id, parent))
}
