//! What was found on one span while its attributes were walked over.

use std::borrow::Cow;

use super::clean;
use super::inside::{self, Members};
use super::numbers::{Scores, Worth};
use super::reading::{is_told, says_something, sum_of, tags_of, text_at, text_of, unquoted, value_at};
use super::records;
use super::{COUNT_SLOTS, CountSlot, Entry, EventUse, Plan, TEXT_SLOTS, TextSlot, Use};
use crate::schema::{NO_KIND, flags};
use crate::values::AnyValue;

mod told;

pub use told::{LLM, SPAN, TOOL, is_model};

/// Bytes that mostly stand in the request, seldom in a text of their own.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// Nothing found yet: greater than every order.
const NOTHING: u32 = u32::MAX;
/// Metadata of a span; what is beyond is dropped.
const MAX_METADATA: usize = 64;

struct Id<'a> {
    order: u32,
    key: &'a [u8],
    class: u8,
    text: Bytes<'a>,
}

struct Meta<'a> {
    key: Bytes<'a>,
    order: u32,
    value: Bytes<'a>,
}

/// Best candidates so far, per column. Reused from span to span.
pub struct Found<'a> {
    session: Option<Id<'a>>,
    texts: [(u32, Bytes<'a>); TEXT_SLOTS],
    counts: [(u32, u32, bool); COUNT_SLOTS],
    cost: (u32, i64),
    parts: [Option<i64>; 2],
    kind: (u32, u8),
    kind_but_model: (u32, u8),
    never_model: bool,
    /// An attribute says that the session ends with this span.
    pub ended: bool,
    input: (u32, AnyValue<'a>),
    output: (u32, AnyValue<'a>),
    metadata: Vec<Meta<'a>>,
    tags: Vec<Bytes<'a>>,
    first: (u32, u16, AnyValue<'a>),
    /// Time of the first event that tells of a first token.
    first_event: i64,
    pub scores: Scores<'a>,
    kept: Vec<(u16, Worth<'a>)>,
    flags: u32,
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self {
            session: None,
            texts: std::array::from_fn(|_| (NOTHING, Cow::Borrowed(&[][..]))),
            counts: [(NOTHING, 0, false); COUNT_SLOTS],
            cost: (NOTHING, -1),
            parts: [None; 2],
            kind: (NOTHING, NO_KIND),
            kind_but_model: (NOTHING, NO_KIND),
            never_model: false,
            ended: false,
            input: (NOTHING, AnyValue::Empty),
            output: (NOTHING, AnyValue::Empty),
            metadata: Vec::new(),
            tags: Vec::new(),
            first: (NOTHING, 0, AnyValue::Empty),
            first_event: i64::MAX,
            scores: Scores::default(),
            kept: Vec::new(),
            flags: 0,
        }
    }
}

impl<'a> Found<'a> {
    /// Forgets the last span.
    pub fn clear(&mut self) {
        let (mut metadata, mut tags) = (std::mem::take(&mut self.metadata), std::mem::take(&mut self.tags));
        let (mut scores, mut kept) = (std::mem::take(&mut self.scores), std::mem::take(&mut self.kept));
        metadata.clear();
        tags.clear();
        scores.clear();
        kept.clear();
        *self = Self {
            metadata,
            tags,
            scores,
            kept,
            ..Self::default()
        };
    }

    /// Sets a flag by hand.
    #[inline]
    pub fn flag(&mut self, flag: u32) {
        self.flags |= flag;
    }

    /// Takes flags back.
    pub fn unflag(&mut self, flag: u32) {
        self.flags &= !flag;
    }

    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Takes an attribute of the span into account.
    pub fn take(&mut self, plan: &Plan, entry: &Entry, key: &'a [u8], value: &AnyValue<'a>) {
        match entry.what {
            Use::Session { class } => self.session(plan, entry, class, key, value),
            Use::Text(slot) => self.text(plan, entry, slot, value),
            Use::Count(slot) => self.count(plan, entry, slot, value),
            Use::Cost => self.cost(plan, entry, value),
            Use::CostPart(part) => self.cost_part(part, value),
            Use::Kind(table) => self.kind(plan, entry, table, value),
            Use::NeverModel => {
                self.never_model |= matches!(*value, AnyValue::Text(text) if plan.never_model.iter().any(|name| **name == *text))
            }
            Use::Error => self.flags |= flags::ERROR,
            Use::RecordUser => {} // became the user, or was left out, when the key was learned
            Use::Ended => self.ended |= records::is_true(value),
            Use::Input { user } => self.input(plan, entry, user, value),
            Use::Output => self.output(plan, entry, value),
            Use::FirstToken(timing) => self.first(plan, entry, timing, value),
            Use::ScoreName => {
                if let Some(name) = text_at(plan, entry, value) {
                    self.scores.name(entry.order, name);
                }
            }
            Use::ScoreValue => {
                if let Some((score, limited)) = clean::score(value) {
                    self.scores.value(entry.order, score);
                    self.flags |= if limited { flags::LIMITED } else { 0 };
                }
            }
            Use::Kept(number) => {
                if let Some(worth) = plan.kept[usize::from(number)].read(plan, entry, value) {
                    self.kept.push((number, worth));
                }
            }
            Use::Tags => self.tags(plan, value),
            Use::Metadata { prefix } => self.add_meta(entry.order, Cow::Borrowed(&key[usize::from(prefix)..]), text_of(value, true)),
            Use::MetadataObject => self.meta_object(plan, entry, key, value),
        }
    }

    /// Takes an attribute of one of the span's events into account; the order of the events decides among equal ones.
    pub fn take_event(&mut self, plan: &Plan, uses: &[EventUse], number: u32, key: &'a [u8], value: &AnyValue<'a>) {
        let number = number.min(0xffff);
        for (_, entry) in uses.iter().filter(|(wanted, _)| **wanted == *key) {
            let mut entry = *entry;
            entry.order += if matches!(entry.what, Use::Input { .. }) {
                0xffff - number
            } else {
                number
            };
            self.take(plan, &entry, key, value);
        }
    }

    /// Takes an attribute into account that may only name the session; `take_session` alone makes room for the next.
    #[inline]
    pub fn take_id(&mut self, plan: &Plan, entry: &Entry, key: &'a [u8], value: &AnyValue<'a>) {
        if let Use::Session { class } = entry.what {
            self.session(plan, entry, class, key, value);
        }
    }

    fn session(&mut self, plan: &Plan, entry: &Entry, class: u8, key: &'a [u8], value: &AnyValue<'a>) {
        if self
            .session
            .as_ref()
            .is_some_and(|best| (best.order, best.key) <= (entry.order, key))
        {
            return;
        }
        if let Some(text) = text_at(plan, entry, value) {
            let order = entry.order;
            self.session = Some(Id { order, key, class, text });
        }
    }

    fn text(&mut self, plan: &Plan, entry: &Entry, slot: TextSlot, value: &AnyValue<'a>) {
        let best = &mut self.texts[slot as usize];
        if entry.order < best.0
            && let Some(text) = text_at(plan, entry, value)
        {
            *best = (entry.order, text);
        }
    }

    fn count(&mut self, plan: &Plan, entry: &Entry, slot: CountSlot, value: &AnyValue<'a>) {
        let best = &mut self.counts[slot as usize];
        if entry.order >= best.0 {
            return;
        }
        let count = match entry.path {
            0 => clean::count(value),
            _ => value_at(plan, entry, value).and_then(|text| clean::count(&AnyValue::Text(&text))),
        };
        if let Some((count, limited)) = count {
            *best = (entry.order, count, limited);
        }
    }

    fn cost(&mut self, plan: &Plan, entry: &Entry, value: &AnyValue<'a>) {
        if entry.order >= self.cost.0 {
            return;
        }
        let money = match &*plan.paths[usize::from(entry.path)] {
            "" => clean::money(value),
            "*" => sum_of(value),
            _ => value_at(plan, entry, value).and_then(|text| clean::money(&AnyValue::Text(&text))),
        };
        if let Some((cost, limited)) = money {
            self.cost = (entry.order, cost);
            self.flags |= if limited { flags::LIMITED } else { 0 };
        }
    }

    fn cost_part(&mut self, part: u8, value: &AnyValue<'a>) {
        let part = &mut self.parts[usize::from(part)];
        if part.is_none() {
            *part = clean::money(value).map(|(cost, _)| cost);
        }
    }

    fn first(&mut self, plan: &Plan, entry: &Entry, timing: u16, value: &AnyValue<'a>) {
        let unit = plan.timings[usize::from(timing)].unit;
        if entry.order < self.first.0 && unit.read(value, 0).is_some() {
            self.first = (entry.order, timing, *value);
        }
    }

    /// An event that tells of a first token has happened.
    pub fn first_event(&mut self, time: i64) {
        self.first_event = self.first_event.min(time);
    }

    fn kind(&mut self, plan: &Plan, entry: &Entry, table: u16, value: &AnyValue<'a>) {
        let AnyValue::Text(text) = *value else { return };
        let kinds = &plan.kinds[usize::from(table)];
        let Some(kind) = kind_of(kinds, text.trim_ascii()).or_else(|| kind_within(kinds, text, entry.quoted)) else {
            return;
        };
        if entry.order < self.kind.0 {
            self.kind = (entry.order, kind);
        }
        if entry.order < self.kind_but_model.0 && !is_model(kind) {
            self.kind_but_model = (entry.order, kind);
        }
    }

    fn input(&mut self, plan: &Plan, entry: &Entry, user: bool, value: &AnyValue<'a>) {
        if user && is_told(plan, value) {
            self.flags |= flags::INPUT;
        }
        if entry.order < self.input.0 && says_something(plan, value) {
            self.input = (entry.order, *value);
        }
    }

    fn output(&mut self, plan: &Plan, entry: &Entry, value: &AnyValue<'a>) {
        if entry.order < self.output.0 && says_something(plan, value) {
            self.output = (entry.order, *value);
        }
    }

    fn tags(&mut self, plan: &Plan, value: &AnyValue<'a>) {
        let tags = tags_of(value).into_iter().filter_map(|tag| plan.placeholders.valid(tag));
        self.tags.extend(tags);
    }

    fn meta_object(&mut self, plan: &Plan, entry: &Entry, object: &[u8], value: &AnyValue<'a>) {
        let order = entry.order | 0x8000_0000; // single keys before whole objects
        let told = |name: &str| !plan.not_metadata.iter().any(|(key, member)| **key == *object && **member == *name);
        match text_of(value, true) {
            Cow::Borrowed(text) => {
                for (name, value) in members(text).filter(|(name, _)| told(name)) {
                    self.add_meta(order, bytes_of(name), inside::plain(value).unwrap_or_default());
                }
            }
            Cow::Owned(text) => {
                for (name, value) in members(&text).filter(|(name, _)| told(name)) {
                    let value = inside::plain(value).unwrap_or_default().into_owned();
                    self.add_meta(order, name.into_owned().into_bytes().into(), value.into());
                }
            }
        }
    }

    fn add_meta(&mut self, order: u32, key: Bytes<'a>, value: Bytes<'a>) {
        if !key.is_empty() {
            self.metadata.push(Meta { key, order, value });
        }
    }
}

/// Members of a metadata object, more than are ever kept of it.
fn members(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
    Members::of(text).into_iter().flatten().take(MAX_METADATA * 16)
}

fn kind_of(kinds: &[(Box<[u8]>, u8)], text: &[u8]) -> Option<u8> {
    kinds
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|&(_, kind)| kind)
}

/// A kind in a JSON string (MLflow), or in front of the name of a function: `ai.streamText.doStream my-function` (AI SDK).
#[cold]
fn kind_within(kinds: &[(Box<[u8]>, u8)], text: &[u8], quoted: bool) -> Option<u8> {
    let text = unquoted(Cow::Borrowed(text.trim_ascii()), quoted);
    let word = if text.starts_with(b"ai.") {
        text.split(|&byte| byte == b' ').next()?
    } else {
        &text
    };
    kind_of(kinds, word)
}

fn bytes_of(text: Cow<'_, str>) -> Bytes<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
