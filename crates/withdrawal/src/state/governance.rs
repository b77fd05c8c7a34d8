//! Changes by quorum: who must sign, and what a change does once its delay has passed.

use std::collections::BTreeSet;

use super::{PendingChange, Since, State};
use crate::act::Author;
use crate::change::{Change, ChangeKind, ChangeSignature, SignedChange};
use crate::code::{Code, Violation};
use crate::digest::Digest;
use crate::person::Person;

fn refuse(code: Code, detail: impl Into<String>) -> Violation {
    Violation::new(code, detail)
}

impl State {
    /// The head that a change of this kind must continue.
    pub const fn head_for(&self, kind: &ChangeKind) -> Digest {
        match kind {
            ChangeKind::Policy(_) => self.heads.policy,
            ChangeKind::Allowlist { .. } => self.heads.allowlist,
            _ => self.heads.roster,
        }
    }

    /// Whether a change may be taken: its content is sound and a governance quorum signed it.
    pub fn judge_change(&self, signed: &SignedChange) -> Result<(), Violation> {
        let change = &signed.change;
        if change.vault_id != self.vault.id {
            return Err(refuse(Code::DigestMismatch, "the change is for another vault"));
        }
        let digest = change.digest();
        if self.done.contains(&digest) {
            return Ok(());
        }
        if change.previous != self.head_for(&change.kind) {
            let code = match change.kind {
                ChangeKind::Policy(_) => Code::PolicyChanged,
                ChangeKind::Allowlist { .. } => Code::AllowlistChanged,
                _ => Code::RosterChanged,
            };
            return Err(refuse(code, "the change continues another head than the present one"));
        }
        self.judge_content(&change.kind)?;
        let actor = self.actor_of(&change.kind);
        self.judge_signatures(
            &signed.signatures,
            &digest,
            &change.review_digest(),
            actor.as_deref(),
        )
    }

    /// Who did what an undo undoes; that person's word does not count in it.
    fn actor_of(&self, kind: &ChangeKind) -> Option<String> {
        let ChangeKind::Undo { act, .. } = kind else { return None };
        self.acts.iter().find(|a| a.digest == *act).and_then(|a| match &a.act.act.author {
            Author::Person(id) => Some(id.clone()),
            Author::Requester(_) => None,
        })
    }

    fn judge_content(&self, kind: &ChangeKind) -> Result<(), Violation> {
        let malformed = |e: String| refuse(Code::Malformed, e);
        match kind {
            ChangeKind::Policy(policy) => {
                if let Some(fault) = policy.fault() {
                    return Err(malformed(format!("policy: {fault}")));
                }
                match policy.unmeetable(&self.roster) {
                    Some(what) => {
                        Err(refuse(Code::QuorumNotMet, format!("could never be met: {what}")))
                    }
                    None => Ok(()),
                }
            }
            ChangeKind::Roster { add, .. } => {
                for enrolment in add {
                    enrolment.check().map_err(malformed)?;
                }
                let next = self.roster_after(kind);
                if let Some(fault) = next.fault() {
                    return Err(malformed(format!("roster: {fault}")));
                }
                match self.policy.unmeetable(&next) {
                    Some(what) => {
                        Err(refuse(Code::QuorumNotMet, format!("leaves too few: {what}")))
                    }
                    None => Ok(()),
                }
            }
            ChangeKind::Allowlist { add, remove } => {
                for entry in add {
                    let label = &entry.label;
                    let printable = (1..=64).contains(&label.len())
                        && label.bytes().all(|b| (0x20..0x7f).contains(&b));
                    if !printable {
                        return Err(malformed("allow-list label".to_owned()));
                    }
                }
                match remove.iter().find(|s| !self.allowlist.contains_key(*s)) {
                    Some(script) => Err(malformed(format!("script {script:x} is not listed"))),
                    None => Ok(()),
                }
            }
            ChangeKind::Undo { act, .. } => {
                let known = self.acts.iter().any(|a| a.digest == *act && !a.undone);
                if known { Ok(()) } else { Err(malformed(format!("no act {act} is in force"))) }
            }
            ChangeKind::Unfreeze => match self.frozen_by() {
                Some(_) => Ok(()),
                None => Err(malformed("the vault is not frozen".to_owned())),
            },
            ChangeKind::Floor { .. } => Ok(()),
        }
    }

    fn roster_after(&self, kind: &ChangeKind) -> crate::person::Roster {
        let mut next = self.roster.clone();
        if let ChangeKind::Roster { add, remove, add_requesters, remove_requesters } = kind {
            next.persons.retain(|p| !remove.contains(&p.id));
            next.persons.extend(add.iter().map(|e| e.person.clone()));
            next.requesters.retain(|r| !remove_requesters.contains(&r.name));
            next.requesters.extend(add_requesters.iter().cloned());
        }
        next
    }

    /// Both signatures of each of enough distinct, aged, active people of no vendor.
    pub fn judge_signatures(
        &self,
        signatures: &[ChangeSignature],
        digest: &Digest,
        review_digest: &Digest,
        without: Option<&str>,
    ) -> Result<(), Violation> {
        let mut signers: Vec<&Person> = Vec::new();
        let mut seen = BTreeSet::new();
        let min_age = u64::from(self.policy.governance.credential_min_age_hours) * 3600;
        for signature in signatures.iter().take(crate::person::PERSONS_MAX) {
            let who = &signature.person;
            // An undo may be signed by people whom the very act revoked.
            let person = match without {
                Some(_) => self.roster.person(who).filter(|_| !self.suspended.contains(who)),
                None => self.active_person(who),
            };
            let Some(person) = person else {
                let safe = crate::assertion::safe(who);
                return Err(refuse(Code::NotEntitled, format!("{safe} is not of the roster")));
            };
            if !seen.insert(who.as_str()) {
                return Err(refuse(Code::DistinctPerson, format!("{who} signed twice")));
            }
            signature.assertion.verify(&person.passkey, digest)?;
            if !person.review_key.verifies(&review_digest.0, &signature.review) {
                return Err(refuse(
                    Code::DigestMismatch,
                    format!("{who}'s review key signed another digest"),
                ));
            }
            let aged = self.person_since(who).is_some_and(|since| self.age_secs(since) >= min_age);
            if !aged {
                return Err(refuse(Code::CredentialTooNew, format!("{who} is too new")));
            }
            if !person.vendor && without != Some(who) {
                signers.push(person);
            }
        }
        self.judge_quorum(&signers)
    }

    fn judge_quorum(&self, signers: &[&Person]) -> Result<(), Violation> {
        let governance = &self.policy.governance.quorum;
        let quorums = self.policy.quorums.iter().map(|q| &q.groups).chain([governance]);
        for (group, need) in quorums.flatten() {
            let have = signers.iter().filter(|p| p.group == *group).count() as u64;
            if have < u64::from(*need) {
                let detail = format!("{have} of `{group}` signed, governance needs {need}");
                return Err(refuse(Code::QuorumNotMet, detail).limit(u64::from(*need), have));
            }
        }
        let zones: BTreeSet<&str> = signers.iter().map(|p| p.zone.as_str()).collect();
        let need = u64::from(self.policy.governance_zones());
        if (zones.len() as u64) < need {
            let detail = format!("{} zones signed, governance needs {need}", zones.len());
            return Err(refuse(Code::ZoneMissing, detail).limit(need, zones.len() as u64));
        }
        Ok(())
    }

    /// Enters a change that was judged: at once, or to wait.
    pub(super) fn enter_change(&mut self, entry: u64, change: &Change) {
        let digest = change.digest();
        if !self.done.insert(digest) {
            return;
        }
        match &change.kind {
            ChangeKind::Floor { amount } => self.floor = Some((*amount, entry)),
            ChangeKind::Unfreeze => {
                for act in &mut self.acts {
                    if act.as_freeze || act.act.act.kind == crate::act::ActKind::Freeze {
                        act.undone = true;
                    }
                }
            }
            ChangeKind::Undo { act, suspend } => {
                let actor = self.actor_of(&change.kind);
                for entry in &mut self.acts {
                    if entry.digest == *act {
                        entry.undone = true;
                    }
                }
                if let (true, Some(actor)) = (*suspend, actor) {
                    self.suspended.insert(actor);
                }
            }
            kind => self.pending.push(PendingChange { entry, digest, kind: kind.clone() }),
        }
    }

    /// Puts changes in force whose delay has passed, in log order. A second change of one chain that
    /// was signed under the same head falls: its head is no more.
    pub(super) fn settle(&mut self) {
        loop {
            // A policy that came into force just now may say another delay.
            let delay = u64::from(self.policy.governance.delay_hours) * 3600;
            let ripe =
                self.pending.iter().position(|p| self.age_secs(Since::Entry(p.entry)) >= delay);
            let Some(position) = ripe else { return };
            let ripe = self.pending.remove(position);
            self.put_in_force(&ripe);
            let same = |p: &PendingChange| {
                std::mem::discriminant(&p.kind) == std::mem::discriminant(&ripe.kind)
            };
            self.pending.retain(|p| !same(p));
        }
    }

    fn put_in_force(&mut self, ripe: &PendingChange) {
        match &ripe.kind {
            ChangeKind::Policy(policy) => {
                self.policy = policy.as_ref().clone();
                self.heads.policy = ripe.digest;
            }
            ChangeKind::Roster { add, remove, .. } => {
                self.roster = self.roster_after(&ripe.kind);
                for id in remove {
                    self.since.remove(id);
                }
                for enrolment in add {
                    self.since.insert(enrolment.person.id.clone(), Since::Entry(ripe.entry));
                }
                self.heads.roster = ripe.digest;
            }
            ChangeKind::Allowlist { add, remove } => {
                for script in remove {
                    self.allowlist.remove(script);
                }
                for entry in add {
                    let value = (entry.label.clone(), Since::Entry(ripe.entry));
                    self.allowlist.insert(entry.script.clone(), value);
                }
                self.heads.allowlist = ripe.digest;
            }
            ChangeKind::Floor { .. } | ChangeKind::Undo { .. } | ChangeKind::Unfreeze => {}
        }
    }
}
