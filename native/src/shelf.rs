//! Packed rows of traces that were touched lately, by trace id, bounded in bytes: two generations, of which the older is dropped whole.

use std::sync::Arc;

use arrow_buffer::Buffer;
use hashbrown::HashMap;

/// What an entry costs beside its bytes: key, tag, block, bounds and the free places of the table.
const OVERHEAD: usize = 104;

pub type Key = [u8; 24];

/// The rows and facets of many traces: what was put together lies together, and nothing is copied.
pub struct Block {
    pub rows: Buffer,
    pub facets: Buffer,
}

struct Entry {
    tag: u64,
    block: Arc<Block>,
    rows: (usize, usize),
    facets: (usize, usize),
}

/// What is known of a trace.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    pub tag: u64,
    pub rows: &'a [u8],
    pub facets: &'a [u8],
}

#[derive(Default)]
struct Generation {
    entries: HashMap<Key, Entry>,
    /// Rows that were replaced count too: their block lives as long as another trace needs it.
    bytes: usize,
    stamp: i64,
}

/// A generation that was dropped: its keys, and the greatest stamp that came with any of them.
pub struct Dropped {
    pub keys: Vec<Key>,
    pub stamp: i64,
}

pub struct Shelf {
    half: usize,
    young: Generation,
    old: Generation,
}

impl Shelf {
    /// `budget` in bytes, for both generations together.
    pub fn new(budget: usize) -> Self {
        Self {
            half: budget / 2,
            young: Generation::default(),
            old: Generation::default(),
        }
    }

    /// Looking changes nothing.
    pub fn get(&self, key: &Key) -> Option<Found<'_>> {
        let entry = self.young.entries.get(key).or_else(|| self.old.entries.get(key))?;
        Some(Found {
            tag: entry.tag,
            rows: &entry.block.rows[entry.rows.0..entry.rows.1],
            facets: &entry.block.facets[entry.facets.0..entry.facets.1],
        })
    }

    /// Keeps these; `entries` are key, tag, and where the rows and the facets end in the block, each where the one before it ended.
    /// The older generation goes when the younger holds half of the budget.
    pub fn put(&mut self, block: Block, entries: impl Iterator<Item = (Key, u64, usize, usize)>, stamp: i64) -> Option<Dropped> {
        let block = Arc::new(block);
        let young = &mut self.young;
        young.bytes += block.rows.len() + block.facets.len();
        young.stamp = young.stamp.max(stamp);
        let (mut row, mut facet) = (0, 0);
        for (key, tag, rows_end, facets_end) in entries {
            let entry = Entry {
                tag,
                block: Arc::clone(&block),
                rows: (row, rows_end),
                facets: (facet, facets_end),
            };
            (row, facet) = (rows_end, facets_end);
            young.bytes += OVERHEAD;
            young.entries.insert(key, entry);
        }
        (young.bytes > self.half).then(|| self.turn()).flatten()
    }

    /// Forgets these. Their bytes count until their generation goes: the block lives as long as another trace needs it.
    pub fn drop_keys(&mut self, keys: impl Iterator<Item = Key>) {
        for key in keys {
            self.young.entries.remove(&key);
            self.old.entries.remove(&key);
        }
    }

    fn turn(&mut self) -> Option<Dropped> {
        let young = std::mem::take(&mut self.young);
        let old = std::mem::replace(&mut self.old, young);
        let gone = old.entries.keys().filter(|key| !self.old.entries.contains_key(*key));
        let keys: Vec<_> = gone.copied().collect();
        (!keys.is_empty()).then_some(Dropped { keys, stamp: old.stamp })
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.young.bytes + self.old.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(shelf: &mut Shelf, numbers: &[u8], tag: u64, rows: &[u8], stamp: i64) -> Option<Dropped> {
        let block = Block {
            rows: rows.repeat(numbers.len()).into(),
            facets: numbers.to_vec().into(),
        };
        let entries = numbers.iter().enumerate();
        let entries = entries.map(|(at, number)| ([*number; 24], tag, (at + 1) * rows.len(), at + 1));
        shelf.put(block, entries, stamp)
    }

    fn found(shelf: &Shelf, number: u8) -> Option<(u64, &[u8], &[u8])> {
        shelf.get(&[number; 24]).map(|found| (found.tag, found.rows, found.facets))
    }

    #[test]
    fn what_was_put_last_is_found() {
        let mut shelf = Shelf::new(1 << 20);
        put(&mut shelf, &[1, 2], 7, b"rows", 0);
        put(&mut shelf, &[2], 8, b"more rows", 0);
        assert_eq!(found(&shelf, 1), Some((7, &b"rows"[..], &[1][..])));
        assert_eq!(found(&shelf, 2), Some((8, &b"more rows"[..], &[2][..])));
        assert_eq!(found(&shelf, 3), None);
        assert_eq!(shelf.size(), 8 + 9 + 3 + 3 * OVERHEAD);
    }

    #[test]
    fn what_was_dropped_is_gone_and_the_rest_stays() {
        let mut shelf = Shelf::new(1 << 20);
        put(&mut shelf, &[1, 2, 3], 7, b"rows", 0);
        put(&mut shelf, &[2], 8, b"more rows", 0);
        shelf.drop_keys([[2; 24], [3; 24], [9; 24]].into_iter());
        assert!(found(&shelf, 2).is_none() && found(&shelf, 3).is_none());
        assert_eq!(found(&shelf, 1), Some((7, &b"rows"[..], &[1][..])));
    }

    #[test]
    fn the_older_generation_goes_whole_and_is_named() {
        let mut shelf = Shelf::new(2 * (OVERHEAD + 10));
        assert!(put(&mut shelf, &[1], 0, &[0; 11], 50).is_none());
        assert!(put(&mut shelf, &[2], 0, &[0; 11], 40).is_some_and(|gone| gone.keys == [[1; 24]] && gone.stamp == 50));
        assert!(found(&shelf, 1).is_none() && found(&shelf, 2).is_some());
        assert!(
            put(&mut shelf, &[2], 0, &[0; 11], 30).is_none(),
            "touched again: young once more, so not gone"
        );
        assert!(put(&mut shelf, &[3], 0, &[0; 11], 20).is_some_and(|gone| gone.keys == [[2; 24]] && gone.stamp == 30));
    }
}
