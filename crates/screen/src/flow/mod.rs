//! Where bytes flow: code of any language as assignments and calls, followed through names, members, containers, calls
//! and files of the tree until nothing new arrives anywhere.

mod agenda;
mod calls;
mod commands;
mod configs;
mod decoding;
mod engine;
mod eval;
mod feeds;
pub mod fold;
mod held;
pub mod ir;
pub mod known;
mod library;
pub mod list;
mod lists;
mod texts;
mod unknown;
pub mod value;

pub use commands::{Runs, language_of};
pub use engine::{Command, Followed, Hit, LARGE, Language, Linked, Project, follow};
