//! `ROSTER_CHANGED`, `POLICY_CHANGED`, `ALLOWLIST_CHANGED`, `CREDENTIAL_TOO_NEW`, `POLICY_CHANGE_PENDING`:
//! approvals hold under the roster, policy and allow-list that their authors saw.

use crate::approval::Approval;
use crate::change::ChangeKind;
use crate::code::{Class, Code, Violation};
use crate::state::State;
use crate::verdict::Case;

/// Judges one verified approval against the present heads and the person's standing.
pub fn check_approval(state: &State, approval: &Approval, out: &mut Vec<Violation>) {
    let who = &approval.person;
    let heads = state.heads();
    let pending = |kind: fn(&ChangeKind) -> bool, head| {
        state.pending().iter().any(|p| kind(&p.kind) && p.digest == head)
    };
    if approval.heads.roster != heads.roster {
        let detail = format!("{who} approved under another roster");
        out.push(Violation::new(Code::RosterChanged, detail));
    }
    if approval.heads.policy != heads.policy {
        if pending(|k| matches!(k, ChangeKind::Policy(_)), approval.heads.policy) {
            let detail = format!("{who} approved under a policy that is not in force yet");
            out.push(Violation::new(Code::PolicyChangePending, detail));
        } else {
            let detail = format!("{who} approved under another policy");
            out.push(Violation::new(Code::PolicyChanged, detail));
        }
    }
    if approval.heads.allowlist != heads.allowlist {
        let detail = format!("{who} approved under another allow-list");
        out.push(Violation::new(Code::AllowlistChanged, detail));
    }
    if !state.is_active(who) {
        let detail = format!("{who}'s credentials were revoked");
        out.push(Violation::new(Code::RosterChanged, detail));
    }
    let min_age = u64::from(state.policy().governance.credential_min_age_hours) * 3600;
    let age = state.person_since(who).map_or(0, |since| state.age_secs(since));
    if age < min_age {
        let detail = format!("{who} was enrolled {age} s ago, {min_age} s must pass");
        out.push(Violation::new(Code::CredentialTooNew, detail).limit(min_age, age));
    }
    if state.now().is_some_and(|now| now.high > approval.not_after) {
        let detail = format!("{who}'s approval ran out at {}", approval.not_after);
        out.push(Violation::new(Code::Expired, detail));
    }
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let waits = case.state.pending().iter().any(|p| matches!(p.kind, ChangeKind::Policy(_)));
    // A pending change explains a refusal; it does not hold what the present policy allows.
    let refused =
        out.iter().any(|v| v.code.class() != Class::Hold) || super::quorum::unmet(case).is_some();
    if waits && refused && !out.iter().any(|v| v.code == Code::PolicyChangePending) {
        let detail = "a policy change waits for its delay; until then the present policy holds";
        out.push(Violation::new(Code::PolicyChangePending, detail));
    }
}
