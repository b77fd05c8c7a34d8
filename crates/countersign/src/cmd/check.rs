//! `check`: the verdict, offline; nothing is written.

use std::path::Path;

use bitcoin::{Amount, OutPoint, ScriptBuf};
use serde::Deserialize;
use withdrawal::clock::Now;
use withdrawal::digest::unhex;
use withdrawal::facts::Facts;
use withdrawal::rules;
use withdrawal::verdict::{Judgement, Malformed, Outcome, Step, Unjudged, Verdict, judge};

use super::{Context, Opened};
use crate::cli::{Check, Subject};
use crate::fail::{Done, Fail};
use crate::files;
use crate::show;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct FactsFile {
    spent_in_window_sat: Option<u64>,
    count_in_window: Option<u64>,
    unspent_change_sat: Option<u64>,
    balance_floor_sat: Option<u64>,
    known_scripts: Vec<String>,
    destination_risk: std::collections::BTreeMap<String, String>,
    coin_age_blocks: std::collections::BTreeMap<String, u32>,
}

fn read_facts(path: &Path, into: &mut Facts) -> Result<(), Fail> {
    let bad = |at: &str, e: &dyn std::fmt::Display| Fail::malformed(path.display(), at, e);
    let file: FactsFile = serde_json::from_slice(&files::read(path)?)
        .map_err(|e| bad(&format!("line {} column {}", e.line(), e.column()), &e))?;
    let amount = |at: &str, sat: Option<u64>| match sat.map(Amount::from_sat) {
        Some(amount) if amount > Amount::MAX_MONEY => Err(bad(at, &"more than 21 million BTC")),
        other => Ok(other),
    };
    into.spent_in_window = amount("spent_in_window_sat", file.spent_in_window_sat)?;
    into.count_in_window = file.count_in_window.map(|n| n.min(u64::from(u32::MAX)));
    into.unspent_change = amount("unspent_change_sat", file.unspent_change_sat)?;
    into.balance_floor = amount("balance_floor_sat", file.balance_floor_sat)?;
    for script in &file.known_scripts {
        let bytes = unhex(script).map_err(|e| bad("known_scripts", &e))?;
        into.known_scripts.push(ScriptBuf::from_bytes(bytes));
    }
    into.destination_risk = file.destination_risk;
    for (coin, age) in &file.coin_age_blocks {
        let outpoint: OutPoint = coin.parse().map_err(|e| bad("coin_age_blocks", &e))?;
        into.coin_age_blocks.push((outpoint, *age));
    }
    Ok(())
}

/// Judges files; what can't be judged is a failure or a verdict of its own.
pub fn judge_files(
    opened: &Opened,
    subject: &Subject,
    approvals: Option<&std::path::PathBuf>,
    facts: &Facts,
) -> Result<Result<Judgement, Verdict>, Fail> {
    let intent = files::read(&subject.intent)?;
    let psbt = match files::read(&subject.psbt).map(|b| withdrawal::psbt::to_binary(&b))? {
        Ok(psbt) => psbt,
        Err(withdrawal::psbt::PsbtFault::Refused(violation)) => return Ok(Err(only(violation))),
        Err(fault) => return Err(files::psbt_fault(&subject.psbt, fault)),
    };
    let approvals = files::approvals(approvals)?;
    match judge(&opened.state, &intent, &psbt, &approvals, facts, Step::Check) {
        Ok(judgement) => Ok(Ok(judgement)),
        Err(Unjudged::Refused(violation)) => Ok(Err(only(violation))),
        Err(Unjudged::Malformed(Malformed::Intent(what))) => {
            let (at, detail) = what.split_once(": ").unwrap_or(("", &what));
            Err(Fail::malformed(subject.intent.display(), at, detail))
        }
        Err(Unjudged::Malformed(Malformed::Psbt(what))) => {
            let (at, detail) = what.split_once(": ").unwrap_or(("", &what));
            Err(Fail::malformed(subject.psbt.display(), at, detail))
        }
    }
}

fn only(violation: withdrawal::code::Violation) -> Verdict {
    Verdict {
        violations: vec![violation],
        missing: Vec::new(),
        not_evaluated: rules::CODES.to_vec(),
    }
}

pub fn run(cx: Context, args: &Check) -> Done {
    let mut opened = super::open(&args.subject.vault)?;
    let mut facts = coordinator::facts::gather(&opened.dir)?;
    if let Some(path) = &args.facts {
        read_facts(path, &mut facts)?;
    }
    let at = match &args.at {
        Some(text) => Some(text.parse().map_err(|e: String| Fail::malformed("--at", "", e))?),
        // A question needs some time to be asked at; the cosigner asks its witnesses.
        None if opened.state.now().is_none() => Some(super::wall_clock()),
        None => None,
    };
    if let Some(at) = at {
        let size = opened.state.accepted().map_or(0, |s| s.size);
        opened
            .state
            .accept(size, Now::at(at))
            .map_err(|v| Fail::malformed("--at", "", format!("{}: {}", v.code, v.detail)))?;
    }
    let network = opened.vault.genesis.network;
    let id = opened.vault.id.to_string();
    let judged = judge_files(&opened, &args.subject, args.approvals.as_ref(), &facts)?;
    let (verdict, summary, text) = match &judged {
        Ok(judgement) => {
            let spend = judgement.inspection.spend.as_ref();
            let text = spend.map(|s| show::spend_text(network, s)).unwrap_or_default();
            (&judgement.verdict, show::judged(&id, network, judgement), text)
        }
        Err(verdict) => (verdict, serde_json::Value::Null, String::new()),
    };
    cx.say(&show::verdict(verdict, summary), &format!("{text}{}", show::verdict_text(verdict)));
    if verdict.outcome() == Outcome::Allow { Ok(()) } else { Err(Fail::Said) }
}
