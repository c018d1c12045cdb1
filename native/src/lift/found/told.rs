//! What a span tells, read once all of it was walked over.

use super::super::clean::{self, cut, cut_bytes};
use super::super::numbers::Worth;
use super::super::reading::preview;
use super::super::{CountSlot, Plan, TextSlot};
use super::{Bytes, Found, MAX_METADATA, NOTHING};
use crate::schema::{KINDS, NO_KIND, facets, flags};

/// Bytes of a user, model or other name.
const MAX_TEXT: usize = 4096;
const MAX_METADATA_VALUE: usize = 256;
const MAX_TAGS: usize = 256;
/// The code of `tool`.
pub const TOOL: u8 = code("tool");
pub const LLM: u8 = code("llm");
pub const SPAN: u8 = code("span");
const AGENT: u8 = code("agent");

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

    /// Whether the key that tells cached tokens says that the input leaves them out.
    pub fn cache_is_beside(&self, plan: &Plan) -> bool {
        let mut beside = false;
        for slot in [CountSlot::CacheRead, CountSlot::CacheWrite] {
            let (order, places) = (self.counts[slot as usize].0, &plan.beside[slot as usize]);
            if order < places.start {
                return false; // told in the parts of the input
            }
            beside |= places.contains(&order);
        }
        beside
    }

    /// Nanoseconds from the start to the first token, 0 if not told: at most as long as all of it took.
    pub fn first_token(&self, plan: &Plan, scope: &[u8], start: i64, length: u64) -> u64 {
        let (order, timing, value) = &self.first;
        let told = match (*order, self.first_event) {
            (NOTHING, i64::MAX) => return 0,
            (NOTHING, event) => Some(i128::from(event) - i128::from(start)),
            _ => plan.timings[usize::from(*timing)].unit_in(scope).read(value, start),
        };
        told.and_then(|time| u64::try_from(time).ok())
            .filter(|&time| time <= length)
            .unwrap_or(0)
    }

    /// Calls `facet` with what was kept of attributes: what it is, its name and value.
    pub fn each_kept(&self, plan: &Plan, mut facet: impl FnMut(u32, &[u8], &Worth<'a>)) {
        for (number, worth) in &self.kept {
            let kept = &plan.kept[usize::from(*number)];
            facet(kept.facet, &kept.name, worth);
        }
    }

    /// Whether an attribute of this name was kept, or (`user`) is told otherwise.
    pub fn knows(&self, plan: &Plan, name: &[u8]) -> bool {
        let kept = |(number, _): &(u16, Worth<'_>)| {
            let kept = &plan.kept[usize::from(*number)];
            kept.facet == facets::GAP && *kept.name == *name
        };
        (name == b"user" && !self.texts[TextSlot::User as usize].1.is_empty()) || self.kept.iter().any(kept)
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
            NO_KIND => AGENT,
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

pub const fn is_model(kind: u8) -> bool {
    const MODELS: [u8; 3] = [code("llm"), code("embedding"), code("rerank")];
    kind == MODELS[0] || kind == MODELS[1] || kind == MODELS[2]
}

/// The code of a kind, found at compile time; a name that is no kind does not compile.
const fn code(name: &str) -> u8 {
    let mut code = 0;
    while !equal(KINDS[code].as_bytes(), name.as_bytes()) {
        code += 1;
    }
    code as u8
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
