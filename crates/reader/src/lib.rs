//! The second decoder. It reads PSBTs and vault descriptors in code of its own, so that one parser's
//! mistake is not the mistake of both: no `bitcoin`, no `miniscript`, nothing of `withdrawal`.
//!
//! It decides nothing. What it reads is compared with what the first decoder read; where they differ,
//! nothing is signed.

mod address;
mod bytes;
mod descriptor;
mod key;
mod psbt;
mod tx;

pub use address::{Chain, address};
pub use descriptor::{Bypass, Vault};
pub use psbt::{Read, ReadInput, ReadOutput, read, spend_digest};

/// Why bytes were refused: where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Offset in what was read; 0 where only the field is known.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {}: {}", self.at, self.what)
    }
}

impl std::error::Error for ReadError {}

pub(crate) fn fail<T>(at: usize, what: impl Into<String>) -> Result<T, ReadError> {
    Err(ReadError { at, what: what.into() })
}
