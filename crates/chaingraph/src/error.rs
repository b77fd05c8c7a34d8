//! What can go wrong between files of blocks and a graph.

use std::io;
use std::path::{Path, PathBuf};

use crate::block::Fault;

/// A build that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The system refused a file.
    #[error("`{}`: {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that should be a block are none.
    #[error("`{}` at byte {offset}: {reason}", path.display())]
    BadBlock {
        /// The file.
        path: PathBuf,
        /// Where in it the record's block begins (of framed files, after magic and length).
        offset: u64,
        /// The finding.
        reason: String,
    },
    /// Blocks of two networks were given.
    #[error("a block of {second}, what came before is of {first}: one graph holds one network")]
    MixedNetworks {
        /// The file in which the second was met.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// The network met first.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The graph that is to be gone on with is of another network.
    #[error("`{}` is a graph of {graph}, the blocks are of {blocks}: give another place with --out", path.display())]
    OtherNetwork {
        /// The graph.
        path: PathBuf,
        /// Its network.
        graph: String,
        /// That of the blocks.
        blocks: String,
    },
    /// There is nothing to build from.
    #[error("`{}` has no block: give a node's `blocks/`, a file of blocks in its framing, or a folder of raw blocks", path.display())]
    NoBlocks {
        /// What was given.
        path: PathBuf,
    },
    /// The place for the graph holds something else.
    #[error("`{}` is neither empty nor a graph: nothing was written", path.display())]
    NotAGraph {
        /// The place.
        path: PathBuf,
    },
    /// Another process builds there.
    #[error("`{}` is in use: another process builds or reads it", path.display())]
    Locked {
        /// The place.
        path: PathBuf,
    },
    /// The graph that is to be gone on with is damaged.
    #[error(transparent)]
    Damaged(#[from] OpenError),
}

/// A graph that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No graph is there.
    #[error("`{}` is no graph: it has no `manifest.json`", path.display())]
    Missing {
        /// The place.
        path: PathBuf,
    },
    /// A file is not what the manifest says.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The finding.
        reason: String,
    },
    /// Made by another version of the format.
    #[error("`{}` has format {found}, this program reads {}: build it again", path.display(), crate::manifest::FORMAT)]
    Format {
        /// The place.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The build was stopped on its way.
    #[error("`{}` is not finished: run `countersign graph build` again, it goes on where it stopped", path.display())]
    Unfinished {
        /// The place.
        path: PathBuf,
    },
    /// A build holds it.
    #[error("`{}` is being built: wait until that is done", path.display())]
    Busy {
        /// The place.
        path: PathBuf,
    },
    /// The system refused a file.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// A finding about a file.
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }

    /// A system's refusal.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

impl BuildError {
    /// A system's refusal.
    pub(crate) fn io<'a>(
        path: &'a Path,
        what: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { path: path.to_owned(), what, source }
    }

    /// A fault in a block.
    pub(crate) fn fault(path: &Path, offset: u64, fault: Fault) -> Self {
        Self::BadBlock { path: path.to_owned(), offset, reason: fault.to_string() }
    }
}

/// Something that a person should know and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A file that holds no block.
    Unrecognised(PathBuf),
    /// The last record of the last file is cut off.
    Truncated(PathBuf, u64),
    /// Zeros to the end of a file, as a node leaves them for blocks to come.
    ZeroTail(PathBuf, u64),
    /// Bytes skipped because they are no good block, as asked.
    Skipped(PathBuf, u64, String),
    /// Blocks of branches that lost; they are not in the graph.
    Stale(u32),
    /// No block has proof of work: a chain made for tests.
    NoWork,
    /// The files have no magic bytes; the network is taken from the blocks.
    NetworkTaken(&'static str),
    /// The graph begins in mid-chain, at this height if that is known.
    MidChain(Option<u32>),
    /// Blocks are missing before this one: the piece's first block's height, if known.
    Hole(Option<u32>),
    /// Blocks that were in the graph are on a lost branch now, and were taken out.
    RolledBack(u32),
    /// A build that was stopped goes on after this many blocks.
    Resumed(u32),
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unrecognised(path) => write!(f, "`{}` holds no block: left out", path.display()),
            Self::Truncated(path, at) => {
                write!(f, "`{}` ends in the middle of a block, at byte {at}", path.display())
            }
            Self::ZeroTail(path, at) => {
                write!(f, "`{}` has only zeros from byte {at}", path.display())
            }
            Self::Skipped(path, at, why) => {
                write!(f, "skipped: `{}` at byte {at}: {why}", path.display())
            }
            Self::Stale(n) => write!(f, "{n} blocks are on branches with less work: left out"),
            Self::NoWork => write!(f, "the blocks have no proof of work: a chain made for tests"),
            Self::NetworkTaken(name) => {
                write!(f, "raw blocks don't name their network: taken for {name}")
            }
            Self::MidChain(Some(height)) => {
                write!(f, "the blocks begin at height {height}: earlier coins are unknown")
            }
            Self::MidChain(None) => {
                write!(
                    f,
                    "the blocks begin in mid-chain, at a height that they don't tell: earlier coins are unknown"
                )
            }
            Self::Hole(Some(height)) => write!(f, "blocks are missing before height {height}"),
            Self::Hole(None) => write!(f, "blocks are missing before a block of unknown height"),
            Self::RolledBack(n) => write!(f, "{n} blocks were on a branch that lost: taken out"),
            Self::Resumed(n) => write!(f, "going on after {n} blocks"),
        }
    }
}
