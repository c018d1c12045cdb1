//! What the requests of a connection wait for: room in a lane, or the word that a group is stored.
//!
//! Both are waited for once for all requests that do, not once for each.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::calls::{Calls, State};
use crate::delivery::{Outcome, Verdict};
use crate::intake::settled;
use crate::server::http2::Session;
use crate::wire::Signal;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// For room in a lane, by signal.
#[derive(Default)]
pub struct Rooms {
    pub waiting: [bool; Signal::ALL.len()],
    /// Ends when there is room again; there is one while somebody waits.
    bells: [Option<Boxed<()>>; Signal::ALL.len()],
}

/// Groups whose outcome somebody waits for.
#[derive(Default)]
pub struct Settling {
    groups: Vec<Unsettled>,
    next: u64,
}

struct Unsettled {
    number: u64,
    verdicts: Vec<Verdict>,
    outcome: Boxed<Outcome>,
}

impl Settling {
    /// The number under which the outcome of these will be told.
    pub fn number(&mut self, verdicts: Vec<Verdict>) -> u64 {
        if let Some(group) = self.groups.last()
            && group.verdicts.len() == verdicts.len()
            && group.verdicts.iter().zip(&verdicts).all(|(one, other)| one.same_channel(other))
        {
            return group.number;
        }
        self.next += 1;
        self.groups.push(Unsettled {
            number: self.next,
            verdicts: verdicts.clone(),
            outcome: Box::pin(settled(verdicts)),
        });
        self.next
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Option<(u64, Outcome)> {
        for index in 0..self.groups.len() {
            if let Poll::Ready(outcome) = self.groups[index].outcome.as_mut().poll(context) {
                return Some((self.groups.remove(index).number, outcome));
            }
        }
        None
    }
}

impl Calls {
    /// Answers those whose group is settled, and lets in those for whom there is room.
    pub fn poll(&mut self, session: &mut Session<Self>, context: &mut Context<'_>, now: Instant) {
        while let Some((number, outcome)) = self.settling.poll(context) {
            session.revisit(|call| match (&call.state, &outcome) {
                (State::Settling(of, taken), Ok(())) if *of == number => Some(self.success(call, taken, now)),
                (State::Settling(of, _), Err(refusal)) if *of == number => Some(self.refuse(call, refusal)),
                _ => None,
            });
        }
        for signal in Signal::ALL {
            while self.rooms.waiting[signal as usize] && self.poll_room(signal, context) {
                self.let_all_in(session, signal, now);
            }
        }
    }

    fn poll_room(&mut self, signal: Signal, context: &mut Context<'_>) -> bool {
        let bell = self.rooms.bells[signal as usize].get_or_insert_with(|| {
            let shared = Arc::clone(&self.shared);
            Box::pin(async move { shared.intake.room(signal).await })
        });
        let rang = bell.as_mut().poll(context).is_ready();
        if rang {
            self.rooms.bells[signal as usize] = None;
        }
        rang
    }

    /// Those who waited longest come first, and as many as there is room for.
    fn let_all_in(&mut self, session: &mut Session<Self>, signal: Signal, now: Instant) {
        let mut waiting = false;
        session.revisit(|call| {
            if !matches!(call.state, State::Waiting) || call.plan.signal != signal {
                return None;
            }
            let room = self.shared.intake.has_room(signal);
            waiting |= !room;
            room.then(|| self.let_in(call, now))
        });
        self.rooms.waiting[signal as usize] = waiting;
    }
}
