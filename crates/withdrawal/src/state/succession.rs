//! Succession: whether a declaration is taken, what later entries of the old log do, and when it is in
//! force.

use std::collections::{BTreeMap, BTreeSet};

use tlog::VerifierKey;

use super::{Since, State};
use crate::act::{ActKind, OBJECT_BYTES_MAX};
use crate::approval::ChainHeads;
use crate::change::{ChangeKind, SignedChange};
use crate::code::{Code, Violation};
use crate::digest::{Digest, Tag};
use crate::entry::{Body, Entry};
use crate::succession::{Declaration, RELEASED_MAX, Recovered, Succession, WAIT_SECS};
use crate::wire::Wire as _;

/// The newest succession of a log.
#[derive(Clone, Debug)]
pub(super) struct InSuccession {
    /// Its entry.
    entry: u64,
    record: Succession,
    /// Whether it has waited and its quorum still stood.
    in_force: bool,
    old_log: VerifierKey,
    new_log: VerifierKey,
    /// Entries of the old log that were shown; those of reservations with the parts that follow them.
    shown: BTreeMap<u64, Option<(Digest, u32)>>,
}

fn rollback(detail: impl Into<String>) -> Violation {
    Violation::new(Code::StateRollback, detail)
}

impl State {
    /// Key of the log as it goes on now; none for a vault that is evaluated only.
    pub fn log(&self) -> Option<&VerifierKey> {
        match &self.succession {
            Some(succession) => Some(&succession.new_log),
            None => self.vault.log.as_ref(),
        }
    }

    /// Heads under which approvals are given now. A succession voids what was given before it: the
    /// roster's head is then tag `succession` over the chain's head and the declaration's digest.
    pub fn heads(&self) -> ChainHeads {
        let Some(succession) = &self.succession else { return self.heads };
        ChainHeads {
            roster: voided(&self.heads.roster, &succession.record.declaration.digest()),
            ..self.heads
        }
    }

    /// Why nothing is signed: a succession waits, or its quorum has fallen.
    pub fn succession_waits(&self) -> Option<Violation> {
        let succession = self.succession.as_ref().filter(|s| !s.in_force)?;
        let waited = self.age_secs(Since::Entry(succession.entry));
        let detail = if waited < WAIT_SECS {
            "a succession waits twelve hours for entries that the backup lacks"
        } else {
            "people who declared the succession were removed meanwhile; what is left is no quorum"
        };
        Some(rollback(detail).limit(WAIT_SECS, waited))
    }

    /// The newest succession's declaration.
    pub fn succession(&self) -> Option<&Declaration> {
        self.succession.as_ref().map(|s| &s.record.declaration)
    }

    /// Whether a succession may be taken as the next entry.
    pub fn judge_succession(&self, signed: &Succession) -> Result<(), Violation> {
        let declaration = &signed.declaration;
        let malformed = |what: String| Violation::new(Code::Malformed, what);
        if declaration.vault_id != self.vault.id {
            return Err(Violation::new(Code::DigestMismatch, "the succession is another vault's"));
        }
        let (Some(first), Some(current)) = (&self.vault.log, self.log()) else {
            return Err(malformed("a vault without a log".to_owned()));
        };
        let new_log = declaration.log_key(first).map_err(malformed)?;
        if declaration.released.len() > RELEASED_MAX {
            return Err(malformed(format!("more than {RELEASED_MAX} released intents")));
        }
        if signed.to_bytes().len() > OBJECT_BYTES_MAX {
            return Err(malformed("a succession is at most 16 KiB".to_owned()));
        }
        if new_log == *current {
            self.judge_renewed(signed)?;
        } else if declaration.backup_size != self.size {
            let detail = "the succession is for a backup of another size";
            return Err(rollback(detail).limit(self.size, declaration.backup_size));
        } else if declaration.old_size <= self.size {
            let detail = "nothing is lost: the backup holds every entry under the head named";
            return Err(rollback(detail).limit(self.size, declaration.old_size));
        }
        let (digest, review) = (declaration.digest(), declaration.review_digest());
        self.judge_signatures(&signed.signatures, &digest, &review)
    }

    /// Another declaration in the same new log, by other people: only while the last is not in force.
    fn judge_renewed(&self, signed: &Succession) -> Result<(), Violation> {
        let Some(last) = self.succession.as_ref().filter(|s| !s.in_force) else {
            return Err(rollback("this log's succession is in force already"));
        };
        let (new, old) = (&signed.declaration, &last.record.declaration);
        let same = (new.old_size, new.old_root, new.backup_size)
            == (old.old_size, old.old_root, old.backup_size);
        if !same || self.done.contains_key(&new.digest()) {
            return Err(rollback("a renewed declaration names the same heads, and is new"));
        }
        Ok(())
    }

    pub(super) fn enter_succession(&mut self, entry: u64, signed: &Succession) {
        let Some((old_log, new_log)) = self.logs_of(signed) else { return };
        let shown = match self.succession.take() {
            Some(last) if last.new_log == new_log => last.shown,
            _ => BTreeMap::new(),
        };
        self.done.insert(signed.declaration.digest(), entry);
        self.ledger.succeed(entry, &signed.declaration.released);
        let record = signed.clone();
        let in_force = false;
        self.succession = Some(InSuccession { entry, record, in_force, old_log, new_log, shown });
    }

    fn logs_of(&self, signed: &Succession) -> Option<(VerifierKey, VerifierKey)> {
        let new_log = signed.declaration.log_key(self.vault.log.as_ref()?).ok()?;
        let old_log = match &self.succession {
            Some(last) if last.new_log == new_log => last.old_log.clone(),
            _ => self.log()?.clone(),
        };
        Some((old_log, new_log))
    }

    /// Whether an entry of the old log may be taken; the entry.
    pub fn judge_recovered(&self, recovered: &Recovered) -> Result<Entry, Violation> {
        let Some(succession) = &self.succession else {
            return Err(rollback("no succession: the log's own entries are restored instead"));
        };
        if succession.shown.contains_key(&recovered.entry) {
            return Err(rollback(format!("entry {} was shown already", recovered.entry)));
        }
        recovered
            .check(&succession.record.declaration, &succession.old_log)
            .map_err(|e| Violation::new(Code::DigestMismatch, e))?;
        let entry = Entry::from_bytes(&recovered.bytes)
            .map_err(|e| Violation::new(Code::Malformed, format!("recovered entry: {e}")))?;
        let known = match &entry.body {
            Body::Act(_) | Body::Change(_) | Body::Reservation(_) | Body::Countersigned(_) => true,
            Body::Payments(_) => self.reservation_of(recovered.entry).is_some(),
            _ => false,
        };
        if known {
            return Ok(entry);
        }
        let detail = format!("a `{}` entry changes nothing here", entry.body.name());
        Err(Violation::new(Code::Malformed, detail))
    }

    /// The shown reservation that an entry of payments belongs to.
    fn reservation_of(&self, payments: u64) -> Option<Digest> {
        let shown = &self.succession.as_ref()?.shown;
        let (entry, part) = shown.range(..payments).rev().find(|(_, part)| part.is_some())?;
        let (intent, more) = (*part)?;
        (payments - entry <= u64::from(more)).then_some(intent)
    }

    /// Applies an entry that the old log is proven to have held. It was judged when it was written:
    /// whatever makes the vault stricter counts, whoever its author was.
    pub(super) fn enter_recovered(&mut self, index: u64, recovered: &Recovered, entry: &Entry) {
        let mut part = None;
        match &entry.body {
            Body::Act(act) => self.enter_act(index, act),
            Body::Change(change) => self.recover_change(index, change),
            Body::Reservation(reservation) => {
                part = Some((reservation.intent, reservation.more));
                if self.ledger.reserve(index, reservation).is_err() {
                    self.ledger.succeed(index, &[reservation.intent]);
                }
                self.ledger.start(index);
            }
            Body::Payments(payments) => {
                if let Some(intent) = self.reservation_of(recovered.entry) {
                    // Sums were bounded when the old log took them.
                    let _ = self.ledger.add_payments(&intent, payments);
                }
            }
            Body::Countersigned(signed) => self.ledger.succeed(index, &[signed.intent]),
            _ => {}
        }
        if let Some(succession) = &mut self.succession {
            succession.shown.insert(recovered.entry, part);
        }
    }

    /// A change waits its delay again; people whom it removes count no more at once.
    fn recover_change(&mut self, index: u64, change: &SignedChange) {
        if let ChangeKind::Roster { remove, .. } = &change.change.kind {
            self.suspended.extend(remove.iter().map(|id| (id.clone(), index)));
        }
        if self.judge_change(change).is_ok() {
            self.enter_change(index, &change.change);
        }
    }

    /// Puts a succession in force that has waited, if those of its people who still count are a quorum.
    pub(super) fn settle_succession(&mut self) {
        let Some(succession) = self.succession.as_ref().filter(|s| !s.in_force) else { return };
        if self.age_secs(Since::Entry(succession.entry)) < WAIT_SECS {
            return;
        }
        let gone = self.revoked_by_anyone();
        let record = &succession.record;
        let mut left = record.signatures.clone();
        left.retain(|s| self.is_active(&s.person) && !gone.contains(s.person.as_str()));
        let (digest, review) = (record.declaration.digest(), record.declaration.review_digest());
        if self.judge_signatures(&left, &digest, &review).is_ok()
            && let Some(succession) = &mut self.succession
        {
            succession.in_force = true;
        }
    }

    /// People against whom a revocation stands, even one that is only a freeze and a proposal.
    fn revoked_by_anyone(&self) -> BTreeSet<&str> {
        let standing = self.acts.iter().filter(|a| !a.undone);
        let revoked = standing.filter_map(|a| match &a.act.act.kind {
            ActKind::Revoke { person } => Some(person.as_str()),
            _ => None,
        });
        revoked.collect()
    }
}

/// The roster's head for approvals behind a succession.
pub(crate) fn voided(roster: &Digest, declaration: &Digest) -> Digest {
    Tag::Succession.digest(&[roster.0, declaration.0].concat())
}
