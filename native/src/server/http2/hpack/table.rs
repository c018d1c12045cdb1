//! The table of fields that a peer fills as it goes (RFC 7541 §2.3 and §4).

use std::collections::VecDeque;

use super::Broken;
use super::static_table::FIELDS;

/// The size that a peer may use at most: we never ask for another one than every connection begins with.
const MOST: usize = 4096;
/// What a field counts beside its bytes (§4.1).
const OVERHEAD: usize = 32;

pub struct Table {
    /// The newest first.
    fields: VecDeque<Field>,
    size: usize,
    limit: usize,
    pub generation: u64,
}

struct Field {
    text: Box<[u8]>,
    name: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            fields: VecDeque::new(),
            size: 0,
            limit: MOST,
            generation: 0,
        }
    }
}

impl Table {
    pub fn field(&self, index: usize) -> Result<(&[u8], &[u8]), Broken> {
        let index = index.checked_sub(1).ok_or(Broken)?;
        match FIELDS.get(index) {
            Some(field) => Ok(*field),
            None => {
                let field = self.fields.get(index - FIELDS.len()).ok_or(Broken)?;
                Ok(field.text.split_at(field.name))
            }
        }
    }

    /// Adds a field: its name, then its value, in one text. One that is larger than the table empties it (§4.4).
    pub fn insert(&mut self, text: &[u8], name: usize) {
        self.generation += 1;
        let size = text.len() + OVERHEAD;
        self.shrink(self.limit.saturating_sub(size));
        if size <= self.limit {
            self.size += size;
            self.fields.push_front(Field { text: text.into(), name });
        }
    }

    pub fn resize(&mut self, limit: usize) -> Result<(), Broken> {
        if limit > MOST {
            return Err(Broken);
        }
        self.generation += 1;
        self.limit = limit;
        self.shrink(limit);
        Ok(())
    }

    fn shrink(&mut self, to: usize) {
        while self.size > to
            && let Some(oldest) = self.fields.pop_back()
        {
            self.size -= oldest.text.len() + OVERHEAD;
        }
    }
}
