//! The pure core of Countersign: what is asked for, what a transaction does, who agreed, and whether
//! that is enough. Bytes, time and randomness are passed in; nothing here does I/O or reads a clock.

pub mod act;
pub mod approval;
pub mod assertion;
pub mod author;
pub mod change;
pub mod clock;
pub mod code;
pub mod digest;
pub mod entry;
pub mod facts;
pub mod genesis;
pub mod intent;
pub mod keys;
pub mod lookalike;
pub mod network;
pub mod person;
pub mod phrase;
pub mod policy;
#[cfg(feature = "policy-file")]
pub mod policy_file;
pub mod protocol;
pub mod psbt;
pub mod receipt;
pub mod refusal;
pub mod rules;
pub mod script;
pub mod sign;
pub mod spend;
pub mod state;
pub mod succession;
pub mod time;
pub mod verdict;
pub mod wire;
pub mod witnessed;
