//! Finishing: signatures combined, scripts satisfied, the receipt put together.

use std::collections::BTreeMap;

use bitcoin::consensus::serialize;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Psbt, Transaction, TxOut};
use miniscript::psbt::PsbtExt as _;
use withdrawal::approval::Approval;
use withdrawal::change::SignedChange;
use withdrawal::digest::{Digest, hex};
use withdrawal::entry::{Body, Entry};
use withdrawal::facts::Facts;
use withdrawal::receipt::{
    ChangeProof, Compared, LoggedChange, LoggedEntry, LoggedSuccession, Prevout, Receipt,
    hex_hashes,
};
use withdrawal::spend::{OutputKind, SpendSummary};
use withdrawal::state::State;
use withdrawal::verdict::{Step, judge};
use withdrawal::wire::Wire as _;

use crate::dir::VaultDir;
use crate::mirror::Mirror;
use crate::{Error, io};

fn cannot(what: &str, detail: impl std::fmt::Display) -> Error {
    Error::Malformed { what: what.to_owned(), detail: detail.to_string() }
}

/// Combines PSBTs of one transaction: signatures are joined, nothing else is taken from the others.
pub fn combine(psbts: Vec<Psbt>) -> Result<Psbt, Error> {
    let mut all = psbts.into_iter();
    let mut first = all.next().ok_or_else(|| cannot("psbt", "none given"))?;
    for other in all {
        if other.unsigned_tx != first.unsigned_tx {
            return Err(cannot("psbt", "they are of different transactions"));
        }
        for (input, more) in first.inputs.iter_mut().zip(other.inputs) {
            input.partial_sigs.extend(more.partial_sigs);
        }
    }
    Ok(first)
}

/// Satisfies every script and takes the final transaction out, with the coins that it spends.
pub fn finalize(mut psbt: Psbt) -> Result<(Transaction, Vec<TxOut>), Error> {
    // Wallets may leave out what the previous transaction says as well.
    for (input, tx_in) in psbt.inputs.iter_mut().zip(&psbt.unsigned_tx.input) {
        let vout = usize::try_from(tx_in.previous_output.vout).unwrap_or(usize::MAX);
        let previous = input.non_witness_utxo.as_ref().and_then(|tx| tx.output.get(vout));
        if input.witness_utxo.is_none() {
            input.witness_utxo = previous.cloned();
        }
    }
    let prevouts: Option<Vec<TxOut>> = psbt.inputs.iter().map(|i| i.witness_utxo.clone()).collect();
    let prevouts = prevouts.ok_or_else(|| cannot("psbt", "a coin is missing"))?;
    psbt.finalize_mut(&Secp256k1::verification_only()).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        cannot("psbt", format!("signatures are missing: {}", texts.join("; ")))
    })?;
    let tx = psbt.extract_tx_unchecked_fee_rate();
    Ok((tx, prevouts))
}

/// Puts the receipt of a released spend together from the vault's directory.
pub fn receipt(
    dir: &VaultDir,
    mirror: &Mirror,
    spend: &SpendSummary,
    spend_digest: &Digest,
    psbt: &[u8],
    tx: &Transaction,
) -> Result<Receipt, Error> {
    let path = dir.released_path(spend_digest);
    let read = |name: &str| {
        let path = path.join(name);
        std::fs::read_to_string(&path).map_err(io(path.display()))
    };
    let numbers = read("entries")?;
    let mut numbers = numbers.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(reserved)), Some(Ok(signed))) = (numbers.next(), numbers.next()) else {
        return Err(cannot("released/entries", "two numbers expected"));
    };
    let mut approvals = Vec::new();
    while let Ok(approval) = read(&format!("approval-{}.json", approvals.len())) {
        approvals.push(approval);
    }
    let genesis = dir.genesis()?;
    let (reservation, size) = reservation(mirror, reserved, read("head")?)?;
    let log_error = |e: tlog::log::LogError| cannot("log mirror", e);
    let note = mirror.note()?.unwrap_or_default();
    let note = String::from_utf8(note).map_err(|e| cannot("log mirror", e))?;
    let countersigned = logged(mirror, signed, 1, mirror.head().size, note)?;
    let consistency = mirror.log().prove_consistency(size).map_err(log_error)?;
    let change = (0u32..).zip(&spend.outputs).filter_map(|(vout, output)| match &output.kind {
        OutputKind::Change(at) => Some(ChangeProof { vout, branch: at.branch, index: at.index }),
        OutputKind::Payment => None,
    });
    let governed = governed(mirror, signed)?;
    let decision = decision(governed.state, &read("intent.json")?, &approvals, psbt)?;
    let prevouts = spend
        .inputs
        .iter()
        .map(|i| Prevout { amount_sat: i.amount.to_sat(), script: hex(i.script.as_bytes()) });
    Ok(Receipt {
        version: 1,
        vault_id: genesis.genesis.vault_id(),
        genesis: hex(&genesis.to_bytes()),
        changes: governed.changes,
        successions: governed.successions,
        decision,
        intent: read("intent.json")?,
        approvals,
        tx: hex(&serialize(tx)),
        prevouts: prevouts.collect(),
        change: change.collect(),
        reservation,
        countersigned,
        consistency: hex_hashes(&consistency),
    })
}

fn reservation(mirror: &Mirror, entry: u64, note: String) -> Result<(LoggedEntry, u64), Error> {
    let bytes = mirror.log().entries(entry, entry + 1).map_err(|e| cannot("log mirror", e))?;
    let first = bytes.first().map(|b| Entry::from_bytes(b));
    let Some(Ok(Entry { body: Body::Reservation(reservation), .. })) = first else {
        return Err(cannot("log mirror", format!("entry {entry} is no reservation")));
    };
    let size = note.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
    let size = size.ok_or_else(|| cannot("released/head", "no size"))?;
    let count = u64::from(reservation.more) + 1;
    Ok((logged(mirror, entry, count, size, note)?, size))
}

fn logged(
    mirror: &Mirror,
    entry: u64,
    count: u64,
    size: u64,
    head: String,
) -> Result<LoggedEntry, Error> {
    let error = |e: tlog::log::LogError| cannot("log mirror", e);
    let log = mirror.log();
    let entries = log.entries(entry, entry + count).map_err(error)?;
    let view = mirror.at(size)?;
    let mut proofs = Vec::new();
    for number in entry..entry + count {
        proofs.push(hex_hashes(&view.prove(number)?));
    }
    Ok(LoggedEntry { entry, entries: entries.iter().map(|e| hex(e)).collect(), proofs, head })
}

/// What governed a signature: the changes in force by then, in the order in which they came into it,
/// and the successions among them.
struct Governed {
    changes: Vec<LoggedChange>,
    successions: Vec<LoggedSuccession>,
    /// The state just before the signature, with the heads that it says were accepted.
    state: State,
}

fn governed(mirror: &Mirror, entry: u64) -> Result<Governed, Error> {
    let mut state = State::new(mirror.vault().clone());
    let mut before = state.clone();
    let mut changes = BTreeMap::new();
    let mut successions = Vec::new();
    // The record itself says which heads were accepted before it was judged.
    let count = usize::try_from(entry).unwrap_or(usize::MAX).saturating_add(1);
    for bytes in mirror.entries(0)?.iter().take(count) {
        let entry = Entry::from_bytes(bytes).map_err(|e| cannot("log mirror", e))?;
        if matches!(entry.body, Body::Countersigned(_)) {
            before = state.clone();
            for sight in &entry.observed {
                before.accept(sight.size, sight.now).map_err(|v| cannot("log mirror", v.detail))?;
            }
        }
        for sight in &entry.observed {
            state.accept(sight.size, sight.now).map_err(|v| cannot("log mirror", v.detail))?;
        }
        // Its signers were judged under what was in force when it was entered.
        let entered_after = u32::try_from(state.chain().len()).unwrap_or(u32::MAX);
        state.apply(&entry).map_err(|e| cannot("log mirror", e))?;
        match entry.body {
            Body::Change(change) => {
                changes.insert(change.change.digest(), logged_change(&change, entered_after));
            }
            Body::Recovered(recovered) => {
                if let Ok(Entry { body: Body::Change(change), .. }) =
                    Entry::from_bytes(&recovered.bytes)
                {
                    changes.insert(change.change.digest(), logged_change(&change, entered_after));
                }
            }
            Body::Succession(succession) => successions.push(LoggedSuccession {
                record: hex(&succession.to_bytes()),
                after_changes: u32::try_from(state.chain().len()).unwrap_or(u32::MAX),
            }),
            _ => {}
        }
    }
    let chain = state.chain().iter().filter_map(|digest| changes.remove(digest));
    Ok(Governed { changes: chain.collect(), successions, state: before })
}

fn logged_change(change: &SignedChange, entered_after: u32) -> LoggedChange {
    LoggedChange { record: hex(&change.to_bytes()), entered_after }
}

/// What each rule compared when the signature was decided.
fn decision(
    state: State,
    intent: &str,
    approvals: &[String],
    psbt: &[u8],
) -> Result<Vec<Compared>, Error> {
    let approvals: Vec<Approval> =
        approvals.iter().filter_map(|a| Approval::parse(a.as_bytes()).ok()).collect();
    let judged = judge(&state, intent.as_bytes(), psbt, &approvals, &Facts::default(), Step::Sign);
    let judgement = judged.map_err(|e| cannot("decision trace", e))?;
    Ok(judgement.trace.iter().map(Compared::new).collect())
}
