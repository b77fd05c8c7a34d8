//! Whirlpool: as many inputs as outputs, all outputs a pool's value; fresh coins pay the miner, coins that were mixed
//! before don't (Samourai whirlpool-server `Pool`, whirlpool-protocol; surge cycles made 5 up to 8 and more).

use chaingraph::script::ScriptKind;

use super::features::Features;
use super::{Class, Finding};

/// Pools in satoshi, with the fees that a tx0 paid at one time or another, today's first. The last two are Ashigaru's.
pub const POOLS: [(u64, &[u64]); 6] = [
    (100_000, &[5_000]),
    (1_000_000, &[50_000]),
    (5_000_000, &[175_000, 250_000, 148_000]),
    (50_000_000, &[1_750_000, 2_500_000, 1_500_000]),
    (2_500_000, &[125_000]),
    (25_000_000, &[1_250_000]),
];

/// 2019-04-01: no pool is older.
pub const SINCE: u32 = 1_554_076_800;

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    let (n, pool) = (f.tx.inputs.len(), f.denomination);
    let form = (5..=10).contains(&n)
        && f.outs.len() == n
        && f.equal == n
        && POOLS.iter().any(|(p, _)| *p == pool)
        && f.distinct_outputs
        && f.input_scripts == n
        && !f.crosses
        && f.inputs_are(&[ScriptKind::P2wpkh])
        && f.may_be_since(SINCE)
        && f.tx.outputs.iter().all(|o| is_address(o.kind));
    // A premix coin brings its share of the miner's fee, at most a thousand satoshi a byte of it.
    let most = 1_000 * (11 + 68 + 31) * n as u64;
    let fits = f.ins.iter().all(|v| v.checked_sub(pool).is_some_and(|over| over <= most));
    if !form || !fits {
        return None;
    }
    let mut evidence = vec![format!("{n} inputs and {n} outputs, all outputs {pool} sat")];
    let mut confidence = 0.99;
    let from: std::collections::HashSet<_> = f.tx.inputs.iter().filter_map(|i| i.from).collect();
    let apart = from.len() == n;
    let sorted = f.tx.sorted_inputs != Some(false);
    if f.known {
        let remixed = f.ins.iter().filter(|v| **v == pool).count();
        if remixed == n {
            return None; // nobody pays the miner
        }
        let fresh = n - remixed;
        evidence.push(format!("{fresh} fresh coins pay the miner, {remixed} were mixed before"));
        if remixed == 0 {
            confidence = 0.85; // a pool's first round has this form, and so have other things
        }
    } else {
        evidence.push("some input values are unknown".to_owned());
        confidence = if sorted && apart && f.tx.sorted_outputs { 0.90 } else { 0.75 };
    }
    if sorted && apart {
        evidence.push("inputs in the order of BIP 69, no two of one transaction".to_owned());
    } else {
        confidence -= 0.10;
    }
    let found = Finding::new(Class::Whirlpool, confidence, n, evidence);
    Some(found.with_denominations(vec![pool]))
}

const fn is_address(kind: ScriptKind) -> bool {
    use ScriptKind::{P2pkh, P2sh, P2tr, P2wpkh, P2wsh};
    matches!(kind, P2pkh | P2sh | P2wpkh | P2wsh | P2tr)
}
