//! The row of one log record, once all of it is known.

use super::columns::LogTrace;
use super::{Request, Sent, Told};
use crate::digest;
use crate::lift::records::{MARKS, OWN_SCOPE};
use crate::lift::{LLM, SPAN, is_model};
use crate::maps::write_value;
use crate::schema::{Fact, NO_KIND, facets, flags};
use crate::telling;
use crate::wire::Broken;

/// The least severity that is an error.
const ERROR: u64 = 17;
const MINUTE: u64 = 60_000_000_000;

impl Request<'_, '_> {
    /// Adds a row to every column.
    pub(super) fn row(&mut self, source: u32, record: &Sent<'_>, told: Told<'_>) -> Result<(), Broken> {
        let body = self.content(record)?;
        let times = [record.time, record.observed, self.window.arrival as u64];
        let time = times.into_iter().find(|&time| time != 0).unwrap_or_default();
        let (start, bad) = self.window.clamp(time);
        let undated = if record.time | record.observed == 0 { flags::UNDATED } else { 0 };
        self.found.flag(bad | undated | flags::RECORD);
        let digest = self.digest(source, record, body);
        let mut fact = Fact {
            span: digest,
            start,
            end: start,
            sent_end: sent(start, bad | undated, self.window.arrival),
            digest,
            arrival: self.window.arrival,
            cost: -1,
            ..Fact::default()
        };
        self.logs.source_rows.push(source);
        self.logs.repeated += self.logs.sources.row_bytes(source);
        let session = self.session(source, &mut fact);
        self.trace(source, session, record, &mut fact);
        self.call(&told, &mut fact);
        self.lifted(&told, &mut fact);
        self.facets(source, &told);
        fact.flags = self.flags(record, &fact);
        let scope = self.logs.sources.scopes.get(self.logs.sources.get(source).scope);
        let first = self.found.first_token(self.plan, scope, start, u64::MAX);
        self.logs.first_tokens.push(first);
        self.logs.facts.push(fact);
        self.logs.totals.push(self.found.total());
        Ok(())
    }

    /// The columns that are only stored. Gives the digest of the body.
    fn content(&mut self, record: &Sent<'_>) -> Result<u64, Broken> {
        let logs = &mut *self.logs;
        logs.trace_flags.push(record.flags as u8);
        logs.severities.push(u8::try_from(record.severity).unwrap_or(u8::MAX));
        logs.severity_texts.push(record.severity_text);
        logs.event_names.push(record.event_name);
        logs.attributes.end();
        let bodies = &mut logs.bodies.values;
        let start = bodies.len();
        self.found.flag(write_value(&record.body, bodies)?);
        let digest = digest::value(0, &record.body, &bodies[start..]);
        logs.bodies.close();
        Ok(digest)
    }

    /// Of everything that was sent, but for the fields that no column has. Never 0.
    fn digest(&self, source: u32, record: &Sent<'_>, body: u64) -> u64 {
        let ids = [record.trace, record.span].map(digest::text);
        let parts = [
            self.logs.sources.get(source).digest,
            self.attributes,
            body,
            record.time,
            record.observed,
            record.severity,
            digest::text(record.severity_text),
            digest::text(record.event_name),
            u64::from(record.flags),
            ids[0],
            ids[1],
        ];
        digest::parts(parts).max(1)
    }

    /// A call of a model is told with usage, or not at all: refused ones are counted on spans.
    fn call(&mut self, told: &Told<'_>, fact: &mut Fact) {
        fact.kind = match self.found.kind_told(self.plan, b"") {
            _ if !told.generic => told.kind,
            NO_KIND => LLM,
            kind if is_model(kind) => kind,
            _ => SPAN,
        };
        if is_model(fact.kind) {
            telling::usage(&mut self.found, self.plan, fact);
            if telling::used(fact) == 0 {
                (fact.kind, fact.cost, fact.cost_source) = (SPAN, -1, 0);
            }
        }
    }

    /// Gives the number of the session's id, 0 for none.
    fn session(&mut self, source: u32, fact: &mut Fact) -> u32 {
        let logs = &mut *self.logs;
        let owner = &logs.sources.get(source).owner;
        self.found.flag(owner.truncated);
        let (id, class) = telling::session(&mut self.found, self.plan, owner);
        let project = owner.project_key;
        fact.id_class = class;
        fact.service = logs.sources.services.hash(owner.service);
        let word = logs.sessions.push(&id);
        fact.project = logs.sources.keys.hash(project);
        if word != 0 {
            fact.session = logs.session_key(project, word);
        }
        let scope = logs.sources.get(source).scope;
        fact.scope = logs.sources.scopes.hash(scope);
        word
    }

    /// The trace that the record names, else, if it names a session, that session's log trace of this service and minute.
    fn trace(&mut self, source: u32, session: u32, record: &Sent<'_>, fact: &mut Fact) {
        let logs = &mut *self.logs;
        let named = <[u8; 16]>::try_from(record.trace).ok().filter(|id| *id != [0; 16]);
        let traceless = named.is_none() && session != 0;
        let owner = &logs.sources.get(source).owner;
        let of = LogTrace {
            project_key: owner.project_key,
            session,
            service: owner.service,
            minute: fact.sent_end / MINUTE,
        };
        let span = record.span.try_into().map_or(0, u64::from_be_bytes);
        logs.log_traces.push(traceless);
        logs.spans.push(span);
        fact.parent = if named.is_some() { span } else { 0 };
        fact.trace = match named {
            Some(id) => logs.trace(id),
            None if traceless => logs.log_trace(of),
            None => logs.traces.intern(b""),
        };
    }

    fn lifted(&mut self, told: &Told<'_>, fact: &mut Fact) {
        let logs = &mut *self.logs;
        let event = logs.events.push(&told.event);
        fact.name = logs.events.hash(event);
        let texts = telling::Texts {
            users: &mut logs.users,
            models: &mut logs.models,
            providers: &mut logs.providers,
            tools: &mut logs.tools,
            responses: &mut logs.responses,
            inputs: &mut logs.inputs,
            outputs: &mut logs.outputs,
        };
        texts.push(&mut self.found, b"", fact);
    }

    fn facets(&mut self, source: u32, told: &Told<'_>) {
        let logs = &mut *self.logs;
        if let Some(id) = &told.previous {
            logs.facets.push(facets::PREVIOUS_ID, b"", id);
        }
        telling::numbers(&mut logs.facets, &mut self.found);
        logs.facets.end();
        if logs.sources.scopes.get(logs.sources.get(source).scope) == OWN_SCOPE {
            self.found.unflag(MARKS);
        }
    }

    fn flags(&self, record: &Sent<'_>, fact: &Fact) -> u32 {
        let error = if record.severity >= ERROR { flags::ERROR } else { 0 };
        self.found.flags() | error | telling::used(fact)
    }
}

/// The time as sent, as far as the stored row can tell it: the same for every copy, whenever it arrived.
pub fn sent(start: i64, told: u32, arrival: i64) -> u64 {
    match told & (flags::BAD_TIME | flags::UNDATED) {
        0 => start as u64,
        flags::UNDATED => 0,
        _ if start < arrival => 0,
        _ => u64::MAX,
    }
}
