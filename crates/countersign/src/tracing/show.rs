//! `graph show`: one thing, whole.

use chaingraph::row::BlockRow;
use chaingraph::{Graph, OutputNum, Prevout, ScriptNum, TxNum, header};
use serde_json::{Value, json};

use super::name::{self, Named};
use super::open;
use crate::cli::GraphShow;
use crate::cmd::Context;
use crate::fail::{Done, Fail};
use crate::show::counted;

/// Runs the command.
pub fn run(cx: Context, args: &GraphShow) -> Done {
    let graph = open(&args.graph)?;
    let (json, text) = match name::read(&graph, &args.what)? {
        Named::Txs(txs) => {
            let all: Vec<Value> = txs.iter().map(|tx| transaction(&graph, *tx)).collect();
            let text = txs.iter().map(|tx| transaction_text(&graph, *tx)).collect::<String>();
            (all.into_iter().next_back().unwrap_or_default(), text)
        }
        Named::Output(output) => {
            let script = graph.script_of(output);
            let json = output_json(&graph, output, &script);
            let text = output_text(&graph, output, &script);
            (json, text)
        }
        Named::Address(address, script) => address_shown(&graph, &address, script),
        Named::Height(height) => {
            let Some(row) = graph.blocks().find(|row| row.height == Some(height)) else {
                let unknown = graph.blocks().filter(|row| row.height.is_none()).count();
                let why = match unknown {
                    0 => "the graph has no block of that height".to_owned(),
                    n => format!(
                        "the graph has no block that is known to be of that height; of {n} it knows none: ask for them by hash"
                    ),
                };
                return Err(Fail::malformed("height", height, why));
            };
            block(&graph, &row)
        }
        Named::Block(row) => block(&graph, &row),
    };
    cx.say(&json, &text);
    Ok(())
}

fn height_json(graph: &Graph, tx: TxNum) -> (Value, Value) {
    let row = graph.block_of(tx);
    (json!(row.and_then(|r| r.height)), json!(row.map(|r| name::time(r.time))))
}

/// A transaction as JSON.
pub fn transaction(graph: &Graph, tx: TxNum) -> Value {
    let inputs: Vec<Value> = graph.prevouts(tx).map(|p| prevout(graph, p)).collect();
    let outputs: Vec<Value> =
        graph.scripts_of(tx).map(|(o, script)| output_json(graph, o, &script)).collect();
    let (height, time) = height_json(graph, tx);
    json!({
        "kind": "transaction", "txid": header::show(&graph.txid(tx)), "number": tx.0,
        "height": height, "time": time, "fee_sat": fee(graph, tx), "inputs": inputs, "outputs": outputs,
    })
}

/// What a transaction pays to the miner; `None` for coinbases and where an input's value is unknown.
pub fn fee(graph: &Graph, tx: TxNum) -> Option<u64> {
    let known: Option<Vec<u64>> = graph.prevouts(tx).map(|p| graph.prevout_value(p)).collect();
    let sum_in = name::sum(known?.into_iter());
    sum_in.checked_sub(name::sum(graph.outputs_of(tx).map(|o| graph.value(o))))
}

fn prevout(graph: &Graph, prevout: Prevout) -> Value {
    match prevout {
        Prevout::Coinbase => json!({"coinbase": true}),
        Prevout::Held(output) => json!({
            "outpoint": name::outpoint(graph, output),
            "address": name::address_of(graph, output),
            "value_sat": graph.value(output),
            "held": true,
        }),
        Prevout::External(number) => {
            let coin = graph.external(number);
            json!({
                "outpoint": coin.map(|c| format!("{}:{}", header::show(&c.txid), c.vout)),
                "address": coin.and_then(|c| c.script).map(|s| name::show_script(graph, s)),
                "value_sat": coin.and_then(|c| c.value_sat),
                "held": false,
            })
        }
    }
}

fn output_json(graph: &Graph, output: OutputNum, script: &[u8]) -> Value {
    let spender = graph.spender(output);
    let destroyed = spender.is_some_and(|tx| graph.is_coinbase(tx));
    json!({
        "kind": "output",
        "outpoint": name::outpoint(graph, output),
        "number": output.0,
        "address": name::address(graph, script),
        "script": withdrawal::digest::hex(script),
        "script_kind": chaingraph::script::ScriptKind::of(script).word(),
        "value_sat": graph.value(output),
        "spent_by": spender.filter(|_| !destroyed).map(|tx| header::show(&graph.txid(tx))),
        "destroyed_by_duplicate": destroyed,
    })
}

fn output_text(graph: &Graph, output: OutputNum, script: &[u8]) -> String {
    let to = name::address(graph, script).unwrap_or_else(|| withdrawal::digest::hex(script));
    let value = crate::show::btc(bitcoin::Amount::from_sat(graph.value(output)));
    let fate = match graph.spender(output) {
        Some(tx) if graph.is_coinbase(tx) => {
            "destroyed by a coinbase with the same txid".to_owned()
        }
        Some(tx) => format!("spent by {}", header::show(&graph.txid(tx))),
        None => "unspent".to_owned(),
    };
    format!("  {}  {value}  {to}  {fate}\n", name::outpoint(graph, output))
}

fn transaction_text(graph: &Graph, tx: TxNum) -> String {
    let row = graph.block_of(tx);
    let height =
        row.and_then(|r| r.height).map_or("unknown height".to_owned(), |h| format!("height {h}"));
    let time = row.map(|r| name::time(r.time)).unwrap_or_default();
    let fee = fee(graph, tx).map_or("fee unknown".to_owned(), |sat| format!("fee {sat} sat"));
    let mut text =
        format!("transaction {}\n{height}, {time}, {fee}\ninputs\n", header::show(&graph.txid(tx)));
    for prevout in graph.prevouts(tx) {
        let line = match prevout {
            Prevout::Coinbase => "  new coins\n".to_owned(),
            Prevout::Held(output) => {
                let value = crate::show::btc(bitcoin::Amount::from_sat(graph.value(output)));
                let from = name::address_of(graph, output).unwrap_or_default();
                format!("  {}  {value}  {from}\n", name::outpoint(graph, output))
            }
            Prevout::External(number) => match graph.external(number) {
                Some(coin) => format!(
                    "  {}:{}  {}  not in the graph\n",
                    header::show(&coin.txid),
                    coin.vout,
                    coin.value_sat.map_or("value unknown".to_owned(), |v| crate::show::btc(
                        bitcoin::Amount::from_sat(v)
                    ))
                ),
                None => String::new(),
            },
        };
        text.push_str(&line);
    }
    text.push_str("outputs\n");
    graph.scripts_of(tx).for_each(|(o, script)| text.push_str(&output_text(graph, o, &script)));
    text
}

fn address_shown(graph: &Graph, address: &str, script: Option<ScriptNum>) -> (Value, String) {
    let outputs = script.map(|s| graph.outputs_with(&[s])).unwrap_or_default();
    let bytes = script.and_then(|s| graph.packed(s)).map(|p| p.script()).unwrap_or_default();
    let received = name::sum(outputs.iter().map(|o| graph.value(*o)));
    let unspent: Vec<OutputNum> =
        outputs.iter().copied().filter(|o| graph.spender(*o).is_none()).collect();
    let balance = name::sum(unspent.iter().map(|o| graph.value(*o)));
    let list: Vec<Value> = outputs.iter().map(|o| output_json(graph, *o, &bytes)).collect();
    let json = json!({
        "kind": "address", "address": address, "number": script.map(|s| s.0),
        "received_sat": received, "balance_sat": balance, "outputs": list,
    });
    let btc = |sat| crate::show::btc(bitcoin::Amount::from_sat(sat));
    let mut text = format!(
        "address {address}\nreceived {} in {}, holds {}\n",
        btc(received),
        counted(outputs.len(), "output"),
        btc(balance)
    );
    outputs.iter().for_each(|o| text.push_str(&output_text(graph, *o, &bytes)));
    (json, text)
}

fn block(graph: &Graph, row: &BlockRow) -> (Value, String) {
    let txs = graph.txs_of(row);
    let txids: Vec<String> = txs.clone().map(|tx| header::show(&graph.txid(TxNum(tx)))).collect();
    let json = json!({
        "kind": "block", "hash": header::show(&row.hash), "height": row.height, "time": name::time(row.time),
        "bytes": row.len, "txids": txids, "after_hole": row.starts_piece && row.before.blocks > 0,
    });
    let text = format!(
        "block {}\n{}, {}, {} bytes, {}\n{}",
        header::show(&row.hash),
        row.height.map_or_else(|| "unknown height".to_owned(), |h| format!("height {h}")),
        name::time(row.time),
        row.len,
        counted(txids.len(), "transaction"),
        txids.iter().map(|t| format!("  {t}\n")).collect::<String>()
    );
    (json, text)
}
