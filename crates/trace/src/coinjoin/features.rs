//! What several rules ask of a transaction, computed once.

use std::collections::{HashMap, HashSet};

use chaingraph::script::ScriptKind;

use crate::view::TxView;

/// A transaction with what the rules ask.
pub struct Features<'a> {
    /// The transaction.
    pub tx: &'a TxView,
    /// Whether every input's value is known.
    pub known: bool,
    /// Known input values, in order.
    pub ins: Vec<u64>,
    /// Output values, in order.
    pub outs: Vec<u64>,
    /// How often each output value occurs.
    pub counts: HashMap<u64, usize>,
    /// The most frequent positive output value (of equally frequent ones the largest).
    pub denomination: u64,
    /// How often it occurs.
    pub equal: usize,
    /// Data outputs.
    pub datas: usize,
    /// No two outputs pay the same script.
    pub distinct_outputs: bool,
    /// Distinct input scripts; an unknown one counts as its own.
    pub input_scripts: usize,
    /// A script stands on both sides.
    pub crosses: bool,
}

impl<'a> Features<'a> {
    /// Looks once over a transaction.
    pub fn of(tx: &'a TxView) -> Self {
        let ins: Vec<u64> = tx.inputs.iter().filter_map(|i| i.value).collect();
        let outs: Vec<u64> = tx.outputs.iter().map(|o| o.value).collect();
        let mut counts = HashMap::with_capacity(outs.len());
        for value in &outs {
            *counts.entry(*value).or_insert(0) += 1;
        }
        let most = counts.iter().filter(|(v, _)| **v > 0).max_by_key(|(v, n)| (**n, **v));
        let (denomination, equal) = most.map_or((0, 0), |(v, n)| (*v, *n));
        let known_scripts: HashSet<u32> = tx.inputs.iter().filter_map(|i| i.script).collect();
        let unknown = tx.inputs.iter().filter(|i| i.script.is_none()).count();
        let mut seen = HashSet::with_capacity(outs.len());
        let distinct_outputs =
            tx.outputs.iter().filter_map(|o| o.script).all(|script| seen.insert(script));
        Self {
            known: ins.len() == tx.inputs.len(),
            ins,
            outs,
            counts,
            denomination,
            equal,
            datas: tx.outputs.iter().filter(|o| o.script.is_none()).count(),
            distinct_outputs,
            input_scripts: known_scripts.len() + unknown,
            crosses: known_scripts.iter().any(|s| seen.contains(s)),
            tx,
        }
    }

    /// Whether every input's shape, where it is known, is one of these.
    pub fn inputs_are(&self, kinds: &[ScriptKind]) -> bool {
        self.tx.inputs.iter().all(|i| i.kind.is_none_or(|kind| kinds.contains(&kind)))
    }

    /// Whether it may be as late as `since`: dates count on the main network only, where they are known.
    pub fn may_be_since(&self, since: u32) -> bool {
        self.tx.time.is_none_or(|time| time >= since)
    }

    /// How often an output value occurs.
    pub fn count(&self, value: u64) -> usize {
        self.counts.get(&value).copied().unwrap_or(0)
    }

    /// Known inputs in falling order of value.
    pub fn ins_fall(&self) -> bool {
        self.ins.is_sorted_by(|a, b| a >= b)
    }

    /// Known inputs in rising order of value.
    pub fn ins_rise(&self) -> bool {
        self.ins.is_sorted()
    }

    /// Outputs in falling order of value.
    pub fn outs_fall(&self) -> bool {
        self.outs.is_sorted_by(|a, b| a >= b)
    }

    /// Outputs in rising order of value.
    pub fn outs_rise(&self) -> bool {
        self.outs.is_sorted()
    }

    /// How many inputs have a change `input - denomination - change` left over that is one and the same sum, and that
    /// sum. In a round whose costs a coordinator shares, all participants with one input pay alike
    /// (WalletWasabi 1, `CoordinatorRound`: change is inputs less fees per input and output, denomination and
    /// coordinator's fee); a JoinMarket maker earns, each another sum; an exchange's change has no such pattern.
    pub fn equal_share(&self) -> (usize, u64) {
        /// More differences than any round of 400 has among near values: an attacker's transaction ends here.
        const DIFFERENCES_MAX: usize = 20_000;
        let d = self.denomination;
        if !self.known {
            return (0, 0);
        }
        let most = d / 50 + 100_000; // two percent and a tenth of a bitcoin's thousandth: more is no fee
        let mut changes: Vec<u64> = self.outs.iter().copied().filter(|v| *v != d).collect();
        changes.sort_unstable();
        changes.dedup();
        let mut inputs: Vec<u64> = self.ins.iter().copied().filter(|v| *v > d).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let mut left_over: HashMap<u64, usize> = HashMap::new();
        for value in inputs {
            let rest = value - d;
            let from = changes.partition_point(|c| *c < rest.saturating_sub(most));
            let to = changes.partition_point(|c| *c < rest);
            for change in changes.get(from..to).unwrap_or_default() {
                *left_over.entry(rest - change).or_insert(0) += 1;
            }
            if left_over.len() > DIFFERENCES_MAX {
                break;
            }
        }
        let best = left_over.into_iter().max_by_key(|(share, n)| (*n, *share));
        best.map_or((0, 0), |(share, n)| (n, share))
    }
}
