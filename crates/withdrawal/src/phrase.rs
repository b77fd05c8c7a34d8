//! Twelve words of a digest, for people to compare by voice: an aid, never the barrier.
//!
//! They carry 132 bits, so someone who shapes both sides needs about 2^66 work to make two things
//! with one phrase.

use bip39::Language;

use crate::digest::Digest;

/// Words in a phrase.
pub const WORDS: usize = 12;

/// The first 132 bits of a digest as words of the English BIP-39 list, eleven bits each.
pub fn phrase(digest: &Digest) -> String {
    let list = Language::English.word_list();
    let words = (0..WORDS).map(|word| {
        let index = (word * 11..word * 11 + 11).fold(0usize, |index, bit| {
            let byte = digest.0.get(bit / 8).copied().unwrap_or(0);
            index << 1 | usize::from(byte >> (7 - bit % 8) & 1)
        });
        list.get(index).copied().unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_first_132_bits() {
        assert_eq!(phrase(&Digest([0; 32])), ["abandon"; 12].join(" "));
        assert_eq!(phrase(&Digest([0xff; 32])), ["zoo"; 12].join(" "));
        let mut digest = [0; 32];
        digest[16] = 0b0001_0000;
        assert!(phrase(&Digest(digest)).ends_with("ability"), "bit 132 is the last that counts");
        digest[16] = 0b0000_1111;
        assert_eq!(phrase(&Digest(digest)), ["abandon"; 12].join(" "));
    }
}
