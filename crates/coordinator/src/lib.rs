//! The untrusted middle: it carries requests, coins, heads and proofs, and is believed by nobody.
//!
//! Whatever it gets wrong, or whoever runs it, can delay a withdrawal and never change it: the cosigner
//! judges everything again. Transport to witnesses and node is passed in by the shell.

pub mod build;
pub mod client;
pub mod coins;
pub mod dir;
pub mod facts;
pub mod finish;
pub mod mirror;
pub mod service;
pub mod trial;
pub mod witnesses;

/// Why the coordinator could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error("{what}: {error}")]
    Io {
        /// What was read or written.
        what: String,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A file that does not parse.
    #[error("{what}: {detail}")]
    Malformed {
        /// Which file.
        what: String,
        /// Where and what.
        detail: String,
    },
    /// The cosigner, a witness or the node answered something that can't be used.
    #[error("{0}")]
    Peer(String),
    /// A code stands in the way.
    #[error("{0}: {1}")]
    Refused(withdrawal::code::Code, String),
}

pub(crate) fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::Io { what: what.to_string(), error }
}
