//! Constants that are put together again: joined, decoded, reversed, so that what is hidden in pieces is seen whole.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::value::Const;

/// A folded constant is no longer than this.
pub const LEN_MAX: usize = 1 << 20;

fn bytes(constant: &Const) -> Option<Vec<u8>> {
    match constant {
        Const::Text(text) => Some(text.as_bytes().to_vec()),
        Const::Bytes(bytes) => Some(bytes.to_vec()),
        Const::Number(_) => None,
    }
}

/// Bytes as text where they are some.
fn of_bytes(bytes: Vec<u8>) -> Option<Const> {
    (bytes.len() <= LEN_MAX).then(|| match String::from_utf8(bytes) {
        Ok(text) => Const::Text(text.into()),
        Err(error) => Const::Bytes(error.into_bytes().into()),
    })
}

/// One after the other.
#[must_use]
pub fn join(parts: &[&Const]) -> Option<Const> {
    if let [Const::Number(a), Const::Number(b)] = parts {
        return a.checked_add(*b).map(Const::Number);
    }
    let mut all = Vec::new();
    for part in parts {
        match part {
            Const::Number(n) => all.extend(n.to_string().into_bytes()),
            other => all.extend(bytes(other)?),
        }
        if all.len() > LEN_MAX {
            return None;
        }
    }
    of_bytes(all)
}

/// In reverse order.
#[must_use]
pub fn reversed(constant: &Const) -> Option<Const> {
    match constant {
        Const::Text(text) => Some(Const::Text(text.chars().rev().collect::<String>().into())),
        Const::Bytes(bytes) => {
            Some(Const::Bytes(bytes.iter().rev().copied().collect::<Vec<u8>>().into()))
        }
        Const::Number(_) => None,
    }
}

/// Ways in which constants are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// Base 64, either alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Letters moved by 13.
    Rot13,
    /// Deflate with zlib's head.
    Zlib,
    /// Gzip.
    Gzip,
    /// Base 32.
    Base32,
    /// Base 85 in one of its alphabets; that it is decoded is told, not what it says.
    Base85,
    /// Bytes as `%` and two digits.
    Percent,
    /// One that is not taken off here.
    Other,
}

/// Takes an encoding off.
#[must_use]
pub fn decode(coding: Coding, constant: &Const) -> Option<Const> {
    let from = bytes(constant)?;
    match coding {
        Coding::Base64 => {
            let clean: Vec<u8> = from
                .into_iter()
                .filter(|b| !b.is_ascii_whitespace())
                .map(|b| match b {
                    b'-' => b'+',
                    b'_' => b'/',
                    other => other,
                })
                .collect();
            let config = GeneralPurposeConfig::new()
                .with_decode_padding_mode(DecodePaddingMode::Indifferent)
                .with_decode_allow_trailing_bits(true);
            let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
            of_bytes(engine.decode(clean).ok()?)
        }
        Coding::Hex => {
            let digits: Vec<u8> = from.into_iter().filter(|b| !b.is_ascii_whitespace()).collect();
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let mut all = Vec::with_capacity(digits.len() / 2);
            for pair in digits.chunks(2) {
                let [high, low] = pair else { return None };
                all.push(digit(*high)? << 4 | digit(*low)?);
            }
            of_bytes(all)
        }
        Coding::Rot13 => {
            let turn = |b: u8| match b {
                b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
                b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
                other => other,
            };
            of_bytes(from.into_iter().map(turn).collect())
        }
        Coding::Base32 => of_bytes(base32(&from)?),
        Coding::Percent => of_bytes(percent(&from)),
        Coding::Base85 | Coding::Other => None,
        Coding::Zlib => inflated(flate2::read::ZlibDecoder::new(&from[..])),
        Coding::Gzip => inflated(flate2::read::GzDecoder::new(&from[..])),
    }
}

/// RFC 4648, section 6.
fn base32(from: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut all) = (0_u32, 0_u32, Vec::new());
    for byte in from.iter().filter(|b| **b != b'=' && !b.is_ascii_whitespace()) {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        held = held << 5 | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            all.push(u8::try_from(held >> bits & 0xff).unwrap_or(b'?'));
            held &= (1 << bits) - 1;
        }
    }
    Some(all)
}

fn percent(from: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let (mut all, mut at) = (Vec::with_capacity(from.len()), 0);
    while let Some(byte) = from.get(at) {
        match (byte, digit(from.get(at + 1)), digit(from.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                all.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                all.push(*byte);
                at += 1;
            }
        }
    }
    all
}

/// Bounded: a bomb is no constant.
fn inflated(reader: impl std::io::Read) -> Option<Const> {
    let mut all = Vec::new();
    reader.take(LEN_MAX as u64 + 1).read_to_end(&mut all).ok()?;
    of_bytes(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Const {
        Const::Text(text.into())
    }

    #[test]
    fn encodings_come_off() {
        for (coding, encoded) in [
            (Coding::Base64, "cHJpbnQoMSk="),
            (Coding::Base64, "cHJpbnQoMSk"),
            (Coding::Hex, "7072696e742831 29"),
            (Coding::Rot13, "cevag(1)"),
        ] {
            assert_eq!(decode(coding, &text(encoded)), Some(text("print(1)")), "{encoded}");
        }
        assert_eq!(decode(Coding::Hex, &text("7")), None);
        assert_eq!(decode(Coding::Zlib, &text("no")), None);
        assert_eq!(join(&[&text("a"), &Const::Number(1)]), Some(text("a1")));
        assert_eq!(reversed(&text("ba")), Some(text("ab")));
    }

    #[test]
    fn a_bomb_is_no_constant() {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &vec![b'x'; 4 << 20]).unwrap();
        let bomb = Const::Bytes(encoder.finish().unwrap().into());
        assert_eq!(decode(Coding::Zlib, &bomb), None);
    }
}
