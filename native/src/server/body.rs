//! Request bodies, gathered under limits: of one request, of all requests together, and of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::compression::too_large;
use crate::lane::RETRY_SECONDS;
use crate::refusal::Refusal;

/// How much room is made on the word of a sender, before its bytes are here.
pub const FIRST_ROOM: usize = 1 << 20;

/// Bytes of bodies that are being received, all connections together.
pub struct Budget {
    used: AtomicUsize,
    limit: usize,
}

/// What one body takes of it, until this is dropped.
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub fn new(limit: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            limit,
        }
    }
}

impl Share {
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    pub fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes > self.budget.limit {
            return Err(Refusal::later("too many requests are being received", RETRY_SECONDS));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

pub struct Limits<'a> {
    pub bytes: usize,
    pub budget: &'a Arc<Budget>,
    pub timeout: Duration,
}

/// The whole body. `expected` reads from the first bytes how many there will be; it may lie.
pub async fn gather(body: &mut Incoming, limits: Limits<'_>, expected: impl FnOnce(&[u8]) -> usize) -> Result<Bytes, Refusal> {
    let timeout = limits.timeout;
    tokio::time::timeout(timeout, all(body, limits, expected))
        .await
        .unwrap_or(Err(Refusal::TooSlow))
}

async fn all(body: &mut Incoming, limits: Limits<'_>, expected: impl FnOnce(&[u8]) -> usize) -> Result<Bytes, Refusal> {
    let mut share = Share::new(limits.budget);
    let first = data(body).await?.unwrap_or_default();
    let claimed = expected(&first);
    if claimed > limits.bytes || first.len() > limits.bytes {
        return Err(too_large(limits.bytes));
    }
    share.grow(first.len())?;
    if body.is_end_stream() {
        return Ok(first);
    }
    let Some(second) = data(body).await? else { return Ok(first) };
    let mut whole = Vec::with_capacity(claimed.min(FIRST_ROOM).max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > limits.bytes {
            return Err(too_large(limits.bytes));
        }
        share.grow(chunk.len())?;
        whole.extend_from_slice(&chunk);
        next = if body.is_end_stream() { None } else { data(body).await? };
    }
    Ok(whole.into())
}

/// Reads on without keeping anything, so that a sender that is still writing gets to read its answer.
pub async fn drain(body: &mut Incoming, bytes: usize, timeout: Duration) {
    let reading = async {
        let mut left = bytes;
        while let Ok(Some(chunk)) = data(body).await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(timeout, reading).await; // in vain: the connection is closed instead
}

async fn data(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Err(error) => return Err(Refusal::Never(format!("the body ended early: {error}"))),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_in_flight_are_bounded_together() {
        let budget = Arc::new(Budget::new(100));
        let (mut one, mut other) = (Share::new(&budget), Share::new(&budget));
        assert_eq!(one.grow(60), Ok(()));
        assert!(matches!(other.grow(60), Err(Refusal::Later { .. })));
        drop(other);
        assert_eq!(one.grow(40), Ok(()));
        assert!(one.grow(1).is_err());
        drop(one);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
