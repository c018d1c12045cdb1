//! The message of a request: one byte that tells whether it is compressed, four that tell its length, and itself.

use super::super::compression::too_large;
use crate::refusal::Refusal;

pub const PREFIX: usize = 5;

/// How many bytes the first message says there will be, with its prefix.
pub fn claimed(first: &[u8]) -> usize {
    match first {
        [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize + PREFIX,
        _ => 0,
    }
}

/// Whether a body that begins so may be taken at all. `limit` is that of the message.
pub fn check_size(body: &[u8], limit: usize) -> Result<(), Refusal> {
    if claimed(body).max(body.len()) > limit + PREFIX {
        Err(too_large(limit))
    } else {
        Ok(())
    }
}

/// Whether the message is compressed, and itself.
pub fn unframe(framed: &[u8]) -> Result<(bool, &[u8]), Refusal> {
    let (prefix, message) = framed
        .split_first_chunk::<PREFIX>()
        .ok_or_else(|| Refusal::Never("the request has no message".into()))?;
    if claimed(prefix) != framed.len() {
        return Err(Refusal::Never("the length of the message is not what its prefix says".into()));
    }
    match prefix[0] {
        0 => Ok((false, message)),
        1 => Ok((true, message)),
        _ => Err(Refusal::Never("the prefix of the message is broken".into())),
    }
}

pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    framed.push(0);
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes()); // two short fields
    framed.extend_from_slice(message);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_message() {
        assert_eq!(check_size(b"\0\0\0\0\x05abcde", 5), Ok(()));
        assert_eq!(check_size(b"\0\0\0\0\x06", 5), Err(too_large(5)));
        assert_eq!(check_size(b"\0\0\0\0\x01abcdef", 5), Err(too_large(5)));
        assert_eq!(check_size(b"\0\xff\xff", 5), Ok(()));
    }

    #[test]
    fn messages_come_back() {
        assert_eq!(unframe(&frame(b"abc")), Ok((false, &b"abc"[..])));
        assert_eq!(unframe(b"\x01\0\0\0\0"), Ok((true, &b""[..])));
    }
}
