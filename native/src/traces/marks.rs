//! Events `session.start` and `session.end` of a span, and its attribute `session.end`, which is such an event at its end.

use std::borrow::Cow;

use super::MAX_EVENTS;
use crate::lift::Plan;
use crate::lift::records::PREVIOUS_ID;
use crate::schema::facets;
use crate::values::AnyValue;

/// The marks of one span: most have none.
#[derive(Default)]
pub struct Marks<'a> {
    told: Vec<(&'a [u8], i64)>,
    previous: Option<Cow<'a, [u8]>>,
}

impl<'a> Marks<'a> {
    #[inline]
    pub fn clear(&mut self) {
        if !self.told.is_empty() {
            *self = Self::default();
        }
    }

    pub fn add(&mut self, name: &'a [u8], time: i64) {
        debug_assert!(self.told.len() <= MAX_EVENTS);
        self.told.push((name, time));
    }

    /// Takes an attribute of a mark into account.
    pub fn attribute(&mut self, plan: &Plan, key: &[u8], value: &AnyValue<'a>) {
        if key == PREVIOUS_ID && self.previous.is_none() {
            self.previous = plan.session_id(value).map(|(id, _)| id);
        }
    }

    pub fn each(&self, mut facet: impl FnMut(u32, &[u8], &[u8])) {
        for (name, time) in &self.told {
            facet(facets::MARK, name, time.to_string().as_bytes());
        }
        if let Some(id) = &self.previous {
            facet(facets::PREVIOUS_ID, b"", id);
        }
    }
}
