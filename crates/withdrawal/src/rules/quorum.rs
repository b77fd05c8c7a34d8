//! `QUORUM_NOT_MET`, `ZONE_MISSING`, `SELF_APPROVAL`, and synced passkeys in the top tier
//! (`ASSERTION_POLICY`). Every quorum whose sum is exceeded must be met; there is no first match.

use std::collections::BTreeSet;

use bitcoin::Amount;

use crate::code::{Code, Violation};
use crate::person::Person;
use crate::policy::Quorum;
use crate::verdict::{Case, Missing};

pub(super) fn applies(case: &Case<'_>, quorum: &Quorum) -> bool {
    // From 0 on means every withdrawal, one that pays nobody included.
    quorum.above == Amount::ZERO || case.paid() > quorum.above
}

/// Who asked, if that is a person of the roster.
fn asker<'a>(case: &'a Case<'_>) -> Option<&'a str> {
    let roster = case.state.chain_roster();
    let key = case.intent.requester();
    let by_key = roster.persons.iter().find(|p| p.review_key == *key).map(|p| p.id.as_str());
    by_key.or_else(|| roster.requester(key).and_then(|r| r.person.as_deref()))
}

pub(super) fn counted<'a>(case: &'a Case<'_>, quorum: &Quorum) -> Vec<&'a Person> {
    let asker = asker(case);
    let counts = |p: &&&Person| {
        !p.vendor && (quorum.self_approval || asker != Some(p.id.as_str())) && !is_weak_key(case, p)
    };
    case.approvers.iter().filter(counts).copied().collect()
}

/// A passkey that can be synced does not count in the highest of several tiers (NIST SP 800-63B-4).
fn is_weak_key(case: &Case<'_>, person: &Person) -> bool {
    let top = case.policy.quorums.iter().map(|q| q.above).max().unwrap_or(Amount::ZERO);
    person.passkey.backup_eligible && top > Amount::ZERO && case.paid() > top
}

fn collect(case: &Case<'_>, missing: &mut Vec<Missing>) {
    for quorum in case.policy.quorums.iter().filter(|q| applies(case, q)) {
        let people = counted(case, quorum);
        for (group, need) in &quorum.groups {
            let have = people.iter().filter(|p| p.group == *group).count() as u64;
            let need = u64::from(*need);
            if have >= need {
                continue;
            }
            match missing.iter_mut().find(|m| m.group == *group) {
                Some(known) => known.need = known.need.max(need),
                None => missing.push(Missing { group: group.clone(), need, have }),
            }
        }
    }
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>, missing: &mut Vec<Missing>) {
    if let Some(asker) = asker(case) {
        let approved = case.approvers.iter().any(|p| p.id == asker);
        if approved && case.policy.quorums.iter().any(|q| applies(case, q) && !q.self_approval) {
            let detail = format!("{asker} asked for it and approved it");
            out.push(Violation::new(Code::SelfApproval, detail).with("person", asker));
        }
    }
    if let Some(weak) = case.approvers.iter().find(|p| is_weak_key(case, p)) {
        let detail = format!("{}'s passkey can be synced, which does not do for this sum", weak.id);
        out.push(Violation::new(Code::AssertionPolicy, detail));
    }
    collect(case, missing);
    for short in missing.iter() {
        let detail =
            format!("{} of `{}` approved, {} are needed", short.have, short.group, short.need);
        let violation = Violation::new(Code::QuorumNotMet, detail);
        out.push(violation.with("group", short.group.clone()).limit(short.need, short.have));
    }
    let zones_need = case.policy.quorums.iter().filter(|q| applies(case, q)).map(|q| q.zones).max();
    let strictest =
        case.policy.quorums.iter().filter(|q| applies(case, q)).min_by_key(|q| q.self_approval);
    if let (Some(need), Some(quorum)) = (zones_need, strictest) {
        let zones: BTreeSet<&str> = counted(case, quorum).iter().map(|p| p.zone.as_str()).collect();
        if (zones.len() as u64) < u64::from(need) {
            let detail = format!("approvals from {} network zones, {need} are needed", zones.len());
            out.push(
                Violation::new(Code::ZoneMissing, detail)
                    .limit(u64::from(need), zones.len() as u64),
            );
        }
    }
}
