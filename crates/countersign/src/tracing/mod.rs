//! The tracing commands: the shell over `chaingraph` and `trace`. JSON and text are made here.

pub mod cluster;
pub mod coinjoin;
pub mod graph;
mod name;
mod progress;
mod show;

use std::path::Path;

use chaingraph::Graph;

use crate::fail::Fail;

/// Opens a graph.
fn open(path: &Path) -> Result<Graph, Fail> {
    Ok(Graph::open(path)?)
}
