//! What RFC 9113 §8 asks of the fields of a request, checked as they are read.

/// Of all fields together, each counted with 32 bytes more than it has (§6.5.2).
pub const MAX_LIST: u32 = 32 << 10;

/// Pseudo-fields that a request must have, once each.
const METHOD: u8 = 1;
const SCHEME: u8 = 2;
const PATH: u8 = 4;
const AUTHORITY: u8 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Not HTTP (§8.1.1).
    Malformed,
    /// Larger than `MAX_LIST`.
    TooLarge,
}

#[derive(Default)]
pub struct Rules {
    told: u8,
    regular: bool,
    malformed: bool,
    size: usize,
    content_length: Option<u64>,
}

impl Rules {
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        self.size += name.len() + value.len() + 32;
        if name.first() == Some(&b':') {
            self.malformed |= self.regular || !self.pseudo(name, value);
            return;
        }
        self.regular = true;
        self.malformed |= !(is_name(name) && is_value(value) && self.is_allowed(name, value));
    }

    /// The length of the body, if it was told.
    pub fn request(&self) -> Result<Option<u64>, Bad> {
        let complete = METHOD | SCHEME | PATH;
        self.verdict(self.told & complete == complete)?;
        Ok(self.content_length)
    }

    pub fn trailers(&self) -> Result<(), Bad> {
        self.verdict(self.told == 0)
    }

    fn verdict(&self, complete: bool) -> Result<(), Bad> {
        if self.size > MAX_LIST as usize {
            Err(Bad::TooLarge)
        } else if self.malformed || !complete {
            Err(Bad::Malformed)
        } else {
            Ok(())
        }
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> bool {
        let which = match name {
            b":method" => METHOD,
            b":scheme" => SCHEME,
            b":path" => PATH,
            b":authority" => AUTHORITY,
            _ => return false,
        };
        let again = self.told & which != 0;
        self.told |= which;
        !again && is_value(value) && (which == AUTHORITY || !value.is_empty())
    }

    /// Fields that belong to a connection of HTTP/1 have no place here (§8.2.2).
    fn is_allowed(&mut self, name: &[u8], value: &[u8]) -> bool {
        match name {
            b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => false,
            b"te" => value.eq_ignore_ascii_case(b"trailers"),
            b"content-length" => {
                let length = length(value);
                let same = self.content_length.is_none() || self.content_length == length;
                self.content_length = length;
                same && length.is_some()
            }
            _ => true,
        }
    }
}

fn length(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A token in lower case.
fn is_name(name: &[u8]) -> bool {
    let token =
        |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
    !name.is_empty() && name.iter().all(token)
}

fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| !matches!(byte, 0..=8 | 10..=31 | 127))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[(&str, &str)] = &[(":method", "POST"), (":scheme", "http"), (":path", "/x")];

    fn told(fields: &[(&str, &str)]) -> Rules {
        let mut rules = Rules::default();
        fields
            .iter()
            .for_each(|(name, value)| rules.field(name.as_bytes(), value.as_bytes()));
        rules
    }

    fn request(more: &[(&str, &str)]) -> Result<Option<u64>, Bad> {
        told(&[REQUEST, more].concat()).request()
    }

    #[test]
    fn a_request_is_complete() {
        assert_eq!(request(&[]), Ok(None));
        assert_eq!(
            request(&[(":authority", ""), ("te", "trailers"), ("x-any", "\t ~\u{fc}")]),
            Ok(None)
        );
        assert_eq!(request(&[("content-length", "7")]), Ok(Some(7)));
        for missing in 0..3 {
            let mut fields = REQUEST.to_vec();
            fields.remove(missing);
            assert_eq!(told(&fields).request(), Err(Bad::Malformed));
        }
    }

    #[test]
    fn what_is_malformed() {
        for field in [
            (":path", "/again"),
            (":status", "200"),
            ("Upper", "x"),
            ("", "x"),
            ("a b", "x"),
            ("a", "x\ny"),
            ("a", "\0"),
            ("connection", "close"),
            ("te", "gzip"),
            ("content-length", "-1"),
            ("content-length", "18446744073709551616"),
        ] {
            assert_eq!(request(&[field]), Err(Bad::Malformed), "{field:?}");
        }
        assert_eq!(request(&[("a", "b"), (":authority", "x")]), Err(Bad::Malformed));
        assert_eq!(request(&[("content-length", "1"), ("content-length", "2")]), Err(Bad::Malformed));
        assert_eq!(
            told(&[(":method", "POST"), (":scheme", "http"), (":path", "")]).request(),
            Err(Bad::Malformed)
        );
    }

    #[test]
    fn trailers_have_no_pseudo_fields() {
        assert_eq!(told(&[("a", "b")]).trailers(), Ok(()));
        assert_eq!(told(REQUEST).trailers(), Err(Bad::Malformed));
    }

    #[test]
    fn all_fields_together_are_bounded() {
        let value = "v".repeat(MAX_LIST as usize - 32 - 1);
        assert_eq!(told(&[("a", &value)]).trailers(), Ok(()));
        assert_eq!(told(&[("ab", &value)]).trailers(), Err(Bad::TooLarge));
    }
}
