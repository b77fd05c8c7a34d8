//! `psbt`: build, bump, inspect.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use bitcoin::{OutPoint, Psbt};
use coordinator::build::Plan;
use serde_json::json;
use withdrawal::code::Code;
use withdrawal::psbt::inspect as inspect_psbt;
use withdrawal::psbt::raw;
use withdrawal::spend::{OutputKind, PaidOutput};

use super::{Context, Opened};
use crate::cli::Psbt as Command;
use crate::fail::{Done, Fail};
use crate::files;
use crate::show;

pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Build { vault, intent, fee_rate, coin, out } => {
            build(cx, &vault, &intent, fee_rate, &coin, &out)
        }
        Command::Bump { vault, psbt, fee_rate, out } => bump(cx, &vault, &psbt, fee_rate, &out),
        Command::Inspect { psbt, vault } => inspect(cx, &psbt, vault.as_ref()),
    }
}

fn plan<'a>(opened: &'a Opened, only: &'a [OutPoint], fee_rate: u64) -> Result<Plan<'a>, Fail> {
    let script = &opened.vault.script;
    let change_index =
        if script.is_ranged() { opened.dir.next_index(script.change_branch())? } else { 0 };
    Ok(Plan {
        script,
        coins: &opened.coins.coins,
        state: &opened.state,
        only,
        fee_rate,
        change_index,
    })
}

fn build(
    cx: Context,
    vault: &Path,
    intent: &Path,
    fee_rate: u64,
    coins: &[String],
    out: &Path,
) -> Done {
    let opened = super::open(vault)?;
    let intent = super::request::read_intent(intent)?;
    let only = coins
        .iter()
        .map(|c| OutPoint::from_str(c).map_err(|e| Fail::malformed("--coin", c, e)))
        .collect::<Result<Vec<_>, _>>()?;
    let plan = plan(&opened, &only, fee_rate)?;
    let psbt = plan.build(&intent)?;
    report(cx, &opened, &psbt, plan.change_index, out)
}

fn bump(cx: Context, vault: &Path, psbt: &Path, fee_rate: u64, out: &Path) -> Done {
    let opened = super::open(vault)?;
    let bytes = files::psbt(psbt)?;
    let inspection =
        inspect_psbt(&bytes, &opened.vault.script).map_err(|e| files::psbt_fault(psbt, e))?;
    if inspection.spend.is_none() || !inspection.violations.is_empty() {
        show::tell(&show::violations_text(&inspection.violations));
        let code = inspection.violations.first().map_or(Code::InputAmountUnproven, |v| v.code);
        let detail = "only a sound transaction of this vault is replaced by another";
        return Err(Fail::Refused(code, detail.to_owned()));
    }
    let plan = plan(&opened, &[], fee_rate)?;
    let bumped = plan.bump(&inspection.psbt)?;
    report(cx, &opened, &bumped, plan.change_index, out)
}

/// Writes what was built; only then a fresh change address counts as given out.
fn report(cx: Context, opened: &Opened, psbt: &Psbt, fresh: u32, out: &Path) -> Done {
    let bytes = psbt.serialize();
    let network = opened.vault.genesis.network;
    let inspection =
        inspect_psbt(&bytes, &opened.vault.script).map_err(|e| files::psbt_fault(out, e))?;
    let spend = inspection.spend.ok_or_else(|| Fail::failed("what was built is not proven"))?;
    let used = |o: &PaidOutput| matches!(&o.kind, OutputKind::Change(at) if at.index == fresh);
    if opened.vault.script.is_ranged() && spend.outputs.iter().any(used) {
        opened.dir.give_out(opened.vault.script.change_branch(), fresh)?;
    }
    files::write_psbt(out, &bytes, cx.force)?;
    cx.say(&show::spend(None, network, &spend, None), &show::spend_text(network, &spend));
    Ok(())
}

fn inspect(cx: Context, path: &Path, vault: Option<&PathBuf>) -> Done {
    let bytes = files::psbt(path)?;
    let Some(vault) = vault else { return inspect_alone(cx, path, &bytes) };
    let opened = super::open(vault)?;
    let network = opened.vault.genesis.network;
    let inspection =
        inspect_psbt(&bytes, &opened.vault.script).map_err(|e| files::psbt_fault(path, e))?;
    let summary = match &inspection.spend {
        Some(spend) => show::spend(Some(&opened.vault.id.to_string()), network, spend, None),
        None => serde_json::Value::Null,
    };
    let violations: Vec<_> = inspection.violations.iter().map(show::violation).collect();
    let mut text =
        inspection.spend.as_ref().map(|s| show::spend_text(network, s)).unwrap_or_default();
    text.push_str(&show::violations_text(&inspection.violations));
    cx.say(&json!({"summary": summary, "violations": violations}), &text);
    if inspection.violations.is_empty() { Ok(()) } else { Err(Fail::Said) }
}

/// Without a vault nothing is anybody's change: only what the bytes say is shown.
fn inspect_alone(cx: Context, path: &Path, bytes: &[u8]) -> Done {
    let raw = raw::read(bytes).map_err(|e| files::psbt_fault(path, e))?;
    Psbt::deserialize(&raw.v0).map_err(|e| Fail::malformed(path.display(), "", e))?;
    let inputs: Vec<String> = raw.tx.input.iter().map(|i| i.previous_output.to_string()).collect();
    let outputs: Vec<_> = raw
        .tx
        .output
        .iter()
        .map(|o| {
            let script = withdrawal::digest::hex(o.script_pubkey.as_bytes());
            json!({"script": script, "amount_sat": o.value.to_sat()})
        })
        .collect();
    let text = format!(
        "{} inputs, {} outputs\n{}",
        inputs.len(),
        outputs.len(),
        raw.tx
            .output
            .iter()
            .map(|o| format!("  {:>22}  {:x}", show::btc(o.value), o.script_pubkey))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let violations: Vec<_> = raw.violations.iter().map(show::violation).collect();
    cx.say(
        &json!({"unsigned_txid": raw.tx.compute_txid().to_string(), "inputs": inputs, "outputs": outputs, "violations": violations}),
        &text,
    );
    Ok(())
}
