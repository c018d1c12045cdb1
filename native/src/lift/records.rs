//! What log records of one event tell, and what spans tell by an event of that name.

use crate::schema::flags;
use crate::values::AnyValue;

/// The attribute with the id of the session that a `session.start` continues.
pub const PREVIOUS_ID: &[u8] = b"session.previous_id";
/// Bits that begin or end a session.
pub const MARKS: u32 = flags::SESSION_START | flags::SESSION_END;
/// Scope of the events that this collector tells: marks in them were understood before.
pub const OWN_SCOPE: &[u8] = b"sojourn";

/// An attribute key, and the values of it that count.
pub type Condition = (Box<[u8]>, Vec<Box<[u8]>>);

#[derive(Default)]
pub struct Record {
    pub kind: u8,
    pub flags: u32,
    /// Where there are conditions, one of them must hold, or the record is a plain one.
    pub only: Vec<Condition>,
}

impl Record {
    /// Whether its attributes say nothing about what kind of event it is.
    pub fn is_told_by_its_name(&self) -> bool {
        self.only.is_empty() && self.flags & flags::SESSION_START == 0
    }
}

/// Whether an attribute fulfils one of the conditions.
pub fn fulfils(conditions: &[Condition], key: &[u8], value: &AnyValue<'_>) -> bool {
    conditions
        .iter()
        .any(|(wanted, values)| **wanted == *key && values.iter().any(|wanted| says(value, wanted)))
}

/// Truth values come as such and as texts.
pub fn is_true(value: &AnyValue<'_>) -> bool {
    match *value {
        AnyValue::Text(text) => text.trim_ascii().eq_ignore_ascii_case(b"true"),
        AnyValue::Bool(truth) => truth != 0,
        _ => false,
    }
}

fn says(value: &AnyValue<'_>, wanted: &[u8]) -> bool {
    match *value {
        AnyValue::Text(text) => text == wanted,
        AnyValue::Bool(truth) => wanted == if truth == 0 { &b"false"[..] } else { b"true" },
        _ => false,
    }
}
