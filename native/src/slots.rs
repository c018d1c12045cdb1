//! Sessions that live, by the hash of their key: each has a slot, a number by which the caller keeps columns about it, its name, and the
//! packed rows of its traces, or none if they were dropped.

use hashbrown::HashMap;

/// Rows and their facets in one allocation.
#[derive(Default)]
pub struct Pair {
    bytes: Box<[u8]>,
    rows: usize,
}

impl Pair {
    pub fn new(rows: &[u8], facets: &[u8]) -> Self {
        Self {
            bytes: [rows, facets].concat().into(),
            rows: rows.len(),
        }
    }

    pub fn rows(&self) -> &[u8] {
        &self.bytes[..self.rows]
    }

    pub fn facets(&self) -> &[u8] {
        &self.bytes[self.rows..]
    }
}

#[derive(Default)]
struct Slot {
    key: u64,
    /// tenant \0 project \0 session id
    name: Box<str>,
    pair: Pair,
}

#[derive(Default)]
pub struct Slots {
    places: HashMap<u64, u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub fn find(&self, key: u64) -> Option<u32> {
        self.places.get(&key).copied()
    }

    /// The slot of a session, a new one if it has none.
    pub fn add(&mut self, key: u64, name: &str) -> u32 {
        if let Some(slot) = self.find(key) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = Slot {
            key,
            name: name.into(),
            pair: Pair::default(),
        };
        self.places.insert(key, slot);
        slot
    }

    pub fn forget(&mut self, slot: u32) {
        let gone = std::mem::take(&mut self.slots[slot as usize]);
        if self.places.remove(&gone.key).is_some() {
            self.free.push(slot);
        }
    }

    pub fn name(&self, slot: u32) -> &str {
        &self.slots[slot as usize].name
    }

    pub fn pair(&self, slot: u32) -> &Pair {
        &self.slots[slot as usize].pair
    }

    pub fn keep(&mut self, slot: u32, pair: Pair) {
        self.slots[slot as usize].pair = pair;
    }

    /// Slots that there are, used and free.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_forgotten_and_used_again() {
        let mut slots = Slots::default();
        let (one, two) = (slots.add(1, "a"), slots.add(2, "b"));
        assert_eq!((slots.find(2), slots.add(2, "b"), slots.name(two)), (Some(two), two, "b"));
        slots.keep(one, Pair::new(b"rows", b"facets"));
        slots.forget(one);
        slots.forget(one); // twice is once
        assert_eq!((slots.find(1), slots.len()), (None, 1));
        assert_eq!((slots.add(3, "c"), slots.pair(one).rows(), slots.capacity()), (one, &b""[..], 2));
    }
}
