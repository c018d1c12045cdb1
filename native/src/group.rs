//! A group in the making: the columns of all requests that will be stored together.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::columns::{Dict, Text, Words};
use crate::lift::{Lifts, Plan};
use crate::logs::{self, Logs};
use crate::maps::{Attributes, Resources};
use crate::metrics::{self, Metrics};
use crate::parts::{Events, Facets, Links, Traces};
use crate::schema::{Fact, KINDS};
use crate::tenants::Tenants;
use crate::texts::Texts;
use crate::traces;
use crate::wire::{Bad, Signal};

pub const SPAN_KINDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];
pub const STATUS_CODES: [&str; 3] = ["Unset", "Ok", "Error"];

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub items: u64,
    /// Spans that were refused alone. With a message, the answer is a partial success.
    pub rejected: u64,
    pub message: String,
}

/// The spans of many requests, in columns.
pub struct Group {
    pub(crate) plan: Arc<Plan>,
    texts: Arc<Texts>,
    pub(crate) columns: Columns,
    /// Boxes that are there once they are needed: most groups have spans alone.
    logs: Option<Box<Logs>>,
    metrics: Option<Box<Metrics>>,
}

/// One row per span in each of them, but for what is inside of dictionaries and lists.
pub struct Columns {
    pub facts: Vec<Fact>,
    pub totals: Vec<i64>,
    pub first_tokens: Vec<u64>,
    pub tenants: Tenants,
    pub traces: Traces,
    pub states: Text,
    pub names: Dict,
    pub span_kinds: Vec<u32>,
    pub services: Dict,
    pub resources: Resources,
    pub scopes: Dict,
    pub scope_versions: Dict,
    pub attributes: Attributes,
    pub lifts: Lifts,
    pub statuses: Vec<u32>,
    pub messages: Text,
    pub events: Events,
    pub links: Links,
    pub projects: Dict,
    pub sessions: Dict,
    pub users: Dict,
    pub models: Dict,
    pub providers: Dict,
    pub tools: Dict,
    pub responses: Dict,
    pub inputs: Dict,
    pub outputs: Dict,
    pub facets: Facets,
    /// Texts that stand in no column: tenant \0 project, tenant \0 project \0 session.
    pub keys: Words,
    /// The last one that was asked for: project key, session word and hash. Most spans repeat it.
    last_session: ((u32, u32), u64),
}

impl Group {
    pub fn new(plan: Arc<Plan>, texts: Arc<Texts>) -> Group {
        Group {
            plan,
            texts,
            columns: Columns::new(),
            logs: None,
            metrics: None,
        }
    }

    /// Decodes a request of a tenant behind the others. All or nothing: on an error the group is as before. `arrival` in ns since 1970.
    pub fn take(&mut self, signal: Signal, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Bad> {
        match signal {
            Signal::Traces => self.take_traces(body, arrival, tenant),
            Signal::Logs => self.take_logs(body, arrival, tenant),
            Signal::Metrics => self.take_metrics(body, arrival, tenant),
        }
    }

    fn take_traces(&mut self, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Bad> {
        let mark = self.columns.mark();
        match traces::decode(&self.plan, &mut self.columns, body, arrival, tenant) {
            Ok(taken) => {
                self.columns.remember(&mark, &self.texts);
                Ok(taken)
            }
            Err(broken) => {
                self.columns.truncate(&mark);
                Err(broken.into())
            }
        }
    }

    fn take_logs(&mut self, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Bad> {
        let logs = self.logs.get_or_insert_default();
        let mark = logs.mark();
        match logs::decode(&self.plan, logs, body, arrival, tenant) {
            Ok(taken) => {
                logs.remember(&mark, &self.texts);
                Ok(taken)
            }
            Err(broken) => {
                logs.truncate(&mark);
                Err(broken.into())
            }
        }
    }

    fn take_metrics(&mut self, body: &[u8], arrival: i64, tenant: &str) -> Result<Taken, Bad> {
        let metrics = self.metrics.get_or_insert_default();
        let mark = metrics.mark();
        metrics::decode(&self.plan, metrics, body, arrival, tenant).map_err(|broken| {
            metrics.truncate(&mark);
            broken.into()
        })
    }

    pub fn rows(&self) -> usize {
        let (logs, metrics) = (self.logs.as_deref(), self.metrics.as_deref());
        self.columns.facts.len() + logs.map_or(0, Logs::rows) + metrics.map_or(0, Metrics::rows)
    }

    /// Bytes of memory that the rows take.
    pub fn bytes(&self) -> usize {
        let (logs, metrics) = (self.logs.as_deref(), self.metrics.as_deref());
        self.columns.bytes() + logs.map_or(0, Logs::bytes) + metrics.map_or(0, Metrics::bytes)
    }

    /// The columns of `Delivery.traces()`, once.
    pub fn traces(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.columns.facts.is_empty() {
            return Ok(None);
        }
        crate::finish::batch(std::mem::replace(&mut self.columns, Columns::new())).map(Some)
    }

    /// The columns of `Delivery.logs()`, once.
    pub fn logs(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let logs = self.logs.take().filter(|logs| logs.rows() > 0);
        logs.map(|logs| logs::batch(*logs)).transpose()
    }

    /// The tables of `Delivery.metrics()`, once.
    pub fn metrics(&mut self) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
        self.metrics.take().map_or(Ok(Vec::new()), |metrics| metrics::batches(*metrics))
    }
}

/// Lengths of everything, to go back to.
pub struct Mark {
    rows: usize,
    tenants: (usize, u32),
    traces: u32,
    resources: (usize, u32, u32),
    attributes: (usize, u32),
    dicts: [(usize, u32); DICTS],
    events: crate::parts::EventsMark,
    links: (usize, u32),
    facets: (usize, u32, u32),
    keys: u32,
}

const DICTS: usize = 13;

impl Columns {
    fn new() -> Self {
        Self {
            facts: Vec::new(),
            totals: Vec::new(),
            first_tokens: Vec::new(),
            tenants: Tenants::default(),
            traces: Traces::default(),
            states: Text::default(),
            names: Dict::new(),
            span_kinds: Vec::new(),
            services: Dict::new(),
            resources: Resources::default(),
            scopes: Dict::new(),
            scope_versions: Dict::new(),
            attributes: Attributes::default(),
            lifts: Lifts::default(),
            statuses: Vec::new(),
            messages: Text::default(),
            events: Events::default(),
            links: Links::default(),
            projects: Dict::new(),
            sessions: Dict::new(),
            users: Dict::new(),
            models: Dict::new(),
            providers: Dict::new(),
            tools: Dict::new(),
            responses: Dict::new(),
            inputs: Dict::new(),
            outputs: Dict::new(),
            facets: Facets::default(),
            keys: Words::with_empty(),
            last_session: ((0, 0), 0),
        }
    }

    /// The hash of "tenant \0 project \0 session", for the number of the first two and the session's word.
    pub fn session_key(&mut self, project_key: u32, session: u32) -> u64 {
        if self.last_session.0 != (project_key, session) {
            let key = [self.keys.get(project_key), b"\0", self.sessions.words.get(session)].concat();
            let word = self.keys.intern(&key);
            self.last_session = ((project_key, session), self.keys.hash(word));
        }
        self.last_session.1
    }

    fn dicts(&self) -> [&Dict; DICTS] {
        [
            &self.names,
            &self.services,
            &self.scopes,
            &self.scope_versions,
            &self.projects,
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
            &mut self.names,
            &mut self.services,
            &mut self.scopes,
            &mut self.scope_versions,
            &mut self.projects,
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
            rows: self.facts.len(),
            tenants: self.tenants.mark(),
            traces: self.traces.len(),
            resources: self.resources.mark(),
            attributes: self.attributes.mark(),
            dicts: self.dicts().map(Dict::mark),
            events: self.events.mark(),
            links: self.links.mark(),
            facets: self.facets.mark(),
            keys: self.keys.len(),
        }
    }

    fn truncate(&mut self, mark: &Mark) {
        self.facts.truncate(mark.rows);
        self.totals.truncate(mark.rows);
        self.first_tokens.truncate(mark.rows);
        self.tenants.truncate(mark.tenants);
        self.traces.truncate(mark.traces);
        self.states.truncate(mark.rows);
        self.span_kinds.truncate(mark.rows);
        self.resources.truncate(mark.resources);
        self.attributes.truncate(mark.attributes);
        self.lifts.truncate(mark.attributes.1);
        self.statuses.truncate(mark.rows);
        self.messages.truncate(mark.rows);
        self.events.truncate(mark.events);
        self.links.truncate(mark.links);
        self.facets.truncate(mark.facets);
        self.keys.truncate(mark.keys);
        self.last_session = ((0, 0), 0);
        for (dict, mark) in self.dicts_mut().into_iter().zip(mark.dicts) {
            dict.truncate(mark);
        }
    }

    /// Hands the texts that are new in this request over, so that their hashes can be looked up.
    fn remember(&self, mark: &Mark, texts: &Texts) {
        let mut texts = texts.lock();
        let mut keep = |words: &Words, from: u32| {
            for index in from..words.len() {
                texts.keep(words.hash(index), words.text(index));
            }
        };
        for (dict, (_, from)) in self.dicts().into_iter().zip(mark.dicts) {
            keep(&dict.words, from);
        }
        keep(&self.keys, mark.keys);
        self.facets.words(mark.facets, keep);
    }

    pub fn bytes(&self) -> usize {
        let fixed = self.facts.len() * (Fact::SIZE + 16) + self.traces.bytes();
        let texts = self.tenants.bytes() + self.states.bytes() + self.messages.bytes() + self.keys.bytes();
        let maps = self.resources.bytes() + self.attributes.bytes();
        let lists = self.events.bytes() + self.links.bytes() + self.facets.bytes();
        fixed + texts + maps + lists + self.dicts().map(Dict::bytes).iter().sum::<usize>()
    }
}

/// The words of the Kind column: all kinds, then the empty word for a span that tells none.
pub fn kind_words() -> Vec<&'static str> {
    KINDS.into_iter().chain([""]).collect()
}
