//! The row of one span, once all of it is known.

use super::{Request, Source, Span};
use crate::lift::{TOOL, records};
use crate::schema::{Fact, flags};
use crate::telling;

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
        let content = digest.digest();
        let clamped = (start_flags | end_flags) & flags::BAD_TIME != 0;
        let mut fact = Fact {
            trace: self.columns.traces.number(trace),
            span: id,
            parent,
            start,
            end: end.max(start),
            sent_end: span.end,
            digest: if clamped { self.window.clamped(content) } else { content },
            arrival: self.window.arrival,
            kind: self.found.kind_told(self.plan, span.name),
            ..Fact::default()
        };
        self.contrib(source, span, &mut fact);
        self.session(source, &mut fact);
        self.lifted(span, &mut fact);
        self.facets(source, fact.end);
        fact.flags = self.flags(span, &fact);
        let scope = self.columns.scopes.words.get(source.scope);
        let length = fact.end.abs_diff(fact.start);
        let first = self.found.first_token(self.plan, scope, fact.start, length);
        self.columns.first_tokens.push(first);
        self.columns.facts.push(fact);
        self.columns.totals.push(self.found.total());
    }

    fn contrib(&mut self, source: &Source, span: &Span<'_>, fact: &mut Fact) {
        let columns = &mut *self.columns;
        columns.states.push(span.state);
        let name = columns.names.push(span.name);
        fact.name = columns.names.hash(name);
        columns.span_kinds.push(if span.kind <= 5 { span.kind as u32 } else { 0 });
        columns.services.push_index(source.owner.service);
        fact.service = columns.services.hash(source.owner.service);
        columns.resources.push(&source.owner.resource);
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
        let (id, class) = telling::session(&mut self.found, self.plan, &source.owner);
        let columns = &mut *self.columns;
        columns.projects.push_index(source.owner.project);
        fact.project = columns.keys.hash(source.owner.project_key);
        fact.id_class = class;
        let word = columns.sessions.push(&id);
        if word != 0 {
            fact.session = columns.session_key(source.owner.project_key, word);
        }
    }

    fn lifted(&mut self, span: &Span<'_>, fact: &mut Fact) {
        let columns = &mut *self.columns;
        let texts = telling::Texts {
            users: &mut columns.users,
            models: &mut columns.models,
            providers: &mut columns.providers,
            tools: &mut columns.tools,
            responses: &mut columns.responses,
            inputs: &mut columns.inputs,
            outputs: &mut columns.outputs,
        };
        let named = span
            .name
            .strip_prefix(b"execute_tool ")
            .filter(|_| fact.kind == TOOL)
            .unwrap_or_default();
        texts.push(&mut self.found, named, fact);
        telling::usage(&mut self.found, self.plan, fact);
    }

    fn facets(&mut self, source: &Source, end: i64) {
        let column = &mut self.columns.facets;
        telling::facets(column, &mut self.found);
        telling::asked(column, &self.found, self.plan, &source.owner);
        if self.columns.scopes.words.get(source.scope) == records::OWN_SCOPE {
            self.found.unflag(records::MARKS);
        } else {
            if self.found.ended {
                self.found.flag(flags::SESSION_END);
                self.marks.add(b"session.end", end);
            }
            self.marks.each(|what, key, value| column.push(what, key, value));
        }
        column.end();
    }

    fn flags(&self, span: &Span<'_>, fact: &Fact) -> u32 {
        let mut flag = self.found.flags() | telling::used(fact);
        if span.status == STATUS_ERROR {
            flag |= flags::ERROR;
        }
        if fact.parent == 0 {
            flag |= flags::ROOT;
        }
        flag
    }
}
