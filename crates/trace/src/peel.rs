//! Peel chains: a large coin that pays one after the other from its change, by the same software at every step. Listed
//! hop by hop; the peeled amounts are where the value goes. Also deposit addresses, one hop before a service.

use std::collections::{HashMap, HashSet};

use chaingraph::{Graph, OutputNum, ScriptNum, TxNum};

use crate::change::{Change, Finder};
use crate::labels::{Attribution, Kind};
use crate::taint::{Found, Met};

/// One step.
#[derive(Clone, PartialEq, Debug)]
pub struct Hop {
    /// The transaction.
    pub tx: TxNum,
    /// What is peeled off.
    pub peeled: OutputNum,
    /// What goes on.
    pub change: Change,
}

/// A peel chain, from its first step.
#[derive(Clone, PartialEq, Debug)]
pub struct Chain {
    /// Its steps.
    pub hops: Vec<Hop>,
}

/// Fewer steps are ordinary spending.
const HOPS_MIN: usize = 4;
/// Longer ones are cut: a chain has fewer.
const HOPS_MAX: usize = 10_000;
/// Less is dust that carries tokens.
const PEEL_MIN_SAT: u64 = 1_000;

/// Finds the chains that begin at or go through these transactions, each once.
#[must_use]
pub fn chains(graph: &Graph, txs: &[TxNum]) -> Vec<Chain> {
    let mut finder = Finder::new(graph);
    let wanted: HashSet<TxNum> = txs.iter().copied().collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for tx in txs {
        if seen.contains(tx) {
            continue;
        }
        let mut hops: Vec<Hop> = Vec::new();
        let mut at = *tx;
        while hops.len() < HOPS_MAX && wanted.contains(&at) {
            let Some(hop) = step(graph, &mut finder, at) else { break };
            // The same software at every step.
            let like = |h: &Hop| graph.traits(h.tx).0 & 0b11_1111 == graph.traits(at).0 & 0b11_1111;
            if hops.last().is_some_and(|last| !like(last)) {
                break;
            }
            let next = graph.spender(hop.change.output);
            seen.insert(at);
            hops.push(hop);
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        if hops.len() >= HOPS_MIN {
            found.push(Chain { hops });
        }
    }
    found
}

/// One or two inputs, two outputs, and a change that can be told and is the larger part.
fn step(graph: &Graph, finder: &mut Finder<'_>, tx: TxNum) -> Option<Hop> {
    let inputs = graph.inputs_of(tx);
    let outputs: Vec<OutputNum> =
        graph.outputs_of(tx).filter(|o| graph.script(*o).is_some()).collect();
    let [a, b] = outputs[..] else { return None };
    if inputs.end - inputs.start > 2 {
        return None;
    }
    let change = finder.of(tx).or_else(|| larger(graph, a, b))?;
    // Without enough signs the larger part is taken: a chain of such steps is itself the sign.
    let change = if change.probability >= 0.8 { change } else { larger(graph, a, b)? };
    let peeled = if change.output == a { b } else { a };
    let fits =
        graph.value(peeled) >= PEEL_MIN_SAT && graph.value(change.output) >= graph.value(peeled);
    fits.then_some(Hop { tx, peeled, change })
}

fn larger(graph: &Graph, a: OutputNum, b: OutputNum) -> Option<Change> {
    let (more, less) = if graph.value(a) >= graph.value(b) { (a, b) } else { (b, a) };
    let clearly = graph.value(more) >= 2 * graph.value(less);
    clearly.then(|| Change { output: more, probability: 0.5, signs: Vec::new() })
}

/// An address at which a service takes deposits: all that it received, twice or more, went on, whole, to the service.
#[derive(Clone, PartialEq, Debug)]
pub struct Deposit {
    /// The address's script.
    pub script: ScriptNum,
    /// The service.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// Tainted satoshi that went through it.
    pub tainted_sat: u64,
    /// Four fifths of the label's confidence.
    pub confidence: f64,
    /// The transaction that moved it on.
    pub tx: TxNum,
}

/// Outputs of an address that are looked at.
const RECEIVED_MAX: usize = 1_000;

/// The deposit addresses one hop before the services that were reached: of the inputs of a sweep, those that carried
/// taint, each with its own.
#[must_use]
pub fn deposits(graph: &Graph, attribution: &Attribution, found: &Found) -> Vec<Deposit> {
    let mut last: HashMap<TxNum, &Met> = HashMap::new();
    for met in &found.resolved {
        if let Some(tx) = graph.tx_of(met.arrival.output) {
            last.insert(tx, met);
        }
    }
    // What went into those transactions, from the largest edges.
    let mut carried: HashMap<(ScriptNum, TxNum), u64> = HashMap::new();
    for edge in &found.edges {
        let Some(tx) = edge.to.filter(|tx| last.contains_key(tx)) else { continue };
        if let Some(script) = graph.script(edge.output) {
            *carried.entry((script, tx)).or_default() += edge.tainted_sat;
        }
    }
    let mut largest: Vec<_> = carried.into_iter().collect();
    largest.sort_by_key(|((script, tx), sat)| (std::cmp::Reverse(*sat), *script, *tx));
    largest.truncate(DEPOSITS_MAX);
    // One walk over the chain for all of them.
    let scripts: Vec<ScriptNum> = largest.iter().map(|((script, _), _)| *script).collect();
    let mut received: HashMap<ScriptNum, Vec<OutputNum>> = HashMap::new();
    for output in graph.outputs_with(&scripts) {
        if let Some(script) = graph.script(output) {
            received.entry(script).or_default().push(output);
        }
    }
    let mut deposits = Vec::new();
    for ((script, tx), tainted_sat) in largest {
        let Some(met) = last.get(&tx) else { continue };
        let to_service = |o: OutputNum| {
            let labels = graph.script(o).map(|s| attribution.of(graph, s)).unwrap_or_default();
            labels.iter().any(|l| l.label.label == met.label.label)
        };
        let goes_on =
            |by: TxNum| graph.outputs_of(by).filter(|o| graph.script(*o).is_some()).all(to_service);
        let all = received.get(&script).map_or(&[][..], |list| list);
        let whole = goes_on(tx)
            // Once proves nothing: a thief's own address may pay a service whole, once.
            && (2..=RECEIVED_MAX).contains(&all.len())
            && all.iter().all(|o| graph.spender(*o).is_some_and(goes_on));
        if whole {
            deposits.push(Deposit {
                script,
                label: met.label.label.clone(),
                kind: met.label.kind.clone(),
                tainted_sat,
                confidence: 0.8 * met.confidence,
                tx,
            });
        }
    }
    deposits
}

/// Addresses that are looked at: those that carried most.
const DEPOSITS_MAX: usize = 200;
