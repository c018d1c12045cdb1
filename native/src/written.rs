//! Numbers and fields as protobuf writes them; ClickHouse's formats write lengths in the same way.

/// A number in groups of seven bits, the lowest first.
#[inline]
pub fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field that has a length: a text, bytes or a message.
pub fn field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}
