//! A synthetic economy as a node's block files, with the truth about it: whose every address is, which transactions
//! mix, and where the coins of one theft went. It streams: memory holds unspent coins only.
//!
//! Headers link, merkle roots are right, amounts add up; the proof of work is ten zero bits and signatures are dummies
//! of real length, so no node takes these blocks. Behaviour is a caricature of the chain's: users who pay, exchanges
//! that take deposits, sweep and pay out in batches, miners, four CoinJoin protocols in the shape that their sources
//! give, peel chains, and one theft shaped like DMM's.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "amounts and counts are bounded by what is generated"
)]

mod economy;
mod mixes;
pub mod rng;
mod theft;
mod truth;
pub mod wire;

use std::io;
use std::path::{Path, PathBuf};

pub use economy::Economy;
pub use truth::{Mix, TheftTruth};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Blocks.
    pub blocks: u32,
    /// Transactions in all, coinbases included.
    pub txs: u64,
    /// Seed: the same plan gives the same bytes.
    pub seed: u64,
    /// Directory for `blk*.dat` and `truth/`.
    pub out: PathBuf,
}

/// What was generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    /// Blocks.
    pub blocks: u64,
    /// Transactions.
    pub txs: u64,
    /// Outputs.
    pub outputs: u64,
    /// Inputs, coinbases' not counted.
    pub inputs: u64,
    /// Bytes of block files.
    pub bytes: u64,
}

/// Seconds of the first block; ten minutes to each next one.
const FIRST_TIME: u32 = 1_700_000_000;
/// A file is begun anew after so many bytes, as Core does.
const FILE_LEN: usize = 128 << 20;

/// Generates the chain. `progress` is told blocks done.
///
/// # Errors
/// The disk refuses; a plan with fewer transactions than blocks, or more than blocks can hold.
pub fn generate(plan: &Plan, progress: &mut dyn FnMut(u32)) -> io::Result<Made> {
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    if u64::from(plan.blocks) > plan.txs || plan.blocks == 0 {
        return refuse(
            "every block has a transaction: give as many transactions as blocks at least",
        );
    }
    if plan.txs / u64::from(plan.blocks) > 6_000 {
        return refuse("a block holds about 6,000 transactions: give more blocks");
    }
    std::fs::create_dir_all(plan.out.join("truth"))?;
    let mut files = Files::new(&plan.out);
    let mut economy = Economy::new(plan)?;
    let mut prev = [0; 32];
    let mut made = Made::default();
    for height in 0..plan.blocks {
        // Spread evenly, so that the sum is exact.
        let upto = |h: u32| plan.txs * u64::from(h) / u64::from(plan.blocks);
        let count = (upto(height + 1) - upto(height)).max(1);
        economy.block(height, count);
        let time = FIRST_TIME + 600 * height;
        let (bytes, hash) = wire::block(prev, time, &economy.txids, &economy.bytes);
        prev = hash;
        files.push(&bytes)?;
        made.blocks += 1;
        made.txs += economy.txids.len() as u64;
        economy.flush()?;
        progress(height + 1);
    }
    made.bytes = files.finish()?;
    (made.outputs, made.inputs) = (economy.outputs, economy.inputs);
    economy.finish(&plan.out.join("truth"))?;
    Ok(made)
}

struct Files {
    dir: PathBuf,
    number: u32,
    buffer: Vec<u8>,
    written: u64,
}

impl Files {
    fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), number: 0, buffer: Vec::with_capacity(FILE_LEN), written: 0 }
    }

    fn push(&mut self, block: &[u8]) -> io::Result<()> {
        if self.buffer.len() + block.len() > FILE_LEN {
            self.flush()?;
        }
        self.buffer.extend_from_slice(block);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        std::fs::write(self.dir.join(format!("blk{:05}.dat", self.number)), &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.number += 1;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<u64> {
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        Ok(self.written)
    }
}
