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

/// Number and hash of an entry.
type Shown = (u64, [u8; 32]);
/// Intent of a reservation, and how many entries of payments follow it.
type Part = (Digest, u32);

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
    /// Entries of the old log that were shown, by number and hash; those of reservations with the parts
    /// that follow them.
    shown: BTreeMap<Shown, Option<Part>>,
    /// People whom shown entries remove: their word does not count in this succession.
    discounted: BTreeSet<String>,
}

fn key(recovered: &Recovered) -> Shown {
    (recovered.entry, tlog::record_hash(&recovered.bytes).0)
}

/// Whether a change is one of a chain that waits its delay, and not of the witnesses: those of the old
/// log are the ones that must follow the new one.
const fn is_chained(kind: &ChangeKind) -> bool {
    !kind.is_immediate() && !matches!(kind, ChangeKind::Witnesses { .. })
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
        let (shown, discounted) = match self.succession.take() {
            Some(last) if last.new_log == new_log => (last.shown, last.discounted),
            _ => Default::default(),
        };
        if self.log_names.is_empty() {
            self.log_names.push(old_log.name().to_owned());
        }
        if self.log_names.last().is_none_or(|name| name != new_log.name()) {
            self.log_names.push(new_log.name().to_owned());
        }
        self.done.insert(signed.declaration.digest(), entry);
        self.ledger.succeed(entry, &signed.declaration.released);
        self.succession = Some(InSuccession {
            entry,
            record: signed.clone(),
            in_force: false,
            old_log,
            new_log,
            shown,
            discounted,
        });
    }

    /// Whether this log went by a name before a succession.
    pub fn was_called(&self, name: &str) -> bool {
        let (_, before) = self.log_names.split_last().unzip();
        before.is_some_and(|names: &[String]| names.iter().any(|n| n == name))
    }

    /// Whether an entry stands behind the newest succession.
    pub(super) fn is_newer(&self, entry: u64) -> bool {
        self.succession.as_ref().is_some_and(|s| entry > s.entry)
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
        recovered
            .check(&succession.record.declaration, &succession.old_log)
            .map_err(|e| Violation::new(Code::DigestMismatch, e))?;
        let entry = Entry::from_bytes(&recovered.bytes)
            .map_err(|e| Violation::new(Code::Malformed, format!("recovered entry: {e}")))?;
        let useless = |what: String| Err(Violation::new(Code::Malformed, what));
        match &entry.body {
            Body::Act(_) | Body::Reservation(_) | Body::Countersigned(_) => {}
            Body::Change(change) if !succession.in_force && is_chained(&change.change.kind) => {
                // Shown again it may find the change before it in its place by now.
                if self.judge_recovered_change(change).is_ok() {
                    return Ok(entry);
                }
            }
            Body::Payments(_) if self.reservation_of(recovered.entry).is_some() => {}
            other => return useless(format!("a `{}` entry changes nothing here", other.name())),
        }
        if succession.shown.contains_key(&key(recovered)) {
            return Err(rollback(format!("entry {} was shown already", recovered.entry)));
        }
        Ok(entry)
    }

    /// The shown reservation that an entry of payments belongs to.
    fn reservation_of(&self, payments: u64) -> Option<Digest> {
        let shown = &self.succession.as_ref()?.shown;
        let mut before = shown.range(..(payments, [0; 32])).rev();
        let ((entry, _), part) = before.find(|(_, part)| part.is_some())?;
        let (intent, more) = (*part)?;
        (payments - entry <= u64::from(more)).then_some(intent)
    }

    /// Applies an entry that the old log is proven to have held: whatever makes the vault stricter
    /// counts, whoever its author was; what loosens is judged as ever, or left out.
    pub(super) fn enter_recovered(&mut self, index: u64, recovered: &Recovered, entry: &Entry) {
        let mut part = None;
        match &entry.body {
            Body::Act(act) => {
                self.enter_act(index, act);
                // It stands, also where somebody had it undone since.
                let digest = act.act.digest();
                for known in self.acts.iter_mut().filter(|a| a.digest == digest) {
                    (known.undone, known.recovered) = (false, true);
                }
            }
            Body::Change(change) => self.recover_change(index, change),
            Body::Reservation(reservation) => {
                part = Some((reservation.intent, reservation.more));
                self.ledger.recover(index, reservation);
            }
            Body::Payments(payments) => {
                if let Some(intent) = self.reservation_of(recovered.entry) {
                    // Sums were bounded when the old log took them.
                    let _ = self.ledger.add_payments(&intent, payments);
                }
            }
            Body::Countersigned(signed) => self.ledger.recover_signed(&signed.intent),
            _ => {}
        }
        if let Some(succession) = &mut self.succession {
            succession.shown.insert(key(recovered), part);
        }
    }

    /// A change of the old log, judged by its signatures and by what it continues: the present head, or
    /// a recovered change that waits. How long it was open does not matter: it was entered then.
    fn judge_recovered_change(&self, signed: &SignedChange) -> Result<(), Violation> {
        let change = &signed.change;
        let waits = self.pending.iter().any(|p| p.digest == change.previous);
        let continues = change.previous == self.head_for(&change.kind) || waits;
        if change.vault_id != self.vault.id || !continues {
            return Err(rollback("the change continues one that was not shown yet"));
        }
        if let Some(entry) = self.change_entry(&change.digest()) {
            return Err(rollback(format!("the change stands in entry {entry} already")));
        }
        self.judge_content(&change.kind)?;
        self.judge_signed(signed)
    }

    /// A change waits its delay again. People whom it removes count no more in the succession; nor in
    /// anything else, where the change is sound and enough people are left.
    fn recover_change(&mut self, index: u64, signed: &SignedChange) {
        let sound = self.judge_recovered_change(signed).is_ok();
        if let ChangeKind::Roster { add, remove, .. } = &signed.change.kind {
            if let Some(succession) = &mut self.succession {
                succession.discounted.extend(remove.iter().cloned());
            }
            // Who comes back with new keys is suspended until then, where that leaves enough people.
            let comes_back = |id: &&String| add.iter().any(|e| e.person.id == **id);
            let gone: Vec<&String> = remove.iter().filter(|id| !comes_back(id)).collect();
            let mut choices = [remove.iter().collect(), gone].into_iter();
            let suspended = choices.find(|gone: &Vec<&String>| {
                let mut left = self.roster.clone();
                left.persons.retain(|p| self.is_active(&p.id) && !gone.contains(&&p.id));
                sound && self.policy.unmeetable(&left).is_none()
            });
            let suspended = suspended.unwrap_or_default();
            self.suspended.extend(suspended.into_iter().map(|id| (id.clone(), index)));
        }
        if sound {
            self.enter_change(index, &signed.change);
        }
    }

    /// Puts a succession in force that has waited, if those of its people who still count are a quorum.
    ///
    /// Says whether it did.
    pub(super) fn settle_succession(&mut self) -> bool {
        let Some(succession) = self.succession.as_ref().filter(|s| !s.in_force) else {
            return false;
        };
        if self.age_secs(Since::Entry(succession.entry)) < WAIT_SECS {
            return false;
        }
        let gone = self.revoked_by_anyone();
        let record = &succession.record;
        let mut left = record.signatures.clone();
        left.retain(|s| {
            let who = s.person.as_str();
            self.is_active(who) && !gone.contains(who) && !succession.discounted.contains(who)
        });
        let (digest, review) = (record.declaration.digest(), record.declaration.review_digest());
        if self.judge_signatures(&left, &digest, &review).is_ok()
            && let Some(succession) = &mut self.succession
        {
            succession.in_force = true;
            return true;
        }
        false
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
