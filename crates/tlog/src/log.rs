//! Append and proofs over tiles: reads through [`Files`], returns the writes; does no I/O of its own.

use std::cell::RefCell;
use std::collections::HashMap;

use tlog_tiles::{
    Error as TileError, Hash, HashReader, Tile, TileHashReader, TileReader, prove_record,
    prove_tree, stored_hash_index, stored_hashes, tree_hash,
};

use crate::bundle::{self, BUNDLE_ENTRIES, ENTRY_BYTES_MAX};
use crate::head::{SIZE_MAX, TreeHead};

const TILE_HEIGHT: u8 = 8;

/// Where tiles and bundles are read from, by their tlog-tiles path.
pub trait Files {
    /// The bytes of one file, or `None` if there is none.
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>>;
}

/// Why a log could not be read or appended to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The caller's idea of the size is not the log's: somebody else appended.
    #[error("log has {found} entries, expected {expected}")]
    Size {
        /// Entries there are.
        found: u64,
        /// Entries the caller expected.
        expected: u64,
    },
    /// An entry that fits no bundle, or a log over 2^40 entries.
    #[error("entry of {0} bytes or log of this size can't be held")]
    TooLarge(usize),
    /// A tile or bundle that is missing, of the wrong length, or not of this tree.
    #[error("tile or bundle `{0}` is missing or does not belong to this tree")]
    BadTile(String),
    /// No such entry.
    #[error("no entry {0} in a log of {1}")]
    NoEntry(u64, u64),
    /// The storage failed.
    #[error("reading the log: {0}")]
    Io(#[from] std::io::Error),
}

/// The writes of one append; nothing is in force until all files and then the signed head are durable.
#[derive(Debug)]
pub struct Append {
    /// Path and content, to be written before the head.
    pub files: Vec<(String, Vec<u8>)>,
    /// Partial files that the new ones replace; may be deleted once the head is durable.
    pub stale: Vec<String>,
    /// The tree after the append.
    pub head: TreeHead,
}

/// C2SP path of a tile: height 8 is implied, data tiles are called `entries`.
fn path_of(tile: &Tile) -> String {
    let path = tile.path();
    let rest = path.strip_prefix("tile/8/").unwrap_or(&path);
    match rest.strip_prefix("data/") {
        Some(rest) => format!("tile/entries/{rest}"),
        None => format!("tile/{rest}"),
    }
}

/// Path of entry bundle `index` holding `width` entries.
pub fn bundle_path(index: u64, width: u64) -> String {
    path_of(&Tile::new(TILE_HEIGHT, 0, index, u32::try_from(width).unwrap_or(256), true))
}

/// Path of the level-0 hash tile `index` holding `width` hashes.
pub fn leaf_tile_path(index: u64, width: u64) -> String {
    path_of(&Tile::new(TILE_HEIGHT, 0, index, u32::try_from(width).unwrap_or(256), false))
}

/// Entries in bundle `index` of a log of `size` entries.
pub fn bundle_width(index: u64, size: u64) -> u64 {
    size.saturating_sub(index.saturating_mul(BUNDLE_ENTRIES)).min(BUNDLE_ENTRIES)
}

struct Reader<'a, F: Files> {
    files: &'a F,
    failure: RefCell<Option<LogError>>,
}

impl<F: Files> Reader<'_, F> {
    fn tile(&self, tile: &Tile) -> Result<Vec<u8>, LogError> {
        let path = path_of(tile);
        let data = self.files.read(&path)?.ok_or_else(|| LogError::BadTile(path.clone()))?;
        if data.len() != tile.width() as usize * tlog_tiles::HASH_SIZE {
            return Err(LogError::BadTile(path));
        }
        Ok(data)
    }
}

impl<F: Files> TileReader for Reader<'_, F> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TileError> {
        tiles
            .iter()
            .map(|tile| {
                self.tile(tile).map_err(|error| {
                    self.failure.replace(Some(error));
                    TileError::InvalidTile
                })
            })
            .collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// A log as of one head; every hash that is read is proven to be in that tree.
pub struct Log<'a, F: Files> {
    reader: Reader<'a, F>,
    head: TreeHead,
}

/// Hashes not yet written laid over those of the tree before.
struct Overlay<'a, 'b, F: Files> {
    log: &'a Log<'b, F>,
    fresh: HashMap<u64, Hash>,
}

impl<F: Files> HashReader for Overlay<'_, '_, F> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TileError> {
        let old: Vec<u64> =
            indexes.iter().copied().filter(|i| !self.fresh.contains_key(i)).collect();
        let mut old_hashes =
            if old.is_empty() { Vec::new() } else { self.log.hashes().read_hashes(&old)? }
                .into_iter();
        indexes
            .iter()
            .map(|i| match self.fresh.get(i) {
                Some(hash) => Ok(*hash),
                None => old_hashes.next().ok_or(TileError::IndexesNotInTree),
            })
            .collect()
    }
}

impl<'a, F: Files> Log<'a, F> {
    /// A log of which `head` is known to be true.
    pub const fn at(files: &'a F, head: TreeHead) -> Self {
        Self { reader: Reader { files, failure: RefCell::new(None) }, head }
    }

    /// The head this view stands on.
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    fn hashes(&self) -> TileHashReader<'_> {
        TileHashReader::new(self.head.size, self.head.root, &self.reader)
    }

    fn failed(&self, _: TileError) -> LogError {
        self.reader
            .failure
            .take()
            .unwrap_or_else(|| LogError::BadTile(format!("of {} entries", self.head.size)))
    }

    /// Computes what appending `entries` writes; `expected_size` must be the log's size.
    pub fn append(&self, expected_size: u64, entries: &[Vec<u8>]) -> Result<Append, LogError> {
        if self.head.size != expected_size {
            return Err(LogError::Size { found: self.head.size, expected: expected_size });
        }
        let new_size = expected_size + entries.len() as u64;
        if new_size > SIZE_MAX {
            return Err(LogError::TooLarge(entries.len()));
        }
        let mut overlay = Overlay { log: self, fresh: HashMap::new() };
        for (number, entry) in (expected_size..).zip(entries) {
            if entry.len() > ENTRY_BYTES_MAX {
                return Err(LogError::TooLarge(entry.len()));
            }
            let hashes = stored_hashes(number, entry, &overlay).map_err(|e| self.failed(e))?;
            overlay.fresh.extend((stored_hash_index(0, number)..).zip(hashes));
        }
        let root = tree_hash(new_size, &overlay).map_err(|e| self.failed(e))?;
        let mut files = Vec::new();
        let mut stale = Vec::new();
        for tile in Tile::new_tiles(TILE_HEIGHT, expected_size, new_size) {
            let data = tile.read_data(&overlay).map_err(|e| self.failed(e))?;
            files.push((path_of(&tile), data));
            let level = u32::from(tile.level()) * u32::from(TILE_HEIGHT);
            let before = bundle_width(tile.level_index(), expected_size >> level);
            if before > 0 && before < u64::from(tile.width()) {
                let width = u32::try_from(before).unwrap_or(1);
                let old = Tile::new(TILE_HEIGHT, tile.level(), tile.level_index(), width, false);
                stale.push(path_of(&old));
            }
        }
        self.append_bundles(entries, new_size, &mut files, &mut stale)?;
        Ok(Append { files, stale, head: TreeHead { size: new_size, root } })
    }

    fn append_bundles(
        &self,
        entries: &[Vec<u8>],
        new_size: u64,
        files: &mut Vec<(String, Vec<u8>)>,
        stale: &mut Vec<String>,
    ) -> Result<(), LogError> {
        let mut fresh = entries.iter();
        let mut at = self.head.size;
        while at < new_size {
            let index = at / BUNDLE_ENTRIES;
            let held = at % BUNDLE_ENTRIES;
            let width = bundle_width(index, new_size);
            let mut content = if held > 0 {
                let old = bundle_path(index, held);
                // Read back and checked: a bundle that does not match the tree is never copied on.
                let kept = self.entries(index * BUNDLE_ENTRIES, at)?;
                stale.push(old);
                bundle::encode(kept.iter().map(Vec::as_slice))
                    .ok_or(LogError::TooLarge(ENTRY_BYTES_MAX))?
            } else {
                Vec::new()
            };
            let take = usize::try_from(width - held).unwrap_or(usize::MAX);
            let added = fresh.by_ref().take(take).map(Vec::as_slice);
            content.extend(bundle::encode(added).ok_or(LogError::TooLarge(ENTRY_BYTES_MAX))?);
            files.push((bundle_path(index, width), content));
            at = index * BUNDLE_ENTRIES + width;
        }
        Ok(())
    }

    /// Entries `from..to`, each checked against its leaf hash in the tree.
    pub fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, LogError> {
        if from > to || to > self.head.size {
            return Err(LogError::NoEntry(to, self.head.size));
        }
        let mut entries = Vec::new();
        let mut at = from;
        while at < to {
            let index = at / BUNDLE_ENTRIES;
            let width = bundle_width(index, self.head.size);
            let path = bundle_path(index, width);
            let bad = || LogError::BadTile(path.clone());
            let bytes = self.reader.files.read(&path)?.ok_or_else(bad)?;
            let held = bundle::decode(&bytes).ok_or_else(bad)?;
            if held.len() as u64 != width {
                return Err(bad());
            }
            let end = to.min(index * BUNDLE_ENTRIES + width);
            let indexes: Vec<u64> = (at..end).map(|n| stored_hash_index(0, n)).collect();
            let hashes = self.hashes().read_hashes(&indexes).map_err(|e| self.failed(e))?;
            let skip = usize::try_from(at % BUNDLE_ENTRIES).unwrap_or(usize::MAX);
            for (entry, hash) in held.into_iter().skip(skip).zip(hashes) {
                if tlog_tiles::record_hash(&entry) != hash {
                    return Err(bad());
                }
                entries.push(entry);
            }
            at = end;
        }
        Ok(entries)
    }

    /// Proof that entry `index` is in this tree.
    pub fn prove_inclusion(&self, index: u64) -> Result<Vec<Hash>, LogError> {
        if index >= self.head.size {
            return Err(LogError::NoEntry(index, self.head.size));
        }
        prove_record(self.head.size, index, &self.hashes()).map_err(|e| self.failed(e))
    }

    /// Proof that the first `old_size` entries are a prefix of this tree.
    pub fn prove_consistency(&self, old_size: u64) -> Result<Vec<Hash>, LogError> {
        if old_size > self.head.size {
            return Err(LogError::NoEntry(old_size, self.head.size));
        }
        if old_size == 0 || old_size == self.head.size {
            return Ok(Vec::new());
        }
        prove_tree(self.head.size, old_size, &self.hashes()).map_err(|e| self.failed(e))
    }

    /// Root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, LogError> {
        if size > self.head.size {
            return Err(LogError::NoEntry(size, self.head.size));
        }
        if size == 0 {
            return Ok(TreeHead::EMPTY.root);
        }
        tree_hash(size, &self.hashes()).map_err(|e| self.failed(e))
    }
}
