//! The examples of RFC 7541, appendix C, and what is not to be read.

use super::*;

type Fields = Vec<(String, String)>;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Broken> {
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(block, |name, value| fields.push((text(name), text(value))))?;
    Ok(fields)
}

fn fields(told: &[(&str, &str)]) -> Fields {
    told.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

const FIRST: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
];
const SECOND: (&str, &str) = ("cache-control", "no-cache");
const THIRD: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

#[test]
fn integers() {
    for (block, bits, value) in [("0a", 5, 10), ("1f9a0a", 5, 1337), ("2a", 8, 42)] {
        assert_eq!(integer(&mut &hex(block)[..], bits), Ok(value)); // C.1
    }
    assert_eq!(integer(&mut &hex("7fffffff7f")[..], 7), Ok(0x7f + (1 << 28) - 1));
    for broken in ["", "7f", "7f80", "7fffffffff7f", "7f8080808080808000"] {
        assert_eq!(integer(&mut &hex(broken)[..], 7), Err(Broken), "{broken}");
    }
}

#[test]
fn literals() {
    for (block, told) in [
        (
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            ("custom-key", "custom-header"),
        ), // C.2.1
        ("040c2f73616d706c652f70617468", (":path", "/sample/path")),    // C.2.2
        ("100870617373776f726406736563726574", ("password", "secret")), // C.2.3
        ("82", (":method", "GET")),                                     // C.2.4
    ] {
        assert_eq!(decoded(&mut Decoder::default(), &hex(block)), Ok(fields(&[told])));
    }
}

/// C.3 and C.4: three requests on one connection, plain and with Huffman.
#[test]
fn requests() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    for blocks in [plain, coded] {
        let decoder = &mut Decoder::default();
        assert_eq!(decoded(decoder, &hex(blocks[0])), Ok(fields(FIRST)));
        assert_eq!(decoded(decoder, &hex(blocks[1])), Ok(fields(&[FIRST, &[SECOND]].concat())));
        assert_eq!(decoded(decoder, &hex(blocks[2])), Ok(fields(THIRD)));
        let newest = decoder.table.field(62).map(|(name, _)| name.to_vec());
        assert_eq!(newest, Ok(b"custom-key".into()));
        assert!(decoder.table.field(64).is_ok() && decoder.table.field(65) == Err(Broken));
    }
}

/// C.5 and C.6: responses with a table of 256 bytes, from which fields fall out.
#[test]
fn responses() {
    let plain = [
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54\
         6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d\
         4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ];
    let coded = [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5\
         291f9587316065c003ed4ee5b1063d5007",
    ];
    let dates = ["Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT"];
    let rest = |date| {
        [
            ("cache-control", "private"),
            ("date", date),
            ("location", "https://www.example.com"),
        ]
    };
    let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    for blocks in [plain, coded] {
        let decoder = &mut Decoder::default();
        decoder.table.resize(256).unwrap_or_default();
        assert_eq!(
            decoded(decoder, &hex(blocks[0])),
            Ok(fields(&[&[(":status", "302")], &rest(dates[0])[..]].concat()))
        );
        assert_eq!(
            decoded(decoder, &hex(blocks[1])),
            Ok(fields(&[&[(":status", "307")], &rest(dates[0])[..]].concat()))
        );
        let third = [
            &[(":status", "200")],
            &rest(dates[1])[..],
            &[("content-encoding", "gzip"), ("set-cookie", cookie)],
        ]
        .concat();
        assert_eq!(decoded(decoder, &hex(blocks[2])), Ok(fields(&third)));
        assert!(decoder.table.field(64).is_ok() && decoder.table.field(65) == Err(Broken));
    }
}

#[test]
fn what_is_broken_is_told() {
    for block in [
        "80",
        "be",
        "ff00",
        "823f00",
        "3fe21f",
        "40",
        "4001",
        "00 01 61",
        "00 05 61",
        "40 81 ff 00",
        "7f",
        "820f",
    ] {
        assert_eq!(decoded(&mut Decoder::default(), &hex(block)), Err(Broken), "{block}");
    }
}

#[test]
fn sizes_are_told_before_the_first_field() {
    let decoder = &mut Decoder::default();
    assert_eq!(decoded(decoder, &hex("20 3fe11f 82")), Ok(fields(&[(":method", "GET")])));
    assert_eq!(decoded(decoder, &hex("82 20")), Err(Broken));
}

#[test]
fn a_field_larger_than_the_table_empties_it() {
    let decoder = &mut Decoder::default();
    let mut block = hex("400161016240");
    encode(&mut block, b"x", &[b'y'; 5000]);
    block.remove(6); // the literal's own first byte, in place of which stands 0x40
    assert_eq!(decoded(decoder, &block).map(|fields| fields.len()), Ok(2));
    assert_eq!(decoder.table.field(62), Err(Broken));
}

#[test]
fn generations_tell_changes() {
    let decoder = &mut Decoder::default();
    assert_eq!(decoded(decoder, &hex("82 000161 0162")).map(|_| decoder.generation()), Ok(0));
    assert_eq!(decoded(decoder, &hex("40 0161 0162")).map(|_| decoder.generation()), Ok(1));
    assert_eq!(decoded(decoder, &hex("be")).map(|_| decoder.generation()), Ok(1));
}

#[test]
fn what_is_written_can_be_read() {
    for size in [0, 1, 0x7e, 0x7f, 0x80, 300, 20_000] {
        let mut block = Vec::new();
        let value = "v".repeat(size);
        encode(&mut block, b"grpc-message", value.as_bytes());
        assert_eq!(decoded(&mut Decoder::default(), &block), Ok(fields(&[("grpc-message", &value)])));
    }
}
