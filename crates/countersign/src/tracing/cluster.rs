//! `cluster show` and `why`.

use chaingraph::{Graph, ScriptNum, header};
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

fn show(cx: Context, graph: &Graph, address: &str) -> Done {
    let script = script(graph, address)?;
    let members = trace::cluster::members(graph, script);
    let outputs = graph.outputs_with(&members);
    let received: u64 = outputs.iter().map(|o| graph.value(*o)).sum();
    let unspent = outputs.iter().filter(|o| graph.spender(**o).is_none());
    let balance: u64 = unspent.map(|o| graph.value(*o)).sum();
    let addresses: Vec<String> = members.iter().map(|m| name::show_script(graph, *m)).collect();
    let json = json!({
        "cluster": graph.cluster(script).0,
        "addresses": addresses,
        "outputs": outputs.len(),
        "received_sat": received,
        "balance_sat": balance,
    });
    let btc = |sat| crate::show::btc(bitcoin::Amount::from_sat(sat));
    let text = format!(
        "cluster {} of {} addresses\nreceived {} in {} outputs, holds {}\n{}",
        graph.cluster(script),
        addresses.len(),
        btc(received),
        outputs.len(),
        btc(balance),
        addresses.iter().map(|a| format!("  {a}\n")).collect::<String>()
    );
    cx.say(&json, &text);
    Ok(())
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
