//! What a trace found, as JSON, as text, and as the files that are handed on.

use std::collections::BTreeMap;

use bitcoin::Amount;
use chaingraph::{Graph, TxNum, header};
use serde_json::{Value, json};
use trace::bridge::HandOver;
use trace::peel::{Chain, Deposit};
use trace::taint::{Arrival, Cut, Direction, Edge, Found, Met, Mixed, Place, Query};

use super::trace::{Ground, as_of, write};
use super::{name, picture};
use crate::cli::TraceRun;
use crate::cmd::Context;
use crate::fail::Done;
use crate::show::{btc, counted};

/// A trace by one method.
pub struct Report {
    /// What was asked.
    pub query: Query,
    /// What was found.
    pub found: Found,
    /// Hand-overs to other chains.
    pub handovers: Vec<HandOver>,
    /// Peel chains on the way.
    pub peels: Vec<Chain>,
    /// Deposit addresses one hop before a service.
    pub deposits: Vec<Deposit>,
}

impl Report {
    /// With what is read out of a trace: hand-overs, peel chains, deposit addresses.
    pub fn new(ground: &Ground, query: Query, found: Found) -> Self {
        let (graph, attribution) = (&ground.graph, &ground.attribution);
        // Only what carried taint: others may have spoken in the same transaction.
        let mut handovers = trace::bridge::find(graph, attribution, &found.speaking);
        handovers.retain(|h| tainted_of(&found, h.output) > 0);
        let mut txs: Vec<TxNum> =
            found.edges.iter().flat_map(|e| [Some(e.from), e.to]).flatten().collect();
        txs.sort_unstable();
        txs.dedup();
        let peels = trace::peel::chains(graph, &txs);
        let is_forward = query.direction == Direction::Forward;
        let deposits =
            if is_forward { trace::peel::deposits(graph, attribution, &found) } else { Vec::new() };
        Self { query, found, handovers, peels, deposits }
    }
}

/// One document: the trace, or with several methods a list of them.
pub fn json(ground: &Ground, reports: &[Report]) -> Value {
    match reports {
        [one] => one_json(ground, one),
        several => json!({
            "method": "all",
            "traces": several.iter().map(|r| one_json(ground, r)).collect::<Vec<_>>(),
        }),
    }
}

fn one_json(ground: &Ground, report: &Report) -> Value {
    let (graph, found) = (&ground.graph, &report.found);
    let sources: Vec<Value> = report
        .query
        .sources
        .iter()
        .map(|o| {
            json!({"outpoint": name::outpoint(graph, *o), "address": name::address_of(graph, *o),
                "value_sat": graph.value(*o)})
        })
        .collect();
    json!({
        "source": sources,
        "direction": match report.query.direction { Direction::Forward => "forward", Direction::Backward => "backward" },
        "method": report.query.method.word(),
        "as_of": as_of(ground),
        "complete": graph.manifest().complete,
        "stolen_sat": found.stolen_sat,
        "resolved": found.resolved.iter().map(|m| met(graph, m)).collect::<Vec<_>>(),
        "passed": found.passed.iter().map(|m| met(graph, m)).collect::<Vec<_>>(),
        "mixed": found.mixed.iter().map(|m| mixed(graph, m)).collect::<Vec<_>>(),
        "unspent": found.unspent.iter().map(|a| arrival(graph, a)).collect::<Vec<_>>(),
        "mined": found.mined.iter().map(|a| arrival(graph, a)).collect::<Vec<_>>(),
        "fees_sat": found.fees_sat,
        "handovers": report.handovers.iter().map(|h| handover(graph, found, h)).collect::<Vec<_>>(),
        "cut": found.cut.iter().map(|c| cut(graph, c)).collect::<Vec<_>>(),
        "peels": report.peels.iter().map(|c| peel(ground, c)).collect::<Vec<_>>(),
        "deposits": report.deposits.iter().map(|d| deposit(graph, d)).collect::<Vec<_>>(),
        "graph": picture(graph, found),
        "label_versions": ground.versions,
        "graph_id": graph.manifest().id(),
        "transactions": found.transactions,
        "outputs": found.outputs,
    })
}

fn via(graph: &Graph, txs: &[TxNum]) -> Vec<String> {
    txs.iter().map(|tx| header::show(&graph.txid(*tx))).collect()
}

fn round(confidence: f64) -> f64 {
    (confidence * 1e6).round() / 1e6
}

fn met(graph: &Graph, met: &Met) -> Value {
    let Met { arrival, label, via_cluster, confidence } = met;
    let tx = graph.tx_of(arrival.output);
    let block = tx.and_then(|tx| graph.block_of(tx));
    json!({
        "label": label.label,
        "kind": label.kind.word(),
        "label_source": label.source,
        "label_source_sha256": label.source_sha256,
        "label_date": label.date,
        "via_cluster": via_cluster,
        "outpoint": name::outpoint(graph, arrival.output),
        "address": name::address_of(graph, arrival.output),
        "height": block.and_then(|b| b.height),
        "time": block.map(|b| name::time(b.time)),
        "tainted_sat": arrival.tainted_sat,
        "confidence": round(*confidence),
        "hops": arrival.hops,
        "via": via(graph, &arrival.via),
        "evidence_txid": tx.map(|tx| header::show(&graph.txid(tx))),
    })
}

fn mixed(graph: &Graph, mixed: &Mixed) -> Value {
    json!({
        "txid": header::show(&graph.txid(mixed.tx)),
        "class": mixed.class.word(),
        "confidence": round(mixed.confidence),
        "tainted_sat": mixed.tainted_sat,
        "denominations": mixed.denominations,
    })
}

fn arrival(graph: &Graph, arrival: &Arrival) -> Value {
    let mut json = json!({
        "outpoint": name::outpoint(graph, arrival.output),
        "address": name::address_of(graph, arrival.output),
        "tainted_sat": arrival.tainted_sat,
        "hops": arrival.hops,
    });
    if let (Value::Object(members), false) = (&mut json, arrival.via.is_empty()) {
        members.insert("via".to_owned(), json!(via(graph, &arrival.via)));
        members.insert("confidence".to_owned(), json!(round(arrival.factor)));
    }
    json
}

fn cut(graph: &Graph, cut: &Cut) -> Value {
    let outpoint = match cut.place {
        Place::Output(output) => name::outpoint(graph, output),
        Place::Outside(txid, vout) => format!("{}:{vout}", header::show(&txid)),
    };
    json!({"outpoint": outpoint, "tainted_sat": cut.tainted_sat, "reason": cut.reason.word()})
}

/// The taint of an output by which a transaction speaks of a hand-over.
pub fn tainted_of(found: &Found, output: chaingraph::OutputNum) -> u64 {
    found.spoken.get(&output).copied().unwrap_or(0)
}

fn handover(graph: &Graph, found: &Found, h: &HandOver) -> Value {
    let tainted = tainted_of(found, h.output);
    json!({
        "bridge": h.bridge,
        "destination_chain": h.chain,
        "asset": h.asset,
        "address": h.address,
        "name": h.name,
        "amount_sat": graph.value(h.output),
        "tainted_sat": tainted,
        "outpoint": name::outpoint(graph, h.output),
        "txid": header::show(&graph.txid(h.tx)),
        "refunded": h.refunded,
        "confidence": h.confidence,
        "evidence": h.evidence.words(),
    })
}

fn peel(ground: &Ground, chain: &Chain) -> Value {
    let graph = &ground.graph;
    let hop = |h: &trace::peel::Hop| {
        let labels =
            graph.script(h.peeled).map(|s| ground.attribution.of(graph, s)).unwrap_or_default();
        json!({
            "txid": header::show(&graph.txid(h.tx)),
            "peeled": name::outpoint(graph, h.peeled),
            "address": name::address_of(graph, h.peeled),
            "label": labels.first().map(|l| l.label.label.clone()),
            "peeled_sat": graph.value(h.peeled),
            "left_sat": graph.value(h.change.output),
            "change_probability": round(h.change.probability),
            "signs": h.change.signs.iter().map(|s| s.word()).collect::<Vec<_>>(),
        })
    };
    json!({"hops": chain.hops.iter().map(hop).collect::<Vec<_>>()})
}

fn deposit(graph: &Graph, d: &Deposit) -> Value {
    json!({
        "address": name::show_script(graph, d.script), "label": d.label, "kind": d.kind.word(),
        "tainted_sat": d.tainted_sat, "confidence": round(d.confidence), "evidence_txid": header::show(&graph.txid(d.tx)),
    })
}

/// The largest edges with the transactions that they join, for pictures.
fn picture(graph: &Graph, found: &Found) -> Value {
    let mut txs: Vec<TxNum> =
        found.edges.iter().flat_map(|e| [Some(e.from), e.to]).flatten().collect();
    txs.sort_unstable();
    txs.dedup();
    let node = |tx: &TxNum| {
        let block = graph.block_of(*tx);
        json!({"txid": header::show(&graph.txid(*tx)), "height": block.and_then(|b| b.height),
            "time": block.map(|b| name::time(b.time))})
    };
    let edge = |e: &Edge| {
        json!({"from": header::show(&graph.txid(e.from)), "to": e.to.map(|tx| header::show(&graph.txid(tx))),
            "outpoint": name::outpoint(graph, e.output), "tainted_sat": e.tainted_sat})
    };
    let (edges, sat) = found.edges_left_out;
    json!({
        "nodes": txs.iter().map(node).collect::<Vec<_>>(),
        "edges": found.edges.iter().map(edge).collect::<Vec<_>>(),
        "left_out": {"edges": edges, "tainted_sat": u64::try_from(sat).unwrap_or(u64::MAX)},
    })
}

/// What arrived, by service: label, kind, what and how often.
fn by_service(found: &Found) -> Vec<(String, String, u64, usize, f64)> {
    let mut all: BTreeMap<(String, String), (u64, usize, f64)> = BTreeMap::new();
    for met in &found.resolved {
        let key = (met.label.label.clone(), met.label.kind.word().to_owned());
        let entry = all.entry(key).or_insert((0, 0, 1.0));
        entry.0 = entry.0.saturating_add(met.arrival.tainted_sat);
        entry.1 += 1;
        entry.2 = entry.2.min(met.confidence);
    }
    let mut list: Vec<_> = all.into_iter().map(|((l, k), (sat, n, c))| (l, k, sat, n, c)).collect();
    list.sort_by_key(|(_, _, sat, ..)| std::cmp::Reverse(*sat));
    list
}

fn sat(n: u64) -> String {
    btc(Amount::from_sat(n))
}

/// The most lines of one sort in the answer for people; all are in the JSON.
const LINES_MAX: usize = 12;

/// The answer for people: where it ended, which adds up, then what is known of parts of it.
pub fn text(ground: &Ground, report: &Report) -> String {
    let (found, graph) = (&report.found, &ground.graph);
    let forward = report.query.direction == Direction::Forward;
    let mut text = format!(
        "{} by {}: {} from {}, through {}\n",
        if forward { "forward" } else { "backward" },
        report.query.method.word(),
        sat(found.stolen_sat),
        counted(report.query.sources.len(), "output"),
        counted(usize::try_from(found.transactions).unwrap_or(usize::MAX), "transaction"),
    );
    if !graph.manifest().complete {
        text.push_str("the graph has holes: unspent means not spent in what is held\n");
    }
    let sum = |amounts: &mut dyn Iterator<Item = u64>| amounts.fold(0_u64, u64::saturating_add);
    let line = |amount: u64, what: String| format!("  {:>22}  {what}\n", sat(amount));
    for (label, kind, amount, n, least) in by_service(found) {
        let what =
            format!("{label} ({kind}), {}, confidence {least:.2} and up", counted(n, "payment"));
        text.push_str(&line(amount, what));
        let behind = || {
            let of = |m: &&Met| m.label.label == label && m.label.kind.word() == kind;
            found.resolved.iter().filter(of).map(|m| &m.arrival).filter(|a| !a.via.is_empty())
        };
        let mixed = sum(&mut behind().map(|a| a.tainted_sat));
        if mixed > 0 {
            text.push_str(&format!("{:26}of these {} behind mixes\n", "", sat(mixed)));
        }
    }
    let mut mixes: Vec<&Mixed> = found.mixed.iter().collect();
    mixes.sort_by_key(|m| std::cmp::Reverse(m.tainted_sat));
    for mix in mixes.iter().take(LINES_MAX) {
        let what = format!("mixed in {} ({})", header::show(&graph.txid(mix.tx)), mix.class.word());
        text.push_str(&line(mix.tainted_sat, what));
    }
    if mixes.len() > LINES_MAX {
        let rest = sum(&mut mixes.iter().skip(LINES_MAX).map(|m| m.tainted_sat));
        text.push_str(&line(
            rest,
            format!("mixed in {}", counted(mixes.len() - LINES_MAX, "more transaction")),
        ));
    }
    for (list, word) in [(&found.unspent, "unspent"), (&found.mined, "mined")] {
        if !list.is_empty() {
            let all = sum(&mut list.iter().map(|a| a.tainted_sat));
            text.push_str(&line(all, format!("{word} in {}", counted(list.len(), "output"))));
        }
    }
    let mut cuts: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    for cut in &found.cut {
        let entry = cuts.entry(cut.reason.word()).or_default();
        *entry = (entry.0.saturating_add(cut.tainted_sat), entry.1 + 1);
    }
    for (reason, (amount, n)) in cuts {
        text.push_str(&line(amount, format!("not followed: {reason}, {}", counted(n, "output"))));
    }
    if found.fees_sat > 0 {
        text.push_str(&line(found.fees_sat, "fees".to_owned()));
    }
    if report.query.method == trace::taint::Method::Poison && forward {
        text.push_str("poison counts whole outputs: the lines add up to more than the source\n");
    } else {
        text.push_str(&line(found.stolen_sat, "in all".to_owned()));
    }
    for (list, word) in [(&found.unspent, "unspent"), (&found.mined, "mined")] {
        let mut largest: Vec<&Arrival> = list.iter().collect();
        largest.sort_by_key(|a| std::cmp::Reverse(a.tainted_sat));
        if list.len() > LINES_MAX {
            text.push_str(&format!("the largest {LINES_MAX} of what is {word}\n"));
        } else if !list.is_empty() {
            text.push_str(&format!("{word}\n"));
        }
        for arrival in largest.into_iter().take(LINES_MAX) {
            let at = name::address_of(graph, arrival.output).unwrap_or_default();
            let what = format!("{at} {}", name::outpoint(graph, arrival.output));
            text.push_str(&line(arrival.tainted_sat, what.trim_start().to_owned()));
        }
    }
    let known = known_of_parts(ground, report);
    if !known.is_empty() {
        text.push_str("of what is told above\n");
        text.push_str(&known);
    }
    text
}

/// What is known of parts: hand-overs, deposit addresses, peel chains, labels passed. These are no further ends.
fn known_of_parts(ground: &Ground, report: &Report) -> String {
    let (found, graph) = (&report.found, &ground.graph);
    let sum = |amounts: &mut dyn Iterator<Item = u64>| amounts.fold(0_u64, u64::saturating_add);
    let line = |amount: u64, what: String| format!("  {:>22}  {what}\n", sat(amount));
    let mut text = String::new();
    for h in &report.handovers {
        let state = if h.refunded { ", given back" } else { "" };
        let what = format!("by {} to {}{state} ({})", h.bridge, destination(h), h.evidence.words());
        text.push_str(&line(tainted_of(found, h.output), what));
    }
    for d in report.deposits.iter().take(LINES_MAX) {
        let what = format!(
            "through {}, a deposit address of {}",
            name::show_script(graph, d.script),
            d.label
        );
        text.push_str(&line(d.tainted_sat, what));
    }
    for chain in report.peels.iter().take(LINES_MAX) {
        let peeled = sum(&mut chain.hops.iter().map(|h| graph.value(h.peeled)));
        let first = chain.hops.first().map(|h| header::show(&graph.txid(h.tx))).unwrap_or_default();
        let what = format!("peeled off in {} steps from {first} on", chain.hops.len());
        text.push_str(&line(peeled, what));
    }
    for met in found.passed.iter().take(LINES_MAX) {
        let what = format!("passed {} ({})", met.label.label, met.label.kind.word());
        text.push_str(&line(met.arrival.tainted_sat, what));
    }
    if found.passed.len() > LINES_MAX {
        let more = counted(found.passed.len() - LINES_MAX, "more label");
        text.push_str(&format!("  and {more} passed\n"));
    }
    text
}

/// Where a hand-over goes: chain and address.
fn destination(h: &HandOver) -> String {
    let chain = h.chain.as_deref().unwrap_or("another chain");
    let to = h.address.as_deref().or(h.name.as_deref());
    format!("{chain}, {}", to.unwrap_or("an address that is not on this chain"))
}

/// One row per service, for freeze letters.
pub fn csv(ground: &Ground, reports: &[Report]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "method",
        "label",
        "kind",
        "label_source",
        "tainted_sat",
        "payments",
        "confidence_min",
        "first_time",
        "last_time",
        "addresses",
        "evidence_txids",
        "handed_over_to",
    ];
    let _ = writer.write_record(head); // into memory
    for report in reports {
        for (label, kind, amount, n, least) in by_service(&report.found) {
            let of = |m: &&Met| m.label.label == label && m.label.kind.word() == kind;
            let graph = &ground.graph;
            let mut times = Vec::new();
            let mut addresses = std::collections::BTreeSet::new();
            let mut txids = Vec::new();
            let mut source = String::new();
            for met in report.found.resolved.iter().filter(of) {
                let tx = graph.tx_of(met.arrival.output);
                times.extend(tx.and_then(|tx| graph.block_of(tx)).map(|b| b.time));
                addresses.extend(name::address_of(graph, met.arrival.output));
                txids.extend(tx.map(|tx| header::show(&graph.txid(tx))));
                source.clone_from(&met.label.source);
            }
            let outputs: std::collections::HashSet<_> =
                report.found.resolved.iter().filter(of).map(|m| m.arrival.output).collect();
            let over =
                report.handovers.iter().filter(|h| !h.refunded && outputs.contains(&h.output));
            let over: std::collections::BTreeSet<String> = over.map(destination).collect();
            let time = |t: Option<&u32>| t.map(|t| name::time(*t)).unwrap_or_default();
            let row = [
                report.query.method.word().to_owned(),
                no_formula(label),
                no_formula(kind),
                no_formula(source),
                amount.to_string(),
                n.to_string(),
                format!("{least:.3}"),
                time(times.iter().min()),
                time(times.iter().max()),
                addresses.into_iter().collect::<Vec<_>>().join(" "),
                txids.join(" "),
                over.into_iter().collect::<Vec<_>>().join("; "),
            ];
            let _ = writer.write_record(row);
        }
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// Text that a spreadsheet would take for a formula, made plain: labels are other people's.
fn no_formula(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

/// The files that flags ask for.
pub fn write_files(cx: Context, args: &TraceRun, ground: &Ground, reports: &[Report]) -> Done {
    write(cx, args.csv.as_deref(), || csv(ground, reports))?;
    let Some(first) = reports.first() else { return Ok(()) };
    write(cx, args.svg.as_deref(), || picture::svg(ground, first))?;
    write(cx, args.dot.as_deref(), || picture::dot(ground, first))
}
