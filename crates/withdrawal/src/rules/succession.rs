//! `STATE_ROLLBACK` while a succession waits: nothing is signed before its twelve hours are over.

use crate::code::Violation;
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    out.extend(case.state.succession_waits());
}
