//! Where the drill's transactions go: a ledger in memory that applies the consensus rules to scripts, or
//! a real node on regtest.

use std::collections::BTreeMap;

use bitcoin::consensus::deserialize;
use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use coordinator::coins::Coin;
use coordinator::trial;
use serde_json::{Value, json};
use withdrawal::digest::unhex;
use withdrawal::script::{VaultAddress, VaultScript};

use crate::cmd::finalize;
use crate::fail::{Done, Fail};
use crate::net::Node;

/// A ledger of unspent outputs; scripts are verified by Bitcoin's own consensus code.
#[derive(Default)]
pub struct Ledger(BTreeMap<OutPoint, TxOut>);

impl Ledger {
    /// Enters the outputs of a transaction that is taken for granted.
    pub fn grant(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        for (vout, output) in (0u32..).zip(&tx.output) {
            self.0.insert(OutPoint { txid, vout }, output.clone());
        }
    }

    /// Accepts a transaction that spends what is there, and moves the coins.
    pub fn accept(&mut self, tx: &Transaction) -> Done {
        let mut prevouts = Vec::new();
        for input in &tx.input {
            let coin = self.0.get(&input.previous_output);
            let coin =
                coin.ok_or_else(|| Fail::failed(format!("no coin {}", input.previous_output)))?;
            prevouts.push(coin.clone());
        }
        finalize::consensus(tx, &prevouts)?;
        let sum = |outputs: &[TxOut]| outputs.iter().map(|o| o.value).sum::<Amount>();
        if sum(&tx.output) > sum(&prevouts) {
            return Err(Fail::failed("more out than in"));
        }
        for input in &tx.input {
            self.0.remove(&input.previous_output);
        }
        self.grant(tx);
        Ok(())
    }
}

/// The chain of a drill.
pub enum Chain {
    /// In memory.
    Memory(Ledger),
    /// A real node on regtest.
    Regtest(Node),
}

impl Chain {
    /// A regtest node, with a wallet that has mined enough.
    pub fn regtest(url: &str) -> Result<Self, Fail> {
        let node = Node::new(url)?;
        let info = node.call("getblockchaininfo", &json!([]))?;
        if info.get("chain").and_then(Value::as_str) != Some("regtest") {
            return Err(Fail::malformed("--node", "", "the drill runs on a regtest node only"));
        }
        let loaded = node.call("createwallet", &json!(["countersign-drill"]));
        if loaded.is_err() {
            // It is there from an earlier drill; it may be loaded already.
            let _ = node.call("loadwallet", &json!(["countersign-drill"]));
        }
        let node = Node::new(&format!("{}/wallet/countersign-drill", url.trim_end_matches('/')))?;
        let address = node.call("getnewaddress", &json!([]))?;
        node.call("generatetoaddress", &json!([250, address]))?;
        Ok(Self::Regtest(node))
    }

    /// Puts coins on addresses of the vault.
    pub fn fund(&mut self, script: &VaultScript, amounts: &[u64]) -> Result<Vec<Coin>, Fail> {
        let at = |index| VaultAddress { branch: 0, index };
        match self {
            Self::Memory(ledger) => (0u32..)
                .zip(amounts)
                .map(|(index, sat)| {
                    let coin = trial::coin(script, at(index), Amount::from_sat(*sat))?;
                    ledger.grant(&coin.previous);
                    Ok(coin)
                })
                .collect(),
            Self::Regtest(node) => {
                let mut coins = Vec::new();
                for (index, sat) in (0u32..).zip(amounts) {
                    let output = script.script_pubkey(&at(index)).unwrap_or_default();
                    let address = script.network().show(&output);
                    let txid = node.call("sendtoaddress", &json!([address, *sat as f64 / 1e8]))?;
                    coins.push(found(node, &txid, &output, at(index))?);
                }
                mine(node)?;
                Ok(coins)
            }
        }
    }

    /// Accepts and confirms a transaction.
    pub fn confirm(&mut self, tx: &Transaction) -> Done {
        match self {
            Self::Memory(ledger) => ledger.accept(tx),
            Self::Regtest(node) => {
                finalize::broadcast(node, tx)?;
                mine(node)
            }
        }
    }

    /// Accepts a transaction as unconfirmed: it may still be replaced.
    pub fn relay(&mut self, tx: &Transaction, prevouts: &[TxOut]) -> Done {
        match self {
            Self::Memory(_) => finalize::consensus(tx, prevouts),
            Self::Regtest(node) => finalize::broadcast(node, tx),
        }
    }
}

fn mine(node: &Node) -> Done {
    let address = node.call("getnewaddress", &json!([]))?;
    node.call("generatetoaddress", &json!([1, address])).map(|_| ())
}

fn found(
    node: &Node,
    txid: &Value,
    script: &bitcoin::Script,
    address: VaultAddress,
) -> Result<Coin, Fail> {
    let odd = |what: String| Fail::failed(format!("node: {what}"));
    let tx = node.call("gettransaction", &json!([txid]))?;
    let raw = unhex(tx.get("hex").and_then(Value::as_str).unwrap_or_default()).map_err(odd)?;
    let previous: Transaction = deserialize(&raw).map_err(|e| odd(e.to_string()))?;
    let found = (0u32..).zip(&previous.output).find(|(_, o)| *o.script_pubkey == *script);
    let (vout, output) = found.ok_or_else(|| odd("the payment is not there".to_owned()))?;
    let (amount, script) = (output.value, output.script_pubkey.clone());
    let outpoint = OutPoint { txid: previous.compute_txid(), vout };
    Ok(Coin { outpoint, amount, script, address, height: None, previous })
}
