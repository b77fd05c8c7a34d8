//! `graph build`, `info`, `verify`, `show`.

use chaingraph::columns::{Column, Heat};
use chaingraph::manifest::{Counts, Manifest};
use chaingraph::source::Bad;
use chaingraph::{Notice, Options, build};
use serde_json::{Value, json};

use super::progress::{BuildBar, Unit, bar};
use super::{open, show};
use crate::cli::{Graph as Command, GraphBuild};
use crate::cmd::Context;
use crate::fail::{Done, Fail};

/// Runs a graph command.
pub fn run(cx: Context, command: Command) -> Done {
    match command {
        Command::Build(args) => run_build(cx, args),
        Command::Info { graph } => info(cx, &graph),
        Command::Verify { graph } => verify(cx, &graph),
        Command::Show(args) => show::run(cx, &args),
        Command::Export { graph, parquet } => super::export::run(cx, &graph, &parquet),
    }
}

fn run_build(cx: Context, args: GraphBuild) -> Done {
    let options = Options {
        blocks: args.blocks,
        out: args.out,
        until: args.until,
        bad: if args.skip_bad { Bad::Skip } else { Bad::Refuse },
        seal_outputs: chaingraph::SEAL_OUTPUTS,
    };
    let mut drawn = BuildBar::new();
    let started = std::time::Instant::now();
    let result = build(&options, &mut |p| drawn.show(p), &mut trace::cluster::build);
    drawn.finish();
    let built = result?;
    for notice in &built.notices {
        crate::show::tell(&format!("countersign: {}", crate::show::clean(&notice.to_string())));
    }
    let m = &built.manifest;
    let json = json!({
        "added_blocks": built.added,
        "blocks": m.counts.blocks,
        "txs": m.counts.txs,
        "outputs": m.counts.outputs,
        "inputs": m.counts.inputs,
        "scripts": m.counts.scripts,
        "complete": m.complete,
        "network": m.network,
        "tip": m.tip,
        "skipped": skipped(m),
        "notices": built.notices.iter().map(Notice::to_string).collect::<Vec<_>>(),
    });
    let did = match built.added {
        0 => "nothing to add".to_owned(),
        n => format!("{} added", crate::show::counted(usize::try_from(n).unwrap_or(0), "block")),
    };
    let text = format!(
        "{did}, {:.1} s: {} blocks, {} transactions, {} outputs, {} addresses and other scripts",
        started.elapsed().as_secs_f64(),
        m.counts.blocks,
        m.counts.txs,
        m.counts.outputs,
        m.counts.scripts
    );
    cx.say(&json, &text);
    Ok(())
}

fn skipped(manifest: &Manifest) -> Vec<Value> {
    manifest
        .skipped
        .iter()
        .map(|s| json!({"file": s.file, "offset": s.offset, "reason": s.reason}))
        .collect()
}

/// What a whole chain has, for the projection: November 2026, rounded up (DESIGN 8). Inputs are the outputs less data
/// and less the 165 million and more that are unspent, as each spends one.
const WHOLE: Counts = Counts {
    blocks: 925_000,
    txs: 1_400_000_000,
    outputs: 3_800_000_000,
    inputs: 3_340_000_000,
    scripts: 1_400_000_000,
    wide: 0,
    externals: 0,
    datas: 300_000_000,
    script_bytes: 0,
    data_bytes: 0,
    reveal_bytes: 0,
};

fn info(cx: Context, path: &std::path::Path) -> Done {
    let graph = open(path)?;
    let m = graph.manifest();
    let whole = whole_chain(&m.counts);
    let outputs = m.counts.outputs.max(1);
    let mut columns = Vec::new();
    let ends = [graph.blocks().next(), graph.blocks().last()].map(|row| {
        row.map_or_else(String::new, |row| {
            let height = row.height.map_or("unknown height".to_owned(), |h| format!("height {h}"));
            format!("{height}, {}", super::name::time(row.time))
        })
    });
    let [first, last] = &ends;
    let mut text = format!(
        "network {}, {} blocks\nfrom {first}\nto   {last}\n     {}\n{} transactions, {} outputs, {} inputs, {} scripts\n{}\n\n",
        m.network,
        m.counts.blocks,
        m.tip,
        m.counts.txs,
        m.counts.outputs,
        m.counts.inputs,
        m.counts.scripts,
        if m.complete { "complete from genesis" } else { "not complete: blocks are missing" },
    );
    text.push_str(&format!(
        "{:<16}{:>16}{:>12}{:>14}\n",
        "column", "bytes", "an output", "whole chain"
    ));
    let mut sums =
        [(Heat::Hot, "hot", 0, 0), (Heat::Cold, "cold", 0, 0), (Heat::Evidence, "evidence", 0, 0)];
    for column in Column::ALL {
        let (name, heat, about) = column.about();
        let (bytes, projected) = (column.len_at(&m.counts), column.len_at(&whole));
        for sum in &mut sums {
            if sum.0 == heat {
                sum.2 += bytes;
                sum.3 += projected;
            }
        }
        text.push_str(&row(name, bytes, outputs, projected));
        columns.push(json!({"name": name, "heat": heat_word(heat), "bytes": bytes,
            "bytes_per_output": per(bytes, outputs), "whole_chain_bytes": projected, "about": about}));
    }
    text.push('\n');
    let mut totals = serde_json::Map::new();
    for (_, word, bytes, projected) in sums {
        text.push_str(&row(word, bytes, outputs, projected));
        let total = json!({"bytes": bytes, "bytes_per_output": per(bytes, outputs), "whole_chain_bytes": projected});
        totals.insert(word.to_owned(), total);
    }
    text.push_str("\nThe whole chain is this graph's bytes a row times the rows of November 2026: 1.4 billion transactions and\nscripts, 3.8 billion outputs, 3.34 billion inputs.");
    let json = json!({
        "network": m.network, "format": m.format, "id": m.id(), "complete": m.complete, "tip": m.tip,
        "counts": m.counts, "columns": columns, "totals": totals, "skipped": skipped(m),
        "holes": graph.blocks().filter(|b| b.starts_piece && b.before.blocks > 0).map(|b| json!({
            "before_block": b.before.blocks, "height": b.height})).collect::<Vec<_>>(),
    });
    cx.say(&json, &text);
    Ok(())
}

/// This graph's shares, carried over to the whole chain's rows.
fn whole_chain(counts: &Counts) -> Counts {
    let share = |part: u64, of: u64, whole: u64| {
        u64::try_from(u128::from(part) * u128::from(whole) / u128::from(of.max(1)))
            .unwrap_or(u64::MAX)
    };
    Counts {
        wide: share(counts.wide, counts.outputs, WHOLE.outputs),
        script_bytes: share(counts.script_bytes, counts.scripts, WHOLE.scripts),
        data_bytes: share(counts.data_bytes, counts.datas, WHOLE.datas),
        ..WHOLE
    }
}

const fn heat_word(heat: Heat) -> &'static str {
    match heat {
        Heat::Hot => "hot",
        Heat::Cold => "cold",
        Heat::Evidence => "evidence",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn per(bytes: u64, outputs: u64) -> f64 {
    (bytes as f64 / outputs as f64 * 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "gigabytes for people")]
fn row(name: &str, bytes: u64, outputs: u64, projected: u64) -> String {
    let whole = projected as f64 / 1e9;
    format!("{name:<16}{bytes:>16}{:>12.3}{whole:>11.2} GB\n", per(bytes, outputs))
}

fn verify(cx: Context, path: &std::path::Path) -> Done {
    let drawn = bar("checking rows", 1, Unit::Things);
    let findings = chaingraph::verify::verify(path, &mut |at, of| {
        drawn.set_length(of);
        drawn.set_position(at);
    });
    drawn.finish_and_clear();
    let findings = findings?;
    let list: Vec<Value> =
        findings.iter().map(|f| json!({"column": f.column, "what": f.what})).collect();
    if findings.is_empty() {
        cx.say(
            &json!({"verified": true, "findings": list}),
            "verified: every byte is what was written, and the rows agree",
        );
        return Ok(());
    }
    let lines: Vec<String> = findings.iter().map(|f| format!("{}: {}", f.column, f.what)).collect();
    let text = format!("damaged\n{}\nBuild it again from the blocks.", lines.join("\n"));
    cx.say(&json!({"verified": false, "findings": list}), &text);
    Err(Fail::Said)
}
