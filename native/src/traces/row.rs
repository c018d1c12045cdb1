//! The row of one span, once all of it is known.

use super::{Request, Source, Span};
use crate::lift::{CountSlot, TOOL, TextSlot};
use crate::schema::{Fact, facets, flags};

/// `Fact::id_class` of a span without session id.
const NO_ID: u8 = 255;
const RESOURCE_ID: u8 = 2;
const STATUS_ERROR: u64 = 2;

impl Request<'_, '_> {
    /// Adds a row to every column.
    pub(super) fn row(&mut self, source: &Source, span: &Span<'_>, (trace, id, parent): ([u8; 16], u64, u64), message: &[u8]) {
        let mut digest = source.digest.clone();
        digest.update(message);
        let (start, start_flags) = self.window.clamp(span.start);
        let (end, end_flags) = self.window.clamp(span.end);
        let backwards = if span.end < span.start { flags::BAD_TIME } else { 0 };
        self.found.flag(start_flags | end_flags | backwards);
        let mut fact = Fact {
            trace: self.columns.traces.number(trace),
            span: id,
            parent,
            start,
            end: end.max(start),
            sent_end: span.end,
            digest: digest.digest(),
            arrival: self.window.arrival,
            kind: self.found.kind_told(self.plan, span.name),
            ..Fact::default()
        };
        self.contrib(source, span, &mut fact);
        self.session(source, &mut fact);
        self.lifted(span, &mut fact);
        self.facets();
        fact.flags = self.flags(span, &fact);
        self.columns.facts.push(fact);
        self.columns.totals.push(self.found.total());
    }

    fn contrib(&mut self, source: &Source, span: &Span<'_>, fact: &mut Fact) {
        let columns = &mut *self.columns;
        columns.states.push(span.state);
        let name = columns.names.push(span.name);
        fact.name = columns.names.hash(name);
        columns.span_kinds.push(if span.kind <= 5 { span.kind as u32 } else { 0 });
        columns.services.push_index(source.service);
        fact.service = columns.services.hash(source.service);
        columns.resources.push(&source.resource);
        columns.scopes.push_index(source.scope);
        fact.scope = columns.scopes.hash(source.scope);
        columns.scope_versions.push_index(source.scope_version);
        columns.attributes.end();
        columns.statuses.push(if span.status <= 2 { span.status as u32 } else { 0 });
        columns.messages.push(span.message);
        columns.events.end();
        columns.links.end();
    }

    fn session(&mut self, source: &Source, fact: &mut Fact) {
        let own = self.found.take_session(self.plan);
        let columns = &mut *self.columns;
        columns.projects.push_index(source.project);
        fact.project = columns.keys.hash(source.project_key);
        let (id, class) = match (&own, &source.session) {
            (Some((id, class)), _) => (&**id, *class),
            (None, Some((id, shortened))) => {
                self.found.flag(if *shortened { flags::TRUNCATED_ID } else { 0 });
                (&**id, RESOURCE_ID)
            }
            (None, None) => (&[][..], NO_ID),
        };
        fact.id_class = class;
        let word = columns.sessions.push(id);
        if word != 0 {
            fact.session = columns.session_key(source.project_key, word);
        }
    }

    fn lifted(&mut self, span: &Span<'_>, fact: &mut Fact) {
        let (columns, found) = (&mut *self.columns, &mut self.found);
        let (tool, response) = (found.tool_slot(fact.kind), found.response_slot(fact.kind));
        for (dict, slot, hash) in [
            (&mut columns.users, TextSlot::User, &mut fact.user),
            (&mut columns.models, TextSlot::Model, &mut fact.model),
            (&mut columns.providers, TextSlot::Provider, &mut fact.provider),
            (&mut columns.responses, response, &mut fact.response),
        ] {
            let word = dict.push(found.text_in(slot));
            *hash = dict.hash(word);
        }
        let named = span
            .name
            .strip_prefix(b"execute_tool ")
            .filter(|_| fact.kind == TOOL)
            .unwrap_or_default();
        let tool = match found.text_in(tool) {
            b"" => columns.tools.push(named),
            told => columns.tools.push(told),
        };
        fact.tool = columns.tools.hash(tool);
        let input = columns.inputs.push(&found.input_preview());
        fact.input = columns.inputs.hash(input);
        let output = columns.outputs.push(&found.output_preview());
        fact.output = columns.outputs.hash(output);
        fact.input_tokens = found.count_in(CountSlot::Input);
        fact.output_tokens = found.count_in(CountSlot::Output);
        fact.cache_read = found.count_in(CountSlot::CacheRead);
        fact.cache_write = found.count_in(CountSlot::CacheWrite);
        fact.reasoning = found.count_in(CountSlot::Reasoning);
        fact.cost = found.cost_told();
        fact.cost_source = u8::from(fact.cost >= 0);
    }

    fn facets(&mut self) {
        let (column, found) = (&mut self.columns.facets, &mut self.found);
        found.each_meta(|key, value| column.push(facets::METADATA, key, value));
        found.each_tag(|tag| column.push(facets::TAG, b"", tag));
        for (slot, what) in [
            (TextSlot::SessionName, facets::SESSION_NAME),
            (TextSlot::PromptName, facets::PROMPT_NAME),
        ] {
            let text = found.text_in(slot);
            if !text.is_empty() {
                column.push(what, b"", text);
            }
        }
        column.end();
    }

    fn flags(&self, span: &Span<'_>, fact: &Fact) -> u32 {
        let tokens = fact.input_tokens | fact.output_tokens | fact.cache_read | fact.cache_write | fact.reasoning;
        let mut flag = self.found.flags();
        if span.status == STATUS_ERROR {
            flag |= flags::ERROR;
        }
        if fact.parent == 0 {
            flag |= flags::ROOT;
        }
        if tokens > 0 || fact.cost > 0 {
            flag |= flags::USAGE;
        }
        flag
    }
}
