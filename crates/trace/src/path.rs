//! Ways from one thing to another, the best first, each with its weakest step. A step is a transaction. Two things make
//! it weak: only a share of the value goes on to the output, and only a share of what goes in came the way's way. After
//! a mix the first share is one over the equal outputs.

use std::collections::{BTreeSet, HashMap, HashSet};

use chaingraph::{Graph, OutputNum, TxNum};

use crate::taint::{Alike, Mixes};

/// A step of a way: an output, and how it is left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// The output that is spent on the way (the last one is where the way ends).
    pub output: OutputNum,
    /// The transaction that made it.
    pub tx: TxNum,
    /// The share of the transaction's value that this output is (of a mix, one over its equal outputs), times the share
    /// of its inputs' origin that is left: by the haircut rule, how much less of this output comes from the source than
    /// of the output before it.
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

/// The strongest ways from any of `from` to any of `to`, each ending where it first arrives. Each output keeps its
/// strongest ways, so they differ in their end or in the way there. `progress` is told transactions passed and in all.
/// Returns whether everything was looked at: not past too many outputs, nor past inputs of unknown value.
#[must_use]
pub fn ways(
    graph: &Graph,
    from: &[OutputNum],
    to: &[OutputNum],
    progress: &mut dyn FnMut(u64, u64),
) -> (Vec<Way>, bool) {
    let ends: HashSet<OutputNum> = to.iter().copied().collect();
    let Some(last) = to.iter().max().and_then(|o| graph.tx_of(*o)) else {
        return (Vec::new(), true);
    };
    let sources: HashSet<OutputNum> = from.iter().copied().collect();
    let (best, pending) = (HashMap::new(), BTreeSet::new());
    let mut search = Search { graph, ends, sources, best, pending, whole: true };
    for output in from {
        let Some(tx) = graph.tx_of(*output) else { continue };
        let step = Step { output: *output, tx, strength: 1.0, mixed: false };
        search.arrive(step, None, 1.0, 1.0);
        search.go_on(tx, *output);
    }
    let first = search.pending.first().map_or(0, |tx| tx.0);
    let mut mixes = Mixes::new(graph);
    while let Some(tx) = search.pending.pop_first() {
        if tx > last {
            break;
        }
        if search.best.len() > OUTPUTS_MAX {
            return (search.read(), false);
        }
        progress(u64::from(tx.0.saturating_sub(first)), u64::from(last.0.saturating_sub(first)));
        search.pass(tx, &mut mixes);
    }
    (search.read(), search.whole)
}

/// How an output was reached: by which step, from which rank of which output, how strongly.
#[derive(Clone, Copy)]
struct Reached {
    step: Step,
    before: Option<(OutputNum, usize)>,
    strength: f64,
}

/// An output that was reached: the share of it that comes from the source, and the ways to it.
struct Place {
    origin: f64,
    ways: Vec<Reached>,
}

struct Search<'a> {
    graph: &'a Graph,
    ends: HashSet<OutputNum>,
    sources: HashSet<OutputNum>,
    best: HashMap<OutputNum, Place>,
    pending: BTreeSet<TxNum>,
    whole: bool,
}

/// Ways kept for each output.
const KEPT: usize = 4;

impl Search<'_> {
    fn arrive(
        &mut self,
        step: Step,
        before: Option<(OutputNum, usize)>,
        strength: f64,
        origin: f64,
    ) {
        let place = self.best.entry(step.output).or_insert(Place { origin, ways: Vec::new() });
        place.ways.push(Reached { step, before, strength });
    }

    /// To the spender of an output of `tx`, unless the way ends there. Only forward: a damaged graph may say otherwise.
    fn go_on(&mut self, tx: TxNum, output: OutputNum) {
        let ends = self.ends.contains(&output) && !self.sources.contains(&output);
        self.pending.extend(self.graph.spender(output).filter(|by| *by > tx && !ends));
    }

    #[expect(clippy::cast_precision_loss, reason = "shares")]
    fn pass(&mut self, tx: TxNum, mixes: &mut Mixes<'_>) {
        let mut arriving: Vec<(OutputNum, usize, f64, f64)> = Vec::new();
        let (mut sum, mut ours) = (0.0, 0.0);
        for prevout in self.graph.prevouts(tx) {
            let Some(value) = self.graph.prevout_value(prevout) else {
                self.whole = false; // how much of it came this way can't be said
                return;
            };
            let value = value as f64;
            sum += value;
            let chaingraph::Prevout::Held(output) = prevout else { continue };
            let ends = self.ends.contains(&output) && !self.sources.contains(&output);
            let Some(place) = self.best.get(&output).filter(|_| !ends) else { continue };
            ours += value * place.origin;
            for (rank, reached) in place.ways.iter().enumerate() {
                arriving.push((output, rank, reached.strength, place.origin));
            }
        }
        if sum <= 0.0 {
            return;
        }
        let origin = ours / sum;
        arriving.sort_by(|a, b| b.2.total_cmp(&a.2));
        arriving.truncate(KEPT);
        let mixed = mixes.of(tx).is_some();
        let outputs: Vec<OutputNum> = self.graph.outputs_of(tx).collect();
        let alike = mixed.then(|| Alike::of(outputs.iter().map(|o| self.graph.value(*o))));
        let total: f64 = outputs.iter().map(|o| self.graph.value(*o) as f64).sum();
        for output in &outputs {
            let value = self.graph.value(*output);
            if value == 0 || self.graph.script(*output).is_none() {
                continue;
            }
            // Out of a mix, an output of a value of its own is nobody's more than the others are.
            let share = value as f64 / total;
            let share =
                alike.as_ref().map(|a| a.one_of(value)).filter(|s| *s < 1.0).unwrap_or(share);
            for (from, rank, before, purer) in &arriving {
                let strength = share * (origin / purer).min(1.0);
                let step = Step { output: *output, tx, strength, mixed };
                self.arrive(step, Some((*from, *rank)), before * strength, origin);
            }
            if !arriving.is_empty() {
                self.go_on(tx, *output);
            }
        }
    }

    fn read(&self) -> Vec<Way> {
        let mut found: Vec<Way> = Vec::new();
        for end in &self.ends {
            let ways = self.best.get(end).map_or(&[][..], |place| &place.ways);
            for (rank, reached) in ways.iter().enumerate() {
                found.push(Way { steps: self.steps(*end, rank), strength: reached.strength });
            }
        }
        found.sort_by(|a, b| {
            let end = |way: &Way| way.steps.last().map(|step| step.output);
            b.strength
                .total_cmp(&a.strength)
                .then(a.steps.len().cmp(&b.steps.len()))
                .then(end(a).cmp(&end(b)))
        });
        found.truncate(WAYS_MAX);
        found
    }

    fn steps(&self, end: OutputNum, rank: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = Some((end, rank));
        while let Some((output, rank)) = at {
            let Some(reached) = self.best.get(&output).and_then(|place| place.ways.get(rank))
            else {
                break;
            };
            steps.push(reached.step);
            at = reached.before;
        }
        steps.reverse();
        steps
    }
}
