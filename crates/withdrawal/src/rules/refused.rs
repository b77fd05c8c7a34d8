//! `REJECTED`, `CANCELLED`: one person's no, and a request that was given up.

use crate::act::ActKind;
use crate::code::{Code, Violation};
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    if let Some(person) = &case.rejected_by {
        out.push(Violation::new(Code::Rejected, format!("{person} rejected it")));
    }
    let mut cancelled = case.record.is_some_and(|r| r.cancelled);
    for act in case.state.acts_against(&case.intent_digest) {
        match act.act.act.kind {
            ActKind::Cancel { .. } => cancelled = true,
            _ => {
                let detail = format!("{} said no (entry {})", act.act.act.author, act.entry);
                out.push(Violation::new(Code::Rejected, detail));
            }
        }
    }
    if cancelled {
        out.push(Violation::new(Code::Cancelled, "it was cancelled, or ran out unsigned"));
    }
}
