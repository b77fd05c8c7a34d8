//! A transaction as the rules see it: values, script types, which scripts are the same. From the graph, or from a list.

use std::cell::Cell;

use chaingraph::graph::DataCursor;
use chaingraph::header::Hash;
use chaingraph::script::ScriptKind;
use chaingraph::{Graph, Prevout, ScriptNum, TxNum};

/// An input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    /// Value in satoshi, where it is known.
    pub value: Option<u64>,
    /// Which script, by any numbering that is the same within the transaction; `None` where it is unknown.
    pub script: Option<u32>,
    /// Shape of the script, where it is known.
    pub kind: Option<ScriptKind>,
    /// Transaction that made the coin, by any numbering that is the same within the transaction.
    pub from: Option<u64>,
}

/// An output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// Value in satoshi.
    pub value: u64,
    /// Which script; `None` for data outputs.
    pub script: Option<u32>,
    /// Shape of the script.
    pub kind: ScriptKind,
    /// Of data outputs: how many bytes are pushed, if there is one push and nothing else.
    pub pushed: Option<usize>,
    /// Whether it pays a coordinator that is known by its address.
    pub coordinator: bool,
}

/// A transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxView {
    /// Inputs in order; none for a coinbase.
    pub inputs: Vec<Input>,
    /// Outputs in order.
    pub outputs: Vec<Output>,
    /// It makes new coins.
    pub is_coinbase: bool,
    /// Inputs stand in the order of BIP 69; `None` where that can't be told.
    pub sorted_inputs: Option<bool>,
    /// Outputs stand in the order of BIP 69.
    pub sorted_outputs: bool,
    /// Unix seconds, on the main network, where it is known. Elsewhere dates say nothing.
    pub time: Option<u32>,
    /// An input spends from a coordinator that is known by its address.
    pub spends_coordinator: bool,
}

/// Script of the coordinators of Wasabi 1 until about block 610,000 (WasabiDoc, FAQ): P2WPKH of these hashes. Later ones
/// took a fresh address each round.
const COORDINATORS: [[u8; 22]; 2] = [
    *b"\x00\x14\x86\x9f\x5c\x7a\x4c\xd7\x77\x6a\xe0\xc0\xfc\xd9\xc3\x31\x5a\xbb\x23\x9a\x9f\x0d",
    *b"\x00\x14\xea\xaa\xb8\x23\x17\x67\x0d\x0e\xe3\x01\x3b\x07\x3b\x25\xa7\xa5\xc7\x80\xf5\x28",
];

/// Whether a script is a known coordinator's.
#[must_use]
pub fn is_coordinator(script: &[u8]) -> bool {
    COORDINATORS.iter().any(|c| c == script)
}

/// How many bytes a data script pushes, if it is `OP_RETURN` and one push.
#[must_use]
pub fn pushed(script: &[u8]) -> Option<usize> {
    match script {
        [0x6a, len @ 1..=75, rest @ ..] | [0x6a, 0x4c, len, rest @ ..] => {
            (rest.len() == usize::from(*len)).then_some(rest.len())
        }
        _ => None,
    }
}

/// Reads transactions of a graph into one view, reusing its memory.
#[derive(Debug)]
pub struct Viewer<'a> {
    graph: &'a Graph,
    coordinators: [Option<ScriptNum>; 2],
    is_mainnet: bool,
    /// Transactions are mostly read in rising order: data outputs then in one walk.
    cursor: Cell<DataCursor>,
}

impl<'a> Viewer<'a> {
    /// Over a graph.
    #[must_use]
    pub fn new(graph: &'a Graph) -> Self {
        let coordinators = COORDINATORS.map(|script| graph.find_script(&script));
        let is_mainnet = graph.manifest().network == "bitcoin";
        Self { graph, coordinators, is_mainnet, cursor: Cell::default() }
    }

    /// Fills `view` with a transaction. `time` is its block's.
    pub fn read(&self, tx: TxNum, time: u32, view: &mut TxView) {
        let graph = self.graph;
        view.inputs.clear();
        view.outputs.clear();
        view.is_coinbase = false;
        view.spends_coordinator = false;
        view.time = self.is_mainnet.then_some(time);
        for prevout in graph.prevouts(tx) {
            if prevout == Prevout::Coinbase {
                view.is_coinbase = true;
                continue;
            }
            let script = graph.prevout_script(prevout);
            view.spends_coordinator |= script.is_some() && self.coordinators.contains(&script);
            view.inputs.push(Input {
                value: graph.prevout_value(prevout),
                script: script.map(|s| s.0),
                kind: script.and_then(|s| graph.packed(s)).map(|p| p.kind()),
                from: match prevout {
                    Prevout::Held(output) => graph.tx_of(output).map(|tx| u64::from(tx.0)),
                    // Outside coins: told apart by the first bytes of their txid.
                    Prevout::External(coin) => graph.external(coin).map(|c| first_bytes(&c.txid)),
                    Prevout::Coinbase => None,
                },
            });
        }
        let mut cursor = self.cursor.get();
        for output in graph.outputs_of(tx) {
            let script = graph.script(output);
            let (kind, pushed) = match script {
                Some(script) => {
                    let kind = graph.packed(script).map_or(ScriptKind::Other, |p| p.kind());
                    (kind, None)
                }
                None => (ScriptKind::Data, graph.data(&mut cursor, output).and_then(pushed)),
            };
            view.outputs.push(Output {
                value: graph.value(output),
                script: script.map(|s| s.0),
                kind,
                pushed,
                coordinator: script.is_some() && self.coordinators.contains(&script),
            });
        }
        self.cursor.set(cursor);
        let traits = graph.traits(tx);
        view.sorted_inputs = Some(traits.sorted_inputs());
        view.sorted_outputs = traits.sorted_outputs();
    }
}

fn first_bytes(txid: &Hash) -> u64 {
    txid.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b))
}
