//! What is true of the generated chain, written beside it.
//!
//! - `owners.u32`: for every script, by first appearance in chain order, its owner's number, little-endian 32 bits.
//! - `mixes.jsonl`: every transaction that mixes: txid, class, participants.
//! - `theft.json`: the theft's transaction, what reached which service, what was mixed and what still lies.
//! - `labels.csv`: the services' addresses that the world knows, in the columns of `countersign labels import csv`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::wire::{Address, Kind};

/// A transaction that mixes.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Its txid as shown.
    pub txid: String,
    /// `whirlpool`, `wasabi1`, `wasabi2` or `joinmarket`.
    pub class: &'static str,
    /// How many people.
    pub participants: u32,
}

/// Where the stolen coins went.
#[derive(Clone, Debug, Default)]
pub struct TheftTruth {
    /// Txid of the theft as shown.
    pub txid: String,
    /// What was taken, fee of the theft not counted.
    pub stolen_sat: u64,
    /// Paid to a service: its label, outpoint, amount.
    pub delivered: Vec<(String, String, u64)>,
    /// Handed to a bridge: outpoint of the vault, memo, amount.
    pub bridged: Vec<(String, String, u64)>,
    /// Put into a mixing transaction: txid, amount.
    pub mixed: Vec<(String, u64)>,
    /// Not moved on: outpoint, amount.
    pub unspent: Vec<(String, u64)>,
    /// Paid to miners on the way, without the theft's own fee.
    pub fees_sat: u64,
}

/// The files while they grow.
pub struct Truth {
    owners: BufWriter<File>,
    mixes: BufWriter<File>,
    labels: BufWriter<File>,
    seed: u64,
    /// The theft as far as it went.
    pub theft: TheftTruth,
}

/// Shows a txid as is custom.
pub fn shown(txid: &[u8; 32]) -> String {
    txid.iter().rev().map(|b| format!("{b:02x}")).collect()
}

impl Truth {
    /// Begins the files.
    pub fn new(dir: &Path, seed: u64) -> io::Result<Self> {
        let file = |name: &str| File::create(dir.join(name)).map(BufWriter::new);
        let mut labels = file("labels.csv")?;
        writeln!(labels, "address,label,kind,source,confidence,date,abuse")?;
        Ok(Self {
            owners: file("owners.u32")?,
            mixes: file("mixes.jsonl")?,
            labels,
            seed,
            theft: TheftTruth::default(),
        })
    }

    /// The next script's owner.
    pub fn owner(&mut self, owner: u32) -> io::Result<()> {
        self.owners.write_all(&owner.to_le_bytes())
    }

    /// A transaction that mixes.
    pub fn mix(&mut self, mix: &Mix) -> io::Result<()> {
        let Mix { txid, class, participants } = mix;
        writeln!(
            self.mixes,
            r#"{{"txid":"{txid}","class":"{class}","participants":{participants}}}"#
        )
    }

    /// An address that the world knows.
    pub fn label(&mut self, address: Address, label: &str, kind: &str) -> io::Result<()> {
        let shown = encode(address, self.seed);
        writeln!(self.labels, "{shown},{label},{kind},chaingen,0.9,2023-11-14,")
    }

    /// Ends the files.
    pub fn finish(mut self, dir: &Path) -> io::Result<()> {
        self.owners.flush()?;
        self.mixes.flush()?;
        self.labels.flush()?;
        let t = &self.theft;
        let named = |list: &[(String, String, u64)], name: &str| -> Vec<serde_json::Value> {
            list.iter()
                .map(|(a, b, sat)| serde_json::json!({name: a, "outpoint": b, "sat": sat}))
                .collect()
        };
        let plain = |list: &[(String, u64)], name: &str| -> Vec<serde_json::Value> {
            list.iter().map(|(a, sat)| serde_json::json!({name: a, "sat": sat})).collect()
        };
        let theft = serde_json::json!({
            "txid": t.txid,
            "stolen_sat": t.stolen_sat,
            "delivered": named(&t.delivered, "label"),
            "bridged": named(&t.bridged, "memo"),
            "mixed": plain(&t.mixed, "txid"),
            "unspent": plain(&t.unspent, "outpoint"),
            "fees_sat": t.fees_sat,
        });
        std::fs::write(dir.join("theft.json"), serde_json::to_string_pretty(&theft)?)
    }
}

/// An address as regtest shows it.
pub fn encode(address: Address, seed: u64) -> String {
    let mut script = Vec::new();
    address.script(seed, &mut script);
    let script = bitcoin::ScriptBuf::from_bytes(script);
    match address.kind {
        // Keys are dummies: a taproot output key need not be on the curve to be an address.
        Kind::P2tr => {
            let hrp = bitcoin::bech32::Hrp::parse("bcrt").unwrap();
            bitcoin::bech32::segwit::encode_v1(hrp, &script.as_bytes()[2..]).unwrap()
        }
        _ => bitcoin::Address::from_script(&script, bitcoin::Network::Regtest).unwrap().to_string(),
    }
}
