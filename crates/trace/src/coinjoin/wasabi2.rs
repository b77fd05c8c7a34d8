//! Wasabi 2 and the other WabiSabi coordinators: every client cuts its coins into standard denominations, and the
//! coordinator sorts inputs and outputs by falling value (WalletWasabi `DenominationBuilder`, `AmountDecomposer`,
//! `SigningState`). How many inputs a round must have is each coordinator's setting, so no such number stands here.

use std::sync::LazyLock;

use chaingraph::script::ScriptKind::{self, P2tr, P2wpkh};

use super::features::Features;
use super::{Class, Finding};

/// 2022-01-01: no round is older.
const SINCE: u32 = 1_640_995_200;
/// Clients make ten outputs at most of the coins that they register (`AmountDecomposer`).
const OUTPUTS_A_CLIENT: usize = 10;

/// The denominations, sorted, each with whether it is one that people choose too (1, 2, 5 times a power of ten).
static DENOMINATIONS: LazyLock<Vec<(u64, bool)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (base, factor) in [(10, 1), (10, 2), (10, 5), (2, 1), (3, 1), (3, 2_u64)] {
        let mut value = factor;
        while value <= 137_438_953_472 {
            // Coordinators' minimum is 5,000 by default; some take less.
            if value >= 2_000 && !all.iter().any(|(v, _)| *v == value) {
                all.push((value, base == 10));
            }
            value *= base;
        }
    }
    all.sort_unstable();
    all
});

/// Whether a value is a standard denomination: `Some(true)` if people choose it too.
pub fn is_denomination(value: u64) -> Option<bool> {
    let at = DENOMINATIONS.binary_search_by_key(&value, |(v, _)| *v).ok()?;
    DENOMINATIONS.get(at).map(|(_, round)| *round)
}

pub fn rule(f: &Features<'_>) -> Option<Finding> {
    let (ins, outs) = (f.tx.inputs.len(), f.outs.len());
    let segwit = |kind: ScriptKind| matches!(kind, P2wpkh | P2tr);
    let form = ins >= 5
        && outs >= 8
        && f.datas == 0
        && f.may_be_since(SINCE)
        && f.inputs_are(&[P2wpkh, P2tr])
        && f.distinct_outputs
        && f.outs_fall()
        && f.ins_fall()
        && 2 * f.input_scripts >= ins
        // Later coordinators let a client pay others, to any address.
        && 10 * f.tx.outputs.iter().filter(|o| segwit(o.kind)).count() >= 8 * outs;
    if !form {
        return None;
    }
    let standard: Vec<(u64, bool)> =
        f.outs.iter().filter_map(|v| is_denomination(*v).map(|round| (*v, round))).collect();
    let odd = standard.iter().filter(|(_, round)| !round).count();
    let mut repeated: Vec<u64> =
        standard.iter().map(|(v, _)| *v).filter(|v| f.count(*v) > 1).collect();
    repeated.dedup();
    // A payroll has round values only; a client leaves one change at most.
    if 10 * standard.len() < 7 * outs || 5 * odd < outs || repeated.len() < 3 {
        return None;
    }
    let small = ins < 10 || outs < 12;
    let mut confidence: f64 = match (small, 10 * standard.len() >= 8 * outs) {
        (true, _) => 0.82,
        (false, true) => 0.99,
        (false, false) => 0.90,
    };
    let mut evidence = vec![
        format!(
            "{} of {outs} outputs are WabiSabi denominations, {} values of them repeated",
            standard.len(),
            repeated.len()
        ),
        "outputs in falling order of value".to_owned(),
    ];
    if f.known {
        evidence.push("inputs in falling order of value".to_owned());
    } else {
        confidence = if confidence > 0.9 && outs >= 20 { 0.90 } else { 0.75 };
        evidence.push("some input values are unknown".to_owned());
    }
    let least = ins.max(outs).div_ceil(OUTPUTS_A_CLIENT);
    let found = Finding::new(Class::Wasabi2, confidence, least, evidence);
    Some(found.with_denominations(repeated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denominations_are_those_of_the_source() {
        for (value, round) in [
            (5_000, true),
            (6_561, false),
            (8_192, false),
            (13_122, false),
            (100_000_000, true),
            (134_217_728, false),
            (137_438_953_472, false),
        ] {
            assert_eq!(is_denomination(value), Some(round), "{value}");
        }
        for value in [0, 1_000, 30_000, 100_000_001, 274_877_906_944] {
            assert_eq!(is_denomination(value), None, "{value}");
        }
    }
}
