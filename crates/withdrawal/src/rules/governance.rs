//! `ROSTER_CHANGED`, `POLICY_CHANGED`, `ALLOWLIST_CHANGED`, `CREDENTIAL_TOO_NEW`, `POLICY_CHANGE_PENDING`:
//! approvals hold under the roster, policy and allow-list that their authors saw.

use crate::approval::Approval;
use crate::change::ChangeKind;
use crate::code::{Code, Violation};
use crate::policy::Policy;
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

/// A pending policy explains a refusal that it would lift; it holds nothing that the present policy
/// allows, and nothing that it would refuse as well.
pub(super) fn pending(case: &Case<'_>, out: &mut Vec<Violation>) {
    let policies = case.state.pending().iter().filter_map(|p| match &p.kind {
        ChangeKind::Policy(policy) => Some(policy.as_ref().clone()),
        _ => None,
    });
    let lifts = |policy: Policy| {
        let rejected_by = case.rejected_by.clone();
        let then = Case { policy, approvers: case.approvers.clone(), rejected_by, ..*case };
        super::limits_and_quorum(&then).is_empty()
    };
    let mut policies = policies;
    let refused = !super::limits_and_quorum(case).is_empty();
    let said = out.iter().any(|v| v.code == Code::PolicyChangePending);
    if refused && !said && policies.any(lifts) {
        let detail =
            "a policy that would allow it waits for its delay; until then the present one applies";
        out.push(Violation::new(Code::PolicyChangePending, detail));
    }
}
