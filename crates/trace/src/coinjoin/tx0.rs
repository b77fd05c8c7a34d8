//! Tx0: one owner's coins are cut into equal premix outputs for Whirlpool, the pool's fee is paid, and data carries
//! the masked fee payload (Samourai, whirlpool-client `Tx0Service`). Coins of different owners don't meet.

use super::features::Features;
use super::whirlpool::{POOLS, SINCE};
use super::{Class, Finding};

/// Bytes of the payload: 64 at first, 80 later.
const PAYLOADS: [usize; 2] = [64, 80];

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    if f.datas != 1 || !f.may_be_since(SINCE) {
        return None;
    }
    let data = f.tx.outputs.iter().find(|o| o.script.is_none())?;
    let pushed = data.pushed.filter(|n| PAYLOADS.contains(n))?;
    let best = f.counts.iter().filter_map(|(value, n)| premix(f, *value, *n)).max()?;
    let Premix { paid, count, pool, .. } = best;
    let mut evidence = vec![
        format!(
            "{count} premix outputs of the pool of {pool} sat, each with a share of the miner's fee"
        ),
        format!("one data output of {pushed} bytes"),
    ];
    if paid {
        evidence.push("an output of the pool's fee".to_owned());
    }
    let confidence = if paid { 0.97 } else { 0.90 };
    let found = Finding::new(Class::None, confidence, 1, evidence).with_denominations(vec![pool]);
    Some(Finding { is_tx0: true, ..found })
}

/// A reading of a transaction as tx0; the greatest is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Premix {
    paid: bool,
    count: usize,
    nearness: std::cmp::Reverse<u64>,
    pool: u64,
}

fn premix(f: &Features<'_>, value: u64, count: usize) -> Option<Premix> {
    POOLS
        .iter()
        .filter_map(|(pool, fees)| {
            let over = value.checked_sub(*pool).filter(|over| *over > 0)?;
            if over > (*pool).min(200_000) {
                return None;
            }
            // Besides premix and data: the fee and the change, each twice at most (a tx0 of two).
            let rest = f.tx.outputs.iter().filter(|o| o.script.is_some() && o.value != value);
            if rest.clone().count() > 4 {
                return None;
            }
            let paid = rest.clone().any(|o| fees.contains(&o.value));
            // A discount code sends the fee back to the user.
            let top = fees.first().map_or(0, |fee| 2 * fee);
            let likely = paid || (count > 1 && rest.clone().any(|o| o.value <= top));
            let nearness = std::cmp::Reverse(over);
            likely.then_some(Premix { paid, count, nearness, pool: *pool })
        })
        .max()
}
