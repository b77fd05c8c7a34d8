//! Wasabi 1 (2018 to 2022): one base level of about a tenth of a bitcoin that drifts, doubled levels for the rich, change
//! computed by the coordinator, which takes a fee (WalletWasabi 1, `CoordinatorRound`).

use chaingraph::script::ScriptKind::P2wpkh;

use super::features::Features;
use super::{Class, Finding, joinmarket};

/// 2018-07-06: the first rounds.
const SINCE: u32 = 1_530_835_200;
/// From 2019 on inputs and outputs are sorted.
const SORTED_SINCE: u32 = 1_546_300_800;
/// Until 2018-12-01 some rounds had half the usual base.
const HALF_UNTIL: u32 = 1_543_622_400;

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    let (k, d) = (f.equal, f.denomination);
    let form = k >= 3
        && f.tx.inputs.len() >= k
        && f.input_scripts >= k
        && f.datas == 0
        && f.distinct_outputs
        && f.may_be_since(SINCE)
        && f.inputs_are(&[P2wpkh])
        && f.tx.outputs.iter().all(|o| o.kind == P2wpkh)
        && !f.tx.spends_coordinator;
    if !form {
        return None;
    }
    let levels = levels(f);
    let mut evidence = vec![format!("{k} equal outputs of {d} sat, all scripts P2WPKH")];
    if !levels.is_empty() {
        let shown: Vec<String> =
            levels.iter().map(|v| format!("{} of {v} sat", f.count(*v))).collect();
        evidence.push(format!("doubled levels: {}", shown.join(", ")));
    }
    let mut denominations = levels.clone();
    denominations.push(d);
    let (confidence, more) = judge(f, &levels)?;
    evidence.extend(more);
    let found = Finding::new(Class::Wasabi1, confidence, k, evidence);
    Some(found.with_denominations(denominations))
}

/// Values that occur twice at least and are the base doubled once or more, within a percent.
fn levels(f: &Features<'_>) -> Vec<u64> {
    let d = f.denomination;
    let is_level = |v: u64| (1..=10).any(|i| (v.abs_diff(d << i)).saturating_mul(100) <= d << i);
    let mut levels: Vec<u64> = f
        .counts
        .iter()
        .filter(|(v, n)| **n > 1 && **v > d && d < 1 << 50 && is_level(**v))
        .map(|(v, _)| *v)
        .collect();
    levels.sort_unstable();
    levels
}

fn judge(f: &Features<'_>, levels: &[u64]) -> Option<(f64, Vec<String>)> {
    let (k, d) = (f.equal, f.denomination);
    let paid: Vec<u64> = f.tx.outputs.iter().filter(|o| o.coordinator).map(|o| o.value).collect();
    if matches!(paid[..], [fee] if fee < d) {
        return Some((0.99, vec!["the coordinator's known address is paid".to_owned()]));
    }
    if d < 500_000 {
        return None;
    }
    let (alike, share) = f.equal_share();
    if alike >= 3 {
        let text = format!(
            "{alike} participants pay exactly the same {share} sat: a coordinator shared the costs"
        );
        return Some((if alike >= 5 { 0.98 } else { 0.93 }, vec![text]));
    }
    // From here on the amount must speak: within the drift of the base, and never round, as a payroll is.
    let in_window = (8_000_000..=12_000_000).contains(&d)
        || ((4_950_000..=5_200_000).contains(&d) && f.tx.time.is_none_or(|t| t < HALF_UNTIL));
    if k < 5 || !in_window || d.is_multiple_of(1_000) {
        return None;
    }
    let mut evidence = vec!["the usual base, not a round amount".to_owned()];
    let sorted = f.outs_rise() && f.ins_rise();
    let doubles =
        levels.len() >= 2 && levels.windows(2).all(|pair| matches!(pair, [a, b] if *b == 2 * a));
    if k >= 10 && doubles && sorted {
        evidence.push("levels double exactly, sorted by rising value".to_owned());
        return Some((if f.known { 0.95 } else { 0.90 }, evidence));
    }
    if !f.known {
        evidence.push("some input values are unknown".to_owned());
        let early = f.tx.time.is_some_and(|t| t < SORTED_SINCE);
        return match (k >= 10, sorted, early) {
            (true, true, _) => Some((0.70, evidence)),
            (true, false, true) => Some((0.60, evidence)),
            _ => None,
        };
    }
    let remixed = f.ins.iter().filter(|v| (d - 5_000..=d + d / 50).contains(*v)).count();
    if !change_suffices(f, levels) || remixed < 3.max(k / 4) {
        return None;
    }
    evidence.push(format!("{remixed} coins were mixed before"));
    if sorted {
        evidence.push("inputs and outputs sorted by rising value".to_owned());
        return Some((if k >= 10 { 0.97 } else { 0.85 }, evidence));
    }
    let is_joinmarket = || {
        joinmarket::rule(f)
            .is_some_and(|found| found.class == Class::JoinMarket && found.ends_trace())
    };
    if k < 10 || is_joinmarket() {
        return None;
    }
    evidence.push("no partition into makers".to_owned());
    let late = f.tx.time.is_some_and(|t| t >= SORTED_SINCE);
    Some((if late { 0.75 } else { 0.90 }, evidence))
}

/// Whether every participant has a change, or brought about the denomination.
fn change_suffices(f: &Features<'_>, levels: &[u64]) -> bool {
    let (k, d) = (f.equal, f.denomination);
    let on_levels: usize = levels.iter().map(|v| f.count(*v)).sum();
    let others = f.outs.len() - k - on_levels;
    let about = (d.saturating_sub(3_000))..=(d + d / 50 + 20_000);
    let exact = f.ins.iter().filter(|v| about.contains(*v)).count();
    let small = f.ins.iter().filter(|v| **v < *about.start());
    let small = small.map(|v| u128::from(*v)).sum::<u128>() / u128::from(d);
    let small = usize::try_from(small).unwrap_or(usize::MAX);
    k <= (others + exact + 2 * on_levels + 1 + k / 10).saturating_add(small)
}
