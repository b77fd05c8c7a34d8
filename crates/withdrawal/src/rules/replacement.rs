//! `REPLACEMENT_NOT_APPROVED`, `ALREADY_RELEASED`: another transaction for an intent that has one. It
//! spends all the old inputs, may add coins of the vault, pays the same and changes only the fee.

use crate::code::{Code, Violation};
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    if case.state.ledger().was_released_before(&case.intent_digest) {
        let detail = "the intent was released in the log that this one succeeds";
        out.push(Violation::new(Code::AlreadyReleased, detail));
    }
    let Some(record) = case.record.filter(|r| !r.cancelled) else { return };
    if record.abandoned.is_some() {
        let detail = "its coins were given to a refresh";
        out.push(Violation::new(Code::AlreadyReleased, detail));
    }
    if case.is_known() || record.versions.is_empty() {
        return;
    }
    let old = record.outpoints();
    let coins: std::collections::BTreeSet<_> =
        case.spend.inputs.iter().map(|i| i.outpoint).collect();
    let kept = old.iter().filter(|o| coins.contains(o)).count();
    if kept == old.len() {
        return;
    }
    if kept > 0 {
        let detail = format!("spends {kept} of the {} coins of the versions before", old.len());
        let violation = Violation::new(Code::ReplacementNotApproved, detail);
        out.push(violation.limit(old.len() as u64, kept as u64));
    }
    if record.counts_as_signed() || kept == 0 {
        let detail = "the intent is served by another transaction; this one could be paid as well";
        out.push(Violation::new(Code::AlreadyReleased, detail));
    }
}
