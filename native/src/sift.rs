//! Leaves items out of a request, without looking into the others: what is sent on of it when processors dropped or changed some rows.
//!
//! Items are numbered as decoding makes rows of them, so that the fate of each row finds its item again.

use std::borrow::Cow;

use crate::metrics;
use crate::traces;
use crate::wire::{Broken, Fields, Signal, Value};
use crate::written;

/// Which items stay: those whose fate is the wanted one.
pub struct Sieve<'f> {
    /// One byte for every row, by table: spans, or records, or the five kinds of points.
    pub fates: Vec<&'f [u8]>,
    /// The row of the next item, by table.
    pub next: Vec<usize>,
    pub wanted: u8,
    /// Whether anything was left out.
    pub less: bool,
}

/// The messages around an item, from the outside; each lies in this field of the one around it.
const REQUEST: usize = 0;
const SCOPE: usize = 2;
const INSIDE: [u32; 3] = [1, 2, 2];

impl Sieve<'_> {
    /// The request with the items that stay, resources and scopes without any left out; if all do, it is as it came. It must be one that
    /// was decoded.
    pub fn apply<'a>(&mut self, signal: Signal, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Broken> {
        let mut out = Vec::with_capacity(body.len());
        self.less = false;
        match self.message(signal, REQUEST, body, &mut out)? {
            true if self.less => Ok(Cow::Owned(out)),
            true => Ok(Cow::Borrowed(body)),
            false => Ok(Cow::Borrowed(&[])),
        }
    }

    /// Whether any item in it stays.
    fn message(&mut self, signal: Signal, depth: usize, message: &[u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        let (mut any, mut inner) = (false, Vec::new());
        each(message, |number, value, raw| {
            let Value::Bytes(content) = value else {
                out.extend_from_slice(raw);
                return Ok(());
            };
            if number != INSIDE[depth] {
                out.extend_from_slice(raw);
                return Ok(());
            }
            inner.clear();
            let stays = match (depth, signal) {
                (SCOPE, Signal::Metrics) => self.metric(content, &mut inner)?,
                (SCOPE, _) => self.item(signal, content, &mut inner)?,
                _ => self.message(signal, depth + 1, content, &mut inner)?,
            };
            if stays {
                written::field(out, number, &inner);
                any = true;
            }
            Ok(())
        })?;
        Ok(any)
    }

    fn item(&mut self, signal: Signal, message: &[u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        if signal == Signal::Traces && !traces::is_row(message)? {
            self.less = true;
            return Ok(false);
        }
        let stays = self.stays(0)?;
        if stays {
            out.extend_from_slice(message);
        }
        Ok(stays)
    }

    /// A metric with the points that stay. Points of other kinds than its last are no rows.
    fn metric(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        let Some((table, field)) = metrics::kind(message)? else {
            return Ok(false);
        };
        let (mut any, mut inner) = (false, Vec::new());
        each(message, |number, value, raw| {
            match value {
                Value::Bytes(points) if number == field => {
                    inner.clear();
                    any |= self.points(table, points, &mut inner)?;
                    written::field(out, number, &inner);
                }
                _ if !metrics::is_kind(number) => out.extend_from_slice(raw),
                _ => self.less = true,
            }
            Ok(())
        })?;
        Ok(any)
    }

    fn points(&mut self, table: usize, message: &[u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        let mut any = false;
        each(message, |number, _, raw| {
            if number != 1 {
                out.extend_from_slice(raw);
            } else if self.stays(table)? {
                out.extend_from_slice(raw);
                any = true;
            }
            Ok(())
        })?;
        Ok(any)
    }

    fn stays(&mut self, table: usize) -> Result<bool, Broken> {
        let (Some(next), Some(fates)) = (self.next.get_mut(table), self.fates.get(table)) else {
            return Err(Broken::Truncated);
        };
        let fate = fates.get(*next).ok_or(Broken::Truncated)?;
        *next += 1;
        self.less |= *fate != self.wanted;
        Ok(*fate == self.wanted)
    }
}

/// Every field with its number, its value, and as it was sent.
fn each<'a>(message: &'a [u8], mut visit: impl FnMut(u32, Value<'a>, &'a [u8]) -> Result<(), Broken>) -> Result<(), Broken> {
    let mut fields = Fields::of(message);
    let mut from = 0;
    while let Some((number, value)) = fields.take()? {
        let to = message.len() - fields.left();
        visit(number, value, &message[from..to])?;
        from = to;
    }
    Ok(())
}
