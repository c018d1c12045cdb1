//! What was found on one span while its attributes were walked over.

use std::borrow::Cow;

use super::clean::{self, cut, cut_bytes, scalar, valid};
use super::inside::{self, Elements, Members};
use super::{COUNT_SLOTS, CountSlot, Entry, Plan, TEXT_SLOTS, TextSlot, Use};
use crate::schema::{KINDS, NO_KIND, flags};
use crate::values::{AnyValue, key_value};
use crate::wire::each;

type Bytes<'a> = Cow<'a, [u8]>;

/// Nothing found yet: greater than every order.
const NOTHING: u32 = u32::MAX;
/// Bytes of a user, model or other name.
const MAX_TEXT: usize = 4096;
const MAX_METADATA: usize = 64;
const MAX_METADATA_VALUE: usize = 256;
const MAX_TAGS: usize = 256;
const MAX_PREVIEW: usize = 500;
/// Position of `tool` in KINDS.
pub const TOOL: u8 = 4;

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
    input: (u32, AnyValue<'a>),
    output: (u32, AnyValue<'a>),
    metadata: Vec<Meta<'a>>,
    tags: Vec<Bytes<'a>>,
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
            input: (NOTHING, AnyValue::Empty),
            output: (NOTHING, AnyValue::Empty),
            metadata: Vec::new(),
            tags: Vec::new(),
            flags: 0,
        }
    }
}

impl<'a> Found<'a> {
    /// Forgets the last span.
    pub fn clear(&mut self) {
        let (mut metadata, mut tags) = (std::mem::take(&mut self.metadata), std::mem::take(&mut self.tags));
        metadata.clear();
        tags.clear();
        *self = Self::default();
        self.metadata = metadata;
        self.tags = tags;
    }

    /// Sets a flag by hand.
    #[inline]
    pub fn flag(&mut self, flag: u32) {
        self.flags |= flag;
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
            Use::Input { user } => self.input(plan, entry, user, value),
            Use::Output => self.output(plan, entry, value),
            Use::Tags => self.tags(plan, value),
            Use::Metadata { prefix } => self.add_meta(entry.order, Cow::Borrowed(&key[usize::from(prefix)..]), text_of(value, true)),
            Use::MetadataObject => self.meta_object(plan, entry, key, value),
        }
    }

    /// Takes an attribute of one of the span's events into account; the order of the events decides among equal ones.
    pub fn take_event(&mut self, plan: &Plan, name: &[u8], number: u32, key: &'a [u8], value: &AnyValue<'a>) {
        let Some(uses) = plan.events.get(name) else { return };
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

    fn kind(&mut self, plan: &Plan, entry: &Entry, table: u16, value: &AnyValue<'a>) {
        let AnyValue::Text(text) = *value else { return };
        let text = text.trim_ascii();
        let told = |(name, _): &&(Box<[u8]>, u8)| name.eq_ignore_ascii_case(text);
        let Some(&(_, kind)) = plan.kinds[usize::from(table)].iter().find(told) else {
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
        let tags = tags_of(value).into_iter().filter_map(|tag| valid(tag, &plan.placeholders));
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

fn bytes_of(text: Cow<'_, str>) -> Bytes<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The results, read once the whole span was walked over.
impl<'a> Found<'a> {
    /// The session id and its class.
    pub fn take_session(&mut self, plan: &Plan) -> Option<(Bytes<'a>, u8)> {
        let best = self.session.take()?;
        let (id, shortened) = clean::session_id(best.text, plan.id_max_length);
        self.flags |= if shortened { flags::TRUNCATED_ID } else { 0 };
        Some((id, best.class))
    }

    #[inline]
    pub fn text_in(&mut self, slot: TextSlot) -> &[u8] {
        let text = &*self.texts[slot as usize].1;
        if text.len() > MAX_TEXT {
            self.flags |= flags::TRUNCATED;
            return cut_bytes(text, MAX_TEXT);
        }
        text
    }

    /// Which slot has the tool of a span of this kind.
    pub fn tool_slot(&self, kind: u8) -> TextSlot {
        match self.texts[TextSlot::Tool as usize].0 {
            NOTHING if kind == TOOL => TextSlot::ToolEntity,
            _ => TextSlot::Tool,
        }
    }

    /// Which slot has the response id of a span of this kind.
    pub fn response_slot(&self, kind: u8) -> TextSlot {
        match self.texts[TextSlot::Response as usize].0 {
            NOTHING if is_model(kind) => TextSlot::ResponseInside,
            _ => TextSlot::Response,
        }
    }

    #[inline]
    pub fn count_in(&mut self, slot: CountSlot) -> u32 {
        let (_, count, limited) = self.counts[slot as usize];
        self.flags |= if limited { flags::LIMITED } else { 0 };
        count
    }

    /// The total the producer tells, -1 if it does not.
    pub fn total(&self) -> i64 {
        match self.counts[CountSlot::Total as usize] {
            (NOTHING, ..) => -1,
            (_, total, _) => i64::from(total),
        }
    }

    /// The reported cost in picodollars, -1 for none: a whole one, else the sum of its parts.
    pub fn cost_told(&self) -> i64 {
        match self.parts {
            [None, None] => self.cost.1,
            _ if self.cost.0 < NOTHING => self.cost.1,
            [input, output] => input.unwrap_or(0) + output.unwrap_or(0),
        }
    }

    pub fn kind_told(&self, plan: &Plan, name: &[u8]) -> u8 {
        let agent = plan.agent_names.iter().any(|known| **known == *name);
        if !self.never_model && !agent {
            return self.kind.1;
        }
        match self.kind_but_model.1 {
            NO_KIND => KINDS.iter().position(|&kind| kind == "agent").map_or(NO_KIND, |code| code as u8),
            kind => kind,
        }
    }

    pub fn input_preview(&self) -> Bytes<'a> {
        preview(&self.input.1)
    }

    pub fn output_preview(&self) -> Bytes<'a> {
        preview(&self.output.1)
    }

    /// Calls `facet` with each metadata key and value: at most 64, bytewise least keys first.
    pub fn each_meta(&mut self, mut facet: impl FnMut(&[u8], &[u8])) {
        if self.metadata.is_empty() {
            return;
        }
        self.metadata
            .sort_by(|one, other| (&one.key, one.order).cmp(&(&other.key, other.order)));
        self.metadata.dedup_by(|next, one| next.key == one.key);
        let mut truncated = self.metadata.len() > MAX_METADATA;
        for meta in self.metadata.iter().take(MAX_METADATA) {
            let (value, cut_off) = cut(&meta.value, MAX_METADATA_VALUE);
            truncated |= cut_off || meta.key.len() > MAX_TEXT;
            facet(cut_bytes(&meta.key, MAX_TEXT), value);
        }
        self.flags |= if truncated { flags::TRUNCATED } else { 0 };
    }

    /// Calls `facet` with each tag, sorted.
    pub fn each_tag(&mut self, mut facet: impl FnMut(&[u8])) {
        let tags = &mut self.tags;
        if tags.is_empty() {
            return;
        }
        tags.sort();
        tags.dedup();
        let mut truncated = tags.len() > MAX_TAGS;
        for tag in tags.iter().take(MAX_TAGS) {
            let (text, cut_off) = cut(tag, MAX_METADATA_VALUE);
            truncated |= cut_off;
            facet(text);
        }
        self.flags |= if truncated { flags::TRUNCATED } else { 0 };
    }
}

fn is_model(kind: u8) -> bool {
    matches!(KINDS.get(usize::from(kind)), Some(&("llm" | "embedding" | "rerank")))
}

/// The valid text of a value, or of what its JSON has at the entry's path.
fn text_at<'a>(plan: &Plan, entry: &Entry, value: &AnyValue<'a>) -> Option<Bytes<'a>> {
    let text = match entry.path {
        0 => scalar(value).map(|text| unquoted(text, entry.quoted))?,
        _ => value_at(plan, entry, value)?,
    };
    valid(text, &plan.placeholders)
}

/// The value at the entry's path in the JSON of a value, as text. Objects and lists have none.
fn value_at<'a>(plan: &Plan, entry: &Entry, value: &AnyValue<'a>) -> Option<Bytes<'a>> {
    let path = &*plan.paths[usize::from(entry.path)];
    let text = match text_of(value, false) {
        Cow::Borrowed(text) if text.trim_ascii_start().first() != Some(&b'"') => return inside_value(text, path),
        text => text,
    };
    let text = inside::string(text.trim_ascii()).map_or_else(|| text.to_vec(), |text| text.into_owned().into_bytes());
    inside_value(&text, path).map(|found| Cow::Owned(found.into_owned()))
}

fn inside_value<'a>(text: &'a [u8], path: &str) -> Option<Bytes<'a>> {
    let found = inside::find(text, path)?;
    let nested = matches!(found.first(), Some(b'{' | b'[' | b't' | b'f'));
    if nested { None } else { inside::plain(found) }
}

/// The sum of all amounts in a JSON object.
fn sum_of(value: &AnyValue<'_>) -> Option<(i64, bool)> {
    let text = text_of(value, false);
    let amounts = Members::of(&text)?.filter_map(|(_, value)| clean::money(&AnyValue::Text(value)));
    amounts.reduce(|(sum, limited), (cost, more)| {
        let sum = sum.saturating_add(cost);
        (sum.min(clean::MAX_COST), limited || more || sum > clean::MAX_COST)
    })
}

/// Any value as text.
fn text_of<'a>(value: &AnyValue<'a>, quoted: bool) -> Bytes<'a> {
    if let AnyValue::Text(text) = *value {
        return unquoted(Cow::Borrowed(text), quoted);
    }
    let mut text = Vec::new();
    match value.write(&mut text) {
        Ok(()) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(b""), // refused where the attribute is stored
    }
}

/// The content of a JSON string, if values of this key are JSON and this is one.
fn unquoted(text: Bytes<'_>, quoted: bool) -> Bytes<'_> {
    if !quoted || text.first() != Some(&b'"') {
        return text;
    }
    match inside::string(&text) {
        Some(inner) => Cow::Owned(inner.into_owned().into_bytes()),
        None => text,
    }
}

/// Whether there is an input, if only an empty one.
fn is_told(plan: &Plan, value: &AnyValue<'_>) -> bool {
    match *value {
        AnyValue::Text(text) => text.is_empty() || valid(Cow::Borrowed(text), &plan.placeholders).is_some(),
        AnyValue::List(_) | AnyValue::Map(_) => true,
        _ => false,
    }
}

fn says_something(plan: &Plan, value: &AnyValue<'_>) -> bool {
    match *value {
        AnyValue::Text(text) => {
            let text = text.trim_ascii();
            !matches!(text, b"[]" | b"\"\"") && valid(Cow::Borrowed(text), &plan.placeholders).is_some()
        }
        AnyValue::List(items) | AnyValue::Map(items) => !items.is_empty(),
        _ => false,
    }
}

/// The first 500 code points of a text, or of the content of a JSON string.
fn preview<'a>(value: &AnyValue<'a>) -> Bytes<'a> {
    match *value {
        AnyValue::Empty => Cow::Borrowed(b""),
        AnyValue::Text(text) => {
            let text = text.trim_ascii();
            match text.first() {
                Some(b'"') => Cow::Owned(cut(&unquoted(Cow::Borrowed(text), true), MAX_PREVIEW).0.to_vec()),
                _ => Cow::Borrowed(cut(text, MAX_PREVIEW).0),
            }
        }
        _ => Cow::Owned(cut(&text_of(value, false), MAX_PREVIEW).0.to_vec()),
    }
}

/// Tags come as a list, as JSON or separated by commas.
fn tags_of<'a>(value: &AnyValue<'a>) -> Vec<Bytes<'a>> {
    match *value {
        AnyValue::List(list) => {
            let mut tags = Vec::new();
            let _ = each(list, 1, |item| {
                tags.extend(scalar(&AnyValue::parse(item)?));
                Ok(())
            });
            tags
        }
        AnyValue::Text(text) => match Elements::of(text) {
            Some(elements) => elements.filter_map(inside::plain).collect(),
            None => text.split(|&byte| byte == b',').map(Cow::Borrowed).collect(),
        },
        AnyValue::Map(map) => {
            let mut tags = Vec::new();
            let _ = each(map, 1, |pair| {
                tags.push(Cow::Borrowed(key_value(pair)?.0));
                Ok(())
            });
            tags
        }
        _ => Vec::new(),
    }
}
