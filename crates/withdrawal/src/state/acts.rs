//! One-person acts: who may, how often, and what is in force.

use bitcoin::Script;

use super::State;
use crate::act::{ACTS_PER_DAY, ActKind, Author, SignedAct, WIDE_ACTS_PER_DAY};
use crate::code::{Code, Violation};
use crate::digest::Digest;
use crate::policy::Limit;

/// An act that the log holds.
#[derive(Clone, Debug)]
pub struct ActInForce {
    /// Its entry.
    pub entry: u64,
    /// Its digest.
    pub digest: Digest,
    /// The act.
    pub act: SignedAct,
    /// A quorum has undone it.
    pub undone: bool,
    /// It would have left fewer people than a quorum: it is a freeze, and its revocation a proposal.
    pub as_freeze: bool,
    /// It came from the log before a succession.
    pub recovered: bool,
}

/// Why an act is not taken.
pub type ActRefusal = Violation;

impl State {
    fn in_force(&self) -> impl Iterator<Item = &ActInForce> {
        self.acts.iter().filter(|a| !a.undone)
    }

    pub(super) fn is_revoked(&self, id: &str) -> bool {
        self.in_force().any(|a| {
            !a.as_freeze && matches!(&a.act.act.kind, ActKind::Revoke { person } if person == id)
        })
    }

    pub(super) fn lowered(&self) -> Vec<(Limit, u64)> {
        self.in_force()
            .filter_map(|a| match a.act.act.kind {
                ActKind::Lower { limit, value } => Some((limit, value)),
                _ => None,
            })
            .collect()
    }

    /// Who froze the vault, while it is frozen.
    pub fn frozen_by(&self) -> Option<&Author> {
        let freeze = self.in_force().find(|a| a.as_freeze || a.act.act.kind == ActKind::Freeze);
        freeze.map(|a| &a.act.act.author)
    }

    /// Whether one person has removed an address.
    pub fn is_removed(&self, script: &Script) -> bool {
        self.in_force().any(|a| {
            matches!(&a.act.act.kind, ActKind::RemoveAddress { script: removed } if removed == script)
        })
    }

    /// Acts in force against an intent: reject, veto or cancellation.
    pub fn acts_against(&self, intent: &Digest) -> Vec<&ActInForce> {
        self.in_force()
            .filter(|a| match &a.act.act.kind {
                ActKind::Veto { intent: i }
                | ActKind::Reject { intent: i }
                | ActKind::Cancel { intent: i } => i == intent,
                _ => false,
            })
            .collect()
    }

    /// Whether an act may be taken now; the signature is checked first, so strangers cost little.
    pub fn judge_act(&self, signed: &SignedAct) -> Result<(), ActRefusal> {
        let refuse = |code, detail: String| Err(Violation::new(code, detail));
        let act = &signed.act;
        if act.vault_id != self.vault.id {
            return refuse(Code::DigestMismatch, "the act is for another vault".to_owned());
        }
        let key = match &act.author {
            Author::Person(id) => match self.roster.person(id) {
                Some(person) if !self.suspended.contains_key(id) => person.review_key,
                _ => {
                    return refuse(
                        Code::NotEntitled,
                        "nobody of the roster by that name".to_owned(),
                    );
                }
            },
            Author::Requester(key) => *key,
        };
        let digest = act.digest();
        if !key.verifies(&digest.0, &signed.signature) {
            return refuse(Code::DigestMismatch, "the signature is not its author's".to_owned());
        }
        if self.done.contains_key(&digest) {
            return match self.acts.iter().find(|a| a.digest == digest) {
                Some(known) if known.undone => {
                    refuse(Code::NotEntitled, "the act was undone by a quorum".to_owned())
                }
                _ => Ok(()),
            };
        }
        match (&act.author, &act.kind) {
            (Author::Person(id), _) if self.is_revoked(id) => {
                refuse(Code::NotEntitled, format!("{id} was revoked"))
            }
            (Author::Person(id), ActKind::Revoke { person })
                if self.roster.person(person).is_none() =>
            {
                let who = crate::assertion::safe(person);
                refuse(Code::NotEntitled, format!("nobody called {who} in {id}'s roster"))
            }
            (Author::Person(id), ActKind::Cancel { intent }) => {
                self.judge_cancel(intent)?;
                self.judge_budget(id, &act.kind)
            }
            (Author::Person(id), _) => self.judge_budget(id, &act.kind),
            (Author::Requester(key), ActKind::Cancel { intent }) => {
                let own = self.ledger.intent(intent).is_some_and(|i| i.requester == *key);
                if !own {
                    return refuse(
                        Code::NotEntitled,
                        "not what this requester asked for".to_owned(),
                    );
                }
                self.judge_cancel(intent)
            }
            (Author::Requester(_), _) => {
                refuse(Code::NotEntitled, "a requester may cancel and nothing else".to_owned())
            }
        }
    }

    fn judge_cancel(&self, intent: &Digest) -> Result<(), ActRefusal> {
        // An intent never reserved may be cancelled too: it then never will be.
        let released = self.ledger.intent(intent).is_some_and(|i| i.counts_as_signed());
        if released {
            let detail = "the intent is signed, or may be; its coins stay with it";
            return Err(Violation::new(Code::AlreadyReleased, detail));
        }
        let cancels = |a: &&ActInForce| matches!(&a.act.act.kind, ActKind::Cancel { intent: i } if i == intent);
        if let Some(known) = self.in_force().find(cancels) {
            let detail = format!("the intent was cancelled by entry {} already", known.entry);
            return Err(Violation::new(Code::Cancelled, detail));
        }
        Ok(())
    }

    /// So many acts of a sort a person a day, by the witnesses' time.
    fn judge_budget(&self, id: &str, kind: &ActKind) -> Result<(), ActRefusal> {
        let (sort, limit) = budget(id, kind);
        let day = self.acts.iter().filter(|a| {
            a.act.act.author == Author::Person(id.to_owned())
                && budget(id, &a.act.act.kind).0 == sort
                && self.age_secs(super::Since::Entry(a.entry)) < 86_400
        });
        let count = day.count();
        if count >= limit {
            let detail = format!("{id} has acted {count} times today");
            let violation = Violation::new(Code::Budget, detail);
            return Err(violation.limit(limit as u64, count as u64));
        }
        Ok(())
    }

    /// Whether revoking a person would leave fewer people than some quorum needs.
    pub(super) fn would_disable(&self, id: &str) -> bool {
        let mut left = self.roster.clone();
        left.persons.retain(|p| p.id != id && self.is_active(&p.id));
        self.policy.unmeetable(&left).is_some()
    }
}

/// Acts that are counted together, and how many of them a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Own keys and freezing.
    Own,
    /// Saying no to single intents.
    Reject,
    /// Everything else.
    Tighten,
}

fn budget(id: &str, kind: &ActKind) -> (Sort, usize) {
    match kind {
        ActKind::Freeze => (Sort::Own, WIDE_ACTS_PER_DAY),
        ActKind::Revoke { person } if person == id => (Sort::Own, WIDE_ACTS_PER_DAY),
        ActKind::Reject { .. } => (Sort::Reject, WIDE_ACTS_PER_DAY),
        _ => (Sort::Tighten, ACTS_PER_DAY),
    }
}
