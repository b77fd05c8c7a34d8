//! Whether the inputs of a transaction may be taken for one owner's. Wider than the CoinJoin classes: a wrong join
//! merges two people for ever, a missing one is found again elsewhere. What can't be told from one transaction
//! (payjoin, BIP 78: two inputs, two outputs, by design like a payment) is joined, and `docs/clusters.md` says so.

use std::collections::{HashMap, HashSet};

use crate::coinjoin::{Class, classify, is_denomination};
use crate::view::TxView;

/// Why inputs are not joined.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Apart {
    /// It is a CoinJoin, at whatever confidence.
    CoinJoin,
    /// Three or more equal outputs and three or more input scripts.
    EqualOutputs,
    /// Two equal outputs among three or four: a mix of two, or STONEWALL.
    TwoEqualOutputs,
    /// WabiSabi denominations in falling order.
    Denominations,
    /// An input's value is an output's value: a trade by PSBT has buyer's and seller's inputs side by side.
    ValuePassesThrough,
    /// A dust input beside others: the same trades.
    DustTraded,
    /// Ten or more inputs to many outputs.
    ManyToMany,
}

/// Whether two outputs and fewer than ten inputs are all that a transaction has: then every rule says *join*, and the
/// view need not be made. (Each rule wants three outputs; [`Apart::ManyToMany`] wants five.)
pub const OUTPUTS_THAT_JOIN: usize = 2;

/// Judges the inputs. `None` joins them.
#[must_use]
pub fn apart(tx: &TxView) -> Option<Apart> {
    let scripts: HashSet<u32> = tx.inputs.iter().filter_map(|i| i.script).collect();
    let unknown = tx.inputs.iter().filter(|i| i.script.is_none()).count();
    if scripts.len() + unknown < 2 {
        return None; // nothing to join
    }
    let found = classify(tx);
    if found.class != Class::None {
        return Some(Apart::CoinJoin);
    }
    let outs: Vec<_> = tx.outputs.iter().filter(|o| o.value > 0 && o.script.is_some()).collect();
    if found.is_tx0 || outs.len() < 2 {
        return None; // one wallet prepares a mix; a consolidation
    }
    if let Some(equal) = equal_outputs(&outs, scripts.len() + unknown) {
        return Some(equal);
    }
    let standard = outs.iter().filter(|o| is_denomination(o.value).is_some()).count();
    if outs.len() >= 5 && 2 * standard >= outs.len() && outs.is_sorted_by(|a, b| a.value >= b.value)
    {
        return Some(Apart::Denominations);
    }
    if outs.len() >= 3 {
        let values: HashSet<u64> = outs.iter().map(|o| o.value).collect();
        let known = || tx.inputs.iter().filter_map(|i| i.value);
        if known().any(|v| values.contains(&v)) {
            return Some(Apart::ValuePassesThrough);
        }
        if known().any(|v| v <= DUST_SAT) {
            return Some(Apart::DustTraded);
        }
    }
    let many = tx.inputs.len() >= 10 && outs.len() >= 5 && 2 * outs.len() >= tx.inputs.len();
    many.then_some(Apart::ManyToMany)
}

/// Values that carry a token rather than money.
const DUST_SAT: u64 = 1_000;

fn equal_outputs(outs: &[&crate::view::Output], owners: usize) -> Option<Apart> {
    if outs.len() < 3 {
        return None;
    }
    let mut by_value: HashMap<u64, (usize, HashSet<Option<u32>>)> = HashMap::new();
    for out in outs.iter().filter(|o| o.value > DUST_SAT) {
        let group = by_value.entry(out.value).or_default();
        group.0 += 1;
        group.1.insert(out.script);
    }
    let groups = || by_value.values().filter(|(_, scripts)| scripts.len() >= 2);
    if groups().any(|(n, _)| *n >= 3 && owners >= 3) {
        return Some(Apart::EqualOutputs);
    }
    (outs.len() <= 4 && groups().any(|(n, _)| *n == 2)).then_some(Apart::TwoEqualOutputs)
}
