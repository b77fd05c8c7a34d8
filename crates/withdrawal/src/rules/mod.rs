//! The rules, one file each. A rule looks at a whole case and says everything that it finds.

pub mod allowlist;
pub mod coins;
pub mod fee;
pub mod frozen;
pub mod governance;
pub mod lookalike;
pub mod new_address;
pub mod outputs;
pub mod quorum;
pub mod reference;
pub mod refused;
pub mod replacement;
pub mod request;
pub mod script;
pub mod share;
pub mod succession;
pub mod superfluous;
pub mod time;
pub mod trace;
pub mod tx_limit;
pub mod velocity;

use crate::code::{Code, Violation};
use crate::policy::Policy;
use crate::verdict::{Case, Missing};

/// One rule.
type Rule = fn(&Case<'_>, &mut Vec<Violation>);

/// Rules about limits: judged twice where a person has lowered one.
const LIMITS: &[Rule] =
    &[tx_limit::check, velocity::check, share::check, fee::check, new_address::check];

const OTHERS: &[Rule] = &[
    request::check,
    outputs::check,
    reference::check,
    allowlist::check,
    lookalike::check,
    superfluous::check,
    coins::check,
    replacement::check,
    refused::check,
    time::check,
    script::check,
    frozen::check,
    succession::check,
];

/// Codes that rules give, for `not_evaluated` where nothing could be judged.
pub const CODES: &[Code] = &[
    Code::OutputNotApproved,
    Code::OutputAmountMismatch,
    Code::OutputMissing,
    Code::DuplicateReference,
    Code::DestinationNotAllowlisted,
    Code::AllowlistExpired,
    Code::AllowlistTooNew,
    Code::NewAddressLimit,
    Code::NewAddressDelay,
    Code::Lookalike,
    Code::TxLimit,
    Code::Velocity,
    Code::VelocityCount,
    Code::ShareOfVault,
    Code::FeeLimit,
    Code::SuperfluousInput,
    Code::QuorumNotMet,
    Code::ZoneMissing,
    Code::CoinTooOld,
    Code::ReplacementNotApproved,
];

/// Runs every rule.
pub fn run(case: &Case<'_>, out: &mut Vec<Violation>, missing: &mut Vec<Missing>) {
    for rule in OTHERS {
        rule(case, out);
    }
    let from = out.len();
    for rule in LIMITS {
        rule(case, out);
    }
    touched_by_tightening(case, from, out);
    quorum::check(case, out, missing);
    governance::pending(case, out);
}

/// What limits and quorum find, for another policy for example.
fn limits_and_quorum(case: &Case<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for rule in LIMITS {
        rule(case, &mut found);
    }
    quorum::check(case, &mut found, &mut Vec::new());
    found
}

/// A limit that only a lowered number breaks: the policy is not the one approved under.
fn touched_by_tightening(case: &Case<'_>, from: usize, out: &mut Vec<Violation>) {
    let chain: &Policy = case.state.chain_policy();
    if case.policy == *chain || out.len() == from {
        return;
    }
    let milder = Case {
        policy: chain.clone(),
        approvers: case.approvers.clone(),
        rejected_by: None,
        ..*case
    };
    let mut found = Vec::new();
    for rule in LIMITS {
        rule(&milder, &mut found);
    }
    let new = out.iter().skip(from).find(|v| !found.iter().any(|f| f.code == v.code)).cloned();
    if let Some(new) = new {
        let detail = format!("a person has lowered a limit since: {}", new.code);
        out.push(Violation::new(Code::PolicyChanged, detail));
    }
}
