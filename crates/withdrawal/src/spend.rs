//! What a transaction does, as far as it is proven, and the digest that approvals stand on.

use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction};

use crate::digest::{Digest, Tag};
use crate::script::VaultAddress;
use crate::wire::Wire as _;

/// One coin spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentCoin {
    /// Which coin.
    pub outpoint: OutPoint,
    /// Its amount, from the transaction that made it.
    pub amount: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// The vault's address that it lies on; `None` if the coin is not the vault's.
    pub address: Option<VaultAddress>,
    /// Its sequence number in this transaction.
    pub sequence: u32,
}

/// Whom an output pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Somebody.
    Payment,
    /// The vault itself, proven from its descriptor.
    Change(VaultAddress),
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidOutput {
    /// Where to.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// Somebody or the vault.
    pub kind: OutputKind,
}

/// A whole transaction, read and proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendSummary {
    /// The coins, in order.
    pub inputs: Vec<SpentCoin>,
    /// The outputs, in order.
    pub outputs: Vec<PaidOutput>,
    /// Inputs less outputs.
    pub fee: Amount,
    /// Virtual bytes when all signatures are there, at most.
    pub vsize: u64,
    /// The transaction without signatures.
    pub tx: Transaction,
}

impl SpendSummary {
    /// Sum of the coins.
    pub fn total_in(&self) -> Amount {
        // INVARIANT: inspection checked the sum against 21 million.
        self.inputs.iter().map(|i| i.amount).sum()
    }

    /// Outputs that pay somebody.
    pub fn payments(&self) -> impl Iterator<Item = &PaidOutput> {
        self.outputs.iter().filter(|o| o.kind == OutputKind::Payment)
    }

    /// Sum of what leaves the vault, without the fee.
    pub fn paid(&self) -> Amount {
        self.payments().map(|o| o.amount).sum()
    }

    /// Sum of what comes back.
    pub fn change(&self) -> Amount {
        self.outputs.iter().filter(|o| o.kind != OutputKind::Payment).map(|o| o.amount).sum()
    }

    /// The spend digest: tag `spend` over vault id, intent digest, the unsigned transaction, and
    /// amount and script of every input, as BIP-341 commits to them.
    pub fn digest(&self, vault_id: &Digest, intent: &Digest) -> Digest {
        let mut out = Vec::new();
        vault_id.put(&mut out);
        intent.put(&mut out);
        bitcoin::consensus::serialize(&self.tx).put(&mut out);
        let coins: Vec<(Amount, ScriptBuf)> =
            self.inputs.iter().map(|i| (i.amount, i.script.clone())).collect();
        coins.put(&mut out);
        Tag::Spend.digest(&out)
    }
}
