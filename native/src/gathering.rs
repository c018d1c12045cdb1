//! A group in the making: requests go in one by one, each wholly or not at all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::delivery::{Content, Delivery, Held, Size, Verdict, Waiting};
use crate::group::{Group, Taken};
use crate::lane::Settings;
use crate::log::{Log, Range};
use crate::refusal::Refusal;
use crate::wire::{self, Signal};

pub struct Gathering {
    content: Content,
    rows: usize,
    received: usize,
    raw_bytes: usize,
    oldest: i64,
    since: Instant,
    flush: bool,
    waiting: Option<Waiting>,
    logged: Option<Range>,
}

/// What a lane says about a request that it took.
pub struct Receipt {
    pub taken: Taken,
    /// Whether it brought rows.
    pub stored: bool,
    /// Tells what becomes of the group, for a sender that waits. None if nobody waits, or there was nothing to store.
    pub verdict: Option<Verdict>,
}

impl Gathering {
    pub fn begin(settings: &Settings) -> Self {
        let group = settings
            .decode
            .as_ref()
            .map(|decoding| Box::new(Group::new(Arc::clone(&decoding.plan), Arc::clone(&decoding.texts))));
        Self {
            content: Content { group, raw: Vec::new() },
            rows: 0,
            received: 0,
            raw_bytes: 0,
            oldest: i64::MAX,
            since: Instant::now(),
            flush: false,
            waiting: None,
            logged: None,
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Memory that it holds.
    pub fn bytes(&self) -> usize {
        self.content.group.as_ref().map_or(0, |group| group.bytes()) + self.raw_bytes
    }

    /// From when on it may be cut.
    pub fn due(&self, settings: &Settings) -> Instant {
        if self.flush || self.rows >= settings.flush_rows {
            self.since
        } else {
            self.since + settings.flush_interval
        }
    }

    pub fn flush(&mut self) {
        self.flush = true;
    }

    /// Adds one request, masked. On Err everything is as before.
    pub fn take(
        &mut self,
        settings: &Settings,
        signal: Signal,
        body: &[u8],
        arrival: i64,
        tenant: &str,
        wait: bool,
    ) -> Result<Receipt, Refusal> {
        let (taken, rows) = match &mut self.content.group {
            Some(group) => decode(group, signal, body, arrival, tenant)?,
            None => count(settings.raw, signal, body)?,
        };
        if rows == 0 {
            let (stored, verdict) = (false, None);
            return Ok(Receipt { taken, stored, verdict });
        }
        if settings.raw {
            self.content.raw.push((signal, body.to_vec()));
            self.raw_bytes += body.len() + size_of::<(Signal, Vec<u8>)>();
        }
        self.rows += rows;
        self.received += body.len();
        self.oldest = self.oldest.min(arrival);
        let verdict = wait.then(|| self.waiting.get_or_insert_with(|| watch::Sender::new(None)).subscribe());
        let stored = true;
        Ok(Receipt { taken, stored, verdict })
    }

    /// The request that was added last is in the log.
    pub fn include(&mut self, range: Range) {
        self.logged = Some(Range::extended(self.logged, range));
    }

    /// Where its requests lie in the log.
    pub fn logged(&self) -> Option<Range> {
        self.logged
    }

    pub fn deliver(self, log: Option<&Arc<Log>>, held: Held) -> Delivery {
        let size = Size {
            rows: self.rows,
            bytes: self.received,
            oldest: self.oldest,
        };
        let logged = log.cloned().zip(self.logged);
        Delivery::new(self.content, size, logged, self.waiting, held)
    }
}

fn decode(group: &mut Group, signal: Signal, body: &[u8], arrival: i64, tenant: &str) -> Result<(Taken, usize), Refusal> {
    let before = group.rows();
    // A defect in decoding must cost this request only, not the lane, whose lock is held here.
    let taken = catch_unwind(AssertUnwindSafe(|| group.take(signal, body, arrival, tenant)))
        .map_err(|_| Refusal::Never("decoding failed: this is a defect of the collector, please report it".into()))??;
    Ok((taken, group.rows().saturating_sub(before)))
}

/// Walks over a request for which there are no columns: it is kept as it came, or not at all.
fn count(raw: bool, signal: Signal, body: &[u8]) -> Result<(Taken, usize), Refusal> {
    let items = wire::count_items(signal, body)?;
    if raw {
        let rows = usize::try_from(items).unwrap_or(usize::MAX);
        let taken = Taken { items, ..Taken::default() };
        return Ok((taken, rows));
    }
    Ok((not_stored(signal, items), 0))
}

/// What a sender is told where nothing stores its signal.
pub fn not_stored(signal: Signal, items: u64) -> Taken {
    if items == 0 {
        return Taken::default();
    }
    Taken {
        items: 0,
        rejected: items,
        message: format!("{} are not stored by this collector", signal.name()),
    }
}
