//! A trace as a folder to hand on: what was asked, of which graph and labels, every claim with its evidence, a picture,
//! room for notes, and hashes by which anybody can check that nothing was changed. `sha256sum -c SHA256SUMS` does too.

use std::collections::BTreeSet;
use std::path::Path;

use bitcoin::hashes::{Hash as _, sha256};
use chaingraph::header;
use serde_json::{Value, json};

use super::found::{self, Report};
use super::trace::Ground;
use super::{picture, show};
use crate::cmd::Context;
use crate::fail::{Done, Fail};
use crate::files::{self, Folder, Force};

const SUMS: &str = "SHA256SUMS";
/// The analyst's own file: it is not under the hashes.
const NOTES: &str = "notes.md";
/// Transactions of evidence that are written whole.
const EVIDENCE_MAX: usize = 20_000;

/// Writes a case folder.
pub fn write(cx: Context, dir: &Path, asked: &Value, ground: &Ground, reports: &[Report]) -> Done {
    let folder = Folder::new(dir, cx.force, is_of_a_case)?;
    let trace = found::json(ground, reports);
    let graph = &ground.graph;
    let (claims, evidence, left_out) = claims(ground, reports);
    let about = json!({
        "asked": asked,
        "program": concat!("countersign ", env!("CARGO_PKG_VERSION")),
        "graph": {"id": graph.manifest().id(), "network": graph.manifest().network, "tip": graph.manifest().tip,
            "complete": graph.manifest().complete, "counts": graph.manifest().counts},
        "labels": ground.versions,
        "evidence_left_out": left_out,
        "methods": reports.iter().map(|r| r.query.method.word()).collect::<Vec<_>>(),
    });
    let mut written = Vec::new();
    let mut put = |name: &str, content: String| -> Done {
        files::write(&folder.path().join(name), content.as_bytes(), Force(false), false)?;
        written.push((name.to_owned(), sha256::Hash::hash(content.as_bytes()).to_string()));
        Ok(())
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    put("case.json", pretty(&about))?;
    put("trace.json", pretty(&trace))?;
    put("claims.jsonl", claims)?;
    put("evidence.jsonl", evidence)?;
    put("services.csv", found::csv(ground, reports))?;
    for report in reports {
        let [drawn, told] = of_method(report.query.method.word());
        put(&drawn, picture::svg(ground, report))?;
        put(&told, found::text(ground, report))?;
    }
    let sums: String = written.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    files::write(&folder.path().join(SUMS), sums.as_bytes(), Force(false), false)?;
    // The analyst's notes outlive a case that is made anew.
    let (old, new) = (dir.join(NOTES), folder.path().join(NOTES));
    match std::fs::copy(&old, &new) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = b"# Notes\n\nThis file is the analyst's; no hash covers it.\n";
            files::write(&new, text, Force(false), false)?;
        }
        Err(error) => return Err(Fail::failed(format!("{}: {error}", old.display()))),
    }
    if left_out > 0 {
        crate::show::tell(&format!(
            "countersign: evidence.jsonl has the first {EVIDENCE_MAX} transactions; {left_out} more are named in claims.jsonl only"
        ));
    }
    folder.finish()
}

/// Files that every case has.
const ALWAYS: [&str; 5] =
    ["case.json", "trace.json", "claims.jsonl", "evidence.jsonl", "services.csv"];

/// Files that a case has for a method.
fn of_method(method: &str) -> [String; 2] {
    [format!("picture-{method}.svg"), format!("summary-{method}.txt")]
}

fn is_of_a_case(name: &str) -> bool {
    let a_methods = |name: &str| {
        trace::taint::Method::ALL.iter().any(|m| of_method(m.word()).contains(&name.to_owned()))
    };
    ALWAYS.contains(&name) || name == SUMS || name == NOTES || a_methods(name)
}

/// Every claim, a line each, with the transaction that shows it; and those transactions, whole.
fn claims(ground: &Ground, reports: &[Report]) -> (String, String, usize) {
    let graph = &ground.graph;
    let mut lines = String::new();
    let mut txs = BTreeSet::new();
    for report in reports {
        let method = report.query.method.word();
        let mut claim = |what: Value, tx: Option<chaingraph::TxNum>| {
            let txid = tx.map(|tx| header::show(&graph.txid(tx)));
            txs.extend(tx);
            lines.push_str(
                &json!({"method": method, "claim": what, "evidence_txid": txid}).to_string(),
            );
            lines.push('\n');
        };
        let found = &report.found;
        for met in &found.resolved {
            let what = json!({"reached": met.label.label, "kind": met.label.kind.word(), "said_by": met.label.source,
                "tainted_sat": met.arrival.tainted_sat, "confidence": met.confidence});
            claim(what, graph.tx_of(met.arrival.output));
        }
        for met in &found.passed {
            let what = json!({"passed": met.label.label, "kind": met.label.kind.word(), "said_by": met.label.source,
                "tainted_sat": met.arrival.tainted_sat});
            claim(what, graph.tx_of(met.arrival.output));
        }
        for mix in &found.mixed {
            claim(
                json!({"mixed": mix.class.word(), "confidence": mix.confidence, "tainted_sat": mix.tainted_sat}),
                Some(mix.tx),
            );
        }
        for arrival in &found.unspent {
            claim(
                json!({"unspent": super::name::outpoint(graph, arrival.output), "tainted_sat": arrival.tainted_sat}),
                graph.tx_of(arrival.output),
            );
        }
        for h in &report.handovers {
            claim(
                json!({"handed_over": h.bridge, "chain": h.chain, "address": h.address,
                    "tainted_sat": found::tainted_of(found, h.output), "confidence": h.confidence}),
                Some(h.tx),
            );
        }
    }
    let (mut evidence, left_out) = (String::new(), txs.len().saturating_sub(EVIDENCE_MAX));
    for tx in txs.into_iter().take(EVIDENCE_MAX) {
        evidence.push_str(&show::transaction(graph, tx).to_string());
        evidence.push('\n');
    }
    (lines, evidence, left_out)
}

/// `case verify`.
pub fn verify(cx: Context, dir: &Path) -> Done {
    let listed = dir.join(SUMS);
    let is_file = std::fs::symlink_metadata(&listed).is_ok_and(|m| m.is_file());
    if listed.exists() && !is_file {
        return Err(Fail::malformed(listed.display(), "", "is no file"));
    }
    let sums = files::read(&listed)?;
    let sums = String::from_utf8(sums)
        .map_err(|_| Fail::malformed(dir.join(SUMS).display(), "", "it is not text"))?;
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for (number, line) in sums.lines().enumerate() {
        let Some((sum, name)) = line.split_once("  ").filter(|(s, n)| s.len() == 64 && is_plain(n))
        else {
            let at = format!("line {}", number + 1);
            return Err(Fail::malformed(
                dir.join(SUMS).display(),
                at,
                "a hash, two spaces and a file's name stand here",
            ));
        };
        if !named.insert(name.to_owned()) {
            findings.push(format!("{SUMS}: it names {name} twice"));
        }
        match sum_of(&dir.join(name)) {
            Ok(found) if found == sum => {}
            Ok(_) => findings.push(format!("{name}: was changed")),
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    // Read only if it is what was written.
    let good = named.contains("case.json") && !findings.iter().any(|f| f.starts_with("case.json:"));
    let about = if good { files::read(&dir.join("case.json"))? } else { Vec::new() };
    let about: Value = serde_json::from_slice(&about).unwrap_or_default();
    let methods = about.get("methods").and_then(Value::as_array).into_iter().flatten();
    let methods = methods.filter_map(Value::as_str);
    let wanted = ALWAYS.map(str::to_owned).into_iter().chain(methods.flat_map(of_method));
    let missing = wanted.filter(|name| !named.contains(name));
    findings.extend(missing.map(|name| format!("{SUMS}: it does not name {name}")));
    for entry in std::fs::read_dir(dir).map_err(Fail::failed)? {
        let name = entry.map_err(Fail::failed)?.file_name().display().to_string();
        if name != SUMS && name != NOTES && !named.contains(&name) {
            findings.push(format!("{name}: is not of this case, no hash covers it"));
        }
    }
    let count = named.len();
    let good = findings.is_empty();
    let text = if good {
        format!(
            "verified: {count} files are as they were written; {NOTES} is the analyst's and not covered"
        )
    } else {
        format!("changed\n{}", findings.join("\n"))
    };
    cx.say(&json!({"verified": good, "files": count, "findings": findings}), &text);
    if good { Ok(()) } else { Err(Fail::Said) }
}

/// The hash of a file that is one: not of what a link leads to.
fn sum_of(path: &Path) -> std::io::Result<String> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(std::io::Error::other("is no file"));
    }
    let mut engine = sha256::Hash::engine();
    std::io::copy(&mut std::fs::File::open(path)?, &mut engine)?;
    Ok(sha256::Hash::from_engine(engine).to_string())
}

/// A name in the folder itself, nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != ".."
}
