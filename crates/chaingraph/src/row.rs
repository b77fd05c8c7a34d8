//! Rows with several fields: blocks, and coins from outside.

use crate::columns::{BLOCK_ROW, EXTERNAL_ROW};
use crate::header::Hash;
use crate::manifest::Counts;
use crate::num::{ScriptNum, index};

/// Stands for no height, no script.
pub const NONE: u32 = u32::MAX;
/// Stands for an unknown value.
pub const NO_VALUE: u64 = u64::MAX;

/// A block's row: who it is, and where its rows begin in every column. Any block's beginning is a place to cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockRow {
    /// Its hash.
    pub hash: Hash,
    /// Its height, where that is known.
    pub height: Option<u32>,
    /// Time in its header, Unix seconds.
    pub time: u32,
    /// Compact target.
    pub bits: u32,
    /// Whether the block before it is missing.
    pub starts_piece: bool,
    /// Rows before the block; `blocks` is not stored, it is the row's own number.
    pub before: Counts,
    /// Bytes of the block.
    pub len: u32,
}

impl BlockRow {
    /// As on disk.
    #[must_use]
    pub fn encode(&self) -> [u8; index(BLOCK_ROW)] {
        let mut row = [0; index(BLOCK_ROW)];
        let low = |n: u64| u32::try_from(n).unwrap_or(NONE).to_le_bytes();
        let b = &self.before;
        let fields: [&[u8]; 17] = [
            &self.hash,
            &self.height.unwrap_or(NONE).to_le_bytes(),
            &self.time.to_le_bytes(),
            &self.bits.to_le_bytes(),
            &u32::from(self.starts_piece).to_le_bytes(),
            &low(b.txs),
            &low(b.scripts),
            &b.outputs.to_le_bytes(),
            &b.inputs.to_le_bytes(),
            &b.wide.to_le_bytes(),
            &b.externals.to_le_bytes(),
            &b.datas.to_le_bytes(),
            &b.script_bytes.to_le_bytes(),
            &b.data_bytes.to_le_bytes(),
            &b.reveal_bytes.to_le_bytes(),
            &self.len.to_le_bytes(),
            &[0; 4],
        ];
        let mut at = 0;
        for field in fields {
            if let Some(place) = row.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
            at += field.len();
        }
        row
    }

    /// Reads row number `at` of the column; `None` past its end.
    #[must_use]
    pub fn read(column: &[u8], at: usize) -> Option<Self> {
        let start = at.checked_mul(index(BLOCK_ROW))?;
        let mut fields = Fields(column.get(start..start + index(BLOCK_ROW))?);
        let hash = fields.take()?;
        let height = fields.u32()?;
        let (time, bits, flags) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let before = Counts {
            blocks: at as u64,
            txs: u64::from(fields.u32()?),
            scripts: u64::from(fields.u32()?),
            outputs: fields.u64()?,
            inputs: fields.u64()?,
            wide: fields.u64()?,
            externals: fields.u64()?,
            datas: fields.u64()?,
            script_bytes: fields.u64()?,
            data_bytes: fields.u64()?,
            reveal_bytes: fields.u64()?,
        };
        let len = fields.u32()?;
        Some(Self {
            hash,
            height: (height != NONE).then_some(height),
            time,
            bits,
            starts_piece: flags & 1 != 0,
            before,
            len,
        })
    }
}

/// A coin from outside: made before the graph begins or in a hole of it, and spent in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct External {
    /// Its transaction.
    pub txid: Hash,
    /// Which output of it.
    pub vout: u32,
    /// Its value in satoshi, where undo data told it.
    pub value_sat: Option<u64>,
    /// Its script, where undo data told it.
    pub script: Option<ScriptNum>,
}

impl External {
    /// As on disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.txid[..],
            &self.vout.to_le_bytes(),
            &self.value_sat.unwrap_or(NO_VALUE).to_le_bytes(),
            &self.script.map_or(NONE, |s| s.0).to_le_bytes(),
        ]
        .concat()
    }

    /// Reads row number `at` of the column; `None` past its end.
    #[must_use]
    pub fn read(column: &[u8], at: usize) -> Option<Self> {
        let start = at.checked_mul(index(EXTERNAL_ROW))?;
        let mut fields = Fields(column.get(start..start.checked_add(index(EXTERNAL_ROW))?)?);
        let (txid, vout, value, script) =
            (fields.take()?, fields.u32()?, fields.u64()?, fields.u32()?);
        Some(Self {
            txid,
            vout,
            value_sat: (value != NO_VALUE).then_some(value),
            script: (script != NONE).then_some(ScriptNum(script)),
        })
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let before = Counts {
            blocks: 1,
            txs: 2,
            outputs: 3,
            inputs: 4,
            scripts: 5,
            wide: 6,
            externals: 7,
            datas: 8,
            script_bytes: 9,
            data_bytes: 10,
            reveal_bytes: 11,
        };
        let row = BlockRow {
            hash: [1; 32],
            height: Some(9),
            time: 10,
            bits: 11,
            starts_piece: true,
            before,
            len: 12,
        };
        let column = [BlockRow { height: None, ..row }.encode(), row.encode()].concat();
        assert_eq!(BlockRow::read(&column, 1), Some(row));
        assert_eq!(BlockRow::read(&column, 0).unwrap().height, None);
        assert_eq!(BlockRow::read(&column, 2), None);
        let coin = External { txid: [3; 32], vout: 4, value_sat: None, script: Some(ScriptNum(5)) };
        let known = External { value_sat: Some(6), script: None, ..coin };
        let column = [coin.encode(), known.encode()].concat();
        assert_eq!(External::read(&column, 0), Some(coin));
        assert_eq!(External::read(&column, 1), Some(known));
    }
}
