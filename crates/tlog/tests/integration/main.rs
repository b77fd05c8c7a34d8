//! The log against public vectors, against a simple model, and against those who would rewrite it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that meets the unexpected has failed"
)]

mod log;
mod vectors;
mod witness;
