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

use super::{Context, acts};
use crate::cli::{Allowlist, Change as Command, Policy, Propose, Roster, Undo};
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;
use crate::show;

fn propose(cx: Context, args: &Propose, kind: ChangeKind) -> Done {
    let opened = super::open(&args.vault)?;
    let change = Change {
        vault_id: opened.vault.id,
        previous: opened.state.head_for(&kind),
        kind,
        nonce: files::random()?,
    };
    let (says, digest) = (change.kind.describe(), change.digest());
    let signed = SignedChange { change, signatures: Vec::new() };
    files::write_object(&args.out, "change", says.clone(), &signed, cx.force)?;
    cx.say(
        &json!({"change": digest.to_string(), "phrase": phrase(&digest), "file": args.out}),
        &format!("proposed: {says}\n  {digest}\n  {}", phrase(&digest)),
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
        Policy::Propose { propose: args, policy } => {
            let policy = super::vault::policy(Some(&policy))?;
            propose(cx, &args, ChangeKind::Policy(Box::new(policy)))
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

pub fn unfreeze(cx: Context, args: &Propose) -> Done {
    propose(cx, args, ChangeKind::Unfreeze)
}

pub fn undo(cx: Context, args: &Undo) -> Done {
    let act = args.act.parse().map_err(|e: String| Fail::malformed("--act", "", e))?;
    propose(cx, &args.propose, ChangeKind::Undo { act, suspend: args.suspend })
}

pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Sign { change, person, review_key, passkey } => {
            sign(cx, &change, &person, &review_key, &passkey)
        }
        Command::Apply { change, vault, cosigner } => {
            apply(cx, &change, &vault, cosigner.as_deref())
        }
    }
}

fn sign(cx: Context, path: &Path, person: &str, review_key: &Path, passkey: &Path) -> Done {
    let mut signed: SignedChange = files::read_object(path, "change")?;
    let digest = signed.change.digest();
    // What is shown is decoded from the bytes that are signed, not from what the file says.
    eprintln!("{}\n  {digest}\n  {}", signed.change.kind.describe(), phrase(&digest));
    let review = files::signing_key(review_key, &["review-key"])?;
    let passkey = files::passkey(passkey)?;
    let signatory = Signatory { person, passkey: &passkey, review: &review };
    let signature = signatory
        .sign_change(&digest, &signed.change.review_digest(), &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    signed.signatures.retain(|s| s.person != person);
    signed.signatures.push(signature);
    let says = signed.change.kind.describe();
    files::write_object(path, "change", says, &signed, files::Force(true))?;
    let people: Vec<&str> = signed.signatures.iter().map(|s| s.person.as_str()).collect();
    cx.say(
        &json!({"change": digest.to_string(), "signed_by": people}),
        &format!("signed by {}", people.join(", ")),
    );
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
            let when =
                if signed.change.kind.is_immediate() { "in force" } else { "waits for its delay" };
            cx.say(
                &json!({"entry": appended.entry, "in_force": signed.change.kind.is_immediate()}),
                &format!("entry {}: {}, {when}", appended.entry, signed.change.kind.describe()),
            );
            Ok(())
        }
        Err(refusal) => {
            let violations: Vec<_> =
                refusal.refusal.violations.iter().map(show::violation).collect();
            let text = format!(
                "refused by the cosigner\n{}",
                show::violations_text(&refusal.refusal.violations)
            );
            cx.say(&json!({"verdict": "deny", "violations": violations}), &text);
            Err(Fail::Said)
        }
    }
}
