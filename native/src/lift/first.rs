//! Time to first token: a length of time in some unit, or a moment.

use super::clean;
use super::inside;
use crate::values::AnyValue;

/// How a key tells it.
#[derive(Debug)]
pub struct Timing {
    pub unit: Unit,
    /// Scopes that begin so use another unit.
    pub scopes: Vec<(Box<[u8]>, Unit)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Its power of ten in nanoseconds.
    Power(i32),
    /// A time in ISO 8601.
    Moment,
}

impl Unit {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "s" => Unit::Power(9),
            "ms" => Unit::Power(6),
            "ns" => Unit::Power(0),
            "moment" => Unit::Moment,
            _ => return None,
        })
    }

    /// Nanoseconds from `start` (ns since 1970); None if the value tells no time.
    pub fn read(self, value: &AnyValue<'_>, start: i64) -> Option<i128> {
        match (self, value) {
            (Unit::Power(scale), _) => clean::scaled_number(value, scale),
            (Unit::Moment, AnyValue::Text(text)) => Some(moment(text)? - i128::from(start)),
            _ => None,
        }
    }
}

impl Timing {
    pub fn unit_in(&self, scope: &[u8]) -> Unit {
        let other = self.scopes.iter().find(|(begin, _)| scope.starts_with(begin));
        other.map_or(self.unit, |(_, unit)| *unit)
    }
}

/// `2026-11-20T09:05:00.25Z`, with an offset or none, perhaps in quotes (and those in quotes again), as nanoseconds since 1970.
fn moment(text: &[u8]) -> Option<i128> {
    let text = text.trim_ascii();
    if text.first() == Some(&b'"') {
        return moment(inside::string(text)?.as_bytes());
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let dividers = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if dividers.iter().any(|&(at, byte)| text.get(at) != Some(&byte)) || !matches!(text.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let rest = &text[19..];
    let fraction = rest
        .strip_prefix(b".")
        .map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
    let nanos = (0..9).fold(0, |nanos, place| {
        nanos * 10 + if place < fraction { i64::from(rest[1 + place] - b'0') } else { 0 }
    });
    let zone = if fraction > 0 { &rest[fraction + 1..] } else { rest };
    let at = i128::from(days(year, month, day)? * 86_400 + seconds - offset(zone)?);
    Some(at * 1_000_000_000 + i128::from(nanos))
}

/// Seconds that a zone is ahead: `Z`, `+01:00`, `-0500` or nothing.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone {
        b"" | b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digits: Vec<i64> = digits
        .iter()
        .filter(|&&byte| byte != b':')
        .map(|byte| i64::from(byte.wrapping_sub(b'0')))
        .collect();
    match digits[..] {
        [a, b, c, d] if digits.iter().all(|&digit| digit < 10) => Some(sign * ((10 * a + b) * 3600 + (10 * c + d) * 60)),
        _ => None,
    }
}

/// Days since 1970 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) }; // years begin in March
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_all_their_spellings() {
        let noon = 1_767_268_800 * 1_000_000_000;
        for (text, expected) in [
            ("2026-01-01T12:00:00Z", Some(noon)),
            ("2026-01-01T12:00:00.25Z", Some(noon + 250_000_000)),
            ("2026-01-01 13:00:00.000000001+01:00", Some(noon + 1)),
            ("2026-01-01T07:00:00-0500", Some(noon)),
            (r#""2026-01-01T12:00:00.000Z""#, Some(noon)),
            (r#""\"2026-01-01T12:00:00\"""#, Some(noon)),
            ("1970-01-01T00:00:00", Some(0)),
            ("1968-02-29T00:00:00Z", Some(-672 * 86_400 * 1_000_000_000)),
            ("2026-13-01T12:00:00Z", None),
            ("2026-01-01T12:00:00 soon", None),
            ("2026-01-01T12:00:00+1", None),
            ("2026-01-01", None),
            ("", None),
            ("now", None),
        ] {
            assert_eq!(moment(text.as_bytes()), expected, "{text}");
        }
    }
}
