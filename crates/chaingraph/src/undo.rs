//! `rev*.dat`: the coins that each block spent, as a node keeps them to undo it (Bitcoin Core, `src/undo.h`,
//! `src/compressor.h`). Where the chain has holes they tell values and scripts that no block here does.

use std::collections::HashMap;
use std::path::Path;

use bitcoin_hashes::{Hash as _, HashEngine as _, sha256d};

use crate::amount::{MAX_MONEY_SAT, decompress};
use crate::block::MAX_BLOCK_LEN;
use crate::error::BuildError;
use crate::header::Hash;
use crate::network::Network;
use crate::source::{BlockFile, Place};

/// A coin that was spent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UndoCoin {
    /// Its value in satoshi.
    pub value_sat: u64,
    /// Its script; `None` for keys that the file has in half (curve arithmetic would be needed, for coins of 2009).
    pub script: Option<Vec<u8>>,
}

/// The coins of a block, by transaction (the coinbase has none) and input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockUndo(Vec<Vec<UndoCoin>>);

impl BlockUndo {
    /// Takes apart a record. `None` if it is not well-formed to its last byte.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let txs = reader.compact_size(1)?;
        let mut all = Vec::with_capacity(txs);
        for _ in 0..txs {
            let coins = reader.compact_size(3)?;
            all.push((0..coins).map(|_| reader.coin()).collect::<Option<Vec<_>>>()?);
        }
        reader.0.is_empty().then_some(Self(all))
    }

    /// What input `nth` of transaction `tx` spent; the coinbase is transaction 0.
    #[must_use]
    pub fn coin(&self, tx: usize, nth: u32) -> Option<&UndoCoin> {
        self.0.get(tx.checked_sub(1)?)?.get(nth as usize)
    }

    /// Whether it has as many transactions and inputs as a block: `inputs` without the coinbase's.
    #[must_use]
    pub fn fits(&self, inputs: impl ExactSizeIterator<Item = u32>) -> bool {
        self.0.len() == inputs.len()
            && self.0.iter().zip(inputs).all(|(coins, n)| coins.len() == n as usize)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(piece)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn compact_size(&mut self, least: usize) -> Option<usize> {
        let n = match self.byte()? {
            0xfd => u64::from(u16::from_le_bytes(*self.take(2)?.first_chunk()?)),
            0xfe => u64::from(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            0xff => return None,
            n => u64::from(n),
        };
        let n = usize::try_from(n).ok()?;
        (n.checked_mul(least)? <= self.0.len()).then_some(n)
    }

    /// Core's `VARINT`: seven bits a byte, highest first, each continuation adds one.
    fn varint(&mut self) -> Option<u64> {
        let mut n = 0_u64;
        loop {
            let byte = self.byte()?;
            n = n.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
            if byte & 0x80 == 0 {
                return Some(n);
            }
            n = n.checked_add(1)?;
        }
    }

    fn coin(&mut self) -> Option<UndoCoin> {
        if self.varint()? > 1 {
            self.varint()?; // a version, once
        }
        let value_sat = decompress(self.varint()?);
        if value_sat > MAX_MONEY_SAT {
            return None;
        }
        let script = match self.varint()? {
            0 => Some([&[0x76, 0xa9, 20], self.take(20)?, &[0x88, 0xac]].concat()),
            1 => Some([&[0xa9, 20], self.take(20)?, &[0x87]].concat()),
            sign @ (2 | 3) => {
                let sign = if sign == 2 { 2 } else { 3 };
                Some([&[33, sign], self.take(32)?, &[0xac]].concat())
            }
            4 | 5 => {
                self.take(32)?;
                None
            }
            n => Some(self.take(usize::try_from(n - 6).ok()?)?.to_vec()),
        };
        Some(UndoCoin { value_sat, script })
    }
}

/// One record of an undo file: `len` bytes at `offset`, then a checksum.
struct Record {
    offset: u64,
    len: usize,
}

/// Records of a file with the same number of transactions that are tried: a file of 128 MiB with honest blocks of two
/// transactions each has fewer.
const TRIES_MAX: usize = 100_000;

/// The records of an undo file by the number of transactions they begin with, which few blocks share.
type Records = HashMap<usize, Vec<Record>>;

/// The undo files beside the block files.
pub struct Undos {
    files: HashMap<u32, (BlockFile, Records)>,
}

impl Undos {
    /// Looks for the undo file of each block file. Damaged ones end early: what they would tell stays unknown.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(files: &[BlockFile], network: &Network) -> Result<Self, BuildError> {
        let mut all = HashMap::new();
        for (number, file) in files.iter().enumerate() {
            let Some(path) = beside(&file.path) else { continue };
            if !path.is_file() {
                continue;
            }
            let undo = file.sibling(&path)?;
            let records = records(&undo, network)?;
            all.insert(u32::try_from(number).unwrap_or(u32::MAX), (undo, records));
        }
        Ok(Self { files: all })
    }

    /// The undo data of the block at `place`: found by its checksum, which covers the hash of the block before.
    ///
    /// # Errors
    /// The system refuses.
    pub fn find(
        &self,
        place: Place,
        prev: &Hash,
        inputs: impl ExactSizeIterator<Item = u32> + Clone,
    ) -> Result<Option<BlockUndo>, BuildError> {
        let Some((file, records)) = self.files.get(&place.file) else { return Ok(None) };
        if inputs.len() == 0 {
            return Ok(None); // nothing but a coinbase: nothing was spent
        }
        let mut bytes = Vec::new();
        for record in records.get(&inputs.len()).into_iter().flatten().take(TRIES_MAX) {
            file.read(record.offset, record.len + 32, &mut bytes)?;
            let Some((undo, sum)) = bytes.split_at_checked(record.len) else { continue };
            let mut engine = sha256d::Hash::engine();
            engine.input(prev);
            engine.input(undo);
            if sha256d::Hash::from_engine(engine).to_byte_array() == sum {
                return Ok(BlockUndo::parse(undo).filter(|u| u.fits(inputs)));
            }
        }
        Ok(None)
    }
}

fn beside(blocks: &Path) -> Option<std::path::PathBuf> {
    let name = blocks.file_name()?.to_str()?;
    Some(blocks.with_file_name(format!("rev{}", name.strip_prefix("blk")?)))
}

fn records(file: &BlockFile, network: &Network) -> Result<Records, BuildError> {
    let mut records = Records::new();
    let (mut offset, mut head) = (0, Vec::new());
    while offset + 8 <= file.bytes() {
        file.read(offset, 8, &mut head)?;
        let (Some(magic), Some(len)) = (head.first_chunk::<4>(), head.last_chunk::<4>()) else {
            break;
        };
        let len = u32::from_le_bytes(*len) as usize;
        let end = offset + 8 + len as u64 + 32;
        // Undo data of a block is smaller than the coins it names, each of which was in a block.
        if *magic != network.magic || len > 4 * MAX_BLOCK_LEN || end > file.bytes() {
            break;
        }
        let count = file.peek(offset + 8, len.min(5))?;
        if let Some(count) = Reader(&count).compact_size(0) {
            records.entry(count).or_default().push(Record { offset: offset + 8, len });
        }
        offset = end;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_core_writes_it() {
        // Two transactions: one with a coin of height 5 (code 10, version 0) of 50 BTC to a key hash; one with a
        // script of 2 bytes (code 8) and a half key.
        let mut bytes = vec![2, 1, 10, 0, 0x32, 0];
        bytes.extend([7; 20]);
        bytes.extend([2, 1, 1, 8, 0x51, 0x51, 0, 9, 4]);
        bytes.extend([9; 32]);
        let undo = BlockUndo::parse(&bytes).unwrap();
        let first = undo.coin(1, 0).unwrap();
        assert_eq!(first.value_sat, 5_000_000_000);
        assert_eq!(first.script.as_ref().unwrap().len(), 25);
        assert_eq!(undo.coin(2, 0).unwrap().script, Some(vec![0x51, 0x51]));
        assert_eq!(undo.coin(2, 1), Some(&UndoCoin { value_sat: 100_000_000, script: None }));
        assert_eq!(undo.coin(0, 0), None);
        assert!(undo.fits([1, 2].into_iter()) && !undo.fits([1, 1].into_iter()));
        for cut in 0..bytes.len() {
            assert_eq!(BlockUndo::parse(&bytes[..cut]), None);
        }
    }
}
