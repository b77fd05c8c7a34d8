//! The decision trace: what each rule with a number compared, also where it was content.

use super::allowlist::{Standing, standing};
use super::{fee, quorum, share, velocity};
use crate::code::Code;
use crate::intent::Kind;
use crate::verdict::Case;

/// Which way a limit binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The actual number must not be above it.
    AtMost,
    /// The actual number must not be below it.
    AtLeast,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The code that it gives where it fails.
    pub code: Code,
    /// What is compared.
    pub what: String,
    /// In what.
    pub unit: &'static str,
    /// Which way.
    pub bound: Bound,
    /// The policy's or the intent's number.
    pub limit: u64,
    /// The withdrawal's.
    pub actual: u64,
}

impl Traced {
    /// Whether the rule was content with it.
    pub const fn holds(&self) -> bool {
        match self.bound {
            Bound::AtMost => self.actual <= self.limit,
            Bound::AtLeast => self.actual >= self.limit,
        }
    }
}

/// Every comparison of a case.
pub fn trace(case: &Case<'_>) -> Vec<Traced> {
    let mut all = Vec::new();
    let mut at_most = |code, what: &str, unit, limit, actual| {
        let what = what.to_owned();
        all.push(Traced { code, what, unit, bound: Bound::AtMost, limit, actual });
    };
    let limits = &case.policy.limits;
    at_most(Code::TxLimit, "payments", "sat", limits.tx_max.to_sat(), case.paid().to_sat());
    let window = velocity::window(case);
    let own = velocity::own_charge(case);
    if case.intent.kind() == Kind::Pay {
        let (max, paid) = (limits.window_max.to_sat(), (window.paid + own).to_sat());
        at_most(Code::Velocity, "payments and fees in the window", "sat", max, paid);
        let count = u64::from(limits.window_max_count);
        at_most(Code::VelocityCount, "withdrawals in the window", "", count, window.count + 1);
    } else {
        let (max, fees) = (case.policy.fee.budget_window.to_sat(), (window.upkeep + own).to_sat());
        at_most(Code::Velocity, "fees of consolidations and refreshes", "sat", max, fees);
    }
    if let Some((_, _, share)) = share::measure(case) {
        let max = u64::from(limits.share_max_ppm);
        at_most(Code::ShareOfVault, "share of the proven coins", "millionths", max, share);
    }
    for (what, unit, limit, actual) in fee::measure(case) {
        at_most(Code::FeeLimit, what, unit, limit, actual);
    }
    all.extend(people(case));
    if case.policy.allowlist.required {
        let payments = case.spend.payments().count() as u64;
        let listed =
            case.spend.payments().filter(|p| standing(case, &p.script) == Standing::Listed);
        let (code, what) = (Code::DestinationNotAllowlisted, "payments to aged, listed addresses");
        let (bound, actual) = (Bound::AtLeast, listed.count() as u64);
        all.push(Traced { code, what: what.to_owned(), unit: "", bound, limit: payments, actual });
    }
    all
}

/// Groups and zones of every quorum that applies.
fn people(case: &Case<'_>) -> Vec<Traced> {
    let mut all = Vec::new();
    for rule in case.policy.quorums.iter().filter(|q| quorum::applies(case, q)) {
        let people = quorum::counted(case, rule);
        let mut at_least = |code, what: String, limit, actual| {
            all.push(Traced { code, what, unit: "", bound: Bound::AtLeast, limit, actual });
        };
        for (group, need) in &rule.groups {
            let have = people.iter().filter(|p| p.group == *group).count() as u64;
            let what = format!("approvals of `{group}`, above {}", rule.above);
            at_least(Code::QuorumNotMet, what, u64::from(*need), have);
        }
        let zones: std::collections::BTreeSet<&str> =
            people.iter().map(|p| p.zone.as_str()).collect();
        let what = format!("network zones, above {}", rule.above);
        at_least(Code::ZoneMissing, what, u64::from(rule.zones), zones.len() as u64);
    }
    all
}
