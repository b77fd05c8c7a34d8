//! What takes a governance quorum: loosening, undoing, balance floors. Both signatures of each person.

use bitcoin::{Amount, ScriptBuf};

use crate::assertion::Assertion;
use crate::digest::{Digest, Tag};
use crate::genesis::AllowedAddress;
use crate::keys::KeySignature;
use crate::person::{Enrolment, Requester};
use crate::policy::Policy;
use crate::time::Timestamp;
use crate::wire::{Reader, Wire, WireError, wire_struct};

/// What is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// People and requesters come and go.
    Roster {
        /// New people, with their own signed records.
        add: Vec<Enrolment>,
        /// Ids of those who leave.
        remove: Vec<String>,
        /// New requesters.
        add_requesters: Vec<Requester>,
        /// Names of requesters who leave.
        remove_requesters: Vec<String>,
    },
    /// A new policy, whole.
    Policy(Box<Policy>),
    /// Addresses come and go.
    Allowlist {
        /// New ones.
        add: Vec<AllowedAddress>,
        /// Scripts of those that leave.
        remove: Vec<ScriptBuf>,
    },
    /// The people's word that the vault holds at least this much, good for thirty days.
    Floor {
        /// The sum.
        amount: Amount,
    },
    /// A one-person act is undone at once.
    Undo {
        /// The act's digest.
        act: Digest,
        /// Whether its author is suspended.
        suspend: bool,
    },
    /// Freezes are undone at once: these, and none that comes later.
    Unfreeze {
        /// Digests of the acts.
        acts: Vec<Digest>,
    },
    /// One intent's transactions may cost more than its requester said.
    FeeCap {
        /// Its digest.
        intent: Digest,
        /// The highest fee; the policy's caps stay.
        max_fee: Amount,
    },
    /// One witness is replaced by another.
    Witnesses {
        /// The new witness policy, whole, in its text form.
        policy: String,
        /// How many of them may be hostile.
        hostile: u8,
    },
}

impl Wire for ChangeKind {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Roster { add, remove, add_requesters, remove_requesters } => {
                out.push(1);
                add.put(out);
                remove.put(out);
                add_requesters.put(out);
                remove_requesters.put(out);
            }
            Self::Policy(policy) => {
                out.push(2);
                policy.put(out);
            }
            Self::Allowlist { add, remove } => {
                out.push(3);
                add.put(out);
                remove.put(out);
            }
            Self::Floor { amount } => {
                out.push(4);
                amount.put(out);
            }
            Self::Undo { act, suspend } => {
                out.push(5);
                act.put(out);
                suspend.put(out);
            }
            Self::Unfreeze { acts } => {
                out.push(6);
                acts.put(out);
            }
            Self::FeeCap { intent, max_fee } => {
                out.push(7);
                intent.put(out);
                max_fee.put(out);
            }
            Self::Witnesses { policy, hostile } => {
                out.push(8);
                policy.put(out);
                hostile.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::take(from)? {
            1 => Self::Roster {
                add: Wire::take(from)?,
                remove: Wire::take(from)?,
                add_requesters: Wire::take(from)?,
                remove_requesters: Wire::take(from)?,
            },
            2 => Self::Policy(Box::new(Wire::take(from)?)),
            3 => Self::Allowlist { add: Wire::take(from)?, remove: Wire::take(from)? },
            4 => Self::Floor { amount: Wire::take(from)? },
            5 => Self::Undo { act: Wire::take(from)?, suspend: Wire::take(from)? },
            6 => Self::Unfreeze { acts: Wire::take(from)? },
            7 => Self::FeeCap { intent: Wire::take(from)?, max_fee: Wire::take(from)? },
            8 => Self::Witnesses { policy: Wire::take(from)?, hostile: Wire::take(from)? },
            other => return Err(from.fail(format!("{other} is no change"))),
        })
    }
}

impl ChangeKind {
    /// Whether it is in force at once; the others wait for the governance delay.
    pub const fn is_immediate(&self) -> bool {
        matches!(
            self,
            Self::Undo { .. } | Self::Unfreeze { .. } | Self::Floor { .. } | Self::FeeCap { .. }
        )
    }

    /// One sentence for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Roster { add, remove, add_requesters, remove_requesters } => {
                let added: Vec<&str> = add.iter().map(|e| e.person.id.as_str()).collect();
                let asked: Vec<&str> = add_requesters.iter().map(|r| r.name.as_str()).collect();
                format!(
                    "roster: add [{}], remove [{}]; requesters: add [{}], remove [{}]",
                    added.join(", "),
                    remove.join(", "),
                    asked.join(", "),
                    remove_requesters.join(", ")
                )
            }
            Self::Policy(policy) => format!("a new policy, version {}", policy.version),
            Self::Allowlist { add, remove } => {
                let added: Vec<&str> = add.iter().map(|a| a.label.as_str()).collect();
                format!("allow-list: add [{}], remove {}", added.join(", "), remove.len())
            }
            Self::Floor { amount } => format!("the vault holds at least {amount}"),
            Self::Undo { act, suspend } => {
                format!("undo act {act}{}", if *suspend { ", suspend its author" } else { "" })
            }
            Self::Unfreeze { acts } => {
                format!("unfreeze the vault: undo {} freezes", acts.len())
            }
            Self::FeeCap { intent, max_fee } => {
                format!("intent {intent} may cost up to {max_fee}")
            }
            Self::Witnesses { .. } => "replace one witness of the log".to_owned(),
        }
    }
}

/// A change as it is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The vault.
    pub vault_id: Digest,
    /// What is changed.
    pub kind: ChangeKind,
    /// The head of the chain that it continues (the roster's for what continues none).
    pub previous: Digest,
    /// It may be entered until then; a signed change that was held back is worth nothing later.
    pub not_after: Timestamp,
    /// Makes two like changes two.
    pub nonce: [u8; 16],
}
wire_struct!(Change { vault_id, kind, previous, not_after, nonce });

/// How long a change may be open for entering, seen from when it is entered.
pub const OPEN_SECS_MAX: u64 = 30 * 86_400;

impl Change {
    /// The digest that people sign, and the chain's head once it is in force.
    pub fn digest(&self) -> Digest {
        let tag = match self.kind {
            ChangeKind::Undo { .. } | ChangeKind::Unfreeze { .. } => Tag::Undo,
            ChangeKind::Floor { .. } => Tag::Floor,
            _ => Tag::Change,
        };
        tag.of(self)
    }

    /// What a review key signs: tag `review` over the digest.
    pub fn review_digest(&self) -> Digest {
        Tag::Review.digest(&self.digest().0)
    }
}

/// One person's two signatures under a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSignature {
    /// Who.
    pub person: String,
    /// The passkey's, over the digest.
    pub assertion: Assertion,
    /// The review key's, over the review digest.
    pub review: KeySignature,
}
wire_struct!(ChangeSignature { person, assertion, review });

/// A change and who signed it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedChange {
    /// The change.
    pub change: Change,
    /// Signatures, in the order they were given.
    pub signatures: Vec<ChangeSignature>,
}
wire_struct!(SignedChange { change, signatures });
