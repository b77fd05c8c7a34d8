//! `request`: intents, and giving them up.

use std::path::Path;

use serde_json::json;
use withdrawal::act::{Act, ActKind, Author};
use withdrawal::digest::hex;
use withdrawal::intent::{Draft, Intent, Kind};
use withdrawal::time::Timestamp;

use super::Context;
use crate::cli::{Request, RequestNew};
use crate::fail::{Done, Fail};
use crate::files;

pub fn run(cx: Context, command: Request) -> Done {
    match command {
        Request::RaiseFee(args) => super::change::raise_fee(cx, &args),
        Request::New(args) => new(cx, &args),
        Request::Cancel { vault, intent, key, submit_socket } => {
            let opened = super::open(&vault)?;
            let intent = read_intent(&intent)?;
            let key = files::signing_key(&key, &["request-key", "review-key"])?;
            let act = Act {
                vault_id: opened.vault.id,
                author: Author::Requester(key.public()),
                kind: ActKind::Cancel { intent: intent.digest() },
                nonce: files::random()?,
            };
            super::acts::submit(cx, &opened, act.sign(&key), submit_socket.as_deref(), None)
        }
    }
}

/// Reads an intent file.
pub fn read_intent(path: &Path) -> Result<Intent, Fail> {
    Intent::parse(&files::read(path)?).map_err(|e| Fail::malformed(path.display(), e.at, e.detail))
}

fn uuid() -> Result<String, Fail> {
    // RFC 9562, version 4.
    let mut bytes: [u8; 16] = files::random()?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let text = hex(&bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Ok(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

fn csv(path: &Path) -> Result<Vec<(String, u64, String)>, Fail> {
    let text = String::from_utf8(files::read(path)?)
        .map_err(|_| Fail::malformed(path.display(), "", "not UTF-8"))?;
    let mut outputs = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let at = format!("line {}", number + 1);
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [address, amount, reference] = fields.as_slice() else {
            return Err(Fail::malformed(
                path.display(),
                at,
                "address,amount_sat,reference expected",
            ));
        };
        if number == 0 && *address == "address" {
            continue;
        }
        let amount = amount.parse().map_err(|_| {
            Fail::malformed(path.display(), at, format!("`{amount}` is no amount in satoshi"))
        })?;
        outputs.push(((*address).to_owned(), amount, (*reference).to_owned()));
    }
    Ok(outputs)
}

fn arguments(list: &[String], id: &str) -> Result<Vec<(String, u64, String)>, Fail> {
    let one = |(number, text): (usize, &String)| {
        let mut parts = text.splitn(3, '=');
        let (Some(address), Some(amount)) = (parts.next(), parts.next()) else {
            return Err(Fail::malformed("--to", text, "ADDRESS=SAT or ADDRESS=SAT=REFERENCE"));
        };
        let digits = amount.bytes().all(|b| b.is_ascii_digit());
        let amount = amount.parse::<u64>().ok().filter(|_| digits).ok_or_else(|| {
            Fail::malformed("--to", text, format!("`{amount}` is no amount in satoshi"))
        })?;
        let reference = parts.next().map_or_else(|| format!("{id}-{number}"), str::to_owned);
        Ok((address.to_owned(), amount, reference))
    };
    list.iter().enumerate().map(one).collect()
}

fn new(cx: Context, args: &RequestNew) -> Done {
    let vault = coordinator::dir::VaultDir::open(&args.vault)?.vault()?;
    let kind = match args.kind.as_str() {
        "pay" => Kind::Pay,
        "consolidate" => Kind::Consolidate,
        "refresh" => Kind::Refresh,
        other => {
            let detail = format!("`{other}` is none of pay, consolidate, refresh");
            return Err(Fail::malformed("--kind", "", detail));
        }
    };
    let expires: Timestamp =
        args.expires.parse().map_err(|e: String| Fail::malformed("--expires", "", e))?;
    let id = uuid()?;
    let outputs = match &args.csv {
        Some(path) => csv(path)?,
        None => arguments(&args.to, &id)?,
    };
    let key = files::signing_key(&args.key, &["request-key", "review-key"])?;
    let draft = Draft {
        kind,
        vault_id: vault.id,
        network: vault.genesis.network,
        id,
        outputs,
        max_fee_sat: args.max_fee_sat,
        not_before: Timestamp::default(),
        expires,
        nonce: files::random()?,
    };
    let envelope = draft.sign(&key).map_err(|e| Fail::malformed("request", e.at, e.detail))?;
    let intent = Intent::parse(&envelope).map_err(Fail::failed)?;
    if intent.has_foreign_address() {
        let network = vault.genesis.network;
        let detail = format!("an address is of another network than the vault's, {network}");
        return Err(Fail::malformed("--to", "", detail));
    }
    files::write(&args.out, &envelope, cx.force, false)?;
    let digest = intent.digest().to_string();
    cx.say(
        &json!({"intent": digest, "id": intent.id(), "total_sat": intent.total().to_sat(), "file": args.out}),
        &format!("intent {digest}\n  {} in {} payments", crate::show::btc(intent.total()), intent.outputs().len()),
    );
    Ok(())
}
