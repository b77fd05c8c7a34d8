//! Hop 8: judge again by a head that contains the reservation, sign, verify, record, release.

use withdrawal::code::{Code, Violation};
use withdrawal::entry::{Body, Countersigned};
use withdrawal::protocol::{Appended, Dossier, Response};
use withdrawal::verdict::{Outcome, Step};
use withdrawal::witnessed::Witnessed;

use crate::core::{Core, CoreError};

impl Core {
    /// Signs what is reserved and witnessed, if it would still be decided the same way.
    pub(crate) fn countersign(&mut self, dossier: &Dossier) -> Result<Response, CoreError> {
        self.must_serve()?;
        self.empty_queue();
        let accepted = self.take_head(&dossier.head)?;
        let judgement = match self.judge_both(dossier, Step::Sign) {
            Ok(judgement) => judgement,
            Err(answer) => return answer,
        };
        let intent = judgement.intent.digest();
        let Some(spend) = judgement.spend_digest else {
            return Ok(self.refuse(Some(intent), None, judgement.verdict.violations));
        };
        let refuse = |core: &Self, extra: Option<Violation>| {
            let mut violations = judgement.verdict.violations.clone();
            violations.extend(extra);
            Ok(core.refuse(Some(intent), Some(spend), violations))
        };
        let witnessed = match Witnessed::find(&accepted, &self.state, &intent, &spend) {
            Ok(witnessed) => witnessed,
            Err(violation) => return refuse(self, Some(violation)),
        };
        // A signature is given again whatever the rules say by now, but never for other bytes.
        let unsound = judgement.verdict.has(Code::DecoderDisagree)
            || !judgement.inspection.violations.is_empty();
        if (judgement.verdict.outcome() != Outcome::Allow && !witnessed.repeats()) || unsound {
            return refuse(self, None);
        }
        if self.is_stale(accepted.size()) && !witnessed.repeats() {
            let what = "the head was signed more than ten minutes ago; have a tick witnessed";
            return refuse(self, Some(Violation::new(Code::ClockUntrusted, what)));
        }
        let signed = self.account.countersign(&self.vault, &witnessed, &judgement);
        let (psbt, signatures) = signed.map_err(|e| CoreError::Broken(e.to_string()))?;
        let appended = if let Some(entry) = witnessed.signed() {
            // The same signature as before: nothing is counted and nothing new is said.
            Appended { entry, head: self.note() }
        } else {
            // A crash before this is durable loses the signature, which nobody has seen; the
            // reservation then counts as signed from the next start on.
            let reservation = witnessed.entry();
            let approvals = judgement.approvals.clone();
            let record = Countersigned { reservation, intent, spend, signatures, approvals };
            self.append(vec![Body::Countersigned(record)])?
        };
        Ok(Response::Signed { psbt: psbt.serialize(), appended })
    }
}
