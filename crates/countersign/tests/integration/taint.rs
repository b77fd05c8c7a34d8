//! Traces by the executable against a reference in Python that was written from CONTRACT's text alone: equal to the
//! satoshi, for every method, both ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitcoin::{Network, ScriptBuf};
use chaingraph::{Graph, Prevout, header};
use serde_json::{Value, json};
use testkit::chaingen::rng::Rng;
use testkit::randchain;
use trace::coinjoin::classify;
use trace::labels::{Attribution, Kind, Label};
use trace::view::{TxView, Viewer};

use crate::command::Desk;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/tests/fixtures/taint/taint_reference.py")
}

fn address(script: &ScriptBuf) -> String {
    bitcoin::Address::from_script(script, Network::Regtest).unwrap().to_string()
}

const KINDS: [&str; 11] = [
    "exchange",
    "bridge",
    "mixer",
    "payment",
    "gambling",
    "market",
    "hosted",
    "sanctioned",
    "person",
    "theft",
    "donation",
];

/// Labels for some scripts, as a CSV for the executable.
fn labels(rng: &mut Rng, scripts: &[ScriptBuf], path: &Path) -> Vec<(ScriptBuf, Label)> {
    let mut text = "address,label,kind,source,source_sha256,confidence,date,abuse\n".to_owned();
    let mut all = Vec::new();
    for script in scripts {
        for _ in 0..[0, 0, 0, 1, 1, 2][rng.index(6)] {
            let kind = KINDS[rng.index(KINDS.len())];
            let label = format!("L{} {kind}", rng.below(4));
            let confidence = [1.0, 0.5, 0.2][rng.index(3)];
            text.push_str(&format!("{},{label},{kind},test,,{confidence},,\n", address(script)));
            all.push((
                script.clone(),
                Label {
                    address: address(script),
                    label,
                    kind: Kind::of_word(kind),
                    source: "test".to_owned(),
                    source_sha256: String::new(),
                    confidence,
                    date: String::new(),
                    abuse: String::new(),
                },
            ));
        }
    }
    std::fs::write(path, text).unwrap();
    all
}

/// The graph in the reference's form. Which transactions mix and what clusters carry is not what is compared here: both
/// are taken from the graph.
fn for_reference(graph: &Graph, labels: Vec<(ScriptBuf, Label)>) -> (Value, Value) {
    let viewer = Viewer::new(graph);
    let mut view = TxView::default();
    let mut seen = BTreeMap::new();
    let mut output = |o: chaingraph::OutputNum| {
        let script = ScriptBuf::from_bytes(graph.script_of(o));
        let data = script.is_op_return();
        if let Some(number) = graph.script(o) {
            seen.insert(number, address(&script));
        }
        json!({"value": graph.value(o), "address": if data { None } else { Some(address(&script)) }, "unspendable": data})
    };
    let txs: Vec<Value> = graph
        .txs()
        .map(|tx| {
            viewer.read(tx, 0, &mut view);
            let found = classify(&view);
            let vin: Vec<Value> = graph
                .prevouts(tx)
                .filter_map(|p| match p {
                    Prevout::Coinbase => None,
                    Prevout::Held(o) => {
                        let from = graph.tx_of(o).unwrap();
                        let vout = o.0 - graph.outputs_of(from).0.start;
                        Some(json!({"txid": header::show(&graph.txid(from)), "vout": vout, "value": graph.value(o)}))
                    }
                    Prevout::External(n) => {
                        let coin = graph.external(n).unwrap();
                        Some(json!({"txid": header::show(&coin.txid), "vout": coin.vout, "value": coin.value_sat}))
                    }
                })
                .collect();
            let mix = json!({"class": found.class.word(), "confidence": found.confidence});
            json!({
                "n": tx.0, "txid": header::show(&graph.txid(tx)), "coinbase": graph.is_coinbase(tx),
                "height": graph.block_of(tx).unwrap().height, "vin": vin,
                "vout": graph.outputs_of(tx).map(&mut output).collect::<Vec<_>>(),
                "mix": if found.class == trace::coinjoin::Class::None { Value::Null } else { mix },
            })
        })
        .collect();
    let known = labels.into_iter().filter_map(|(s, l)| Some((graph.find_script(s.as_bytes())?, l)));
    let attribution = Attribution::new(graph, known.collect());
    let mut list = Vec::new();
    for (number, address) in seen {
        for applied in attribution.of(graph, number) {
            list.push(json!({"address": address, "label": applied.label.label, "kind": applied.label.kind.word(),
                "confidence": applied.confidence}));
        }
    }
    (json!(txs), json!(list))
}

/// What is compared, without order.
fn facts(result: &Value) -> BTreeMap<String, Vec<String>> {
    let list = |name: &str, members: &[&str]| {
        let rows = result[name].as_array().cloned().unwrap_or_default();
        let mut rows: Vec<String> = rows
            .iter()
            .map(|row| {
                let mut text: Vec<String> = members.iter().map(|m| row[*m].to_string()).collect();
                if name == "resolved" {
                    let mut via: Vec<String> =
                        row["via"].as_array().unwrap().iter().map(Value::to_string).collect();
                    via.sort();
                    text.extend(via);
                    text.push(format!("{:.4}", row["confidence"].as_f64().unwrap()));
                }
                text.join(" ")
            })
            .collect();
        rows.sort();
        rows
    };
    let mut all = BTreeMap::new();
    for (name, members) in [
        ("resolved", &["outpoint", "label", "kind", "tainted_sat", "hops"][..]),
        ("passed", &["outpoint", "label", "kind", "tainted_sat", "hops"]),
        ("mixed", &["txid", "tainted_sat", "class"]),
        ("unspent", &["outpoint", "tainted_sat"]),
        ("mined", &["outpoint", "tainted_sat"]),
        ("cut", &["outpoint", "tainted_sat", "reason"]),
    ] {
        let members: Vec<&str> =
            members.iter().copied().filter(|m| name != "passed" || *m != "hops").collect();
        all.insert(name.to_owned(), list(name, &members));
    }
    for name in ["stolen_sat", "fees_sat"] {
        all.insert(name.to_owned(), vec![result[name].to_string()]);
    }
    all
}

struct Question {
    sources: Vec<String>,
    direction: &'static str,
    until: Option<u32>,
    min_sat: u64,
    through: bool,
    stop_none: bool,
}

fn question(rng: &mut Rng, chain: &randchain::RandomChain) -> Question {
    let sources = (0..rng.range(1, 3))
        .map(|_| {
            let (_, tx) = &chain.txs[rng.index(chain.txs.len())];
            let txid = tx.compute_txid();
            match rng.below(3) {
                0 => txid.to_string(),
                1 => format!("{txid}:{}", rng.index(tx.output.len())),
                _ => address(&chain.scripts[rng.index(chain.scripts.len())]),
            }
        })
        .collect();
    let last = chain.txs.last().unwrap().0;
    Question {
        sources,
        direction: if rng.one_in(3) { "backward" } else { "forward" },
        until: rng.one_in(3).then(|| u32::try_from(100 + rng.below(u64::from(last - 99))).unwrap()),
        min_sat: if rng.one_in(4) { rng.range(1, 50_000) } else { 0 },
        through: rng.one_in(3),
        stop_none: rng.one_in(4),
    }
}

#[test]
fn every_method_agrees_with_the_reference_to_the_satoshi() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..24 {
        let desk = Desk::new();
        let mut rng = Rng::new(seed + 1_000);
        let chain = randchain::make(seed, 60 + 20 * usize::try_from(seed % 4).unwrap());
        std::fs::write(desk.dir.join("blocks.dat"), &chain.framed).unwrap();
        let built = desk.ok("graph build --blocks blocks.dat --out g");
        assert_eq!(built["txs"], chain.txs.len() as u64);
        let labels = labels(&mut rng, &chain.scripts, &desk.dir.join("labels.csv"));
        let graph = Graph::open(&desk.dir.join("g")).unwrap();
        let (txs, labels) = for_reference(&graph, labels);
        for _ in 0..4 {
            let q = question(&mut rng, &chain);
            let query = json!({
                "direction": q.direction, "sources": q.sources, "method": "all", "until": q.until,
                "min_sat": if q.min_sat > 0 { json!(q.min_sat) } else { Value::Null },
                "through_mixers": q.through, "stop": if q.stop_none { json!([]) } else { Value::Null },
            });
            let input = desk.dir.join("input.json");
            let text = json!({"txs": txs, "labels": labels, "query": query}).to_string();
            std::fs::write(&input, text).unwrap();
            let output = Command::new("python3").arg(reference()).arg(&input).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let expected: Value = serde_json::from_slice(&output.stdout).unwrap();
            let mut line = format!(
                "trace {} {} --graph g --labels labels.csv --method all --min-sat {}",
                q.direction,
                q.sources.join(" "),
                q.min_sat
            );
            if let Some(until) = q.until {
                line.push_str(&format!(" --until {until}"));
            }
            if q.through {
                line.push_str(" --through-mixers");
            }
            if q.stop_none {
                line.push_str(" --stop none");
            }
            let found = desk.ok(&line);
            for trace in found["traces"].as_array().unwrap() {
                let method = trace["method"].as_str().unwrap();
                let (mine, theirs) = (facts(trace), facts(&expected[method]));
                assert_eq!(mine, theirs, "seed {seed}, {method}: {line}");
                for (name, rows) in mine {
                    *met.entry(name).or_default() += usize::from(!rows.is_empty());
                }
            }
        }
    }
    // A comparison of empty lists would prove nothing.
    for name in ["resolved", "passed", "mixed", "unspent", "mined", "cut"] {
        assert!(met[name] >= 20, "{name} was met only {} times", met[name]);
    }
}
