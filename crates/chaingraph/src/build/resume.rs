//! Where a build begins: at nothing, after a seal, or further back, when blocks that are in the graph lost.

use std::collections::BTreeMap;
use std::path::Path;

use hashbrown::HashMap;

use super::link::{Coins, TxidHash, Unspent};
use crate::bits;
use crate::columns::{Column, open_rw};
use crate::error::{BuildError, Notice, OpenError};
use crate::header;
use crate::manifest::{Counts, Manifest, Skipped, SkippedBlock};
use crate::map::{GrowingMap, Map};
use crate::num::index;
use crate::order::Chain;
use crate::row::{BlockRow, NONE};
use crate::source::{Bad, Found, Scan};

/// A place in the chain to begin at.
pub struct Start {
    /// What is sealed and stays.
    pub manifest: Manifest,
    /// Coins that are unspent there.
    pub coins: Coins,
    /// Links of the chain that are done with: in the graph, or left out.
    pub done: usize,
    /// Whether the last of them was left out, so that a hole lies before the next block.
    pub hole: bool,
}

impl Start {
    /// Whether nothing is left to do.
    pub fn is_done(&self, chain: &Chain) -> bool {
        self.manifest.finished && self.done == chain.links.len()
    }
}

/// Finds how much of the graph in `dir` is the beginning of the chain, cuts off the rest, and reads the unspent coins.
pub fn start(
    dir: &Path,
    fresh: Manifest,
    chain: &Chain,
    scan: &Scan,
    bad: Bad,
    notices: &mut Vec<Notice>,
) -> Result<Start, BuildError> {
    let coins = HashMap::with_hasher(TxidHash(fresh.hash_key[0]));
    let old = match Manifest::read(dir) {
        Ok(old) => old,
        Err(OpenError::Missing { .. }) => {
            fresh.write(dir).map_err(BuildError::io(dir, "writing the manifest"))?;
            return Ok(Start { manifest: fresh, coins, done: 0, hole: false });
        }
        Err(error) => return Err(error.into()),
    };
    if old.network != fresh.network {
        return Err(BuildError::OtherNetwork {
            path: dir.to_owned(),
            graph: old.network,
            blocks: fresh.network,
        });
    }
    check_lengths(dir, &old)?;
    let blocks = std::fs::read(Column::Blocks.path(dir))
        .map_err(BuildError::io(dir, "reading the blocks of the graph"))?;
    let Common { blocks: common, links: done, hole, left_out } =
        common_blocks(&blocks, &old, chain, scan, bad)?;
    // What the scan and the order leave out was found anew; what linking left out stays so while its bytes are the same.
    let mut skipped = fresh.skipped.clone();
    for (link, left_out) in left_out {
        let error = scan.bad_block(&link, &left_out.reason);
        if let BuildError::BadBlock { path, offset, reason } = error {
            notices.push(Notice::Skipped(path, offset, reason));
        }
        skipped.push(left_out);
    }
    let complete = fresh.complete && skipped.is_empty();
    if common == old.counts.blocks && old.finished && done == chain.links.len() {
        let complete = complete && old.counts.externals == 0;
        let manifest = Manifest { skipped, complete, ..old.clone() };
        if manifest != old {
            manifest.write(dir).map_err(BuildError::io(dir, "writing the manifest"))?;
        }
        return Ok(Start { manifest, coins, done, hole });
    }
    if common < old.counts.blocks {
        let lost = u32::try_from(old.counts.blocks - common).unwrap_or(u32::MAX);
        notices.push(Notice::RolledBack(lost));
    } else if !old.finished && common > 0 {
        notices.push(Notice::Resumed(u32::try_from(common).unwrap_or(u32::MAX)));
    }
    let counts = if common == old.counts.blocks {
        old.counts
    } else {
        BlockRow::read(&blocks, index(common)).map(|row| row.before).unwrap_or_default()
    };
    let tip = common.checked_sub(1).and_then(|last| BlockRow::read(&blocks, index(last)));
    let manifest = Manifest {
        counts,
        tip: tip.map(|row| header::show(&row.hash)).unwrap_or_default(),
        complete: complete && counts.externals == 0,
        skipped,
        ..fresh
    };
    // From here on the old end is given up: a crash leaves a graph that is not finished, and says so.
    manifest.write(dir).map_err(BuildError::io(dir, "writing the manifest"))?;
    scrub(dir, &counts).map_err(BuildError::io(dir, "cutting back"))?;
    let coins = unspent(dir, &counts, coins)?;
    Ok(Start { manifest, coins, done, hole })
}

/// Sealed rows are on disk: a shorter file is damage, not something to fill with zeros.
fn check_lengths(dir: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    for column in Column::ALL {
        if column.is_made_last() || manifest.counts.blocks == 0 {
            continue;
        }
        let path = column.path(dir);
        let found = std::fs::metadata(&path).map_err(OpenError::io(&path))?.len();
        let sealed = column.len_at(&manifest.counts);
        if found < sealed {
            let reason = format!("it has {found} bytes, {sealed} were sealed");
            return Err(OpenError::damaged(&path, reason));
        }
    }
    Ok(())
}

/// How much of a graph is the beginning of the chain.
struct Common {
    /// Blocks of the graph.
    blocks: u64,
    /// Links of the chain: those blocks, and what was left out between and after them.
    links: usize,
    /// Whether the last link was left out.
    hole: bool,
    /// What was left out.
    left_out: Vec<(Found, Skipped)>,
}

/// Walks graph and chain side by side, heights and beginnings of pieces included.
fn common_blocks(
    blocks: &[u8],
    old: &Manifest,
    chain: &Chain,
    scan: &Scan,
    bad: Bad,
) -> Result<Common, BuildError> {
    let refused: BTreeMap<&str, &Skipped> =
        old.skipped.iter().filter_map(|s| Some((s.block.as_ref()?.hash.as_str(), s))).collect();
    let mut common = Common { blocks: 0, links: 0, hole: false, left_out: Vec::new() };
    for link in &chain.links {
        let row = BlockRow::read(blocks, index(common.blocks))
            .filter(|_| common.blocks < old.counts.blocks);
        let same = row.is_some_and(|row| {
            row.hash == link.found.header.hash
                && row.height == link.height
                && row.starts_piece == (link.starts_piece || common.hole)
        });
        if same {
            common.blocks += 1;
            common.hole = false;
        } else {
            let shown = header::show(&link.found.header.hash);
            let Some(skipped) = refused.get(shown.as_str()) else { break };
            let bytes = scan.bytes_of(&link.found)?;
            if skipped.block != Some(SkippedBlock::new(&link.found.header.hash, &bytes)) {
                break;
            }
            if bad == Bad::Refuse {
                return Err(scan.bad_block(&link.found, &skipped.reason));
            }
            common.hole = true;
            common.left_out.push((link.found, (*skipped).clone()));
        }
        common.links += 1;
    }
    Ok(common)
}

/// Spenders that are cut off spend nothing.
fn scrub(dir: &Path, counts: &Counts) -> std::io::Result<()> {
    if counts.blocks == 0 {
        return Ok(());
    }
    let len = Column::Spender.len_at(counts);
    let file = open_rw(&Column::Spender.path(dir))?;
    file.set_len(len)?;
    let mut map = GrowingMap::open(file, len)?;
    for cell in map.bytes_mut().chunks_exact_mut(4) {
        let by = cell.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        if by != NONE && u64::from(by) >= counts.txs {
            cell.fill(0);
        }
    }
    map.finish()
}

/// Reads which coins are unspent at the seal.
fn unspent(dir: &Path, counts: &Counts, mut coins: Coins) -> Result<Coins, OpenError> {
    if counts.blocks == 0 {
        return Ok(coins);
    }
    let map = |column: Column| -> Result<Map, OpenError> {
        let path = column.path(dir);
        let file = std::fs::File::open(&path).map_err(OpenError::io(&path))?;
        Map::open(&file, column.len_at(counts)).map_err(OpenError::io(&path))
    };
    let (lines, txids) = (map(Column::OutRuns)?, map(Column::Txid)?);
    let spenders = map(Column::Spender)?;
    let mut lines: Vec<u64> = bytemuck::try_cast_slice(&lines).unwrap_or_default().to_vec();
    bits::cut(&mut lines, counts.outputs);
    let samples = bits::View::samples(&lines, counts.txs);
    let spenders: &[u32] = bytemuck::try_cast_slice(&spenders).unwrap_or_default();
    let view = bits::View::new(&lines, counts.outputs, counts.txs, &samples);
    let Some(view) = view.filter(bits::View::is_sound) else {
        return Err(OpenError::damaged(&Column::OutRuns.path(dir), "its counts are wrong"));
    };
    for (run, txid) in (0..counts.txs).zip(txids.chunks_exact(32)) {
        let outputs = view.range(run);
        let left = (index(outputs.start)..index(outputs.end))
            .filter(|at| spenders.get(*at) == Some(&0))
            .count();
        if left > 0 {
            let coin = Unspent {
                first: outputs.start,
                outputs: u32::try_from(outputs.end - outputs.start).unwrap_or(u32::MAX),
                left: u32::try_from(left).unwrap_or(u32::MAX),
            };
            coins.insert(txid.first_chunk().copied().unwrap_or_default(), coin);
        }
    }
    Ok(coins)
}
