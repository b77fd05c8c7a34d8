//! Hop 7: decides for itself, with both decoders, and appends a reservation.

use withdrawal::code::Code;
use withdrawal::entry::{Body, LoggedPayment, PAYMENTS_PER_ENTRY, Reservation, salted};
use withdrawal::facts::Facts;
use withdrawal::protocol::{Appended, Dossier, Response};
use withdrawal::sign::final_txid;
use withdrawal::spend::{OutputKind, SpendSummary};
use withdrawal::state::Version;
use withdrawal::verdict::{Judgement, Malformed, Outcome, Step, Unjudged, judge};

use crate::core::{Core, CoreError};
use crate::decoders::compare;

/// Approvals that are looked at: more than any roster has people.
const APPROVALS_MAX: usize = 128;

impl Core {
    /// Judges a dossier with both decoders. The error is the answer: malformed, or a refusal.
    pub(crate) fn judge_both(
        &self,
        dossier: &Dossier,
        step: Step,
    ) -> Result<Judgement, Result<Response, CoreError>> {
        if dossier.approvals.len() > APPROVALS_MAX {
            let what = format!("{} approvals, {APPROVALS_MAX} at most", dossier.approvals.len());
            return Err(Err(CoreError::Malformed(what)));
        }
        // Only what can make the verdict stricter is taken from outside.
        let facts =
            Facts { coin_age_blocks: dossier.ages.coin_age_blocks.clone(), ..Facts::default() };
        let judged =
            judge(&self.state, &dossier.intent, &dossier.psbt, &dossier.approvals, &facts, step);
        let mut judgement = match judged {
            Ok(judgement) => judgement,
            Err(Unjudged::Malformed(error)) => {
                return Err(Err(CoreError::Malformed(error.to_string())));
            }
            Err(Unjudged::Refused(violation)) => {
                return Err(Ok(self.refuse(None, None, vec![violation])));
            }
        };
        let (Some(spend), Some(digest)) = (&judgement.inspection.spend, judgement.spend_digest)
        else {
            return Ok(judgement);
        };
        if judgement.inspection.violations.iter().any(|v| v.code == Code::TxLimits) {
            // Refused for its size: nothing more is spent on it.
            return Ok(judgement);
        }
        match reader::read(&dossier.psbt, &self.reader) {
            Err(error) => {
                // Where the first decoder found faults too, its codes say more.
                if judgement.inspection.violations.is_empty() {
                    let error = Malformed::Psbt(format!("second decoder: {error}"));
                    return Err(Err(CoreError::Malformed(error.to_string())));
                }
            }
            Ok(second) => {
                let intent = judgement.intent.digest();
                let theirs = reader::spend_digest(&second, &self.vault.id.0, &intent.0);
                let differ = compare(spend, &digest, &second, &theirs);
                judgement.verdict.violations.extend(differ);
            }
        }
        Ok(judgement)
    }

    /// Decide, reserve: a reservation is in the log before this returns.
    pub(crate) fn reserve(&mut self, dossier: &Dossier) -> Result<Response, CoreError> {
        self.must_serve()?;
        self.empty_queue();
        self.take_head(&dossier.head)?;
        let judgement = match self.judge_both(dossier, Step::Reserve) {
            Ok(judgement) => judgement,
            Err(answer) => return answer,
        };
        let intent = judgement.intent.digest();
        if let Some(entry) = self.reserved_entry(&judgement) {
            let signed = self.state.ledger().intent(&intent).is_some_and(|r| r.counts_as_signed());
            if signed || judgement.verdict.outcome() == Outcome::Allow {
                return Ok(Response::Appended(Appended { entry, head: self.note() }));
            }
        }
        if judgement.verdict.outcome() != Outcome::Allow {
            let violations = judgement.verdict.violations;
            return Ok(self.refuse(Some(intent), judgement.spend_digest, violations));
        }
        let Some(spend) = &judgement.inspection.spend else {
            return Err(CoreError::Refused(Code::InputAmountUnproven, "not proven".to_owned()));
        };
        let bodies = self.reservation(&judgement, spend)?;
        self.append(bodies).map(Response::Appended)
    }

    fn reserved_entry(&self, judgement: &Judgement) -> Option<u64> {
        let record = self.state.ledger().intent(&judgement.intent.digest())?;
        let spend = judgement.spend_digest?;
        let fits = |v: &&Version| !v.recovered && v.reservation.spend == spend;
        record.versions.iter().rev().find(fits).map(|v| v.entry)
    }

    fn reservation(
        &self,
        judgement: &Judgement,
        spend: &SpendSummary,
    ) -> Result<Vec<Body>, CoreError> {
        let intent = &judgement.intent;
        let salt = &self.vault.genesis.salt;
        let payments: Vec<LoggedPayment> = intent
            .outputs()
            .iter()
            .map(|p| LoggedPayment {
                amount: p.amount,
                script: salted(salt, p.script.as_bytes()),
                reference: salted(salt, p.reference.as_bytes()),
            })
            .collect();
        let mut chunks = payments.chunks(PAYMENTS_PER_ENTRY).map(<[LoggedPayment]>::to_vec);
        let first = chunks.next().unwrap_or_default();
        let rest: Vec<Body> = chunks.map(Body::Payments).collect();
        let change = (0u32..).zip(&spend.outputs).filter(|(_, o)| o.kind != OutputKind::Payment);
        let reservation = Reservation {
            kind: intent.kind(),
            requester: *intent.requester(),
            intent: intent.digest(),
            spend: judgement.spend_digest.unwrap_or(withdrawal::digest::Digest::ZERO),
            txid: final_txid(&self.vault, spend),
            outpoints: spend.inputs.iter().map(|i| i.outpoint).collect(),
            total_in: spend.total_in(),
            payments: first,
            more: u32::try_from(rest.len()).unwrap_or(u32::MAX),
            change: change.map(|(vout, o)| (vout, o.amount)).collect(),
            fee: spend.fee,
            expires: intent.expires(),
            approvals: judgement.approvals.clone(),
            salt: self.salt()?,
        };
        let mut bodies = vec![Body::Reservation(Box::new(reservation))];
        bodies.extend(rest);
        Ok(bodies)
    }
}
