//! Arguments of the tracing commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Graph {
    /// Build a graph from block files, or go on with one: blocks that came are added, blocks that lost are taken out
    Build(GraphBuild),
    /// Counts, bytes by column and by output, and what a whole chain would take
    Info {
        /// The graph's directory
        graph: PathBuf,
    },
    /// Check every byte against its checksum and every row against the others; damage is exit 3
    Verify {
        /// The graph's directory
        graph: PathBuf,
    },
    /// Show one thing, whole: a transaction, an address, an output, a block
    Show(GraphShow),
    /// Write four tables for DuckDB, DataFusion or Spark; docs/export.md has queries
    Export {
        /// The graph's directory
        graph: PathBuf,
        /// Where the tables go
        #[arg(long, value_name = "DIR")]
        parquet: PathBuf,
    },
}

#[derive(Args)]
pub struct GraphBuild {
    /// A node's `blocks/` (its XOR key is honoured), a file of blocks in that framing, or a folder of raw
    /// blocks, one a file. A window that starts in mid-chain or has holes is taken as it is
    #[arg(long)]
    pub blocks: PathBuf,
    /// Directory of the graph; a build that was stopped goes on there
    #[arg(long)]
    pub out: PathBuf,
    /// Leave out blocks above this height
    #[arg(long)]
    pub until: Option<u32>,
    /// Leave out bytes that are no good block, and list each as a hole; else the first one stops the build
    #[arg(long)]
    pub skip_bad: bool,
}

#[derive(Args)]
pub struct GraphShow {
    /// A txid, an address, an outpoint (TXID:N), or a height
    pub what: String,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
}

#[derive(Subcommand)]
pub enum Cluster {
    /// The cluster of an address: scripts that were spent together, mixes left out
    Show(ClusterShow),
    /// The transactions that joined two addresses
    Why(ClusterWhy),
}

#[derive(Args)]
pub struct ClusterShow {
    /// An address
    pub address: String,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
}

#[derive(Args)]
pub struct ClusterWhy {
    /// An address
    pub a: String,
    /// Another
    pub b: String,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
}

#[derive(Subcommand)]
pub enum CoinJoin {
    /// Judge transactions; prints JSON lines, one a transaction, in chain order
    Classify(Classify),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Classify {
    /// All transactions of a graph
    #[arg(long, group = "what")]
    pub graph: Option<PathBuf>,
    /// A file of Esplora-form transactions, JSON lines, plain or gzip
    #[arg(long, group = "what")]
    pub txs: Option<PathBuf>,
    /// Leave out class `none`
    #[arg(long)]
    pub found: bool,
}

#[derive(Subcommand)]
pub enum Trace {
    /// Where the value went
    Forward(TraceRun),
    /// Where the value came from
    Backward(TraceRun),
    /// Ways from one thing to another, the strongest first, each with its weakest step
    Path(TracePath),
}

#[derive(Args)]
pub struct TracePath {
    /// An outpoint, a txid or an address
    pub from: String,
    /// Another
    pub to: String,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
    /// Label files, to name who is met on the way; put FROM and TO before it
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub labels: Vec<PathBuf>,
}

#[derive(Args)]
pub struct TraceRun {
    /// Where to begin: outpoints (TXID:N), txids (all their outputs), addresses (all that they received)
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
    /// How taint is passed on: haircut (in proportion), fifo, lifo (by order), tiho (into the highest outputs),
    /// poison (everything touched), or all of them
    #[arg(long, default_value = "haircut", value_parser = ["haircut", "fifo", "lifo", "tiho", "poison", "all"])]
    pub method: String,
    /// Label files: OFAC list, TagPack (file or folder), our CSV or JSON. Sources stand before it
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// Count nothing later than this height or time (RFC 3339)
    #[arg(long, value_name = "HEIGHT|TIME")]
    pub until: Option<String>,
    /// Don't follow outputs with less taint
    #[arg(long, default_value_t = 0)]
    pub min_sat: u64,
    /// The most pieces of taint held at once: outputs, or runs of satoshi for fifo and lifo (about 50 bytes each)
    #[arg(long, default_value_t = 50_000_000)]
    pub budget: usize,
    /// Exactly the kinds of label at which it ends, instead of exchange, bridge, mixer, payment, gambling, market,
    /// hosted; `none` ends nowhere
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub stop: Vec<String>,
    /// Go on through mixes by the haircut rule, with less confidence
    #[arg(long)]
    pub through_mixers: bool,
    /// Write one row per service, for freeze letters
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw the flow, left to right over time, width by tainted value (of several methods, the first)
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Keep the trace as a folder to hand on: question, graph and labels by hash, claims with evidence, picture
    #[arg(long, value_name = "DIR")]
    pub case: Option<PathBuf>,
    /// Write the flow for Graphviz
    #[arg(long, value_name = "FILE")]
    pub dot: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Labels {
    /// Read label lists and write them in one form; what is left out is counted and said
    Import {
        /// What the file is
        #[arg(value_parser = ["ofac", "tagpack", "csv", "json"])]
        form: String,
        /// The file, or a folder of such files
        path: PathBuf,
        /// Where the labels go: JSON, one a line
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args)]
pub struct RiskArgs {
    /// Addresses
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// The graph's directory
    #[arg(long)]
    pub graph: PathBuf,
    /// Label files: OFAC list, TagPack (file or folder), our CSV or JSON. Addresses stand before it
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub labels: Vec<PathBuf>,
}

#[derive(Subcommand)]
pub enum Case {
    /// Check that the files of a case folder are as they were written; a change is exit 3
    Verify {
        /// The folder
        dir: PathBuf,
    },
}
