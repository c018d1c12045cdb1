//! The texts behind the hashes in packed rows.
//!
//! A packed row has no room for texts, so it holds 64-bit keyed hashes of them, and this remembers which text a hash stands for. It is bounded:
//! texts live in two generations; when the young one has grown to half of the budget, the old one is dropped whole.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64_with_secret;

/// What one remembered text costs besides its bytes: hash, pointer, length, table slot and allocation.
const OVERHEAD: usize = 64;
const SECRET_BYTES: usize = 192;

/// The keyed hash of a text, 0 only for the empty text. The key is random per process: nobody can prepare texts that clash.
#[inline]
pub fn hash(text: &[u8]) -> u64 {
    if text.is_empty() {
        return 0;
    }
    xxh3_64_with_secret(text, secret()).max(1)
}

fn secret() -> &'static [u8; SECRET_BYTES] {
    static SECRET: OnceLock<[u8; SECRET_BYTES]> = OnceLock::new();
    SECRET.get_or_init(|| {
        let random = RandomState::new(); // seeded by the operating system
        let mut secret = [0; SECRET_BYTES];
        for (index, bytes) in secret.chunks_exact_mut(8).enumerate() {
            let mut hasher = random.build_hasher();
            hasher.write_usize(index);
            bytes.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        secret
    })
}

type Generation = HashMap<u64, Box<str>, BuildHasherKnown>;

/// Texts by their hash, shared by decoding threads and Python.
pub struct Texts {
    half: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    young: Generation,
    old: Generation,
    young_bytes: usize,
    old_bytes: usize,
}

impl Texts {
    /// `budget` in bytes, for both generations together.
    pub fn new(budget: usize) -> Self {
        Self {
            half: budget / 2,
            held: Mutex::default(),
        }
    }

    /// Many calls under one lock.
    pub fn lock(&self) -> Open<'_> {
        Open {
            half: self.half,
            held: self.held.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        let open = self.lock();
        open.held.young_bytes + open.held.old_bytes
    }
}

pub struct Open<'a> {
    half: usize,
    held: MutexGuard<'a, Held>,
}

impl Open<'_> {
    /// Remembers the text under its hash, which is given back.
    pub fn intern(&mut self, text: &str) -> u64 {
        let hash = hash(text.as_bytes());
        self.keep(hash, text);
        hash
    }

    /// Remembers a text whose hash is already known. The empty text needs no remembering.
    pub fn keep(&mut self, hash: u64, text: &str) {
        if hash == 0 || self.held.young.contains_key(&hash) {
            return;
        }
        let text = match self.held.old.remove(&hash) {
            Some(text) => {
                self.held.old_bytes -= cost(&text);
                text
            }
            None => text.into(),
        };
        self.put(hash, text);
    }

    /// The text of a hash; None if it was forgotten. What is looked up counts as used.
    pub fn lookup(&mut self, hash: u64) -> Option<&str> {
        if hash == 0 {
            return Some("");
        }
        if let Some(text) = self.held.old.remove(&hash) {
            self.held.old_bytes -= cost(&text);
            self.put(hash, text);
        }
        self.held.young.get(&hash).map(|text| &**text)
    }

    fn put(&mut self, hash: u64, text: Box<str>) {
        let held = &mut *self.held;
        let bytes = cost(&text);
        if held.young_bytes + bytes > self.half && !held.young.is_empty() {
            held.old = std::mem::take(&mut held.young);
            held.old_bytes = std::mem::take(&mut held.young_bytes);
        }
        held.young_bytes += bytes;
        held.young.insert(hash, text);
    }
}

fn cost(text: &str) -> usize {
    text.len() + OVERHEAD
}

/// Keys are hashes already.
#[derive(Clone, Default)]
pub struct BuildHasherKnown;

#[derive(Default)]
pub struct Known(u64);

impl BuildHasher for BuildHasherKnown {
    type Hasher = Known;
    fn build_hasher(&self) -> Known {
        Known::default()
    }
}

impl Hasher for Known {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64")
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_by_its_hash() {
        let texts = Texts::new(1 << 20);
        let hash = texts.lock().intern("hello");
        assert_ne!(hash, 0);
        assert_eq!(texts.lock().lookup(hash), Some("hello"));
        assert_eq!(texts.lock().lookup(0), Some(""));
        assert_eq!(texts.lock().lookup(hash ^ 1), None);
        assert_eq!(texts.lock().intern(""), 0);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let texts = Texts::new(100_000);
        let kept = texts.lock().intern("kept");
        let first = texts.lock().intern("text 0");
        for number in 1..20_000 {
            let mut open = texts.lock();
            open.intern(&format!("text {number}"));
            if number % 100 == 0 {
                assert_eq!(open.lookup(kept), Some("kept"));
            }
        }
        assert!(texts.size() <= 100_000 + 200, "{}", texts.size());
        assert_eq!(texts.lock().lookup(kept), Some("kept"));
        assert_eq!(texts.lock().lookup(first), None);
    }

    #[test]
    fn a_text_larger_than_the_budget_is_kept_alone() {
        let texts = Texts::new(10);
        let hash = texts.lock().intern(&"x".repeat(100));
        assert!(texts.lock().lookup(hash).is_some());
        texts.lock().intern("y");
        texts.lock().intern("z");
        assert_eq!(texts.lock().lookup(hash), None);
    }
}
