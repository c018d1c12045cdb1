//! Content codings, undone under a limit. What a header or trailer claims about sizes is never believed.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::refusal::Refusal;

/// What is told to senders of other codings.
pub const CODINGS: &str = "gzip, zstd, deflate, identity";

/// Decoders of the coding `zstd` must take windows of 8 MiB and may refuse larger ones (RFC 9659 §3).
const ZSTD_WINDOW_LOG: u32 = 23;
/// How much room is made before anything was decompressed: OTLP shrinks about eightfold.
const RATIO: usize = 8;
const FIRST_ROOM: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
    Zstd,
    /// The zlib container (RFC 9110 §8.4.1.2), whatever its name suggests.
    Deflate,
}

impl Coding {
    pub fn named(name: &str) -> Result<Self, Refusal> {
        let name = name.trim();
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name {
            _ if name.is_empty() || is("identity") => Ok(Self::Identity),
            _ if is("gzip") || is("x-gzip") => Ok(Self::Gzip),
            _ if is("zstd") => Ok(Self::Zstd),
            _ if is("deflate") || is("zlib") => Ok(Self::Deflate),
            _ => Err(Refusal::Coding(name.chars().take(40).collect())),
        }
    }

    /// The body as it was before it was compressed, at most `limit` bytes.
    pub fn undo(self, body: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, Refusal> {
        match self {
            Self::Identity => return Ok(Cow::Borrowed(body)),
            Self::Gzip => read(MultiGzDecoder::new(body), body.len(), limit),
            Self::Deflate => read(ZlibDecoder::new(body), body.len(), limit),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(|error| broken(&error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| broken(&error))?;
                read(decoder, body.len(), limit)
            }
        }
        .map(Cow::Owned)
    }
}

fn read(decoder: impl Read, compressed: usize, limit: usize) -> Result<Vec<u8>, Refusal> {
    let room = compressed.saturating_mul(RATIO).min(FIRST_ROOM).min(limit + 1);
    let mut whole = Vec::with_capacity(room);
    decoder
        .take(limit as u64 + 1)
        .read_to_end(&mut whole)
        .map_err(|error| broken(&error))?;
    if whole.len() > limit { Err(too_large(limit)) } else { Ok(whole) }
}

fn broken(error: &std::io::Error) -> Refusal {
    Refusal::Never(format!("the body cannot be decompressed: {error}"))
}

pub fn too_large(limit: usize) -> Refusal {
    Refusal::TooLarge(format!(
        "the request is larger than {limit} bytes after decompression: send smaller batches"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).and_then(|()| encoder.finish()).unwrap_or_default()
    }

    #[test]
    fn the_limit_is_that_of_the_content() {
        let packed = gzip(&[0; 1000]);
        assert_eq!(Coding::Gzip.undo(&packed, 1000).map(|body| body.len()), Ok(1000));
        assert_eq!(Coding::Gzip.undo(&packed, 999), Err(too_large(999)));
        assert!(packed.len() < 100);
    }

    #[test]
    fn garbage_is_refused_for_good() {
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Deflate] {
            assert!(matches!(coding.undo(b"garbage", 1000), Err(Refusal::Never(_))), "{coding:?}");
        }
    }

    #[test]
    fn nothing_compressed_to_nothing() {
        assert_eq!(Coding::Identity.undo(b"", 10).as_deref(), Ok(&b""[..]));
        assert_eq!(Coding::Gzip.undo(&gzip(b""), 10).as_deref(), Ok(&b""[..]));
    }
}
