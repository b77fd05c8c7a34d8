//! Columns: their names, what they cost, and how rows of fixed and packed width are read and written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::bits::{LINE_BITS, SAMPLE};
use crate::manifest::Counts;
use crate::map::GrowingMap;

/// Checksums are over pieces of this many bytes, so that damage has a place.
pub const CHUNK: u64 = 16 << 20;
/// Every how many scripts an offset stands.
pub const SCRIPTS_AN_OFFSET: u64 = 8;
/// Bytes of an external coin's row: txid, output index, value, script.
pub const EXTERNAL_ROW: u64 = 48;
/// Bytes of a wide value: all amounts are below 2^51.
pub const WIDE_ROW: usize = 7;
/// Bytes of a block's row.
pub const BLOCK_ROW: u64 = 128;

/// What a column is for, which says how near it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heat {
    /// Walked by traces: worth memory.
    Hot,
    /// Needed to show a thing, or to check a lookup.
    Cold,
    /// Why two addresses are one cluster, what a witness revealed, coins from outside.
    Evidence,
}

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "`about` says what each is")]
pub enum Column {
    Blocks,
    OutRuns,
    OutSamples,
    InRuns,
    InSamples,
    Value,
    ValueWide,
    Script,
    Spender,
    Prevout,
    Traits,
    TxidBuckets,
    TxidIndex,
    ScriptBuckets,
    ScriptIndex,
    Cluster,
    Txid,
    ScriptBytes,
    ScriptOffsets,
    DataBytes,
    ClusterTx,
    External,
    Reveals,
}

impl Column {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 23] = [
        Self::Blocks,
        Self::OutRuns,
        Self::OutSamples,
        Self::InRuns,
        Self::InSamples,
        Self::Value,
        Self::ValueWide,
        Self::Script,
        Self::Spender,
        Self::Prevout,
        Self::Traits,
        Self::TxidBuckets,
        Self::TxidIndex,
        Self::ScriptBuckets,
        Self::ScriptIndex,
        Self::Cluster,
        Self::Txid,
        Self::ScriptBytes,
        Self::ScriptOffsets,
        Self::DataBytes,
        Self::ClusterTx,
        Self::External,
        Self::Reveals,
    ];

    /// Name of its file, heat, and what a row is.
    #[must_use]
    pub const fn about(self) -> (&'static str, Heat, &'static str) {
        use Heat::{Cold, Evidence, Hot};
        match self {
            Self::Blocks => ("blocks", Hot, "per block: hash, height, time, first rows"),
            Self::OutRuns => ("out-runs", Hot, "where each transaction's outputs begin"),
            Self::OutSamples => ("out-samples", Hot, "line of every 256th beginning"),
            Self::InRuns => ("in-runs", Hot, "where each transaction's inputs begin"),
            Self::InSamples => ("in-samples", Hot, "line of every 256th beginning"),
            Self::Value => ("value", Hot, "per output: amount, compressed"),
            Self::ValueWide => ("value-wide", Hot, "amounts that need more than 32 bits"),
            Self::Script => ("script", Hot, "per output: number of its script"),
            Self::Spender => ("spender", Hot, "per output: number of the spending transaction"),
            Self::Prevout => ("prevout", Hot, "per input: number of the output it spends"),
            Self::Traits => {
                ("traits", Hot, "per transaction: version, lock time, sequences, order")
            }
            Self::TxidBuckets => {
                ("txid-buckets", Hot, "where each bucket of the txid lookup begins")
            }
            Self::TxidIndex => ("txid-index", Hot, "txid lookup: transaction numbers by bucket"),
            Self::ScriptBuckets => {
                ("script-buckets", Hot, "where each bucket of the script lookup begins")
            }
            Self::ScriptIndex => ("script-index", Hot, "script lookup: script numbers by bucket"),
            Self::Cluster => {
                ("cluster", Hot, "per script: a script of its cluster, nearer the root")
            }
            Self::Txid => ("txid", Cold, "per transaction: its txid"),
            Self::ScriptBytes => ("script-bytes", Cold, "scripts, packed"),
            Self::ScriptOffsets => ("script-offsets", Cold, "where every eighth script begins"),
            Self::DataBytes => ("data-bytes", Cold, "scripts of data outputs"),
            Self::ClusterTx => {
                ("cluster-tx", Evidence, "per script: the transaction that joined it")
            }
            Self::External => {
                ("external", Evidence, "per coin from outside: outpoint, value, script")
            }
            Self::Reveals => ("reveals", Evidence, "witness scripts of bridge deposits"),
        }
    }

    /// Whether it is made from the others when a build ends.
    #[must_use]
    pub const fn is_made_last(self) -> bool {
        matches!(
            self,
            Self::OutSamples
                | Self::InSamples
                | Self::TxidBuckets
                | Self::TxidIndex
                | Self::ScriptBuckets
                | Self::ScriptIndex
                | Self::Cluster
                | Self::ClusterTx
        )
    }

    /// The file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.about().0
    }

    /// Bytes it has at these counts.
    #[must_use]
    pub fn len_at(self, counts: &Counts) -> u64 {
        let lines = |bits: u64| bits.div_ceil(LINE_BITS) * 64;
        match self {
            Self::Blocks => counts.blocks * BLOCK_ROW,
            Self::OutRuns => lines(counts.outputs),
            Self::InRuns => lines(counts.inputs),
            Self::OutSamples | Self::InSamples => counts.txs.div_ceil(SAMPLE) * 4,
            Self::Value | Self::Script | Self::Spender => counts.outputs * 4,
            Self::ValueWide => counts.wide * WIDE_ROW as u64,
            Self::Prevout => counts.inputs * 5,
            Self::Traits => counts.txs,
            Self::TxidIndex => counts.txs * 4,
            Self::ScriptIndex | Self::Cluster | Self::ClusterTx => counts.scripts * 4,
            Self::TxidBuckets => crate::lookup::bucket_rows(counts.txs) * 4,
            Self::ScriptBuckets => crate::lookup::bucket_rows(counts.scripts) * 4,
            Self::Txid => counts.txs * 32,
            Self::ScriptBytes => counts.script_bytes,
            Self::ScriptOffsets => counts.scripts.div_ceil(SCRIPTS_AN_OFFSET) * 5,
            Self::DataBytes => counts.data_bytes,
            Self::External => counts.externals * EXTERNAL_ROW,
            Self::Reveals => counts.reveal_bytes,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name())
    }

    /// Opens it to append rows, cut to these counts.
    pub(crate) fn append_at(self, dir: &Path, counts: &Counts) -> io::Result<Appender> {
        Appender::open(&self.path(dir), self.len_at(counts))
    }

    /// Opens it to append and change rows, cut to these counts.
    pub(crate) fn grow_at(self, dir: &Path, counts: &Counts) -> io::Result<GrowingMap> {
        let file = open_rw(&self.path(dir))?;
        file.set_len(self.len_at(counts))?;
        GrowingMap::open(file, self.len_at(counts))
    }
}

/// Appends rows to a column.
#[derive(Debug)]
pub struct Appender {
    file: BufWriter<File>,
}

impl Appender {
    /// Opens a column and cuts it to `len` bytes, which it has.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path, len: u64) -> io::Result<Self> {
        let mut file = open_rw(path)?;
        file.set_len(len)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Writes everything to disk, and after it a row that is not full yet and will be written again.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync_with_tail(&mut self, tail: &[u8]) -> io::Result<()> {
        self.file.flush()?;
        let at = self.file.stream_position()?;
        self.file.get_ref().write_all_at(tail, at)?;
        self.file.get_ref().sync_data()
    }

    /// Writes everything to disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }
}

/// Opens a file to read and write, making it if it is not there.
pub(crate) fn open_rw(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Reads a 40-bit number, little-endian, at row `at`.
#[must_use]
#[inline]
pub fn read_u40(column: &[u8], at: usize) -> Option<u64> {
    let start = at.checked_mul(5)?;
    // Eight bytes at once where there are so many: one load instead of five.
    match column.get(start..start.checked_add(8)?).and_then(<[u8]>::first_chunk::<8>) {
        Some(wide) => Some(u64::from_le_bytes(*wide) & ((1 << 40) - 1)),
        None => {
            let five = column.get(start..start + 5)?;
            Some(five.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
        }
    }
}

/// A 40-bit number as it stands on disk.
#[must_use]
pub fn u40(n: u64) -> [u8; 5] {
    let [a, b, c, d, e, ..] = n.to_le_bytes();
    [a, b, c, d, e]
}
