//! JoinMarket: a taker chooses an amount; makers bring coins for it and earn a little, each gets the amount and a change
//! (clientserver `taker.py`; BlockSci's `tx_identification` has the bounded subset sum). Needs every input's value.

use std::collections::HashMap;

use super::features::Features;
use super::partition::{Partition, choose, partition};
use super::{Class, Finding};

/// JoinMarket's dust threshold, which is also a maker's least size.
const AMOUNT_MIN_SAT: u64 = 27_300;
/// The old threshold, below which no change was ever made.
const CHANGE_MIN_SAT: u64 = 2_730;

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    let (k, d) = (f.equal, f.denomination);
    let kind = f.tx.inputs.first()?.kind?;
    // The taker's destination may have another shape than its wallet; nobody else's.
    let foreign = f.tx.outputs.iter().filter(|o| o.kind != kind).count();
    let form = (2..=30).contains(&k)
        && f.datas == 0
        && d >= AMOUNT_MIN_SAT
        && f.known
        && (f.outs.len() == 2 * k || f.outs.len() == 2 * k - 1)
        && f.tx.inputs.len() >= k
        && f.distinct_outputs
        && !f.crosses
        && f.tx.inputs.iter().all(|i| i.kind == Some(kind))
        && foreign <= 1;
    if !form {
        return None;
    }
    let changes: Vec<u64> = f.outs.iter().copied().filter(|v| *v != d).collect();
    if changes.iter().any(|c| *c < CHANGE_MIN_SAT) || f.outs.len() - changes.len() != k {
        return None;
    }
    // Coins of one address are one owner's.
    let mut by_script: HashMap<u32, u64> = HashMap::new();
    for input in &f.tx.inputs {
        *by_script.entry(input.script?).or_insert(0) += input.value?;
    }
    let mut sums: Vec<u64> = by_script.into_values().collect();
    sums.sort_unstable_by(|a, b| b.cmp(a));
    if sums.len() < k {
        return None;
    }
    // What takers accept to pay a maker: a percent, or a sum that is little even of a small amount.
    let fee_max = (d / 100).max((d / 20).min(100_000));
    judge(f, &sums, &partition(&sums, d, &changes, fee_max, k))
}

fn judge(f: &Features<'_>, sums: &[u64], found: &Partition) -> Option<Finding> {
    let (k, d) = (f.equal, f.denomination);
    let odds = odds_by_chance(sums.len(), d, found);
    let makers = found.makers.len();
    let least = found.makers.iter().map(|m| m.earns).min().unwrap_or(0);
    let most = found.makers.iter().map(|m| m.earns).max().unwrap_or(0);
    let mut evidence = vec![format!(
        "{k} equal outputs of {d} sat and {} changes, one script type on the inputs",
        f.outs.len() - k
    )];
    let answer = |class, confidence, evidence| {
        Some(Finding::new(class, confidence, k, evidence).with_denominations(vec![d]))
    };
    if found.unmatched == 0 {
        evidence.push(format!(
            "the inputs split into {makers} makers that earn {least} to {most} sat, and a taker; by chance once in {:.0e}",
            1.0 / odds
        ));
        return match (k >= 3, odds) {
            (true, odds) if odds < 1e-3 => answer(Class::JoinMarket, 0.93, evidence),
            (true, odds) if odds < 0.05 => answer(Class::JoinMarket, 0.75, evidence),
            (true, _) => {
                evidence.push("chance alone might find such a split".to_owned());
                answer(Class::JoinMarket, 0.50, evidence)
            }
            (false, odds) if odds < 1e-3 => {
                evidence.push("two parties".to_owned());
                answer(Class::Other, 0.50, evidence)
            }
            _ => None,
        };
    }
    if found.decided {
        return None;
    }
    evidence.push(format!("{makers} makers found; the others were not decided within the bound"));
    if k >= 4 && found.unmatched == 1 && odds < 1e-4 {
        return answer(Class::JoinMarket, 0.80, evidence);
    }
    if k >= 5 && odds < 1e-3 {
        return answer(Class::Other, 0.50, evidence);
    }
    None
}

/// How likely one owner's outputs would split so: for each maker, the subsets of its size times the chance that one of
/// them falls into a window twice as wide as what it earns.
fn odds_by_chance(n: usize, d: u64, found: &Partition) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate of odds")]
    let chance = |m: &super::partition::Maker| {
        let window = (2 * m.earns).max(200) as f64 / (d + m.change) as f64;
        (choose(n, m.inputs) as f64 * window).min(1.0)
    };
    found.makers.iter().map(chance).product()
}
