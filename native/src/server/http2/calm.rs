//! Frames that cost us work and give us nothing are counted against an allowance: pings, settings, resets, empty frames, broken streams.
//!
//! Every one of them is lawful alone; the floods of CVE-2019-9512 ff. and CVE-2023-44487 are made of them. The allowance comes back with
//! time and with every request that is answered, so an honest peer does not notice it.

use std::time::Instant;

const MOST: u32 = 4096;
const PER_SECOND: u32 = 1024;
const PER_REQUEST: u32 = 8;

pub struct Calm {
    left: u32,
    since: Instant,
}

impl Calm {
    pub fn new(now: Instant) -> Self {
        Self { left: MOST, since: now }
    }

    /// Counts one such frame. False: that was too much.
    pub fn spend(&mut self, now: Instant) -> bool {
        if self.left == 0 {
            let back = now.saturating_duration_since(self.since).as_secs_f64() * f64::from(PER_SECOND);
            self.left = (back as u32).min(MOST); // a float becomes a number by saturation
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }

    pub fn earn(&mut self) {
        self.left = (self.left + PER_REQUEST).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_allowance_is_spent_and_comes_back() {
        let begin = Instant::now();
        let mut calm = Calm::new(begin);
        assert!((0..MOST).all(|_| calm.spend(begin)));
        assert!(!calm.spend(begin));
        assert!(!calm.spend(begin));
        let later = begin + Duration::from_secs(1);
        assert!((0..PER_SECOND).all(|_| calm.spend(later)));
        assert!(!calm.spend(later));
    }

    #[test]
    fn requests_earn_it_back() {
        let begin = Instant::now();
        let mut calm = Calm::new(begin);
        for _ in 0..10 * MOST {
            calm.earn();
            assert!((0..PER_REQUEST).all(|_| calm.spend(begin)));
        }
    }
}
