//! Pictures of a trace: what a stranger should see in a minute is where the coins went.

mod layout;
mod svg;

use chaingraph::header;

use super::found::Report;
use super::name;
use super::trace::Ground;

pub use svg::svg;

/// The flow for Graphviz: transactions as nodes, outputs as edges, as they are.
pub fn dot(ground: &Ground, report: &Report) -> String {
    let graph = &ground.graph;
    let mut text =
        "digraph trace {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    let mut ends = 0;
    let resolved: std::collections::HashMap<_, _> =
        report.found.resolved.iter().map(|m| (m.arrival.output, m)).collect();
    for edge in &report.found.edges {
        let from = header::show(&graph.txid(edge.from));
        let to = edge.to.map_or_else(
            || {
                ends += 1;
                let at = name::address_of(graph, edge.output).unwrap_or_default();
                let met = resolved.get(&edge.output);
                let label = met.map(|m| {
                    format!("{} ({})\\n", quoted(&m.label.label), quoted(m.label.kind.word()))
                });
                let at = format!("{}{at}", label.unwrap_or_default());
                let end = format!("end{ends}");
                text.push_str(&format!("  \"{end}\" [shape=plaintext, label=\"{at}\"];\n"));
                end
            },
            |tx| header::show(&graph.txid(tx)),
        );
        let btc = crate::show::btc(bitcoin::Amount::from_sat(edge.tainted_sat));
        text.push_str(&format!("  \"{from}\" -> \"{to}\" [label=\"{btc}\"];\n"));
    }
    for mix in &report.found.mixed {
        let txid = header::show(&graph.txid(mix.tx));
        let short = txid.get(..8).unwrap_or(&txid);
        let class = mix.class.word();
        text.push_str(&format!("  \"{txid}\" [label=\"mix: {class}\\n{short}\"];\n"));
    }
    text.push_str("}\n");
    text
}

/// Text from outside, in a string of Graphviz.
fn quoted(text: &str) -> String {
    crate::show::clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}
