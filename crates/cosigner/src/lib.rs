//! The cosigner: its own small process with one master key and one vault. It believes nobody, writes
//! the log itself, and signs last.
//!
//! [`core::Core`] answers requests one at a time; [`server`] carries them over two Unix sockets. There
//! is no network here, no `async`, and no clock that decides anything.

pub mod core;
mod countersign;
mod decoders;
pub mod init;
pub mod keyfile;
mod reserve;
pub mod server;
mod start;
pub mod store;

pub use core::{Core, CoreError};
