//! One record of the log, as bytes: a header of 48 bytes, the body, and zeros up to a multiple of 8.
//!
//! The checksum of the header covers the record's position too. So what lies in a segment from its last use is nobody's record, and after
//! damage the next record can be found by looking for a header that is right where it lies.

use crc_fast::crc32_iscsi;

use crate::wire::Signal;

pub const HEADER: usize = 48;
/// Records begin at multiples of this.
pub const ALIGN: usize = 8;
/// No body is longer: a request of the largest size that can be configured, and its tenant.
pub const MAX_BODY: usize = (1 << 30) + (1 << 16);

const MAGIC: u32 = 0x5352_4a1f;
const CHECKED: usize = HEADER - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is a tenant and a request, decompressed protobuf.
    Request(Signal),
    /// A group ends with the request `sequence`. No body.
    Cut,
    /// Everything up to the request `sequence` is settled; `moment` is the position behind it. No body.
    Release,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Request(signal) => signal as u8 + 1,
            Self::Cut => 16,
            Self::Release => 17,
        }
    }

    fn of(code: u8) -> Option<Self> {
        match code {
            16 => Some(Self::Cut),
            17 => Some(Self::Release),
            _ => Signal::ALL.into_iter().map(Self::Request).find(|kind| kind.code() == code),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    /// How much of the body is the tenant's name.
    pub tenant: u16,
    /// Length of the body.
    pub length: u32,
    /// Which start of the collector wrote it. What is behind the head of the log when it is opened is from an earlier one.
    pub epoch: u32,
    /// Requests are numbered from 1.
    pub sequence: u64,
    /// Where the first record lies that was synced together with this one: what lies before that was synced before.
    pub batch: u64,
    /// When the request arrived, ns since 1970.
    pub moment: i64,
    checksum: u32,
}

impl Header {
    pub fn new(kind: Kind, epoch: u32, sequence: u64, batch: u64, moment: i64) -> Self {
        Self {
            kind,
            tenant: 0,
            length: 0,
            epoch,
            sequence,
            batch,
            moment,
            checksum: 0,
        }
    }

    /// Bytes from this record to the next one.
    pub fn size(&self) -> usize {
        size(self.length as usize)
    }

    /// Whether the body is what was written.
    pub fn fits(&self, body: &[u8]) -> bool {
        crc32_iscsi(body) == self.checksum
    }

    /// The header at `position`, if there is one.
    pub fn read(bytes: &[u8], position: u64) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        if u32_at(bytes, 0) != MAGIC || u32_at(bytes, CHECKED) != checked(bytes, position) {
            return None;
        }
        let header = Self {
            kind: Kind::of(bytes[4])?,
            tenant: u16::from_le_bytes([bytes[6], bytes[7]]),
            length: u32_at(bytes, 8),
            epoch: u32_at(bytes, 12),
            sequence: u64_at(bytes, 16),
            batch: u64_at(bytes, 24),
            moment: i64::from_le_bytes(u64_at(bytes, 32).to_le_bytes()),
            checksum: u32_at(bytes, 40),
        };
        let length = header.length as usize;
        (length <= MAX_BODY && usize::from(header.tenant) <= length && header.batch <= position).then_some(header)
    }

    /// Appends the record that will lie at `position`.
    pub fn write(mut self, tenant: &[u8], body: &[u8], position: u64, to: &mut Vec<u8>) {
        debug_assert!(tenant.len() <= usize::from(u16::MAX)); // names of tenants are short, else they were refused
        self.tenant = tenant.len() as u16;
        self.length = (tenant.len() + body.len()) as u32;
        let begin = to.len();
        to.reserve(self.size());
        to.extend_from_slice(&[0; HEADER]);
        to.extend_from_slice(tenant);
        to.extend_from_slice(body);
        self.checksum = crc32_iscsi(&to[begin + HEADER..]);
        to.resize(begin + self.size(), 0);
        let header: &mut [u8; HEADER] = (&mut to[begin..begin + HEADER]).try_into().expect("it was made above");
        self.put(header, position);
    }

    fn put(&self, into: &mut [u8; HEADER], position: u64) {
        into[..4].copy_from_slice(&MAGIC.to_le_bytes());
        into[4] = self.kind.code();
        into[6..8].copy_from_slice(&self.tenant.to_le_bytes());
        into[8..12].copy_from_slice(&self.length.to_le_bytes());
        into[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        into[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        into[24..32].copy_from_slice(&self.batch.to_le_bytes());
        into[32..40].copy_from_slice(&self.moment.to_le_bytes());
        into[40..44].copy_from_slice(&self.checksum.to_le_bytes());
        let sum = checked(into, position);
        into[CHECKED..].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Bytes of a record with such a body.
pub fn size(body: usize) -> usize {
    HEADER + body.next_multiple_of(ALIGN)
}

fn checked(header: &[u8; HEADER], position: u64) -> u32 {
    let mut bytes = [0; CHECKED + 8];
    bytes[..CHECKED].copy_from_slice(&header[..CHECKED]);
    bytes[CHECKED..].copy_from_slice(&position.to_le_bytes());
    crc32_iscsi(&bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_where_it_was_written_and_nowhere_else() {
        let header = Header::new(Kind::Request(Signal::Logs), 3, 7, 16, -5);
        let mut bytes = Vec::new();
        header.write(b"acme", b"request", 64, &mut bytes);
        assert_eq!(bytes.len(), size(11));
        let read = Header::read(&bytes, 64).expect("it is there");
        assert_eq!((read.kind, read.tenant, read.sequence, read.moment), (header.kind, 4, 7, -5));
        assert!(read.fits(&bytes[HEADER..HEADER + 11]));
        assert!(!read.fits(&bytes[HEADER..HEADER + 10]));
        assert_eq!(Header::read(&bytes, 72), None);
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let mut bytes = Vec::new();
        Header::new(Kind::Cut, 1, 2, 0, 3).write(b"", b"", 8, &mut bytes);
        for bit in 0..HEADER * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(&other, 8), None, "bit {bit}");
        }
    }
}
