use httlib_hpack::Encoder;

use super::*;

const PLAIN: u8 = 0;
const HUFFMAN: u8 = Encoder::HUFFMAN_NAME | Encoder::HUFFMAN_VALUE;

fn encode(encoder: &mut Encoder<'_>, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        encoder.encode((name.as_bytes().to_vec(), value.as_bytes().to_vec(), flags), &mut block).unwrap();
    }
    block
}

/// Whether the block has a pseudo-header, and whether it is malformed.
fn scan(scanner: &mut FieldScanner, block: &mut [u8]) -> (bool, bool) {
    let findings = scanner.scan(block);
    assert!(!findings.undecodable);
    (findings.pseudo, findings.malformed)
}

fn findings(name: &str, value: &str) -> [(bool, bool); 2] {
    [PLAIN, HUFFMAN].map(|flags| {
        let mut block = encode(&mut Encoder::default(), flags, &[(name, value)]);
        scan(&mut FieldScanner::default(), &mut block)
    })
}

#[test]
fn pseudo_headers_are_seen_in_every_representation() {
    for (name, value) in [(":path", "/"), (":path", "/other"), (":status", "200"), (":method", "PATCH")] {
        assert_eq!(findings(name, value), [(true, false); 2], "{name}");
    }
    assert_eq!(findings("x-path", "/"), [(false, false); 2]);
    let mut indexed = [0x84];
    assert!(scan(&mut FieldScanner::default(), &mut indexed).0);
}

#[test]
fn entries_of_the_dynamic_table_are_remembered() {
    let (mut encoder, mut scanner) = (Encoder::default(), FieldScanner::default());
    let with_indexing = HUFFMAN | Encoder::WITH_INDEXING;
    let fields = [(":path", "/a"), ("x-a", "1"), ("x-b", "a\nb"), ("X-C", "1"), ("x-d", "4")];
    let mut block = encode(&mut encoder, with_indexing, &fields);
    scan(&mut scanner, &mut block);
    let newest_first = [(false, false), (false, true), (false, true), (false, false), (true, false)];
    for (age, (pseudo, malformed)) in newest_first.into_iter().enumerate() {
        let mut indexed = [0x80 | (62 + age) as u8];
        assert_eq!(scan(&mut scanner, &mut indexed), (pseudo, malformed), "entry {age}");
    }
    // The name of x-b is good, whatever its value was; that of X-C never is.
    assert_eq!(scan(&mut scanner, &mut [0x0f, 62 + 2 - 15, 1, b'v']), (false, false));
    assert!(scan(&mut scanner, &mut [0x0f, 62 + 1 - 15, 1, b'v']).1);
}

#[test]
fn malformed_strings_are_blanked_and_reported() {
    let names = ["X-Upper", "x y", "x\ny", "x:y", "caf\u{e9}", ":unknown", "connection", "upgrade"];
    let lines = names.map(|name| (name, "1")).into_iter().chain(
        ["a\rb", "a\nb", "a\0b", "a\x7fb", "a\x01b"].map(|value| ("x", value)).into_iter().chain([
            (":method", "G T"),
            (":method", "G(T"),
            (":path", "/a#b"),
            (":authority", "a\rb"),
        ]),
    );
    for (name, value) in lines {
        for flags in [PLAIN, HUFFMAN] {
            let mut block = encode(&mut Encoder::default(), flags, &[(name, value)]);
            assert!(scan(&mut FieldScanner::default(), &mut block).1, "{name:?}: {value:?}");
            // What is left of it is beyond reproach.
            assert!(!scan(&mut FieldScanner::default(), &mut block).1, "{name:?}: {value:?}");
        }
    }
}

#[test]
fn targets_that_are_none_are_told_from_malformed_fields() {
    let values = [
        (":path", "/<b>"),
        (":path", "/a>b"),
        (":path", "/a`b"),
        (":path", "/a?<b"),
        (":authority", "a<b"),
        (":authority", "a:b:c"),
        (":authority", "50%"),
    ];
    for (name, value) in values {
        for flags in [PLAIN, HUFFMAN] {
            let mut block = encode(&mut Encoder::default(), flags, &[(name, value)]);
            for bad_target in [true, false] {
                let findings = FieldScanner::default().scan(&mut block);
                assert_eq!(
                    (findings.bad_target, findings.malformed),
                    (bad_target, false),
                    "{name}: {value}, and then what is left of it"
                );
            }
        }
    }
}

#[test]
fn what_is_allowed_passes_untouched() {
    let fields = [
        (":method", "M-SEARCH"),
        (":path", "/caf\u{e9}?a=b&c[]=~{}|'\">`"),
        (":authority", "[::1]:443"),
        ("x-empty", ""),
        ("x-tab", "a\tb"),
        ("x-high", "caf\u{e9} \u{1f600}"),
        ("!#$%&'*+-.^_`|~09az", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ];
    for flags in [PLAIN, HUFFMAN] {
        let block = encode(&mut Encoder::default(), flags, &fields);
        let mut scanned = block.clone();
        assert!(!scan(&mut FieldScanner::default(), &mut scanned).1);
        assert_eq!(scanned, block);
    }
}

#[test]
fn a_line_that_is_cut_cannot_be_decoded() {
    let block = encode(&mut Encoder::default(), HUFFMAN, &[("x-name", "value")]);
    for cut in 1..block.len() {
        let mut part = block[..cut].to_vec();
        assert!(FieldScanner::default().scan(&mut part).undecodable, "cut at {cut}");
        assert_eq!(part, block[..cut]);
    }
}

#[test]
fn pseudo_headers_come_first() {
    let mut encoder = Encoder::default();
    let fields = [(":path", "/"), ("x", "1"), (":authority", "a")];
    assert_eq!(scan(&mut FieldScanner::default(), &mut encode(&mut encoder, PLAIN, &fields)), (true, true));
    assert_eq!(
        scan(&mut FieldScanner::default(), &mut encode(&mut encoder, PLAIN, &fields[..2])),
        (true, false)
    );
    // transfer-encoding of the static table, as a name.
    assert!(scan(&mut FieldScanner::default(), &mut [0x0f, 57 - 15, 1, b'v']).1);
}

#[test]
fn no_input_makes_it_fail() {
    proptest::proptest!(|(mut bytes: Vec<u8>)| {
        FieldScanner::default().scan(&mut bytes);
    });
}

#[test]
fn the_room_for_a_long_string_is_let_go() {
    let mut scanner = FieldScanner::default();
    // Only strings with rare codes are decoded.
    for (length, may_stay) in [(KEEP / 2, true), (100 * KEEP, false)] {
        let value = "#".repeat(length);
        let mut block = encode(&mut Encoder::default(), HUFFMAN, &[("x-long", &value)]);
        assert_eq!(scan(&mut scanner, &mut block), (false, false));
        assert_eq!(scanner.scratch.capacity() >= length, may_stay);
    }
}

#[test]
fn names_of_the_table_are_known_for_what_they_are() {
    let mut scanner = FieldScanner::default();
    let mut malformed = |block: &[u8]| scan(&mut scanner, &mut block.to_vec()).1;
    assert!(!malformed(b"\x40\x07:method\x03GET\x40\x02te\x08trailers"));
    // 62 is te, 63 :method.
    assert!(!malformed(b"\xbf\xbe"));
    assert!(malformed(b"\x0f\x30\x03G T"), "a method");
    assert!(malformed(b"\xbf\x82"), "two methods");
    assert!(malformed(b"\x0f\x2f\x04gzip"), "te");
    assert!(malformed(b"\x0f\x2a\x00") && malformed(b"\xb9"), "transfer-encoding");
}
