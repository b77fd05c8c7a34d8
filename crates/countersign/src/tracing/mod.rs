//! The tracing commands: the shell over `chaingraph` and `trace`. JSON and text are made here.

pub mod case;
pub mod cluster;
pub mod coinjoin;
mod export;
mod found;
pub mod graph;
pub mod labels;
mod name;
mod picture;
mod progress;
pub mod risk;
mod show;
mod tagpack;
pub mod trace;

use std::path::Path;

use chaingraph::Graph;

use crate::fail::Fail;

/// Opens a graph.
fn open(path: &Path) -> Result<Graph, Fail> {
    Ok(Graph::open(path)?)
}
