//! Applying entries: the one way that state changes, live and when a log is read again.

use super::{ActInForce, State};
use crate::act::{ActKind, SignedAct};
use crate::entry::{Body, Entry, Sight};

/// An entry that can't follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {what}")]
pub struct ApplyError {
    /// Its number.
    pub index: u64,
    /// Why not.
    pub what: String,
}

impl State {
    /// Applies the next entry. Acts and changes are judged again: a log is no one's word for them.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        let index = self.size;
        let fail = |what: String| ApplyError { index, what };
        if entry.version != 1 {
            return Err(fail(format!("entry format {} is not understood", entry.version)));
        }
        self.observe(&entry.observed).map_err(fail)?;
        let more = self.open_parts.map_or(0, |(_, more)| more);
        if more > 0 && !matches!(entry.body, Body::Payments(_)) {
            return Err(fail(format!("{more} more entries of payments are missing")));
        }
        match &entry.body {
            Body::Genesis(signed) => {
                if index != 0 || signed.genesis.vault_id() != self.vault.id {
                    return Err(fail("genesis stands first and is this vault's".to_owned()));
                }
            }
            _ if index == 0 => return Err(fail("the first entry is genesis".to_owned())),
            Body::Start { .. } => {
                self.starts += 1;
                self.last_start = Some(index);
                self.ledger.start(index);
            }
            Body::Tick { .. } => {}
            Body::Reservation(reservation) => {
                self.ledger.reserve(index, reservation).map_err(fail)?;
                self.open_parts = Some((reservation.intent, reservation.more));
            }
            Body::Payments(payments) => {
                let Some((intent, more)) = self.open_parts.filter(|(_, more)| *more > 0) else {
                    return Err(fail("payments without a reservation before them".to_owned()));
                };
                self.ledger.add_payments(&intent, payments).map_err(fail)?;
                self.open_parts = Some((intent, more - 1));
            }
            Body::Countersigned(signed) => self.ledger.sign(index, signed).map_err(fail)?,
            Body::Act(act) => {
                self.judge_act(act).map_err(|v| fail(format!("{}: {}", v.code, v.detail)))?;
                self.enter_act(index, act);
            }
            Body::Change(change) => {
                self.judge_change(change).map_err(|v| fail(format!("{}: {}", v.code, v.detail)))?;
                self.enter_change(index, &change.change);
            }
            Body::Succession(succession) => {
                self.judge_succession(succession)
                    .map_err(|v| fail(format!("{}: {}", v.code, v.detail)))?;
                self.enter_succession(index, succession);
            }
            Body::Witnessed { change, head } => {
                let next = self
                    .judge_switch(change, head)
                    .map_err(|v| fail(format!("{}: {}", v.code, v.detail)))?;
                self.enter_switch(change, next);
            }
            Body::Recovered(recovered) => {
                let entry = self
                    .judge_recovered(recovered)
                    .map_err(|v| fail(format!("{}: {}", v.code, v.detail)))?;
                self.enter_recovered(index, recovered, &entry);
            }
        }
        self.size += 1;
        let settled = self.settle();
        self.sticky = self.settle_succession() || settled;
        Ok(())
    }

    /// Accepts what an entry says was accepted; live, that has happened already.
    fn observe(&mut self, observed: &[Sight]) -> Result<(), String> {
        if self.unlogged != observed {
            for sight in observed {
                self.accept(sight.size, sight.now)
                    .map_err(|v| format!("{}: {}", v.code, v.detail))?;
            }
        }
        self.unlogged.clear();
        self.sticky = false;
        Ok(())
    }

    pub(super) fn enter_act(&mut self, index: u64, signed: &SignedAct) {
        let digest = signed.act.digest();
        if self.done.contains_key(&digest) {
            return;
        }
        self.done.insert(digest, index);
        let as_freeze =
            matches!(&signed.act.kind, ActKind::Revoke { person } if self.would_disable(person));
        if let ActKind::Cancel { intent } = &signed.act.kind {
            // Live this was judged; one of an old log that may be signed by now frees nothing.
            if !self.ledger.intent(intent).is_some_and(|i| i.counts_as_signed()) {
                self.ledger.cancel(intent);
            }
        }
        let act = signed.clone();
        let (undone, recovered) = (false, false);
        self.acts.push(ActInForce { entry: index, digest, act, undone, as_freeze, recovered });
    }
}
