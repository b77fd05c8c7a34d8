//! `finalize`: combine, satisfy, check by consensus rules, finish.

use bitcoin::consensus::serialize;
use bitcoin::{Psbt, Transaction, TxOut};
use coordinator::dir::VaultDir;
use coordinator::finish;
use coordinator::mirror::Mirror;
use serde_json::json;
use withdrawal::code::Code;
use withdrawal::digest::hex;
use withdrawal::psbt::inspect;

use super::Context;
use crate::cli::Finalize;
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Node;

/// Checks a transaction by Bitcoin's consensus rules, always with all the coins that it spends:
/// without them a bad taproot signature is accepted.
pub fn consensus(tx: &Transaction, prevouts: &[TxOut]) -> Result<(), Fail> {
    let raw = serialize(tx);
    let scripts: Vec<&[u8]> = prevouts.iter().map(|p| p.script_pubkey.as_bytes()).collect();
    let utxos: Vec<bitcoinconsensus::Utxo> = prevouts
        .iter()
        .zip(&scripts)
        .map(|(prevout, script)| bitcoinconsensus::Utxo {
            script_pubkey: script.as_ptr(),
            script_pubkey_len: u32::try_from(script.len()).unwrap_or(u32::MAX),
            value: i64::try_from(prevout.value.to_sat()).unwrap_or(i64::MAX),
        })
        .collect();
    if utxos.len() != tx.input.len() {
        return Err(Fail::Refused(
            Code::ScriptFails,
            "coins and inputs differ in number".to_owned(),
        ));
    }
    for (index, prevout) in prevouts.iter().enumerate() {
        let script = prevout.script_pubkey.as_bytes();
        let value = prevout.value.to_sat();
        let flags = bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT;
        bitcoinconsensus::verify_with_flags(script, value, &raw, Some(&utxos), index, flags)
            .map_err(|e| Fail::Refused(Code::ScriptFails, format!("input {index}: {e:?}")))?;
    }
    Ok(())
}

pub fn run(cx: Context, args: &Finalize) -> Done {
    let dir = VaultDir::open(&args.vault)?;
    let vault = dir.vault()?;
    let mut psbts: Vec<Psbt> = Vec::new();
    let mut spend = None;
    let mut first = Vec::new();
    for path in &args.psbt {
        let bytes = files::psbt(path)?;
        let inspection = inspect(&bytes, &vault.script).map_err(|e| files::psbt_fault(path, e))?;
        if let Some(violation) = inspection.violations.into_iter().next() {
            return Err(Fail::Refused(
                violation.code,
                format!("{}: {}", path.display(), violation.detail),
            ));
        }
        if first.is_empty() {
            first = bytes;
        }
        spend = spend.or(inspection.spend);
        psbts.push(inspection.psbt);
    }
    let spend = spend.ok_or_else(|| Fail::failed("not proven"))?;
    let combined = finish::combine(psbts)?;
    let signed = super::signed::count(&vault, &spend, &combined);
    let (tx, prevouts) = finish::finalize(combined).map_err(|e| {
        let hint = if signed.holders < signed.needed {
            "`sign` it with another holder's key"
        } else {
            "`release` it, so that the cosigner signs too"
        };
        Fail::Refused(Code::ScriptFails, format!("{}: {hint} ({e})", signed.words()))
    })?;
    consensus(&tx, &prevouts)?;
    let mirror = Mirror::open(&dir, vault.clone())?;
    let spend_digest = find_released(&dir, &vault, &spend)?;
    let receipt = finish::receipt(&dir, &mirror, &spend, &spend_digest, &first, &tx)?;
    let verified = receipt.verify().map_err(|v| Fail::Refused(v.code, v.detail))?;
    // INVARIANT: what is written is what a reader of the receipt would accept.
    consensus(&verified.tx, &verified.prevouts)?;
    files::write(&args.out, format!("{}\n", hex(&serialize(&tx))).as_bytes(), cx.force, false)?;
    files::write(&args.receipt, &receipt.to_json(), cx.force, false)?;
    let txid = tx.compute_txid().to_string();
    if args.broadcast {
        let node = Node::new(args.node.as_deref().unwrap_or_default())?;
        broadcast(&node, &tx)?;
    }
    cx.say(
        &json!({"txid": txid, "broadcast": args.broadcast, "tx": args.out, "receipt": args.receipt}),
        &format!("final {txid}{}", if args.broadcast { ", handed to the node" } else { "" }),
    );
    Ok(())
}

/// Hands a transaction to a node after its own test of it.
pub fn broadcast(node: &Node, tx: &Transaction) -> Done {
    let raw = hex(&serialize(tx));
    let test = node.call("testmempoolaccept", &json!([[raw]]))?;
    if test.pointer("/0/allowed") != Some(&json!(true)) {
        let why = test.pointer("/0/reject-reason").and_then(serde_json::Value::as_str);
        let why = why.unwrap_or("no reason given");
        let hint = match why {
            "missing-inputs" | "bad-txns-inputs-missingorspent" => {
                "; its coins are spent, or another version has replaced it"
            }
            _ => "",
        };
        return Err(Fail::Refused(
            Code::InputState,
            format!("the node would not take it: {why}{hint}"),
        ));
    }
    node.call("sendrawtransaction", &json!([raw])).map(|_| ())
}

/// The digest under which a release of this transaction was kept.
fn find_released(
    dir: &VaultDir,
    vault: &withdrawal::genesis::Vault,
    spend: &withdrawal::spend::SpendSummary,
) -> Result<withdrawal::digest::Digest, Fail> {
    let released = dir.path().join("released");
    let listing = std::fs::read_dir(&released).map_err(|_| {
        Fail::failed("nothing was released from this directory; run `release` first")
    })?;
    for entry in listing.flatten() {
        let intent = std::fs::read(entry.path().join("intent.json")).ok();
        let intent = intent.and_then(|bytes| withdrawal::intent::Intent::parse(&bytes).ok());
        if let Some(intent) = intent {
            let digest = spend.digest(&vault.id, &intent.digest());
            if entry.file_name().to_string_lossy() == digest.to_string() {
                return Ok(digest);
            }
        }
    }
    Err(Fail::failed("this transaction was not released from this directory; run `release` first"))
}
