//! What a hostile peer gets.

use super::*;

/// The code with which the connection ends.
fn end(bytes: &[u8]) -> Option<u32> {
    goaway(&Peer::new().send(bytes))
}

/// The first code with which a stream ends.
fn reset(bytes: &[u8]) -> Option<(u32, u32)> {
    resets(&Peer::new().send(bytes)).first().copied()
}

#[test]
fn broken_frames_end_the_connection() {
    use Code::*;
    let long = framed(kind::DATA, 0, 1, &vec![0; MAX_PAYLOAD + 1]);
    for (bytes, code) in [
        (framed(kind::HEADERS, flag::END_HEADERS, 0, &block(POST)), Protocol),
        (framed(kind::HEADERS, flag::END_HEADERS, 2, &block(POST)), Protocol),
        (framed(kind::HEADERS, flag::END_HEADERS, 1, b"\x80"), Compression),
        (framed(kind::HEADERS, flag::END_HEADERS | flag::PRIORITY, 1, b"\0\0\0\0"), FrameSize),
        (framed(kind::HEADERS, flag::END_HEADERS | flag::PADDED, 1, b"\x05abcd"), Protocol),
        (framed(kind::DATA, 0, 0, b"x"), Protocol),
        (framed(kind::DATA, 0, 1, b"x"), Protocol),
        (framed(kind::PRIORITY, 0, 0, &[0; 5]), Protocol),
        (framed(kind::RST_STREAM, 0, 0, &[0; 4]), Protocol),
        (framed(kind::RST_STREAM, 0, 1, &[0; 4]), Protocol),
        (framed(kind::RST_STREAM, 0, 1, &[0; 3]), FrameSize),
        (framed(kind::SETTINGS, 0, 1, b""), Protocol),
        (framed(kind::SETTINGS, 0, 0, &[0; 5]), FrameSize),
        (framed(kind::SETTINGS, flag::ACK, 0, &[0; 6]), FrameSize),
        (settings(&[(setting::ENABLE_PUSH, 2)]), Protocol),
        (settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)]), FlowControl),
        (settings(&[(setting::MAX_FRAME_SIZE, 16_383)]), Protocol),
        (settings(&[(setting::MAX_FRAME_SIZE, 1 << 24)]), Protocol),
        (framed(kind::PUSH_PROMISE, 0, 1, &[0; 4]), Protocol),
        (framed(kind::PING, 0, 1, &[0; 8]), Protocol),
        (framed(kind::PING, 0, 0, &[0; 7]), FrameSize),
        (framed(kind::GOAWAY, 0, 1, &[0; 8]), Protocol),
        (framed(kind::GOAWAY, 0, 0, &[0; 7]), FrameSize),
        (update(0, 0), Protocol),
        (update(1, 1), Protocol),
        (update(0, (1 << 31) - 1), FlowControl),
        (framed(kind::WINDOW_UPDATE, 0, 0, &[0; 3]), FrameSize),
        (framed(kind::CONTINUATION, flag::END_HEADERS, 1, b""), Protocol),
        (long, FrameSize),
    ] {
        assert_eq!(end(&bytes), Some(code as u32), "{bytes:?}");
    }
}

#[test]
fn broken_streams_end_alone() {
    let self_made = [&b"\0\0\0\x01\x10"[..], &block(POST)].concat();
    let lengths = |length| [POST, &[("content-length", length)]].concat();
    let data = |end, body| framed(kind::DATA, end, 1, body);
    let upper = [POST, &[("Upper", "x")]].concat();
    for (bytes, code) in [
        (
            framed(kind::HEADERS, flag::END_HEADERS | flag::PRIORITY, 1, &self_made),
            Code::Protocol,
        ),
        (framed(kind::PRIORITY, 0, 1, &[0; 4]), Code::FrameSize),
        (
            [begun(1, "/echo"), framed(kind::PRIORITY, 0, 1, b"\0\0\0\x01\0")].concat(),
            Code::Protocol,
        ),
        ([begun(1, "/echo"), update(1, 0)].concat(), Code::Protocol),
        ([begun(1, "/echo"), update(1, (1 << 31) - 1)].concat(), Code::FlowControl),
        (headers(1, flag::END_HEADERS, &POST[1..]), Code::Protocol),
        (headers(1, flag::END_HEADERS, &upper), Code::Protocol),
        (
            [begun(1, "/echo"), headers(1, flag::END_HEADERS, &[("a", "b")])].concat(),
            Code::Protocol,
        ),
        (
            [begun(1, "/echo"), headers(1, flag::END_HEADERS | flag::END_STREAM, POST)].concat(),
            Code::Protocol,
        ),
        ([post(1, "/wait", b""), data(0, b"x")].concat(), Code::StreamClosed),
        (
            [post(1, "/wait", b""), headers(1, flag::END_HEADERS | flag::END_STREAM, &[])].concat(),
            Code::StreamClosed,
        ),
        (
            [begun(1, "/echo"), framed(kind::RST_STREAM, 0, 1, &[0; 4]), data(0, b"x")].concat(),
            Code::StreamClosed,
        ),
        (
            [headers(1, flag::END_HEADERS, &lengths("3")), data(flag::END_STREAM, b"ab")].concat(),
            Code::Protocol,
        ),
        (
            [headers(1, flag::END_HEADERS, &lengths("3")), data(0, b"ab"), data(0, b"cd")].concat(),
            Code::Protocol,
        ),
        (headers(1, flag::END_HEADERS | flag::END_STREAM, &lengths("3")), Code::Protocol),
    ] {
        assert_eq!(reset(&bytes), Some((1, code as u32)), "{bytes:?}");
        let after = [bytes, post(3, "/echo", b"still here")].concat();
        assert_eq!(bodies(&Peer::new().send(&after)), [(3, b"still here".to_vec())]);
    }
}

#[test]
fn numbers_of_streams_only_grow() {
    let once = post(5, "/echo", b"");
    assert_eq!(end(&[once.clone(), once.clone()].concat()), Some(Code::StreamClosed as u32));
    assert_eq!(end(&[once, post(3, "/echo", b"")].concat()), Some(Code::Protocol as u32));
}

#[test]
fn the_beginning_is_checked() {
    let told = |bytes: &[u8]| goaway(&Peer::silent().send(bytes));
    assert_eq!(told(b"GET / HTTP/1.1\r\n\r\n"), Some(Code::Protocol as u32));
    assert_eq!(told(&PREFACE[..23]), None);
    assert_eq!(
        told(&[PREFACE, &framed(kind::PING, 0, 0, &[0; 8])].concat()),
        Some(Code::Protocol as u32)
    );
    assert_eq!(
        told(&[PREFACE, &framed(kind::SETTINGS, flag::ACK, 0, b"")].concat()),
        Some(Code::Protocol as u32)
    );
}

#[test]
fn nothing_comes_between_the_parts_of_a_header_block() {
    let open = framed(kind::HEADERS, 0, 1, &block(POST));
    for other in [
        framed(kind::PING, 0, 0, &[0; 8]),
        framed(kind::CONTINUATION, 0, 3, b""),
        post(3, "/echo", b""),
    ] {
        assert_eq!(end(&[open.clone(), other].concat()), Some(Code::Protocol as u32));
    }
}

#[test]
fn endless_header_blocks_are_cut() {
    for part in [&[0; 0][..], &[0; 9000]] {
        let mut bytes = framed(kind::HEADERS, 0, 1, &[]);
        (0..100).for_each(|_| bytes.extend(framed(kind::CONTINUATION, 0, 1, part)));
        assert_eq!(end(&bytes), Some(Code::EnhanceYourCalm as u32));
    }
    let mut peer = Peer::new();
    peer.send(&framed(kind::HEADERS, 0, 1, b""));
    assert_eq!(goaway(&peer.wait(LIMITS.header)), Some(Code::EnhanceYourCalm as u32));
}

#[test]
fn a_header_bomb_is_431() {
    let mut bomb = block(POST);
    bomb.extend_from_slice(b"\x40\x01a\x7f\xa1\x1e"); // 4000 bytes of value, then referred to again and again
    bomb.extend_from_slice(&[b'v'; 4000]);
    bomb.extend_from_slice(&[0xbe; 10_000]);
    let mut peer = Peer::new();
    let told = peer.send(&framed(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &bomb));
    assert_eq!(
        told,
        [(kind::HEADERS, 1, flag::END_HEADERS | flag::END_STREAM, block(&[(":status", "431")]))]
    );
}

#[test]
fn more_than_a_window_is_a_fault() {
    let chunk = |stream| framed(kind::DATA, 0, stream, &[0; MAX_PAYLOAD]);
    let mut peer = Peer::new();
    peer.send(&begun(1, "/hold"));
    let told: Vec<Told> = (0..65).flat_map(|_| peer.send(&chunk(1))).collect();
    assert_eq!(goaway(&told), Some(Code::FlowControl as u32));
}

#[test]
fn floods_are_cut() {
    let rapid_reset: Vec<u8> = (0..20_000)
        .flat_map(|number| [begun(2 * number + 1, "/wait"), framed(kind::RST_STREAM, 0, 2 * number + 1, &[0; 4])].concat())
        .collect();
    let malformed: Vec<u8> = (0..20_000).flat_map(|number| headers(2 * number + 1, 4, &POST[1..])).collect();
    let many = |one: Vec<u8>| one.repeat(20_000);
    for bytes in [
        rapid_reset,
        malformed,
        many(framed(kind::PING, 0, 0, &[0; 8])),
        many(settings(&[])),
        many(framed(kind::PRIORITY, 0, 1, &[0; 5])),
        many(update(0, 1)),
        many(framed(99, 0, 0, b"")),
        [begun(1, "/wait"), many(framed(kind::DATA, 0, 1, b""))].concat(),
    ] {
        assert_eq!(end(&bytes), Some(Code::EnhanceYourCalm as u32));
    }
}

#[test]
fn who_does_not_read_is_not_read() {
    let mut peer = Peer::new();
    let bytes: Vec<u8> = (0..40_000u32).flat_map(|number| post(2 * number + 1, "/else", b"")).collect();
    let used = peer.session.receive(&mut Echo, &bytes);
    assert!(used < bytes.len() && peer.session.out.len() < MAX_OUT + 1000);
    assert_eq!(peer.session.receive(&mut Echo, &bytes[used..]), 0);
    peer.session.out.clear();
    assert!(peer.session.receive(&mut Echo, &bytes[used..]) > 0);
}

#[test]
fn an_answer_that_is_not_taken_is_dropped() {
    let mut peer = Peer::new();
    peer.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
    peer.send(&post(1, "/echo", b"x"));
    assert_eq!(resets(&peer.wait(LIMITS.answer)), [(1, Code::Cancel as u32)]);
    assert_eq!(peer.session.unsent, 0);
}

#[test]
fn data_for_the_forgotten_counts_against_the_window_only() {
    let mut peer = Peer::new();
    peer.send(&headers(1, flag::END_HEADERS, &POST[1..]));
    let told: Vec<Told> = (0..64)
        .flat_map(|_| peer.send(&framed(kind::DATA, 0, 1, &[0; MAX_PAYLOAD])))
        .collect();
    assert_eq!(granted(&told), [(0, 1 << 19), (0, 1 << 19)]);
    assert_eq!(resets(&told), []);
}
