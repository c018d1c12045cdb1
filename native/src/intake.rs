//! From a request's bytes to the lanes of its signal, the same for every transport.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::delivery::{self, Verdict};
use crate::gathering::not_stored;
use crate::group::Taken;
use crate::json::json_to_protobuf;
use crate::lane::{Acknowledge, Lane};
use crate::meters::{Meters, Transport};
use crate::refusal::Refusal;
use crate::wire::{Signal, count_items};

/// How long a request may wait for room before it is read: shorter than the timeouts of OTLP exporters (5 s to 10 s), since a request
/// that its sender gave up is sent again.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub const PROTOBUF: &str = "application/x-protobuf";
    pub const JSON: &str = "application/json";

    /// Parameters after `;` and case do not matter.
    pub fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case(Self::PROTOBUF) {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case(Self::JSON) {
            Some(Self::Json)
        } else {
            None
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => Self::PROTOBUF,
            Self::Json => Self::JSON,
        }
    }

    pub fn to_protobuf(self, signal: Signal, body: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
        Ok(match self {
            Self::Protobuf => Cow::Borrowed(body),
            Self::Json => Cow::Owned(json_to_protobuf(signal, body)?),
        })
    }
}

pub struct Intake {
    lanes: [Vec<Arc<Lane>>; Signal::ALL.len()],
    clock: Arc<Clock>,
    acknowledge: Acknowledge,
    pub meters: Meters,
}

impl Intake {
    pub fn new(mut lanes: [Vec<Arc<Lane>>; Signal::ALL.len()], clock: Arc<Clock>, acknowledge: Acknowledge) -> Self {
        for lanes in &mut lanes {
            // What reads a request most closely comes first, so that a bad one is refused before any lane has it.
            lanes.sort_by_key(|lane| !lane.decodes());
        }
        Self {
            lanes,
            clock,
            acknowledge,
            meters: Meters::default(),
        }
    }

    /// Waits for room, at most as long as senders have patience. Called before a body is read, so that what waits, waits at the sender.
    pub async fn admit(&self, signal: Signal) {
        let _ = tokio::time::timeout(PATIENCE, self.room(signal)).await; // in vain: the lane says so itself
    }

    /// Waits until no lane of the signal is nearly full.
    pub async fn room(&self, signal: Signal) {
        for lane in &self.lanes[signal as usize] {
            lane.nearly_full(self.acknowledge).await;
        }
    }

    /// Whether nobody has to wait for room.
    pub fn has_room(&self, signal: Signal) -> bool {
        !self.lanes[signal as usize].iter().any(|lane| lane.is_nearly_full(self.acknowledge))
    }

    /// Gives one request (protobuf, decompressed) of a tenant to all lanes of its signal. The caller waits for the verdicts, without the body.
    pub fn put(&self, signal: Signal, transport: Transport, tenant: &str, body: &[u8]) -> Result<(Taken, Vec<Verdict>), Refusal> {
        let arrival = self.clock.now();
        let result = self.put_into_lanes(signal, body, arrival, tenant);
        let meters = &self.meters;
        meters.bytes(signal, transport, body.len());
        match &result {
            Ok((taken, _)) => meters.items(signal, transport, taken.items, taken.rejected),
            Err(Refusal::Later { .. }) => meters.items(signal, transport, 0, count_items(signal, body).unwrap_or(0)),
            Err(_) => {}
        }
        result
    }

    fn put_into_lanes(&self, signal: Signal, body: &[u8], arrival: i64, tenant: &str) -> Result<(Taken, Vec<Verdict>), Refusal> {
        let lanes = &self.lanes[signal as usize];
        if lanes.len() > 1 {
            // One lane taking what another refuses would be sent again, and stored twice by the first.
            lanes.iter().try_for_each(|lane| lane.has_room(body.len(), self.acknowledge))?;
        }
        let mut best: Option<Taken> = None;
        let mut verdicts = Vec::new();
        for lane in lanes {
            let receipt = lane.put(signal, body, arrival, tenant, self.acknowledge)?;
            verdicts.extend(receipt.verdict);
            if best.as_ref().is_none_or(|best| receipt.taken.rejected < best.rejected) {
                best = Some(receipt.taken);
            }
        }
        match best {
            Some(taken) => Ok((taken, verdicts)),
            None => Ok((not_stored(signal, count_items(signal, body)?), verdicts)),
        }
    }
}

/// Waits until every lane has settled its group; the first refusal is the answer.
pub async fn settled(verdicts: Vec<Verdict>) -> Result<(), Refusal> {
    for verdict in verdicts {
        delivery::outcome(verdict).await?;
    }
    Ok(())
}
