//! `vault show`: what a vault is, in plain words, and every way to spend it.

use std::path::Path;

use serde_json::json;
use withdrawal::genesis::Vault;
use withdrawal::phrase::phrase;

use super::Context;
use crate::fail::Done;

/// The whole record in plain words: what founders read before they sign.
pub fn describe(vault: &Vault) -> String {
    let genesis = &vault.genesis;
    let mut text =
        format!("vault {} on {}\n  words: {}\n", vault.id, genesis.network, phrase(&vault.id));
    if genesis.embedded {
        text.push_str("  EMBEDDED: everything on one host under one user; for trials\n");
    }
    text.push_str("ways to spend it\n");
    match (&vault.paths, &vault.bypass) {
        (Some(paths), _) => {
            text.push_str(&format!(
                "  the cosigner and {} of {} holders\n",
                paths.k,
                paths.holders.len()
            ));
            for holder in &paths.holders {
                text.push_str(&format!("    holder   {holder}\n"));
            }
            text.push_str(&format!("    cosigner {}\n", paths.cosigner));
            let after = super::vault::recovery_note(paths.older_blocks, genesis.network);
            text.push_str(&format!("  the recovery keys alone, once a coin is old: {after}\n"));
            for key in &paths.recovery {
                text.push_str(&format!("    recovery {key}\n"));
            }
        }
        (None, why) => {
            let why = why.as_deref().unwrap_or("unknown");
            text.push_str(&format!("  EVALUATE ONLY, COSIGNER_BYPASS: {why}\n"));
            for key in vault.script.keys() {
                text.push_str(&format!("    key {key}\n"));
            }
        }
    }
    text.push_str("people\n");
    for person in &genesis.roster.persons {
        text.push_str(&format!(
            "  {} in `{}`, zone {}{}{}\n    review key {}\n",
            person.id,
            person.group,
            person.zone,
            if person.vendor { ", vendor: never counts" } else { "" },
            if person.passkey.software { ", passkey in a file: TRIAL" } else { "" },
            person.review_key
        ));
    }
    if genesis.roster.requesters.is_empty() {
        text.push_str("  no requesters named: anyone's intent is judged, nobody's counts\n");
    }
    for requester in &genesis.roster.requesters {
        text.push_str(&format!("  {} may ask, key {}\n", requester.name, requester.key));
    }
    text.push_str("policy\n");
    for line in withdrawal::policy_file::describe(&genesis.policy) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str("known addresses\n");
    for entry in &genesis.allowlist {
        text.push_str(&format!("  {} {}\n", genesis.network.show(&entry.script), entry.label));
    }
    if let Some(policy) = &vault.witnesses {
        let n = policy.witnesses().len();
        text.push_str(&format!(
            "witnesses: {} of {n} cosign, {} may be hostile\n",
            policy.k(),
            policy.f()
        ));
        for witness in policy.witnesses() {
            let url = witness.url.as_deref().unwrap_or("no URL");
            text.push_str(&format!("  {} {url}\n", witness.key));
        }
        if genesis.embedded {
            text.push_str("  no outside witness\n");
        }
    }
    text.push_str(&format!("descriptor\n  {}", vault.script.text()));
    text
}

/// What acts and changes have made of it since.
fn since(state: &withdrawal::state::State) -> String {
    let mut text = String::new();
    for act in state.acts().iter().filter(|a| !a.undone) {
        let note = if act.as_freeze {
            " (too few would be left: the vault is frozen instead)"
        } else {
            ""
        };
        let kind = super::change_show::act_of(&act.act.act.kind, state.vault().genesis.network);
        text.push_str(&format!("  in force: {} by {}{note}\n", kind, act.act.act.author));
    }
    for change in state.pending() {
        let delay = u64::from(state.policy().governance.delay_hours) * 3600;
        let when = match state.first_seen(change.entry) {
            Some(seen) => format!("until {}", seen.plus(delay)),
            None => "from when it is witnessed".to_owned(),
        };
        text.push_str(&format!("  waits {when}: {}\n", change.kind.describe()));
    }
    if let Some(declaration) = state.succession() {
        text.push_str(&format!("  {}\n", declaration.describe()));
        let waits = state.succession_waits().map(|v| v.detail);
        text.push_str(&format!("    {}\n", waits.as_deref().unwrap_or("in force")));
    }
    if let Some(policy) = state.witnesses()
        && state.vault().witnesses.as_ref() != Some(policy)
    {
        let names: Vec<&str> = policy.keys().iter().map(tlog::VerifierKey::name).collect();
        text.push_str(&format!("  witnesses now: {}\n", names.join(", ")));
    }
    text.push_str(&format!(
        "  policy version {}, {} people, {} addresses listed\n",
        state.policy().version,
        state.chain_roster().persons.len(),
        state.allowlist().len()
    ));
    text
}

pub fn show(cx: Context, dir: &Path) -> Done {
    let opened = super::open(dir)?;
    let (vault, genesis) = (&opened.vault, &opened.vault.genesis);
    let spend: Vec<serde_json::Value> = match &vault.paths {
        Some(paths) => vec![
            json!({
                "who": "cosigner and holders", "k": paths.k, "n": paths.holders.len(),
                "holders": paths.holders.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "cosigner": paths.cosigner.to_string(),
            }),
            json!({
                "who": "recovery", "after_blocks": paths.older_blocks,
                "keys": paths.recovery.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        ],
        None => vec![
            json!({"who": "keys without a cosigner", "code": "COSIGNER_BYPASS", "why": vault.bypass}),
        ],
    };
    let last = super::coins::depth_of(&opened.dir, vault)?.saturating_sub(1);
    let import: Vec<serde_json::Value> = (0u32..)
        .zip(vault.script.branch_texts())
        .map(|(branch, desc)| {
            let ranged = vault.script.is_ranged();
            json!({"desc": desc, "active": ranged, "internal": branch == 1, "timestamp": "now", "range": ranged.then_some([0, last])})
        })
        .collect();
    let total = opened.coins.total();
    let text = format!(
        "as it was founded\n{}\nsince then, as of {} entries of the log\n{}for `importdescriptors`\n{}\ncoins: {} in {}, frozen: {}",
        describe(vault),
        opened.state.size(),
        since(&opened.state),
        import.iter().map(|d| format!("  {d}")).collect::<Vec<_>>().join("\n"),
        opened.coins.coins.len(),
        crate::show::btc(total),
        opened.state.frozen_by().is_some(),
    );
    cx.say(
        &json!({
            "vault_id": vault.id.to_string(), "phrase": phrase(&vault.id), "network": genesis.network.name(),
            "descriptor": vault.script.text(), "importdescriptors": import, "spend_paths": spend,
            "evaluate_only": genesis.cosigner.is_none(), "embedded": genesis.embedded,
            "frozen": opened.state.frozen_by().is_some(), "hot_cap_sat": null,
            "persons": genesis.roster.persons.iter().map(|p| json!({
                "id": p.id, "group": p.group, "zone": p.zone, "vendor": p.vendor,
                "active": opened.state.is_active(&p.id),
            })).collect::<Vec<_>>(),
            "coins": opened.coins.coins.len(), "total_sat": total.to_sat(),
            "witnesses": opened.state.witnesses().map(|p| p.keys().iter().map(tlog::VerifierKey::name).collect::<Vec<_>>()),
            "log_entries": opened.state.size(),
            "succession": opened.state.succession().map(|_| if opened.state.succession_waits().is_some() { "waits" } else { "in force" }),
        }),
        &text,
    );
    Ok(())
}
