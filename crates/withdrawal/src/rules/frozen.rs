//! `FROZEN`: any one person can stop the vault; a quorum starts it again.

use crate::code::{Code, Violation};
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    if let Some(by) = case.state.frozen_by() {
        out.push(Violation::new(Code::Frozen, format!("frozen by {by}")));
    }
}
