//! A graph that is open: every question about the chain, by number. Answers come from mapped columns; a damaged one
//! answers with nothing rather than with a panic, and `verify` says that it is damaged.

use std::fs::{File, TryLockError};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::amount::{WIDE_FROM, decompress};
use crate::bits;
use crate::block::Traits;
use crate::columns::{Column, SCRIPTS_AN_OFFSET, WIDE_ROW, read_u40};
use crate::error::OpenError;
use crate::header::{self, Hash};
use crate::lookup::{candidates, txid_key};
use crate::manifest::{Counts, Manifest};
use crate::map::Map;
use crate::num::{BlockNum, ExternalNum, InputNum, OutputNum, Prevout, ScriptNum, TxNum, index};
use crate::row::{BlockRow, External, NONE};
use crate::script::{HashKey, Packed, read_data};

#[cfg(target_endian = "big")]
compile_error!("columns are mapped as little-endian numbers");

/// An open graph.
#[derive(Debug)]
pub struct Graph {
    dir: PathBuf,
    manifest: Manifest,
    maps: Vec<Map>,
    /// Held so that no build changes the files meanwhile.
    #[expect(dead_code, reason = "a lock is held, not read")]
    lock: Option<File>,
}

/// The file that readers lock together and a build alone.
pub(crate) const LOCK: &str = "lock";

fn lock_shared(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK);
    let file = File::open(&path).map_err(OpenError::io(&path))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&path)(error)),
    }
}

impl Graph {
    /// Opens a finished graph. Sizes, the manifest's own hash and the last block are checked; every byte is by
    /// [`crate::verify`].
    ///
    /// # Errors
    /// No graph, damaged, unfinished, or of another format.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        // Missing is said of the manifest, not of the lock; what counts is read under the lock.
        Manifest::read(dir)?;
        let lock = lock_shared(dir)?;
        let manifest = Manifest::read(dir)?;
        if !manifest.finished {
            return Err(OpenError::Unfinished { path: dir.to_owned() });
        }
        let graph = Self { lock: Some(lock), ..Self::open_without(dir, manifest, &[])? };
        graph.check_tip()?;
        Ok(graph)
    }

    /// Opens the columns of a build under way, which holds the lock; `absent` ones are empty.
    pub(crate) fn open_without(
        dir: &Path,
        manifest: Manifest,
        absent: &[Column],
    ) -> Result<Self, OpenError> {
        let mut maps = Vec::with_capacity(Column::ALL.len());
        for column in Column::ALL {
            let path = column.path(dir);
            if absent.contains(&column) {
                maps.push(Map::default());
                continue;
            }
            let len = column.len_at(&manifest.counts);
            let file = File::open(&path).map_err(OpenError::io(&path))?;
            let found = file.metadata().map_err(OpenError::io(&path))?.len();
            if manifest.finished && found != len {
                let reason = format!("it has {found} bytes, the manifest says {len}");
                return Err(OpenError::damaged(&path, reason));
            }
            let map = Map::open(&file, len).map_err(OpenError::io(&path))?;
            maps.push(map);
        }
        Ok(Self { dir: dir.to_owned(), manifest, maps, lock: None })
    }

    fn check_tip(&self) -> Result<(), OpenError> {
        let last = self.manifest.counts.blocks.checked_sub(1);
        let tip = last.and_then(|last| BlockRow::read(self.col(Column::Blocks), index(last)));
        let shown = tip.map(|row| header::show(&row.hash)).unwrap_or_default();
        if shown == self.manifest.tip {
            return Ok(());
        }
        let reason =
            format!("its last block is `{shown}`, the manifest says `{}`", self.manifest.tip);
        Err(OpenError::damaged(&Column::Blocks.path(&self.dir), reason))
    }

    /// The bytes of a column.
    #[must_use]
    #[inline]
    pub fn col(&self, column: Column) -> &[u8] {
        self.maps.get(column as usize).map_or(&[], |map| map)
    }

    /// A column of 32-bit numbers.
    #[must_use]
    #[inline]
    pub fn u32s(&self, column: Column) -> &[u32] {
        bytemuck::try_cast_slice(self.col(column)).unwrap_or_default()
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What its manifest says.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Rows in its columns.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.manifest.counts
    }

    /// Transactions of the graph, as numbers.
    pub fn txs(&self) -> impl ExactSizeIterator<Item = TxNum> + Clone + use<> {
        (0..u32::try_from(self.manifest.counts.txs).unwrap_or(u32::MAX)).map(TxNum)
    }

    /// Starts of outputs by transaction.
    #[inline]
    pub(crate) fn out_runs(&self) -> Option<bits::View<'_>> {
        self.runs(Column::OutRuns, Column::OutSamples, self.manifest.counts.outputs)
    }

    /// Starts of inputs by transaction.
    #[inline]
    pub(crate) fn in_runs(&self) -> Option<bits::View<'_>> {
        self.runs(Column::InRuns, Column::InSamples, self.manifest.counts.inputs)
    }

    #[inline]
    fn runs(&self, lines: Column, samples: Column, len: u64) -> Option<bits::View<'_>> {
        let lines = bytemuck::try_cast_slice(self.col(lines)).unwrap_or_default();
        bits::View::new(lines, len, self.manifest.counts.txs, self.u32s(samples))
    }

    /// Outputs of a transaction. Empty if there is no such transaction.
    #[must_use]
    #[inline]
    pub fn outputs_of(&self, tx: TxNum) -> Numbers {
        Numbers(range_of(self.out_runs(), tx, self.manifest.counts.txs))
    }

    /// Outputs of transactions that are asked in rising order: faster than one by one.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        Walk { cursor: self.out_runs().map(bits::Cursor::new), txs: self.manifest.counts.txs }
    }

    /// Inputs of a transaction. Empty if there is no such transaction.
    #[must_use]
    #[inline]
    pub fn inputs_of(&self, tx: TxNum) -> Range<u64> {
        range_of(self.in_runs(), tx, self.manifest.counts.txs)
    }

    /// The transaction that made an output.
    #[must_use]
    #[inline]
    pub fn tx_of(&self, output: OutputNum) -> Option<TxNum> {
        if output.0 >= self.manifest.counts.outputs {
            return None;
        }
        let run = self.out_runs()?.run_of(output.0);
        u32::try_from(run).ok().map(TxNum)
    }

    /// What an input spends.
    #[must_use]
    #[inline]
    pub fn prevout(&self, input: InputNum) -> Option<Prevout> {
        read_u40(self.col(Column::Prevout), input.idx()).map(Prevout::from_code)
    }

    /// What the inputs of a transaction spend, in order.
    pub fn prevouts(&self, tx: TxNum) -> impl ExactSizeIterator<Item = Prevout> + Clone + '_ {
        let inputs = self.inputs_of(tx);
        let inputs = index(inputs.start)..index(inputs.end);
        let column = self.col(Column::Prevout);
        inputs.map(move |at| read_u40(column, at).map_or(Prevout::Coinbase, Prevout::from_code))
    }

    /// An output's value in satoshi.
    #[must_use]
    #[inline]
    pub fn value(&self, output: OutputNum) -> u64 {
        let (values, wide) = (self.col(Column::Value), self.col(Column::ValueWide));
        read_value(values, wide, output.idx()).unwrap_or(0)
    }

    /// The value that an input spends, where it is known; a coinbase spends nothing.
    #[must_use]
    #[inline]
    pub fn prevout_value(&self, prevout: Prevout) -> Option<u64> {
        match prevout {
            Prevout::Held(output) => Some(self.value(output)),
            Prevout::External(external) => self.external(external)?.value_sat,
            Prevout::Coinbase => None,
        }
    }

    /// The script that an input spends, where it is known.
    #[must_use]
    #[inline]
    pub fn prevout_script(&self, prevout: Prevout) -> Option<ScriptNum> {
        match prevout {
            Prevout::Held(output) => self.script(output),
            Prevout::External(external) => self.external(external)?.script,
            Prevout::Coinbase => None,
        }
    }

    /// An output's script; `None` for data outputs.
    #[must_use]
    #[inline]
    pub fn script(&self, output: OutputNum) -> Option<ScriptNum> {
        let number = self.u32s(Column::Script).get(output.idx()).copied()?;
        (number != NONE).then_some(ScriptNum(number))
    }

    /// The transaction that spends an output. A coinbase there is no spender: it repeated the txid and destroyed the
    /// coin (BIP 30); ask [`Graph::is_coinbase`].
    #[must_use]
    #[inline]
    pub fn spender(&self, output: OutputNum) -> Option<TxNum> {
        let number = self.u32s(Column::Spender).get(output.idx()).copied()?;
        (number != 0 && number != NONE).then_some(TxNum(number))
    }

    /// Whether a transaction makes new coins.
    #[must_use]
    pub fn is_coinbase(&self, tx: TxNum) -> bool {
        self.prevouts(tx).next() == Some(Prevout::Coinbase)
    }

    /// A coin from outside.
    #[must_use]
    pub fn external(&self, external: ExternalNum) -> Option<External> {
        External::read(self.col(Column::External), external.idx())
    }

    /// Habits of the software that made a transaction.
    #[must_use]
    pub fn traits(&self, tx: TxNum) -> Traits {
        Traits(self.col(Column::Traits).get(tx.idx()).copied().unwrap_or(0))
    }

    /// A transaction's txid; zeros if there is no such transaction.
    #[must_use]
    pub fn txid(&self, tx: TxNum) -> Hash {
        let at = tx.idx() * 32;
        self.col(Column::Txid).get(at..).and_then(|b| b.first_chunk()).copied().unwrap_or_default()
    }

    /// A script.
    #[must_use]
    pub fn packed(&self, script: ScriptNum) -> Option<Packed<'_>> {
        read_script(self.col(Column::ScriptBytes), self.col(Column::ScriptOffsets), script.0)
    }

    /// A data output's script: those of its block stand one after the other, in the order of the outputs. Who asks for
    /// several in rising order, with one cursor, walks each block once.
    #[must_use]
    pub fn data(&self, cursor: &mut DataCursor, output: OutputNum) -> Option<&[u8]> {
        let scripts = self.u32s(Column::Script);
        if scripts.get(output.idx()) != Some(&NONE) {
            return None;
        }
        if !(cursor.output..cursor.end).contains(&output.0) {
            let row = self.last_block(|row| row.before.outputs <= output.0)?;
            let next = u32::try_from(row.before.blocks + 1).ok();
            let next = next.and_then(|next| self.block(BlockNum(next)));
            *cursor = DataCursor {
                output: row.before.outputs,
                end: next.map_or(self.manifest.counts.outputs, |next| next.before.outputs),
                place: row.before.data_bytes,
            };
        }
        let between = scripts.get(index(cursor.output)..output.idx())?;
        let column = self.col(Column::DataBytes);
        let mut rest = column.get(index(cursor.place)..)?;
        for _ in between.iter().filter(|script| **script == NONE) {
            rest = read_data(rest)?.1;
        }
        cursor.output = output.0;
        cursor.place = (column.len() - rest.len()) as u64;
        Some(read_data(rest)?.0)
    }

    /// The scripts of a transaction's outputs, of data outputs too.
    pub fn scripts_of(&self, tx: TxNum) -> impl Iterator<Item = (OutputNum, Vec<u8>)> + '_ {
        let mut cursor = DataCursor::default();
        self.outputs_of(tx).map(move |output| {
            let script = match self.script(output) {
                Some(script) => self.packed(script).map(|p| p.script()).unwrap_or_default(),
                None => self.data(&mut cursor, output).unwrap_or_default().to_vec(),
            };
            (output, script)
        })
    }

    /// An output's script, of data outputs too.
    #[must_use]
    pub fn script_of(&self, output: OutputNum) -> Vec<u8> {
        match self.script(output) {
            Some(script) => self.packed(script).map(|p| p.script()).unwrap_or_default(),
            None => self.data(&mut DataCursor::default(), output).unwrap_or_default().to_vec(),
        }
    }

    /// Transactions with this txid: one, but for the two coinbases of 2010 that came twice; in chain order.
    #[must_use]
    pub fn find_txs(&self, txid: &Hash) -> Vec<TxNum> {
        let (bounds, numbers) = (self.u32s(Column::TxidBuckets), self.u32s(Column::TxidIndex));
        candidates(self.manifest.counts.txs, bounds, numbers, txid_key(txid))
            .iter()
            .map(|n| TxNum(*n))
            .filter(|n| self.txid(*n) == *txid)
            .collect()
    }

    /// The transaction with this txid; of repeated ones the last, whose coins exist.
    #[must_use]
    pub fn find_tx(&self, txid: &Hash) -> Option<TxNum> {
        self.find_txs(txid).last().copied()
    }

    /// A script's number, if any output has that script.
    #[must_use]
    pub fn find_script(&self, script: &[u8]) -> Option<ScriptNum> {
        let packed = Packed::of(script)?;
        let [a, b] = self.manifest.hash_key;
        let (bounds, numbers) = (self.u32s(Column::ScriptBuckets), self.u32s(Column::ScriptIndex));
        candidates(self.manifest.counts.scripts, bounds, numbers, packed.hash(HashKey(a, b)))
            .iter()
            .map(|n| ScriptNum(*n))
            .find(|n| self.packed(*n) == Some(packed))
    }

    /// A block's row.
    #[must_use]
    pub fn block(&self, block: BlockNum) -> Option<BlockRow> {
        BlockRow::read(self.col(Column::Blocks), block.idx())
    }

    /// Blocks in order.
    pub fn blocks(&self) -> impl Iterator<Item = BlockRow> + '_ {
        let column = self.col(Column::Blocks);
        (0..index(self.manifest.counts.blocks)).map_while(move |at| BlockRow::read(column, at))
    }

    /// The block of a transaction.
    #[must_use]
    pub fn block_of(&self, tx: TxNum) -> Option<BlockRow> {
        self.last_block(|row| row.before.txs <= u64::from(tx.0))
    }

    /// The last block that begins early enough.
    fn last_block(&self, early: impl Fn(&BlockRow) -> bool) -> Option<BlockRow> {
        let blocks = u32::try_from(self.manifest.counts.blocks).ok()?;
        let (mut low, mut high) = (0, blocks);
        while low < high {
            let middle = low.midpoint(high);
            if early(&self.block(BlockNum(middle))?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.block(BlockNum(low.checked_sub(1)?))
    }

    /// Transactions of the block that begins with these rows.
    #[must_use]
    pub fn txs_of(&self, block: &BlockRow) -> Range<u32> {
        let next =
            u32::try_from(block.before.blocks + 1).ok().and_then(|n| self.block(BlockNum(n)));
        let end = next.map_or(self.manifest.counts.txs, |n| n.before.txs);
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        number(block.before.txs)..number(end)
    }

    /// Outputs with any of these scripts, in chain order: two threads walk the column of scripts.
    #[must_use]
    pub fn outputs_with(&self, wanted: &[ScriptNum]) -> Vec<OutputNum> {
        let column = self.u32s(Column::Script);
        let mut set: Vec<u32> = wanted.iter().map(|s| s.0).collect();
        set.sort_unstable();
        set.dedup();
        let Some((first, last)) = set.first().copied().zip(set.last().copied()) else {
            return Vec::new();
        };
        let search = |from: usize, part: &[u32]| -> Vec<OutputNum> {
            let hit = |n: &u32| {
                (first..=last).contains(n) && (first == last || set.binary_search(n).is_ok())
            };
            part.iter()
                .enumerate()
                .filter(|(_, n)| hit(n))
                .map(|(at, _)| OutputNum((from + at) as u64))
                .collect()
        };
        let (left, right) = column.split_at(column.len() / 2);
        if column.len() < 1 << 16 {
            return search(0, column);
        }
        std::thread::scope(|scope| {
            let second = scope.spawn(|| search(left.len(), right));
            let mut all = search(0, left);
            all.extend(second.join().unwrap_or_default());
            all
        })
    }

    /// Scripts that spends revealed: the input, the key that signed, the script; in chain order.
    pub fn reveals(&self) -> impl Iterator<Item = (InputNum, &[u8], &[u8])> {
        let mut rest = self.col(Column::Reveals);
        std::iter::from_fn(move || {
            let input = read_u40(rest.get(..5)?, 0)?;
            let key_len = usize::from(*rest.get(5)?);
            let script_len = usize::from(u16::from_le_bytes(*rest.get(6..8)?.first_chunk()?));
            let (key, after) = rest.get(8..)?.split_at_checked(key_len)?;
            let (script, after) = after.split_at_checked(script_len)?;
            rest = after;
            Some((InputNum(input), key, script))
        })
    }

    /// The transaction that has an input.
    #[must_use]
    pub fn tx_of_input(&self, input: InputNum) -> Option<TxNum> {
        if input.0 >= self.manifest.counts.inputs {
            return None;
        }
        u32::try_from(self.in_runs()?.run_of(input.0)).ok().map(TxNum)
    }

    /// The root script of a script's cluster: equal for two scripts exactly when they are in one cluster.
    #[must_use]
    pub fn cluster(&self, script: ScriptNum) -> ScriptNum {
        let parents = self.u32s(Column::Cluster);
        let mut at = script.0;
        // Joined by size, so no chain is longer than 32; a damaged one ends there too.
        for _ in 0..64 {
            match parents.get(at as usize) {
                Some(parent) if *parent != at => at = *parent,
                _ => break,
            }
        }
        ScriptNum(at)
    }
}

/// Where [`Graph::data`] was last: an output, the end of its block, and the place of its script.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataCursor {
    output: u64,
    end: u64,
    place: u64,
}

/// See [`Graph::walk`].
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    cursor: Option<bits::Cursor<'a>>,
    txs: u64,
}

impl Walk<'_> {
    /// Outputs of a transaction. Empty if there is no such transaction.
    #[inline]
    pub fn outputs_of(&mut self, tx: TxNum) -> Numbers {
        match &mut self.cursor {
            Some(cursor) if u64::from(tx.0) < self.txs => Numbers(cursor.range(u64::from(tx.0))),
            _ => Numbers(0..0),
        }
    }
}

/// Numbers of outputs, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbers(pub Range<u64>);

impl Iterator for Numbers {
    type Item = OutputNum;
    fn next(&mut self) -> Option<OutputNum> {
        self.0.next().map(OutputNum)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Numbers {
    fn len(&self) -> usize {
        index(self.0.end.saturating_sub(self.0.start))
    }
}

fn range_of(runs: Option<bits::View<'_>>, tx: TxNum, txs: u64) -> Range<u64> {
    match runs {
        Some(runs) if u64::from(tx.0) < txs => runs.range(u64::from(tx.0)),
        _ => 0..0,
    }
}

/// Reads a value from its two columns.
#[must_use]
#[inline]
pub fn read_value(values: &[u8], wide: &[u8], at: usize) -> Option<u64> {
    let code = u32::from_le_bytes(*values.get(at.checked_mul(4)?..)?.first_chunk()?);
    if code < WIDE_FROM {
        return Some(decompress(u64::from(code)));
    }
    let place = (code - WIDE_FROM) as usize * WIDE_ROW;
    let bytes: &[u8; WIDE_ROW] = wide.get(place..)?.first_chunk()?;
    Some(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// Reads a script from its two columns.
#[must_use]
#[inline]
pub fn read_script<'a>(bytes: &'a [u8], offsets: &[u8], number: u32) -> Option<Packed<'a>> {
    let start = read_u40(offsets, index(u64::from(number) / SCRIPTS_AN_OFFSET))?;
    let mut rest = bytes.get(index(start)..)?;
    for _ in 0..u64::from(number) % SCRIPTS_AN_OFFSET {
        rest = Packed::read(rest)?.1;
    }
    Some(Packed::read(rest)?.0)
}
