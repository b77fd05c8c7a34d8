//! `NEW_ADDRESS_LIMIT`, `NEW_ADDRESS_DELAY`: a cap on the sum paid to a script while it is new, and it is
//! new for the whole delay since it was first paid.

use std::collections::BTreeMap;

use bitcoin::{Amount, Script};

use super::allowlist::{Standing, standing};
use crate::code::{Code, Violation};
use crate::entry::salted;
use crate::state::Since;
use crate::verdict::{Case, Step};

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let genesis = &case.state.vault().genesis;
    let mut sums: BTreeMap<&Script, Amount> = BTreeMap::new();
    for payment in case.spend.payments() {
        *sums.entry(payment.script.as_script()).or_insert(Amount::ZERO) += payment.amount;
    }
    let cap = case.policy.new_address.cap;
    let delay = u64::from(case.policy.new_address.delay_hours) * 3600;
    for (script, sum) in sums {
        let asserted =
            case.step == Step::Check && case.facts.known_scripts.iter().any(|k| k == script);
        if asserted || standing(case, script) == Standing::Listed {
            continue;
        }
        let key = salted(&genesis.salt, script.as_bytes());
        let ledger = case.state.ledger();
        let earlier: Vec<_> = ledger
            .paid_to(&key)
            .iter()
            .filter(|i| **i != case.intent_digest)
            .filter_map(|i| ledger.intent(i))
            .collect();
        let first = earlier.iter().filter_map(|i| i.versions.first()).map(|v| v.entry).min();
        if first.is_some_and(|entry| case.state.age_secs(Since::Entry(entry)) >= delay) {
            continue;
        }
        let before: Amount = earlier
            .iter()
            .flat_map(|i| i.payments.iter())
            .filter(|p| p.script == key)
            .map(|p| p.amount)
            .sum();
        let total = sum + before;
        if total > cap {
            let shown = genesis.network.show(script);
            let (code, what) = match first {
                None => (Code::NewAddressLimit, "was never paid before"),
                Some(_) => (Code::NewAddressDelay, "is still new"),
            };
            let violation = Violation::new(code, format!("{shown} {what} and is to get {total}"));
            out.push(violation.with("address", shown).limit(cap, total));
        }
    }
}
