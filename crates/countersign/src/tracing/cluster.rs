//! `cluster show` and `why`.

use chaingraph::{Graph, OutputNum, ScriptNum, TxNum, header};
use serde_json::{Value, json};

use super::{name, open};
use crate::cli::Cluster;
use crate::cmd::Context;
use crate::fail::{Done, Fail};

/// Runs a cluster command.
pub fn run(cx: Context, command: Cluster) -> Done {
    match command {
        Cluster::Show(args) => {
            let graph = open(&args.graph)?;
            show(cx, &graph, &args.address)
        }
        Cluster::Why(args) => {
            let graph = open(&args.graph)?;
            why(cx, &graph, &args.a, &args.b)
        }
    }
}

fn script(graph: &Graph, address: &str) -> Result<ScriptNum, Fail> {
    let script = name::script_of_address(graph, address)?;
    graph
        .find_script(&script)
        .ok_or_else(|| Fail::malformed("address", address, "the graph has no output to it"))
}

/// A cluster with so many addresses may be two: an alarm. The largest services have more, and honestly.
const ALARM_ADDRESSES: usize = 100_000;
/// A transaction that joined two sides of so many addresses is worth a look.
const SEAM_ADDRESSES: u64 = 1_000;
/// Transactions of the cluster that are searched for change.
const CHANGE_TXS: usize = 10_000;
/// Addresses that the text names; the JSON has all.
const SHOWN: usize = 200;

fn show(cx: Context, graph: &Graph, address: &str) -> Done {
    let script = script(graph, address)?;
    let members = trace::cluster::members(graph, script);
    let outputs = graph.outputs_with(&members);
    let received = name::sum(outputs.iter().map(|o| graph.value(*o)));
    let unspent = outputs.iter().filter(|o| graph.spender(**o).is_none());
    let balance = name::sum(unspent.map(|o| graph.value(*o)));
    let addresses: Vec<String> = members.iter().map(|m| name::show_script(graph, *m)).collect();
    let seams = trace::cluster::seams(graph, &members, SEAM_ADDRESSES);
    let (change, not_searched) = change(graph, &members, &outputs);
    let json = json!({
        "cluster": graph.cluster(script).0,
        "addresses": addresses,
        "outputs": outputs.len(),
        "received_sat": received,
        "balance_sat": balance,
        "alarms": {
            "large": members.len() >= ALARM_ADDRESSES,
            "seams": seams.iter().map(|s| json!({"txid": header::show(&graph.txid(s.tx)),
                "smaller": s.smaller, "larger": s.larger})).collect::<Vec<_>>(),
        },
        "change": change.iter().map(|c| json!({"txid": header::show(&graph.txid(c.tx)),
            "address": name::show_script(graph, c.script), "probability": c.probability,
            "signs": c.signs})).collect::<Vec<_>>(),
        "change_not_searched": not_searched,
    });
    let btc = |sat| crate::show::btc(bitcoin::Amount::from_sat(sat));
    let mut text = format!(
        "cluster {}: {}\nreceived {} in {}, holds {}\n",
        graph.cluster(script),
        match addresses.len() {
            1 => "one address".to_owned(),
            n => format!("{n} addresses"),
        },
        btc(received),
        crate::show::counted(outputs.len(), "output"),
        btc(balance),
    );
    if members.len() >= ALARM_ADDRESSES {
        text.push_str("ALARM: so large that one wrong join may have made one of two owners\n");
    }
    for seam in seams.iter().take(10) {
        text.push_str(&format!(
            "ALARM: {} joined {} addresses to {}: look whether one owner made it\n",
            header::show(&graph.txid(seam.tx)),
            seam.smaller,
            seam.larger
        ));
    }
    addresses.iter().take(SHOWN).for_each(|a| text.push_str(&format!("  {a}\n")));
    if addresses.len() > SHOWN {
        text.push_str(&format!("  and {} more (--json has all)\n", addresses.len() - SHOWN));
    }
    if !change.is_empty() {
        text.push_str("probably the owner's too, by change (not joined):\n");
    }
    for link in change.iter().take(SHOWN) {
        text.push_str(&format!(
            "  {}  {:.3}, {}, in {}\n",
            name::show_script(graph, link.script),
            link.probability,
            link.signs.join(", "),
            header::show(&graph.txid(link.tx))
        ));
    }
    if change.len() > SHOWN {
        text.push_str(&format!("  and {} more\n", change.len() - SHOWN));
    }
    if not_searched > 0 {
        text.push_str(&format!("{not_searched} later transactions were not searched for change\n"));
    }
    cx.say(&json, text.trim_end());
    Ok(())
}

/// An address outside a cluster that got the change of one of its payments.
struct Link {
    script: ScriptNum,
    tx: TxNum,
    probability: f64,
    signs: Vec<&'static str>,
}

/// Change that left a cluster, the surest link for each address; and how many transactions were not searched.
fn change(graph: &Graph, members: &[ScriptNum], outputs: &[OutputNum]) -> (Vec<Link>, usize) {
    let mut txs: Vec<TxNum> = outputs.iter().filter_map(|o| graph.spender(*o)).collect();
    txs.sort_unstable();
    txs.dedup();
    let mut finder = trace::change::Finder::new(graph);
    let mut links: std::collections::BTreeMap<ScriptNum, Link> = std::collections::BTreeMap::new();
    for tx in txs.iter().copied().take(CHANGE_TXS) {
        let Some(found) = finder.of(tx).filter(trace::change::Change::is_link) else { continue };
        let script = graph.script(found.output).filter(|s| members.binary_search(s).is_err());
        let Some(script) = script else { continue };
        let signs = found.signs.iter().map(|s| s.word()).collect();
        let link = Link { script, tx, probability: found.probability, signs };
        let known = links.get(&script).map_or(0.0, |known| known.probability);
        if link.probability > known {
            links.insert(script, link);
        }
    }
    (links.into_values().collect(), txs.len().saturating_sub(CHANGE_TXS))
}

fn why(cx: Context, graph: &Graph, a: &str, b: &str) -> Done {
    let (from, to) = (script(graph, a)?, script(graph, b)?);
    let Some(steps) = trace::cluster::why(graph, from, to) else {
        cx.say(
            &json!({"same_cluster": false, "steps": []}),
            "not one cluster: no chain of transactions spends them together",
        );
        return Ok(());
    };
    let row = |step: &trace::cluster::Step| {
        json!({
            "from": name::show_script(graph, step.from),
            "to": name::show_script(graph, step.to),
            "txid": header::show(&graph.txid(step.tx)),
            "height": graph.block_of(step.tx).and_then(|b| b.height),
        })
    };
    let list: Vec<Value> = steps.iter().map(row).collect();
    let lines: String = steps
        .iter()
        .map(|s| {
            format!(
                "  {} and {}\n    both spent by {}\n",
                name::show_script(graph, s.from),
                name::show_script(graph, s.to),
                header::show(&graph.txid(s.tx))
            )
        })
        .collect();
    let text = format!("one cluster, by {} steps\n{lines}", steps.len());
    cx.say(&json!({"same_cluster": true, "steps": list}), &text);
    Ok(())
}
