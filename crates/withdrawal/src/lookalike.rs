//! How improbable it is that two different addresses look as alike as they do.
//!
//! People compare the first and last characters, checksum included, and grinding those costs the same
//! as any others. So: runs of equal characters from both ends, after the prefix that all addresses of
//! the type share, as bits, less the bits that the number of comparisons made explains.

use bitcoin::Script;

use crate::network::Network;

/// How alike two addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Equal characters from the front, after the shared prefix.
    pub first: usize,
    /// Equal characters at the end.
    pub last: usize,
    /// Improbability of both runs together, in whole bits, for one comparison.
    pub bits: u32,
}

struct Shape<'a> {
    prefix: &'a str,
    rest: &'a str,
    bits_per_char: f64,
}

/// Splits an address into what its type fixes and what its hash and checksum make.
fn shape(address: &str) -> Shape<'_> {
    let base32 = address
        .rfind('1')
        .filter(|_| ["bc1", "tb1", "bcrt1"].iter().any(|hrp| address.starts_with(hrp)));
    match base32 {
        // After the separator stands the witness version, one character.
        Some(separator) => {
            let at = (separator + 2).min(address.len());
            let (prefix, rest) = address.split_at(at);
            Shape { prefix, rest, bits_per_char: 5.0 }
        }
        None => {
            let (prefix, rest) = address.split_at(address.len().min(1));
            Shape { prefix, rest, bits_per_char: 58f64.log2() }
        }
    }
}

/// Compares two addresses as text; the same text has no likeness to itself.
pub fn likeness(a: &str, b: &str) -> Option<Likeness> {
    if a == b {
        return None;
    }
    let (one, other) = (shape(a), shape(b));
    let first = if one.prefix == other.prefix {
        one.rest.bytes().zip(other.rest.bytes()).take_while(|(x, y)| x == y).count()
    } else {
        0
    };
    let longest = one.rest.len().min(other.rest.len()).saturating_sub(first);
    let pairs = one.rest.bytes().rev().zip(other.rest.bytes().rev());
    let last = pairs.take(longest).take_while(|(x, y)| x == y).count();
    let per_char = one.bits_per_char.min(other.bits_per_char);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an address has fewer than 100 characters of at most 6 bits"
    )]
    let bits = ((first + last) as f64 * per_char).floor() as u32;
    Some(Likeness { first, last, bits })
}

/// Bits that `comparisons` explain by chance.
pub fn chance_bits(comparisons: u64) -> u32 {
    comparisons.max(1).ilog2() + u32::from(!comparisons.max(1).is_power_of_two())
}

/// The known address most like a script's, if the scripts differ and the likeness, less what chance
/// explains, reaches `min_bits`.
pub fn most_alike<'a>(
    network: Network,
    script: &Script,
    known: impl Iterator<Item = &'a Script>,
    comparisons: u64,
    min_bits: u32,
) -> Option<(String, String, Likeness)> {
    let address = network.address(script)?;
    let explained = chance_bits(comparisons);
    known
        .filter(|k| *k != script)
        .filter_map(|k| {
            let other = network.address(k)?;
            let likeness = likeness(&address, &other)?;
            let alike = likeness.first + likeness.last > 0
                && likeness.bits.saturating_sub(explained) >= min_bits;
            alike.then_some((other, likeness))
        })
        .max_by_key(|(_, likeness)| likeness.bits)
        .map(|(other, likeness)| (address, other, likeness))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_the_dmm_pair_is_alike() {
        let like =
            likeness("1B6rJRfjTXwEy36SCs5zofGMmdv2kdZw7P", "1B6rJ6ZKfZmkqMyBGe5KR27oWkEbQdNM7P");
        let like = like.unwrap();
        // The leading `1` is the type's own and does not count.
        assert_eq!((like.first, like.last), (4, 2));
        assert_eq!(like.bits, 35);
    }

    #[test]
    fn runs_never_overlap_and_types_share_no_prefix() {
        assert_eq!(likeness("1AAAA", "1AAAAA").map(|l| l.first + l.last), Some(4));
        let like = likeness("bc1qaaaaaa", "3aaaaaaaaa").unwrap();
        assert_eq!(like.first, 0);
        assert_eq!(likeness("1A", "1A"), None);
    }

    #[test]
    fn more_comparisons_explain_more() {
        assert_eq!([1, 2, 3, 1000].map(chance_bits), [0, 1, 2, 10]);
    }
}
