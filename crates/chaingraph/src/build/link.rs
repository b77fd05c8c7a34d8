//! Who spends what: every input finds its output by txid, in a table of the coins that are unspent so far.

use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use hashbrown::HashMap;

use super::{OutsideCoin, Work};
use crate::amount::{WIDE_FROM, compress};
use crate::bits;
use crate::block::{Fault, Input, Parsed};
use crate::columns::{Appender, Column, WIDE_ROW, open_rw, u40};
use crate::graph::read_value;
use crate::header::Hash;
use crate::manifest::Counts;
use crate::map::GrowingMap;
use crate::num::{ExternalNum, OutputNum, Prevout, TxNum, index};
use crate::row::NONE;
use crate::undo::BlockUndo;

/// A transaction with unspent outputs.
#[derive(Clone, Copy, Debug)]
pub struct Unspent {
    /// Number of its first output.
    pub first: u64,
    /// How many outputs it has.
    pub outputs: u32,
    /// How many of them can still be spent.
    pub left: u32,
}

/// Txids are hashes already; an odd factor keeps ground ones from sharing a bucket.
#[derive(Clone, Copy, Debug)]
pub struct TxidHash(pub u64);

impl BuildHasher for TxidHash {
    type Hasher = TxidHasher;
    fn build_hasher(&self) -> TxidHasher {
        TxidHasher(self.0 | 1)
    }
}

/// See [`TxidHash`].
#[derive(Clone, Copy, Debug)]
pub struct TxidHasher(u64);

impl Hasher for TxidHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        // A txid's length comes first, as eight bytes; then the txid.
        if let Some(first) = bytes.first_chunk::<8>().filter(|_| bytes.len() == 32) {
            let key = u64::from_le_bytes(*first).wrapping_mul(self.0);
            self.0 = key ^ (key >> 32);
        }
    }
    fn write_usize(&mut self, _: usize) {}
}

/// The table of unspent coins.
pub type Coins = HashMap<Hash, Unspent, TxidHash>;

/// The stage that resolves inputs; it owns the columns of values, spenders and prevouts.
pub struct Linker {
    coins: Coins,
    txid: Appender,
    traits: Appender,
    out_runs: (Appender, bits::Writer),
    in_runs: (Appender, bits::Writer),
    prevout: Appender,
    value: GrowingMap,
    wide: GrowingMap,
    spender: GrowingMap,
    /// Rows so far.
    pub counts: Counts,
    /// Whether an unknown coin can only be an invention.
    complete: bool,
    /// What the block at hand changed, to take it back.
    log: Vec<(Hash, Option<Unspent>)>,
    spent: Vec<u64>,
}

impl Linker {
    /// Opens the columns at `counts`, to which they are cut.
    pub fn open(dir: &Path, counts: Counts, coins: Coins, complete: bool) -> io::Result<Self> {
        let appender = |column: Column| column.append_at(dir, &counts);
        let growing = |column: Column| column.grow_at(dir, &counts);
        let runs = |column: Column, bits: u64| resume_runs(&column.path(dir), bits, counts.txs);
        Ok(Self {
            coins,
            txid: appender(Column::Txid)?,
            traits: appender(Column::Traits)?,
            out_runs: runs(Column::OutRuns, counts.outputs)?,
            in_runs: runs(Column::InRuns, counts.inputs)?,
            prevout: appender(Column::Prevout)?,
            value: growing(Column::Value)?,
            wide: growing(Column::ValueWide)?,
            spender: growing(Column::Spender)?,
            counts,
            complete,
            log: Vec::new(),
            spent: Vec::new(),
        })
    }

    /// A block is missing from here on: unknown coins may exist.
    pub fn note_hole(&mut self) {
        self.complete = false;
    }

    /// Resolves a block's inputs and appends its rows. On a fault the block leaves no trace.
    pub fn block(&mut self, work: &mut Work) -> io::Result<Result<(), Fault>> {
        work.before = self.counts;
        work.prevouts.clear();
        work.externals.clear();
        self.log.clear();
        self.spent.clear();
        self.push_values(&work.parsed)?;
        match self.resolve(work) {
            Ok(()) => {
                self.append(work)?;
                Ok(Ok(()))
            }
            Err(fault) => {
                self.take_back(&work.before);
                Ok(Err(fault))
            }
        }
    }

    fn push_values(&mut self, parsed: &Parsed) -> io::Result<()> {
        for output in &parsed.outputs {
            let code = match u32::try_from(compress(output.value_sat)) {
                Ok(code) if code < WIDE_FROM => code,
                _ => {
                    let place = u32::try_from(self.wide.len() / WIDE_ROW)
                        .ok()
                        .filter(|place| *place < u32::MAX - WIDE_FROM)
                        .ok_or_else(|| {
                            io::Error::other("more large amounts than the format can hold")
                        })?;
                    let bytes = output.value_sat.to_le_bytes();
                    self.wide.push(bytes.get(..WIDE_ROW).unwrap_or_default())?;
                    WIDE_FROM + place
                }
            };
            self.value.push(&code.to_le_bytes())?;
            let spender = if output.tag.is_some() { 0 } else { NONE };
            self.spender.push(&spender.to_le_bytes())?;
        }
        Ok(())
    }

    fn take_back(&mut self, before: &Counts) {
        // Backwards, so that the oldest state of each entry comes last and stays.
        while let Some((txid, entry)) = self.log.pop() {
            match entry {
                Some(entry) => self.coins.insert(txid, entry),
                None => self.coins.remove(&txid),
            };
        }
        for output in std::mem::take(&mut self.spent) {
            self.set_spender(output, 0);
        }
        self.value.truncate(index(before.outputs * 4));
        self.spender.truncate(index(before.outputs * 4));
        self.wide.truncate(index(before.wide * WIDE_ROW as u64));
    }

    fn resolve(&mut self, work: &mut Work) -> Result<(), Fault> {
        let parsed = &work.parsed;
        let (mut inputs, mut outputs) = (parsed.inputs.iter(), parsed.outputs.iter());
        let mut first_output = self.counts.outputs;
        for (at, tx) in parsed.txs.iter().enumerate() {
            let number = self.counts.txs + at as u64;
            let number = u32::try_from(number)
                .ok()
                .filter(|n| *n < u32::MAX)
                .map(TxNum)
                .ok_or(Fault { at: 0, what: "more transactions than the format can number" })?;
            let (mut sum_in, mut known) = (0_u128, true);
            for nth in 0..tx.inputs {
                let Some(input) = inputs.next() else { break };
                if at == 0 {
                    work.prevouts.push(Prevout::Coinbase.code());
                    continue;
                }
                let value = match self.spend(input, number)? {
                    Some(output) => {
                        work.prevouts.push(Prevout::Held(output).code());
                        Some(self.value_of(output))
                    }
                    None => {
                        let coin = self.outside_coin(input, work.undo.as_ref(), at, nth)?;
                        let number = self.counts.externals + work.externals.len() as u64;
                        work.prevouts.push(Prevout::External(ExternalNum(number)).code());
                        let value = coin.value_sat;
                        work.externals.push(coin);
                        value
                    }
                };
                match value {
                    Some(value) => sum_in += u128::from(value),
                    None => known = false,
                }
            }
            let mut spendable = 0;
            let mut sum_out = 0_u128;
            for output in outputs.by_ref().take(tx.outputs as usize) {
                sum_out += u128::from(output.value_sat);
                spendable += u32::from(output.tag.is_some());
            }
            if at > 0 && known && sum_out > sum_in {
                return Err(Fault { at: 80, what: "a transaction pays more than it spends" });
            }
            let coin = Unspent { first: first_output, outputs: tx.outputs, left: spendable };
            self.add(tx.txid, coin, number, at == 0)?;
            first_output += u64::from(tx.outputs);
        }
        Ok(())
    }

    /// Spends a coin of the table; `None` if it is not there.
    fn spend(&mut self, input: &Input, by: TxNum) -> Result<Option<OutputNum>, Fault> {
        let fault = |what| Err(Fault { at: 80, what });
        let Some(coin) = self.coins.get_mut(&input.txid) else { return Ok(None) };
        if input.vout >= coin.outputs {
            return fault("an input spends an output that its transaction does not have");
        }
        let output = coin.first + u64::from(input.vout);
        self.log.push((input.txid, Some(*coin)));
        coin.left = coin.left.saturating_sub(1);
        if coin.left == 0 {
            self.coins.remove(&input.txid);
        }
        match self.spender_of(output) {
            0 => {}
            NONE => return fault("an input spends a data output, which nobody can"),
            _ => return fault("an input spends what is spent already"),
        }
        self.spent.push(output);
        self.set_spender(output, by.0);
        Ok(Some(OutputNum(output)))
    }

    /// A coin that the graph does not hold; undo data may tell what it was.
    fn outside_coin(
        &self,
        input: &Input,
        undo: Option<&BlockUndo>,
        tx: usize,
        nth: u32,
    ) -> Result<OutsideCoin, Fault> {
        if self.complete {
            let what = "an input spends a coin that was never made";
            return Err(Fault { at: 80, what });
        }
        let known = undo.and_then(|u| u.coin(tx, nth));
        Ok(OutsideCoin {
            txid: input.txid,
            vout: input.vout,
            value_sat: known.map(|k| k.value_sat),
            script: known.and_then(|k| k.script.clone()),
        })
    }

    /// Adds a transaction's outputs to the table. The same txid may come again only when the first one is spent, but
    /// for two coinbases of 2010 whose copies destroyed them (BIP 30): their coins get the copy as spender.
    fn add(&mut self, txid: Hash, coin: Unspent, by: TxNum, coinbase: bool) -> Result<(), Fault> {
        let old = if coin.left == 0 { None } else { self.coins.insert(txid, coin) };
        self.log.push((txid, old));
        let Some(old) = old else { return Ok(()) };
        if !coinbase {
            let what = "a transaction repeats the txid of one that is not spent (BIP 30)";
            return Err(Fault { at: 80, what });
        }
        for output in old.first..old.first + u64::from(old.outputs) {
            if self.spender_of(output) == 0 {
                self.spent.push(output);
                self.set_spender(output, by.0);
            }
        }
        Ok(())
    }

    fn value_of(&self, output: OutputNum) -> u64 {
        read_value(self.value.bytes(), self.wide.bytes(), output.idx()).unwrap_or(0)
    }

    fn spender_of(&self, output: u64) -> u32 {
        let at = index(output) * 4;
        self.spender
            .bytes()
            .get(at..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u32::from_le_bytes(*b))
    }

    fn set_spender(&mut self, output: u64, by: u32) {
        let at = index(output) * 4;
        let cell = self.spender.bytes_mut().get_mut(at..).and_then(|b| b.first_chunk_mut());
        if let Some(cell) = cell {
            *cell = by.to_le_bytes();
        }
    }

    fn append(&mut self, work: &Work) -> io::Result<()> {
        let parsed = &work.parsed;
        let mut failed = Ok(());
        for tx in &parsed.txs {
            self.txid.push(&tx.txid)?;
            self.traits.push(&[tx.traits.0])?;
            let sides = [(&mut self.out_runs, tx.outputs), (&mut self.in_runs, tx.inputs)];
            for ((file, writer), n) in sides {
                writer.run(u64::from(n), &mut |line| {
                    if failed.is_ok() {
                        failed = file.push(bytemuck::cast_slice(&line));
                    }
                });
            }
        }
        failed?;
        for code in &work.prevouts {
            self.prevout.push(&u40(*code))?;
        }
        let c = &mut self.counts;
        c.blocks += 1;
        c.txs += parsed.txs.len() as u64;
        c.outputs += parsed.outputs.len() as u64;
        c.inputs += parsed.inputs.len() as u64;
        c.externals += work.externals.len() as u64;
        c.wide = (self.wide.len() / WIDE_ROW) as u64;
        Ok(())
    }

    /// Brings every row to disk.
    pub fn sync(&mut self) -> io::Result<()> {
        for (file, writer) in [&mut self.out_runs, &mut self.in_runs] {
            file.sync_with_tail(
                writer.tail().as_ref().map_or(&[], |line| bytemuck::cast_slice(line)),
            )?;
        }
        for file in [&mut self.txid, &mut self.traits, &mut self.prevout] {
            file.sync()?;
        }
        self.value.sync()?;
        self.wide.sync()?;
        self.spender.sync()
    }

    /// Brings every row to disk and cuts the files to their rows.
    pub fn finish(mut self) -> io::Result<Counts> {
        self.sync()?;
        self.value.finish()?;
        self.wide.finish()?;
        self.spender.finish()?;
        Ok(self.counts)
    }
}

/// Opens a column of runs at `bits` bits and `ones` runs: whole lines stay in the file, the last one is gone on with.
fn resume_runs(path: &Path, bits: u64, ones: u64) -> io::Result<(Appender, bits::Writer)> {
    let whole = bits / bits::LINE_BITS * 64;
    let mut line = [0_u64; bits::LINE_WORDS];
    let over = bits % bits::LINE_BITS;
    if over > 0 {
        let mut bytes = [0_u8; 64];
        open_rw(path)?.read_exact_at(&mut bytes, whole)?;
        for (word, eight) in line.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = eight.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        }
        let mut cut = line.to_vec();
        bits::cut(&mut cut, over);
        line = cut.first_chunk().copied().unwrap_or(line);
    }
    Ok((Appender::open(path, whole)?, bits::Writer::resume(bits, ones, line)))
}
