//! `VELOCITY`, `VELOCITY_COUNT`: what the sliding window pays, fees at their highest included. An
//! unsigned reservation counts without ageing; consolidate and refresh draw on a fee budget.

use bitcoin::Amount;

use crate::code::{Code, Violation};
use crate::intent::Kind;
use crate::state::{IntentRecord, Since};
use crate::verdict::{Case, Step};

/// What other intents charge to the window.
pub struct WindowSum {
    /// Payments and fees.
    pub paid: Amount,
    /// Transactions.
    pub count: u64,
    /// Fees of intents that pay nobody.
    pub upkeep: Amount,
}

fn counts(case: &Case<'_>, record: &IntentRecord) -> bool {
    let window = u64::from(case.policy.limits.window_hours) * 3600;
    // What was charged stays charged for its window, abandoned or not.
    let aged = record.ages_from().is_some_and(|e| case.state.age_secs(Since::Entry(e)) >= window);
    !record.cancelled && !aged
}

/// Sums the window without this intent, from the log; in an offline check asserted facts add to it.
pub fn window(case: &Case<'_>) -> WindowSum {
    let mut sum = WindowSum { paid: Amount::ZERO, count: 0, upkeep: Amount::ZERO };
    for (digest, record) in case.state.ledger().intents() {
        if *digest == case.intent_digest || !counts(case, record) {
            continue;
        }
        match record.kind {
            Kind::Pay => {
                sum.paid += record.charge();
                sum.count += 1;
            }
            Kind::Consolidate | Kind::Refresh => sum.upkeep += record.fee(),
        }
    }
    if case.step == Step::Check {
        sum.paid = sum.paid.max(case.facts.spent_in_window.unwrap_or(Amount::ZERO));
        sum.count = sum.count.max(case.facts.count_in_window.unwrap_or(0));
    }
    sum
}

/// What this intent charges: its payments and the highest fee of any version, this one included.
pub fn own_charge(case: &Case<'_>) -> Amount {
    let earlier = case.record.map_or(Amount::ZERO, IntentRecord::fee);
    // A payment to the vault's own address is charged like any other, now as later.
    case.paid().max(case.intent.total()) + case.spend.fee.max(earlier)
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let sum = window(case);
    let hours = case.policy.limits.window_hours;
    if case.intent.kind() != Kind::Pay {
        let (limit, actual) = (case.policy.fee.budget_window, sum.upkeep + own_charge(case));
        if actual > limit {
            let detail = format!("fees of consolidations and refreshes in {hours} h: {actual}");
            out.push(Violation::new(Code::Velocity, detail).limit(limit, actual));
        }
        return;
    }
    let (limit, actual) = (case.policy.limits.window_max, sum.paid + own_charge(case));
    if actual > limit {
        let detail = format!("{actual} would leave in {hours} h, {limit} at most");
        out.push(Violation::new(Code::Velocity, detail).limit(limit, actual));
    }
    let (limit, actual) = (u64::from(case.policy.limits.window_max_count), sum.count + 1);
    if actual > limit {
        let detail = format!("{actual} withdrawals in {hours} h, {limit} at most");
        out.push(Violation::new(Code::VelocityCount, detail).limit(limit, actual));
    }
}
