//! Verdicts and refusals, for people and for programs.

use bitcoin::Amount;
use serde_json::{Value, json};
use withdrawal::code::{Class, Code, Fact, Violation};
use withdrawal::digest::hex;
use withdrawal::network::Network;
use withdrawal::phrase::phrase;
use withdrawal::spend::{OutputKind, SpendSummary};
use withdrawal::verdict::{Judgement, Verdict};

/// An amount for people: BTC with eight decimals.
pub fn btc(amount: Amount) -> String {
    format!("{}.{:08} BTC", amount.to_sat() / 100_000_000, amount.to_sat() % 100_000_000)
}

/// A violation as JSON.
pub fn violation(violation: &Violation) -> Value {
    let facts: serde_json::Map<String, Value> = violation
        .facts
        .iter()
        .map(|(name, fact)| {
            let value = match fact {
                Fact::Number(number) => json!(number),
                Fact::Text(text) => json!(text),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "code": violation.code.name(),
        "class": violation.code.class().name(),
        "detail": violation.detail,
        "facts": facts,
    })
}

/// What a transaction does, as JSON.
pub fn spend(
    vault_id: Option<&str>,
    network: Network,
    spend: &SpendSummary,
    digest: Option<&withdrawal::digest::Digest>,
) -> Value {
    let inputs: Vec<Value> = spend
        .inputs
        .iter()
        .map(|i| json!({"outpoint": i.outpoint.to_string(), "amount_sat": i.amount.to_sat()}))
        .collect();
    let outputs: Vec<Value> = spend
        .outputs
        .iter()
        .map(|o| {
            json!({
                "address": network.address(&o.script),
                "script": hex(o.script.as_bytes()),
                "amount_sat": o.amount.to_sat(),
                "kind": if o.kind == OutputKind::Payment { "payment" } else { "change" },
            })
        })
        .collect();
    json!({
        "vault_id": vault_id,
        "inputs": inputs,
        "outputs": outputs,
        "fee_sat": spend.fee.to_sat(),
        "vsize": spend.vsize,
        "spend_digest": digest.map(ToString::to_string),
        "phrase": digest.map(phrase),
    })
}

/// A verdict as JSON, the form of CONTRACT.
pub fn verdict(verdict: &Verdict, summary: Value) -> Value {
    json!({
        "verdict": verdict.outcome().name(),
        "violations": verdict.violations.iter().map(violation).collect::<Vec<_>>(),
        "missing": verdict.missing.iter()
            .map(|m| json!({"group": m.group, "need": m.need, "have": m.have}))
            .collect::<Vec<_>>(),
        "not_evaluated": verdict.not_evaluated.iter().map(|c| c.name()).collect::<Vec<_>>(),
        "summary": summary,
    })
}

/// Says a refusal of the cosigner, as text and as JSON.
pub fn refused(refusal: &withdrawal::refusal::SignedRefusal) -> (Value, String) {
    let violations = &refusal.refusal.violations;
    let json: Vec<Value> = violations.iter().map(violation).collect();
    let text = format!("refused by the cosigner\n{}", violations_text(violations));
    (json!({"verdict": "deny", "violations": json}), text)
}

/// A verdict for people.
pub fn verdict_text(v: &Verdict) -> String {
    let mut text = format!("verdict: {}\n", v.outcome().name());
    text.push_str(&violations_text(&v.violations));
    if !v.not_evaluated.is_empty() {
        let codes: Vec<&str> = v.not_evaluated.iter().map(|c| c.name()).collect();
        text.push_str(&format!("  could not be judged: {}\n", codes.join(" ")));
    }
    text
}

/// Violations for people, the worst first.
pub fn violations_text(violations: &[Violation]) -> String {
    let mut text = String::new();
    for class in [Class::Deny, Class::Hold, Class::Approval] {
        for violation in violations.iter().filter(|v| v.code.class() == class) {
            text.push_str(&format!(
                "  {:<8} {:<26} {}\n",
                class.name(),
                violation.code.name(),
                clean(&violation.detail)
            ));
        }
    }
    text
}

/// A violation's limit and actual number with their units, for people.
pub fn limits(violation: &Violation) -> Option<(String, String)> {
    let number = |name: &str| match violation.facts.iter().find(|(n, _)| n == name)? {
        (_, Fact::Number(number)) => Some(*number),
        _ => None,
    };
    let (limit, actual) = (number("limit")?, number("actual")?);
    let unit = violation.facts.iter().find_map(|(name, fact)| match fact {
        Fact::Text(text) if name == "unit" => Some(text.as_str()),
        _ => None,
    });
    let show = |n: u64| match (violation.code, unit) {
        (_, Some("millionths")) => format!("{}.{:02} %", n / 10_000, n % 10_000 / 100),
        (
            Code::TxLimit
            | Code::Velocity
            | Code::NewAddressLimit
            | Code::NewAddressDelay
            | Code::OutputNotApproved
            | Code::OutputAmountMismatch
            | Code::OutputMissing,
            _,
        )
        | (_, Some("sat")) => btc(Amount::from_sat(n)),
        (_, Some(unit)) => format!("{n} {unit}"),
        (Code::QuorumNotMet, _) => format!("{n} people"),
        (Code::ZoneMissing, _) => format!("{n} networks"),
        (Code::Lookalike, _) => format!("{n} bits"),
        (Code::CredentialTooNew | Code::StateRollback, _) => format!("{n} s"),
        _ => n.to_string(),
    };
    Some((show(limit), show(actual)))
}

/// How many there are of a thing: *1 payment*, *2 payments*.
pub fn counted(n: usize, thing: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{ending}")
}

/// Text from outside on one line, without anything that moves a terminal's cursor or hides text.
pub fn clean(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { '?' } else { c }).collect()
}

/// The same for text of several lines of our own, whatever was put into them.
pub fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// Tells a person something beside the result: on stderr, cleaned.
pub fn tell(text: &str) {
    use std::io::Write as _;
    // Nobody reads it: nothing better can be done.
    let _ = writeln!(std::io::stderr().lock(), "{}", clean_lines(text));
}

/// Prints a result and a new line. Whoever closed the pipe has read enough; any other failure ends the program, as a
/// result that did not arrive is none.
pub fn out(text: &str) {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    let result = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    if let Err(error) = result
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tell(&format!("countersign: stdout: {error}"));
        std::process::exit(1);
    }
}

/// What became of a line of a long result: a closed pipe ends the program, as nobody reads the rest.
pub fn written(result: std::io::Result<()>) -> crate::fail::Done {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(|e| crate::fail::Fail::failed(format!("stdout: {e}"))),
    }
}

/// What a judgement is about, as JSON.
pub fn judged(vault_id: &str, network: Network, judgement: &Judgement) -> Value {
    match &judgement.inspection.spend {
        Some(summary) => spend(Some(vault_id), network, summary, judgement.spend_digest.as_ref()),
        None => Value::Null,
    }
}

/// What a transaction does, for people.
pub fn spend_text(network: Network, spend: &SpendSummary) -> String {
    let mut text = String::new();
    for input in &spend.inputs {
        text.push_str(&format!("  spends  {:>22}  {}\n", btc(input.amount), input.outpoint));
    }
    for output in &spend.outputs {
        let kind = if output.kind == OutputKind::Payment { "pays" } else { "change" };
        text.push_str(&format!(
            "  {kind:<7} {:>22}  {}\n",
            btc(output.amount),
            network.show(&output.script)
        ));
    }
    text.push_str(&format!("  fee     {:>22}  {} vB at most\n", btc(spend.fee), spend.vsize));
    text
}
