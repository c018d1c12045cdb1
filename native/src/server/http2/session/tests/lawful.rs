//! What an honest peer may expect.

use super::*;

#[test]
fn the_first_words() {
    let mut peer = Peer::silent();
    let told = frames(&std::mem::take(&mut peer.session.out));
    assert_eq!(
        (told[0].0, &told[0].3[..]),
        (kind::SETTINGS, &b"\0\x03\0\0\0\x04\0\x04\0\x10\0\0\0\x06\0\0\x80\0"[..])
    );
    assert_eq!(granted(&told), [(0, (1 << 20) - 65_535)]);
    let told = peer.send(&hello());
    assert_eq!(told, [(kind::SETTINGS, 0, flag::ACK, vec![])]);
}

#[test]
fn a_request_is_answered() {
    let told = Peer::new().send(&post(1, "/echo", b"hello"));
    let expected = [
        (kind::HEADERS, 1, flag::END_HEADERS, b"\x88".to_vec()),
        (kind::DATA, 1, 0, b"hello".to_vec()),
        (
            kind::HEADERS,
            1,
            flag::END_HEADERS | flag::END_STREAM,
            block(&[("grpc-status", "0")]),
        ),
    ];
    assert_eq!(told, expected);
}

#[test]
fn however_it_is_cut_it_says_the_same() {
    let request: Vec<u8> = [
        hello(),
        post(1, "/echo", b"one"),
        begun(3, "/echo"),
        framed(kind::DATA, flag::PADDED, 3, b"\x02two\0\0"),
        framed(kind::PING, 0, 0, b"12345678"),
        headers(3, flag::END_HEADERS | flag::END_STREAM, &[("trailer", "x")]),
        post(5, "/echo", b""),
        framed(0xbb, 0xff, 0xff, b"unknown"),
        post(7, "/echo", &[7; 3000]),
    ]
    .concat();
    let whole = Peer::silent().send(&request);
    assert_eq!(bodies(&whole).len(), 3);
    for size in 1..request.len() {
        let mut peer = Peer::silent();
        let told: Vec<Told> = request.chunks(size).flat_map(|chunk| peer.send(chunk)).collect();
        assert_eq!(told, whole, "in pieces of {size}");
    }
}

#[test]
fn known_blocks_and_new_ones() {
    let mut peer = Peer::new();
    let indexed = b"\x83\x86\x44\x05/echo"; // the path goes into the table
    for (stream, block) in [
        (1, &indexed[..]),
        (3, b"\x83\x86\xbe"),
        (5, b"\x83\x86\xbe"),
        (7, b"\x83\x86\xbe"),
        (9, indexed),
        (11, b"\x83\x86\xbf"),
    ] {
        let request = [
            framed(kind::HEADERS, flag::END_HEADERS, stream, block),
            framed(kind::DATA, flag::END_STREAM, stream, b"x"),
        ];
        assert_eq!(bodies(&peer.send(&request.concat())), [(stream, b"x".to_vec())]);
    }
}

#[test]
fn the_table_is_kept_also_for_streams_that_are_refused() {
    let mut peer = Peer::new();
    for stream in [1, 3, 5, 7] {
        peer.send(&begun(stream, "/wait"));
    }
    let told = peer.send(&framed(kind::HEADERS, flag::END_HEADERS, 9, b"\x83\x86\x44\x05/echo"));
    assert_eq!(resets(&told), [(9, Code::RefusedStream as u32)]);
    assert_eq!(peer.send(&framed(kind::DATA, flag::END_STREAM, 9, b"ignored")), []);
    peer.send(&framed(kind::RST_STREAM, 0, 1, &[0; 4]));
    let again = framed(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 11, b"\x83\x86\xbe");
    assert_eq!(peer.send(&again).len(), 2);
}

#[test]
fn continued_headers_and_priority() {
    let mut peer = Peer::new();
    let block = block(POST);
    let first = [&b"\0\0\0\x01\x10"[..], &block[..5]].concat();
    let request = [
        framed(kind::HEADERS, flag::PRIORITY | flag::END_STREAM, 3, &first),
        framed(kind::CONTINUATION, 0, 3, &block[5..9]),
        framed(kind::CONTINUATION, flag::END_HEADERS, 3, &block[9..]),
    ];
    assert_eq!(peer.send(&request.concat()).len(), 2);
}

#[test]
fn windows_of_the_peer_are_respected() {
    let mut peer = Peer::new();
    peer.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 3)]));
    assert_eq!(bodies(&peer.send(&post(1, "/echo", b"0123456789"))), [(1, b"012".to_vec())]);
    peer.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]));
    assert_eq!(bodies(&peer.send(&update(1, 3))), []); // it was three below zero
    assert_eq!(bodies(&peer.send(&update(1, 2))), [(1, b"34".to_vec())]);
    let told = peer.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 100)]));
    assert_eq!(bodies(&told), [(1, b"56789".to_vec())]);
    assert_eq!(told.last().map(|told| told.2), Some(flag::END_HEADERS | flag::END_STREAM));
}

#[test]
fn the_window_of_the_connection_is_shared() {
    let mut peer = Peer::new();
    peer.send(&settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]));
    let body = vec![7; 40_000];
    let cut: Vec<u8> = body.chunks(MAX_PAYLOAD).flat_map(|part| framed(kind::DATA, 0, 1, part)).collect();
    for stream in [1, 3] {
        peer.send(&begun(stream, "/wait"));
        let mut data = cut.clone();
        data.chunks_exact_mut(HEAD + MAX_PAYLOAD).for_each(|frame| frame[8] = stream as u8);
        let at = data.len() - (40_000 - 2 * MAX_PAYLOAD) - 1;
        data[at] = stream as u8;
        peer.send(&data);
        peer.send(&framed(kind::DATA, flag::END_STREAM, stream, b""));
    }
    let sent = |told: &[Told]| bodies(told).iter().map(|(_, body)| body.len()).sum::<usize>();
    assert_eq!(sent(&peer.answer()), 65_535);
    assert_eq!(sent(&peer.send(&update(0, 10_000))), 10_000);
    assert_eq!(sent(&peer.send(&update(0, 100_000))), 80_000 - 75_535);
    assert!(peer.session.streams.0.is_empty());
}

#[test]
fn windows_are_granted_by_halves_and_what_is_held_is_not() {
    let mut peer = Peer::new();
    peer.send(&begun(1, "/hold"));
    let chunk = framed(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]);
    for _ in 0..64 {
        assert_eq!(peer.send(&chunk), []);
    }
    peer.session.revisit(|_| Some(Step::Read));
    let told = frames(&std::mem::take(&mut peer.session.out));
    assert_eq!(granted(&told), [(0, 1 << 20), (1, 1 << 20)]);
    let mut reader = Peer::new();
    reader.send(&begun(1, "/wait"));
    let told: Vec<Told> = (0..64).flat_map(|_| reader.send(&chunk)).collect();
    assert_eq!(granted(&told), [(0, 1 << 19), (1, 1 << 19), (0, 1 << 19), (1, 1 << 19)]);
}

#[test]
fn what_is_held_is_granted_to_the_connection_when_the_stream_ends() {
    let mut peer = Peer::new();
    peer.send(&begun(1, "/hold"));
    for _ in 0..32 {
        peer.send(&framed(kind::DATA, 0, 1, &[0; MAX_PAYLOAD]));
    }
    let told = peer.send(&framed(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    assert_eq!(granted(&told), [(0, 1 << 19)]);
}

#[test]
fn what_waits_is_answered_in_any_order() {
    let mut peer = Peer::new();
    peer.send(&post(1, "/wait", b"one"));
    assert_eq!(bodies(&peer.send(&post(3, "/echo", b"two"))), [(3, b"two".to_vec())]);
    peer.send(&post(5, "/wait", b"three"));
    assert_eq!(bodies(&peer.answer()), [(1, b"one".to_vec()), (5, b"three".to_vec())]);
}

#[test]
fn refusals_come_at_the_end_or_when_patience_does() {
    let mut peer = Peer::new();
    assert_eq!(bodies(&peer.send(&post(1, "/else", b"x"))), [(1, b"no".to_vec())]);
    peer.send(&begun(3, "/else"));
    let told: Vec<Told> = (0..5)
        .flat_map(|_| peer.send(&framed(kind::DATA, 0, 3, &[0; MAX_PAYLOAD])))
        .collect();
    assert_eq!(bodies(&told), [(3, b"no".to_vec())]);
    assert_eq!(resets(&told), [(3, 0)]); // no error, but say no more
    assert_eq!(peer.send(&framed(kind::DATA, flag::END_STREAM, 3, b"on its way")), []);
    peer.send(&begun(5, "/else"));
    assert_eq!(bodies(&peer.wait(MINUTE)), [(5, b"no".to_vec())]);
}

#[test]
fn pings_are_answered() {
    let told = Peer::new().send(&framed(kind::PING, 0, 0, b"12345678"));
    assert_eq!(told, [(kind::PING, 0, flag::ACK, b"12345678".to_vec())]);
}

#[test]
fn a_farewell_lets_everything_be_served_that_was_begun() {
    let mut peer = Peer::new();
    peer.send(&post(1, "/wait", b"one"));
    peer.session.farewell();
    let told = frames(&std::mem::take(&mut peer.session.out));
    assert_eq!((told[0].0, goaway(&told), told[1].0), (kind::GOAWAY, Some(0), kind::PING));
    assert_eq!(bodies(&peer.send(&post(3, "/echo", b"two"))), [(3, b"two".to_vec())]);
    let told = peer.send(&framed(kind::PING, flag::ACK, 0, &told[1].3));
    assert_eq!((told[0].0, &told[0].3[..4]), (kind::GOAWAY, &[0, 0, 0, 3][..]));
    assert_eq!(peer.send(&post(5, "/echo", b"three")), []);
    assert!(!peer.session.is_over());
    assert_eq!(bodies(&peer.answer()), [(1, b"one".to_vec())]);
    assert!(peer.session.is_over());
}

#[test]
fn who_does_not_answer_a_farewell_is_left() {
    let mut peer = Peer::new();
    peer.session.farewell();
    peer.wait(LIMITS.farewell);
    assert!(peer.session.is_over());
    assert_eq!(peer.session.deadline(&Echo), None);
}

#[test]
fn silence_ends_in_a_farewell() {
    for (mut peer, after) in [(Peer::silent(), LIMITS.header), (Peer::new(), LIMITS.header)] {
        assert_eq!(peer.session.deadline(&Echo), Some(peer.now + after));
        assert_eq!(goaway(&peer.wait(after)), Some(0));
    }
    let mut peer = Peer::new();
    peer.send(&post(1, "/wait", b"x"));
    assert_eq!(peer.session.deadline(&Echo), None);
    peer.answer();
    assert_eq!(goaway(&peer.wait(LIMITS.idle - Duration::from_secs(1))), None);
    assert_eq!(goaway(&peer.wait(Duration::from_secs(1))), Some(0));
}
