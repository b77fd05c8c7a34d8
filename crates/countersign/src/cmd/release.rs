//! `sign` as a holder, and `release`: hops 7 and 8.

use bitcoin::Psbt;
use coordinator::client::Client;
use coordinator::service::{Case, Released, Service};
use serde_json::json;
use withdrawal::psbt::inspect;

use super::{Context, signed};
use crate::cli::{Release, Sign};
use crate::fail::{Done, Fail};
use crate::files;
use crate::net::Http;
use crate::show;

pub fn sign(cx: Context, args: &Sign) -> Done {
    let vault = coordinator::dir::VaultDir::open(&args.vault)?.vault()?;
    let key = files::holder(&args.key)?;
    let bytes = files::psbt(&args.psbt)?;
    let inspection =
        inspect(&bytes, &vault.script).map_err(|e| files::psbt_fault(&args.psbt, e))?;
    if let Some(violation) = inspection.violations.into_iter().next() {
        return Err(Fail::Refused(violation.code, violation.detail));
    }
    let spend = inspection.spend.ok_or_else(|| Fail::failed("not proven"))?;
    let mut psbt: Psbt = inspection.psbt;
    key.sign_as_holder(&vault, &spend, &mut psbt)
        .map_err(|e| Fail::malformed(args.key.display(), "", e))?;
    files::write_psbt(&args.out, &psbt.serialize(), cx.force)?;
    let signatures = psbt.inputs.iter().map(|i| i.partial_sigs.len()).min().unwrap_or(0);
    let signed = signed::count(&vault, &spend, &psbt);
    cx.say(
        &json!({
            "signatures": signatures, "holders": signed.holders, "holders_needed": signed.needed,
            "file": args.out,
        }),
        &signed.words(),
    );
    Ok(())
}

pub fn run(cx: Context, args: &Release) -> Done {
    let dir = coordinator::dir::VaultDir::open(&args.subject.vault)?;
    let intent = files::read(&args.subject.intent)?;
    let psbt = files::psbt(&args.subject.psbt)?;
    let approvals = files::approvals(Some(&args.approvals))?;
    let facts = coordinator::facts::gather(&dir)?;
    let socket = args.cosigner.clone().unwrap_or_else(|| dir.cosigner_socket());
    let http = Http::new();
    // Checked here before the cosigner is bothered; it judges again for itself.
    let vault = dir.vault()?;
    if vault.genesis.cosigner.is_none() {
        let detail = "this vault is judged and watched; nothing is signed for it";
        return Err(Fail::Refused(withdrawal::code::Code::EvaluateOnly, detail.to_owned()));
    }
    let mut service = Service::new(&dir, Client::connect(&socket)?, &http)?;
    let case = Case {
        intent: &intent,
        psbt: &psbt,
        approvals: &approvals,
        ages: coordinator::facts::ages(&facts),
    };
    match service.release(&case)? {
        Released::Signed(psbt) => {
            files::write_psbt(&args.out, &psbt, cx.force)?;
            let inspection =
                inspect(&psbt, &vault.script).map_err(|e| files::psbt_fault(&args.out, e))?;
            let signed =
                inspection.spend.map(|spend| signed::count(&vault, &spend, &inspection.psbt));
            let (have, need) = signed.as_ref().map_or((0, 0), |s| (s.holders, s.needed));
            let next = if have >= need {
                "`finalize` it"
            } else {
                "`sign` it with holders' keys, then `finalize`"
            };
            let words = signed.map(|s| s.words()).unwrap_or_default();
            cx.say(
                &json!({"verdict": "allow", "file": args.out, "holders": have, "holders_needed": need}),
                &format!("countersigned: {}\n{words}; next: {next}", args.out.display()),
            );
            Ok(())
        }
        Released::Malformed(what) => Err(Fail::malformed("release", "", what)),
        Released::Refused(refusal) => {
            let violations = &refusal.refusal.violations;
            let verdict = withdrawal::verdict::Verdict {
                violations: violations.clone(),
                missing: Vec::new(),
                not_evaluated: Vec::new(),
            };
            let summary = match inspect(&psbt, &vault.script).ok().and_then(|i| i.spend) {
                Some(spend) => show::spend(
                    Some(&vault.id.to_string()),
                    vault.genesis.network,
                    &spend,
                    refusal.refusal.spend.as_ref(),
                ),
                None => serde_json::Value::Null,
            };
            let mut json = show::verdict(&verdict, summary);
            if let Some(object) = json.as_object_mut() {
                object.insert("refusal".to_owned(), json!(refusal.refusal.digest().to_string()));
            }
            let text = format!(
                "refused by the cosigner, refusal {}\n{}",
                refusal.refusal.digest(),
                show::violations_text(violations)
            );
            cx.say(&json, &text);
            Err(Fail::Said)
        }
    }
}
