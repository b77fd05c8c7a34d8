//! Named attacks (ATTACKS.md): one valid request, one thing changed, one code expected. Each runs against
//! the real cosigner code with its log on disk; witnesses are the real protocol with clocks of the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::type_complexity,
    missing_docs,
    reason = "a test that meets the unexpected has failed"
)]

mod approval;
mod design;
mod graph;
mod honest;
mod keys;
mod log;
mod policy;
mod properties;
mod psbt;
mod psbts;
mod receipts;
mod restore;
mod schemas;
mod succession;
mod tidy;
mod vectors;
mod windows;
