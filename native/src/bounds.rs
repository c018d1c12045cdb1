//! What one request may do: how far its times may lie from now, and how much memory it may take as columns.

use crate::schema::flags;

/// A request may take this much memory as columns, plus `UNFOLDED_RATIO` times its own size: resources repeat on every row.
const UNFOLDED: usize = 64 << 20;
const UNFOLDED_RATIO: usize = 16;
const DAY: i64 = 24 * 3600 * 1_000_000_000;

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
    pub fn around(arrival: i64, skew: i64) -> Self {
        Self {
            arrival,
            first: arrival.saturating_sub(400 * DAY),
            last: arrival.saturating_add(DAY),
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
}
