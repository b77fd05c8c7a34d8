//! Proposals, their signatures, and handing them to the cosigner; and the acts that belong beside them.

use std::path::Path;

use coordinator::client::Client;
use coordinator::service::Service;
use ring::rand::SystemRandom;
use serde_json::json;
use withdrawal::act::ActKind;
use withdrawal::author::Signatory;
use withdrawal::change::{Change, ChangeKind, SignedChange};
use withdrawal::phrase::phrase;
use withdrawal::policy::Limit;
use withdrawal::protocol::{Request, Response};

use super::{Context, Opened, acts, change_show};
use crate::cli::{
    Allowlist, Change as Command, Collective, Policy, Propose, RaiseFee, Roster, Signing, Undo,
};
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;
use crate::show;

/// Days that a proposal is open, where nothing else is said.
const DAYS: u32 = 7;

fn new_change(opened: &Opened, kind: ChangeKind, days: u32) -> Result<Change, Fail> {
    Ok(Change {
        vault_id: opened.vault.id,
        previous: opened.state.head_for(&kind),
        kind,
        not_after: super::wall_clock().plus(u64::from(days) * 86_400),
        nonce: files::random()?,
    })
}

fn propose(cx: Context, args: &Propose, kind: ChangeKind) -> Done {
    let opened = super::open(&args.vault)?;
    let change = new_change(&opened, kind, args.valid_days)?;
    if let Err(violation) = opened.state.judge_proposal(&change) {
        return Err(Fail::of(violation));
    }
    show::tell(&change_show::describe(&change, Some(&opened)));
    let signed = SignedChange { change, signatures: Vec::new() };
    let says = signed.change.kind.describe();
    files::write_object(&args.out, "change", says, &signed, cx.force)?;
    proposed(cx, &signed, &args.out)
}

fn proposed(cx: Context, signed: &SignedChange, path: &Path) -> Done {
    let digest = signed.change.digest();
    cx.say(
        &json!({"change": digest.to_string(), "phrase": phrase(&digest), "file": path}),
        &format!("proposed: {}\n  {digest}\n  {}", signed.change.kind.describe(), phrase(&digest)),
    );
    Ok(())
}

pub fn roster(cx: Context, command: Roster) -> Done {
    match command {
        Roster::Propose { propose: args, add, remove, add_requester, remove_requester } => {
            let mut enrolments = Vec::new();
            for path in &add {
                enrolments.push(files::read_object(path, "enrolment")?);
            }
            let kind = ChangeKind::Roster {
                add: enrolments,
                remove,
                add_requesters: super::vault::requesters(&add_requester)?,
                remove_requesters: remove_requester,
            };
            propose(cx, &args, kind)
        }
        Roster::Revoke { act, who } => acts::one(cx, &act, ActKind::Revoke { person: who }),
    }
}

pub fn policy(cx: Context, command: Policy) -> Done {
    match command {
        Policy::Check { file } => {
            let policy = super::vault::policy(Some(&file))?;
            let lines = withdrawal::policy_file::describe(&policy);
            cx.say(&json!({"version": policy.version, "allows": lines}), &lines.join("\n"));
            Ok(())
        }
        Policy::Propose { propose: args, policy: Some(policy), .. } => {
            let file = policy;
            let policy = super::vault::policy(Some(&file))?;
            let now = super::open(&args.vault)?.state.chain_policy().version;
            if policy.version <= now {
                show::tell(&format!(
                    "{}: version {} is not above the present policy's {now}: people will confuse the two",
                    file.display(),
                    policy.version
                ));
            }
            propose(cx, &args, ChangeKind::Policy(Box::new(policy)))
        }
        Policy::Propose { propose: args, witness_policy: Some(path), .. } => {
            let text = String::from_utf8(files::read(&path)?)
                .map_err(|_| Fail::malformed(path.display(), "", "not text"))?;
            let opened = super::open(&args.vault)?;
            let hostile = opened.state.witnesses().map_or(0, tlog::WitnessPolicy::f);
            let hostile = u8::try_from(hostile).map_err(Fail::failed)?;
            propose(cx, &args, ChangeKind::Witnesses { policy: text, hostile })
        }
        Policy::Propose { .. } => {
            Err(Fail::malformed("--policy", "", "give --policy or --witness-policy"))
        }
        Policy::Tighten { act, set } => {
            let parsed = set.split_once('=').and_then(|(name, value)| {
                let limit = Limit::ALL.iter().find(|(n, _)| *n == name)?.1;
                Some((limit, value.parse::<u64>().ok()?))
            });
            let names: Vec<&str> = Limit::ALL.iter().map(|(n, _)| *n).collect();
            let (limit, value) = parsed.ok_or_else(|| {
                Fail::malformed(
                    "--set",
                    &set,
                    format!("NAME=NUMBER, with a name of {}", names.join(", ")),
                )
            })?;
            acts::one(cx, &act, ActKind::Lower { limit, value })
        }
    }
}

pub fn allowlist(cx: Context, command: Allowlist) -> Done {
    match command {
        Allowlist::Propose { propose: args, add, remove } => {
            let network = super::open(&args.vault)?.vault.genesis.network;
            let remove =
                remove.iter().map(|a| super::address(a, network)).collect::<Result<_, _>>()?;
            let add = super::vault::allowed(&add, network)?;
            propose(cx, &args, ChangeKind::Allowlist { add, remove })
        }
        Allowlist::Remove { act, address } => {
            let network = super::open(&act.vault)?.vault.genesis.network;
            let script = super::address(&address, network)?;
            acts::one(cx, &act, ActKind::RemoveAddress { script })
        }
    }
}

pub fn unfreeze(cx: Context, args: &Collective) -> Done {
    let opened = super::open(&args.vault)?;
    let acts = opened.state.freezes();
    if acts.is_empty() {
        let detail = "the vault is not frozen, as far as the log here tells; `log sync` brings it up to date";
        return Err(Fail::malformed(args.vault.display(), "", detail));
    }
    collective(cx, args, &opened, ChangeKind::Unfreeze { acts })
}

pub fn undo(cx: Context, args: &Undo) -> Done {
    let act = args.act.parse().map_err(|e: String| Fail::malformed("--act", "", e))?;
    let opened = super::open(&args.collective.vault)?;
    collective(cx, &args.collective, &opened, ChangeKind::Undo { act, suspend: args.suspend })
}

/// A quorum allows an intent's transactions a higher fee than its requester did.
pub fn raise_fee(cx: Context, args: &RaiseFee) -> Done {
    let intent = super::request::read_intent(&args.intent)?.digest();
    let opened = super::open(&args.collective.vault)?;
    let max_fee = bitcoin::Amount::from_sat(args.max_fee_sat);
    if max_fee > opened.state.policy().fee.max {
        let detail = format!("the policy allows {} at most", opened.state.policy().fee.max);
        return Err(Fail::malformed("--max-fee-sat", args.max_fee_sat, detail));
    }
    collective(cx, &args.collective, &opened, ChangeKind::FeeCap { intent, max_fee })
}

/// What a quorum does at once, one person after the other: each adds two signatures to one file, and
/// whoever makes it enough puts it in force.
fn collective(cx: Context, args: &Collective, opened: &Opened, kind: ChangeKind) -> Done {
    let default = opened.dir.path().join("changes").join(match kind {
        ChangeKind::Unfreeze { .. } => "unfreeze.json".to_owned(),
        ChangeKind::FeeCap { .. } => "raise-fee.json".to_owned(),
        _ => "undo.json".to_owned(),
    });
    let path = args.out.as_deref().unwrap_or(&default);
    let begun = path.exists().then(|| files::read_object::<SignedChange>(path, "change"));
    // A file from before is gone on with while it is about the same and still worth signing.
    let mut signed = match begun.transpose()? {
        Some(begun)
            if begun.change.kind == kind && opened.state.judge_proposal(&begun.change).is_ok() =>
        {
            begun
        }
        _ => SignedChange { change: new_change(opened, kind, DAYS)?, signatures: Vec::new() },
    };
    if let Err(violation) = opened.state.judge_proposal(&signed.change) {
        return Err(Fail::of(violation));
    }
    let Some(signing) = &args.signing() else {
        save(path, &signed)?;
        return proposed(cx, &signed, path);
    };
    add_signature(&mut signed, signing, Some(opened))?;
    save(path, &signed)?;
    let socket = args.submit_socket.clone().unwrap_or_else(|| opened.dir.submit_socket());
    let what = signed.change.kind.describe();
    let people: Vec<&str> = signed.signatures.iter().map(|s| s.person.as_str()).collect();
    let not_in_force = |why: &str| {
        let text = format!(
            "NOT IN FORCE: {what}\nsigned by {} in {}\n{why}",
            people.join(", "),
            path.display()
        );
        cx.say(
            &json!({"in_force": false, "witnessed": false, "signed_by": people, "file": path, "detail": why}),
            &text,
        );
        Err(Fail::Said)
    };
    let answer = Client::connect(&socket)
        .and_then(|mut c| c.ask(&Request::Change(Box::new(signed.clone()))).map(|a| (c, a)));
    match answer {
        Ok((mut client, Response::Appended(appended))) => {
            let witnessed = acts::witness_head(opened, &mut client, &appended.head)?;
            acts::bring_up_to_date(opened);
            let state = if witnessed { "in force, witnessed" } else { "in force, not witnessed" };
            cx.say(
                &json!({"in_force": true, "witnessed": witnessed, "entry": appended.entry, "signed_by": people}),
                &format!("{state}: {what} (entry {})", appended.entry),
            );
            // Done: the next one begins a file of its own.
            std::fs::remove_file(path).map_err(Fail::failed)
        }
        Ok((_, Response::Refused(refusal))) => {
            not_in_force(show::violations_text(&refusal.refusal.violations).trim())
        }
        Ok((_, other)) => not_in_force(&coordinator::service::unexpected(&other).to_string()),
        Err(error) => not_in_force(&error.to_string()),
    }
}

pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Sign { change, signing, vault } => {
            let mut signed: SignedChange = files::read_object(&change, "change")?;
            let opened = vault.as_deref().map(super::open).transpose()?;
            if let Some(opened) = &opened
                && let Err(violation) = opened.state.judge_proposal(&signed.change)
            {
                return Err(Fail::of(violation));
            }
            if opened.is_none() {
                show::tell("not compared with the vault as it is: give --vault DIR for that");
            }
            add_signature(&mut signed, &signing, opened.as_ref())?;
            save(&change, &signed)?;
            let people: Vec<&str> = signed.signatures.iter().map(|s| s.person.as_str()).collect();
            cx.say(
                &json!({"change": signed.change.digest().to_string(), "signed_by": people}),
                &format!("signed by {}", people.join(", ")),
            );
            Ok(())
        }
        Command::Apply { change, vault, cosigner } => {
            apply(cx, &change, &vault, cosigner.as_deref())
        }
    }
}

fn save(path: &Path, signed: &SignedChange) -> Done {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Fail::failed)?;
    }
    files::write_object(path, "change", signed.change.kind.describe(), signed, files::Force(true))
}

/// Shows what is decoded from the bytes that are signed, asks, and signs with both keys.
fn add_signature(signed: &mut SignedChange, signing: &Signing, opened: Option<&Opened>) -> Done {
    let (digest, person) = (signed.change.digest(), signing.person.as_str());
    let words = phrase(&digest);
    show::tell(&format!("{}  {digest}\n  {words}", change_show::describe(&signed.change, opened)));
    let review = files::review_key(&signing.review_key, &signed.change.vault_id)?;
    let passkey = files::passkey(&signing.passkey)?;
    if let Some(opened) = opened {
        super::check_keys(opened, person, &review.public(), passkey.public())?;
    }
    files::confirm(&words, signing.yes)?;
    let signatory = Signatory { person, passkey: &passkey, review: &review };
    let signature = signatory
        .sign_change(&digest, &signed.change.review_digest(), &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    signed.signatures.retain(|s| s.person != person);
    signed.signatures.push(signature);
    Ok(())
}

fn apply(cx: Context, path: &Path, vault: &Path, socket: Option<&Path>) -> Done {
    let signed: SignedChange = files::read_object(path, "change")?;
    let dir = coordinator::dir::VaultDir::open(vault)?;
    let default = dir.cosigner_socket();
    let http = Http::new();
    let mut service = Service::new(&dir, Client::connect(socket.unwrap_or(&default))?, &http)?;
    match service.change(&signed)? {
        Ok(appended) => {
            let hours = service.mirror().state(&[])?.policy().governance.delay_hours;
            let when = if signed.change.kind.is_immediate() {
                "in force".to_owned()
            } else {
                format!(
                    "in force {hours} hours after it is witnessed; whoever objects freezes the vault meanwhile"
                )
            };
            cx.say(
                &json!({"entry": appended.entry, "in_force": signed.change.kind.is_immediate()}),
                &format!("entry {}: {}, {when}", appended.entry, signed.change.kind.describe()),
            );
            Ok(())
        }
        Err(refusal) => {
            let (json, text) = show::refused(&refusal);
            cx.say(&json, &text);
            Err(Fail::Said)
        }
    }
}
