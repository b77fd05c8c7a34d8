//! From block files to a graph: scan, order, then three stages at once (take blocks apart, link inputs to outputs,
//! number scripts), then lookups, clusters and checksums. Stopped anywhere, it goes on from the last seal.

mod link;
mod pipeline;
mod resume;
mod scripts;
pub(crate) mod seal;

use std::path::{Path, PathBuf};

use crate::block::Parsed;
use crate::error::{BuildError, Notice};
use crate::graph::Graph;
use crate::header::{self, Hash};
use crate::manifest::{Counts, FORMAT, Manifest, Skipped};
use crate::order::{Chain, order};
use crate::script::HashKey;
use crate::source::{Bad, Scan, scan};
use crate::undo::BlockUndo;

pub use seal::Clusters;
pub(crate) use seal::sums;

/// What to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// A node's `blocks/`, a file in that framing, or a folder of raw blocks.
    pub blocks: PathBuf,
    /// The graph's directory.
    pub out: PathBuf,
    /// Stop after this height.
    pub until: Option<u32>,
    /// What to do with bytes that are no good block.
    pub bad: Bad,
    /// Outputs between seals: a stopped build loses at most the work on so many.
    pub seal_outputs: u64,
}

/// Outputs between seals, if nothing speaks for another number: some seconds of work.
pub const SEAL_OUTPUTS: u64 = 40_000_000;

/// How far a build is, for a progress bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Headers are looked at: bytes of the files, and in all.
    Scanning(u64, u64),
    /// Blocks are taken in: bytes of them, and in all.
    Blocks(u64, u64),
    /// Lookup tables are sorted.
    Lookups,
    /// Addresses are joined: transactions, and in all.
    Clusters(u64, u64),
    /// Checksums are taken.
    Checksums,
}

/// What a build did.
#[derive(Clone, Debug)]
pub struct Built {
    /// What a person should know.
    pub notices: Vec<Notice>,
    /// The manifest as it is on disk.
    pub manifest: Manifest,
    /// Blocks that this run added.
    pub added: u64,
}

/// Makes clusters of a graph that has all else: `trace` knows how, this crate only keeps them. It is told how to say
/// how far it is.
pub type ClusterMaker<'a> = &'a mut dyn FnMut(&Graph, &mut dyn FnMut(u64, u64)) -> Clusters;

/// A block on its way through the stages.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) parsed: Parsed,
    pub(crate) height: Option<u32>,
    pub(crate) starts_piece: bool,
    pub(crate) undo: Option<BlockUndo>,
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    /// Rows before it; set by the linker.
    pub(crate) before: Counts,
    /// Rows after it; set by the linker where `seal` is.
    pub(crate) after: Counts,
    /// Codes of what its inputs spend; set by the linker.
    pub(crate) prevouts: Vec<u64>,
    /// Coins that come from outside the graph; set by the linker.
    pub(crate) externals: Vec<OutsideCoin>,
    /// Everything up to this block is to be on disk when its manifest is written.
    pub(crate) seal: bool,
}

/// A coin from outside, before its script has a number.
#[derive(Debug)]
pub(crate) struct OutsideCoin {
    pub(crate) txid: Hash,
    pub(crate) vout: u32,
    pub(crate) value_sat: Option<u64>,
    pub(crate) script: Option<Vec<u8>>,
}

/// Builds a graph, or goes on with one: blocks that came are appended, blocks that lost are taken out.
///
/// # Errors
/// See [`BuildError`]. What was sealed before stays, and the next run goes on from there.
pub fn build(
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    clusters: ClusterMaker<'_>,
) -> Result<Built, BuildError> {
    let lock = seal::lock(&options.out)?;
    let scanned =
        scan(&options.blocks, options.bad, &mut |a, b| progress(Progress::Scanning(a, b)))?;
    let (chain, notices, skipped) = put_in_order(&scanned, options)?;
    let Some(first) = chain.links.first() else {
        return Err(BuildError::NoBlocks { path: options.blocks.clone() });
    };
    let key = hash_key(&first.found.header.hash);
    let fresh = Manifest {
        format: FORMAT,
        network: scanned.network.name.to_owned(),
        finished: false,
        complete: chain.complete && skipped.is_empty(),
        counts: Counts::default(),
        tip: String::new(),
        bytes_read: 0,
        skipped,
        hash_key: [key.0, key.1],
        sums: std::collections::BTreeMap::new(),
    };
    let mut notices = notices;
    let start = resume::start(&options.out, fresh, &chain, &scanned, options.bad, &mut notices)?;
    let before = start.manifest.counts.blocks;
    let manifest = if start.is_done(&chain) {
        start.manifest
    } else {
        let manifest = pipeline::run(options, &scanned, &chain, start, &mut notices, progress)?;
        let check = |graph: &Graph| refuse_false_outsiders(graph, &scanned, &chain, options);
        seal::finish(&options.out, manifest, progress, clusters, &check)?
    };
    drop(lock);
    let added = manifest.counts.blocks - before;
    Ok(Built { notices, manifest, added })
}

/// A coin that is spent twice or was never made can look like one from a hole; with `--skip-bad` it stays one.
fn refuse_false_outsiders(
    graph: &Graph,
    scanned: &Scan,
    chain: &Chain,
    options: &Options,
) -> Result<(), BuildError> {
    if options.bad == Bad::Skip {
        return Ok(());
    }
    let Some((tx, outpoint)) = seal::false_outsiders(graph) else { return Ok(()) };
    let block = graph.block_of(tx).map(|row| row.hash);
    let place = chain
        .links
        .iter()
        .find(|link| Some(link.found.header.hash) == block)
        .map(|l| l.found.place);
    let file = place.and_then(|place| scanned.files.get(place.file as usize));
    Err(BuildError::BadBlock {
        path: file.map_or_else(|| options.blocks.clone(), |file| file.path.clone()),
        offset: place.map_or(0, |place| place.offset),
        reason: format!("an input spends {outpoint}, which was spent already or never made"),
    })
}

fn put_in_order(
    scanned: &Scan,
    options: &Options,
) -> Result<(Chain, Vec<Notice>, Vec<Skipped>), BuildError> {
    let path =
        |file: u32| scanned.files.get(file as usize).map(|f| f.path.clone()).unwrap_or_default();
    let (mut notices, mut misfits) = (scanned.notices.clone(), Vec::new());
    let found = scanned.found.clone();
    let (until, bad) = (options.until, options.bad);
    let chain = order(found, scanned.network, until, bad, &mut notices, &mut misfits).map_err(
        |misfit| BuildError::BadBlock {
            path: path(misfit.place.file),
            offset: misfit.place.offset,
            reason: misfit.reason,
        },
    )?;
    for misfit in misfits {
        let notice = Notice::Skipped(path(misfit.place.file), misfit.place.offset, misfit.reason);
        notices.push(notice);
    }
    let skipped = notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Skipped(path, offset, reason) => Some(skipped(path, *offset, reason)),
            _ => None,
        })
        .collect();
    Ok((chain, notices, skipped))
}

/// A skipped place for the manifest: the file's name alone, so that a graph does not tell where it was made.
pub(crate) fn skipped(path: &Path, offset: u64, reason: &str) -> Skipped {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Skipped { file, offset, reason: reason.to_owned(), block: None }
}

/// The lookup's key: equal blocks give equal graphs, byte by byte.
fn hash_key(first: &Hash) -> HashKey {
    use bitcoin_hashes::{Hash as _, sha256};
    let digest = sha256::Hash::hash(header::show(first).as_bytes()).to_byte_array();
    let word = |at: usize| {
        digest.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    };
    HashKey(word(0), word(8))
}
