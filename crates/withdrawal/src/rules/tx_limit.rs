//! `TX_LIMIT`: the most that one transaction pays.

use crate::code::{Code, Violation};
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let (limit, actual) = (case.policy.limits.tx_max, case.paid());
    if actual > limit {
        let detail = format!("{actual} is paid, {limit} at most");
        out.push(Violation::new(Code::TxLimit, detail).limit(limit, actual));
    }
}
