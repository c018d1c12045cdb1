//! The log records of many requests, in columns.

use xxhash_rust::xxh3::xxh3_128;

use crate::columns::{Dict, Text, Words};
use crate::lift::Lifts;
use crate::maps::Attributes;
use crate::parts::{Facets, hex};
use crate::schema::Fact;
use crate::sources::{Sources, SourcesMark};
use crate::texts::Texts;

/// One row per record in each of them, but for what is inside of dictionaries and lists.
#[derive(Default)]
pub struct Logs {
    pub sources: Sources,
    pub source_rows: Vec<u32>,
    /// What resources and scopes will take once they are repeated on every row.
    pub repeated: usize,
    pub facts: Vec<Fact>,
    pub totals: Vec<i64>,
    pub first_tokens: Vec<u64>,
    /// Ids of traces, with their tenants behind them.
    pub traces: Words,
    /// Whose records are read now.
    tenant: String,
    /// The last trace id, and its word.
    last_trace: Option<([u8; 16], u32)>,
    /// The last log trace: of which minute of which session and service, and its word.
    last_log_trace: Option<(LogTrace, u32)>,
    /// The last session: numbers of "tenant \0 project" and of its id, and its hash.
    last_session: Option<((u32, u32), u64)>,
    /// For each row: whether its trace is a log trace.
    pub log_traces: Vec<bool>,
    /// Ids of the spans that records name, whether or not they name a trace.
    pub spans: Vec<u64>,
    pub trace_flags: Vec<u8>,
    pub severities: Vec<u8>,
    pub severity_texts: Dict,
    pub bodies: Text,
    pub attributes: Attributes,
    pub lifts: Lifts,
    pub event_names: Dict,
    pub events: Dict,
    pub sessions: Dict,
    pub users: Dict,
    pub models: Dict,
    pub providers: Dict,
    pub tools: Dict,
    pub responses: Dict,
    pub inputs: Dict,
    pub outputs: Dict,
    pub facets: Facets,
}

/// What makes a log trace, by the numbers of its words.
#[derive(Clone, Copy, PartialEq)]
pub struct LogTrace {
    pub project_key: u32,
    pub session: u32,
    pub service: u32,
    pub minute: u64,
}

const DICTS: usize = 11;

/// Lengths of everything, to go back to.
pub struct Mark {
    sources: SourcesMark,
    rows: usize,
    repeated: usize,
    traces: u32,
    attributes: (usize, u32),
    dicts: [(usize, u32); DICTS],
    facets: (usize, u32, u32),
}

impl Logs {
    pub fn rows(&self) -> usize {
        self.facts.len()
    }

    /// The hash of "tenant \0 project \0 session", for the numbers of the first two and of the last.
    pub fn session_key(&mut self, project_key: u32, session: u32) -> u64 {
        match self.last_session {
            Some((last, hash)) if last == (project_key, session) => hash,
            _ => {
                let hash = self.sources.session_key(project_key, self.sessions.words.get(session));
                self.last_session = Some(((project_key, session), hash));
                hash
            }
        }
    }

    /// The records from now on are those of this tenant.
    pub fn begin(&mut self, tenant: &str) {
        if self.tenant != tenant {
            tenant.clone_into(&mut self.tenant);
            self.last_trace = None;
        }
    }

    /// What a trace is known by: its id, and its tenant behind it.
    fn named(&self, mut id: Vec<u8>) -> Vec<u8> {
        id.extend_from_slice(self.tenant.as_bytes());
        id
    }

    /// The word of a trace id.
    pub fn trace(&mut self, id: [u8; 16]) -> u32 {
        match self.last_trace {
            Some((last, word)) if last == id => word,
            _ => {
                let word = self.traces.intern(&self.named(digits(&id)));
                self.last_trace = Some((id, word));
                word
            }
        }
    }

    /// The word of the id of a log trace.
    pub fn log_trace(&mut self, of: LogTrace) -> u32 {
        match self.last_log_trace {
            Some((last, word)) if last == of => word,
            _ => {
                let minute = of.minute.to_string();
                let parts = [
                    self.sources.keys.get(of.project_key),
                    self.sessions.words.get(of.session),
                    self.sources.services.get(of.service),
                    minute.as_bytes(),
                ];
                let word = self
                    .traces
                    .intern(&self.named(digits(&xxh3_128(&parts.join(&b'\0')).to_be_bytes())));
                self.last_log_trace = Some((of, word));
                word
            }
        }
    }

    fn dicts(&self) -> [&Dict; DICTS] {
        [
            &self.severity_texts,
            &self.event_names,
            &self.events,
            &self.sessions,
            &self.users,
            &self.models,
            &self.providers,
            &self.tools,
            &self.responses,
            &self.inputs,
            &self.outputs,
        ]
    }

    fn dicts_mut(&mut self) -> [&mut Dict; DICTS] {
        [
            &mut self.severity_texts,
            &mut self.event_names,
            &mut self.events,
            &mut self.sessions,
            &mut self.users,
            &mut self.models,
            &mut self.providers,
            &mut self.tools,
            &mut self.responses,
            &mut self.inputs,
            &mut self.outputs,
        ]
    }

    pub fn mark(&self) -> Mark {
        Mark {
            sources: self.sources.mark(),
            rows: self.facts.len(),
            repeated: self.repeated,
            traces: self.traces.len(),
            attributes: self.attributes.mark(),
            dicts: self.dicts().map(Dict::mark),
            facets: self.facets.mark(),
        }
    }

    pub fn truncate(&mut self, mark: &Mark) {
        self.sources.truncate(&mark.sources);
        self.source_rows.truncate(mark.rows);
        self.repeated = mark.repeated;
        self.facts.truncate(mark.rows);
        self.totals.truncate(mark.rows);
        self.first_tokens.truncate(mark.rows);
        self.traces.truncate(mark.traces);
        (self.last_trace, self.last_log_trace, self.last_session) = (None, None, None);
        self.log_traces.truncate(mark.rows);
        self.spans.truncate(mark.rows);
        self.trace_flags.truncate(mark.rows);
        self.severities.truncate(mark.rows);
        self.bodies.truncate(mark.rows);
        self.attributes.truncate(mark.attributes);
        self.lifts.truncate(mark.attributes.1);
        self.facets.truncate(mark.facets);
        for (dict, mark) in self.dicts_mut().into_iter().zip(mark.dicts) {
            dict.truncate(mark);
        }
    }

    /// Hands the texts that are new in this request over, so that their hashes can be looked up.
    pub fn remember(&self, mark: &Mark, texts: &Texts) {
        let mut texts = texts.lock();
        let mut keep = |words: &Words, from: u32| {
            for index in from..words.len() {
                texts.keep(words.hash(index), words.text(index));
            }
        };
        for (dict, (_, from)) in self.dicts().into_iter().zip(mark.dicts) {
            keep(&dict.words, from);
        }
        self.sources.words(&mark.sources, &mut keep);
        self.facets.words(mark.facets, keep);
    }

    pub fn bytes(&self) -> usize {
        let fixed = self.facts.len() * (Fact::SIZE + 32) + self.sources.bytes() + self.repeated;
        let texts = self.bodies.bytes() + self.attributes.bytes() + self.facets.bytes() + self.traces.bytes();
        fixed + texts + self.dicts().map(Dict::bytes).iter().sum::<usize>()
    }
}

/// A trace id as text.
fn digits(id: &[u8; 16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(32);
    hex(id, &mut text);
    text
}
