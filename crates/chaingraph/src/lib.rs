//! The whole chain as a graph on one small machine: rows in chain order, one file a column, mapped into memory.
//!
//! [`build()`] reads a node's block files; [`Graph`] answers by number: what an input spends, who spends an output,
//! which transaction a txid is, which outputs a script has. [`verify`](verify::verify) checks every byte. It judges no
//! consensus rule but what keeps the graph true (form, merkle roots, no double spend, no coin from nothing), and it
//! names no owner: that is `trace`'s. `docs/graph-format.md` has the files byte by byte.

pub mod amount;
mod bits;
pub mod block;
pub mod build;
pub mod columns;
pub mod error;
pub mod graph;
pub mod header;
mod lookup;
pub mod manifest;
mod map;
pub mod network;
pub mod num;
pub mod order;
pub mod row;
pub mod script;
pub mod source;
pub mod undo;
pub mod verify;

pub use build::{Built, Clusters, Options, Progress, SEAL_OUTPUTS, build};
pub use error::{BuildError, Notice, OpenError};
pub use graph::Graph;
pub use num::{BlockNum, ExternalNum, InputNum, OutputNum, Prevout, ScriptNum, TxNum};
