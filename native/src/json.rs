//! OTLP/JSON → OTLP protobuf, so that both go the same way from there. Streams from one to the other: no tree is built.
//!
//! Mapping: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> (hex ids, enums as integers, unknown fields ignored). Beyond it,
//! names of enums are accepted, and lone surrogates, which JavaScript writes when it cuts a text within an emoji.

mod messages;

use std::fmt;

use messages::{Field, Kind, Message};
use serde_json::Deserializer;
use serde_json::de::SliceRead;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::wire::{Bad, Signal};
use crate::written::varint;

/// Bytes kept free for the length of a message, which is known only behind it. Longer varints than needed are valid.
const LENGTH: usize = 4;

/// The same request in protobuf. Bad says where the JSON is wrong.
pub fn json_to_protobuf(signal: Signal, body: &[u8]) -> Result<Vec<u8>, Bad> {
    let message = match signal {
        Signal::Traces => &messages::TRACES,
        Signal::Logs => &messages::LOGS,
        Signal::Metrics => &messages::METRICS,
    };
    let mut out = Vec::with_capacity(body.len());
    let mut json = Deserializer::new(SliceRead::new(body)); // nesting is bounded by 128
    let read = Object { message, out: &mut out }.deserialize(&mut json).and_then(|()| json.end());
    match read {
        Ok(()) => Ok(out),
        Err(error) => Err(Bad {
            message: format!("JSON: {error}"),
        }),
    }
}

/// Appends the fields of a message.
struct Object<'o> {
    message: &'static Message,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "an object: {}", self.message.name)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Name(self.message))? {
            match field {
                Some(field) if field.repeated => map.next_value_seed(Items { field, out: self.out })?,
                Some(field) => map.next_value_seed(One { field, out: self.out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The field of a name, None if there is none.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static Field>;
    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|field| field.name.as_bytes() == name))
    }
}

/// All values of a repeated field.
struct Items<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list: {}", self.field.name)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let field = self.field;
        while items.next_element_seed(One { field, out: self.out })?.is_some() {}
        Ok(())
    }
}

/// One value of a field, with its tag.
struct One<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::Message(message) => self.message(message, json),
            Kind::Text | Kind::Id | Kind::Base64 => json.deserialize_option(self),
            _ => json.deserialize_any(self),
        }
    }
}

impl One<'_> {
    fn tag(&mut self, wire_type: u8) {
        varint(self.out, u64::from(self.field.number << 3 | u32::from(wire_type)));
    }

    fn message<'de, D: serde::Deserializer<'de>>(mut self, message: &'static Message, json: D) -> Result<(), D::Error> {
        self.tag(2);
        let start = self.out.len() + LENGTH;
        self.out.resize(start, 0);
        Object { message, out: self.out }.deserialize(json)?;
        let length = self.out.len() - start;
        if length >= 1 << (7 * LENGTH) {
            return Err(D::Error::custom("the request is too large"));
        }
        for (index, byte) in self.out[start - LENGTH..start].iter_mut().enumerate() {
            let more = if index + 1 < LENGTH { 0x80 } else { 0 };
            *byte = (length >> (7 * index)) as u8 & 0x7f | more;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.tag(2);
        varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn whole<E: Error>(mut self, number: u64) -> Result<(), E> {
        match self.field.kind {
            Kind::Varint | Kind::Enum => {
                self.tag(0);
                varint(self.out, number);
            }
            Kind::ZigZag => {
                self.tag(0);
                let number = number as i64;
                varint(self.out, (number << 1 ^ number >> 63) as u64);
            }
            Kind::Fixed64 => {
                self.tag(1);
                self.out.extend_from_slice(&number.to_le_bytes());
            }
            Kind::Fixed32 => {
                self.tag(5);
                self.out.extend_from_slice(&(number as u32).to_le_bytes());
            }
            _ => return Err(self.wrong("a number")),
        }
        Ok(())
    }

    fn double(&mut self, number: f64) {
        self.tag(1);
        self.out.extend_from_slice(&number.to_bits().to_le_bytes());
    }

    fn wrong<E: Error>(&self, found: &str) -> E {
        E::custom(format!("{}: {found} does not fit", self.field.name))
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.field.name)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_bytes(self)
    }

    fn visit_bytes<E: Error>(mut self, text: &[u8]) -> Result<(), E> {
        match self.field.kind {
            Kind::Text => self.bytes(text),
            // an id that is none must not look like an absent one: its span is refused alone
            Kind::Id if !text.is_empty() => self.bytes(&unhex(text).unwrap_or_else(|| vec![0])),
            Kind::Id => {}
            _ => {
                let bytes = base64(text).ok_or_else(|| self.wrong("text that is not base64"))?;
                self.bytes(&bytes);
            }
        }
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        if self.field.kind == Kind::Double {
            self.double(number as f64);
            return Ok(());
        }
        self.whole(number)
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
        if self.field.kind == Kind::Double {
            self.double(number as f64);
            return Ok(());
        }
        self.whole(number as u64)
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<(), E> {
        if self.field.kind == Kind::Double {
            self.double(number);
            return Ok(());
        }
        if number.fract() != 0.0 || !(-1e19..2e19).contains(&number) {
            return Err(self.wrong("a number with a fraction"));
        }
        self.whole(if number < 0.0 { number as i64 as u64 } else { number as u64 })
    }

    fn visit_bool<E: Error>(mut self, truth: bool) -> Result<(), E> {
        if self.field.kind != Kind::Bool {
            return Err(self.wrong("a truth value"));
        }
        self.tag(0);
        self.out.push(u8::from(truth));
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        match (self.field.kind, text.trim()) {
            (Kind::Double, "Infinity") => self.double(f64::INFINITY),
            (Kind::Double, "-Infinity") => self.double(f64::NEG_INFINITY),
            (Kind::Double, text) => {
                let number = text.parse().map_err(|_| self.wrong("text that is no number"))?;
                self.double(number);
            }
            (Kind::Enum, name) if name.parse::<i32>().is_err() => return self.whole(messages::enum_value(name)),
            (_, text) => {
                let signed = text.parse::<i64>().map(|number| number as u64);
                let number = signed.or_else(|_| text.parse::<u64>());
                let number = number.map_err(|_| self.wrong("text that is no whole number"))?;
                return self.whole(number);
            }
        }
        Ok(())
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8))
        .collect()
}

/// Standard or URL-safe base64, padded or not.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut number = 0u32;
        for &byte in chunk {
            number = number << 6 | u32::from(base64_digit(byte)?);
        }
        match chunk.len() {
            4 => out.extend_from_slice(&number.to_be_bytes()[1..]),
            3 => out.extend_from_slice(&(number >> 2).to_be_bytes()[2..]),
            2 => out.push((number >> 4) as u8),
            _ => return None,
        }
    }
    Some(out)
}

fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(json: &str) -> Result<Vec<u8>, String> {
        json_to_protobuf(Signal::Traces, json.as_bytes()).map_err(|bad| bad.message)
    }

    #[test]
    fn a_span_becomes_protobuf() {
        let json = r#"{"resourceSpans": [{"resource": null, "scopeSpans": [{"spans": [
            {"traceId": "0AF7651916CD43DD8448EB211C80319C", "name": "a\u00e9", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": "1", "unknown": [{}], "parentSpanId": ""}
        ]}]}]}"#;
        let bytes = traces(json).unwrap();
        let ends = [&[0x2a, 3, b'a', 0xc3, 0xa9, 0x30, 2, 0x39][..], &1u64.to_le_bytes()].concat();
        assert!(bytes.ends_with(&ends), "{bytes:x?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (json, expected) in [
            ("", "EOF"),
            ("[]", "an object"),
            (r#"{"resourceSpans": {}}"#, "a list"),
            (r#"{"resourceSpans": []} x"#, "trailing"),
            (
                r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"soon"}]}]}]}"#,
                "startTimeUnixNano",
            ),
            (&"[".repeat(100_000), "an object"),
            (&format!(r#"{{"resourceSpans":{}"#, "[".repeat(100_000)), "expected"),
        ] {
            let error = traces(json).unwrap_err();
            assert!(error.contains(expected) && error.contains("line 1 column"), "{json:.50}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let value = |depth: usize| {
            let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
            format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{open}{close}}}]}}}}]}}"#)
        };
        assert!(traces(&value(20)).is_ok());
        assert!(traces(&value(10_000)).unwrap_err().contains("recursion"));
    }

    #[test]
    fn texts_of_base64_and_hex_are_read() {
        assert_eq!(base64(b"Zm9vYg=="), Some(b"foob".to_vec()));
        assert_eq!(base64(b"Zm9v-_"), Some(vec![b'f', b'o', b'o', 0xfb]));
        assert_eq!(base64(b"Z"), None);
        assert_eq!(base64(b"Zm9%"), None);
        assert_eq!(unhex(b"0aFF"), Some(vec![10, 255]));
        assert_eq!(unhex(b"0"), None);
    }
}
