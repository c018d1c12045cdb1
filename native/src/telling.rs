//! What a span or log record tells, into its columns and its packed row.

use std::borrow::Cow;

use crate::columns::Dict;
use crate::lift::clean::cut_bytes;
use crate::lift::numbers::Worth;
use crate::lift::{CountSlot, Found, Plan, TextSlot};
use crate::parts::Facets;
use crate::schema::{Fact, facets, flags};
use crate::sources::Owner;

/// `Fact::id_class` of what names no session.
pub const NO_ID: u8 = 255;
const RESOURCE_ID: u8 = 2;
/// Bytes of a name of a score, and of a text that names a session.
const MAX_NAME: usize = 4096;

/// The session id that it names itself, else the one of its resource, and its class.
pub fn session<'s, 'a: 's>(found: &mut Found<'a>, plan: &Plan, owner: &'s Owner) -> (Cow<'s, [u8]>, u8) {
    match (found.take_session(plan), &owner.session) {
        (Some((id, class)), _) => (id, class),
        (None, Some((id, shortened))) => {
            found.flag(if *shortened { flags::TRUNCATED_ID } else { 0 });
            (Cow::Borrowed(id), RESOURCE_ID)
        }
        (None, None) => (Cow::Borrowed(&[][..]), NO_ID),
    }
}

/// The columns of texts that are told.
pub struct Texts<'c> {
    pub users: &'c mut Dict,
    pub models: &'c mut Dict,
    pub providers: &'c mut Dict,
    pub tools: &'c mut Dict,
    pub responses: &'c mut Dict,
    pub inputs: &'c mut Dict,
    pub outputs: &'c mut Dict,
}

impl Texts<'_> {
    /// Adds a row; `named` is the tool if no attribute names one.
    pub fn push(self, found: &mut Found<'_>, named: &[u8], fact: &mut Fact) {
        let (tool, response) = (found.tool_slot(fact.kind), found.response_slot(fact.kind));
        for (dict, slot, hash) in [
            (self.users, TextSlot::User, &mut fact.user),
            (self.models, TextSlot::Model, &mut fact.model),
            (self.providers, TextSlot::Provider, &mut fact.provider),
            (self.responses, response, &mut fact.response),
        ] {
            let word = dict.push(found.text_in(slot));
            *hash = dict.hash(word);
        }
        let tool = match found.text_in(tool) {
            b"" => self.tools.push(named),
            told => self.tools.push(told),
        };
        fact.tool = self.tools.hash(tool);
        let input = self.inputs.push(&found.input_preview());
        fact.input = self.inputs.hash(input);
        let output = self.outputs.push(&found.output_preview());
        fact.output = self.outputs.hash(output);
    }
}

/// Tokens and cost as they are told.
pub fn usage(found: &mut Found<'_>, plan: &Plan, fact: &mut Fact) {
    fact.input_tokens = found.count_in(CountSlot::Input);
    fact.output_tokens = found.count_in(CountSlot::Output);
    fact.cache_read = found.count_in(CountSlot::CacheRead);
    fact.cache_write = found.count_in(CountSlot::CacheWrite);
    fact.reasoning = found.count_in(CountSlot::Reasoning);
    if (fact.cache_read | fact.cache_write) > 0 && found.cache_is_beside(plan) {
        found.flag(flags::CACHE_BESIDE);
    }
    fact.cost = found.cost_told();
    fact.cost_source = u8::from(fact.cost >= 0);
}

/// `flags::USAGE`, if there is any.
pub fn used(fact: &Fact) -> u32 {
    let tokens = fact.input_tokens | fact.output_tokens | fact.cache_read | fact.cache_write | fact.reasoning;
    if tokens > 0 || fact.cost > 0 { flags::USAGE } else { 0 }
}

/// Adds the facets of a row, but does not end them.
pub fn facets(column: &mut Facets, found: &mut Found<'_>) {
    found.each_meta(|key, value| column.push(facets::METADATA, key, value));
    found.each_tag(|tag| column.push(facets::TAG, b"", tag));
    numbers(column, found);
    for (slot, what) in [
        (TextSlot::SessionName, facets::SESSION_NAME),
        (TextSlot::PromptName, facets::PROMPT_NAME),
    ] {
        let text = found.text_in(slot);
        if !text.is_empty() {
            column.push(what, b"", text);
        }
    }
}

/// Adds the scores of a row.
pub fn numbers(column: &mut Facets, found: &mut Found<'_>) {
    let full = found.scores.is_full();
    found.flag(if full { flags::TRUNCATED } else { 0 });
    found.scores.each(|name, sum, count| {
        let name = cut_bytes(name, MAX_NAME);
        column.push_number(facets::SCORE, name, sum);
        if count > 1 {
            column.push_number(facets::SCORE_COUNT, name, count);
        }
    });
}

/// Adds what the configuration asks for: measures, and what names the session of a trace without an id.
pub fn asked(column: &mut Facets, found: &Found<'_>, plan: &Plan, owner: &Owner) {
    found.each_kept(plan, |what, name, worth| match worth {
        Worth::Text(text) => column.push(what, name, cut_bytes(text, MAX_NAME)),
        Worth::Number(number) => column.push_number(what, name, *number),
    });
    for (name, text) in &owner.gaps {
        if !found.knows(plan, name) {
            column.push(facets::GAP, name, text);
        }
    }
}
