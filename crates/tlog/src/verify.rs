//! Whole-log verification, offline: recomputes every hash and names the first entry that does not fit.

use tlog_tiles::{Hash, Tile, record_hash};

use crate::bundle::{self, BUNDLE_ENTRIES};
use crate::head::TreeHead;
use crate::log::{Files, Log, LogError, bundle_path, bundle_width, leaf_tile_path};

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The first entry that is missing or not what the tree says.
    #[error("entry {index}: {what}")]
    Entry {
        /// Number of the entry, from 0.
        index: u64,
        /// What is wrong with it.
        what: String,
    },
    /// All entries agree with their tiles, but not with the signed head; the first entry of the
    /// smallest stretch in which the fault lies.
    #[error("entries {from} to {to} do not lead to the signed root")]
    Root {
        /// First entry of the stretch.
        from: u64,
        /// Last entry of the stretch.
        to: u64,
    },
    /// The storage failed.
    #[error("reading the log: {0}")]
    Io(#[from] std::io::Error),
}

impl Fault {
    /// The first entry that can't be trusted, where one can be named.
    pub const fn first_bad(&self) -> Option<u64> {
        match self {
            Self::Entry { index, .. } => Some(*index),
            Self::Root { from, .. } => Some(*from),
            Self::Io(_) => None,
        }
    }
}

/// Checks every entry against leaf tiles and `head`, and gives each to `visit` in order.
pub fn verify<F: Files>(
    files: &F,
    head: &TreeHead,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), String>,
) -> Result<(), Fault> {
    let mut stretches: Vec<Hash> = Vec::new();
    for index in 0..head.size.div_ceil(BUNDLE_ENTRIES) {
        stretches.push(verify_bundle(files, head.size, index, &mut visit)?);
    }
    let log = Log::at(files, *head);
    match log.root_at(head.size) {
        Ok(root) if root == head.root => check_stretches(files, head, &stretches),
        Ok(_) | Err(LogError::BadTile(_)) => Err(locate(files, head, &stretches)),
        Err(LogError::Io(error)) => Err(Fault::Io(error)),
        Err(other) => Err(Fault::Entry { index: 0, what: other.to_string() }),
    }
}

fn verify_bundle<F: Files>(
    files: &F,
    size: u64,
    index: u64,
    visit: &mut impl FnMut(u64, &[u8]) -> Result<(), String>,
) -> Result<Hash, Fault> {
    let first = index * BUNDLE_ENTRIES;
    let width = bundle_width(index, size);
    let fault = |entry: u64, what: &str| Fault::Entry { index: entry, what: what.to_owned() };
    let bytes = files.read(&bundle_path(index, width))?;
    let bytes = bytes.ok_or_else(|| fault(first, "its bundle is missing"))?;
    let entries = bundle::decode(&bytes).ok_or_else(|| fault(first, "its bundle is damaged"))?;
    let tile = files.read(&leaf_tile_path(index, width))?;
    let tile = tile.ok_or_else(|| fault(first, "its tile is missing"))?;
    let (hashes, rest) = tile.as_chunks::<32>();
    for number in 0..width {
        let position = usize::try_from(number).unwrap_or(usize::MAX);
        let at = first + number;
        let entry = entries.get(position).ok_or_else(|| fault(at, "is missing"))?;
        let hash = hashes.get(position).ok_or_else(|| fault(at, "its hash is missing"))?;
        if record_hash(entry).0 != *hash {
            return Err(fault(at, "was changed after it was logged"));
        }
        visit(at, entry).map_err(|what| Fault::Entry { index: at, what })?;
    }
    if !rest.is_empty() || hashes.len() as u64 != width || entries.len() as u64 != width {
        return Err(fault(first + width, "stands behind the end of the log"));
    }
    // Only full tiles have a hash of their own in the level above.
    Ok(if width == BUNDLE_ENTRIES { Tile::subtree_hash(&tile) } else { record_hash(&tile) })
}

/// Full stretches are compared with the level-1 tiles, which the signed root covers.
fn check_stretches<F: Files>(files: &F, head: &TreeHead, stretches: &[Hash]) -> Result<(), Fault> {
    match first_bad_stretch(files, head, stretches)? {
        None => Ok(()),
        Some(index) => Err(stretch(index, head.size)),
    }
}

fn locate<F: Files>(files: &F, head: &TreeHead, stretches: &[Hash]) -> Fault {
    match first_bad_stretch(files, head, stretches) {
        Ok(Some(index)) => stretch(index, head.size),
        // Every full stretch is as the level above says: the fault is in the last, partial one, or
        // the whole tree is another one.
        Ok(None) => stretch(head.size.saturating_sub(1) / BUNDLE_ENTRIES, head.size),
        Err(fault) => fault,
    }
}

fn stretch(index: u64, size: u64) -> Fault {
    let from = index * BUNDLE_ENTRIES;
    Fault::Root { from, to: (from + BUNDLE_ENTRIES).min(size).saturating_sub(1) }
}

fn first_bad_stretch<F: Files>(
    files: &F,
    head: &TreeHead,
    stretches: &[Hash],
) -> Result<Option<u64>, Fault> {
    let full = head.size / BUNDLE_ENTRIES;
    for upper in 0..full.div_ceil(BUNDLE_ENTRIES) {
        let width = bundle_width(upper, full);
        let path = leaf_tile_path(upper, width).replacen("tile/0/", "tile/1/", 1);
        let Some(tile) = files.read(&path)? else {
            return Ok(Some(upper * BUNDLE_ENTRIES));
        };
        for (index, hash) in (upper * BUNDLE_ENTRIES..).zip(tile.as_chunks::<32>().0) {
            let ours = usize::try_from(index).ok().and_then(|i| stretches.get(i));
            if ours.is_none_or(|ours| ours.0 != *hash) {
                return Ok(Some(index));
            }
        }
    }
    Ok(None)
}
