//! What one person may do alone, at once: revoke, lower a limit, remove an address, veto, freeze,
//! reject, cancel. All of it only makes the vault stricter.

use bitcoin::ScriptBuf;

use crate::digest::{Digest, Tag};
use crate::keys::{KeySignature, PublicKey, SecretKey};
use crate::policy::Limit;
use crate::wire::{Reader, Wire, WireError, wire_struct};

/// Most bytes of anybody else's object in the log.
pub const OBJECT_BYTES_MAX: usize = 16 * 1024;
/// Tightenings of one person that count in a day, own keys and freezing apart.
pub const ACTS_PER_DAY: usize = 3;
/// Rejects of one person in a day, and apart from them freezes and revocations of own keys: more than
/// anyone needs, and few enough that nobody fills the log.
pub const WIDE_ACTS_PER_DAY: usize = 20;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// A person of the roster, by review key.
    Person(String),
    /// A requester, who may cancel what it asked for.
    Requester(PublicKey),
}

impl Wire for Author {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Person(id) => {
                out.push(1);
                id.put(out);
            }
            Self::Requester(key) => {
                out.push(2);
                key.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::take(from)? {
            1 => Ok(Self::Person(Wire::take(from)?)),
            2 => Ok(Self::Requester(Wire::take(from)?)),
            other => Err(from.fail(format!("{other} is no author"))),
        }
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(id) => f.write_str(id),
            Self::Requester(key) => write!(f, "requester {}", key.id()),
        }
    }
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActKind {
    /// A person's credentials count no more.
    Revoke {
        /// Whose.
        person: String,
    },
    /// One number of the policy goes down.
    Lower {
        /// Which.
        limit: Limit,
        /// To what.
        value: u64,
    },
    /// An address is paid no more.
    RemoveAddress {
        /// Its script.
        script: ScriptBuf,
    },
    /// An intent is not to be served.
    Veto {
        /// Its digest.
        intent: Digest,
    },
    /// Nothing is signed.
    Freeze,
    /// An approver says no to an intent.
    Reject {
        /// Its digest.
        intent: Digest,
    },
    /// An intent that is not signed yet is given up; its coins are free again.
    Cancel {
        /// Its digest.
        intent: Digest,
    },
}

impl Wire for ActKind {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Revoke { person } => {
                out.push(1);
                person.put(out);
            }
            Self::Lower { limit, value } => {
                out.push(2);
                limit.put(out);
                value.put(out);
            }
            Self::RemoveAddress { script } => {
                out.push(3);
                script.put(out);
            }
            Self::Veto { intent } => {
                out.push(4);
                intent.put(out);
            }
            Self::Freeze => out.push(5),
            Self::Reject { intent } => {
                out.push(6);
                intent.put(out);
            }
            Self::Cancel { intent } => {
                out.push(7);
                intent.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::take(from)? {
            1 => Self::Revoke { person: Wire::take(from)? },
            2 => Self::Lower { limit: Wire::take(from)?, value: Wire::take(from)? },
            3 => Self::RemoveAddress { script: Wire::take(from)? },
            4 => Self::Veto { intent: Wire::take(from)? },
            5 => Self::Freeze,
            6 => Self::Reject { intent: Wire::take(from)? },
            7 => Self::Cancel { intent: Wire::take(from)? },
            other => return Err(from.fail(format!("{other} is no act"))),
        })
    }
}

impl ActKind {
    /// One sentence for people.
    pub fn describe(&self) -> String {
        match self {
            Self::Revoke { person } => format!("revoke {person}"),
            Self::Lower { limit, value } => {
                let name = Limit::ALL.iter().find(|(_, l)| l == limit).map_or("?", |(n, _)| n);
                format!("lower {name} to {value}")
            }
            Self::RemoveAddress { script } => format!("remove the address of script {script:x}"),
            Self::Veto { intent } => format!("veto intent {intent}"),
            Self::Freeze => "freeze the vault".to_owned(),
            Self::Reject { intent } => format!("reject intent {intent}"),
            Self::Cancel { intent } => format!("cancel intent {intent}"),
        }
    }
}

/// An act of one author in one vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The vault.
    pub vault_id: Digest,
    /// Who.
    pub author: Author,
    /// What.
    pub kind: ActKind,
    /// Makes two like acts two.
    pub nonce: [u8; 16],
}
wire_struct!(Act { vault_id, author, kind, nonce });

impl Act {
    /// The digest that is signed; its tag says what sort of act it is.
    pub fn digest(&self) -> Digest {
        let tag = match self.kind {
            ActKind::Reject { .. } => Tag::Reject,
            ActKind::Cancel { .. } => Tag::Cancel,
            _ => Tag::Tighten,
        };
        tag.of(self)
    }

    /// Signs with the author's review or request key.
    pub fn sign(self, key: &SecretKey) -> SignedAct {
        let signature = key.sign_digest(&self.digest());
        SignedAct { act: self, signature }
    }
}

/// An act with its author's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAct {
    /// The act.
    pub act: Act,
    /// By the author's review key, or by the requester's key.
    pub signature: KeySignature,
}
wire_struct!(SignedAct { act, signature });
