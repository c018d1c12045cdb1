//! `ExportTraceServiceRequest` → columns, in one pass over the bytes.
//!
//! Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>

mod row;

use std::borrow::Cow;

use xxhash_rust::xxh3::Xxh3;

use crate::group::{Columns, Taken};
use crate::lift::{Found, Plan, Project, clean};
use crate::maps::{Attributes, Resource};
use crate::schema::flags;
use crate::values::{AnyValue, MAX_VALUE, key_value};
use crate::wire::{Broken, Fields, each};

/// Attributes that are stored per span, event, link and resource.
const MAX_ATTRIBUTES: usize = 1024;
const MAX_EVENTS: usize = 4096;
const MAX_LINKS: usize = 1024;
/// A request may take this much memory as columns, plus `UNFOLDED_RATIO` times its own size: resources repeat on every span.
const UNFOLDED: usize = 64 << 20;
const UNFOLDED_RATIO: usize = 16;
/// Numbers of the fields of a span that are read.
const KNOWN: u32 = 0b1010_1011_1111_1110;
const DAY: i64 = 24 * 3600 * 1_000_000_000;

/// Adds the spans of a request to the columns. On an error they hold a part of it, which the caller cuts off.
pub fn decode(plan: &Plan, columns: &mut Columns, body: &[u8], arrival: i64) -> Result<Taken, Broken> {
    let limit = columns.bytes() + UNFOLDED + UNFOLDED_RATIO * body.len();
    let mut request = Request {
        plan,
        columns,
        found: Found::default(),
        window: Window::around(arrival, plan.max_future_skew),
        limit,
        taken: 0,
        rejected: 0,
    };
    each(body, 1, |resource_spans| request.resource_spans(resource_spans))?;
    Ok(request.answer())
}

/// The times that are stored as they are, for one arrival.
struct Window {
    arrival: i64,
    first: i64,
    last: i64,
    skewed: i64,
}

impl Window {
    fn around(arrival: i64, skew: i64) -> Self {
        Self {
            arrival,
            first: arrival.saturating_sub(400 * DAY),
            last: arrival.saturating_add(DAY),
            skewed: arrival.saturating_add(skew),
        }
    }

    /// The time to store, and flags.
    #[inline]
    fn clamp(&self, sent: u64) -> (i64, u32) {
        let time = i64::try_from(sent).unwrap_or(i64::MAX);
        let bad = if (self.first..=self.last).contains(&time) {
            0
        } else {
            flags::BAD_TIME
        };
        let skew = if time > self.skewed { flags::CLOCK_SKEW } else { 0 };
        (time.clamp(self.first, self.last), bad | skew)
    }
}

struct Request<'a, 'g> {
    plan: &'g Plan,
    columns: &'g mut Columns,
    found: Found<'a>,
    window: Window,
    limit: usize,
    taken: u64,
    rejected: u64,
}

/// What all spans of a resource and scope share.
struct Source {
    resource: Resource,
    truncated: u32,
    service: u32,
    project: u32,
    /// Number of "tenant \0 project" in `Columns::keys`.
    project_key: u32,
    /// Session id, and whether it was shortened.
    session: Option<(Vec<u8>, bool)>,
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
        let mut digest = Xxh3::new();
        digest.update(message);
        let mut source = Source {
            resource: Resource::default(),
            truncated: 0,
            service: 0,
            project: 0,
            project_key: 0,
            session: None,
            scope: 0,
            scope_version: 0,
            digest,
        };
        self.columns.resources.start();
        let mut text = Vec::new();
        each(message, 1, |pair| {
            let (key, value) = key_value(pair)?;
            text.clear();
            source.truncated |= write_value(&value, &mut text)?;
            self.resource_attribute(&mut source, key, &value, &text);
            Ok(())
        })?;
        if let Project::Value(name) = &self.plan.project {
            source.project = self.columns.projects.words.intern(name.as_bytes());
        }
        let project_key = [b"\0", self.columns.projects.words.get(source.project)].concat();
        source.project_key = self.columns.keys.intern(&project_key);
        Ok(source)
    }

    fn resource_attribute(&mut self, source: &mut Source, key: &[u8], value: &AnyValue<'_>, text: &[u8]) {
        if source.resource.len() >= MAX_ATTRIBUTES {
            source.truncated |= flags::TRUNCATED;
            return;
        }
        if !self.columns.resources.entry(&mut source.resource, key, text) {
            return;
        }
        if key == b"service.name" {
            source.service = self.columns.services.words.intern(text);
        }
        if matches!(&self.plan.project, Project::Attribute(wanted) if wanted == key) {
            source.project = self.columns.projects.words.intern(clean::cut_bytes(text, 4096));
        }
        if self.plan.resource_session.iter().any(|wanted| wanted == key) {
            let id = clean::scalar(value).and_then(|id| self.plan.valid(id));
            let shortened = id.map(|id| clean::session_id(id, self.plan.id_max_length));
            source.session = source.session.take().or(shortened.map(|(id, cut)| (id.into_owned(), cut)));
        }
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
        self.found.flag(source.truncated);
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
            lifts.learn(self.plan, key);
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
        let lifted = self.plan.lifts_event(name);
        let flag = attributes_of(&mut events.attributes, message, 3, |key, value| {
            if lifted {
                self.found.take_event(self.plan, name, number as u32, key, value);
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

/// Stores the attributes of an event or link (field `number`), shows each to `look`, and gives flags back.
fn attributes_of<'a>(
    attributes: &mut Attributes,
    message: &'a [u8],
    number: u32,
    mut look: impl FnMut(&'a [u8], &AnyValue<'a>),
) -> Result<u32, Broken> {
    let (mut flag, mut position) = (0, 0);
    attributes.start();
    each(message, number, |pair| {
        let (key, value) = key_value(pair)?;
        look(key, &value);
        if attributes.open() >= MAX_ATTRIBUTES {
            flag |= flags::TRUNCATED;
            return Ok(());
        }
        let word = attributes.key(position, key);
        position += 1;
        if attributes.first(word) {
            flag |= store(attributes, word, &value)?;
        }
        Ok(())
    })?;
    attributes.end();
    Ok(flag)
}

#[inline]
fn store(attributes: &mut Attributes, word: u32, value: &AnyValue<'_>) -> Result<u32, Broken> {
    let mut flag = 0;
    match *value {
        AnyValue::Text(text) if text.len() <= MAX_VALUE => attributes.values.values.extend_from_slice(text),
        _ => flag = write_value(value, &mut attributes.values.values)?,
    }
    attributes.values.close();
    attributes.entry(word);
    Ok(flag)
}

/// Appends a value as text, at most `MAX_VALUE` bytes of it.
fn write_value(value: &AnyValue<'_>, out: &mut Vec<u8>) -> Result<u32, Broken> {
    let start = out.len();
    value.write(out)?;
    if out.len() - start <= MAX_VALUE {
        return Ok(0);
    }
    let kept = clean::cut_bytes(&out[start..], MAX_VALUE).len();
    out.truncate(start + kept);
    Ok(flags::TRUNCATED)
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

/// The message field `number`; occurrences of a field that should be there once are merged, which for protobuf is to join their bytes.
fn merged(message: &[u8], number: u32) -> Result<Cow<'_, [u8]>, Broken> {
    let mut found = Cow::Borrowed(&[][..]);
    each(message, number, |part| {
        if found.is_empty() {
            found = Cow::Borrowed(part);
        } else {
            found.to_mut().extend_from_slice(part);
        }
        Ok(())
    })?;
    Ok(found)
}
