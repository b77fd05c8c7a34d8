//! The manifest: what a graph's directory holds, and by which hashes to know it. Written last, in one step: what it
//! says is on disk. `docs/graph-format.md` has every byte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use bitcoin_hashes::{Hash as _, sha256};
use serde::{Deserialize, Serialize};

use crate::error::OpenError;
use crate::header::{self, Hash};

/// Version of the format that this code reads and writes.
pub const FORMAT: u32 = 2;
/// The manifest's name in the graph's directory.
pub const FILE: &str = "manifest.json";

/// Rows of the columns, at a block's boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Blocks.
    pub blocks: u64,
    /// Transactions.
    pub txs: u64,
    /// Outputs.
    pub outputs: u64,
    /// Inputs, one for each coinbase too.
    pub inputs: u64,
    /// Distinct scripts, data outputs not counted.
    pub scripts: u64,
    /// Values that don't fit in 32 bits.
    pub wide: u64,
    /// Coins from outside.
    pub externals: u64,
    /// Data outputs.
    pub datas: u64,
    /// Bytes of the script column.
    pub script_bytes: u64,
    /// Bytes of the data column.
    pub data_bytes: u64,
    /// Bytes of the reveal column.
    pub reveal_bytes: u64,
}

/// What the directory holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The network's name.
    pub network: String,
    /// Whether lookups, clusters and checksums are there.
    pub finished: bool,
    /// Whether no block is missing from genesis on.
    pub complete: bool,
    /// Sealed rows.
    pub counts: Counts,
    /// Hash of the last block, as shown; empty without blocks.
    pub tip: String,
    /// Bytes of block files, read so far.
    pub bytes_read: u64,
    /// Bytes left out because they were no good block, as asked: file, offset, reason.
    pub skipped: Vec<Skipped>,
    /// Key of the script lookup: the first 16 bytes of SHA-256 over the first block's hash.
    pub hash_key: [u64; 2],
    /// Each column's chunks of [`crate::columns::CHUNK`] bytes, SHA-256 in hex. Empty until it is finished.
    pub sums: BTreeMap<String, Vec<String>>,
}

/// Bytes that were left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The file's name.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// Why.
    pub reason: String,
    /// The block that they are, if they are one: as long as its bytes are the same it stays left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<SkippedBlock>,
}

/// A block that was read and refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedBlock {
    /// Its hash, as shown.
    pub hash: String,
    /// SHA-256 of its bytes, in hex: other bytes under the same hash are tried again.
    pub sha256: String,
}

impl SkippedBlock {
    /// Names a block by its header's hash and its bytes.
    #[must_use]
    pub fn new(hash: &Hash, bytes: &[u8]) -> Self {
        Self { hash: header::show(hash), sha256: sha256::Hash::hash(bytes).to_string() }
    }
}

impl Manifest {
    /// Reads the manifest of a directory and checks its own hash.
    ///
    /// # Errors
    /// None there, damaged, or of another version.
    pub fn read(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(OpenError::Missing { path: dir.to_owned() });
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(OpenError::damaged(&path, "it is not text"));
            }
            Err(error) => return Err(OpenError::io(&path)(error)),
        };
        let Some((body, sum)) = text.strip_suffix('\n').and_then(|t| t.rsplit_once('\n')) else {
            return Err(OpenError::damaged(&path, "it has no checksum"));
        };
        if sum != sha256::Hash::hash(body.as_bytes()).to_string() {
            return Err(OpenError::damaged(&path, "its checksum is wrong"));
        }
        let found = serde_json::from_str::<Version>(body)
            .map_err(|e| OpenError::damaged(&path, e.to_string()))?;
        if found.format != FORMAT {
            return Err(OpenError::Format { path: dir.to_owned(), found: found.format });
        }
        serde_json::from_str(body).map_err(|e| OpenError::damaged(&path, e.to_string()))
    }

    /// Writes the manifest in one step.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let body = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        let sum = sha256::Hash::hash(body.as_bytes());
        let fresh = dir.join("manifest.new");
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{body}\n{sum}\n").as_bytes())?;
        file.sync_all()?;
        // Columns that were put in place are there before the manifest that speaks of them.
        File::open(dir)?.sync_all()?;
        // A crash before this leaves the old manifest, after it the new one.
        std::fs::rename(&fresh, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    }

    /// The graph's name for evidence: SHA-256 of the manifest, which holds the hash of every byte of every column.
    #[must_use]
    pub fn id(&self) -> String {
        let body = serde_json::to_string_pretty(self).unwrap_or_default();
        sha256::Hash::hash(body.as_bytes()).to_string()
    }
}

/// Just the version, whatever else a later format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}
