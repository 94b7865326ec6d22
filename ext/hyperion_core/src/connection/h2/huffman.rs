//! Decodes HPACK's Huffman code (RFC 7541, appendix B), for the few strings that have to be looked into.

/// The length in bits of each byte's code. The code is canonical: its lengths are all there is to know.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

const MAX_LENGTH: usize = 30;

/// Bytes by code length, then by value: the order of their codes. How many there are of each length.
const TABLE: ([u8; 256], [u16; MAX_LENGTH + 1]) = table();

const fn table() -> ([u8; 256], [u16; MAX_LENGTH + 1]) {
    let (mut symbols, mut counts) = ([0; 256], [0; MAX_LENGTH + 1]);
    let (mut length, mut filled) = (1, 0);
    while length <= MAX_LENGTH {
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                symbols[filled] = byte as u8;
                filled += 1;
                counts[length] += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    (symbols, counts)
}

/// The length of the code that eight bits begin with, 0 when it is longer: most of what is sent is found here.
const SHORT: [u8; 256] = short();

const fn short() -> [u8; 256] {
    let mut lengths = [0; 256];
    let (mut length, mut code) = (1, 0);
    while length <= 8 {
        code <<= 1;
        let mut count = TABLE.1[length];
        while count > 0 {
            let mut rest = 0;
            while rest < 1 << (8 - length) {
                lengths[code << (8 - length) | rest] = length as u8;
                rest += 1;
            }
            code += 1;
            count -= 1;
        }
        length += 1;
    }
    lengths
}

/// How many bytes a string decodes to; none when it is none: whole codes, none of them that of its end, and less than
/// eight bits of padding, all ones (RFC 7541, section 5.2).
pub(super) fn decoded_length(encoded: &[u8]) -> Option<usize> {
    let mut bytes = encoded.iter();
    let mut decoded = 0;
    // Left-aligned; below the bits that are there, ones stand for the padding.
    let (mut window, mut bits) = (u64::MAX, 0u32);
    loop {
        while bits <= 56 {
            let Some(&byte) = bytes.next() else { break };
            let shift = 56 - bits;
            window = window & !(0xff << shift) | u64::from(byte) << shift;
            bits += 8;
        }
        let length = match SHORT[(window >> 56) as usize] {
            0 => long(window),
            length => Some(u32::from(length)),
        };
        match length {
            Some(length) if length <= bits => {
                window = window << length | ((1 << length) - 1);
                bits -= length;
                decoded += 1;
            }
            // What is left is no whole code: it must be padding.
            _ => return (bits < 8 && window == u64::MAX).then_some(decoded),
        }
    }
}

/// The length of the code that a window begins with; none for the end of the string.
fn long(window: u64) -> Option<u32> {
    let (mut first, mut length) = (0u64, 0);
    loop {
        first <<= 1;
        length += 1;
        let count = u64::from(*TABLE.1.get(length)?);
        let code = window >> (64 - length);
        if code - first < count {
            return Some(length as u32);
        }
        first += count;
    }
}

/// Appends the decoded string to `decoded`. What follows the last whole code is padding, and left to the real decoder
/// to judge.
pub(super) fn decode(encoded: &[u8], decoded: &mut Vec<u8>) {
    let (symbols, counts) = &TABLE;
    // The code read so far, the first code of its length, and the place of that in `symbols`.
    let (mut code, mut first, mut place, mut length) = (0u32, 0u32, 0u32, 0);
    for bit in encoded.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        code = code << 1 | u32::from(bit);
        first <<= 1;
        length += 1;
        if length > MAX_LENGTH {
            return;
        }
        let count = u32::from(counts[length]);
        if code - first < count {
            decoded.push(symbols[(place + code - first) as usize]);
            (code, first, place, length) = (0, 0, 0, 0);
        } else {
            first += count;
            place += count;
        }
    }
}

/// Whether there may be a byte whose code starts with nine ones or more: every control, DEL, everything beyond ASCII,
/// `#`, and little else that is in use.
pub(super) fn has_rare_code(encoded: &[u8]) -> bool {
    let mut window = 0u16;
    for &byte in encoded {
        window = window << 8 | u16::from(byte);
        // A bit stays where it starts a run of 2, 4, 8, 9 ones. A run over three bytes has one of nothing but ones.
        let mut runs = window & window >> 1;
        runs &= runs >> 2;
        runs &= runs >> 4;
        runs &= window >> 8;
        if runs != 0 || byte == 0xff {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use httlib_hpack::Encoder;

    use super::*;

    #[test]
    fn every_byte_is_decoded() {
        let all: Vec<u8> = (0..=255).chain(b"/index.html?q=1".iter().copied()).collect();
        let mut encoded = Vec::new();
        Encoder::default().encode((all.clone(), Vec::new(), Encoder::HUFFMAN_NAME), &mut encoded).unwrap();
        // Representation, length of the name in three bytes, name, length of the value.
        let mut decoded = Vec::new();
        decode(&encoded[4..encoded.len() - 1], &mut decoded);
        assert_eq!(decoded, all);
    }

    #[test]
    fn only_what_decodes_is_valid() {
        for text in (0..=255).map(|byte| vec![byte; 9]).chain((0..20).map(|count| vec![b'a'; count])) {
            let mut encoded = Vec::new();
            Encoder::default()
                .encode((text.clone(), Vec::new(), Encoder::HUFFMAN_NAME), &mut encoded)
                .unwrap();
            let length = usize::from(encoded[1] & 0x7f);
            assert_eq!(decoded_length(&encoded[2..2 + length]), Some(text.len()), "{text:?}");
        }
        let bad: [&[u8]; 5] = [b"\xff", b"\x18", b"\xff\xff\xff\xff", b"\x1f\xff", b"\xff\xff\xff\xfc\x1f"];
        for encoded in bad {
            assert_eq!(decoded_length(encoded), None, "{encoded:?}");
        }
    }

    #[test]
    fn no_rare_code_is_missed() {
        let rare = |byte: u8| !(b' '..0x7f).contains(&byte) || byte == b'#';
        for byte in (0..=255).filter(|&byte| rare(byte)) {
            // Each text starts the code at another bit.
            for before in ["", "a", "aa", "aaa", "aaaa", "aaaaa", "aaaaaa", "aaaaaaa"] {
                let text = [before.as_bytes(), &[byte], b"0"].concat();
                let mut encoded = Vec::new();
                Encoder::default().encode((text, Vec::new(), Encoder::HUFFMAN_NAME), &mut encoded).unwrap();
                assert!(has_rare_code(&encoded[2..encoded.len() - 1]), "{byte:#x} after {before:?}");
            }
        }
        assert!(!has_rare_code(&[0b1110_0000, 0b0000_1111, 0b1110_1111, 0b0111_1111]));
    }
}
