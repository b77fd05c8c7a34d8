//! Static screening of untrusted code: a tree of files in, findings out. Nothing of it is run, and nothing here opens a
//! file, asks the time or the network.

pub mod assemble;
pub mod autorun;
mod code;
pub mod command;
pub mod finding;
pub mod flow;
pub mod javascript;
mod judge;
mod limits;
mod lowering;
pub mod nature;
mod notebook;
mod odd;
mod page;
pub mod python;
pub mod rules;
mod settings;
pub mod shell;
mod sure;
pub mod tree;
mod waves;

pub use finding::{Finding, Verdict};
pub use judge::{Outcome, screen, screen_announcing};
pub use limits::Limits;
pub use tree::{File, Missed, Tree};
