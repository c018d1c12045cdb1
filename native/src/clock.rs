//! Where the time comes from: the system, or a hand that sets it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub enum Clock {
    System,
    Fixed(AtomicI64),
}

impl Clock {
    pub fn fixed(now: i64) -> Self {
        Self::Fixed(AtomicI64::new(now))
    }

    /// Nanoseconds since 1970, UTC.
    pub fn now(&self) -> i64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |past| i64::try_from(past.as_nanos()).unwrap_or(i64::MAX)),
            Self::Fixed(now) => now.load(Ordering::Relaxed),
        }
    }

    /// False for the system's clock, which nobody sets.
    pub fn set(&self, to: i64) -> bool {
        match self {
            Self::System => false,
            Self::Fixed(now) => {
                now.store(to, Ordering::Relaxed);
                true
            }
        }
    }
}
