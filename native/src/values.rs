//! OTLP's `KeyValue` and `AnyValue`, and how a value becomes text in an attribute column.

use crate::wire::{Broken, Fields, MAX_DEPTH, Value};

/// The longest value that is stored, in bytes; what is longer is cut.
pub const MAX_VALUE: usize = 1 << 20;

/// An attribute value, still on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub enum AnyValue<'a> {
    #[default]
    Empty,
    Text(&'a [u8]),
    /// 0 or 1; see `Broken` for why it is so wide.
    Bool(u64),
    Int(i64),
    Double(f64),
    List(&'a [u8]),
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> AnyValue<'a> {
    #[inline(always)] // its result would go through memory
    pub fn parse(message: &'a [u8]) -> Result<Self, Broken> {
        match *message {
            [0x0a, length, ref text @ ..] if length < 0x80 && text.len() == usize::from(length) => Ok(AnyValue::Text(text)),
            [0x18, number] if number < 0x80 => Ok(AnyValue::Int(i64::from(number))),
            _ => Self::parse_any(message),
        }
    }

    /// What is not as short as nearly all values are.
    fn parse_any(message: &'a [u8]) -> Result<Self, Broken> {
        let mut found = AnyValue::Empty;
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.take()? {
            found = match number {
                1 => AnyValue::Text(value.bytes()?),
                2 => AnyValue::Bool(u64::from(value.varint()? != 0)),
                3 => AnyValue::Int(value.varint()? as i64),
                4 => AnyValue::Double(f64::from_bits(value.fixed64()?)),
                5 => AnyValue::List(value.bytes()?),
                6 => AnyValue::Map(value.bytes()?),
                7 => AnyValue::Bytes(value.bytes()?),
                _ => continue,
            };
        }
        Ok(found)
    }

    /// Appends the value as text: text as it is, lists and maps as JSON, bytes as base64, nothing for no value.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Broken> {
        match *self {
            AnyValue::Empty => {}
            AnyValue::Text(text) => out.extend_from_slice(text),
            AnyValue::Bool(truth) => out.extend_from_slice(if truth == 0 { b"false" } else { b"true" }),
            AnyValue::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            AnyValue::Double(number) => write_double(number, out),
            AnyValue::Bytes(bytes) => write_base64(bytes, out),
            AnyValue::List(_) | AnyValue::Map(_) => self.write_json(out, 0)?,
        }
        Ok(())
    }

    fn write_json(&self, out: &mut Vec<u8>, depth: u32) -> Result<(), Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken::Nesting);
        }
        match *self {
            AnyValue::Empty => out.extend_from_slice(b"null"),
            AnyValue::Text(text) => write_quoted(text, out),
            AnyValue::Double(number) if !number.is_finite() => write_quoted(shortest(number).as_bytes(), out),
            AnyValue::Bytes(bytes) => {
                out.push(b'"');
                write_base64(bytes, out);
                out.push(b'"');
            }
            AnyValue::List(list) => write_list(list, out, depth)?,
            AnyValue::Map(map) => write_map(map, out, depth)?,
            AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::Double(_) => self.write(out)?,
        }
        Ok(())
    }
}

/// A key and its value.
#[inline]
pub fn key_value(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), Broken> {
    if let [0x0a, key_length, rest @ ..] = message
        && let Some((key, [0x12, value_length, value @ ..])) = rest.split_at_checked(usize::from(*key_length))
        && *key_length < 0x80
        && *value_length < 0x80
        && value.len() == usize::from(*value_length)
    {
        return Ok((key, AnyValue::parse(value)?));
    }
    any_key_value(message)
}

/// Fields in any order and number, of any length.
fn any_key_value(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), Broken> {
    let mut key: &[u8] = &[];
    let mut found = AnyValue::Empty;
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.take()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => found = AnyValue::parse(bytes)?,
            (1 | 2, _) => return Err(Broken::WireType),
            _ => {}
        }
    }
    Ok((key, found))
}

fn write_list(list: &[u8], out: &mut Vec<u8>, depth: u32) -> Result<(), Broken> {
    let mut between: &[u8] = b"[";
    let mut fields = Fields::of(list);
    while let Some((number, value)) = fields.take()? {
        if number == 1 {
            out.extend_from_slice(between);
            AnyValue::parse(value.bytes()?)?.write_json(out, depth + 1)?;
            between = b",";
        }
    }
    out.extend_from_slice(if between == b"[" { b"[]" } else { b"]" });
    Ok(())
}

fn write_map(map: &[u8], out: &mut Vec<u8>, depth: u32) -> Result<(), Broken> {
    let mut between: &[u8] = b"{";
    let mut fields = Fields::of(map);
    while let Some((number, value)) = fields.take()? {
        if number == 1 {
            out.extend_from_slice(between);
            let (key, value) = key_value(value.bytes()?)?;
            write_quoted(key, out);
            out.push(b':');
            value.write_json(out, depth + 1)?;
            between = b",";
        }
    }
    out.extend_from_slice(if between == b"{" { b"{}" } else { b"}" });
    Ok(())
}

/// A JSON string: quotes, backslashes and control characters are escaped, everything else stays.
fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let number = u32::from(chunk[0]) << 16 | u32::from(*chunk.get(1).unwrap_or(&0)) << 8 | u32::from(*chunk.get(2).unwrap_or(&0));
        for digit in 0..4 {
            let shown = digit <= chunk.len();
            out.push(if shown {
                DIGITS[(number >> (18 - 6 * digit)) as usize & 63]
            } else {
                b'='
            });
        }
    }
}

/// Most doubles have few decimals: those that do are found by multiplying, an order of magnitude faster than by the general way.
fn write_double(number: f64, out: &mut Vec<u8>) {
    const DECIMALS: f64 = 10_000.0;
    let scaled = (number * DECIMALS).round();
    // up to 15 digits, two decimal numbers never share a double, so what reads back is the shortest
    if scaled.abs() >= 1e14 || scaled == 0.0 || scaled / DECIMALS != number {
        out.extend_from_slice(shortest(number).as_bytes());
        return;
    }
    let magnitude = scaled.abs() as u64;
    if number < 0.0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(magnitude / 10_000).as_bytes());
    let mut decimals = magnitude % 10_000;
    if decimals > 0 {
        out.push(b'.');
    }
    while decimals > 0 {
        out.push(b'0' + (decimals / 1000) as u8);
        decimals = decimals % 1000 * 10;
    }
}

/// The shortest text that reads back as the same number, as JavaScript and Go's JSON write it: `0.1`, `12`, `1e+21`, `1e-7`.
pub fn shortest(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let magnitude = number.abs();
    if number == 0.0 {
        return "0".into();
    }
    if !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{number:e}"); // 1e21, 1.5e-7
        return if text.contains("e-") { text } else { text.replace('e', "e+") };
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(number); // 0.5, 12.0, 1e16, 1e-5
    match text.strip_suffix(".0") {
        Some(whole) => whole.into(),
        None if text.contains('e') => format!("{number}"),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: AnyValue<'_>) -> String {
        let mut out = Vec::new();
        value.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_in_their_shortest_form() {
        for (number, expected) in [
            (0.1, "0.1"),
            (12.0, "12"),
            (-0.0, "0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-7"),
            (1e-6, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(shortest(number), expected);
        }
        for (number, expected) in [
            (0.73, "0.73"),
            (-12.05, "-12.05"),
            (7.0, "7"),
            (0.0001, "0.0001"),
            (1e10, "10000000000"),
            (0.00011, "0.00011"),
        ] {
            assert_eq!(text(AnyValue::Double(number)), expected);
            assert_eq!(shortest(number), expected);
        }
        assert_eq!(text(AnyValue::Double(f64::NAN)), "NaN");
        assert_eq!(text(AnyValue::Int(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn bytes_become_base64() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
        ] {
            assert_eq!(text(AnyValue::Bytes(bytes)), expected);
        }
    }

    #[test]
    fn nested_values_become_json() {
        // {"a": ["x\"", null]}
        let list = [0x0a, 4, 0x0a, 2, b'x', b'"', 0x0a, 0];
        let value = [&[0x2a, list.len() as u8][..], &list].concat();
        let pair = [&[0x0a, 1, b'a', 0x12, value.len() as u8][..], &value].concat();
        let map = [&[0x0a, pair.len() as u8][..], &pair].concat();
        assert_eq!(text(AnyValue::Map(&map)), r#"{"a":["x\"",null]}"#);
        assert_eq!(text(AnyValue::List(&[])), "[]");
    }
}
