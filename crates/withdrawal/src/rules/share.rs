//! `SHARE_OF_VAULT`: what the window takes, of what is proven to be in the vault. Nobody's word for the
//! balance counts, but a quorum's.

use bitcoin::Amount;

use super::velocity::{own_charge, window};
use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::policy::PPM;
use crate::verdict::{Case, Step};

/// What is taken in the window, of what is proven to be held, in millionths; nothing where the policy
/// does not ask for it.
pub(super) fn measure(case: &Case<'_>) -> Option<(Amount, Amount, u64)> {
    if case.intent.kind() != Kind::Pay {
        return None;
    }
    let taken = window(case).paid + own_charge(case);
    if taken <= case.policy.limits.share_floor {
        return None;
    }
    let spending = case.spend.inputs.iter().map(|i| i.outpoint).collect();
    let mut change = case.state.ledger().unspent_change(&case.intent_digest, &spending);
    let mut floor = case.state.balance_floor().unwrap_or(Amount::ZERO);
    if case.step == Step::Check {
        change = case.facts.unspent_change.unwrap_or(change);
        floor = case.facts.balance_floor.unwrap_or(floor);
    }
    // A floor is the whole vault's; inputs and change of our own are part of it.
    let held = (case.spend.total_in() + change).max(floor).max(Amount::from_sat(1));
    let share = u128::from(taken.to_sat()) * u128::from(PPM) / u128::from(held.to_sat());
    Some((taken, held, u64::try_from(share).unwrap_or(u64::MAX)))
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let Some((taken, held, share)) = measure(case) else { return };
    let limit = u64::from(case.policy.limits.share_max_ppm);
    if share > limit {
        let show = |ppm: u64| format!("{}.{:04} %", ppm / 10_000, ppm % 10_000);
        let detail =
            format!("{taken} of {held} proven coins: {}, at most {}", show(share), show(limit));
        let violation = Violation::new(Code::ShareOfVault, detail).limit(limit, share);
        out.push(
            violation.with("unit", "millionths").with("held_sat", held).with("taken_sat", taken),
        );
    }
}
