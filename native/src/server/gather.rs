//! Many small requests are served together: before a receiving thread waits for more, it rests a moment.
//!
//! A thread that is faster than its senders finds one or two requests each time it is woken, and being woken costs more than they do: the
//! interrupt, the switch, a call to read and one to write for each of them. After a rest it finds many on each connection. Only while
//! so many come that none of their senders waits for its answer alone, and never when the last look brought plenty.

use std::cell::RefCell;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

/// Requests a second from which on it pays. A sender that waits for each answer does not reach it beside rests: it is left alone.
const MANY: f64 = 4_000.0;
/// Requests of one waking that need not wait for company.
const PLENTY: u32 = 16;
/// How long a rest is: what a sender waits at most.
const REST: Duration = Duration::from_micros(500);
/// Over how long requests are counted before it is said how many come.
const WINDOW: Duration = Duration::from_millis(20);

thread_local! {
    static PACE: RefCell<Pace> = RefCell::default();
}

/// Counts a request that this thread serves.
pub fn served() {
    PACE.with_borrow_mut(|pace| pace.here += 1);
}

/// To be called when this thread has nothing left to do.
pub fn rest() {
    if PACE.with_borrow_mut(|pace| pace.pause(Instant::now())) {
        thread::sleep(REST);
    }
}

/// How many requests one thread serves.
#[derive(Default)]
struct Pace {
    /// Since it was woken.
    here: u32,
    /// Since the window began.
    counted: u32,
    since: Option<Instant>,
    many: bool,
}

impl Pace {
    /// Whether to rest now. What is served from here on belongs to the next waking.
    fn pause(&mut self, now: Instant) -> bool {
        let here = mem::take(&mut self.here);
        self.counted += here;
        let passed = now.saturating_duration_since(*self.since.get_or_insert(now));
        if passed >= WINDOW {
            self.many = f64::from(self.counted) >= MANY * passed.as_secs_f64();
            (self.counted, self.since) = (0, Some(now));
        }
        self.many && here < PLENTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wakings with so many requests each, `every` apart: how many were followed by a rest.
    fn rests(pace: &mut Pace, start: Instant, every: Duration, requests: u32, wakings: u32) -> usize {
        let waking = |number| {
            pace.here = requests;
            pace.pause(start + every * number)
        };
        (0..wakings).map(waking).filter(|rested| *rested).count()
    }

    #[test]
    fn rests_while_many_small_requests_come() {
        let rested = rests(&mut Pace::default(), Instant::now(), Duration::from_micros(100), 1, 1000);
        assert!(rested >= 750, "{rested}"); // all but those of the first window
    }

    #[test]
    fn does_not_rest_while_few_come() {
        let every = Duration::from_micros(300); // what one sender reaches that waits for each answer
        assert_eq!(rests(&mut Pace::default(), Instant::now(), every, 1, 1000), 0);
    }

    #[test]
    fn does_not_rest_when_plenty_came() {
        assert_eq!(
            rests(&mut Pace::default(), Instant::now(), Duration::from_millis(1), PLENTY, 1000),
            0
        );
    }

    #[test]
    fn does_not_rest_after_silence() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert!(rests(&mut pace, start, Duration::from_micros(100), 1, 1000) > 0);
        pace.here = 1;
        assert!(!pace.pause(start + Duration::from_secs(10)));
    }
}
