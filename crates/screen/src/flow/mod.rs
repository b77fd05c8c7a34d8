//! Where bytes flow: code of any language as assignments and calls, followed through names, members, containers, calls
//! and files of the tree until nothing new arrives anywhere.

mod calls;
mod engine;
pub mod fold;
pub mod ir;
pub mod known;
mod library;
pub mod value;

pub use engine::{Followed, Hit, Linked, Project, follow, loaded_by};
