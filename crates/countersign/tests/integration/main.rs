//! The real executable, its real JSON, a real node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that meets the unexpected has failed"
)]

mod by_hand;
mod command;
mod drill;
mod governance;
mod offline;
mod scenes;
mod screening;
mod taint;
mod tracing;
mod walkthrough;
