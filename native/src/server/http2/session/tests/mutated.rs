//! Bytes that no peer would send: never a panic, never without an end, never more memory than was granted.

use super::*;

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn conversation(random: &mut Random) -> Vec<u8> {
    let mut bytes = hello();
    for number in 0..20 {
        let stream = 2 * number + 1;
        let path = ["/echo", "/wait", "/hold", "/else"][random.below(4)];
        bytes.extend(match random.below(8) {
            0 => framed(kind::PING, 0, 0, b"12345678"),
            1 => settings(&[(setting::INITIAL_WINDOW_SIZE, random.below(100) as u32)]),
            2 => update(0, 1 + random.below(1000) as u32),
            3 => framed(kind::RST_STREAM, 0, 1, &[0; 4]),
            4 => framed(kind::HEADERS, 0, stream, &block(POST)),
            5 => begun(stream, path),
            _ => post(stream, path, &vec![7; random.below(300)]),
        });
    }
    bytes
}

fn mutate(bytes: &mut [u8], random: &mut Random) {
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        bytes[at] = match random.below(3) {
            0 => random.below(256) as u8,
            1 => bytes[at] ^ (1 << random.below(8)),
            _ => bytes[random.below(bytes.len())],
        };
    }
}

/// Reads everything in random pieces, with time and answers in between.
fn talk(bytes: &[u8], random: &mut Random) {
    let mut peer = Peer::silent();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(200)).min(rest.len()));
        rest = after;
        peer.send(piece);
        match random.below(6) {
            0 => drop(peer.answer()),
            1 => drop(peer.wait(Duration::from_secs(random.below(100) as u64))),
            2 if random.below(10) == 0 => peer.session.farewell(),
            _ => {}
        }
        assert!(peer.session.streams.0.len() <= LIMITS.streams as usize);
        assert!(peer.rest.len() < HEAD + MAX_PAYLOAD);
        assert!(peer.session.forgotten.len() <= REMEMBERED);
    }
    for _ in 0..10 {
        peer.answer();
        peer.wait(LIMITS.idle);
    }
    assert!(peer.session.is_over() || peer.session.deadline(&Echo).is_none());
}

#[test]
fn mutated_conversations_come_to_an_end() {
    for seed in 1..4000 {
        let random = &mut Random(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let mut bytes = conversation(random);
        mutate(&mut bytes, random);
        talk(&bytes, random);
    }
}

#[test]
fn noise_comes_to_an_end() {
    for seed in 1..1000 {
        let random = &mut Random(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let noise: Vec<u8> = (0..500).map(|_| random.below(256) as u8).collect();
        talk(&[hello(), noise].concat(), random);
    }
}
