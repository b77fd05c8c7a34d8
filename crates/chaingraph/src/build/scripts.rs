//! Scripts get their numbers, by first appearance; and everything else that has bytes of its own is kept.

use std::io;
use std::path::Path;

use hashbrown::HashTable;

use super::Work;
use crate::columns::{Appender, Column, SCRIPTS_AN_OFFSET, u40};
use crate::graph::read_script;
use crate::header::Header;
use crate::manifest::Counts;
use crate::map::GrowingMap;
use crate::num::ScriptNum;
use crate::row::{BlockRow, External, NONE};
use crate::script::{HashKey, Packed, write_data};

/// Clusters are made with 31-bit numbers. The main network had 1.4 billion scripts in 2026.
const SCRIPTS_MAX: u32 = 1 << 31;

/// The stage after linking; it owns the columns of scripts, data and blocks.
pub struct Scripter {
    table: HashTable<u32>,
    key: HashKey,
    bytes: GrowingMap,
    offsets: GrowingMap,
    script: Appender,
    data_bytes: Appender,
    external: Appender,
    reveals: Appender,
    blocks: Appender,
    /// Rows so far of what this stage counts; the rest comes with each block.
    pub counts: Counts,
    packed: Vec<u8>,
}

impl Scripter {
    /// Opens the columns at `counts`, to which they are cut, with room for `expected` scripts.
    pub fn open(dir: &Path, counts: Counts, key: HashKey, expected: usize) -> io::Result<Self> {
        let appender = |column: Column| column.append_at(dir, &counts);
        let growing = |column: Column| column.grow_at(dir, &counts);
        let mut scripter = Self {
            table: HashTable::with_capacity(expected),
            key,
            bytes: growing(Column::ScriptBytes)?,
            offsets: growing(Column::ScriptOffsets)?,
            script: appender(Column::Script)?,
            data_bytes: appender(Column::DataBytes)?,
            external: appender(Column::External)?,
            reveals: appender(Column::Reveals)?,
            blocks: appender(Column::Blocks)?,
            counts,
            packed: Vec::new(),
        };
        scripter.fill_table();
        Ok(scripter)
    }

    /// After a stop: all scripts so far, in order.
    fn fill_table(&mut self) {
        let Self { table, key, bytes, counts, .. } = self;
        let mut rest = bytes.bytes();
        let mut hashes = Vec::new();
        let mut number = 0_u32;
        while u64::from(number) < counts.scripts {
            let Some((packed, after)) = Packed::read(rest) else { break };
            let hash = packed.hash(*key);
            hashes.push(hash);
            table.insert_unique(hash, number, |n| hashes.get(*n as usize).copied().unwrap_or(0));
            rest = after;
            number += 1;
        }
    }

    /// Appends a block's rows.
    pub fn block(&mut self, work: &Work) -> io::Result<()> {
        let before = Counts {
            blocks: work.before.blocks,
            txs: work.before.txs,
            outputs: work.before.outputs,
            inputs: work.before.inputs,
            wide: work.before.wide,
            externals: work.before.externals,
            ..self.counts
        };
        for coin in &work.externals {
            let script = match coin.script.as_deref().and_then(Packed::of) {
                Some(packed) => Some(self.number(packed, packed.hash(self.key))?),
                None => None,
            };
            let row = External {
                txid: coin.txid,
                vout: coin.vout,
                value_sat: coin.value_sat,
                script: script.map(ScriptNum),
            };
            self.external.push(&row.encode())?;
        }
        self.outputs(work)?;
        self.keep_reveals(work)?;
        if let Some(header) = work.parsed.header {
            self.blocks.push(&Self::row(work, &header, before).encode())?;
        }
        Ok(())
    }

    fn row(work: &Work, header: &Header, before: Counts) -> BlockRow {
        BlockRow {
            hash: header.hash,
            height: work.height,
            time: header.time,
            bits: header.bits,
            starts_piece: work.starts_piece,
            before,
            len: u32::try_from(work.parsed.bytes.len()).unwrap_or(u32::MAX),
        }
    }

    fn outputs(&mut self, work: &Work) -> io::Result<()> {
        for output in &work.parsed.outputs {
            let number = match work.parsed.packed(output) {
                Some(packed) => self.number(packed, output.hash)?,
                None => {
                    self.packed.clear();
                    write_data(work.parsed.payload(output), &mut self.packed);
                    self.data_bytes.push(&self.packed)?;
                    self.counts.datas += 1;
                    self.counts.data_bytes += self.packed.len() as u64;
                    NONE
                }
            };
            self.script.push(&number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Rows of reveals: input number in 40 bits, lengths of key and script in 8 and 16, key, script.
    fn keep_reveals(&mut self, work: &Work) -> io::Result<()> {
        let bytes = |range: &std::ops::Range<usize>| {
            work.parsed.bytes.get(range.clone()).unwrap_or_default()
        };
        for reveal in &work.parsed.reveals {
            let (key, script) = (bytes(&reveal.key), bytes(&reveal.script));
            let lens = u8::try_from(key.len()).ok().zip(u16::try_from(script.len()).ok());
            let Some((key_len, script_len)) = lens else { continue }; // no key is so long: not a deposit's
            self.reveals.push(&u40(work.before.inputs + u64::from(reveal.input)))?;
            self.reveals.push(&[key_len])?;
            self.reveals.push(&script_len.to_le_bytes())?;
            self.reveals.push(key)?;
            self.reveals.push(script)?;
            self.counts.reveal_bytes += 8 + u64::from(key_len) + u64::from(script_len);
        }
        Ok(())
    }

    /// The number of a script, which it gets here if it is new.
    fn number(&mut self, packed: Packed<'_>, hash: u64) -> io::Result<u32> {
        let Self { table, bytes, offsets, key, .. } = self;
        let same = |n: &u32| read_script(bytes.bytes(), offsets.bytes(), *n) == Some(packed);
        if let Some(number) = table.find(hash, same) {
            return Ok(*number);
        }
        let number = u32::try_from(self.counts.scripts)
            .ok()
            .filter(|n| *n < SCRIPTS_MAX)
            .ok_or_else(|| io::Error::other("more scripts than clusters can be made of"))?;
        let rehash = |n: &u32| {
            read_script(bytes.bytes(), offsets.bytes(), *n).map_or(0, |packed| packed.hash(*key))
        };
        table.insert_unique(hash, number, rehash);
        if u64::from(number).is_multiple_of(SCRIPTS_AN_OFFSET) {
            self.offsets.push(&u40(self.counts.script_bytes))?;
        }
        self.packed.clear();
        packed.write(&mut self.packed);
        self.bytes.push(&self.packed)?;
        self.counts.script_bytes += self.packed.len() as u64;
        self.counts.scripts += 1;
        Ok(number)
    }

    /// Brings every row to disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.bytes.sync()?;
        self.offsets.sync()?;
        for file in [
            &mut self.script,
            &mut self.data_bytes,
            &mut self.external,
            &mut self.reveals,
            &mut self.blocks,
        ] {
            file.sync()?;
        }
        Ok(())
    }

    /// Brings every row to disk and cuts the files to their rows.
    pub fn finish(mut self) -> io::Result<Counts> {
        self.sync()?;
        self.bytes.finish()?;
        self.offsets.finish()?;
        Ok(self.counts)
    }
}
