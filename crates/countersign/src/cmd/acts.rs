//! One-person acts: signed here, handed straight to the cosigner, then taken to the witnesses.

use std::path::Path;

use coordinator::client::Client;
use coordinator::mirror::Mirror;
use coordinator::witnesses::{Answer, cosign};
use serde_json::json;
use tlog::proof::check_inclusion;
use tlog::{Hash, SignedHead, record_hash};
use withdrawal::act::{Act, ActKind, Author, SignedAct};
use withdrawal::protocol::{Acknowledgement, Request, Response};
use withdrawal::succession::{Recovered, key_of_head};

use super::{Context, Opened};
use crate::cli::{Act as Args, ActOn};
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;
use crate::show;

pub fn veto(cx: Context, args: &ActOn) -> Done {
    let intent = super::request::read_intent(&args.intent)?.digest();
    one(cx, &args.act, ActKind::Veto { intent })
}

pub fn freeze(cx: Context, args: &Args) -> Done {
    one(cx, args, ActKind::Freeze)
}

/// Signs an act of a person and submits it.
pub fn one(cx: Context, args: &Args, kind: ActKind) -> Done {
    let opened = super::open(&args.vault)?;
    let key = files::review_key(&args.review_key, &opened.vault.id)?;
    let act = Act {
        vault_id: opened.vault.id,
        author: Author::Person(args.person.clone()),
        kind,
        nonce: files::random()?,
    };
    submit(cx, &opened, act.sign(&key), args.submit_socket.as_deref(), args.out.as_deref())
}

/// Hands an act to the cosigner and says how far it is in force: exit 3 while it is not.
pub fn submit(
    cx: Context,
    opened: &Opened,
    act: SignedAct,
    socket: Option<&Path>,
    out: Option<&Path>,
) -> Done {
    let what = act.act.kind.describe();
    if let Some(out) = out {
        files::write_object(out, "act", what.clone(), &act, cx.force)?;
    }
    let default = opened.dir.submit_socket();
    let socket = socket.unwrap_or(&default);
    let not_in_force = |why: &str| {
        let kept = match out {
            Some(out) => format!(
                "the signed act is kept in {}: anyone may hand it in by `cosigner submit`",
                out.display()
            ),
            None => {
                "with --out FILE the signed act is kept, for anyone to hand in by `cosigner submit`"
                    .to_owned()
            }
        };
        let text = format!("NOT IN FORCE: {what}: {why}\n{kept}");
        cx.say(&json!({"in_force": false, "witnessed": false, "detail": why}), &text);
        Err(Fail::Said)
    };
    let mut client = match Client::connect(socket) {
        Ok(client) => client,
        Err(error) => return not_in_force(&error.to_string()),
    };
    let answer = client.ask(&Request::Act(Box::new(act.clone())));
    let ack = match answer {
        Ok(Response::Acknowledged(ack)) => ack,
        Ok(Response::Refused(refusal)) => {
            return not_in_force(show::violations_text(&refusal.refusal.violations).trim());
        }
        Ok(other) => return not_in_force(&coordinator::service::unexpected(&other).to_string()),
        Err(error) => return not_in_force(&error.to_string()),
    };
    let head = match check(opened, &act, &ack) {
        Ok(head) => head,
        Err(why) => return not_in_force(&why),
    };
    keep(opened, &ack)?;
    let witnessed = witness(opened, &mut client, &head)?;
    let signed = refresh(opened, &act);
    let state = if witnessed { "in force, witnessed" } else { "in force, not witnessed" };
    let mut text = format!("{state}: {what} (entry {}, act {})", ack.entry, ack.act);
    if signed {
        text.push_str(
            "\nTOO LATE for what is countersigned already: that transaction can still be sent",
        );
    }
    cx.say(
        &json!({
            "in_force": true, "witnessed": witnessed, "entry": ack.entry, "act": ack.act.to_string(),
            "already_signed": signed,
        }),
        &text,
    );
    Ok(())
}

/// Brings the mirror up to the act, where the cosigner's first socket is in reach, so that what is shown
/// next is true. Says whether the act is about an intent that is signed already.
fn refresh(opened: &Opened, act: &SignedAct) -> bool {
    let updated = Client::connect(&opened.dir.cosigner_socket()).and_then(|mut client| {
        let mut mirror = Mirror::open(&opened.dir, opened.vault.clone())?;
        mirror.update(&mut client)?;
        mirror.state(&[])
    });
    if let Err(error) = &updated {
        show::tell(&format!("the local copy of the log is behind: {error}"));
    }
    let about = match &act.act.kind {
        ActKind::Veto { intent } | ActKind::Reject { intent } => Some(intent),
        _ => None,
    };
    let state = updated.as_ref().unwrap_or(&opened.state);
    about.and_then(|i| state.ledger().intent(i)).is_some_and(|i| i.counts_as_signed())
}

/// Keeps what proves the act, in a form that can be shown to a cosigner that lost it.
fn keep(opened: &Opened, ack: &Acknowledgement) -> Done {
    let (entry, bytes, proof, head) =
        (ack.entry, ack.bytes.clone(), ack.proof.clone(), ack.head.clone());
    let dir = opened.dir.path().join("acknowledged");
    std::fs::create_dir_all(&dir).map_err(Fail::failed)?;
    let says = format!("entry {entry}, act {}", ack.act);
    let object = Recovered { entry, bytes, proof, head };
    files::write_object(
        &dir.join(format!("{}.json", ack.act)),
        "entry",
        says,
        &object,
        files::Force(true),
    )
}

/// An acknowledgement is worth its proof: this act, in a head that the cosigner's log key signed.
fn check(opened: &Opened, act: &SignedAct, ack: &Acknowledgement) -> Result<SignedHead, String> {
    use withdrawal::entry::{Body, Entry};
    use withdrawal::wire::Wire as _;
    let first = opened.vault.log.as_ref().ok_or("the vault has no log")?;
    let log = key_of_head(first, &ack.head)?;
    let head = SignedHead::parse(&ack.head, &log).map_err(|e| e.to_string())?;
    let proof: Vec<Hash> = ack.proof.iter().map(|h| Hash(*h)).collect();
    check_inclusion(&proof, head.head(), ack.entry, record_hash(&ack.bytes))
        .map_err(|e| e.to_string())?;
    match Entry::from_bytes(&ack.bytes).map_err(|e| e.to_string())?.body {
        Body::Act(logged) if logged == *act => Ok(head),
        _ => Err("the entry acknowledged is another one".to_owned()),
    }
}

/// The same for a head that is still a note.
pub fn witness_head(opened: &Opened, client: &mut Client, note: &[u8]) -> Result<bool, Fail> {
    let Some(first) = &opened.vault.log else { return Ok(false) };
    let log = key_of_head(first, note).map_err(Fail::failed)?;
    let head = SignedHead::parse(note, &log).map_err(Fail::failed)?;
    witness(opened, client, &head)
}

/// Brings the mirror up to date where the cosigner's first socket is in reach.
pub fn bring_up_to_date(opened: &Opened) {
    let updated = Client::connect(&opened.dir.cosigner_socket()).and_then(|mut client| {
        Mirror::open(&opened.dir, opened.vault.clone())?.update(&mut client)
    });
    if let Err(error) = updated {
        show::tell(&format!("the local copy of the log is behind: {error}"));
    }
}

/// Takes a head to the witnesses itself, past the coordinator.
fn witness(opened: &Opened, client: &mut Client, head: &SignedHead) -> Result<bool, Fail> {
    let Some(policy) = opened.state.witnesses() else { return Ok(false) };
    let size = head.head().size;
    let client = std::sync::Mutex::new(client);
    let prove = |old: u64| {
        if old > size {
            return None;
        }
        let mut client = client.lock().ok()?;
        match client.ask(&Request::Consistency { old, new: size }) {
            Ok(Response::Proof(proof)) => Some(proof.into_iter().map(Hash).collect()),
            _ => None,
        }
    };
    let (cosigned, answers) = cosign(head, policy, &Http::new(), &prove);
    for (name, answer) in &answers {
        if *answer != Answer::Cosigned {
            let what = match answer {
                Answer::Cosigned => "cosigned".to_owned(),
                Answer::Conflict(size) => format!("has seen {size} entries of another history"),
                Answer::Failed(what) => what.clone(),
            };
            show::tell(&format!("witness {name}: {what}"));
        }
    }
    let enough = answers.iter().filter(|(_, a)| *a == Answer::Cosigned).count() >= policy.k();
    if enough {
        opened.dir.keep_head(&cosigned.to_note())?;
        if let Ok(mut client) = client.lock() {
            // It opens a cosigner that had just started; if that fails, the next release does it.
            let _ = client.ask(&Request::Head { note: cosigned.to_note() });
        }
    }
    Ok(enough)
}
