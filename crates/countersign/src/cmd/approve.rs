//! `approve` and `reject`: decode, show, have the passkey sign, check its challenge, then sign.

use ring::rand::SystemRandom;
use serde_json::json;
use withdrawal::act::{Act, ActKind, Author};
use withdrawal::approval::Decision;
use withdrawal::author::{Signatory, Subject};
use withdrawal::code::Code;
use withdrawal::psbt::inspect;

use super::review::{self, Reviewed};
use super::{Context, Opened};
use crate::cli::Approve;
use crate::fail::{Done, Fail};
use crate::{files, show};

pub fn approve(cx: Context, args: &Approve) -> Done {
    let (_, reviewed) = decide(cx, args, Decision::Approve)?;
    let wrong = !review::differs(&reviewed).is_empty();
    let person = &args.signing.person;
    let digest = reviewed.digest.to_string();
    cx.say(
        &json!({
            "decision": "approve", "person": person, "spend_digest": digest, "file": args.out,
            "asked_for": !wrong,
        }),
        &if wrong {
            format!(
                "signed by {person}, BUT THIS IS NOT WHAT THE INTENT ASKS FOR, and the cosigner will refuse it.\nIs {} the transaction for {}? If not, delete {}",
                args.subject.psbt.display(),
                args.subject.intent.display(),
                args.out.display()
            )
        } else {
            format!("approved by {person}: {}", args.out.display())
        },
    );
    Ok(())
}

pub fn reject(cx: Context, args: &Approve) -> Done {
    let (opened, reviewed) = decide(cx, args, Decision::Reject)?;
    // A no is in force when the cosigner has it, not when a file holds it.
    let key = files::review_key(&args.signing.review_key, &opened.vault.id)?;
    let act = Act {
        vault_id: opened.vault.id,
        author: Author::Person(args.signing.person.clone()),
        kind: ActKind::Reject { intent: reviewed.intent.digest() },
        nonce: files::random()?,
    };
    super::acts::submit(cx, &opened, act.sign(&key), args.submit_socket.as_deref(), None)
}

fn decide(cx: Context, args: &Approve, decision: Decision) -> Result<(Opened, Reviewed), Fail> {
    let opened = super::open(&args.subject.vault)?;
    let signing = &args.signing;
    let reviewed = review::read(&opened, &args.subject)?;
    if *reviewed.intent.vault_id() != opened.vault.id {
        let detail = "the intent is for another vault".to_owned();
        return Err(Fail::Refused(Code::DigestMismatch, detail));
    }
    let (json, text) = review::render(&opened, &reviewed);
    show::tell(&text);
    // The first decoder must read the same: what differs is nobody's to approve.
    let bytes = files::psbt(&args.subject.psbt)?;
    let first = inspect(&bytes, &opened.vault.script)
        .map_err(|e| files::psbt_fault(&args.subject.psbt, e))?;
    let ours = first.spend.map(|s| s.digest(&opened.vault.id, &reviewed.intent.digest()));
    if ours != Some(reviewed.digest) {
        let detail = "the two decoders read different transactions from these bytes";
        return Err(Fail::Refused(Code::DecoderDisagree, detail.to_owned()));
    }
    // The cosigner will refuse these whoever approves; the approver is told before signing.
    for what in review::differs(&reviewed) {
        show::tell(&format!("NOT WHAT WAS ASKED FOR: {what}"));
    }
    show::tell(show::violations_text(&first.violations).trim_end());
    let passkey = files::passkey(&signing.passkey)?;
    let review_key = files::review_key(&signing.review_key, &opened.vault.id)?;
    super::check_keys(&opened, &signing.person, &review_key.public(), passkey.public())?;
    let words = json.get("phrase").and_then(serde_json::Value::as_str).unwrap_or_default();
    files::confirm(words, signing.yes)?;
    let signatory = Signatory { person: &signing.person, passkey: &passkey, review: &review_key };
    let subject = Subject {
        vault_id: opened.vault.id,
        spend_digest: reviewed.digest,
        heads: opened.state.heads(),
        not_after: reviewed.intent.expires(),
    };
    let approval = signatory
        .decide(&subject, decision, &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    files::write(&args.out, &approval.to_json(), cx.force, false)?;
    Ok((opened, reviewed))
}
