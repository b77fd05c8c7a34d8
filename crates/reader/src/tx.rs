//! Transactions, with or without witnesses.

use bitcoin_hashes::{Hash as _, sha256d};

use crate::bytes::{Bytes, put_size};
use crate::{ReadError, fail};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct In {
    pub(crate) txid: [u8; 32],
    pub(crate) vout: u32,
    pub(crate) script_sig: Vec<u8>,
    pub(crate) sequence: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) sat: u64,
    pub(crate) script: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tx {
    pub(crate) version: u32,
    pub(crate) ins: Vec<In>,
    pub(crate) outs: Vec<Out>,
    pub(crate) lock: u32,
}

fn narrow(value: u64) -> u32 {
    // Four bytes were read.
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Tx {
    /// Reads a whole transaction; nothing may follow it.
    pub(crate) fn parse(raw: &[u8], witness_allowed: bool) -> Result<Self, ReadError> {
        let mut b = Bytes::new(raw);
        let version = narrow(b.number(4)?);
        let mut count = b.size()?;
        let mut witness = false;
        if count == 0 && witness_allowed {
            if b.byte()? != 1 {
                return fail(b.pos(), "flag after the witness marker is not 1");
            }
            witness = true;
            count = b.size()?;
        }
        if count > b.left() / 41 {
            return fail(b.pos(), "more inputs than bytes");
        }
        let mut ins = Vec::with_capacity(count);
        for _ in 0..count {
            ins.push(In {
                txid: b.hash()?,
                vout: narrow(b.number(4)?),
                script_sig: b.sized()?.to_vec(),
                sequence: narrow(b.number(4)?),
            });
        }
        let count = b.size()?;
        if count > b.left() / 9 {
            return fail(b.pos(), "more outputs than bytes");
        }
        let mut outs = Vec::with_capacity(count);
        for _ in 0..count {
            outs.push(Out { sat: b.number(8)?, script: b.sized()?.to_vec() });
        }
        if witness {
            for _ in 0..ins.len() {
                for _ in 0..b.size()? {
                    b.sized()?;
                }
            }
        }
        let lock = narrow(b.number(4)?);
        if !b.is_end() {
            return fail(b.pos(), "bytes after the transaction");
        }
        Ok(Self { version, ins, outs, lock })
    }

    /// The form without witnesses.
    pub(crate) fn stripped(&self) -> Vec<u8> {
        let mut out = self.version.to_le_bytes().to_vec();
        put_size(self.ins.len(), &mut out);
        for i in &self.ins {
            out.extend(i.txid);
            out.extend(i.vout.to_le_bytes());
            put_size(i.script_sig.len(), &mut out);
            out.extend(&i.script_sig);
            out.extend(i.sequence.to_le_bytes());
        }
        put_size(self.outs.len(), &mut out);
        for o in &self.outs {
            out.extend(o.sat.to_le_bytes());
            put_size(o.script.len(), &mut out);
            out.extend(&o.script);
        }
        out.extend(self.lock.to_le_bytes());
        out
    }

    pub(crate) fn txid(&self) -> [u8; 32] {
        sha256d::Hash::hash(&self.stripped()).to_byte_array()
    }
}
