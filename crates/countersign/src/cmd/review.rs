//! `review`: the second decoder, on the approver's own machine.

use reader::Read;
use serde_json::{Value, json};
use withdrawal::digest::Digest;
use withdrawal::lookalike::most_alike;
use withdrawal::network::Network;
use withdrawal::phrase::phrase;

use super::{Context, Opened};
use crate::cli::{Review, Subject};
use crate::fail::{Done, Fail};
use crate::files;
use crate::show::btc;

/// What the second decoder read, and its digest.
pub struct Reviewed {
    /// The transaction.
    pub read: Read,
    /// The intent.
    pub intent: withdrawal::intent::Intent,
    /// The spend digest, computed from what was read.
    pub digest: Digest,
}

/// Reads intent and PSBT with the second decoder.
pub fn read(opened: &Opened, subject: &Subject) -> Result<Reviewed, Fail> {
    let intent = super::request::read_intent(&subject.intent)?;
    let vault = reader::Vault::parse(opened.vault.script.text()).map_err(|e| {
        Fail::failed(format!("the second decoder does not read this descriptor: {e}"))
    })?;
    let psbt = files::psbt(&subject.psbt)?;
    let read = reader::read(&psbt, &vault)
        .map_err(|e| Fail::malformed(subject.psbt.display(), format!("byte {}", e.at), e.what))?;
    let digest = reader::spend_digest(&read, &opened.vault.id.0, &intent.digest().0);
    Ok(Reviewed { read, intent, digest: Digest(digest) })
}

fn chain(network: Network) -> reader::Chain {
    match network {
        Network::Bitcoin => reader::Chain::Main,
        Network::Regtest => reader::Chain::Regtest,
        Network::Testnet4 | Network::Signet => reader::Chain::Test,
    }
}

/// What stands behind one output, for a person.
fn note(opened: &Opened, reviewed: &Reviewed, script: &bitcoin::Script, sat: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let asked =
        reviewed.intent.outputs().iter().any(|p| *p.script == *script && p.amount.to_sat() == sat);
    if !asked {
        notes.push("NOT ASKED FOR".to_owned());
    }
    let listed = opened.state.allowlist();
    match listed.get(script) {
        Some((label, _)) => notes.push(format!("known: {label}")),
        None => notes.push("new".to_owned()),
    }
    let known = listed.keys().map(bitcoin::ScriptBuf::as_script);
    let bits = opened.state.policy().lookalike_min_bits;
    let comparisons = listed.len() as u64;
    let network = opened.vault.genesis.network;
    if listed.get(script).is_none()
        && let Some((_, other, like)) = most_alike(network, script, known, comparisons, bits)
    {
        notes.push(format!(
            "LOOKS LIKE {other}: {} first and {} last characters",
            like.first, like.last
        ));
    }
    notes
}

/// Fee of the version that this transaction would replace, if there is one.
fn replaces(opened: &Opened, reviewed: &Reviewed) -> Option<bitcoin::Amount> {
    let record = opened.state.ledger().intent(&reviewed.intent.digest())?;
    let others = record.versions.iter().filter(|v| v.reservation.spend != reviewed.digest);
    others.map(|v| v.reservation.fee).next_back()
}

/// Payments that the intent asks for and the transaction does not make, and others than asked for.
pub fn differs(reviewed: &Reviewed) -> Vec<String> {
    let mut asked: Vec<(&[u8], u64)> = reviewed
        .intent
        .outputs()
        .iter()
        .map(|p| (p.script.as_bytes(), p.amount.to_sat()))
        .collect();
    let mut wrong = Vec::new();
    for output in &reviewed.read.outputs {
        match asked.iter().position(|(script, sat)| *script == output.script && *sat == output.sat)
        {
            Some(at) => drop(asked.swap_remove(at)),
            None if output.own.is_some() => {}
            None => wrong.push("a payment that nobody asked for".to_owned()),
        }
    }
    if !asked.is_empty() {
        wrong.push(format!("{} payments asked for are not made", asked.len()));
    }
    wrong
}

/// The review as JSON and as text.
pub fn render(opened: &Opened, reviewed: &Reviewed) -> (Value, String) {
    let network = opened.vault.genesis.network;
    let mut outputs = Vec::new();
    let mut text = format!("{} of vault {}\n", reviewed.intent.kind().name(), opened.vault.id);
    for output in &reviewed.read.outputs {
        let script = bitcoin::Script::from_bytes(&output.script);
        let address = reader::address(&output.script, chain(network));
        let shown = address.clone().unwrap_or_else(|| format!("script:{script:x}"));
        let amount = btc(bitcoin::Amount::from_sat(output.sat));
        let reference = reviewed
            .intent
            .outputs()
            .iter()
            .find(|p| *p.script == *script && p.amount.to_sat() == output.sat)
            .map(|p| p.reference.clone());
        let (kind, mut notes) = match output.own {
            Some((branch, index)) => ("change", vec![format!("own address {branch}/{index}")]),
            None => ("payment", note(opened, reviewed, script, output.sat)),
        };
        if let (None, Some(reference)) = (output.own, &reference) {
            notes.push(format!("reference {reference}"));
        }
        text.push_str(&format!(
            "  {kind:<7} {amount:>22}  {shown}\n          {}\n",
            notes.join("; ")
        ));
        outputs.push(
            json!({"kind": kind, "address": address, "amount_sat": output.sat, "notes": notes}),
        );
    }
    let fee = bitcoin::Amount::from_sat(reviewed.read.fee_sat);
    let words = phrase(&reviewed.digest);
    text.push_str(&format!(
        "  fee     {:>22}  at most {} is asked for\n",
        btc(fee),
        btc(reviewed.intent.max_fee())
    ));
    if let Some(replaced) = replaces(opened, reviewed) {
        text.push_str(&format!(
            "  REPLACES a version of the same intent with a fee of {}\n",
            btc(replaced)
        ));
    }
    let requester = reviewed.intent.requester();
    let by = opened.state.chain_roster().requester(requester).map(|r| r.name.as_str());
    text.push_str(&format!(
        "  asked for by {}\n",
        by.map_or_else(
            || format!("a key that the roster does not name: {}", requester.id()),
            str::to_owned
        )
    ));
    text.push_str(&format!(
        "  spends {} coins; expires {}\n",
        reviewed.read.inputs.len(),
        reviewed.intent.expires()
    ));
    text.push_str(&format!("spend digest {}\ntwelve words  {words}", reviewed.digest));
    let json = json!({
        "vault_id": opened.vault.id.to_string(),
        "intent": reviewed.intent.digest().to_string(),
        "kind": reviewed.intent.kind().name(),
        "inputs": reviewed.read.inputs.len(),
        "outputs": outputs,
        "fee_sat": reviewed.read.fee_sat,
        "expires": reviewed.intent.expires(),
        "replaces_fee_sat": replaces(opened, reviewed).map(bitcoin::Amount::to_sat),
        "spend_digest": reviewed.digest.to_string(),
        "phrase": words,
    });
    (json, text)
}

pub fn run(cx: Context, args: &Review) -> Done {
    let opened = super::open(&args.subject.vault)?;
    let reviewed = read(&opened, &args.subject)?;
    let (json, text) = render(&opened, &reviewed);
    cx.say(&json, &text);
    Ok(())
}
