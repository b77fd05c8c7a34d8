//! Block headers: links, times and work. Consensus itself is the node's business; here they order the blocks.

use bitcoin_hashes::{Hash as _, sha256d};

/// A hash in the byte order of the wire; shown reversed, as is custom.
pub type Hash = [u8; 32];

/// Bytes of a header.
pub const HEADER_LEN: usize = 80;

/// A parsed header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Hash of the 80 bytes.
    pub hash: Hash,
    /// Hash of the block before.
    pub prev: Hash,
    /// Root over the txids.
    pub merkle_root: Hash,
    /// Version, signed as in consensus.
    pub version: i32,
    /// Unix seconds.
    pub time: u32,
    /// Compact target.
    pub bits: u32,
}

impl Header {
    /// Reads 80 bytes; `None` if there are fewer.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let (version, rest) = bytes.split_first_chunk::<4>()?;
        let (prev, rest) = rest.split_first_chunk::<32>()?;
        let (merkle_root, rest) = rest.split_first_chunk::<32>()?;
        let (time, rest) = rest.split_first_chunk::<4>()?;
        let bits = rest.first_chunk::<4>()?;
        Some(Self {
            hash: sha256d::Hash::hash(bytes).to_byte_array(),
            prev: *prev,
            merkle_root: *merkle_root,
            version: i32::from_le_bytes(*version),
            time: u32::from_le_bytes(*time),
            bits: u32::from_le_bytes(*bits),
        })
    }

    /// The zero bits that the target asks of a hash, a measure of its improbability: 0 to 256, rounded down.
    /// Malformed targets (zero, negative, too large) ask for 256, which no hash has.
    #[must_use]
    pub fn target_zero_bits(&self) -> u32 {
        let (exponent, mantissa) = (self.bits >> 24, self.bits & 0x00ff_ffff);
        if mantissa == 0 || mantissa & 0x0080_0000 != 0 {
            return 256;
        }
        let bits = 32 - mantissa.leading_zeros() + 8 * exponent; // of the number, plus 24
        if bits > 256 + 24 { 256 } else { 256 + 24 - bits }
    }

    /// The target as a big-endian number of 32 bytes; zero where it is malformed.
    fn target(&self) -> Hash {
        let mut target = [0; 32];
        if self.target_zero_bits() == 256 {
            return target;
        }
        let (exponent, mantissa) = (self.bits >> 24, self.bits & 0x00ff_ffff);
        for (at, byte) in mantissa.to_be_bytes().into_iter().skip(1).enumerate() {
            // The mantissa's three bytes are the highest of `exponent` bytes.
            let place = (32 + at).checked_sub(exponent as usize);
            if let Some(cell) = place.and_then(|p| target.get_mut(p)) {
                *cell = byte;
            }
        }
        target
    }

    /// Whether the hash meets the header's own target.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let mut hash = self.hash;
        hash.reverse();
        hash <= self.target()
    }

    /// Work of the block, as a float: 2^256 / target. Floats are enough to choose between branches whose works differ
    /// by a block; equal ones go to the branch that was seen first.
    #[must_use]
    pub fn work(&self) -> f64 {
        let (exponent, mantissa) = (self.bits >> 24, self.bits & 0x00ff_ffff);
        if self.target_zero_bits() == 256 {
            return 0.0;
        }
        #[expect(clippy::cast_possible_wrap, reason = "an exponent is below 256")]
        let power = 256 - 8 * (exponent as i32 - 3);
        2_f64.powi(power) / f64::from(mantissa)
    }
}

/// Root of a tree over txids, as blocks have it; of no txids, zero. `None` if two neighbours are equal, with which
/// the same root stands for another list (CVE-2012-2459).
#[must_use]
pub fn merkle_root(mut level: Vec<Hash>) -> Option<Hash> {
    while level.len() > 1 {
        if level.chunks_exact(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return None;
        }
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => join(a, b),
                [a, ..] => join(a, a),
                [] => [0; 32], // chunks are never empty
            })
            .collect();
    }
    Some(level.first().copied().unwrap_or_default())
}

fn join(a: &Hash, b: &Hash) -> Hash {
    let mut both = [0; 64];
    let (left, right) = both.split_at_mut(32);
    left.copy_from_slice(a);
    right.copy_from_slice(b);
    sha256d::Hash::hash(&both).to_byte_array()
}

/// Shows a hash as is custom: reversed, in hex.
#[must_use]
pub fn show(hash: &Hash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS.get(usize::from(n)).copied().unwrap_or(b'?'));
    hash.iter().rev().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Reads a hash as it is shown; `None` if it is not 64 hex digits.
#[must_use]
pub fn read(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().rev().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let value = |d: &u8| char::from(*d).to_digit(16);
        *byte = u8::try_from(value(high)? * 16 + value(low)?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Genesis of the main network, from Core's `chainparams.cpp`.
    const GENESIS: &str = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";

    fn genesis() -> Vec<u8> {
        (0..80).map(|i| u8::from_str_radix(&GENESIS[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn genesis_is_read_and_has_work() {
        let header = Header::parse(&genesis()).unwrap();
        let shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        assert_eq!(show(&header.hash), shown);
        assert_eq!(read(shown), Some(header.hash));
        assert_eq!(header.time, 1_231_006_505);
        assert_eq!(header.target_zero_bits(), 32);
        assert!(header.has_work());
        assert!((header.work() - 4_295_032_833.0).abs() < 2.0, "{}", header.work());
        for bit in 0..80 * 8 {
            let mut bytes = genesis();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!Header::parse(&bytes).unwrap().has_work(), "bit {bit}");
        }
        assert!(Header::parse(&genesis()[..79]).is_none());
    }

    #[test]
    fn malformed_targets_have_no_work() {
        let mut header = Header::parse(&genesis()).unwrap();
        for bits in [0, 0x1d00_0000, 0x1d80_0000, 0xff7f_ffff] {
            header.bits = bits;
            assert!(!header.has_work(), "{bits:x}");
            assert!(header.work() == 0.0);
        }
        header.bits = 0x207f_ffff;
        assert_eq!(header.target_zero_bits(), 1);
        assert!((header.work() - 2.0).abs() < 0.01);
    }

    #[test]
    fn equal_neighbours_have_no_root() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        assert_eq!(merkle_root(vec![a]), Some(a));
        assert!(merkle_root(vec![a, b, c]).is_some());
        assert_eq!(merkle_root(vec![a, b, c, c]), None);
        assert_eq!(merkle_root(vec![]), Some([0; 32]));
    }
}
