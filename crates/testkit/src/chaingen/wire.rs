//! Bytes of transactions and blocks. Signatures and keys are dummies of real length; the proof of work is real and
//! small: ten zero bits.

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256d};

use super::rng::mix;

/// Magic bytes of regtest.
const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
/// A target of ten zero bits: a thousand hashes a block, so that an altered header is noticed.
const BITS: u32 = 0x1f3f_ffff;

/// Shapes of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Key hash.
    P2pkh,
    /// A 2-of-3 behind a script hash.
    P2sh,
    /// A nested key hash.
    P2shWpkh,
    /// Witness key hash.
    P2wpkh,
    /// A 2-of-3 behind a witness script hash.
    P2wsh,
    /// Taproot, key path.
    P2tr,
}

/// An address: its number is its place by first appearance, as a graph numbers scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// Number.
    pub id: u32,
    /// Shape.
    pub kind: Kind,
}

impl Address {
    /// Its output script.
    pub fn script(self, seed: u64, out: &mut Vec<u8>) {
        let mut hash = [0_u8; 32];
        for (at, eight) in hash.chunks_exact_mut(8).enumerate() {
            let word =
                mix(seed
                    ^ (u64::from(self.id) << 3 | at as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
            eight.copy_from_slice(&word.to_le_bytes());
        }
        match self.kind {
            Kind::P2pkh => {
                out.extend([0x76, 0xa9, 20]);
                out.extend(&hash[..20]);
                out.extend([0x88, 0xac]);
            }
            Kind::P2sh | Kind::P2shWpkh => {
                out.extend([0xa9, 20]);
                out.extend(&hash[..20]);
                out.push(0x87);
            }
            Kind::P2wpkh => {
                out.extend([0, 20]);
                out.extend(&hash[..20]);
            }
            Kind::P2wsh => {
                out.extend([0, 32]);
                out.extend(hash);
            }
            Kind::P2tr => {
                out.extend([0x51, 32]);
                out.extend(hash);
            }
        }
    }
}

/// A coin that somebody can spend.
#[derive(Clone, Copy, Debug)]
pub struct Coin {
    /// Its transaction.
    pub txid: [u8; 32],
    /// Which output.
    pub vout: u32,
    /// Satoshi.
    pub value: u64,
    /// Where it lies.
    pub address: Address,
}

/// Where an output pays.
#[derive(Clone, Debug)]
pub enum Pay {
    /// To an address.
    To(Address, u64),
    /// Data.
    Data(Vec<u8>),
}

/// What tells one wallet's software from another's.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Transaction version.
    pub version: u32,
    /// A lock time, or 0.
    pub locktime: u32,
    /// Sequence of every input.
    pub sequence: u32,
}

fn compact(n: usize, out: &mut Vec<u8>) {
    match n {
        0..0xfd => out.push(n as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend((n as u16).to_le_bytes());
        }
        _ => {
            out.push(0xfe);
            out.extend((n as u32).to_le_bytes());
        }
    }
}

/// Bytes of `n` that look like a signature or a key.
fn filler(n: usize, salt: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let mut word = salt;
    while out.len() < start + n {
        word = mix(word.wrapping_add(0x9e37_79b9_7f4a_7c15));
        out.extend(word.to_le_bytes());
    }
    out.truncate(start + n);
}

/// Writes a transaction after what is in `out`; returns its txid.
pub fn transaction(
    inputs: &[Coin],
    outputs: &[Pay],
    style: Style,
    seed: u64,
    out: &mut Vec<u8>,
) -> [u8; 32] {
    let start = out.len();
    let is_segwit = |coin: &Coin| !matches!(coin.address.kind, Kind::P2pkh | Kind::P2sh);
    let segwit = inputs.iter().any(is_segwit);
    out.extend(style.version.to_le_bytes());
    if segwit {
        out.extend([0, 1]);
    }
    let lists = out.len();
    compact(inputs.len(), out);
    for coin in inputs {
        out.extend(coin.txid);
        out.extend(coin.vout.to_le_bytes());
        let salt = u64::from(coin.address.id) << 8 | u64::from(coin.vout & 0xff);
        match coin.address.kind {
            Kind::P2pkh => {
                out.extend([107, 72]);
                filler(72, salt, out);
                out.push(33);
                filler(33, salt ^ 1, out);
            }
            Kind::P2sh => {
                // OP_0, two signatures, a 2-of-3 script of compressed keys (105 bytes after PUSHDATA1).
                compact(1 + 73 + 73 + 107, out);
                out.extend([0, 72]);
                filler(72, salt, out);
                out.push(72);
                filler(72, salt ^ 1, out);
                out.extend([0x4c, 105, 0x52]);
                filler(104, salt ^ 2, out);
            }
            Kind::P2shWpkh => {
                out.extend([23, 22, 0, 20]);
                filler(20, salt, out);
            }
            _ => out.push(0),
        }
        out.extend(style.sequence.to_le_bytes());
    }
    write_outputs(outputs, seed, out);
    let lists_end = out.len();
    if segwit {
        for coin in inputs {
            witness(coin, out);
        }
    }
    out.extend(style.locktime.to_le_bytes());
    let mut engine = sha256d::Hash::engine();
    engine.input(&out[start..start + 4]);
    engine.input(&out[lists..lists_end]);
    engine.input(&style.locktime.to_le_bytes());
    sha256d::Hash::from_engine(engine).to_byte_array()
}

fn write_outputs(outputs: &[Pay], seed: u64, out: &mut Vec<u8>) {
    compact(outputs.len(), out);
    let mut script = Vec::with_capacity(40);
    for pay in outputs {
        script.clear();
        let value = match pay {
            Pay::To(address, value) => {
                address.script(seed, &mut script);
                *value
            }
            Pay::Data(data) => {
                script.push(0x6a);
                if data.len() > 75 {
                    script.push(0x4c); // OP_PUSHDATA1
                }
                script.push(data.len() as u8);
                script.extend(data);
                0
            }
        };
        out.extend(value.to_le_bytes());
        compact(script.len(), out);
        out.extend(&script);
    }
}

fn witness(coin: &Coin, out: &mut Vec<u8>) {
    let salt = u64::from(coin.address.id) << 9 | u64::from(coin.vout & 0xff);
    match coin.address.kind {
        Kind::P2wpkh | Kind::P2shWpkh => {
            out.extend([2, 71]);
            filler(71, salt, out);
            out.push(33);
            filler(33, salt ^ 1, out);
        }
        Kind::P2wsh => {
            out.extend([4, 0, 71]);
            filler(71, salt, out);
            out.push(72);
            filler(72, salt ^ 1, out);
            out.push(105);
            filler(105, salt ^ 2, out);
        }
        Kind::P2tr => {
            out.extend([1, 64]);
            filler(64, salt, out);
        }
        Kind::P2pkh | Kind::P2sh => out.push(0),
    }
}

/// Writes a coinbase of a height; returns its txid.
pub fn coinbase(height: u32, outputs: &[Pay], seed: u64, out: &mut Vec<u8>) -> [u8; 32] {
    let start = out.len();
    out.extend(2_u32.to_le_bytes());
    out.push(1);
    out.extend([0; 32]);
    out.extend(u32::MAX.to_le_bytes());
    let mut script = Vec::new();
    match height {
        0 => script.push(0),
        1..=16 => script.push(0x50 + height as u8),
        _ => {
            let mut digits = height.to_le_bytes().to_vec();
            while digits.last() == Some(&0) {
                digits.pop();
            }
            if digits.last().is_some_and(|last| last & 0x80 != 0) {
                digits.push(0);
            }
            script.push(digits.len() as u8);
            script.extend(digits);
        }
    }
    script.extend(b"/chaingen/");
    compact(script.len(), out);
    out.extend(&script);
    out.extend(u32::MAX.to_le_bytes());
    write_outputs(outputs, seed, out);
    out.extend(0_u32.to_le_bytes());
    sha256d::Hash::hash(&out[start..]).to_byte_array()
}

/// A block in a node's framing, and its hash.
pub fn block(prev: [u8; 32], time: u32, txids: &[[u8; 32]], txs: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut level = txids.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| {
                sha256d::Hash::hash(&[pair[0], *pair.last().unwrap()].concat()).to_byte_array()
            })
            .collect();
    }
    let mut head = Vec::with_capacity(txs.len() + 100);
    head.extend(0x2000_0000_u32.to_le_bytes());
    head.extend(prev);
    head.extend(level[0]);
    head.extend(time.to_le_bytes());
    head.extend(BITS.to_le_bytes());
    let mut nonce = 0_u32;
    let hash = loop {
        let mut engine = sha256d::Hash::engine();
        engine.input(&head);
        engine.input(&nonce.to_le_bytes());
        let hash = sha256d::Hash::from_engine(engine).to_byte_array();
        // Ten zero bits, read from the end of the wire's order.
        if hash[31] == 0 && hash[30] < 0x3f {
            break hash;
        }
        nonce += 1;
    };
    head.extend(nonce.to_le_bytes());
    compact(txids.len(), &mut head);
    let mut framed = Vec::with_capacity(head.len() + txs.len() + 8);
    framed.extend(MAGIC);
    framed.extend(((head.len() + txs.len()) as u32).to_le_bytes());
    framed.extend(head);
    framed.extend(txs);
    (framed, hash)
}
