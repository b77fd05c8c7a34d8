//! Ways from one thing to another, the best first, each with its weakest step. A step is a transaction; its strength
//! is the share of the value that goes the way's way, and what a mix leaves of certainty.

use std::collections::HashMap;

use chaingraph::{Graph, OutputNum, TxNum};

use crate::taint::Mixes;

/// A step of a way: an output, and how it is left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// The output that is spent on the way (the last one is where the way ends).
    pub output: OutputNum,
    /// The transaction that made it.
    pub tx: TxNum,
    /// The share of the transaction's value that this output is; of a mix, one over its equal outputs.
    pub strength: f64,
    /// It is a mix.
    pub mixed: bool,
}

/// A way.
#[derive(Clone, PartialEq, Debug)]
pub struct Way {
    /// From the source to the end.
    pub steps: Vec<Step>,
    /// Product of the strengths.
    pub strength: f64,
}

impl Way {
    /// The step that could most easily be wrong.
    #[must_use]
    pub fn weakest(&self) -> Option<&Step> {
        self.steps.iter().min_by(|a, b| a.strength.total_cmp(&b.strength))
    }
}

/// Ways that are looked for.
const WAYS_MAX: usize = 10;
/// Outputs that are looked at: as many as a trace in a second.
const OUTPUTS_MAX: usize = 2_000_000;

/// The strongest ways from any of `from` to any of `to`. Each output keeps its strongest ways, so they differ in their
/// end or in the way there. Returns whether everything was looked at.
#[must_use]
pub fn ways(graph: &Graph, from: &[OutputNum], to: &[OutputNum]) -> (Vec<Way>, bool) {
    let ends: std::collections::HashSet<OutputNum> = to.iter().copied().collect();
    let Some(last) = to.iter().max().and_then(|o| graph.tx_of(*o)) else {
        return (Vec::new(), true);
    };
    let mut search =
        Search { graph, best: HashMap::new(), pending: std::collections::BTreeSet::new() };
    for output in from {
        let Some(tx) = graph.tx_of(*output) else { continue };
        let step = Step { output: *output, tx, strength: 1.0, mixed: false };
        search.arrive(step, None, 1.0);
    }
    let mut mixes = Mixes::new(graph);
    while let Some(tx) = search.pending.pop_first() {
        if tx > last {
            break;
        }
        if search.best.len() > OUTPUTS_MAX {
            return (search.read(&ends), false);
        }
        search.pass(tx, &mut mixes);
    }
    (search.read(&ends), true)
}

/// How an output was reached: by which step, from which rank of which output, how strongly.
#[derive(Clone, Copy)]
struct Reached {
    step: Step,
    before: Option<(OutputNum, usize)>,
    strength: f64,
}

struct Search<'a> {
    graph: &'a Graph,
    best: HashMap<OutputNum, Vec<Reached>>,
    pending: std::collections::BTreeSet<TxNum>,
}

/// Ways kept for each output.
const KEPT: usize = 4;

impl Search<'_> {
    fn arrive(&mut self, step: Step, before: Option<(OutputNum, usize)>, strength: f64) {
        let list = self.best.entry(step.output).or_default();
        list.push(Reached { step, before, strength });
        if let Some(by) = self.graph.spender(step.output) {
            self.pending.insert(by);
        }
    }

    fn pass(&mut self, tx: TxNum, mixes: &mut Mixes<'_>) {
        let mut arriving: Vec<(OutputNum, usize, f64)> = Vec::new();
        for prevout in self.graph.prevouts(tx) {
            let chaingraph::Prevout::Held(output) = prevout else { continue };
            for (rank, reached) in self.best.get(&output).into_iter().flatten().enumerate() {
                arriving.push((output, rank, reached.strength));
            }
        }
        arriving.sort_by(|a, b| b.2.total_cmp(&a.2));
        arriving.truncate(KEPT);
        let mixed = mixes.of(tx).is_some();
        let outputs: Vec<OutputNum> = self.graph.outputs_of(tx).collect();
        let total: u64 = outputs.iter().map(|o| self.graph.value(*o)).sum();
        for output in &outputs {
            let value = self.graph.value(*output);
            if value == 0 || self.graph.script(*output).is_none() {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let strength = if mixed {
                1.0 / outputs.iter().filter(|o| self.graph.value(**o) == value).count() as f64
            } else {
                value as f64 / total as f64
            };
            let step = Step { output: *output, tx, strength, mixed };
            for (from, rank, before) in &arriving {
                self.arrive(step, Some((*from, *rank)), before * strength);
            }
        }
    }

    fn read(&self, ends: &std::collections::HashSet<OutputNum>) -> Vec<Way> {
        let mut found: Vec<Way> = Vec::new();
        for end in ends {
            for (rank, reached) in self.best.get(end).into_iter().flatten().enumerate() {
                if reached.before.is_none() {
                    continue; // the source itself
                }
                found.push(Way { steps: self.steps(*end, rank), strength: reached.strength });
            }
        }
        found.sort_by(|a, b| {
            b.strength.total_cmp(&a.strength).then(a.steps.len().cmp(&b.steps.len()))
        });
        found.truncate(WAYS_MAX);
        found
    }

    fn steps(&self, end: OutputNum, rank: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = Some((end, rank));
        while let Some((output, rank)) = at {
            let Some(reached) = self.best.get(&output).and_then(|l| l.get(rank)) else { break };
            steps.push(reached.step);
            at = reached.before;
        }
        steps.reverse();
        steps
    }
}
