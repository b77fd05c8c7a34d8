//! `log verify` and `log show`: the whole log, offline.

use std::path::{Path, PathBuf};

use coordinator::client::Client;
use coordinator::dir::VaultDir;
use coordinator::service::Service;
use serde_json::json;
use tlog::dir::LogDir;
use tlog::verify::{Fault, verify};
use tlog::{CosignedHead, SignedHead, TreeHead, VerifierKey};
use withdrawal::entry::{Body, Entry};
use withdrawal::state::State;
use withdrawal::succession::{Recovered, key_of_head};
use withdrawal::wire::Wire as _;

use super::Context;
use crate::cli::Log;
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;

pub fn run(cx: Context, command: Log) -> Done {
    match command {
        Log::Verify { dir, head } => verify_log(cx, &dir, head.as_ref()),
        Log::Show { dir } => show(cx, &dir),
        Log::Sync { vault, cosigner } => sync(cx, &vault, cosigner.as_deref()),
        Log::Extract { dir, entry, out } => extract(cx, &dir, entry, &out),
    }
}

/// A vault's directory or a cosigner's holds the log in `log`; a log's own directory is taken as it is.
fn open(dir: &Path) -> Result<LogDir, Fail> {
    let inner = dir.join("log");
    let dir = if inner.is_dir() { inner.as_path() } else { dir };
    LogDir::open(dir).map_err(|e| Fail::malformed(dir.display(), "", e))
}

/// The log's key stands in its own first entry; whether that is the vault meant is `verify`'s business.
fn key(log: &LogDir) -> Option<(VerifierKey, withdrawal::genesis::Vault)> {
    use tlog::log::Files as _;
    let first = |path: &str| {
        let bundle = log.read(path).ok()??;
        tlog::bundle::decode(&bundle)?.into_iter().next()
    };
    let note = String::from_utf8(log.head_note().ok()??).ok()?;
    let size: u64 = note.lines().nth(1)?.parse().ok().filter(|size| *size > 0)?;
    let bytes = first(&tlog::log::bundle_path(0, size.min(256)))?;
    let Body::Genesis(signed) = Entry::from_bytes(&bytes).ok()?.body else { return None };
    let vault = signed.genesis.check().ok()?;
    Some((key_of_head(vault.log.as_ref()?, note.as_bytes()).ok()?, vault))
}

fn bad(cx: Context, first_bad: Option<u64>, detail: &str) -> Done {
    cx.say(
        &json!({"ok": false, "first_bad": first_bad, "detail": detail}),
        &format!("NOT VERIFIED: {detail}"),
    );
    Err(Fail::Said)
}

fn verify_log(cx: Context, dir: &Path, newer: Option<&PathBuf>) -> Done {
    let log = open(dir)?;
    let note = log.head_note().map_err(Fail::failed)?.unwrap_or_default();
    let Some((key, vault)) = key(&log) else {
        return bad(cx, Some(0), "entry 0: no genesis record, or its bundle is missing or damaged");
    };
    let head = match SignedHead::parse(&note, &key) {
        Ok(signed) => *signed.head(),
        Err(error) => return bad(cx, None, &format!("tree head: {error}")),
    };
    let mut state = State::new(vault.clone());
    let result = verify(&log, &head, |_, bytes| {
        let entry = Entry::from_bytes(bytes).map_err(|e| e.to_string())?;
        state.apply(&entry).map_err(|e| e.what)
    });
    match result {
        Ok(()) if state.log() != Some(&key) => {
            return bad(cx, None, "the log's name is not the one that its entries give it");
        }
        Ok(()) => {}
        Err(Fault::Io(error)) => return Err(Fail::failed(error)),
        Err(fault) => return bad(cx, fault.first_bad(), &fault.to_string()),
    }
    if let Some(path) = newer
        && let Err(detail) = hold_to(&log, &head, &files::read(path)?, &state, &key)
    {
        return bad(cx, Some(head.size), &detail);
    }
    cx.say(
        &json!({"ok": true, "entries": head.size, "vault_id": vault.id.to_string(), "first_bad": null}),
        &format!("{} entries verified, vault {}", head.size, vault.id),
    );
    Ok(())
}

/// A head that witnesses cosigned must be one of this log's.
fn hold_to(
    log: &LogDir,
    head: &TreeHead,
    note: &[u8],
    state: &State,
    key: &VerifierKey,
) -> Result<(), String> {
    let policy = state.witnesses().ok_or("the vault has no witnesses")?;
    let signed = SignedHead::parse(note, key).map_err(|e| e.to_string())?;
    let cosigned = CosignedHead::check(signed, policy.keys()).map_err(|e| e.to_string())?;
    if !policy.is_met(&cosigned) {
        return Err("WITNESS_QUORUM: the head given is not cosigned by enough witnesses".to_owned());
    }
    let size = cosigned.head().size;
    if size > head.size {
        return Err(format!(
            "LOG_ROLLBACK: witnesses have cosigned {size} entries, this log ends after {}: entry {} is missing",
            head.size, head.size
        ));
    }
    match tlog::log::Log::at(log, *head).root_at(size) {
        Ok(root) if root == cosigned.head().root => Ok(()),
        _ => Err(format!("LOG_FORK: witnesses have cosigned another history of {size} entries")),
    }
}

fn show(cx: Context, dir: &Path) -> Done {
    let log = open(dir)?;
    let (key, _) =
        key(&log).ok_or_else(|| Fail::malformed(dir.display(), "", "no genesis record"))?;
    let note = log.head_note().map_err(Fail::failed)?.unwrap_or_default();
    let head =
        *SignedHead::parse(&note, &key).map_err(|e| Fail::malformed(dir.display(), "", e))?.head();
    let entries = tlog::log::Log::at(&log, head).entries(0, head.size).map_err(Fail::failed)?;
    let mut rows = Vec::new();
    let mut text = String::new();
    for (number, bytes) in entries.iter().enumerate() {
        let entry =
            Entry::from_bytes(bytes).map_err(|e| Fail::malformed(dir.display(), number, e))?;
        let what = describe(&entry.body);
        let time = entry.observed.last().map(|s| s.now.low.to_string());
        text.push_str(&format!(
            "{number:>6}  {:<20}  {:<13}  {}\n",
            time.as_deref().unwrap_or("-"),
            entry.body.name(),
            crate::show::clean(&what)
        ));
        rows.push(
            json!({"entry": number, "time": time, "kind": entry.body.name(), "detail": what}),
        );
    }
    cx.say(&json!({"entries": rows}), &text);
    Ok(())
}

fn sync(cx: Context, vault: &Path, socket: Option<&Path>) -> Done {
    let dir = VaultDir::open(vault)?;
    let default = dir.cosigner_socket();
    let http = Http::new();
    let client = Client::connect(socket.unwrap_or(&default))?;
    let mut service = Service::new(&dir, client, &http)?;
    service.sync()?;
    let entries = service.mirror().head().size;
    cx.say(&json!({"entries": entries}), &format!("{entries} entries, witnessed"));
    Ok(())
}

fn extract(cx: Context, dir: &Path, number: u64, out: &Path) -> Done {
    let log = open(dir)?;
    let fault = |e: &dyn std::fmt::Display| Fail::malformed(dir.display(), number, e);
    let (key, _) = key(&log).ok_or_else(|| fault(&"no genesis record"))?;
    let note = log.head_note().map_err(Fail::failed)?.unwrap_or_default();
    let head = *SignedHead::parse(&note, &key).map_err(|e| fault(&e))?.head();
    let view = tlog::log::Log::at(&log, head);
    if number >= head.size {
        return Err(fault(&format!("the log has {} entries", head.size)));
    }
    let bytes = view.entries(number, number + 1).map_err(|e| fault(&e))?.pop().unwrap_or_default();
    let proof = view.prove_inclusion(number).map_err(|e| fault(&e))?.iter().map(|h| h.0).collect();
    let entry = Entry::from_bytes(&bytes).map_err(|e| fault(&e))?;
    let says = format!("entry {number}: {} {}", entry.body.name(), describe(&entry.body));
    let object = Recovered { entry: number, bytes, proof, head: note };
    files::write_object(out, "entry", says.clone(), &object, cx.force)?;
    cx.say(&json!({"entry": number, "file": out}), &says);
    Ok(())
}

fn describe(body: &Body) -> String {
    match body {
        Body::Genesis(signed) => format!("vault {}", signed.genesis.vault_id()),
        Body::Start { .. } | Body::Tick { .. } => String::new(),
        Body::Reservation(r) => {
            let paid: bitcoin::Amount = r.payments.iter().map(|p| p.amount).sum();
            format!(
                "{} {} of {} coins, fee {}, txid {}",
                r.kind.name(),
                crate::show::btc(paid),
                r.outpoints.len(),
                r.fee,
                r.txid
            )
        }
        Body::Witnessed { change, .. } => format!("one witness replaced by change {change}"),
        Body::Payments(payments) => format!("{} more payments", payments.len()),
        Body::Countersigned(c) => format!("reservation {}, spend {}", c.reservation, c.spend),
        Body::Act(act) => {
            format!("{}: {} ({})", act.act.author, act.act.kind.describe(), act.act.digest())
        }
        Body::Change(change) => {
            let people: Vec<&str> = change.signatures.iter().map(|s| s.person.as_str()).collect();
            format!("{} by {}", change.change.kind.describe(), people.join(", "))
        }
        Body::Succession(s) => s.declaration.describe(),
        Body::Recovered(r) => {
            let body = Entry::from_bytes(&r.bytes).map(|entry| entry.body);
            let what =
                body.map_or_else(|e| e.to_string(), |b| format!("{}: {}", b.name(), describe(&b)));
            format!("entry {} of the log before: {what}", r.entry)
        }
    }
}
