//! What an attribute value is worth as an id, a text, a count or an amount of money.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::inside;
use crate::values::{AnyValue, shortest};

/// Picodollars per dollar, as a power of ten.
const PICO: i32 = 12;
/// More than a million dollars for one span is absurd, and sums of it would not fit 64 bits.
pub const MAX_COST: i64 = 1_000_000_000_000_000_000;
/// A thousand million, in 10^-9.
const MAX_SCORE: i64 = 1_000_000_000_000_000_000;

/// A text or number as text; None for what cannot be a text.
pub fn scalar<'a>(value: &AnyValue<'a>) -> Option<Cow<'a, [u8]>> {
    match *value {
        AnyValue::Text(text) => Some(Cow::Borrowed(text)),
        AnyValue::Int(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        AnyValue::Double(number) => Some(Cow::Owned(shortest(number).into_bytes())),
        _ => None,
    }
}

/// Texts that say "nothing", such as `null` or `<redacted>`, in any case.
pub struct Placeholders {
    texts: Vec<Box<[u8]>>,
    longest: usize,
    /// Whether some placeholder, or a mask of asterisks, begins with the byte: hardly any other text does.
    begins: [bool; 256],
}

impl Placeholders {
    pub fn new(texts: Vec<Box<[u8]>>) -> Self {
        let mut begins = [false; 256];
        for first in texts.iter().filter_map(|text| text.first()) {
            begins[usize::from(first.to_ascii_lowercase())] = true;
            begins[usize::from(first.to_ascii_uppercase())] = true;
        }
        begins[usize::from(b'*')] = true;
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        Self { texts, longest, begins }
    }

    /// Whether a text without blanks around it says nothing.
    #[inline]
    fn has(&self, text: &[u8]) -> bool {
        match text.first() {
            None => true,
            Some(&first) => self.begins[usize::from(first)] && self.really_has(text),
        }
    }

    fn really_has(&self, text: &[u8]) -> bool {
        let placeholder = text.len() <= self.longest && self.texts.iter().any(|nothing| nothing.eq_ignore_ascii_case(text));
        placeholder || text.iter().all(|&byte| byte == b'*')
    }

    /// The text without blanks around it; None if it says nothing.
    pub fn valid<'a>(&self, text: Cow<'a, [u8]>) -> Option<Cow<'a, [u8]>> {
        let text = trimmed(text);
        (!self.has(&text)).then_some(text)
    }

    /// The text, if it has no blanks around it and says something; the quick way for nearly all texts.
    #[inline]
    pub fn surely_valid<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        (edge(text.first()) && edge(text.last()) && !self.has(text)).then_some(text)
    }
}

/// Whether a text that begins or ends so has certainly no blank there.
#[inline]
fn edge(byte: Option<&u8>) -> bool {
    byte.is_none_or(|&byte| byte > b' ' && byte < 0x80)
}

fn trimmed(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if edge(text.first()) && edge(text.last()) {
        return text;
    }
    match text {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text.trim().as_bytes()),
            Err(_) => trimmed_copy(bytes),
        },
        Cow::Owned(bytes) => trimmed_copy(&bytes),
    }
}

fn trimmed_copy(bytes: &[u8]) -> Cow<'static, [u8]> {
    Cow::Owned(String::from_utf8_lossy(bytes).trim().as_bytes().to_vec())
}

/// The session id that is stored for an id, and whether it had to be shortened: longer than `max` code points, it keeps its first 200, `~` and
/// the first 16 hex digits of the SHA-256 of the whole.
pub fn session_id(id: Cow<'_, [u8]>, max: usize) -> (Cow<'_, [u8]>, bool) {
    if id.len() <= max {
        return (id, false);
    }
    let text = String::from_utf8_lossy(&id);
    if text.chars().count() <= max {
        return (id, false);
    }
    let mut short: String = text.chars().take(200).collect();
    short.push('~');
    for byte in &Sha256::digest(text.as_bytes())[..8] {
        short.push_str(&format!("{byte:02x}"));
    }
    (Cow::Owned(short.into_bytes()), true)
}

/// The first `max` code points, and whether something was cut off.
pub fn cut(text: &[u8], max: usize) -> (&[u8], bool) {
    if text.len() <= max {
        return (text, false);
    }
    let starts = |&(_, &byte): &(usize, &u8)| byte & 0xc0 != 0x80;
    match text.iter().enumerate().filter(starts).nth(max) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

/// At most `max` bytes of a text, whole characters only.
pub fn cut_bytes(text: &[u8], max: usize) -> &[u8] {
    if text.len() <= max {
        return text;
    }
    let back = (0..4).find(|back| text[max - back] & 0xc0 != 0x80).unwrap_or(0);
    &text[..max - back]
}

/// A count, clamped to 32 bits, and whether it had to be.
pub fn count(value: &AnyValue<'_>) -> Option<(u32, bool)> {
    let number = match *value {
        AnyValue::Int(number) => i128::from(number),
        AnyValue::Double(number) if number.is_infinite() => i128::MAX.wrapping_mul(number.signum() as i128),
        AnyValue::Double(number) if number.abs() < 1e15 => number.trunc() as i128,
        _ => decimal(value, 0)?,
    };
    match u32::try_from(number) {
        Ok(count) => Some((count, false)),
        Err(_) => Some((if number < 0 { 0 } else { u32::MAX }, true)),
    }
}

/// A number times 10^`scale`, rounded half to even. None for what is no number.
pub fn scaled_number(value: &AnyValue<'_>, scale: i32) -> Option<i128> {
    match *value {
        AnyValue::Int(number) => Some(i128::from(number) * 10i128.pow(scale as u32)),
        _ => decimal(value, scale),
    }
}

/// A score in 10^-9, and whether it had to be clamped.
pub fn score(value: &AnyValue<'_>) -> Option<(i64, bool)> {
    let number = scaled_number(value, 9)?;
    let clamped = number.clamp(-i128::from(MAX_SCORE), i128::from(MAX_SCORE));
    Some((clamped as i64, clamped != number))
}

/// A whole number; None for what is none, or is too large for 64 bits.
pub fn integer(value: &AnyValue<'_>) -> Option<i64> {
    const DIGITS: i32 = 11; // of a fraction; more would not leave room for 64 bits before the point
    const WHOLE: i128 = 10i128.pow(DIGITS as u32);
    let scaled = scaled_number(value, DIGITS)?;
    let number = i64::try_from(scaled / WHOLE).ok()?;
    (i128::from(number) * WHOLE == scaled).then_some(number)
}

/// An amount in US dollars as whole picodollars, rounded half to even, and whether it had to be clamped. None if negative or no number.
pub fn money(value: &AnyValue<'_>) -> Option<(i64, bool)> {
    let pico = match *value {
        AnyValue::Int(dollars) => i128::from(dollars) * 10i128.pow(PICO as u32),
        _ => decimal(value, PICO)?,
    };
    match i64::try_from(pico) {
        _ if pico < 0 => None,
        Ok(pico) if pico <= MAX_COST => Some((pico, false)),
        _ => Some((MAX_COST, true)),
    }
}

fn decimal(value: &AnyValue<'_>, scale: i32) -> Option<i128> {
    match *value {
        AnyValue::Double(number) => scaled(shortest(number).as_bytes(), scale),
        AnyValue::Text(text) => number_text(text, scale),
        _ => None,
    }
}

/// Numbers come as texts, as quoted texts and wrapped as `{"intValue": "5"}`.
fn number_text(text: &[u8], scale: i32) -> Option<i128> {
    let text = text.trim_ascii();
    match text.first()? {
        b'"' => scaled(inside::string(text)?.trim().as_bytes(), scale),
        b'{' => ["intValue", "doubleValue", "stringValue"]
            .iter()
            .find_map(|name| scaled(inside::plain(inside::find(text, name)?)?.trim_ascii(), scale)),
        _ => scaled(text, scale),
    }
}

/// The decimal number in a text times 10^`scale`, rounded half to even; beyond 10^30 it is clamped.
fn scaled(text: &[u8], scale: i32) -> Option<i128> {
    let number = Decimal::parse(text)?;
    let whole = i64::from(number.exponent) + i64::from(scale);
    let rounded = number.round(whole);
    Some(if number.negative { -rounded } else { rounded })
}

/// 0.DIGITS × 10^exponent, without leading zeros.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
        let digits: Vec<u8> = [&mantissa[..point], mantissa.get(point + 1..).unwrap_or_default()].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let exponent = exponent.saturating_add(i32::try_from(point).ok()?.saturating_sub(i32::try_from(zeros).ok()?));
        Some(Self {
            negative,
            digits: digits[zeros..].to_vec(),
            exponent,
        })
    }

    /// The number made of the first `whole` digits, rounded by those behind.
    fn round(&self, whole: i64) -> i128 {
        const MOST: i64 = 30;
        if self.digits.is_empty() || whole < 0 {
            return 0;
        }
        if whole > MOST {
            return 10i128.pow(MOST as u32);
        }
        let whole = whole as usize;
        let digit = |at: usize| self.digits.get(at).map_or(0, |digit| i128::from(digit - b'0'));
        let number = (0..whole).fold(0i128, |number, at| number * 10 + digit(at));
        let more = self
            .digits
            .get(whole + 1..)
            .is_some_and(|rest| rest.iter().any(|&digit| digit != b'0'));
        let up = match digit(whole) {
            5 => more || number % 2 == 1,
            next => next > 5,
        };
        number + i128::from(up)
    }
}

fn exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        sign * digits
            .iter()
            .fold(0i32, |number, digit| (number * 10 + i32::from(digit - b'0')).min(100_000)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> AnyValue<'_> {
        AnyValue::Text(text.as_bytes())
    }

    #[test]
    fn counts_are_read_from_all_their_spellings() {
        for (value, expected) in [
            (AnyValue::Int(5), Some((5, false))),
            (AnyValue::Int(-5), Some((0, true))),
            (AnyValue::Int(1 << 40), Some((u32::MAX, true))),
            (AnyValue::Double(12.0), Some((12, false))),
            (AnyValue::Double(1e300), Some((u32::MAX, true))),
            (AnyValue::Double(f64::INFINITY), Some((u32::MAX, true))),
            (AnyValue::Double(f64::NEG_INFINITY), Some((0, true))),
            (AnyValue::Double(f64::NAN), None),
            (AnyValue::Double(12.7), Some((12, false))),
            (text(" 17 "), Some((17, false))),
            (text("\"17\""), Some((17, false))),
            (text("1.7e1"), Some((17, false))),
            (text(r#"{"intValue": "17"}"#), Some((17, false))),
            (text(r#"{"intValue":17}"#), Some((17, false))),
            (text("many"), None),
            (text(""), None),
            (text("-"), None),
            (text("1e"), None),
            (text("1e99999999999"), Some((u32::MAX, true))),
            (AnyValue::Bool(1), None),
        ] {
            assert_eq!(count(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn money_is_exact_and_rounded_half_to_even() {
        for (dollars, expected) in [
            ("0.25", Some(250_000_000_000)),
            ("0.0000000000005", Some(0)),
            ("0.0000000000015", Some(2)),
            ("0.0000000000025", Some(2)),
            ("0.00000000000250001", Some(3)),
            ("1.5e-6", Some(1_500_000)),
            ("0", Some(0)),
            ("-0.1", None),
            ("nan", None),
        ] {
            assert_eq!(money(&text(dollars)).map(|(pico, _)| pico), expected, "{dollars}");
        }
        assert_eq!(money(&AnyValue::Double(0.1)), Some((100_000_000_000, false)));
        assert_eq!(money(&AnyValue::Int(3)), Some((3_000_000_000_000, false)));
        assert_eq!(money(&AnyValue::Int(i64::MAX)), Some((MAX_COST, true)));
        assert_eq!(money(&AnyValue::Double(f64::INFINITY)), None);
    }

    #[test]
    fn integers_are_whole_or_nothing() {
        for (value, expected) in [
            (AnyValue::Int(i64::MIN), Some(i64::MIN)),
            (AnyValue::Double(12.0), Some(12)),
            (AnyValue::Double(-1e15), Some(-1_000_000_000_000_000)),
            (AnyValue::Double(12.5), None),
            (AnyValue::Double(f64::NAN), None),
            (text(" -17 "), Some(-17)),
            (text("17.0"), Some(17)),
            (text("17.01"), None),
            (AnyValue::Double(3.0001), None),
            (text("9223372036854775807.00000000001"), None),
            (text(r#"{"intValue": "9223372036854775807"}"#), Some(i64::MAX)),
            (text("9223372036854775808"), None),
            (text("1e40"), None),
            (text("many"), None),
            (AnyValue::Bool(1), None),
        ] {
            assert_eq!(integer(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn scores_are_exact_and_bounded() {
        for (value, expected) in [
            (AnyValue::Double(0.1), Some((100_000_000, false))),
            (AnyValue::Int(-3), Some((-3_000_000_000, false))),
            (AnyValue::Int(i64::MAX), Some((MAX_SCORE, true))),
            (AnyValue::Double(-1e300), Some((-MAX_SCORE, true))),
            (AnyValue::Double(f64::INFINITY), None),
            (text("0.0000000005"), Some((0, false))),
            (text("good"), None),
        ] {
            assert_eq!(score(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn placeholders_and_masks_are_no_texts() {
        let placeholders = Placeholders::new(vec![(*b"null").into(), (*b"<redacted>").into()]);
        let valid = |text: &str| {
            placeholders
                .valid(Cow::Owned(text.as_bytes().to_vec()))
                .map(|text| String::from_utf8(text.into()).unwrap())
        };
        for text in ["", "  ", "null", " NULL ", "<Redacted>", "***", "\u{a0}"] {
            assert_eq!(valid(text), None, "{text}");
        }
        assert_eq!(valid(" a b\u{a0}").as_deref(), Some("a b"));
        assert_eq!(valid("*x").as_deref(), Some("*x"));
    }

    #[test]
    fn long_ids_keep_their_beginning_and_a_digest() {
        let id = "é".repeat(256);
        assert_eq!(session_id(id.as_bytes().into(), 256), (id.as_bytes().into(), false));
        let (short, cut) = session_id("a".repeat(257).into_bytes().into(), 256);
        assert!(cut);
        assert_eq!(short.len(), 217);
        assert!(short.starts_with("a".repeat(200).as_bytes()) && short[200] == b'~');
    }

    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!(cut("aéi".as_bytes(), 2), ("aé".as_bytes(), true));
        assert_eq!(cut("aéi".as_bytes(), 3), ("aéi".as_bytes(), false));
        assert_eq!(cut_bytes("aéi".as_bytes(), 2), b"a");
        assert_eq!(cut_bytes(b"abc", 2), b"ab");
    }
}
