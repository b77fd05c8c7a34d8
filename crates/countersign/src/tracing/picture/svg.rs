//! The flow as SVG: boxes in columns from left to right over time, ribbons as wide as the tainted value, ends at the
//! right with their sums. No script, no font from elsewhere; readable in light and dark, on paper too.

use std::fmt::Write as _;

use bitcoin::Amount;
use chaingraph::{Graph, header};
use trace::taint::Direction;

use super::super::found::Report;
use super::super::name;
use super::super::trace::Ground;
use super::layout::{Layout, Node, What, layout};
use crate::show::{btc, counted};

const COLUMN: f64 = 226.0;
const BOX: f64 = 16.0;
const TOP: f64 = 96.0;
const LEFT: f64 = 24.0;
/// Height of all value in one column, without gaps.
const VALUE_HEIGHT: f64 = 420.0;
const GAP: f64 = 34.0;
/// A flow of nothing much can still be seen.
const THIN: f64 = 1.2;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1c2430}.t{font-size:19px;font-weight:600}.s{font-size:13px;fill:#4a5568}\
.a{font-weight:600}.d{fill:#5b6675;font-size:11px}.f{fill-opacity:.38}.bg{fill:#fff}\
text{paint-order:stroke;stroke:#fff;stroke-opacity:.75;stroke-width:3px;stroke-linejoin:round}\
@media(prefers-color-scheme:dark){.bg{fill:#14181f}text{fill:#e6e9ee;stroke:#14181f}.s,.d{fill:#a3adbb}.f{fill-opacity:.5}}";

struct Placed {
    x: f64,
    y: f64,
    height: f64,
    /// Where the next ribbon leaves, and where the next one enters.
    leaves: f64,
    enters: f64,
}

/// Draws a trace.
pub fn svg(ground: &Ground, report: &Report) -> String {
    let plan = layout(ground, report);
    let total = report.found.stolen_sat.max(1);
    let scale = VALUE_HEIGHT / to_f64(total);
    let (mut placed, height) = place(&plan, scale);
    let columns = plan.nodes.iter().map(|n| n.column).max().unwrap_or(0) + 1;
    let width = LEFT * 2.0 + COLUMN * to_f64(columns as u64) + 130.0;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\
<style>{STYLE}</style><rect class=\"bg\" width=\"100%\" height=\"100%\"/>"
    );
    heading(&mut out, ground, report, &plan);
    ribbons(&mut out, &plan, &mut placed, scale);
    for (node, at) in plan.nodes.iter().zip(&placed) {
        draw(&mut out, ground, report, node, at, total);
    }
    legend(&mut out, &plan, height - 8.0);
    out.push_str("</svg>\n");
    out
}

#[expect(clippy::cast_precision_loss, reason = "a length on paper")]
const fn to_f64(n: u64) -> f64 {
    n as f64
}

fn heading(out: &mut String, ground: &Ground, report: &Report, plan: &Layout) {
    let found = &report.found;
    let backward = report.query.direction == Direction::Backward;
    let what = if backward { "Where the coins came from" } else { "Where the coins went" };
    let title = format!("{what}: {}, by {}", amount(found.stolen_sat), report.query.method.word());
    let _ = write!(
        out,
        "<title>{}</title><text class=\"t\" x=\"24\" y=\"34\">{}</text>",
        escape(&title),
        escape(&title)
    );
    let share = |sat: u64| to_f64(sat) * 100.0 / to_f64(found.stolen_sat.max(1));
    let sum = |sats: &mut dyn Iterator<Item = u64>| sats.fold(0_u64, u64::saturating_add);
    let parts = [
        ("reached services", sum(&mut found.resolved.iter().map(|m| m.arrival.tainted_sat))),
        ("went into mixes", sum(&mut found.mixed.iter().map(|m| m.tainted_sat))),
        ("lies unspent", sum(&mut found.unspent.iter().map(|a| a.tainted_sat))),
        ("was mined", sum(&mut found.mined.iter().map(|a| a.tainted_sat))),
        ("was not followed", sum(&mut found.cut.iter().map(|c| c.tainted_sat))),
        ("went to fees", found.fees_sat),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(_, sat)| *sat > 0)
        .map(|(what, sat)| format!("{:.1} % {what}", share(*sat)))
        .collect();
    let _ =
        write!(out, "<text class=\"s\" x=\"24\" y=\"57\">{}</text>", escape(&words.join(" · ")));
    let note = format!(
        "{} transactions; chain of {} up to {}; left to right in order of time (UTC), height by tainted value{}{}",
        found.transactions,
        ground.graph.manifest().network,
        match super::super::trace::last_block(ground) {
            Some(row) => match row.height {
                Some(height) => format!("block {height}, {}", day(&name::time(row.time))),
                None => day(&name::time(row.time)),
            },
            None => "its beginning".to_owned(),
        },
        match plan.left_out {
            0 => String::new(),
            n => format!("; {n} small flows are not drawn"),
        },
        if ground.graph.manifest().complete {
            ""
        } else {
            "; blocks are missing: unspent means not spent in what is held"
        }
    );
    let _ = write!(out, "<text class=\"d\" x=\"24\" y=\"76\">{}</text>", escape(&note));
}

/// Each column from the top, the fullest box first; returns the height of the whole.
fn place(plan: &Layout, scale: f64) -> (Vec<Placed>, f64) {
    let mut placed: Vec<Placed> = plan
        .nodes
        .iter()
        .map(|n| {
            let height = (to_f64(n.sat) * scale).max(3.0);
            let x = LEFT + COLUMN * to_f64(n.column as u64);
            Placed { x, y: 0.0, height, leaves: 0.0, enters: 0.0 }
        })
        .collect();
    let columns = plan.nodes.iter().map(|n| n.column).max().unwrap_or(0) + 1;
    let mut height = TOP;
    for column in 0..columns {
        let mut members: Vec<usize> = (0..plan.nodes.len())
            .filter(|at| plan.nodes.get(*at).is_some_and(|n| n.column == column))
            .collect();
        // By where what flows in comes from, weighted; then the fuller first.
        let centre = |at: usize| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for flow in plan.flows.iter().filter(|f| f.to == at) {
                if let Some(from) = placed.get(flow.from).filter(|p| p.y > 0.0) {
                    sum += (from.y + from.height / 2.0) * to_f64(flow.sat);
                    weight += to_f64(flow.sat);
                }
            }
            if weight > 0.0 { sum / weight } else { 0.0 }
        };
        let keys: Vec<(usize, f64)> = members.iter().map(|at| (*at, centre(*at))).collect();
        members.sort_by(|a, b| {
            let key = |at: &usize| keys.iter().find(|(k, _)| k == at).map_or(0.0, |(_, c)| *c);
            key(a).total_cmp(&key(b))
        });
        let mut y = TOP;
        for at in members {
            if let Some(p) = placed.get_mut(at) {
                p.y = y;
                p.leaves = y;
                p.enters = y;
                y += p.height.max(16.0) + GAP;
            }
        }
        height = height.max(y);
    }
    (placed, height + 24.0)
}

fn ribbons(out: &mut String, plan: &Layout, placed: &mut [Placed], scale: f64) {
    let mut order: Vec<_> = plan.flows.iter().collect();
    let y = |at: usize, placed: &[Placed]| placed.get(at).map_or(0.0, |p| p.y);
    order.sort_by(|a, b| {
        (a.from, y(a.to, placed))
            .partial_cmp(&(b.from, y(b.to, placed)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    for flow in order {
        let thick = (to_f64(flow.sat) * scale).max(THIN);
        let Some((x1, y1)) = placed.get_mut(flow.from).map(|p| {
            let at = p.leaves;
            p.leaves += thick;
            (p.x + BOX, at)
        }) else {
            continue;
        };
        let Some((x2, y2)) = placed.get_mut(flow.to).map(|p| {
            let at = p.enters;
            p.enters += thick;
            (p.x, at)
        }) else {
            continue;
        };
        let middle = f64::midpoint(x1, x2);
        let colour = plan.nodes.get(flow.to).map_or("#8794a8", |n| colour(&n.what));
        let _ = write!(
            out,
            "<path class=\"f\" fill=\"{colour}\" d=\"M{x1:.1} {y1:.1}C{middle:.1} {y1:.1} {middle:.1} {y2:.1} {x2:.1} {y2:.1}V{:.1}C{middle:.1} {:.1} {middle:.1} {:.1} {x1:.1} {:.1}Z\"><title>{}</title></path>",
            y2 + thick,
            y2 + thick,
            y1 + thick,
            y1 + thick,
            escape(&amount(flow.sat))
        );
    }
}

const fn colour(what: &What) -> &'static str {
    match what {
        What::Chain(_) => "#5b7fb5",
        What::More(_) => "#93a1b5",
        What::Mix(..) | What::MoreMixes(_) => "#a05bb5",
        What::Service(..) | What::MoreServices(_) => "#c2453d",
        What::Asked(_) => "#27496d",
        What::Bridge(..) | What::MoreBridges(_) => "#d08a1e",
        What::Unspent(_) => "#2f8f5b",
        What::Ended(..) => "#7a7f87",
    }
}

/// What the colours mean, in one line.
fn legend(out: &mut String, plan: &Layout, y: f64) {
    let words = |what: &What| match what {
        What::Chain(_) => "transactions (+n: so many more in a row)",
        What::More(_) => "more transactions",
        What::Mix(..) | What::MoreMixes(_) => "mixes",
        What::Service(..) | What::MoreServices(_) => "services",
        What::Asked(_) => "what was asked about",
        What::Bridge(..) | What::MoreBridges(_) => "other chains",
        What::Unspent(_) => "unspent",
        What::Ended(..) => "not followed",
    };
    let shown: std::collections::BTreeSet<_> =
        plan.nodes.iter().map(|n| (words(&n.what), colour(&n.what))).collect();
    let mut x = LEFT;
    for (words, colour) in shown {
        let _ = write!(
            out,
            "<rect x=\"{x:.0}\" y=\"{:.1}\" width=\"10\" height=\"10\" rx=\"2\" fill=\"{colour}\"/><text class=\"d\" x=\"{:.0}\" y=\"{y:.1}\">{words}</text>",
            y - 9.0,
            x + 15.0
        );
        x += 30.0 + 6.0 * to_f64(words.len() as u64);
    }
}

fn draw(out: &mut String, ground: &Ground, report: &Report, node: &Node, at: &Placed, total: u64) {
    let Placed { x, y, height, .. } = at;
    let _ = write!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX}\" height=\"{height:.1}\" rx=\"2\" fill=\"{}\"/>",
        colour(&node.what)
    );
    let (head, sub) = words(&ground.graph, report, node);
    let share = to_f64(node.sat) * 100.0 / to_f64(total);
    let lines = [("a", head), ("", format!("{} ({share:.1} %)", amount(node.sat))), ("d", sub)];
    for (at, (class, line)) in lines.iter().filter(|(_, l)| !l.is_empty()).enumerate() {
        let line_y = y + 11.0 + 13.5 * to_f64(at as u64);
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{line_y:.1}\">{}</text>",
            x + BOX + 5.0,
            escape(line)
        );
    }
}

/// A box's name, and the line under its amount.
fn words(graph: &Graph, report: &Report, node: &Node) -> (String, String) {
    let times = node.times.map(|(first, last)| {
        let (first, last) = (name::time(first), name::time(last));
        if first == last {
            day(&first)
        } else if first.get(..10) == last.get(..10) {
            format!("{} to {}", day(&first), last.get(11..16).unwrap_or(&last))
        } else {
            format!("{} to {}", first.get(..10).unwrap_or(&first), last.get(..10).unwrap_or(&last))
        }
    });
    let sources = &report.query.sources;
    let is_source = |tx: &chaingraph::TxNum| sources.iter().any(|o| graph.tx_of(*o) == Some(*tx));
    let forward = report.query.direction == Direction::Forward;
    let times = times.unwrap_or_default();
    let short = |tx: &chaingraph::TxNum| {
        let txid = header::show(&graph.txid(*tx));
        format!("{}…", txid.get(..8).unwrap_or(&txid))
    };
    match &node.what {
        What::Chain(txs) => match &txs[..] {
            [first, rest @ ..] => {
                let what = match (forward, graph.is_coinbase(*first)) {
                    (true, _) if is_source(first) => "source ",
                    (false, true) => "mined ",
                    _ => "",
                };
                let more = match rest.len() {
                    0 => String::new(),
                    n => format!(" +{n}"),
                };
                (format!("{what}{}{more}", short(first)), times)
            }
            [] => (String::new(), times),
        },
        What::More(n) => (counted(*n, "more transaction"), times),
        What::Mix(tx, class) => (format!("mix: {class}"), format!("{} {times}", short(tx))),
        What::Service(label, kind, n) => {
            (format!("{label} ({kind})"), format!("{}, {times}", counted(*n, "payment")))
        }
        What::MoreMixes(n) => (format!("{n} more mixes"), times),
        What::MoreServices(n) => ("more services".to_owned(), counted(*n, "payment")),
        What::Asked(n) => ("asked about".to_owned(), counted(*n, "output")),
        What::Bridge(bridge, to) => (bridge.clone(), to.clone()),
        What::MoreBridges(n) => ("other chains".to_owned(), counted(*n, "more hand-over")),
        What::Unspent(n) => ("unspent".to_owned(), counted(*n, "output")),
        What::Ended(reason, n) => (format!("not followed: {reason}"), counted(*n, "output")),
    }
}

/// A time to the minute.
fn day(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// Bitcoin with as many decimals as a picture needs, rounded.
fn amount(sat: u64) -> String {
    let rounded = if sat < 100_000_000 { sat } else { sat.saturating_add(500_000) };
    let text = btc(Amount::from_sat(rounded));
    let number = text.strip_suffix(" BTC").unwrap_or(&text);
    let number = match number.split_once('.') {
        Some((whole, fraction)) if whole != "0" => {
            format!("{}.{}", grouped(whole), fraction.get(..2).unwrap_or(fraction))
        }
        _ => number.to_owned(),
    };
    format!("{number} BTC")
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escape(text: &str) -> String {
    let clean = crate::show::clean(text);
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
