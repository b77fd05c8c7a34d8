//! Which output of a payment goes back to the payer: a second layer, scored, never merged into the base clusters. Signs
//! and weights are those of `docs/clusters.md`; what they reach on a chain whose owners are known is in
//! `docs/accuracy.md`.

use chaingraph::{Graph, OutputNum, ScriptNum, TxNum};

use crate::join::apart;
use crate::view::{TxView, Viewer};

/// A sign that an output is change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sign {
    /// It pays a script that the transaction spends.
    PaysItself,
    /// Its script was never paid before, and every other one was.
    Fresh,
    /// It alone has the shape of the inputs.
    SameShape,
    /// The others are round amounts, it is not.
    OthersRound,
    /// It alone is smaller than the smallest input.
    SmallerThanInputs,
    /// What spends it was made by the same software, what spends the others was not.
    SameSoftware,
}

impl Sign {
    const fn weight(self) -> f64 {
        match self {
            Self::PaysItself => 6.0,
            Self::Fresh => 2.5,
            Self::SameShape => 2.0,
            Self::OthersRound | Self::SmallerThanInputs => 1.5,
            Self::SameSoftware => 3.0,
        }
    }

    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PaysItself => "pays_itself",
            Self::Fresh => "fresh",
            Self::SameShape => "same_shape",
            Self::OthersRound => "others_round",
            Self::SmallerThanInputs => "smaller_than_inputs",
            Self::SameSoftware => "same_software",
        }
    }
}

/// The likeliest change of a transaction.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// The output.
    pub output: OutputNum,
    /// Probability by the model, 0 to 1.
    pub probability: f64,
    /// What speaks for it.
    pub signs: Vec<Sign>,
}

impl Change {
    /// Whether it may be used as a link: at 0.95 and with two signs that don't depend on one another, or when the
    /// transaction pays itself.
    #[must_use]
    pub fn is_link(&self) -> bool {
        let certain = self.signs.contains(&Sign::PaysItself);
        self.probability >= 0.95 && (certain || self.signs.len() >= 2)
    }
}

/// The weight of *none of them*.
const NONE_WEIGHT: f64 = 1.0;
/// Dust carries tokens.
const DUST_SAT: u64 = 1_000;
/// With more outputs it is a batch of a service.
const OUTPUTS_MAX: usize = 20;

/// Whether an output has a sign.
type Test<'a> = Box<dyn Fn(&OutputNum) -> bool + 'a>;

/// Finds the change of transactions of a graph.
#[derive(Debug)]
pub struct Finder<'a> {
    graph: &'a Graph,
    viewer: Viewer<'a>,
    view: TxView,
}

impl<'a> Finder<'a> {
    /// Over a graph.
    #[must_use]
    pub fn new(graph: &'a Graph) -> Self {
        Self { graph, viewer: Viewer::new(graph), view: TxView::default() }
    }

    /// The likeliest change; `None` where the question makes no sense: one output, a coinbase, a mix, a batch.
    pub fn of(&mut self, tx: TxNum) -> Option<Change> {
        let outputs: Vec<OutputNum> = self.graph.outputs_of(tx).collect();
        let spendable: Vec<OutputNum> = outputs
            .iter()
            .copied()
            .filter(|o| self.graph.script(*o).is_some() && self.graph.value(*o) >= DUST_SAT)
            .collect();
        if spendable.len() < 2 || spendable.len() > OUTPUTS_MAX || self.graph.is_coinbase(tx) {
            return None;
        }
        let row = self.graph.block_of(tx)?;
        self.viewer.read(tx, row.time, &mut self.view);
        if apart(&self.view).is_some() {
            return None;
        }
        let signs: Vec<Vec<Sign>> = self.signs(tx, &spendable);
        let weight = |signs: &Vec<Sign>| signs.iter().map(|s| s.weight()).sum::<f64>().exp();
        let total: f64 = signs.iter().map(weight).sum::<f64>() + NONE_WEIGHT.exp();
        let best =
            spendable.into_iter().zip(signs).max_by(|a, b| weight(&a.1).total_cmp(&weight(&b.1)));
        best.filter(|(_, signs)| !signs.is_empty()).map(|(output, signs)| Change {
            output,
            probability: weight(&signs) / total,
            signs,
        })
    }

    fn signs(&self, tx: TxNum, outputs: &[OutputNum]) -> Vec<Vec<Sign>> {
        let graph = self.graph;
        let inputs: Vec<u32> = self.view.inputs.iter().filter_map(|i| i.script).collect();
        let shapes: Vec<_> = self.view.inputs.iter().map(|i| i.kind).collect();
        let one_shape = shapes
            .first()
            .copied()
            .flatten()
            .filter(|kind| shapes.iter().all(|k| *k == Some(*kind)));
        let smallest = self.view.inputs.iter().map(|i| i.value).collect::<Option<Vec<u64>>>();
        let smallest = smallest.filter(|v| v.len() >= 2).and_then(|v| v.into_iter().min());
        let script = |o: &OutputNum| graph.script(*o).map_or(0, |s| s.0);
        let is_round = |o: &OutputNum| graph.value(*o).is_multiple_of(100_000);
        let fresh = self.fresh(tx, outputs);
        let software = |o: &OutputNum| {
            graph
                .spender(*o)
                .map(|by| graph.traits(by).0 & 0b11_1111 == graph.traits(tx).0 & 0b11_1111)
        };
        let tests: [(Sign, Test<'_>); 5] = [
            (Sign::PaysItself, Box::new(|o| inputs.contains(&script(o)))),
            (Sign::Fresh, Box::new(|o| fresh.contains(o))),
            (
                Sign::SameShape,
                Box::new(|o| {
                    let kind = graph.script(*o).and_then(|s| graph.packed(s)).map(|p| p.kind());
                    one_shape.is_some() && kind == one_shape
                }),
            ),
            (Sign::OthersRound, Box::new(|o| !is_round(o))),
            (Sign::SmallerThanInputs, Box::new(|o| smallest.is_some_and(|s| graph.value(*o) < s))),
        ];
        let mut all: Vec<Vec<Sign>> = vec![Vec::new(); outputs.len()];
        for (sign, test) in tests {
            // A sign speaks for an output only if it speaks for no other.
            let mut having = outputs.iter().enumerate().filter(|(_, o)| test(o));
            if let (Some((at, _)), None) = (having.next(), having.next())
                && let Some(list) = all.get_mut(at)
            {
                list.push(sign);
            }
        }
        let same: Vec<Option<bool>> = outputs.iter().map(software).collect();
        let told = same.iter().all(Option::is_some)
            && same.iter().filter(|s| **s == Some(true)).count() == 1;
        if told
            && let Some(list) =
                same.iter().position(|s| *s == Some(true)).and_then(|at| all.get_mut(at))
        {
            list.push(Sign::SameSoftware);
        }
        all
    }

    /// Outputs whose script this transaction pays first. Scripts are numbered by first appearance, so a first one has a
    /// number above all that came before.
    fn fresh(&self, tx: TxNum, outputs: &[OutputNum]) -> Vec<OutputNum> {
        let Some(row) = self.graph.block_of(tx) else { return Vec::new() };
        let before = u32::try_from(row.before.scripts).unwrap_or(u32::MAX);
        let start = self.graph.outputs_of(tx).0.start;
        let in_block = (row.before.outputs..start).map(OutputNum);
        let seen = in_block.filter_map(|o| self.graph.script(o)).map(|s| s.0 + 1).max();
        let floor = ScriptNum(seen.unwrap_or(0).max(before));
        outputs
            .iter()
            .copied()
            .filter(|o| self.graph.script(*o).is_some_and(|s| s >= floor))
            .collect()
    }
}
