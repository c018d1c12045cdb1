//! Protobuf on the wire, read without copying. Every length is checked; nothing recurses without a bound.
//!
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>

use std::borrow::Cow;

/// The three kinds of telemetry that OTLP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// Never: the request cannot be read, and sending it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    pub message: String,
}

/// What is wrong with the bytes. As wide as a pointer: a narrow one makes the compiler copy results at odd addresses, and the processor waits
/// for the stores before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Broken {
    Truncated,
    Varint,
    Tag,
    WireType,
    Nesting,
    TooLarge,
}

impl From<Broken> for Bad {
    fn from(broken: Broken) -> Self {
        let message = match broken {
            Broken::Truncated => "the message ends in the middle of a field",
            Broken::Varint => "a number is longer than 10 bytes",
            Broken::Tag => "a field has an impossible tag",
            Broken::WireType => "a field has the wrong wire type",
            Broken::Nesting => "values are nested more than 64 levels deep",
            Broken::TooLarge => "the request unfolds to far more data than it has bytes",
        };
        Bad {
            message: format!("protobuf: {message}"),
        }
    }
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const GROUP: u32 = 3;
const FIXED32: u32 = 5;

/// How deep values and groups may be nested.
pub const MAX_DEPTH: u32 = 64;

/// The value of one field.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Widened, for the reason given at `Broken`.
    Fixed32(u64),
}

impl<'a> Value<'a> {
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], Broken> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Broken::WireType),
        }
    }

    #[inline]
    pub fn varint(self) -> Result<u64, Broken> {
        match self {
            Value::Varint(number) => Ok(number),
            _ => Err(Broken::WireType),
        }
    }

    #[inline]
    pub fn fixed64(self) -> Result<u64, Broken> {
        match self {
            Value::Fixed64(number) => Ok(number),
            _ => Err(Broken::WireType),
        }
    }
}

/// Walks over the fields of one message.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes have not been read.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next field's number and value, None at the end of the message.
    #[inline(always)] // called, it costs twice as much
    pub fn take(&mut self) -> Result<Option<(u32, Value<'a>)>, Broken> {
        let Some(tag) = self.tag()? else { return Ok(None) };
        let value = match tag & 7 {
            VARINT => Value::Varint(self.varint()?),
            FIXED64 => Value::Fixed64(self.fixed64()?),
            BYTES => Value::Bytes(self.bytes()?),
            FIXED32 => Value::Fixed32(u64::from(u32::from_le_bytes(self.array()?))),
            _ => return Err(Broken::WireType),
        };
        Ok(Some((tag >> 3, value)))
    }

    /// The next field's tag: number << 3 | wire type. Its value must be read next, by a method of the same wire type, or skipped. Hot loops
    /// match on whole tags, which needs one branch less per field than `take`.
    #[inline(always)]
    pub fn tag(&mut self) -> Result<Option<u32>, Broken> {
        loop {
            let tag = match self.rest {
                [] => return Ok(None),
                [first, rest @ ..] if *first < 0x80 => {
                    self.rest = rest;
                    u32::from(*first)
                }
                _ => u32::try_from(self.long_varint()?).map_err(|_| Broken::Tag)?,
            };
            if tag < 8 {
                return Err(Broken::Tag);
            }
            if tag & 7 != GROUP {
                return Ok(Some(tag));
            }
            self.skip_group(tag >> 3)?;
        }
    }

    /// Skips the value of an unknown field. `known` has the bits of the numbers that are known: such a field has the wrong wire type.
    pub fn skip(&mut self, tag: u32, known: u32) -> Result<(), Broken> {
        if tag >> 3 < 32 && known >> (tag >> 3) & 1 == 1 {
            return Err(Broken::WireType);
        }
        match tag & 7 {
            VARINT => drop(self.varint()?),
            FIXED64 => drop(self.array::<8>()?),
            BYTES => drop(self.bytes()?),
            FIXED32 => drop(self.array::<4>()?),
            _ => return Err(Broken::WireType),
        }
        Ok(())
    }

    #[inline(always)]
    pub fn fixed64(&mut self) -> Result<u64, Broken> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    #[inline]
    pub fn fixed32(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Broken> {
        match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first & 0x7f) | u64::from(*second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, Broken> {
        let mut number = 0u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(if self.rest.len() < 10 { Broken::Truncated } else { Broken::Varint })
    }

    /// A value with its length before it.
    #[inline(always)]
    pub fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| Broken::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Broken::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Groups are an encoding that OTLP never uses, but an unknown field may have it.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), Broken> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let tag = u32::try_from(self.varint()?).map_err(|_| Broken::Tag)?;
            match (tag >> 3, tag & 7) {
                (0, _) => return Err(Broken::Tag),
                (_, 0) => drop(self.varint()?),
                (_, 1) => drop(self.array::<8>()?),
                (_, 2) => drop(self.bytes()?),
                (_, 5) => drop(self.array::<4>()?),
                (inner, 3) if open.len() < MAX_DEPTH as usize => open.push(inner),
                (_, 3) => return Err(Broken::Nesting),
                (closed, 4) if closed == innermost => drop(open.pop()),
                _ => return Err(Broken::WireType),
            }
        }
        Ok(())
    }
}

/// The number of log records or metric points (or spans) in a request, found by a walk that checks its outline.
pub fn count_items(signal: Signal, body: &[u8]) -> Result<u64, Bad> {
    // resource_* → scope_* → items: field 1, then 2, then 2, in all three signals
    let mut items = 0;
    each(body, 1, |resource| {
        each(resource, 2, |scope| {
            each(scope, 2, |item| {
                items += if signal == Signal::Metrics { points(item)? } else { check(item)? };
                Ok(())
            })
        })
    })?;
    Ok(items)
}

/// Calls `take` with every occurrence of the message field `number`.
pub fn each<'a>(message: &'a [u8], number: u32, mut take: impl FnMut(&'a [u8]) -> Result<(), Broken>) -> Result<(), Broken> {
    let mut fields = Fields::of(message);
    while let Some((found, value)) = fields.take()? {
        if found == number {
            take(value.bytes()?)?;
        }
    }
    Ok(())
}

/// The message field `number`; occurrences of a field that should be there once are merged, which for protobuf is to join their bytes.
pub fn merged(message: &[u8], number: u32) -> Result<Cow<'_, [u8]>, Broken> {
    let mut found = Cow::Borrowed(&[][..]);
    each(message, number, |part| {
        if found.is_empty() {
            found = Cow::Borrowed(part);
        } else {
            found.to_mut().extend_from_slice(part);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The last text or bytes in field `number`, empty if there are none.
pub fn last(message: &[u8], number: u32) -> Result<&[u8], Broken> {
    let mut found: &[u8] = &[];
    each(message, number, |part| {
        found = part;
        Ok(())
    })?;
    Ok(found)
}

fn check(item: &[u8]) -> Result<u64, Broken> {
    let mut fields = Fields::of(item);
    while fields.take()?.is_some() {}
    Ok(1)
}

/// Points of a metric: field 1 of its gauge (5), sum (7), histogram (9), exponential histogram (10) or summary (11).
fn points(metric: &[u8]) -> Result<u64, Broken> {
    let mut points = 0;
    let mut fields = Fields::of(metric);
    while let Some((number, value)) = fields.take()? {
        if matches!(number, 5 | 7 | 9 | 10 | 11) {
            each(value.bytes()?, 1, |point| {
                points += check(point)?;
                Ok(())
            })?;
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(message: &[u8]) -> Result<Vec<u32>, Broken> {
        let mut fields = Fields::of(message);
        let mut numbers = Vec::new();
        while let Some((number, _)) = fields.take()? {
            numbers.push(number);
        }
        Ok(numbers)
    }

    #[test]
    fn every_wire_type_is_read() {
        let message = [
            0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 2, b'h', b'i', 0x25, 1, 2, 3, 4,
        ];
        assert_eq!(all(&message), Ok(vec![1, 2, 3, 4]));
    }

    #[test]
    fn unknown_groups_are_skipped_and_bounded() {
        assert_eq!(all(&[0x0b, 0x13, 0x08, 1, 0x14, 0x0c, 0x08, 1]), Ok(vec![1]));
        assert_eq!(all(&[0x0b, 0x14]), Err(Broken::WireType));
        assert_eq!(all(&[0x0b; 1000]), Err(Broken::Nesting));
        assert_eq!(all(&[0x0b]), Err(Broken::Truncated));
    }

    #[test]
    fn what_is_broken_is_told() {
        assert_eq!(all(&[0x08]), Err(Broken::Truncated));
        assert_eq!(all(&[0x08, 0x80]), Err(Broken::Truncated));
        assert_eq!(all(&[0xff; 11]), Err(Broken::Varint));
        assert_eq!(all(&[0x00]), Err(Broken::Tag));
        assert_eq!(all(&[0x0a, 5, 1]), Err(Broken::Truncated));
        assert_eq!(
            all(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            Err(Broken::Truncated)
        );
        assert_eq!(all(&[0x0c]), Err(Broken::WireType));
        assert_eq!(all(&[0x0f]), Err(Broken::WireType));
    }

    #[test]
    fn points_and_records_are_counted() {
        let scope = [0x12, 2, 0x0a, 0, 0x12, 0]; // two items: one with an empty field 1, one empty
        let resource = [&[0x12, scope.len() as u8][..], &scope].concat();
        let body = [&[0x0a, resource.len() as u8][..], &resource].concat();
        assert_eq!(count_items(Signal::Logs, &body), Ok(2));
        assert_eq!(count_items(Signal::Metrics, &body), Ok(0));
        assert!(count_items(Signal::Logs, &body[..5]).is_err());
    }
}
