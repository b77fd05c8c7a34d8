//! `DESTINATION_NOT_ALLOWLISTED`, `ALLOWLIST_EXPIRED`, `ALLOWLIST_TOO_NEW`, `ALLOWLIST_CHANGED`.

use bitcoin::Script;

use crate::code::{Code, Violation};
use crate::state::{Since, State};
use crate::verdict::Case;

/// What the allow-list says of a script under a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Listed, aged, not run out.
    Listed,
    /// Listed, not aged.
    TooNew,
    /// Listed too long ago.
    Expired,
    /// Not listed.
    Unlisted,
}

/// Where a script stands.
pub fn standing(case: &Case<'_>, script: &Script) -> Standing {
    let rules = &case.policy.allowlist;
    let Some((_, since)) = case.state.allowlist().get(script) else { return Standing::Unlisted };
    if case.state.is_removed(script) {
        return Standing::Unlisted;
    }
    if case.state.age_secs(*since) < u64::from(rules.min_age_hours) * 3600 {
        return Standing::TooNew;
    }
    let days = u64::from(rules.max_age_days);
    if days > 0 && oldest_age_secs(case.state, *since) > days * 86_400 {
        return Standing::Expired;
    }
    Standing::Listed
}

/// The age at the most: an entry of genesis is as old as the log.
fn oldest_age_secs(state: &State, since: Since) -> u64 {
    let entry = match since {
        Since::Genesis => 0,
        Since::Entry(entry) => entry,
    };
    match (state.now(), state.first_seen(entry)) {
        (Some(now), Some(seen)) => now.high.secs().saturating_sub(seen.secs()),
        _ => 0,
    }
}

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let network = case.state.vault().genesis.network;
    for payment in case.spend.payments() {
        let shown = network.show(&payment.script);
        let mut refuse = |code, what: &str| {
            let violation = Violation::new(code, format!("{shown} {what}"));
            out.push(violation.with("address", shown.clone()));
        };
        if case.state.is_removed(&payment.script) {
            refuse(Code::AllowlistChanged, "was taken off the allow-list");
        }
        if !case.policy.allowlist.required {
            continue;
        }
        match standing(case, &payment.script) {
            Standing::Listed => {}
            Standing::TooNew => refuse(Code::AllowlistTooNew, "is listed, but not for long enough"),
            Standing::Expired => refuse(Code::AllowlistExpired, "was listed too long ago"),
            Standing::Unlisted => {
                refuse(Code::DestinationNotAllowlisted, "is not on the allow-list")
            }
        }
    }
}
