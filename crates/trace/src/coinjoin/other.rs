//! Other mixes: equal outputs whose owners can be told apart by what each paid. Many equal outputs alone are a payroll.

use super::features::Features;
use super::{Class, Finding};

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    let (k, d) = (f.equal, f.denomination);
    let others = f.outs.len() - k;
    let form = k >= 3
        && f.datas == 0
        && d >= 10_000
        && f.tx.inputs.len() >= k
        && f.distinct_outputs
        && !f.crosses
        && f.known
        && f.input_scripts >= k
        && 10 * f.input_scripts >= 9 * f.tx.inputs.len()
        && (k.div_ceil(2)..=2 * k).contains(&others);
    if !form {
        return None;
    }
    let answer = |confidence, evidence: String| {
        let found = Finding::new(Class::Other, confidence, k, vec![evidence]);
        Some(found.with_denominations(vec![d]))
    };
    let (alike, share) = f.equal_share();
    if alike >= 3 {
        return answer(
            0.80,
            format!(
                "{k} equal outputs of {d} sat; {alike} participants pay exactly the same {share} sat"
            ),
        );
    }
    let (pairs, odds) = pairs(f);
    if pairs >= 3 && 2 * pairs >= others && odds < 1e-4 {
        return answer(
            0.60,
            format!(
                "{k} equal outputs of {d} sat; {pairs} changes fit one input each, less a small fee"
            ),
        );
    }
    None
}

/// Changes that one input each explains, and how likely chance would do that.
fn pairs(f: &Features<'_>) -> (usize, f64) {
    let d = f.denomination;
    let fee_max = d / 100 + 20_000;
    let mut changes: Vec<u64> = f.outs.iter().copied().filter(|v| *v != d).collect();
    changes.sort_unstable();
    let mut inputs = f.ins.clone();
    inputs.sort_unstable();
    let (mut pairs, mut odds) = (0, 1.0_f64);
    for change in changes.into_iter().rev() {
        let want = d + change;
        let at = inputs.partition_point(|v| *v < want);
        let Some(value) = inputs.get(at).copied().filter(|v| *v <= want + fee_max) else {
            continue;
        };
        inputs.remove(at);
        pairs += 1;
        #[expect(clippy::cast_precision_loss, reason = "an estimate of odds")]
        let chance = f.ins.len() as f64 * (2 * (value - want)).max(200) as f64 / want as f64;
        odds *= chance.min(1.0);
    }
    (pairs, odds)
}
