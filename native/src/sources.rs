//! Where telemetry comes from: resource and scope, read once and shared by all the rows behind them.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::ArrowError;

use crate::columns::{Words, dictionary};
use crate::digest;
use crate::lift::{Plan, Project, clean};
use crate::maps::{MAX_ATTRIBUTES, Resource, Resources, repeated, write_value};
use crate::schema::flags;
use crate::values::{AnyValue, key_value};
use crate::wire::{Broken, Fields, each};

/// The words that owners are made of.
pub struct Names<'c> {
    pub resources: &'c mut Resources,
    pub services: &'c mut Words,
    pub projects: &'c mut Words,
    /// Texts that stand in no column: tenant \0 project, tenant \0 project \0 session.
    pub keys: &'c mut Words,
}

/// What a resource says.
#[derive(Default)]
pub struct Owner {
    pub resource: Resource,
    pub truncated: u32,
    pub service: u32,
    pub project: u32,
    /// Number of "tenant \0 project" in `Names::keys`.
    pub project_key: u32,
    /// Session id, and whether it was shortened.
    pub session: Option<(Vec<u8>, bool)>,
    /// What may name the sessions of traces without an id, by name.
    pub gaps: Vec<(Box<[u8]>, Vec<u8>)>,
    pub tenant: u32,
    /// Of its tenant and its attributes.
    pub digest: u64,
}

impl Owner {
    pub fn read(plan: &Plan, mut names: Names<'_>, tenant: &str, message: &[u8]) -> Result<Self, Broken> {
        let mut owner = Self {
            digest: digest::tenant(tenant),
            ..Self::default()
        };
        names.resources.start();
        let mut text = Vec::new();
        let mut gaps = Gaps::of(plan);
        each(message, 1, |pair| {
            let (key, value) = key_value(pair)?;
            gaps.attribute(plan, key, &value);
            text.clear();
            owner.truncated |= write_value(&value, &mut text)?;
            owner.attribute(plan, &mut names, key, &value, &text);
            Ok(())
        })?;
        owner.gaps = gaps.finish(plan);
        if let Project::Value(name) = &plan.project {
            owner.project = names.projects.intern(name.as_bytes());
        }
        let project_key = [tenant.as_bytes(), b"\0", names.projects.get(owner.project)].concat();
        owner.project_key = names.keys.intern(&project_key);
        Ok(owner)
    }

    fn attribute(&mut self, plan: &Plan, names: &mut Names<'_>, key: &[u8], value: &AnyValue<'_>, text: &[u8]) {
        let full = self.resource.len() >= MAX_ATTRIBUTES;
        if full {
            self.truncated |= flags::TRUNCATED;
        } else if !names.resources.entry(&mut self.resource, key, text) {
            return;
        }
        self.digest = self.digest.wrapping_add(digest::attribute(key, value, text));
        if full {
            return;
        }
        if key == b"service.name" {
            self.service = names.services.intern(text);
        }
        if matches!(&plan.project, Project::Attribute(wanted) if wanted == key) {
            self.project = names.projects.intern(clean::cut_bytes(text, 4096));
        }
        if plan.resource_session.iter().any(|wanted| wanted == key) {
            let id = plan.session_id(value).map(|(id, cut)| (id.into_owned(), cut));
            self.session = self.session.take().or(id);
        }
    }
}

/// For each of `Plan::resource_gaps` the first key that is there, and its text.
struct Gaps(Vec<Option<(usize, Vec<u8>)>>);

impl Gaps {
    fn of(plan: &Plan) -> Self {
        Self(vec![None; plan.resource_gaps.len()])
    }

    fn attribute(&mut self, plan: &Plan, key: &[u8], value: &AnyValue<'_>) {
        for (best, (_, keys)) in self.0.iter_mut().zip(&plan.resource_gaps) {
            let Some(place) = keys.iter().position(|wanted| **wanted == *key) else {
                continue;
            };
            if best.as_ref().is_none_or(|(known, _)| place < *known)
                && let Some(text) = clean::scalar(value).and_then(|text| plan.valid(text))
            {
                *best = Some((place, clean::cut_bytes(&text, 4096).to_vec()));
            }
        }
    }

    fn finish(self, plan: &Plan) -> Vec<(Box<[u8]>, Vec<u8>)> {
        let names = plan.resource_gaps.iter().map(|(name, _)| name);
        names
            .zip(self.0)
            .filter_map(|(name, found)| found.map(|(_, text)| (name.clone(), text)))
            .collect()
    }
}

/// A resource and a scope.
pub struct Source {
    pub owner: Arc<Owner>,
    resource_url: u32,
    pub scope: u32,
    version: u32,
    scope_url: u32,
    attributes: Resource,
    dropped: u32,
    pub digest: u64,
}

/// All sources of a group of records or points. Rows hold their numbers.
pub struct Sources {
    all: Vec<Source>,
    resources: Resources,
    tenants: Words,
    pub services: Words,
    projects: Words,
    urls: Words,
    pub scopes: Words,
    versions: Words,
    scope_attributes: Resources,
    /// Texts that stand in no column: tenant \0 project, tenant \0 project \0 session.
    pub keys: Words,
}

/// Lengths of everything, to go back to.
pub struct SourcesMark {
    all: usize,
    resources: (usize, u32, u32),
    scope_attributes: (usize, u32, u32),
    tenants: u32,
    pub services: u32,
    projects: u32,
    urls: u32,
    pub scopes: u32,
    versions: u32,
    pub keys: u32,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            resources: Resources::default(),
            tenants: Words::with_empty(),
            services: Words::with_empty(),
            projects: Words::with_empty(),
            urls: Words::with_empty(),
            scopes: Words::with_empty(),
            versions: Words::with_empty(),
            scope_attributes: Resources::default(),
            keys: Words::with_empty(),
        }
    }
}

impl Sources {
    pub fn owner(&mut self, plan: &Plan, tenant: &str, message: &[u8]) -> Result<Arc<Owner>, Broken> {
        let names = Names {
            resources: &mut self.resources,
            services: &mut self.services,
            projects: &mut self.projects,
            keys: &mut self.keys,
        };
        let mut owner = Owner::read(plan, names, tenant, message)?;
        owner.tenant = self.tenants.intern(tenant.as_bytes());
        Ok(Arc::new(owner))
    }

    /// Adds a source: a resource that was read, a scope that is read now, and the URLs of their schemas. Gives its number.
    pub fn add(&mut self, owner: &Arc<Owner>, resource_url: &[u8], scope: &[u8], scope_url: &[u8]) -> Result<u32, Broken> {
        let (mut name, mut version, mut dropped) = (&[][..], &[][..], 0);
        let (mut attributes, mut sum, mut text) = (Resource::default(), 0u64, Vec::new());
        self.scope_attributes.start();
        let mut fields = Fields::of(scope);
        while let Some((number, value)) = fields.take()? {
            match number {
                1 => name = value.bytes()?,
                2 => version = value.bytes()?,
                3 => {
                    let (key, value) = key_value(value.bytes()?)?;
                    text.clear();
                    write_value(&value, &mut text)?;
                    let full = attributes.len() >= MAX_ATTRIBUTES;
                    if full || self.scope_attributes.entry(&mut attributes, key, &text) {
                        sum = sum.wrapping_add(digest::attribute(key, &value, &text));
                    }
                }
                4 => dropped = u32::try_from(value.varint()?).unwrap_or(u32::MAX),
                _ => {}
            }
        }
        let texts = [resource_url, name, version, scope_url].map(digest::text);
        self.all.push(Source {
            owner: Arc::clone(owner),
            resource_url: self.urls.intern(resource_url),
            scope: self.scopes.intern(name),
            version: self.versions.intern(version),
            scope_url: self.urls.intern(scope_url),
            attributes,
            dropped,
            digest: digest::parts([owner.digest, texts[0], texts[1], texts[2], texts[3], sum, u64::from(dropped)]),
        });
        Ok(self.all.len() as u32 - 1)
    }

    #[inline]
    pub fn get(&self, number: u32) -> &Source {
        &self.all[number as usize]
    }

    /// The hash of "tenant \0 project \0 session", for the number of the first two.
    pub fn session_key(&mut self, project_key: u32, session: &[u8]) -> u64 {
        let key = [self.keys.get(project_key), b"\0", session].concat();
        let word = self.keys.intern(&key);
        self.keys.hash(word)
    }

    pub fn mark(&self) -> SourcesMark {
        SourcesMark {
            all: self.all.len(),
            resources: self.resources.mark(),
            scope_attributes: self.scope_attributes.mark(),
            tenants: self.tenants.len(),
            services: self.services.len(),
            projects: self.projects.len(),
            urls: self.urls.len(),
            scopes: self.scopes.len(),
            versions: self.versions.len(),
            keys: self.keys.len(),
        }
    }

    pub fn truncate(&mut self, mark: &SourcesMark) {
        self.all.truncate(mark.all);
        self.resources.truncate(mark.resources);
        self.scope_attributes.truncate(mark.scope_attributes);
        self.tenants.truncate(mark.tenants);
        self.services.truncate(mark.services);
        self.projects.truncate(mark.projects);
        self.urls.truncate(mark.urls);
        self.scopes.truncate(mark.scopes);
        self.versions.truncate(mark.versions);
        self.keys.truncate(mark.keys);
    }

    /// Calls `keep` with words whose hashes stand in packed rows, and where the new ones begin.
    pub fn words(&self, mark: &SourcesMark, mut keep: impl FnMut(&Words, u32)) {
        keep(&self.services, mark.services);
        keep(&self.scopes, mark.scopes);
        keep(&self.keys, mark.keys);
    }

    pub fn bytes(&self) -> usize {
        let words = [
            &self.tenants,
            &self.services,
            &self.projects,
            &self.urls,
            &self.scopes,
            &self.versions,
            &self.keys,
        ];
        let maps = self.resources.bytes() + self.scope_attributes.bytes();
        self.all.len() * size_of::<Source>() + maps + words.iter().map(|words| words.bytes()).sum::<usize>()
    }

    /// Bytes that the maps of one more row of this source take once they are finished.
    #[inline]
    pub fn row_bytes(&self, number: u32) -> usize {
        let source = self.get(number);
        8 * (source.owner.resource.len() + source.attributes.len() + 2)
    }

    pub fn finish(self) -> Result<Finished, ArrowError> {
        Ok(Finished {
            tenants: self.tenants.finish()?,
            services: self.services.finish()?,
            projects: self.projects.finish()?,
            urls: self.urls.finish()?,
            scopes: self.scopes.finish()?,
            versions: self.versions.finish()?,
            resources: self.resources.words()?,
            scope_attributes: self.scope_attributes.words()?,
            all: self.all,
        })
    }
}

/// Sources whose words are arrays, shared by all tables.
pub struct Finished {
    all: Vec<Source>,
    tenants: ArrayRef,
    services: ArrayRef,
    projects: ArrayRef,
    urls: ArrayRef,
    scopes: ArrayRef,
    versions: ArrayRef,
    resources: (ArrayRef, ArrayRef),
    scope_attributes: (ArrayRef, ArrayRef),
}

impl Finished {
    /// The columns that say where rows come from, for rows of these sources.
    pub fn columns(&self, rows: &[u32]) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
        let sources = || rows.iter().map(|&row| &self.all[row as usize]);
        let words = |values: &ArrayRef, word: fn(&Source) -> u32| dictionary(sources().map(word).collect(), Arc::clone(values));
        let (keys, values) = &self.resources;
        let resources = repeated(sources().map(|source| &source.owner.resource), keys, values)?;
        let (keys, values) = &self.scope_attributes;
        let scopes = repeated(sources().map(|source| &source.attributes), keys, values)?;
        let dropped = UInt32Array::from_iter_values(sources().map(|source| source.dropped));
        Ok(vec![
            ("ResourceAttributes", resources),
            ("ResourceSchemaUrl", words(&self.urls, |source| source.resource_url)?),
            ("ScopeName", words(&self.scopes, |source| source.scope)?),
            ("ScopeVersion", words(&self.versions, |source| source.version)?),
            ("ScopeAttributes", scopes),
            ("ScopeDroppedAttrCount", Arc::new(dropped)),
            ("ScopeSchemaUrl", words(&self.urls, |source| source.scope_url)?),
            ("ServiceName", words(&self.services, |source| source.owner.service)?),
            ("Tenant", words(&self.tenants, |source| source.owner.tenant)?),
            ("Project", words(&self.projects, |source| source.owner.project)?),
        ])
    }
}
