//! Header blocks that were read before. While the table of the connection is the same, the same bytes mean the same fields; and a client
//! that repeats its requests repeats a dozen bytes.

use xxhash_rust::xxh3::xxh3_64;

/// Longer blocks are not those of a client that uses the table.
const MAX_BLOCK: usize = 128;
/// A power of two.
const SLOTS: usize = 32;

/// Of the connection's table, and of what else decides what a block means.
pub type Generation = (u64, u64);

pub struct Blocks<T> {
    slots: Vec<Option<Slot<T>>>,
}

struct Slot<T> {
    generation: Generation,
    block: Box<[u8]>,
    meaning: T,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<T: Copy> Blocks<T> {
    pub fn meaning(&self, generation: Generation, block: &[u8]) -> Option<T> {
        let slot = self.slots.get(place(block))?.as_ref()?;
        (slot.generation == generation && *slot.block == *block).then_some(slot.meaning)
    }

    pub fn keep(&mut self, generation: Generation, block: &[u8], meaning: T) {
        if block.len() > MAX_BLOCK {
            return;
        }
        self.slots.resize_with(SLOTS, || None);
        self.slots[place(block)] = Some(Slot {
            generation,
            block: block.into(),
            meaning,
        });
    }
}

fn place(block: &[u8]) -> usize {
    xxh3_64(block) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_known_while_the_table_is_the_same() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.meaning((0, 0), b"a"), None);
        blocks.keep((0, 0), b"a", 1);
        assert_eq!(blocks.meaning((0, 0), b"a"), Some(1));
        assert_eq!(blocks.meaning((1, 0), b"a"), None);
        assert_eq!(blocks.meaning((0, 0), b"b"), None);
        assert_eq!(blocks.meaning((0, 1), b"a"), None);
        blocks.keep((1, 0), b"a", 2);
        assert_eq!(blocks.meaning((1, 0), b"a"), Some(2));
    }

    #[test]
    fn memory_is_bounded() {
        let mut blocks = Blocks::default();
        for number in 0..10_000u32 {
            blocks.keep((0, 0), &number.to_be_bytes(), number);
        }
        assert_eq!(blocks.slots.len(), SLOTS);
        blocks.keep((0, 0), &[0; MAX_BLOCK + 1], 1);
        assert_eq!(blocks.meaning((0, 0), &[0; MAX_BLOCK + 1]), None);
    }
}
