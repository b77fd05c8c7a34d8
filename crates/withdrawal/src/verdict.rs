//! The verdict: the worst class of everything that every rule found. Nothing short-circuits.

use crate::approval::{Approval, Decision};
use crate::code::{Class, Code, Violation};
use crate::digest::Digest;
use crate::facts::Facts;
use crate::intent::{Intent, IntentError};
use crate::person::Person;
use crate::policy::Policy;
use crate::psbt::{Inspection, PsbtFault, inspect};
use crate::rules;
use crate::rules::trace::Traced;
use crate::spend::SpendSummary;
use crate::state::{IntentRecord, State};

/// What a verdict says; the order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Every rule is content.
    Allow,
    /// More people must agree.
    RequireApproval,
    /// Time must pass.
    Hold,
    /// Not as it stands.
    Deny,
}

impl Outcome {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

/// What is being decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A question; facts that are asserted are believed.
    Check,
    /// Hop 7: whether to reserve.
    Reserve,
    /// Hop 8: whether to sign what is reserved.
    Sign,
}

/// How many more approvals a group needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The group.
    pub group: String,
    /// How many are needed.
    pub need: u64,
    /// How many there are.
    pub have: u64,
}

/// The result of judging one withdrawal.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// All violations, of every class.
    pub violations: Vec<Violation>,
    /// Details of an unmet quorum.
    pub missing: Vec<Missing>,
    /// Codes whose rules could not be judged.
    pub not_evaluated: Vec<Code>,
}

impl Verdict {
    /// The worst class present; what could not be judged is never allowed.
    pub fn outcome(&self) -> Outcome {
        let worst = self.violations.iter().map(|v| match v.code.class() {
            Class::Approval => Outcome::RequireApproval,
            Class::Hold => Outcome::Hold,
            Class::Deny => Outcome::Deny,
        });
        let unknown = if self.not_evaluated.is_empty() { Outcome::Allow } else { Outcome::Deny };
        worst.chain([unknown]).max().unwrap_or(Outcome::Deny)
    }

    /// The codes, each once, in the order of the documentation.
    pub fn codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = self.violations.iter().map(|v| v.code).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// Whether a code is among the violations.
    pub fn has(&self, code: Code) -> bool {
        self.violations.iter().any(|v| v.code == code)
    }
}

/// Everything that rules look at.
pub struct Case<'a> {
    /// What follows from the log.
    pub state: &'a State,
    /// What was asked.
    pub intent: &'a Intent,
    /// Its digest.
    pub intent_digest: Digest,
    /// What the transaction does.
    pub spend: &'a SpendSummary,
    /// Its digest in this vault for this intent.
    pub spend_digest: Digest,
    /// The policy with all tightenings.
    pub policy: Policy,
    /// Asserted facts.
    pub facts: &'a Facts,
    /// What is being decided.
    pub step: Step,
    /// The intent's earlier versions, if any.
    pub record: Option<&'a IntentRecord>,
    /// People whose approval verified and counts.
    pub approvers: Vec<&'a Person>,
    /// A verified reject among the approvals.
    pub rejected_by: Option<String>,
}

impl Case<'_> {
    /// Whether this very transaction was reserved before.
    pub fn is_known(&self) -> bool {
        self.record
            .is_some_and(|r| r.versions.iter().any(|v| v.reservation.spend == self.spend_digest))
    }

    /// What leaves the vault with this withdrawal: payments that are not the vault's own.
    pub fn paid(&self) -> bitcoin::Amount {
        self.spend.paid()
    }
}

/// A withdrawal that parsed, and what is thought of it.
#[derive(Debug)]
pub struct Judgement {
    /// What was asked.
    pub intent: Intent,
    /// What the PSBT holds.
    pub inspection: Inspection,
    /// Digest of the spend, where it is proven.
    pub spend_digest: Option<Digest>,
    /// The approvals' digests.
    pub approvals: Vec<Digest>,
    /// What each rule compared; empty where nothing could be judged.
    pub trace: Vec<Traced>,
    /// The result.
    pub verdict: Verdict,
}

/// Input that does not parse: which, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The intent.
    #[error("intent: {0}")]
    Intent(String),
    /// The PSBT.
    #[error("psbt: {0}")]
    Psbt(String),
}

/// Why bytes were not judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// They do not parse.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// They parse, as far as that is tried, and are refused for what they are.
    #[error("{}: {}", .0.code, .0.detail)]
    Refused(Violation),
}

/// Judges bytes against a state: the same function for a question, a reservation and a signature.
pub fn judge(
    state: &State,
    intent: &[u8],
    psbt: &[u8],
    approvals: &[Approval],
    facts: &Facts,
    step: Step,
) -> Result<Judgement, Unjudged> {
    let intent = match Intent::parse(intent) {
        Ok(intent) => intent,
        Err(IntentError { signature: true, at, detail }) => {
            let detail = format!("{at}: {detail}");
            return Err(Unjudged::Refused(Violation::new(Code::RequestSigInvalid, detail)));
        }
        Err(error) => return Err(Malformed::Intent(error.to_string()).into()),
    };
    let inspection = match inspect(psbt, &state.vault().script) {
        Ok(inspection) => inspection,
        Err(PsbtFault::Refused(violation)) => return Err(Unjudged::Refused(violation)),
        Err(error) => return Err(Malformed::Psbt(error.to_string()).into()),
    };
    let mut violations = inspection.violations.clone();
    let approval_digests = approvals.iter().map(Approval::digest).collect();
    let Some(spend) = &inspection.spend else {
        let verdict =
            Verdict { violations, missing: Vec::new(), not_evaluated: rules::CODES.to_vec() };
        return Ok(Judgement {
            intent,
            inspection,
            spend_digest: None,
            approvals: approval_digests,
            trace: Vec::new(),
            verdict,
        });
    };
    let intent_digest = intent.digest();
    let spend_digest = spend.digest(&state.vault().id, &intent_digest);
    let mut missing = Vec::new();
    let trace = {
        let (approvers, rejected_by) =
            verify_approvals(state, approvals, &spend_digest, &mut violations);
        let case = Case {
            state,
            intent: &intent,
            intent_digest,
            spend,
            spend_digest,
            policy: state.policy(),
            facts,
            step,
            record: state.ledger().intent(&intent_digest),
            approvers,
            rejected_by,
        };
        rules::run(&case, &mut violations, &mut missing);
        rules::trace::trace(&case)
    };
    let verdict = Verdict { violations, missing, not_evaluated: Vec::new() };
    Ok(Judgement {
        intent,
        inspection,
        spend_digest: Some(spend_digest),
        approvals: approval_digests,
        trace,
        verdict,
    })
}

/// Checks every approval; those that verify, under the present heads, by people who count, are given
/// back. Everything wrong with any of them is a violation.
fn verify_approvals<'a>(
    state: &'a State,
    approvals: &[Approval],
    spend: &Digest,
    out: &mut Vec<Violation>,
) -> (Vec<&'a Person>, Option<String>) {
    let mut approvers: Vec<&Person> = Vec::new();
    let mut rejected_by = None;
    let mut seen = Vec::new();
    for approval in approvals {
        let who = crate::assertion::safe(&approval.person);
        let Some(person) = state.chain_roster().person(&approval.person) else {
            out.push(Violation::new(Code::NotEntitled, format!("{who} is not of the roster")));
            continue;
        };
        let wrong = approval.verify(person, &state.vault().id, spend);
        let missing_review = !wrong.is_empty();
        out.extend(wrong);
        if missing_review {
            continue;
        }
        if approval.decision == Decision::Reject {
            rejected_by = Some(who);
            continue;
        }
        if seen.contains(&person.id) {
            let detail = format!("{who} approved twice; a person counts once");
            out.push(Violation::new(Code::DistinctPerson, detail));
            continue;
        }
        seen.push(person.id.clone());
        let before = out.len();
        rules::governance::check_approval(state, approval, out);
        if out.len() == before {
            approvers.push(person);
        }
    }
    (approvers, rejected_by)
}
