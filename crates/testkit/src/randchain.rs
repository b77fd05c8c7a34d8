//! Small random chains that exercise every rule of taint, as real blocks in a node's framing: ties, zeros, huge and tiny
//! values, coins from outside, data outputs, repeated coinbases, mixes, reused addresses.
#![allow(
    clippy::cast_possible_truncation,
    reason = "counts and heights are bounded by what is generated"
)]

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash as _;
use bitcoin::transaction::Version as TxVersion;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, WPubkeyHash, Witness,
};

use crate::chaingen::rng::Rng;

/// A chain and what can be asked about it.
#[derive(Debug)]
pub struct RandomChain {
    /// Blocks in a node's framing.
    pub framed: Vec<u8>,
    /// Transactions in chain order, with their heights.
    pub txs: Vec<(u32, Transaction)>,
    /// Scripts that are used.
    pub scripts: Vec<ScriptBuf>,
}

struct Maker {
    rng: Rng,
    scripts: Vec<ScriptBuf>,
    unspent: Vec<(OutPoint, u64)>,
    top: u64,
    unknown: u64,
    free: bool,
    salt: u64,
}

/// A chain of `txs` transactions and more, by seed.
#[must_use]
pub fn make(seed: u64, txs: usize) -> RandomChain {
    let mut rng = Rng::new(seed);
    let addresses = rng.range(3, 8 + txs as u64 / 3);
    let scripts = (0..addresses).map(|n| script(seed, n)).collect();
    let top = [1_000, 100_000, 5_000_000_000, 2_100_000_000_000_000][rng.index(4)];
    let unknown = [0, 0, 12, 4][rng.index(4)];
    let free = rng.one_in(5);
    let mut maker = Maker { rng, scripts, unspent: Vec::new(), top, unknown, free, salt: 0 };
    let first_height = 100;
    let mut chain = RandomChain { framed: Vec::new(), txs: Vec::new(), scripts: Vec::new() };
    let mut prev = BlockHash::from_byte_array([7; 32]); // mid-chain: coins from outside can exist
    let mut coinbases: Vec<Transaction> = Vec::new();
    let mut made = 0;
    let mut height = first_height;
    while made < txs {
        let repeated = !coinbases.is_empty() && maker.rng.one_in(6);
        let coinbase = if repeated {
            coinbases[maker.rng.index(coinbases.len())].clone()
        } else {
            maker.coinbase(height)
        };
        if repeated {
            let txid = coinbase.compute_txid();
            maker.unspent.retain(|(o, _)| o.txid != txid); // the old copies are destroyed
        }
        maker.credit(&coinbase);
        coinbases.push(coinbase.clone());
        let mut list = vec![coinbase];
        for _ in 0..maker.rng.range(0, 12) {
            if maker.rng.one_in(9) {
                list.extend(maker.whirlpool());
            } else {
                list.extend(maker.payment());
            }
        }
        made += list.len();
        let block = block(prev, height, list);
        prev = block.block_hash();
        chain.txs.extend(block.txdata.iter().map(|tx| (height, tx.clone())));
        chain.framed.extend(framed(&[block]));
        height += 1;
    }
    chain.scripts = maker.scripts;
    chain
}

fn script(seed: u64, n: u64) -> ScriptBuf {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&n.to_le_bytes());
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(bytes))
}

/// Blocks of regtest in a node's framing: magic, length, block.
#[must_use]
pub fn framed(blocks: &[Block]) -> Vec<u8> {
    let record = |block: &Block| {
        let bytes = serialize(block);
        let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [&[0xfa, 0xbf, 0xb5, 0xda], &len[..], &bytes].concat()
    };
    blocks.iter().flat_map(record).collect()
}

/// A block of regtest without work, ten minutes after the one before.
#[must_use]
pub fn block(prev: BlockHash, height: u32, txdata: Vec<Transaction>) -> Block {
    let header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: prev,
        merkle_root: TxMerkleNode::all_zeros(),
        time: 1_700_000_000 + 600 * height,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

impl Maker {
    fn coinbase(&mut self, height: u32) -> Transaction {
        let values = (0..self.rng.range(1, 5)).map(|_| self.value()).collect();
        let mut script_sig = vec![1, height as u8];
        if height > 127 {
            script_sig = vec![2, height as u8, (height >> 8) as u8];
        }
        script_sig.extend(b"/random/");
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script_sig),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        self.transaction(vec![input], values)
    }

    fn value(&mut self) -> u64 {
        match self.rng.below(10) {
            0 => 0,
            1 => self.rng.range(1, 3),
            2 => self.top / self.rng.range(1, 8),
            _ => self.rng.range(1, self.top),
        }
    }

    fn transaction(&mut self, input: Vec<TxIn>, values: Vec<u64>) -> Transaction {
        let output = values
            .into_iter()
            .map(|value| TxOut {
                value: Amount::from_sat(value),
                script_pubkey: if self.rng.one_in(if value == 0 { 2 } else { 20 }) {
                    ScriptBuf::from_bytes(vec![0x6a, 1, self.rng.below(256) as u8])
                } else {
                    self.scripts[self.rng.index(self.scripts.len())].clone()
                },
            })
            .collect();
        Transaction { version: TxVersion::TWO, lock_time: LockTime::ZERO, input, output }
    }

    fn credit(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        for (vout, output) in tx.output.iter().enumerate() {
            if !output.script_pubkey.is_op_return() {
                let outpoint = OutPoint { txid, vout: vout as u32 };
                self.unspent.push((outpoint, output.value.to_sat()));
            }
        }
    }

    fn input(outpoint: OutPoint) -> TxIn {
        TxIn {
            previous_output: outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }
    }

    /// Some coins, perhaps one from outside, to some outputs.
    fn payment(&mut self) -> Option<Transaction> {
        let (mut inputs, mut sum) = (Vec::new(), 0_u64);
        let mut outside = false;
        for _ in 0..self.rng.range(1, 5) {
            if self.unknown > 0 && self.rng.one_in(self.unknown) {
                self.salt += 1;
                let mut txid = [0xee; 32];
                txid[..8].copy_from_slice(&self.salt.to_le_bytes());
                inputs.push(Self::input(OutPoint { txid: Txid::from_byte_array(txid), vout: 0 }));
                outside = true;
            } else if !self.unspent.is_empty() {
                let (outpoint, value) =
                    self.unspent.swap_remove(self.rng.index(self.unspent.len()));
                inputs.push(Self::input(outpoint));
                sum += value;
            }
        }
        if inputs.is_empty() {
            return None;
        }
        if outside {
            sum += self.rng.range(0, self.top);
        }
        let fee = if self.free || self.rng.one_in(4) { 0 } else { self.rng.below(sum / 3 + 1) };
        let values = self.split(sum - fee);
        let tx = self.transaction(inputs, values);
        self.credit(&tx);
        Some(tx)
    }

    /// A sum in random parts, with zeros and ties.
    fn split(&mut self, mut rest: u64) -> Vec<u64> {
        let max_money = 2_100_000_000_000_000;
        let mut values = Vec::new();
        for _ in 0..self.rng.range(0, 5) {
            let value = match self.rng.below(6) {
                0 => 0,
                1 => rest / 2,
                2 => values.last().copied().unwrap_or(0).min(rest),
                _ => self.rng.range(0, rest),
            };
            let value = value.min(max_money);
            values.push(value);
            rest -= value;
        }
        values.push(rest.min(max_money));
        values
    }

    /// Five coins are made for a pool, each by a transaction of its own, and mixed.
    fn whirlpool(&mut self) -> Vec<Transaction> {
        let pool = 100_000;
        let mut all = Vec::new();
        let mut inputs = Vec::new();
        for nth in 0..5_u64 {
            let Some(at) = self.unspent.iter().position(|(_, v)| *v >= pool + 1_000) else {
                return all;
            };
            let (outpoint, value) = self.unspent.swap_remove(at);
            let exact = if nth < 2 { pool } else { pool + self.rng.range(1, 900) };
            self.salt += 1;
            let to = script(u64::MAX, self.salt);
            let back = self.scripts[self.rng.index(self.scripts.len())].clone();
            let output = vec![
                TxOut { value: Amount::from_sat(exact), script_pubkey: to },
                TxOut { value: Amount::from_sat(value - exact), script_pubkey: back },
            ];
            let tx = Transaction {
                version: TxVersion::TWO,
                lock_time: LockTime::ZERO,
                input: vec![Self::input(outpoint)],
                output,
            };
            let txid = tx.compute_txid();
            self.unspent.push((OutPoint { txid, vout: 1 }, value - exact));
            inputs.push(Self::input(OutPoint { txid, vout: 0 }));
            all.push(tx);
        }
        inputs.sort_by_key(|i| i.previous_output.txid.to_string());
        let mut output: Vec<TxOut> = (0..5)
            .map(|_| {
                self.salt += 1;
                TxOut { value: Amount::from_sat(pool), script_pubkey: script(u64::MAX, self.salt) }
            })
            .collect();
        output.sort_by_key(|o| o.script_pubkey.clone());
        let tx = Transaction {
            version: TxVersion::ONE,
            lock_time: LockTime::ZERO,
            input: inputs,
            output,
        };
        self.credit(&tx);
        all.push(tx);
        all
    }
}
