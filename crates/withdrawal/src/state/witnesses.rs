//! Witnesses: who they are now, and the change of one of them, which takes effect at a head that enough
//! of the old and enough of the new have cosigned (DESIGN 4).

use tlog::{CosignedHead, SignedHead, WitnessPolicy};

use super::{PendingChange, Since, State};
use crate::change::{ChangeKind, OPEN_SECS_MAX};
use crate::code::{Code, Violation};
use crate::digest::Digest;

impl State {
    /// The witnesses now; none for a vault that is evaluated only.
    pub fn witnesses(&self) -> Option<&WitnessPolicy> {
        self.witnesses.as_ref().or(self.vault.witnesses.as_ref())
    }

    /// The witnesses to be: every change of one that has waited its delay and is not forgotten, with its
    /// digest.
    pub fn next_witnesses(&self) -> Vec<(Digest, WitnessPolicy)> {
        let delay = u64::from(self.policy.governance.delay_hours) * 3600;
        let ripe = |p: &&PendingChange| {
            let age = self.age_secs(Since::Entry(p.entry));
            (delay..delay + OPEN_SECS_MAX).contains(&age)
        };
        let parsed = |p: &PendingChange| match &p.kind {
            ChangeKind::Witnesses { policy, hostile } => {
                Some((p.digest, WitnessPolicy::parse(policy, usize::from(*hostile)).ok()?))
            }
            _ => None,
        };
        self.pending.iter().filter(ripe).filter_map(parsed).collect()
    }

    pub(super) fn judge_witnesses(&self, policy: &str, hostile: u8) -> Result<(), Violation> {
        let quorum = |detail: String| Violation::new(Code::WitnessQuorum, detail);
        let next = WitnessPolicy::parse(policy, usize::from(hostile))
            .map_err(|e| quorum(e.to_string()))?;
        match self.witnesses() {
            Some(now) if now.is_one_step_to(&next) => Ok(()),
            _ => Err(quorum("a change replaces one witness, and k, n and f stay".to_owned())),
        }
    }

    /// Whether a head brings the change into force: enough of the old and of the new cosigned it, and
    /// it holds the change.
    pub fn judge_switch(&self, change: &Digest, note: &[u8]) -> Result<WitnessPolicy, Violation> {
        let quorum = |detail: String| Violation::new(Code::WitnessQuorum, detail);
        let (Some(log), Some(now)) = (self.log(), self.witnesses()) else {
            return Err(quorum("a vault without witnesses".to_owned()));
        };
        let next = self.next_witnesses().into_iter().find(|(digest, _)| digest == change);
        let (_, next) =
            next.ok_or_else(|| quorum("no change of witnesses has waited its delay".to_owned()))?;
        let entry = self.pending.iter().find(|p| p.digest == *change).map_or(u64::MAX, |p| p.entry);
        for policy in [now, &next] {
            let signed = SignedHead::parse(note, log).map_err(|e| quorum(e.to_string()))?;
            let head =
                CosignedHead::check(signed, policy.keys()).map_err(|e| quorum(e.to_string()))?;
            if !policy.is_met(&head) || head.head().size <= entry {
                let have = head.cosignatures().len() as u64;
                let detail = "too few of the old or of the new witnesses cosigned the change";
                return Err(quorum(detail.to_owned()).limit(policy.k() as u64, have));
            }
        }
        Ok(next)
    }

    pub(super) fn enter_switch(&mut self, change: &Digest, next: WitnessPolicy) {
        // Policy and witnesses are one chain: what was signed under the same head falls.
        self.pending
            .retain(|p| !matches!(p.kind, ChangeKind::Witnesses { .. } | ChangeKind::Policy(_)));
        self.witnesses = Some(next);
        self.heads.policy = *change;
        self.chain.push(*change);
    }
}
