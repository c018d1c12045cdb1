//! Reading one value: as a text, through a path into its JSON, as tags, as a preview.

use std::borrow::Cow;

use super::clean::{self, cut, scalar};
use super::found::Bytes;
use super::inside::{self, Elements, Members};
use super::{Entry, Plan};
use crate::values::{AnyValue, key_value};
use crate::wire::each;

/// Code points of a preview.
const MAX_PREVIEW: usize = 500;

/// The valid text of a value, or of what its JSON has at the entry's path.
#[inline]
pub fn text_at<'a>(plan: &Plan, entry: &Entry, value: &AnyValue<'a>) -> Option<Bytes<'a>> {
    if let AnyValue::Text(text) = *value
        && entry.path == 0
        && !entry.quoted
        && let Some(text) = plan.placeholders.surely_valid(text)
    {
        return Some(Cow::Borrowed(text));
    }
    let text = match entry.path {
        0 => scalar(value).map(|text| unquoted(text, entry.quoted))?,
        _ => value_at(plan, entry, value)?,
    };
    plan.placeholders.valid(text)
}

/// The value at the entry's path in the JSON of a value, as text. Objects and lists have none.
pub fn value_at<'a>(plan: &Plan, entry: &Entry, value: &AnyValue<'a>) -> Option<Bytes<'a>> {
    let path = &*plan.paths[usize::from(entry.path)];
    let text = match text_of(value, false) {
        Cow::Borrowed(text) if text.trim_ascii_start().first() != Some(&b'"') => return inside_value(text, path),
        text => text,
    };
    let text = inside::string(text.trim_ascii()).map_or_else(|| text.to_vec(), |text| text.into_owned().into_bytes());
    inside_value(&text, path).map(|found| Cow::Owned(found.into_owned()))
}

fn inside_value<'a>(text: &'a [u8], path: &str) -> Option<Bytes<'a>> {
    let found = inside::find(text, path)?;
    let nested = matches!(found.first(), Some(b'{' | b'[' | b't' | b'f'));
    if nested { None } else { inside::plain(found) }
}

/// The sum of all amounts in a JSON object.
pub fn sum_of(value: &AnyValue<'_>) -> Option<(i64, bool)> {
    let text = text_of(value, false);
    let amounts = Members::of(&text)?.filter_map(|(_, value)| clean::money(&AnyValue::Text(value)));
    amounts.reduce(|(sum, limited), (cost, more)| {
        let sum = sum.saturating_add(cost);
        (sum.min(clean::MAX_COST), limited || more || sum > clean::MAX_COST)
    })
}

/// Any value as text.
pub fn text_of<'a>(value: &AnyValue<'a>, quoted: bool) -> Bytes<'a> {
    if let AnyValue::Text(text) = *value {
        return unquoted(Cow::Borrowed(text), quoted);
    }
    let mut text = Vec::new();
    match value.write(&mut text) {
        Ok(()) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(b""), // refused where the attribute is stored
    }
}

/// The content of a JSON string, if values of this key are JSON and this is one.
pub fn unquoted(text: Bytes<'_>, quoted: bool) -> Bytes<'_> {
    if !quoted || text.first() != Some(&b'"') {
        return text;
    }
    match inside::string(&text) {
        Some(inner) => Cow::Owned(inner.into_owned().into_bytes()),
        None => text,
    }
}

/// Whether there is an input, if only an empty one.
pub fn is_told(plan: &Plan, value: &AnyValue<'_>) -> bool {
    match *value {
        AnyValue::Text(text) => text.is_empty() || plan.placeholders.valid(Cow::Borrowed(text)).is_some(),
        AnyValue::List(_) | AnyValue::Map(_) => true,
        _ => false,
    }
}

pub fn says_something(plan: &Plan, value: &AnyValue<'_>) -> bool {
    match *value {
        AnyValue::Text(text) => {
            let text = text.trim_ascii();
            !matches!(text, b"[]" | b"\"\"") && plan.placeholders.valid(Cow::Borrowed(text)).is_some()
        }
        AnyValue::List(items) | AnyValue::Map(items) => !items.is_empty(),
        _ => false,
    }
}

/// The first 500 code points of a text, or of the content of a JSON string.
pub fn preview<'a>(value: &AnyValue<'a>) -> Bytes<'a> {
    match *value {
        AnyValue::Empty => Cow::Borrowed(b""),
        AnyValue::Text(text) => {
            let text = text.trim_ascii();
            match text.first() {
                Some(b'"') => Cow::Owned(cut(&unquoted(Cow::Borrowed(text), true), MAX_PREVIEW).0.to_vec()),
                _ => Cow::Borrowed(cut(text, MAX_PREVIEW).0),
            }
        }
        _ => Cow::Owned(cut(&text_of(value, false), MAX_PREVIEW).0.to_vec()),
    }
}

/// Tags come as a list, as JSON or separated by commas.
pub fn tags_of<'a>(value: &AnyValue<'a>) -> Vec<Bytes<'a>> {
    match *value {
        AnyValue::List(list) => {
            let mut tags = Vec::new();
            let _ = each(list, 1, |item| {
                tags.extend(scalar(&AnyValue::parse(item)?));
                Ok(())
            });
            tags
        }
        AnyValue::Text(text) => match Elements::of(text) {
            Some(elements) => elements.filter_map(inside::plain).collect(),
            None => text.split(|&byte| byte == b',').map(Cow::Borrowed).collect(),
        },
        AnyValue::Map(map) => {
            let mut tags = Vec::new();
            let _ = each(map, 1, |pair| {
                tags.push(Cow::Borrowed(key_value(pair)?.0));
                Ok(())
            });
            tags
        }
        _ => Vec::new(),
    }
}
