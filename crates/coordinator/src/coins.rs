//! The vault's coins, each with the transaction that made it.

use std::str::FromStr as _;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction};
use serde::{Deserialize, Serialize};
use withdrawal::digest::{hex, unhex};
use withdrawal::script::VaultAddress;

use crate::dir::VaultDir;
use crate::{Error, io};

/// One coin.
#[derive(Clone, Debug)]
pub struct Coin {
    /// Which.
    pub outpoint: OutPoint,
    /// How much.
    pub amount: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// Where in the vault it lies.
    pub address: VaultAddress,
    /// Height of its block; none while unconfirmed or unknown.
    pub height: Option<u32>,
    /// The transaction that made it.
    pub previous: Transaction,
}

/// All coins, as of some tip.
#[derive(Clone, Debug, Default)]
pub struct Coins {
    /// Height of the chain when they were looked up.
    pub tip: Option<u32>,
    /// The coins.
    pub coins: Vec<Coin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    tip: Option<u32>,
    coins: Vec<FileCoin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCoin {
    outpoint: String,
    branch: u32,
    index: u32,
    #[serde(default)]
    height: Option<u32>,
    previous_tx: String,
}

impl Coins {
    /// Reads a coin file.
    pub fn parse(json: &[u8], what: &str) -> Result<Self, Error> {
        let bad = |detail: String| Error::Malformed { what: what.to_owned(), detail };
        let file: File = serde_json::from_slice(json)
            .map_err(|e| bad(format!("line {} column {}: {e}", e.line(), e.column())))?;
        if file.version != 1 {
            return Err(bad(format!("version {}", file.version)));
        }
        let mut coins = Vec::new();
        for (index, coin) in file.coins.into_iter().enumerate() {
            let at = |detail: &str| bad(format!("coins[{index}]: {detail}"));
            let outpoint = OutPoint::from_str(&coin.outpoint).map_err(|_| at("outpoint"))?;
            let raw = unhex(&coin.previous_tx).map_err(|e| at(&e))?;
            let previous: Transaction = deserialize(&raw).map_err(|e| at(&e.to_string()))?;
            if previous.compute_txid() != outpoint.txid {
                return Err(at("the previous transaction is another one"));
            }
            let output = usize::try_from(outpoint.vout).ok().and_then(|v| previous.output.get(v));
            let output = output.ok_or_else(|| at("no such output"))?;
            coins.push(Coin {
                outpoint,
                amount: output.value,
                script: output.script_pubkey.clone(),
                address: VaultAddress { branch: coin.branch, index: coin.index },
                height: coin.height,
                previous,
            });
        }
        Ok(Self { tip: file.tip, coins })
    }

    /// Reads a vault's coins; none were synced yet is none.
    pub fn load(dir: &VaultDir) -> Result<Self, Error> {
        let path = dir.coins_path();
        match std::fs::read(&path) {
            Ok(json) => Self::parse(&json, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(io(path.display())(error)),
        }
    }

    /// Writes a vault's coins.
    pub fn save(&self, dir: &VaultDir) -> Result<(), Error> {
        dir.write(&dir.coins_path(), &self.to_json())
    }

    /// The file's content.
    pub fn to_json(&self) -> Vec<u8> {
        let coins = self.coins.iter().map(|c| FileCoin {
            outpoint: c.outpoint.to_string(),
            branch: c.address.branch,
            index: c.address.index,
            height: c.height,
            previous_tx: hex(&serialize(&c.previous)),
        });
        let file = File { version: 1, tip: self.tip, coins: coins.collect() };
        serde_json::to_vec_pretty(&file).unwrap_or_default()
    }

    /// Sum of all coins.
    pub fn total(&self) -> Amount {
        self.coins.iter().map(|c| c.amount).fold(Amount::ZERO, |a, b| a.checked_add(b).unwrap_or(a))
    }
}
