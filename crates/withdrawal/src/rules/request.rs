//! `REQUESTER_UNKNOWN`, `NETWORK_MISMATCH`, `DIGEST_MISMATCH`: who asks, for which vault and network.

use crate::code::{Code, Violation};
use crate::verdict::Case;

pub(super) fn check(case: &Case<'_>, out: &mut Vec<Violation>) {
    let vault = case.state.vault();
    if *case.intent.vault_id() != vault.id {
        let detail = format!("the intent is for vault {}", case.intent.vault_id());
        out.push(Violation::new(Code::DigestMismatch, detail));
    }
    let (ours, theirs) = (vault.genesis.network, case.intent.network());
    if ours != theirs {
        let detail = format!("the intent is for {theirs}, the vault is on {ours}");
        out.push(Violation::new(Code::NetworkMismatch, detail));
    } else if case.intent.has_foreign_address() {
        let detail = format!("an address of the intent does not belong to {ours}");
        out.push(Violation::new(Code::NetworkMismatch, detail));
    }
    let roster = case.state.chain_roster();
    if !roster.requesters.is_empty() && roster.requester(case.intent.requester()).is_none() {
        let detail = format!("key {} is no requester's", case.intent.requester().id());
        out.push(Violation::new(Code::RequesterUnknown, detail));
    }
}
