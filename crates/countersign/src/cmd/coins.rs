//! `coins`: from a node's UTXO set, or from a file.

use std::collections::BTreeMap;
use std::path::Path;

use bitcoin::consensus::deserialize;
use bitcoin::{OutPoint, ScriptBuf, Transaction};
use coordinator::coins::{Coin, Coins};
use coordinator::dir::VaultDir;
use serde_json::{Value, json};
use withdrawal::digest::unhex;
use withdrawal::genesis::Vault;
use withdrawal::script::{INDEX_MAX, VaultAddress};

use super::Context;
use crate::cli::Coins as Command;
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Node;
use crate::show::btc;

/// Addresses of each branch that are always looked at.
const DEPTH: u32 = 1_000;
/// Addresses looked at beyond those given out or found in use.
const GAP: u32 = 100;

pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Sync { vault, node, depth } => sync(cx, &vault, &Node::new(&node)?, depth),
        Command::Import { vault, file } => {
            let dir = VaultDir::open(&vault)?;
            let coins = Coins::parse(&files::read(&file)?, &file.display().to_string())?;
            let script = dir.vault()?.script;
            if let Some(coin) = coins
                .coins
                .iter()
                .find(|c| script.script_pubkey(&c.address).as_ref() != Some(&c.script))
            {
                let detail = format!(
                    "coin {} is not at {}/{} of this vault",
                    coin.outpoint, coin.address.branch, coin.address.index
                );
                return Err(Fail::malformed(file.display(), "", detail));
            }
            coins.save(&dir)?;
            report(cx, &dir, &coins)
        }
    }
}

/// The scripts of the vault's addresses, receive and change, with where they lie.
fn scripts(vault: &Vault, depth: u32) -> BTreeMap<ScriptBuf, VaultAddress> {
    let last = if vault.script.is_ranged() { depth } else { 1 };
    let mut all = BTreeMap::new();
    for branch in 0..vault.script.branch_count() {
        for index in 0..last {
            let at = VaultAddress { branch, index };
            if let Some(script) = vault.script.script_pubkey(&at) {
                all.insert(script, at);
            }
        }
    }
    all
}

fn sync(cx: Context, path: &Path, node: &Node, depth: Option<u32>) -> Done {
    let dir = VaultDir::open(path)?;
    let vault = dir.vault()?;
    let mut depth = depth.unwrap_or(depth_of(&dir, &vault)?);
    let coins = loop {
        let coins = scan(&vault, node, depth)?;
        let last = coins.coins.iter().map(|c| c.address.index).max().unwrap_or(0);
        // A coin near the end of what was looked at says that there may be more behind it.
        if !vault.script.is_ranged() || last.saturating_add(GAP) <= depth || depth > INDEX_MAX {
            break coins;
        }
        depth = last.saturating_add(DEPTH);
    };
    coins.save(&dir)?;
    report(cx, &dir, &coins)
}

/// How many addresses of a branch may be in use.
pub fn depth_of(dir: &VaultDir, vault: &Vault) -> Result<u32, Fail> {
    let mut depth = DEPTH;
    for branch in 0..vault.script.branch_count() {
        depth = depth.max(dir.next_index(branch)?.saturating_add(GAP));
    }
    Ok(depth.min(INDEX_MAX + 1))
}

fn scan(vault: &Vault, node: &Node, depth: u32) -> Result<Coins, Fail> {
    let scripts = scripts(vault, depth);
    let descriptors: Vec<Value> = vault
        .script
        .branch_texts()
        .into_iter()
        .map(|desc| {
            if vault.script.is_ranged() {
                json!({"desc": desc, "range": depth.saturating_sub(1)})
            } else {
                json!(desc)
            }
        })
        .collect();
    let found = node.call("scantxoutset", &json!(["start", descriptors]))?;
    let odd = |what: &str| Fail::failed(format!("node: scantxoutset: {what}"));
    let tip = found.get("height").and_then(Value::as_u64).and_then(|h| u32::try_from(h).ok());
    let mut coins = Coins { tip, coins: Vec::new() };
    for unspent in
        found.get("unspents").and_then(Value::as_array).ok_or_else(|| odd("no unspents"))?
    {
        coins.coins.push(coin(node, unspent, &scripts)?);
    }
    Ok(coins)
}

fn coin(
    node: &Node,
    unspent: &Value,
    scripts: &BTreeMap<ScriptBuf, VaultAddress>,
) -> Result<Coin, Fail> {
    let odd = |what: &str| Fail::failed(format!("node: scantxoutset: {what}"));
    let text = |name: &str| unspent.get(name).and_then(Value::as_str).ok_or_else(|| odd(name));
    let script = ScriptBuf::from_bytes(unhex(text("scriptPubKey")?).map_err(|e| odd(&e))?);
    let address = scripts.get(&script).cloned().ok_or_else(|| odd("a script that is not ours"))?;
    let txid = text("txid")?;
    let height = unspent.get("height").and_then(Value::as_u64).and_then(|h| u32::try_from(h).ok());
    let hash = node.call("getblockhash", &json!([height]))?;
    let raw = node.call("getrawtransaction", &json!([txid, false, hash]))?;
    let raw = unhex(raw.as_str().unwrap_or_default()).map_err(|e| odd(&e))?;
    let previous: Transaction = deserialize(&raw).map_err(|e| odd(&e.to_string()))?;
    let vout = unspent.get("vout").and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok());
    let vout = vout.ok_or_else(|| odd("vout"))?;
    let output = usize::try_from(vout).ok().and_then(|v| previous.output.get(v));
    let amount = output.ok_or_else(|| odd("vout"))?.value;
    let outpoint = OutPoint { txid: previous.compute_txid(), vout };
    if outpoint.txid.to_string() != txid {
        return Err(odd("another transaction than asked for"));
    }
    Ok(Coin { outpoint, amount, script, address, height, previous })
}

fn report(cx: Context, dir: &VaultDir, coins: &Coins) -> Done {
    let older = dir.vault()?.paths.and_then(|p| p.older_blocks);
    let old: Vec<String> = coins
        .coins
        .iter()
        .filter(|c| {
            let age =
                coins.tip.zip(c.height).and_then(|(tip, h)| tip.checked_sub(h)).map(|a| a + 1);
            // From four fifths of the recovery time on a coin is to be refreshed.
            older.zip(age).is_some_and(|(older, age)| u64::from(age) * 5 >= u64::from(older) * 4)
        })
        .map(|c| c.outpoint.to_string())
        .collect();
    let total = coins.total();
    let mut text = format!("{} coins, {}", coins.coins.len(), btc(total));
    for outpoint in &old {
        text.push_str(&format!("\nALARM: {outpoint} nears its recovery time; refresh it"));
    }
    cx.say(
        &json!({"coins": coins.coins.len(), "total_sat": total.to_sat(), "tip": coins.tip, "to_refresh": old}),
        &text,
    );
    Ok(())
}
