//! Changes by quorum: who must sign, and what a change does once its delay has passed.

use std::collections::BTreeSet;

use super::{PendingChange, Since, State};
use crate::act::{ActKind, Author};
use crate::change::{Change, ChangeKind, ChangeSignature, OPEN_SECS_MAX, SignedChange};
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
            ChangeKind::Policy(_) | ChangeKind::Witnesses { .. } => self.heads.policy,
            ChangeKind::Allowlist { .. } => self.heads.allowlist,
            _ => self.heads.roster,
        }
    }

    /// Whether a change may be taken: its content is sound and a governance quorum signed it.
    pub fn judge_change(&self, signed: &SignedChange) -> Result<(), Violation> {
        if self.now().is_none() {
            let detail =
                "no time was accepted yet, so that nobody can tell whether the change ran out";
            return Err(refuse(Code::ClockUntrusted, detail));
        }
        self.judge_proposal(&signed.change)?;
        self.judge_signed(signed)
    }

    /// Whether enough people who count signed a change.
    pub(super) fn judge_signed(&self, signed: &SignedChange) -> Result<(), Violation> {
        let change = &signed.change;
        let (digest, review) = (change.digest(), change.review_digest());
        match self.actor_of(&change.kind) {
            None => self.judge_signatures(&signed.signatures, &digest, &review),
            Some(actor) => {
                let undone = match &change.kind {
                    ChangeKind::Undo { act, .. } => Some(act),
                    _ => None,
                };
                let counts = |id: &str| {
                    !self.suspended.contains_key(id) && self.may_undo(id, &actor, undone)
                };
                self.judge_signers(&signed.signatures, &digest, &review, counts, Some(&actor))
            }
        }
    }

    /// The same without the signatures: whether it is worth anybody's.
    pub fn judge_proposal(&self, change: &Change) -> Result<(), Violation> {
        if change.vault_id != self.vault.id {
            return Err(refuse(Code::DigestMismatch, "the change is for another vault"));
        }
        let digest = change.digest();
        if let Some(entry) = self.done.get(&digest) {
            let detail = format!("the change stands in entry {entry} already");
            return Err(refuse(Code::AlreadyReleased, detail));
        }
        self.judge_age(change)?;
        self.judge_while_waiting(&change.kind)?;
        if change.previous != self.head_for(&change.kind) {
            let code = match change.kind {
                ChangeKind::Policy(_) | ChangeKind::Witnesses { .. } => Code::PolicyChanged,
                ChangeKind::Allowlist { .. } => Code::AllowlistChanged,
                _ => Code::RosterChanged,
            };
            return Err(refuse(code, "the change continues another head than the present one"));
        }
        self.judge_content(&change.kind)
    }

    /// While a succession waits nobody changes anything: who counts is what the wait is for. Only acts
    /// of the new log itself are undone, so that one person can't keep it waiting for ever.
    fn judge_while_waiting(&self, kind: &ChangeKind) -> Result<(), Violation> {
        let Some(waits) = self.succession_waits() else { return Ok(()) };
        let fresh = |digest: &Digest| {
            self.acts.iter().any(|a| a.digest == *digest && !a.recovered && self.is_newer(a.entry))
        };
        match kind {
            ChangeKind::Undo { act, .. } if fresh(act) => Ok(()),
            _ => Err(waits),
        }
    }

    /// A change is entered while its signers expect it to be.
    fn judge_age(&self, change: &Change) -> Result<(), Violation> {
        let Some(now) = self.now() else { return Ok(()) };
        if now.high > change.not_after {
            let detail = format!("the change ran out at {}", change.not_after);
            return Err(refuse(Code::Expired, detail));
        }
        if change.not_after > now.low.plus(OPEN_SECS_MAX) {
            let detail = "a change is open for thirty days at most";
            return Err(refuse(Code::Expired, detail));
        }
        Ok(())
    }

    /// The entry that holds a change, if one does.
    pub fn change_entry(&self, digest: &Digest) -> Option<u64> {
        self.done.get(digest).copied()
    }

    /// Who did what an undo undoes; that person's word does not count in it.
    fn actor_of(&self, kind: &ChangeKind) -> Option<String> {
        let ChangeKind::Undo { act, .. } = kind else { return None };
        self.acts.iter().find(|a| a.digest == *act).and_then(|a| match &a.act.act.author {
            Author::Person(id) => Some(id.clone()),
            Author::Requester(_) => None,
        })
    }

    pub(super) fn judge_content(&self, kind: &ChangeKind) -> Result<(), Violation> {
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
            ChangeKind::Undo { act, suspend } => self.judge_undo(act, *suspend),
            ChangeKind::Unfreeze { acts } => {
                let frozen = self.freezes();
                match acts.iter().find(|act| !frozen.contains(act)) {
                    _ if acts.is_empty() => Err(malformed("no freeze is named".to_owned())),
                    Some(act) => Err(malformed(format!("no freeze {act} is in force"))),
                    None => Ok(()),
                }
            }
            ChangeKind::Witnesses { policy, hostile } => self.judge_witnesses(policy, *hostile),
            ChangeKind::Floor { .. } | ChangeKind::FeeCap { .. } => Ok(()),
        }
    }

    fn judge_undo(&self, digest: &Digest, suspend: bool) -> Result<(), Violation> {
        let act = self.acts.iter().find(|a| a.digest == *digest && !a.undone);
        let Some(act) = act else {
            return Err(refuse(Code::Malformed, format!("no act {digest} is in force")));
        };
        if matches!(act.act.act.kind, ActKind::Cancel { .. }) {
            return Err(refuse(Code::Cancelled, "an intent that was cancelled is so for ever"));
        }
        if let (true, Author::Person(id)) = (suspend, &act.act.act.author) {
            let mut left = self.roster.clone();
            left.persons.retain(|p| p.id != *id && !self.suspended.contains_key(&p.id));
            if let Some(what) = self.policy.unmeetable(&left) {
                return Err(refuse(Code::QuorumNotMet, format!("leaves too few: {what}")));
            }
        }
        Ok(())
    }

    /// Digests of the freezes in force, revocations that are only freezes included.
    pub fn freezes(&self) -> Vec<Digest> {
        let standing = self.acts.iter().filter(|a| !a.undone);
        let freezes = standing.filter(|a| a.as_freeze || a.act.act.kind == ActKind::Freeze);
        freezes.map(|a| a.digest).collect()
    }

    /// Whether a person's word counts in undoing an act of `actor`: nobody else has revoked him, nor
    /// he himself, and it is not his own revocation that is undone.
    fn may_undo(&self, id: &str, actor: &str, undone: Option<&Digest>) -> bool {
        let against = self.acts.iter().filter(|a| {
            !a.undone && matches!(&a.act.act.kind, ActKind::Revoke { person } if person == id)
        });
        let mut against = against.filter(|a| !a.as_freeze);
        against.all(|a| {
            Some(&a.digest) != undone && a.act.act.author == Author::Person(actor.to_owned())
        })
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

    /// Whether anyone of the roster signed a change with both keys.
    pub fn is_signed_by_any(&self, signed: &SignedChange) -> bool {
        let (digest, review) = (signed.change.digest(), signed.change.review_digest());
        signed.signatures.iter().take(crate::person::PERSONS_MAX).any(|signature| {
            self.roster.person(&signature.person).is_some_and(|person| {
                person.review_key.verifies(&review.0, &signature.review)
                    && signature.assertion.verify(&person.passkey, &digest).is_ok()
            })
        })
    }

    /// Both signatures of each of enough distinct, aged, active people of no vendor.
    pub fn judge_signatures(
        &self,
        signatures: &[ChangeSignature],
        digest: &Digest,
        review_digest: &Digest,
    ) -> Result<(), Violation> {
        self.judge_signers(signatures, digest, review_digest, |id| self.is_active(id), None)
    }

    fn judge_signers(
        &self,
        signatures: &[ChangeSignature],
        digest: &Digest,
        review_digest: &Digest,
        counts: impl Fn(&str) -> bool,
        without: Option<&str>,
    ) -> Result<(), Violation> {
        let mut signers: Vec<&Person> = Vec::new();
        let mut seen = BTreeSet::new();
        let min_age = u64::from(self.policy.governance.credential_min_age_hours) * 3600;
        for signature in signatures.iter().take(crate::person::PERSONS_MAX) {
            let who = &signature.person;
            let Some(person) = self.roster.person(who).filter(|_| counts(who)) else {
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
        self.done.insert(digest, entry);
        match &change.kind {
            ChangeKind::Floor { amount } => self.floor = Some((*amount, entry)),
            ChangeKind::FeeCap { intent, max_fee } => {
                self.fee_caps.insert(*intent, *max_fee);
            }
            ChangeKind::Unfreeze { acts } => {
                for act in self.acts.iter_mut().filter(|a| acts.contains(&a.digest)) {
                    act.undone = true;
                }
            }
            ChangeKind::Undo { act, suspend } => {
                let (actor, entry_number) = (self.actor_of(&change.kind), entry);
                for entry in &mut self.acts {
                    if entry.digest == *act {
                        entry.undone = true;
                    }
                }
                if let (true, Some(actor)) = (*suspend, actor) {
                    self.suspended.insert(actor, entry_number);
                }
            }
            kind => {
                let (kind, previous) = (kind.clone(), change.previous);
                self.pending.push(PendingChange { entry, digest, kind, previous });
            }
        }
    }

    /// Puts changes in force whose delay has passed, in log order. A second change of one chain that
    /// was signed under the same head falls: its head is no more.
    ///
    /// Says whether anything changed.
    pub(super) fn settle(&mut self) -> bool {
        let mut changed = false;
        loop {
            // A policy that came into force just now may say another delay.
            let delay = u64::from(self.policy.governance.delay_hours) * 3600;
            // A change of witnesses waits for their cosignatures besides, and for no time alone.
            let by_time = |p: &PendingChange| {
                !matches!(p.kind, ChangeKind::Witnesses { .. })
                    && p.previous == self.head_for(&p.kind)
                    && self.age_secs(Since::Entry(p.entry)) >= delay
            };
            let ripe = self.pending.iter().position(by_time);
            let Some(position) = ripe else { return changed };
            changed = true;
            let ripe = self.pending.remove(position);
            // Each was sound when it was taken; together two might leave nobody who can decide.
            if self.closes_governance(&ripe.kind) {
                continue;
            }
            self.put_in_force(&ripe);
            // Policy and witnesses are one chain.
            let same = |p: &PendingChange| match (&p.kind, &ripe.kind) {
                (ChangeKind::Witnesses { .. }, ChangeKind::Policy(_)) => true,
                (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
            };
            // One that continues this very change waits on; it came from a log before a succession.
            self.pending.retain(|p| !same(p) || p.previous == ripe.digest);
        }
    }

    fn closes_governance(&self, kind: &ChangeKind) -> bool {
        match kind {
            ChangeKind::Policy(policy) => policy.unmeetable(&self.roster).is_some(),
            ChangeKind::Roster { .. } => {
                let next = self.roster_after(kind);
                next.fault().is_some() || self.policy.unmeetable(&next).is_some()
            }
            _ => false,
        }
    }

    fn put_in_force(&mut self, ripe: &PendingChange) {
        self.chain.push(ripe.digest);
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
                    let id = &enrolment.person.id;
                    self.since.insert(id.clone(), Since::Entry(ripe.entry));
                    self.forgive(id, ripe.entry);
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
            ChangeKind::Floor { .. }
            | ChangeKind::Undo { .. }
            | ChangeKind::Unfreeze { .. }
            | ChangeKind::FeeCap { .. }
            | ChangeKind::Witnesses { .. } => {}
        }
    }

    /// What stood against the old credentials of a person does not stand against new ones that a
    /// quorum gave later. What was done after the quorum's entry does.
    fn forgive(&mut self, id: &str, before: u64) {
        self.suspended.retain(|who, entry| who != id || *entry > before);
        for act in self.acts.iter_mut().filter(|a| a.entry < before) {
            if matches!(&act.act.act.kind, ActKind::Revoke { person } if person == id) {
                act.undone = true;
            }
        }
    }
}
