//! What a connection's requests are for, as the protocol sees it.

use std::borrow::Cow;
use std::time::Instant;

pub trait Service {
    /// What the fields of a request say; they are told one by one.
    type Head: Default;
    /// What follows from them. Equal fields lead to an equal plan, which therefore is kept for the next request that has them.
    type Plan: Copy;
    /// One request on its way.
    type Call;

    fn field(head: &mut Self::Head, name: &[u8], value: &[u8]);

    /// Err: that is the answer, whatever the body says.
    fn plan(&mut self, head: Self::Head) -> Result<Self::Plan, Answer>;

    /// What plans depend on beside the fields: while it is the same, equal fields lead to an equal plan.
    fn epoch(&self) -> u64 {
        0
    }

    fn begin(&mut self, plan: Self::Plan, now: Instant) -> Self::Call;

    /// The next piece of the body, in order; with `end` it is the last, and may be empty.
    fn data(&mut self, call: &mut Self::Call, data: &[u8], end: bool, now: Instant) -> Step;

    /// When to call `expired`, if nothing happens before.
    fn deadline(&self, call: &Self::Call) -> Option<Instant>;

    fn expired(&mut self, call: &mut Self::Call, now: Instant) -> Step;
}

/// What becomes of a request next.
#[derive(Debug)]
pub enum Step {
    /// The peer may send as much more as was read, what was held back included.
    Read,
    /// The peer may not, for now.
    Hold,
    Answer(Answer),
}

/// An answer in the making of which nobody waits any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Header block, as `hpack::encode` makes it.
    pub head: Cow<'static, [u8]>,
    /// The body. Empty: there is none.
    pub data: Cow<'static, [u8]>,
    /// Header block. Empty: there is none.
    pub trailers: Cow<'static, [u8]>,
}
