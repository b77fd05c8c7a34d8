//! `succession`: declared by a quorum, signed, handed to the restored cosigner; and later entries of
//! the old log, from whoever has them.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use coordinator::client::Client;
use coordinator::dir::VaultDir;
use coordinator::service::Service;
use ring::rand::SystemRandom;
use serde_json::json;
use tlog::{Hash, SignedHead, TreeHead};
use withdrawal::author::Signatory;
use withdrawal::digest::{Digest, hex};
use withdrawal::entry::Entry;
use withdrawal::genesis::Vault;
use withdrawal::phrase::phrase;
use withdrawal::protocol::{Request, Response};
use withdrawal::succession::{Declaration, Recovered, Succession, key_of_head, successor};
use withdrawal::wire::Wire as _;

use super::{Context, acts};
use crate::cli::{Signing, Succession as Command};
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;
use crate::show;

/// What a file with a declaration is called.
pub const KIND: &str = "succession";

pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Propose { vault, old_head, released, out, cosigner } => {
            propose(cx, &vault, old_head.as_deref(), &released, &out, cosigner.as_deref())
        }
        Command::Sign { succession, signing } => sign(cx, &succession, &signing),
        Command::Apply { succession, vault, cosigner } => {
            apply(cx, &succession, &vault, cosigner.as_deref())
        }
        Command::HandIn { entry, vault, submit_socket } => {
            hand_in(cx, &entry, &vault, submit_socket.as_deref())
        }
    }
}

/// A declaration in plain words.
pub fn describe(declaration: &Declaration) -> String {
    let lost = declaration.old_size.saturating_sub(declaration.backup_size);
    let mut text = format!(
        "succession of the log of vault {}\n  the backup holds {} of {} entries: {lost} are lost or withheld\n  the old log's newest head, as the witnesses have it\n    {}:{}\n  the new log\n    {}\n",
        declaration.vault_id,
        declaration.backup_size,
        declaration.old_size,
        declaration.old_size,
        hex(&declaration.old_root),
        declaration.new_log,
    );
    for intent in &declaration.released {
        text.push_str(&format!("  released since the backup: intent {intent}\n"));
    }
    text.push_str(
        "  it changes no witness, person, rule or address; approvals in flight are void\n  it can cost a payment made twice, or an act newer than the backup that nobody shows within twelve hours\n",
    );
    let digest = declaration.digest();
    text.push_str(&format!("  {digest}\n  {}\n", phrase(&digest)));
    text
}

/// `SIZE:ROOT`, or a file with the head as a note.
fn old_head(text: &str, vault: &Vault) -> Result<TreeHead, Fail> {
    if let Some((size, root)) = text.split_once(':')
        && let Ok(size) = size.parse()
    {
        let root = Digest::from_str(root).map_err(|e| Fail::malformed("--old-head", text, e))?;
        return Ok(TreeHead { size, root: Hash(root.0) });
    }
    let note = files::read(Path::new(text))?;
    let fault = |e: String| Fail::malformed(text, "", e);
    let first = vault.log.as_ref().ok_or_else(|| fault("the vault has no log".to_owned()))?;
    let log = key_of_head(first, &note).map_err(fault)?;
    Ok(*SignedHead::parse(&note, &log).map_err(|e| fault(e.to_string()))?.head())
}

fn propose(
    cx: Context,
    dir: &Path,
    head: Option<&str>,
    released: &[PathBuf],
    out: &Path,
    socket: Option<&Path>,
) -> Done {
    let opened = super::open(dir)?;
    let (dir, vault) = (&opened.dir, &opened.vault);
    let released = released
        .iter()
        .map(|path| Ok(super::request::read_intent(path)?.digest()))
        .collect::<Result<Vec<_>, Fail>>()?;
    if head.is_none()
        && let Some(last) = opened.state.succession()
        && opened.state.succession_waits().is_some()
    {
        // The same new log, declared by other people because some of the first were removed.
        let nonce = files::random()?;
        return declare(cx, Declaration { released, nonce, ..last.clone() }, out);
    }
    let head = head.ok_or_else(|| {
        Fail::malformed("--old-head", "", "missing: `witness show` tells it at a witness")
    })?;
    let old = old_head(head, vault)?;
    let default = dir.cosigner_socket();
    let http = Http::new();
    let kept = Service::new(dir, Client::connect(socket.unwrap_or(&default))?, &http)?.kept()?;
    if kept >= old.size {
        let detail = format!("the cosigner holds {kept} entries, the head named {}", old.size);
        return Err(Fail::malformed("--old-head", head, format!("nothing is lost: {detail}")));
    }
    let first = vault.log.as_ref().ok_or_else(|| Fail::failed("the vault has no log"))?;
    let declaration = Declaration {
        vault_id: vault.id,
        new_log: successor(first, &files::random()?).map_err(Fail::failed)?.to_string(),
        old_size: old.size,
        old_root: old.root.0,
        backup_size: kept,
        released,
        nonce: files::random()?,
    };
    declare(cx, declaration, out)
}

fn declare(cx: Context, declaration: Declaration, out: &Path) -> Done {
    let (kept, old_size) = (declaration.backup_size, declaration.old_size);
    show::tell(&describe(&declaration));
    let (digest, new_log) = (declaration.digest(), declaration.new_log.clone());
    let signed = Succession { declaration, signatures: Vec::new() };
    files::write_object(out, KIND, signed.declaration.describe(), &signed, cx.force)?;
    cx.say(
        &json!({
            "succession": digest.to_string(), "phrase": phrase(&digest), "new_log": new_log,
            "backup_size": kept, "old_size": old_size, "file": out,
        }),
        &format!(
            "declared; next: `succession sign` by a governance quorum, `succession apply`, and `witness trust DIR --log {}` by the witnesses' operators",
            out.display()
        ),
    );
    Ok(())
}

fn sign(cx: Context, path: &Path, signing: &Signing) -> Done {
    let mut signed: Succession = files::read_object(path, KIND)?;
    show::tell(&describe(&signed.declaration));
    let digest = signed.declaration.digest();
    let review = files::review_key(&signing.review_key, &signed.declaration.vault_id)?;
    let passkey = files::passkey(&signing.passkey)?;
    files::confirm(&phrase(&digest), signing.yes)?;
    let person = signing.person.as_str();
    let signatory = Signatory { person, passkey: &passkey, review: &review };
    let signature = signatory
        .sign_change(&digest, &signed.declaration.review_digest(), &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    signed.signatures.retain(|s| s.person != person);
    signed.signatures.push(signature);
    let says = signed.declaration.describe();
    files::write_object(path, KIND, says, &signed, files::Force(true))?;
    let people: Vec<&str> = signed.signatures.iter().map(|s| s.person.as_str()).collect();
    cx.say(
        &json!({"succession": digest.to_string(), "signed_by": people}),
        &format!("signed by {}", people.join(", ")),
    );
    Ok(())
}

fn apply(cx: Context, path: &Path, vault: &Path, socket: Option<&Path>) -> Done {
    let signed: Succession = files::read_object(path, KIND)?;
    let dir = VaultDir::open(vault)?;
    let default = dir.cosigner_socket();
    let http = Http::new();
    let mut service = Service::new(&dir, Client::connect(socket.unwrap_or(&default))?, &http)?;
    match service.succeed(&signed)? {
        Ok((appended, followed)) => {
            let next = if followed {
                "witnesses follow it: nothing is signed for twelve hours of their time; whoever has a later entry of the old log hands it in now"
            } else {
                "not followed yet: each witness's operator runs `witness trust` with this file, then `log sync`; twelve hours begin with that"
            };
            cx.say(
                &json!({"entry": appended.entry, "witnessed": followed, "new_log": signed.declaration.new_log}),
                &format!("the log goes on with entry {}\n{next}", appended.entry),
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

fn hand_in(cx: Context, path: &Path, vault: &Path, socket: Option<&Path>) -> Done {
    let recovered: Recovered = files::read_object(path, "entry")?;
    let opened = super::open(vault)?;
    let entry = Entry::from_bytes(&recovered.bytes)
        .map_err(|e| Fail::malformed(path.display(), "bytes", e))?;
    let what = format!("entry {} of the log before, {}", recovered.entry, entry.body.name());
    let default = opened.dir.submit_socket();
    let mut client = Client::connect(socket.unwrap_or(&default))?;
    match client.ask(&Request::Recover(Box::new(recovered)))? {
        Response::Appended(appended) => {
            let witnessed = acts::witness_head(&opened, &mut client, &appended.head)?;
            acts::bring_up_to_date(&opened);
            let state = if witnessed { "in force, witnessed" } else { "in force, not witnessed" };
            cx.say(
                &json!({"in_force": true, "witnessed": witnessed, "entry": appended.entry}),
                &format!("{state}: {what} (now entry {})", appended.entry),
            );
            Ok(())
        }
        other => {
            let why = coordinator::service::unexpected(&other).to_string();
            cx.say(
                &json!({"in_force": false, "witnessed": false, "detail": why}),
                &format!("NOT IN FORCE: {what}: {why}"),
            );
            Err(Fail::Said)
        }
    }
}
