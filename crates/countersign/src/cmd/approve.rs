//! `approve` and `reject`: decode, show, have the passkey sign, check its challenge, then sign.

use ring::rand::SystemRandom;
use serde_json::json;
use withdrawal::act::{Act, ActKind, Author};
use withdrawal::approval::Decision;
use withdrawal::author::{Signatory, Subject};
use withdrawal::code::Code;
use withdrawal::psbt::inspect;

use super::{Context, review};
use crate::cli::Approve;
use crate::fail::{Done, Fail};
use crate::files;

pub fn approve(cx: Context, args: &Approve) -> Done {
    let digest = decide(cx, args, Decision::Approve)?;
    cx.say(
        &json!({"decision": "approve", "person": args.person, "spend_digest": digest.to_string(), "file": args.out}),
        &format!("approved by {}: {}", args.person, args.out.display()),
    );
    Ok(())
}

pub fn reject(cx: Context, args: &Approve) -> Done {
    decide(cx, args, Decision::Reject)?;
    // A no is in force when the cosigner has it, not when a file holds it.
    let opened = super::open(&args.subject.vault)?;
    let intent = super::request::read_intent(&args.subject.intent)?;
    let key = files::signing_key(&args.review_key, &["review-key"])?;
    let act = Act {
        vault_id: opened.vault.id,
        author: Author::Person(args.person.clone()),
        kind: ActKind::Reject { intent: intent.digest() },
        nonce: files::random()?,
    };
    super::acts::submit(cx, &opened, act.sign(&key), args.submit_socket.as_deref(), None)
}

fn decide(
    cx: Context,
    args: &Approve,
    decision: Decision,
) -> Result<withdrawal::digest::Digest, Fail> {
    let opened = super::open(&args.subject.vault)?;
    let reviewed = review::read(&opened, &args.subject)?;
    let (_, text) = review::render(&opened, &reviewed);
    eprintln!("{text}");
    // The first decoder must read the same: what differs is nobody's to approve.
    let bytes = files::psbt(&args.subject.psbt)?;
    let first = inspect(&bytes, &opened.vault.script)
        .map_err(|e| files::psbt_fault(&args.subject.psbt, e))?;
    let ours = first.spend.map(|s| s.digest(&opened.vault.id, &reviewed.intent.digest()));
    if ours != Some(reviewed.digest) {
        let detail = "the two decoders read different transactions from these bytes";
        return Err(Fail::Refused(Code::DecoderDisagree, detail.to_owned()));
    }
    let passkey = files::passkey(&args.passkey)?;
    let review_key = files::signing_key(&args.review_key, &["review-key"])?;
    if let Some(person) = opened.state.chain_roster().person(&args.person)
        && (person.review_key != review_key.public() || person.passkey != *passkey.public())
    {
        let detail = format!("these are not the keys that {} is enrolled with", args.person);
        return Err(Fail::malformed("--review-key", "", detail));
    }
    let signatory = Signatory { person: &args.person, passkey: &passkey, review: &review_key };
    let subject = Subject {
        vault_id: opened.vault.id,
        spend_digest: reviewed.digest,
        heads: *opened.state.heads(),
        not_after: reviewed.intent.expires(),
    };
    let approval = signatory
        .decide(&subject, decision, &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    files::write(&args.out, &approval.to_json(), cx.force, false)?;
    Ok(reviewed.digest)
}
