//! Hand-overs to other chains: THORChain's memos, tBTC's deposits. A memo is a claim of who wrote it: anybody can write
//! one into a payment to himself, so a memo alone never ends a trace. `docs/bridges.md` has the rules with their sources.

mod address;
mod handover;
pub mod memo;
pub mod tbtc;

pub use handover::{Evidence, HandOver, find};
