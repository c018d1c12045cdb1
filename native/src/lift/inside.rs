//! JSON inside of attribute texts, read without a tree. Limits of SDKs cut such texts anywhere, so a text that ends early simply has fewer
//! members.

use std::borrow::Cow;

/// Longer texts are not looked into beyond this.
const LOOKED_AT: usize = 1 << 20;

/// The value at `path` (names of members and numbers of elements, joined by dots), as it stands in the text.
pub fn find<'a>(text: &'a [u8], path: &str) -> Option<&'a [u8]> {
    if let Some(mut elements) = Elements::of(text) {
        let (number, rest) = path.split_once('.').unwrap_or((path, ""));
        let element = elements.nth(number.parse().ok()?)?;
        return if rest.is_empty() { Some(element) } else { find(element, rest) };
    }
    Members::of(text)?.find_map(|(name, value)| {
        if name == path {
            return Some(value);
        }
        find(value, path.strip_prefix(&*name)?.strip_prefix('.')?)
    })
}

/// The members of a JSON object: names, and values as they stand in the text.
pub struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    /// None if the text is no JSON object.
    pub fn of(text: &'a [u8]) -> Option<Self> {
        let text = &text[..text.len().min(LOOKED_AT)];
        let rest = text.trim_ascii_start().strip_prefix(b"{")?;
        Some(Self { rest })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = value(self.rest)?;
        let name = string(name)?;
        let (value, rest) = value(rest.trim_ascii_start().strip_prefix(b":")?)?;
        self.rest = next_one(rest)?;
        Some((name, value))
    }
}

/// The elements of a JSON array, as they stand in the text.
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// None if the text is no JSON array.
    pub fn of(text: &'a [u8]) -> Option<Self> {
        let text = &text[..text.len().min(LOOKED_AT)];
        let rest = text.trim_ascii_start().strip_prefix(b"[")?;
        Some(Self { rest })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = value(self.rest)?;
        self.rest = next_one(rest)?;
        Some(value)
    }
}

/// Behind a value stands a comma, or the end of what it is in; behind a value that was cut stands nothing.
fn next_one(rest: &[u8]) -> Option<&[u8]> {
    match rest.trim_ascii_start() {
        [b',', rest @ ..] => Some(rest),
        [b'}' | b']', ..] => Some(b""),
        _ => None,
    }
}

/// Takes the value at the start of the text.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = match text.first()? {
        b'"' => string_end(text)?,
        b'{' | b'[' => nested_end(text)?,
        b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => text.iter().position(|byte| b",}] \n\r\t".contains(byte))?,
        _ => return None,
    };
    Some(text.split_at(end))
}

fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn nested_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut open) = (0, 0u32);
    loop {
        match text.get(at)? {
            b'"' => at += string_end(&text[at..])?,
            b'{' | b'[' => {
                open += 1;
                at += 1;
            }
            b'}' | b']' => {
                open -= 1;
                at += 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// The content of a JSON string; None if the value is none.
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(value).ok().map(Cow::Owned);
    }
    if inner.contains(&b'"') {
        return None;
    }
    Some(String::from_utf8_lossy(inner))
}

/// A value as plain text: the content of a string, objects and arrays without blanks, anything else as it stands; None for null.
pub fn plain(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value.first()? {
        b'n' if value == b"null" => None,
        b'"' => Some(match string(value)? {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        b'{' | b'[' => Some(Cow::Owned(compact(value))),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// JSON without the blanks between its parts.
fn compact(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let end = match text[at] {
            b'"' => string_end(&text[at..]).map_or(text.len(), |end| at + end),
            _ => at + 1,
        };
        if !text[at].is_ascii_whitespace() {
            out.extend_from_slice(&text[at..end]);
        }
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_into_nested_objects() {
        let text = br#" {"a": {"b.c": [1, "}"], "d": 5}, "a.d": "x\"y", "e" : null}"#;
        assert_eq!(find(text, "a.d"), Some(&b"5"[..]));
        assert_eq!(find(text, "a.b.c"), Some(&br#"[1, "}"]"#[..]));
        assert_eq!(find(text, "e").map(plain), Some(None));
        assert_eq!(find(text, "f"), None);
        assert_eq!(find(text, "a.b.c.1"), Some(&br#""}""#[..]));
        assert_eq!(find(text, "a.b.c.2"), None);
        assert_eq!(find(br#"[[{"m": 7}]]"#, "0.0.m"), Some(&b"7"[..]));
        assert_eq!(plain(br#"{"a": [1, "x y"] }"#), Some(br#"{"a":[1,"x y"]}"#[..].into()));
        assert_eq!(
            find(br#"{"s": "x\"y\u00e9"}"#, "s").and_then(plain),
            Some("x\"yé".as_bytes().into())
        );
    }

    #[test]
    fn a_text_that_was_cut_gives_what_is_whole() {
        let text = br#"{"a": 1, "b": {"c": 2}, "d": "long text"}"#;
        for end in 0..text.len() {
            let cut = &text[..end];
            assert!(find(cut, "a").is_none_or(|value| value == b"1"));
            assert!(find(cut, "b.c").is_none_or(|value| value == b"2"));
            assert!(find(cut, "d").is_none_or(|value| value == br#""long text""#));
        }
        assert_eq!(find(&text[..12], "a"), Some(&b"1"[..]));
        assert_eq!(find(br#"{"a": 12"#, "a"), None, "the number may go on");
    }

    #[test]
    fn elements_of_arrays_come_one_by_one() {
        let found: Vec<_> = Elements::of(br#"["a", 1, [2], {"b": 3}]"#).unwrap().collect();
        assert_eq!(found, [&br#""a""#[..], b"1", b"[2]", br#"{"b": 3}"#]);
        assert!(Elements::of(b"a, b").is_none());
        assert_eq!(Elements::of(b"[]").unwrap().count(), 0);
    }

    #[test]
    fn hostile_texts_end() {
        for text in [
            &b"{"[..],
            b"{\"",
            b"{\"a",
            b"{\"a\":",
            b"{\"a\":[",
            b"{,",
            b"{\"a\"::1}",
            b"{:}",
            b"{\"\\",
            b"[]]",
            b"[,,,]",
            b"{\"a\":}",
        ] {
            assert!(find(text, "a").is_none());
            assert!(Elements::of(text).is_none_or(|elements| elements.count() == 0));
        }
    }
}
