//! `FEE_LIMIT`: caps of the policy and of the intent on the fee: absolute, rate, and share of the sum.

use bitcoin::Amount;

use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::policy::PPM;
use crate::verdict::Case;

/// Every cap: what, unit, limit, actual.
pub(super) fn measure(case: &Case<'_>) -> Vec<(&'static str, &'static str, u64, u64)> {
    let fee = case.spend.fee;
    let caps = &case.policy.fee;
    let mut all = vec![("the fee", "sat", caps.max.to_sat(), fee.to_sat())];
    let own = case.state.fee_cap(case.intent);
    all.push(("the fee (the intent's cap)", "sat", own.to_sat(), fee.to_sat()));
    let rate = fee.to_sat().div_ceil(case.spend.vsize.max(1));
    all.push(("the fee rate", "sat/vB", caps.max_rate_sat_vb, rate));
    // What pays nobody has no sum to compare with; its fees draw on a budget.
    let paid = if case.intent.kind() == Kind::Pay { case.paid() } else { Amount::ZERO };
    if paid > Amount::ZERO {
        let share = u128::from(fee.to_sat()) * u128::from(PPM) / u128::from(paid.to_sat());
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        all.push(("the fee's share", "millionths", u64::from(caps.max_share_ppm), share));
    }
    all
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    for (what, unit, limit, actual) in measure(case) {
        if actual > limit {
            let detail = format!("{what} is {actual} {unit}, at most {limit}");
            let violation = Violation::new(Code::FeeLimit, detail).limit(limit, actual);
            out.push(violation.with("unit", unit));
        }
    }
}
