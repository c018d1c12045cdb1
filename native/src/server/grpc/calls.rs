//! The requests of one connection: gathered under limits, decoded when their last byte is here, answered at once or when it is time.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::super::Shared;
use super::super::body::{FIRST_ROOM, Share};
use super::super::gather;
use super::Grpc;
use super::head::{Head, Plan, Unplanned};
use super::waiting::{Rooms, Settling};
use super::{answers, message};
use crate::delivery::Verdict;
use crate::group::Taken;
use crate::intake::PATIENCE;
use crate::meters::Transport;
use crate::refusal::Refusal;
use crate::server::http2::{Answer, Service, Step};
use crate::wire::Signal;

pub struct Calls {
    pub(super) shared: Arc<Shared>,
    pub(super) rooms: Rooms,
    pub(super) settling: Settling,
    /// Successes of this pass that began in it: what they took is known when their answers are on their way.
    quick: [u64; Signal::ALL.len()],
    grpc: Arc<Grpc>,
    /// Those who send over this connection.
    tenants: Vec<Arc<str>>,
}

pub struct Call {
    pub(super) plan: Plan,
    pub(super) state: State,
    begun: Instant,
    /// Since when it is in this state.
    since: Instant,
    ended: bool,
    /// What came of the body so far, if it did not come in one piece.
    body: Vec<u8>,
    share: Option<Share>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nothing of the body is here.
    New,
    /// The peer may send the body.
    Reading,
    /// The lane is nearly full: what came so far is kept, and the peer gets no leave to send more than that.
    Waiting,
    /// It is taken, and answered when the group with this number is settled.
    Settling(u64, Taken),
}

impl Calls {
    pub fn new(shared: Arc<Shared>, grpc: Arc<Grpc>) -> Self {
        Self {
            shared,
            rooms: Rooms::default(),
            settling: Settling::default(),
            quick: [0; Signal::ALL.len()],
            grpc,
            tenants: Vec::new(),
        }
    }

    /// After a pass that began at `begun`, when its answers are written.
    pub fn end_pass(&mut self, begun: Instant) {
        if self.quick == [0; Signal::ALL.len()] {
            return;
        }
        let took = begun.elapsed();
        for (signal, count) in Signal::ALL.into_iter().zip(mem::take(&mut self.quick)) {
            self.shared.intake.meters.succeeded(signal, Transport::Grpc, count, took);
        }
    }

    /// The number of the tenant that presents this credential.
    fn admit(&mut self, authorization: &[u8]) -> Result<u32, Refusal> {
        let Some(keyring) = &self.grpc.keyring else { return Ok(0) };
        let caller = keyring.writer(authorization)?;
        let place = self.tenants.iter().position(|tenant| *tenant == caller.tenant);
        let place = place.unwrap_or_else(|| {
            self.tenants.push(caller.tenant);
            self.tenants.len() - 1
        });
        Ok(place as u32)
    }

    fn decode(&mut self, call: &mut Call, framed: &[u8], now: Instant) -> Step {
        match self.take(call.plan, framed) {
            Ok((taken, verdicts)) if verdicts.is_empty() => self.success(call, &taken, now),
            Ok((taken, verdicts)) => {
                call.state = State::Settling(self.settling.number(verdicts), taken);
                Step::Read
            }
            Err(refusal) => self.refuse(call, &refusal),
        }
    }

    fn take(&self, plan: Plan, framed: &[u8]) -> Result<(Taken, Vec<Verdict>), Refusal> {
        gather::served();
        message::check_size(framed, self.grpc.max_request_bytes)?;
        let (compressed, message) = message::unframe(framed)?;
        let tenant = self.tenants.get(plan.tenant as usize).map_or("", |tenant| tenant);
        if !compressed {
            return self.shared.intake.put(plan.signal, Transport::Grpc, tenant, message);
        }
        let message = plan.coding.undo(message, self.grpc.max_request_bytes)?;
        self.shared.intake.put(plan.signal, Transport::Grpc, tenant, &message)
    }

    pub(super) fn success(&mut self, call: &Call, taken: &Taken, now: Instant) -> Step {
        let signal = call.plan.signal;
        if call.begun == now {
            self.quick[signal as usize] += 1;
        } else {
            self.meter(call, None);
        }
        Step::Answer(answers::success(signal, taken))
    }

    pub(super) fn refuse(&self, call: &Call, refusal: &Refusal) -> Step {
        self.meter(call, Some(refusal));
        Step::Answer(answers::refused(refusal))
    }

    fn meter(&self, call: &Call, refusal: Option<&Refusal>) {
        let meters = &self.shared.intake.meters;
        meters.answered(call.plan.signal, Transport::Grpc, refusal, call.begun.elapsed());
    }

    /// Lets a call read on that waited for room; one that has come to its end is decoded.
    pub(super) fn let_in(&mut self, call: &mut Call, now: Instant) -> Step {
        (call.state, call.since) = (State::Reading, now);
        if call.ended { self.decode_kept(call, now) } else { Step::Read }
    }

    fn decode_kept(&mut self, call: &mut Call, now: Instant) -> Step {
        let body = mem::take(&mut call.body);
        call.share = None;
        self.decode(call, &body, now)
    }

    fn keep(&self, call: &mut Call, data: &[u8]) -> Result<(), Refusal> {
        let share = call.share.get_or_insert_with(|| Share::new(&self.shared.budget));
        share.grow(data.len())?;
        if call.body.capacity() == 0 {
            let room = message::claimed(data).min(self.grpc.max_request_bytes + message::PREFIX);
            call.body.reserve_exact(room.min(FIRST_ROOM).max(data.len()));
        }
        call.body.extend_from_slice(data);
        message::check_size(&call.body, self.grpc.max_request_bytes)
    }
}

impl Service for Calls {
    type Head = Head;
    type Plan = Plan;
    type Call = Call;

    fn field(head: &mut Head, name: &[u8], value: &[u8]) {
        head.field(name, value);
    }

    fn plan(&mut self, head: Head) -> Result<Plan, Answer> {
        head.plan(|authorization| self.admit(authorization))
            .map_err(|unplanned| match unplanned {
                Unplanned::Answer(answer) => answer,
                Unplanned::Refused(signal, refusal) => {
                    let meters = &self.shared.intake.meters;
                    meters.answered(signal, Transport::Grpc, Some(&refusal), std::time::Duration::ZERO);
                    answers::refused(&refusal)
                }
            })
    }

    fn epoch(&self) -> u64 {
        self.grpc.keyring.as_ref().map_or(0, |keyring| keyring.epoch())
    }

    fn begin(&mut self, plan: Plan, now: Instant) -> Call {
        Call {
            plan,
            state: State::New,
            begun: now,
            since: now,
            ended: false,
            body: Vec::new(),
            share: None,
        }
    }

    fn data(&mut self, call: &mut Call, data: &[u8], end: bool, now: Instant) -> Step {
        call.ended |= end;
        if matches!(call.state, State::New | State::Waiting) {
            let room = self.shared.intake.has_room(call.plan.signal);
            self.rooms.waiting[call.plan.signal as usize] |= !room;
            let state = if room { State::Reading } else { State::Waiting };
            if mem::discriminant(&state) != mem::discriminant(&call.state) {
                (call.state, call.since) = (state, now);
            }
        }
        let reading = matches!(call.state, State::Reading);
        if reading && end && call.body.is_empty() {
            return self.decode(call, data, now);
        }
        if let Err(refusal) = self.keep(call, data) {
            return self.refuse(call, &refusal);
        }
        match (reading, end) {
            (false, _) => Step::Hold,
            (true, false) => Step::Read,
            (true, true) => self.decode_kept(call, now),
        }
    }

    fn deadline(&self, call: &Call) -> Option<Instant> {
        match call.state {
            State::New | State::Reading => Some(call.since + self.shared.limits.read_timeout),
            State::Waiting => Some(call.since + PATIENCE),
            State::Settling(..) => None,
        }
    }

    fn expired(&mut self, call: &mut Call, now: Instant) -> Step {
        match call.state {
            State::Waiting => self.let_in(call, now), // in vain: the lane says so itself
            _ => self.refuse(call, &Refusal::TooSlow),
        }
    }
}
