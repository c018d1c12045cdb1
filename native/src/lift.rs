//! Which attributes become columns: the plan, made in Python (`sojourn/sessions/attributes.py`), and what it means for each key.
//!
//! A column has an ordered list of keys; the first valid value wins. While a span is walked, every key is a number already (its word in the
//! key dictionary), and that number leads to what to do with it, so lifting hashes nothing.

pub mod clean;
mod first;
mod found;
mod inside;
pub mod numbers;
mod parse;
mod reading;
pub mod records;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use clean::Placeholders;
use first::Timing;
use hashbrown::HashMap;
use numbers::Kept;
use records::Record;

use crate::values::AnyValue;

pub use found::{Found, LLM, SPAN, TOOL, is_model};

/// Columns of one text each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TextSlot {
    User,
    SessionName,
    PromptName,
    Model,
    Provider,
    Tool,
    Response,
    /// A response id told in the raw response; believed of model calls only.
    ResponseInside,
    /// What names the tool on spans of tools only.
    ToolEntity,
}
pub const TEXT_SLOTS: usize = 9;

/// Columns of one count each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CountSlot {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    Reasoning,
    Total,
}
pub const COUNT_SLOTS: usize = 6;

/// What to make of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Session {
        class: u8,
    },
    Text(TextSlot),
    Count(CountSlot),
    Cost,
    /// A part of the cost, added to the other part.
    CostPart(u8),
    /// Index of the table from values to kinds.
    Kind(u16),
    /// Some values say that the span is no model call, whatever else it says.
    NeverModel,
    Error,
    /// Says that the session ends with this span.
    Ended,
    /// Of a log record: the user, in an order of its own.
    RecordUser,
    Input {
        user: bool,
    },
    Output,
    /// Time to first token; index into `Plan::timings`.
    FirstToken(u16),
    ScoreName,
    ScoreValue,
    /// Index into `Plan::kept`.
    Kept(u16),
    Tags,
    /// The key without its first bytes is a metadata key.
    Metadata {
        prefix: u16,
    },
    /// A JSON object of metadata.
    MetadataObject,
}

/// One use of one key.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub what: Use,
    /// The least counts: place in the list, then number within a numbered key.
    pub order: u32,
    /// Index into `Plan::paths`: where in the JSON of the value to look; 0 for the value itself.
    path: u16,
    /// Values of this key are JSON, even plain strings.
    quoted: bool,
}

/// Session keys that no list names come after the list.
const GENERIC: u32 = u32::MAX - 1;

/// Where a span's project comes from.
#[derive(Debug)]
pub enum Project {
    Attribute(Vec<u8>),
    Value(String),
}

/// `prefix.N.suffix`
#[derive(Debug)]
struct Numbered {
    prefix: Box<[u8]>,
    suffix: Box<[u8]>,
    /// Of several, the last one is wanted.
    last: bool,
    entry: Entry,
}

/// How the names of scopes begin, and what stands before the names of their events.
type Prefix = (Box<[u8]>, Box<[u8]>);

/// A name, and the keys of a resource that may say it.
pub type Gap = (Box<[u8]>, Vec<Box<[u8]>>);

/// An attribute key of an event, and its use.
pub type EventUse = (Box<[u8]>, Entry);

/// The whole plan. Immutable; made once per lane.
pub struct Plan {
    pub id_max_length: usize,
    /// Nanoseconds that event time may run ahead of arrival.
    pub max_future_skew: i64,
    pub project: Project,
    keys: HashMap<Box<[u8]>, Vec<Entry>>,
    numbered: Vec<Numbered>,
    /// By event name: attribute key and use.
    events: HashMap<Box<[u8]>, Vec<EventUse>>,
    /// By event name.
    records: HashMap<Box<[u8]>, Record>,
    /// Scopes that begin so leave a prefix out of the names of their events.
    event_prefixes: Vec<Prefix>,
    /// Events whose names begin so tell a call of a model, if their operation is one.
    generic_calls: Box<[u8]>,
    paths: Vec<Box<str>>,
    timings: Vec<Timing>,
    kept: Vec<Kept>,
    /// Places of the keys by which cached tokens are told beside the input; empty where there are none.
    beside: [Range<u32>; COUNT_SLOTS],
    kinds: Vec<Vec<(Box<[u8]>, u8)>>,
    never_model: Vec<Box<[u8]>>,
    agent_names: Vec<Box<[u8]>>,
    placeholders: Placeholders,
    quoted: Vec<Box<[u8]>>,
    metadata_prefixes: Vec<Box<[u8]>>,
    /// Members of metadata objects that identify: key of the object, name of the member.
    not_metadata: Vec<(Box<[u8]>, Box<str>)>,
    never_session: HashSet<Box<[u8]>>,
    generic_parts: HashSet<Box<[u8]>>,
    generic_last: HashSet<Box<[u8]>>,
    pub resource_session: Vec<Vec<u8>>,
    /// What to look for on the resource where a span does not say it: name, and keys in order.
    pub resource_gaps: Vec<Gap>,
}

impl Plan {
    /// Reads the JSON of `lift_plan()`. The error says what is wrong with it.
    pub fn parse(json: &str) -> Result<Plan, String> {
        parse::plan(json).map_err(|error| format!("lift plan: {error}"))
    }

    /// The text, if it is a valid one.
    pub fn valid<'a>(&self, text: Cow<'a, [u8]>) -> Option<Cow<'a, [u8]>> {
        self.placeholders.valid(text)
    }

    /// The session id that a value is, and whether it had to be shortened.
    pub fn session_id<'a>(&self, value: &AnyValue<'a>) -> Option<(Cow<'a, [u8]>, bool)> {
        let id = clean::scalar(value).and_then(|id| self.valid(id))?;
        Some(clean::session_id(id, self.id_max_length))
    }

    /// What the plan wants of events of this name: keys of attributes, and what each is for.
    pub fn event(&self, name: &[u8]) -> &[EventUse] {
        self.events.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether an event with these uses tells the time to the first token by its own time.
    pub fn is_first_token(&self, uses: &[EventUse]) -> bool {
        uses.iter()
            .any(|(key, entry)| key.is_empty() && matches!(entry.what, Use::FirstToken(_)))
    }

    /// What log records of this event tell beside their attributes.
    pub fn record(&self, event: &[u8]) -> Option<&Record> {
        self.records.get(event)
    }

    /// The whole name of an event of a scope.
    pub fn event_name<'a>(&self, scope: &[u8], name: &'a [u8]) -> Cow<'a, [u8]> {
        let name = name.trim_ascii();
        if name.is_empty() || name.contains(&b'.') {
            return Cow::Borrowed(name);
        }
        match self.event_prefixes.iter().find(|(begin, _)| scope.starts_with(begin)) {
            Some((_, prefix)) => Cow::Owned([prefix, name].concat()),
            None => Cow::Borrowed(name),
        }
    }

    pub fn is_generic_call(&self, event: &[u8]) -> bool {
        event.starts_with(&self.generic_calls)
    }

    /// The mark that an event of this name is, if any.
    pub fn mark(&self, event: &[u8]) -> u32 {
        self.records.get(event).map_or(0, |record| record.flags & records::MARKS)
    }

    /// Everything that the plan wants of an attribute key of a span.
    fn uses_of(&self, key: &[u8], out: &mut Vec<Entry>) {
        let known = self.keys.get(key);
        let quoted = self.quoted.iter().any(|prefix| key.starts_with(prefix));
        let from = out.len();
        out.extend(known.into_iter().flatten());
        out.extend(self.numbered.iter().filter_map(|pattern| pattern.of(key)));
        if self.is_generic_session(key) && !out[from..].iter().any(|entry| matches!(entry.what, Use::Session { .. })) {
            out.push(Entry::new(Use::Session { class: 0 }, GENERIC));
        }
        if !out[from..].iter().any(|entry| entry.path == 0 && identifies(entry.what)) {
            out.extend(self.metadata_key(key));
        }
        for entry in &mut out[from..] {
            entry.quoted = quoted;
        }
    }

    /// A use as metadata, if the key has one of the prefixes and is not an id, name, user or tag.
    fn metadata_key(&self, key: &[u8]) -> Option<Entry> {
        let place = self.metadata_prefixes.iter().position(|prefix| key.starts_with(prefix))?;
        let prefix = self.metadata_prefixes[place].len();
        let length = u16::try_from(prefix).ok()?;
        (key.len() > prefix).then(|| Entry::new(Use::Metadata { prefix: length }, place as u32))
    }

    /// `….metadata.….session_id` and its like: frameworks that nobody has heard of yet.
    fn is_generic_session(&self, key: &[u8]) -> bool {
        if self.never_session.contains(key) {
            return false;
        }
        let mut parts = key.split(|&byte| byte == b'.');
        let last = parts.next_back().unwrap_or_default();
        self.generic_last.contains(last) && parts.any(|part| self.generic_parts.contains(part))
    }
}

/// Whether a key with this use is left out of the metadata.
fn identifies(what: Use) -> bool {
    matches!(
        what,
        Use::Session { .. } | Use::Tags | Use::Text(TextSlot::User | TextSlot::SessionName | TextSlot::PromptName)
    )
}

impl Entry {
    fn new(what: Use, order: u32) -> Self {
        Self {
            what,
            order,
            path: 0,
            quoted: false,
        }
    }
}

impl Numbered {
    fn of(&self, key: &[u8]) -> Option<Entry> {
        let number = key.strip_prefix(&*self.prefix)?.strip_suffix(&*self.suffix)?;
        let digits = !number.is_empty() && number.len() <= 4 && number.iter().all(u8::is_ascii_digit);
        let number = digits.then(|| number.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))?;
        let mut entry = self.entry;
        entry.order += if self.last { 0xffff - number } else { number };
        Some(entry)
    }
}

/// Who reads attributes.
#[derive(Clone, Copy)]
pub enum Reader {
    Spans,
    /// They tell calls and users, but no names, tags and metadata of sessions.
    Records,
    /// They name their session.
    Points,
}

impl Reader {
    fn wants(self, entry: Entry) -> Option<Entry> {
        match (self, entry.what) {
            (_, Use::Session { .. }) => Some(entry),
            (Self::Spans, Use::RecordUser) | (Self::Points, _) => None,
            (Self::Spans, _) => Some(entry),
            (Self::Records, Use::RecordUser) => Some(Entry {
                what: Use::Text(TextSlot::User),
                ..entry
            }),
            (Self::Records, Use::Text(TextSlot::User | TextSlot::SessionName | TextSlot::PromptName)) => None,
            (Self::Records, Use::Tags | Use::Metadata { .. } | Use::MetadataObject | Use::Ended) => None,
            (Self::Records, Use::ScoreName | Use::ScoreValue | Use::Kept(_)) => None, // they tell scores by an event of that name
            (Self::Records, _) => Some(entry),
        }
    }
}

/// The uses of the keys of one group, by the key's number in the key dictionary.
#[derive(Default)]
pub struct Lifts {
    entries: Vec<Entry>,
    ends: Vec<u32>,
}

impl Lifts {
    /// Number of keys whose uses are known. Keys must be learned in order.
    #[inline]
    pub fn known(&self) -> u32 {
        self.ends.len() as u32
    }

    #[cold]
    pub fn learn(&mut self, plan: &Plan, key: &[u8], reader: Reader) {
        let mut uses = Vec::new();
        plan.uses_of(key, &mut uses);
        self.entries.extend(uses.into_iter().filter_map(|entry| reader.wants(entry)));
        self.ends.push(self.entries.len() as u32);
    }

    #[inline]
    pub fn of(&self, key: u32) -> &[Entry] {
        let key = key as usize;
        let start = if key == 0 { 0 } else { self.ends[key - 1] };
        &self.entries[start as usize..self.ends[key] as usize]
    }

    pub fn truncate(&mut self, keys: u32) {
        self.ends.truncate(keys as usize);
        self.entries.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }
}
