//! `verify`: a receipt, offline, with nothing else from us.

use serde_json::json;
use withdrawal::code::Code;
use withdrawal::receipt::Receipt;

use super::Context;
use crate::cli::Verify;
use crate::fail::{Done, Fail};
use crate::files;
use crate::show::btc;

pub fn run(cx: Context, args: &Verify) -> Done {
    let anchor = match &args.vault_id {
        Some(text) => Some(
            text.parse::<withdrawal::digest::Digest>()
                .map_err(|e| Fail::malformed("--vault-id", "", e))?,
        ),
        None => None,
    };
    let file = args.receipt.display();
    let receipt = Receipt::parse(&files::read(&args.receipt)?)
        .map_err(|v| Fail::malformed(file.to_string(), "", v.detail))?;
    let not_verified = |code: Code, detail: &str| {
        let word = if code == Code::NotAnchored { "NOT ANCHORED" } else { "NOT VERIFIED" };
        cx.say(
            &json!({"verified": false, "anchored": false, "code": code.name(), "detail": detail}),
            &format!("{word}: {code}: {detail}"),
        );
        Err(Fail::Said)
    };
    let verified = match receipt.verify() {
        Ok(verified) => verified,
        Err(v) if v.code == Code::Malformed => return Err(Fail::malformed(file, "", v.detail)),
        Err(v) => return not_verified(v.code, &v.detail),
    };
    if let Err(Fail::Refused(code, detail)) =
        super::finalize::consensus(&verified.tx, &verified.prevouts)
    {
        return not_verified(code, &detail);
    }
    match anchor {
        Some(id) if id == verified.vault.id => {}
        Some(id) => {
            let detail = format!("the receipt is of vault {}, not of {id}", verified.vault.id);
            return not_verified(Code::NotAnchored, &detail);
        }
        None => {
            let detail = format!(
                "consistent, not anchored: it names vault {}; give --vault-id with the id that you trust",
                verified.vault.id
            );
            return not_verified(Code::NotAnchored, &detail);
        }
    }
    let txid = verified.tx.compute_txid().to_string();
    let mut text = format!(
        "VERIFIED: {txid} was authorised; whether it is confirmed, or replaced by another version, the chain tells\n  pays {} with a fee of {}\n  approved by {}\n  witnessed by {}",
        btc(verified.spend.paid()),
        btc(verified.spend.fee),
        verified.approvers.join(", "),
        verified.witnesses.join(", ")
    );
    if verified.vault.genesis.embedded {
        text.push_str("\n  EMBEDDED: cosigner and witnesses were on one host; no outside witness");
    }
    text.push_str("\nwhat the rules compared when it was signed (ok: checked here; told: by whoever made the receipt)");
    for c in &receipt.decision {
        let show = |n: u64| match c.unit.as_str() {
            "sat" => btc(bitcoin::Amount::from_sat(n)),
            "millionths" => format!("{}.{:04} %", n / 10_000, n % 10_000),
            "" => n.to_string(),
            unit => format!("{n} {unit}"),
        };
        let (actual, limit) = (show(c.actual), show(c.limit));
        let mark = if c.is_shown() { "ok" } else { "told" };
        text.push_str(&format!("\n  {mark:<4}  {}: {actual} ({} {limit})", c.what, c.bound));
    }
    cx.say(
        &json!({
            "verified": true, "anchored": true, "txid": txid, "vault_id": verified.vault.id.to_string(),
            "paid_sat": verified.spend.paid().to_sat(), "fee_sat": verified.spend.fee.to_sat(),
            "approvers": verified.approvers, "witnesses": verified.witnesses,
            "embedded": verified.vault.genesis.embedded,
        }),
        &text,
    );
    Ok(())
}
