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
use crate::files;

const SUMS: &str = "SHA256SUMS";
/// The analyst's own file: it is not under the hashes.
const NOTES: &str = "notes.md";
/// Transactions of evidence that are written whole.
const EVIDENCE_MAX: usize = 20_000;

/// Writes a case folder.
pub fn write(cx: Context, dir: &Path, asked: &Value, ground: &Ground, reports: &[Report]) -> Done {
    if dir.exists() && !cx.force.0 {
        return Err(Fail::failed(format!("{} exists already; --force replaces it", dir.display())));
    }
    std::fs::create_dir_all(dir).map_err(|e| Fail::failed(format!("{}: {e}", dir.display())))?;
    let trace = found::json(ground, reports);
    let graph = &ground.graph;
    let about = json!({
        "asked": asked,
        "program": concat!("countersign ", env!("CARGO_PKG_VERSION")),
        "graph": {"id": graph.manifest().id(), "network": graph.manifest().network, "tip": graph.manifest().tip,
            "complete": graph.manifest().complete, "counts": graph.manifest().counts},
        "labels": ground.versions,
        "methods": reports.iter().map(|r| r.query.method.word()).collect::<Vec<_>>(),
    });
    let (claims, evidence) = claims(ground, reports);
    let mut written = Vec::new();
    let mut put = |name: &str, content: String| -> Done {
        files::write(&dir.join(name), content.as_bytes(), cx.force, false)?;
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
        put(&format!("picture-{}.svg", report.query.method.word()), picture::svg(ground, report))?;
        put(&format!("summary-{}.txt", report.query.method.word()), found::text(ground, report))?;
    }
    let sums: String = written.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    files::write(&dir.join(SUMS), sums.as_bytes(), cx.force, false)?;
    let notes = dir.join(NOTES);
    if !notes.exists() {
        files::write(
            &notes,
            b"# Notes\n\nThis file is the analyst's; no hash covers it.\n",
            cx.force,
            false,
        )?;
    }
    Ok(())
}

/// Every claim, a line each, with the transaction that shows it; and those transactions, whole.
fn claims(ground: &Ground, reports: &[Report]) -> (String, String) {
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
                json!({"handed_over": h.bridge, "chain": h.chain, "address": h.address, "confidence": h.confidence}),
                Some(h.tx),
            );
        }
    }
    let mut evidence = String::new();
    for tx in txs.into_iter().take(EVIDENCE_MAX) {
        evidence.push_str(&show::transaction(graph, tx).to_string());
        evidence.push('\n');
    }
    (lines, evidence)
}

/// `case verify`.
pub fn verify(cx: Context, dir: &Path) -> Done {
    let sums = files::read(&dir.join(SUMS))?;
    let sums = String::from_utf8(sums)
        .map_err(|_| Fail::malformed(dir.join(SUMS).display(), "", "it is not text"))?;
    let mut findings = Vec::new();
    let mut count = 0;
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
        count += 1;
        let found =
            std::fs::read(dir.join(name)).map(|bytes| sha256::Hash::hash(&bytes).to_string());
        match found {
            Ok(found) if found == sum => {}
            Ok(_) => findings.push(format!("{name}: was changed")),
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    if count == 0 {
        findings.push(format!("{SUMS}: it names no file"));
    }
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

/// A name in the folder itself, nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != ".."
}
