//! What a change does, whole, for those who are asked to sign it: decoded from the bytes that are
//! signed, and set against the vault as it is where the vault is given.

use bitcoin::Script;
use withdrawal::act::ActKind;
use withdrawal::change::{Change, ChangeKind};
use withdrawal::genesis::AllowedAddress;
use withdrawal::network::Network;
use withdrawal::person::Enrolment;
use withdrawal::phrase::phrase;
use withdrawal::policy::Policy;
use withdrawal::policy_file;

use super::Opened;
use crate::show::btc;

/// Everything that a change does.
pub fn describe(change: &Change, opened: Option<&Opened>) -> String {
    let mut text = format!("change of vault {}\n", change.vault_id);
    match &change.kind {
        ChangeKind::Roster { add, remove, add_requesters, remove_requesters } => {
            add.iter().for_each(|enrolment| text.push_str(&person(enrolment)));
            for id in remove {
                text.push_str(&format!("  removes {id}\n"));
            }
            for requester in add_requesters {
                let who = requester.person.as_deref().unwrap_or("nobody of the roster");
                text.push_str(&format!(
                    "  {} may ask, for {who}\n    key {}\n",
                    requester.name, requester.key
                ));
            }
            for name in remove_requesters {
                text.push_str(&format!("  {name} may ask no more\n"));
            }
        }
        ChangeKind::Policy(policy) => text.push_str(&policies(policy, opened)),
        ChangeKind::Allowlist { add, remove } => {
            add.iter().for_each(|entry| text.push_str(&listed(entry, opened)));
            remove.iter().for_each(|script| text.push_str(&unlisted(script, opened)));
        }
        ChangeKind::Floor { amount } => {
            text.push_str(&format!(
                "  says that the vault holds at least {}; sign it only if you have counted\n",
                btc(*amount)
            ));
        }
        ChangeKind::Witnesses { policy, hostile } => {
            text.push_str(&witnesses(policy, *hostile, opened));
        }
        ChangeKind::FeeCap { intent, max_fee } => {
            text.push_str(&format!(
                "  transactions for intent {intent}\n    may cost up to {}, within the policy's caps\n",
                btc(*max_fee)
            ));
        }
        ChangeKind::Undo { act, suspend } => {
            text.push_str(&format!("  undoes act {act}\n{}", known_act(act, opened)));
            if *suspend {
                text.push_str("  and suspends its author\n");
            }
        }
        ChangeKind::Unfreeze { acts } => {
            text.push_str("  unfreezes the vault: undoes\n");
            for act in acts {
                text.push_str(&format!("    act {act}\n{}", known_act(act, opened)));
            }
        }
    }
    text.push_str(&format!("  good until {}\n", change.not_after));
    if let Some(opened) = opened
        && !change.kind.is_immediate()
    {
        let hours = opened.state.policy().governance.delay_hours;
        text.push_str(&format!("  in force {hours} hours after it is witnessed\n"));
    }
    text
}

fn person(enrolment: &Enrolment) -> String {
    let p = &enrolment.person;
    let sound = match enrolment.check() {
        Ok(()) => String::new(),
        Err(why) => format!("    NOT SIGNED BY THESE KEYS: {why}\n"),
    };
    format!(
        "  adds {} to `{}`, zone {}{}{}\n    review key {}\n    passkey {} for {} at {}\n    words to hear from {}: {}\n{sound}",
        p.id,
        p.group,
        p.zone,
        if p.vendor { ", vendor: never counts" } else { "" },
        if p.passkey.software { ", passkey in a file: TRIAL" } else { "" },
        p.review_key,
        withdrawal::digest::hex(&p.passkey.credential_id),
        p.passkey.rp_id,
        p.passkey.origins.join(" "),
        p.id,
        phrase(&Enrolment::digest(p)),
    )
}

fn network(opened: Option<&Opened>) -> Option<Network> {
    opened.map(|o| o.vault.genesis.network)
}

fn shown(script: &Script, opened: Option<&Opened>) -> String {
    match network(opened) {
        Some(network) => network.show(script),
        // Without the vault its network is unknown; main-net's form and the bytes are given.
        None => format!("{} (script {script:x})", Network::Bitcoin.show(script)),
    }
}

fn listed(entry: &AllowedAddress, opened: Option<&Opened>) -> String {
    let mut text = format!("  lists {} as `{}`\n", shown(&entry.script, opened), entry.label);
    if let Some(opened) = opened {
        let known = opened.state.allowlist();
        if let Some((label, _)) = known.get(&entry.script) {
            text.push_str(&format!("    it is listed as `{label}` already\n"));
        }
        let others =
            known.keys().filter(|s| **s != entry.script).map(bitcoin::ScriptBuf::as_script);
        let alike = withdrawal::lookalike::most_alike(
            opened.vault.genesis.network,
            &entry.script,
            others,
            known.len() as u64,
            opened.state.policy().lookalike_min_bits,
        );
        if let Some((_, other, like)) = alike {
            text.push_str(&format!(
                "    LOOKS LIKE {other}: {} first and {} last characters\n",
                like.first, like.last
            ));
        }
    }
    text
}

fn unlisted(script: &Script, opened: Option<&Opened>) -> String {
    let label = opened.and_then(|o| o.state.allowlist().get(script)).map(|(label, _)| label);
    match label {
        Some(label) => format!("  unlists {} (`{label}`)\n", shown(script, opened)),
        None => format!("  unlists {}\n", shown(script, opened)),
    }
}

fn policies(policy: &Policy, opened: Option<&Opened>) -> String {
    let mut text = format!("  a new policy, version {}\n", policy.version);
    let new = policy_file::describe(policy);
    let Some(opened) = opened else {
        new.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
        return text;
    };
    let old = policy_file::describe(opened.state.chain_policy());
    for line in old.iter().filter(|line| !new.contains(line)) {
        text.push_str(&format!("  - {line}\n"));
    }
    for line in &new {
        let mark = if old.contains(line) { ' ' } else { '+' };
        text.push_str(&format!("  {mark} {line}\n"));
    }
    text
}

fn witnesses(policy: &str, hostile: u8, opened: Option<&Opened>) -> String {
    let mut text = "  replaces one witness of the log\n".to_owned();
    let next = match tlog::WitnessPolicy::parse(policy, usize::from(hostile)) {
        Ok(next) => next,
        Err(why) => return format!("{text}    NOT A WITNESS POLICY: {why}\n"),
    };
    let now = opened.and_then(|o| o.state.witnesses());
    for witness in now.iter().flat_map(|p| p.witnesses()) {
        if !next.keys().contains(&witness.key) {
            text.push_str(&format!("  - {}\n", witness.key));
        }
    }
    for witness in next.witnesses() {
        let known = now.is_some_and(|p| p.keys().contains(&witness.key));
        let url = witness.url.as_deref().unwrap_or("no URL");
        text.push_str(&format!("  {} {} {url}\n", if known { ' ' } else { '+' }, witness.key));
    }
    text.push_str(&format!(
        "    {} of {} cosign, {} may be hostile\n",
        next.k(),
        next.keys().len(),
        next.f()
    ));
    text
}

fn known_act(digest: &withdrawal::digest::Digest, opened: Option<&Opened>) -> String {
    let Some(opened) = opened else { return String::new() };
    match opened.state.acts().iter().find(|a| a.digest == *digest) {
        Some(act) => format!(
            "      {} by {}\n",
            act_of(&act.act.act.kind, opened.vault.genesis.network),
            act.act.act.author
        ),
        None => "      NOT KNOWN HERE: bring the log up to date\n".to_owned(),
    }
}

/// One sentence about an act, with addresses as people know them.
pub fn act_of(kind: &ActKind, network: Network) -> String {
    match kind {
        ActKind::RemoveAddress { script } => format!("remove {}", network.show(script)),
        other => other.describe(),
    }
}
