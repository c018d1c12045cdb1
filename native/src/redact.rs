//! Masking, before anything else sees a request: keys whose values nobody may know, and patterns in any text. A request is written anew,
//! message by message, so that whatever follows (columns, digests, what is forwarded) comes from what is masked.

use std::borrow::Cow;

use regex_lite::{NoExpand, Regex};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;
use crate::wire::Signal;
use crate::written;

/// What stands for a value that could not be looked through.
const FAILED: &[u8] = b"<masked: failed>";
/// Deeper ones are not looked through.
const MAX_DEPTH: usize = 32;

/// What a processor `redact` says: JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub signals: Vec<String>,
    /// Of attributes, `*` for any part; case does not matter.
    keys: Vec<String>,
    patterns: Vec<String>,
    replacement: String,
    /// Masks tell equal values by a digest that this goes into. Empty: they do not.
    hash_key: String,
}

pub struct Redact {
    signals: [bool; Signal::ALL.len()],
    keys: Vec<Vec<u8>>,
    patterns: Vec<Regex>,
    replacement: String,
    hash_key: String,
}

/// What is looked for in a field.
enum Part {
    Inside(&'static [(u32, Part)]),
    Pair,
    Value,
    Text,
}

use Part::{Inside, Pair, Text, Value};

// Field numbers: <https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto>
const RESOURCE: (u32, Part) = (1, Inside(&[(1, Pair)]));
const SCOPE: (u32, Part) = (1, Inside(&[(3, Pair)]));
const EVENT: &[(u32, Part)] = &[(2, Text), (3, Pair)];
const SPAN: &[(u32, Part)] = &[
    (5, Text),
    (9, Pair),
    (11, Inside(EVENT)),
    (13, Inside(&[(4, Pair)])),
    (15, Inside(&[(2, Text)])),
];
const TRACES: &[(u32, Part)] = &[(1, Inside(&[RESOURCE, (2, Inside(&[SCOPE, (2, Inside(SPAN))]))]))];
const RECORD: &[(u32, Part)] = &[(5, Value), (6, Pair)];
const LOGS: &[(u32, Part)] = &[(1, Inside(&[RESOURCE, (2, Inside(&[SCOPE, (2, Inside(RECORD))]))]))];
const EXEMPLAR: &[(u32, Part)] = &[(7, Pair)];
const NUMBERS: &[(u32, Part)] = &[(1, Inside(&[(7, Pair), (5, Inside(EXEMPLAR))]))];
const HISTOGRAM: &[(u32, Part)] = &[(1, Inside(&[(9, Pair), (8, Inside(EXEMPLAR))]))];
const EXPONENTIAL: &[(u32, Part)] = &[(1, Inside(&[(1, Pair), (11, Inside(EXEMPLAR))]))];
const SUMMARY: &[(u32, Part)] = &[(1, Inside(&[(7, Pair)]))];
const METRIC: &[(u32, Part)] = &[
    (5, Inside(NUMBERS)),
    (7, Inside(NUMBERS)),
    (9, Inside(HISTOGRAM)),
    (10, Inside(EXPONENTIAL)),
    (11, Inside(SUMMARY)),
    (12, Pair),
];
const METRICS: &[(u32, Part)] = &[(1, Inside(&[RESOURCE, (2, Inside(&[SCOPE, (2, Inside(METRIC))]))]))];
const LIST: &[(u32, Part)] = &[(1, Value)];
const MAP: &[(u32, Part)] = &[(1, Pair)];

/// Bytes that are no message.
struct Broken;

impl Redact {
    /// The error says what is wrong with the plan.
    pub fn new(plan: Plan) -> Result<Self, String> {
        let mut signals = [false; Signal::ALL.len()];
        for name in &plan.signals {
            let signal = Signal::named(name).ok_or_else(|| format!("signal {name:?} is not known"))?;
            signals[signal as usize] = true;
        }
        let pattern = |text: &String| Regex::new(text).map_err(|error| format!("pattern {text:?}: {error}"));
        Ok(Self {
            signals,
            keys: plan.keys.iter().map(|key| key.to_ascii_lowercase().into_bytes()).collect(),
            patterns: plan.patterns.iter().map(pattern).collect::<Result<_, _>>()?,
            replacement: plan.replacement,
            hash_key: plan.hash_key,
        })
    }

    pub fn parse(plan: &str) -> Result<Self, String> {
        Self::new(serde_json::from_str(plan).map_err(|error| error.to_string())?)
    }

    /// The request as it may be known.
    pub fn apply<'a>(&self, signal: Signal, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Refusal> {
        if !self.signals[signal as usize] {
            return Ok(Cow::Borrowed(body));
        }
        let parts = match signal {
            Signal::Traces => TRACES,
            Signal::Logs => LOGS,
            Signal::Metrics => METRICS,
        };
        let mut masked = Vec::with_capacity(body.len());
        match self.message(parts, body, 0, &mut masked) {
            Ok(()) => Ok(Cow::Owned(masked)),
            Err(Broken) => Err(Refusal::Never("the request is not a protobuf message of its signal".into())),
        }
    }

    fn message(&self, parts: &[(u32, Part)], message: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
        let mut inner = Vec::new();
        each(message, |field| {
            let part = parts.iter().find(|(number, _)| *number == field.number).map(|(_, part)| part);
            let (Some(part), Some(content)) = (part, field.content) else {
                out.extend_from_slice(field.raw);
                return Ok(());
            };
            inner.clear();
            match part {
                Inside(parts) => self.message(parts, content, depth, &mut inner)?,
                Pair => self.pair(content, depth, &mut inner)?,
                Value => self.value(content, depth, &mut inner),
                Text => inner.extend_from_slice(&self.text(content)),
            }
            written::field(out, field.number, &inner);
            Ok(())
        })
    }

    /// A `KeyValue`.
    fn pair(&self, message: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
        let mut key = &[][..];
        each(message, |field| {
            key = field.content.filter(|_| field.number == 1).unwrap_or(key);
            Ok(())
        })?;
        let secret = self.is_secret(key);
        let mut inner = Vec::new();
        each(message, |field| {
            let Some(value) = field.content.filter(|_| field.number == 2) else {
                out.extend_from_slice(field.raw);
                return Ok(());
            };
            inner.clear();
            if secret {
                written::field(&mut inner, 1, self.mask(value).as_bytes());
            } else {
                self.value(value, depth, &mut inner);
            }
            written::field(out, 2, &inner);
            Ok(())
        })
    }

    /// An `AnyValue`; a mask in place of one that cannot be looked through.
    fn value(&self, message: &[u8], depth: usize, out: &mut Vec<u8>) {
        let start = out.len();
        if depth > MAX_DEPTH || self.content(message, depth, out).is_err() {
            out.truncate(start);
            written::field(out, 1, FAILED);
        }
    }

    fn content(&self, message: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
        let mut inner = Vec::new();
        each(message, |field| {
            inner.clear();
            match (field.number, field.content) {
                (1 | 7, Some(text)) => inner.extend_from_slice(&self.text(text)),
                (3, None) => {
                    let number = varint(&field.raw[varint(field.raw)?.1..])?.0 as i64;
                    match self.text(number.to_string().as_bytes()) {
                        Cow::Borrowed(_) => out.extend_from_slice(field.raw),
                        Cow::Owned(masked) => written::field(out, 1, &masked),
                    }
                    return Ok(());
                }
                (5, Some(list)) => self.message(LIST, list, depth + 1, &mut inner)?,
                (6, Some(map)) => self.message(MAP, map, depth + 1, &mut inner)?,
                _ => {
                    out.extend_from_slice(field.raw);
                    return Ok(());
                }
            }
            written::field(out, field.number, &inner);
            Ok(())
        })
    }

    fn is_secret(&self, key: &[u8]) -> bool {
        if self.keys.is_empty() {
            return false;
        }
        let key = key.to_ascii_lowercase();
        self.keys.iter().any(|pattern| fits(pattern, &key))
    }

    /// Borrowed if there is nothing to mask in it.
    fn text<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let readable = String::from_utf8_lossy(text);
        let mut masked: Option<String> = None;
        for pattern in &self.patterns {
            let now = masked.as_deref().unwrap_or(&readable);
            if pattern.is_match(now) {
                masked = Some(if self.hash_key.is_empty() {
                    pattern.replace_all(now, NoExpand(&self.replacement)).into_owned()
                } else {
                    let mask = |found: &regex_lite::Captures<'_>| self.mask(found[0].as_bytes());
                    pattern.replace_all(now, mask).into_owned()
                });
            }
        }
        masked.map_or(Cow::Borrowed(text), |masked| masked.into_bytes().into())
    }

    fn mask(&self, value: &[u8]) -> String {
        if self.hash_key.is_empty() {
            return self.replacement.clone();
        }
        // The key is hashed first, so that no key and value look like another pair of them.
        let key = Sha256::digest(&self.hash_key);
        let digest = Sha256::new().chain_update(key).chain_update(value).finalize();
        let digits: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("<masked:{digits}>")
    }
}

/// Whether a key fits a pattern in which `*` stands for anything.
fn fits(pattern: &[u8], key: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = find(rest, part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// A field of a message as it was sent.
struct Field<'a> {
    number: u32,
    raw: &'a [u8],
    /// Of a field that has a length.
    content: Option<&'a [u8]>,
}

fn each<'a>(message: &'a [u8], mut visit: impl FnMut(Field<'a>) -> Result<(), Broken>) -> Result<(), Broken> {
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, head) = varint(rest)?;
        let (number, behind) = (u32::try_from(tag >> 3).map_err(|_| Broken)?, &rest[head..]);
        let (length, content) = match tag & 7 {
            0 => (varint(behind)?.1, None),
            1 => (8, None),
            5 => (4, None),
            2 => {
                let (length, prefix) = varint(behind)?;
                let length = usize::try_from(length).map_err(|_| Broken)?;
                let content = behind[prefix..].get(..length).ok_or(Broken)?;
                (prefix + length, Some(content))
            }
            _ => return Err(Broken),
        };
        let (raw, after) = rest.split_at_checked(head + length).ok_or(Broken)?;
        visit(Field { number, raw, content })?;
        rest = after;
    }
    Ok(())
}

/// A number, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Result<(u64, usize), Broken> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok((value, place + 1));
        }
    }
    Err(Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_with_stars() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.bc", false),
            ("*.password", "db.password", true),
            ("*.password", "password", false),
            ("*password*", "my.passwords", true),
            ("http.*.cookie", "http.request.header.cookie", true),
            ("a*a", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn a_plan_says_what_is_wrong_with_it() {
        let plan = |text: &str| Redact::parse(text).err().unwrap_or_default();
        assert!(plan(r#"{"signals": ["traces"], "keys": [], "patterns": ["("], "replacement": "", "hash_key": ""}"#).contains("pattern"));
        assert!(plan(r#"{"signals": ["x"], "keys": [], "patterns": [], "replacement": "", "hash_key": ""}"#).contains("signal"));
    }
}
