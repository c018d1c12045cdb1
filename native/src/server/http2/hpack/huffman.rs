//! The Huffman code of HPACK (RFC 7541 §5.2 and appendix B), decoded.

use std::sync::LazyLock;

use super::Broken;

/// Bits of the code of each byte; the last is the end of string, which no string has. The code is canonical: shorter codes come first,
/// and codes of one length are in the order of their bytes. So the lengths say it all.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10,
    10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6,
    7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23,
    21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27,
    26, 30,
];
const LONGEST: usize = 30;
const END_OF_STRING: u16 = 256;
/// Codes of at most this many bits are found by one look into a table. Longer ones stand for bytes that headers hardly have.
const QUICK: u32 = 10;

struct Code {
    /// By the next `QUICK` bits: the byte and the bits of its code; 0 bits if the code is longer.
    quick: Vec<(u8, u8)>,
    /// By number of bits: the first code that is not of this length or shorter, aligned to the left; what to add to come to `symbols`.
    lengths: [(u64, i64); LONGEST + 1],
    symbols: Vec<u16>,
}

static CODE: LazyLock<Code> = LazyLock::new(Code::new);

impl Code {
    fn new() -> Self {
        let mut symbols: Vec<u16> = (0..=END_OF_STRING).collect();
        symbols.sort_by_key(|symbol| LENGTHS[usize::from(*symbol)]); // a stable sort: by length, then by symbol
        let mut quick = vec![(0, 0); 1 << QUICK];
        let mut lengths = [(0, 0); LONGEST + 1];
        let (mut code, mut place) = (0usize, 0);
        for (bits, length) in lengths.iter_mut().enumerate() {
            code <<= 1;
            let offset = place as i64 - code as i64;
            while symbols
                .get(place)
                .is_some_and(|symbol| usize::from(LENGTHS[usize::from(*symbol)]) == bits)
            {
                if bits <= QUICK as usize {
                    let (from, to) = (code << (QUICK as usize - bits), (code + 1) << (QUICK as usize - bits));
                    quick[from..to].fill((symbols[place] as u8, bits as u8));
                }
                (code, place) = (code + 1, place + 1);
            }
            *length = ((code as u64) << (64 - bits as u32).min(63), offset);
        }
        Self { quick, lengths, symbols }
    }

    /// The symbol whose code `window` begins with, and how many bits it has.
    fn symbol(&self, window: u64) -> (u16, u32) {
        let (byte, bits) = self.quick[(window >> (64 - QUICK)) as usize];
        if bits > 0 {
            return (byte.into(), bits.into());
        }
        let bits = (QUICK as usize + 1..LONGEST)
            .find(|bits| window < self.lengths[*bits].0)
            .unwrap_or(LONGEST);
        let place = (window >> (64 - bits)) as i64 + self.lengths[bits].1;
        (self.symbols[place as usize], bits as u32)
    }
}

/// Appends the text that `coded` stands for: at most 8/5 of its bytes.
pub fn decode(coded: &[u8], to: &mut Vec<u8>) -> Result<(), Broken> {
    let code = &*CODE;
    let (mut window, mut held) = (0u64, 0u32); // the bits that were read and not used, at the left
    let mut input = coded.iter();
    loop {
        while held <= 56 {
            let Some(byte) = input.next() else { break };
            window |= u64::from(*byte) << (56 - held);
            held += 8;
        }
        // Where the input ends, the window ends in ones, as the padding does: what then is longer than what is left is padding.
        let (symbol, bits) = code.symbol(window | u64::MAX.checked_shr(held).unwrap_or(0));
        if bits > held {
            break;
        }
        if symbol == END_OF_STRING {
            return Err(Broken);
        }
        to.push(symbol as u8);
        window <<= bits;
        held -= bits;
    }
    let padding = window | u64::MAX.checked_shr(held).unwrap_or(0);
    if held < 8 && padding == u64::MAX { Ok(()) } else { Err(Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut text = Vec::new();
        decode(coded, &mut text).map(|()| text)
    }

    /// The code as appendix B lists it, made from the lengths in the plainest way.
    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut symbols: Vec<usize> = (0..257).collect();
        symbols.sort_by_key(|symbol| LENGTHS[*symbol]);
        let (mut codes, mut code, mut last) = ([0u32; 257], 0, 0);
        for symbol in symbols {
            code <<= LENGTHS[symbol] - last;
            (codes[symbol], last) = (code, LENGTHS[symbol]);
            code += 1;
        }
        assert_eq!((codes[256], codes[usize::from(b'a')], codes[249]), (0x3fff_ffff, 3, 0x0fff_fffe));
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let (code, length) = (codes[usize::from(*byte)], LENGTHS[usize::from(*byte)]);
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.resize(bits.len().next_multiple_of(8), true);
        bits.chunks(8)
            .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
            .collect()
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(decoded(&encoded(&all)), Ok(all));
        for byte in 0..=255u8 {
            for count in 1..9 {
                let text = vec![byte; count];
                assert_eq!(decoded(&encoded(&text)), Ok(text));
            }
        }
    }

    #[test]
    fn examples_of_the_specification() {
        assert_eq!(
            decoded(&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]),
            Ok(b"www.example.com".into())
        );
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]), Ok(b"no-cache".into()));
        assert_eq!(decoded(b""), Ok(vec![]));
    }

    #[test]
    fn padding_is_at_most_seven_ones() {
        assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".into()));
        assert_eq!(decoded(&[0b0001_1110]), Err(Broken)); // no ones
        assert_eq!(decoded(&[0b0001_1111, 0xff]), Err(Broken)); // eleven
        assert_eq!(decoded(&[0xff]), Err(Broken)); // eight
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(Broken)); // the end of string
    }
}
