//! Any bytes are decompressed into at most the limit, or refused; and what was compressed comes out as it was.
#![no_main]

use std::io::Write;

use _native::server::compression::Coding;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let (coding, packed) = match first % 6 {
        0 => (Coding::Gzip, None),
        1 => (Coding::Deflate, None),
        2 => (Coding::Zstd, None),
        3 => (Coding::Gzip, Some(gzip(body))),
        4 => (Coding::Deflate, Some(deflate(body))),
        _ => (Coding::Zstd, zstd::bulk::compress(body, 1).ok()),
    };
    match packed {
        Some(packed) => assert_eq!(coding.undo(&packed, LIMIT).expect("it was compressed").as_ref(), body),
        None => assert!(coding.undo(body, LIMIT).is_ok_and(|whole| whole.len() <= LIMIT) || coding.undo(body, LIMIT).is_err()),
    }
});

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("into memory")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("into memory")
}
