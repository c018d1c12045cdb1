//! What one request may do: how far its times may lie from now, and how much memory it may take as columns.

use crate::schema::flags;

/// A request may take this much memory as columns, plus `UNFOLDED_RATIO` times its own size: resources repeat on every row.
const UNFOLDED: usize = 64 << 20;
const UNFOLDED_RATIO: usize = 16;
const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
/// Whole seconds since 1970 fit into these bits until the year 2242.
const SECONDS: u64 = (1 << 33) - 1;

/// The bytes that columns may have once a request of `length` bytes is in them.
pub fn memory(columns: usize, length: usize) -> usize {
    columns + UNFOLDED + UNFOLDED_RATIO * length
}

/// The times that are stored as they are, for one arrival.
pub struct Window {
    pub arrival: i64,
    first: i64,
    last: i64,
    skewed: i64,
}

impl Window {
    /// What is too far away is stored as the edge, on a whole second: copies that arrive within one second are stored alike.
    pub fn around(arrival: i64, skew: i64) -> Self {
        let second = arrival - arrival.rem_euclid(SECOND);
        Self {
            arrival,
            first: second.saturating_sub(400 * DAY),
            last: second.saturating_add(DAY),
            skewed: arrival.saturating_add(skew),
        }
    }

    /// The time to store, and flags.
    #[inline]
    pub fn clamp(&self, sent: u64) -> (i64, u32) {
        let time = i64::try_from(sent).unwrap_or(i64::MAX);
        let bad = if (self.first..=self.last).contains(&time) {
            0
        } else {
            flags::BAD_TIME
        };
        let skew = if time > self.skewed { flags::CLOCK_SKEW } else { 0 };
        (time.clamp(self.first, self.last), bad | skew)
    }

    /// The digest of a span of which a time was clamped. Of equal copies, whose clamped times follow their arrival, the first must win
    /// in memory and in the database: in the low bits, an earlier second is the greater number.
    pub fn clamped(&self, digest: u64) -> u64 {
        let seconds = (self.arrival / SECOND).unsigned_abs();
        (digest & !SECONDS) | (!seconds & SECONDS)
    }
}
