//! Scores, and attributes that the configuration asks for.

use super::clean;
use super::found::Bytes;
use super::reading::text_at;
use super::{Entry, Plan};
use crate::schema::facets;
use crate::values::AnyValue;

/// Scores of one span; what is beyond is dropped.
const MAX_SCORES: usize = 64;

/// An attribute that is kept: as what, and under which name.
#[derive(Debug)]
pub struct Kept {
    pub facet: u32,
    pub name: Box<[u8]>,
}

/// What was kept of a span.
pub enum Worth<'a> {
    Text(Bytes<'a>),
    Number(i64),
}

impl Kept {
    pub fn read<'a>(&self, plan: &Plan, entry: &Entry, value: &AnyValue<'a>) -> Option<Worth<'a>> {
        match self.facet {
            facets::MEASURE => clean::integer(value).map(Worth::Number),
            _ => text_at(plan, entry, value).map(Worth::Text),
        }
    }
}

/// The scores of one span: most have none.
#[derive(Default)]
pub struct Scores<'a>(Vec<Score<'a>>);

struct Score<'a> {
    /// Which way it is told, and its number among those told so.
    place: u32,
    name: Option<Bytes<'a>>,
    value: Option<i64>,
}

impl<'a> Scores<'a> {
    #[inline]
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn name(&mut self, place: u32, name: Bytes<'a>) {
        if let Some(score) = self.at(place) {
            score.name.get_or_insert(name);
        }
    }

    pub fn value(&mut self, place: u32, value: i64) {
        if let Some(score) = self.at(place) {
            score.value.get_or_insert(value);
        }
    }

    fn at(&mut self, place: u32) -> Option<&mut Score<'a>> {
        let known = self.0.iter().position(|score| score.place == place);
        let at = known.unwrap_or(self.0.len());
        if at == MAX_SCORES {
            return None;
        }
        if at == self.0.len() {
            let (name, value) = (None, None);
            self.0.push(Score { place, name, value });
        }
        self.0.get_mut(at)
    }

    /// Calls `facet` with each name, the sum of its scores and their number. What one way of telling them says is not heard again from a
    /// later one.
    pub fn each(&mut self, mut facet: impl FnMut(&[u8], i64, i64)) {
        if self.0.is_empty() {
            return;
        }
        self.0.sort_by_key(|score| score.place);
        let whole: Vec<(u32, &[u8], i64)> = (self.0.iter())
            .filter_map(|score| Some((score.place >> 16, &**score.name.as_ref()?, score.value?)))
            .collect();
        let again =
            |&(way, name, value): &(u32, &[u8], i64)| whole.iter().any(|other| other.0 < way && (other.1, other.2) == (name, value));
        let mut told: Vec<(&[u8], i64, i64)> = Vec::new();
        for (_, name, value) in whole.iter().filter(|score| !again(score)) {
            match told.iter_mut().find(|(known, ..)| known == name) {
                Some((_, sum, count)) => (*sum, *count) = (sum.saturating_add(*value), *count + 1),
                None => told.push((name, *value, 1)),
            }
        }
        for (name, sum, count) in told {
            facet(name, sum, count);
        }
    }

    pub fn is_full(&self) -> bool {
        self.0.len() == MAX_SCORES
    }
}
