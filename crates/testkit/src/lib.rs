//! Test only. A whole deployment in one process: cosigner, witnesses with clocks that tests set, people.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness that meets the unexpected has failed"
)]

pub mod bench;
pub mod chaingen;
pub mod node;
pub mod randchain;
pub mod schema;
pub mod score;
pub mod shared;
