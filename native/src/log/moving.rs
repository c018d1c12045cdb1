//! Brings what is in the log of a lane that is no more into those that take its signals now.

use std::sync::Arc;

use super::Log;
use crate::delivery;
use crate::lane::{Acknowledge, Lane};
use crate::wire::Signal;

/// Gives the number of requests that stay where they are: nobody takes them, or not now.
pub fn move_to(log: &Log, lanes: &[Vec<Arc<Lane>>; Signal::ALL.len()]) -> u64 {
    let Some(mut reader) = log.backlog() else { return 0 };
    let (mut left, mut moved) = (0, None);
    while let Some(logged) = reader.read() {
        let lanes = &lanes[logged.signal as usize];
        let taken = |lane: &Arc<Lane>| {
            let receipt = lane.put(logged.signal, logged.body, logged.arrival, logged.tenant, Acknowledge::Durable)?;
            receipt.verdict.map_or(Ok(()), delivery::wait)
        };
        if left > 0 || lanes.is_empty() || lanes.iter().any(|lane| taken(lane).is_err()) {
            left += 1; // what is released is a beginning: so the rest stays too
        } else {
            moved = Some(logged.range);
        }
    }
    if let Some(range) = moved {
        log.release(range);
    }
    left
}
