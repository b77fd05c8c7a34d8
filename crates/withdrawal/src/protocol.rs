//! What the cosigner reads and writes: one request, one answer, each a frame of bounded length.

use crate::act::SignedAct;
use crate::approval::Approval;
use crate::change::SignedChange;
use crate::digest::Digest;
use crate::facts::AssertedAges;
use crate::refusal::SignedRefusal;
use crate::succession::{Recovered, Succession};
use crate::wire::{Reader, Wire, WireError, wire_struct};

/// Bytes of the largest frame: a PSBT at its limit with everything beside it.
pub const FRAME_BYTES_MAX: usize = 40 * 1024 * 1024;
/// Bytes of the largest frame on the second socket.
pub const SUBMIT_BYTES_MAX: usize = 64 * 1024;

/// A whole withdrawal, as it is put before the cosigner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dossier {
    /// The intent's envelope.
    pub intent: Vec<u8>,
    /// The PSBT.
    pub psbt: Vec<u8>,
    /// The approvals.
    pub approvals: Vec<Approval>,
    /// Coin ages, as asserted.
    pub ages: AssertedAges,
    /// The newest head with cosignatures.
    pub head: Vec<u8>,
}
wire_struct!(Dossier { intent, psbt, approvals, ages, head });

/// A question to the cosigner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who are you, how far is your log?
    Hello,
    /// Entries of the log from a number on.
    Entries {
        /// The first wanted.
        from: u64,
    },
    /// Later entries of your own that a mirror has, with a witnessed head over them.
    Restore {
        /// The number of the first.
        from: u64,
        /// The entries.
        entries: Vec<Vec<u8>>,
        /// The head over all of them, signed by the log, cosigned by k.
        head: Vec<u8>,
    },
    /// Append `start`, once.
    Begin,
    /// A head with cosignatures.
    Head {
        /// The note.
        note: Vec<u8>,
    },
    /// Hop 7.
    Reserve(Box<Dossier>),
    /// Hop 8.
    Countersign(Box<Dossier>),
    /// A change with its quorum.
    Change(Box<SignedChange>),
    /// Append a salted entry, so that a fresh head can be witnessed.
    Tick,
    /// A person's or requester's act; the only request on the second socket beside the next two.
    Act(Box<SignedAct>),
    /// Proof that one head of the log continues another.
    Consistency {
        /// Size of the older.
        old: u64,
        /// Size of the newer.
        new: u64,
    },
    /// A succession: the log goes on under a new origin.
    Succeed(Box<Succession>),
    /// An entry of the log before a succession.
    Recover(Box<Recovered>),
}

impl Wire for Request {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello => out.push(1),
            Self::Entries { from } => {
                out.push(2);
                from.put(out);
            }
            Self::Restore { from, entries, head } => {
                out.push(3);
                from.put(out);
                entries.put(out);
                head.put(out);
            }
            Self::Begin => out.push(4),
            Self::Head { note } => {
                out.push(5);
                note.put(out);
            }
            Self::Reserve(dossier) => {
                out.push(6);
                dossier.put(out);
            }
            Self::Countersign(dossier) => {
                out.push(7);
                dossier.put(out);
            }
            Self::Change(change) => {
                out.push(8);
                change.put(out);
            }
            Self::Tick => out.push(9),
            Self::Act(act) => {
                out.push(10);
                act.put(out);
            }
            Self::Consistency { old, new } => {
                out.push(11);
                old.put(out);
                new.put(out);
            }
            Self::Succeed(succession) => {
                out.push(12);
                succession.put(out);
            }
            Self::Recover(recovered) => {
                out.push(13);
                recovered.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::take(from)? {
            1 => Self::Hello,
            2 => Self::Entries { from: Wire::take(from)? },
            3 => Self::Restore {
                from: Wire::take(from)?,
                entries: Wire::take(from)?,
                head: Wire::take(from)?,
            },
            4 => Self::Begin,
            5 => Self::Head { note: Wire::take(from)? },
            6 => Self::Reserve(Box::new(Wire::take(from)?)),
            7 => Self::Countersign(Box::new(Wire::take(from)?)),
            8 => Self::Change(Box::new(Wire::take(from)?)),
            9 => Self::Tick,
            10 => Self::Act(Box::new(Wire::take(from)?)),
            11 => Self::Consistency { old: Wire::take(from)?, new: Wire::take(from)? },
            12 => Self::Succeed(Box::new(Wire::take(from)?)),
            13 => Self::Recover(Box::new(Wire::take(from)?)),
            other => return Err(from.fail(format!("{other} is no request"))),
        })
    }
}

/// What the cosigner is and has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its vault.
    pub vault_id: Digest,
    /// Entries of its log.
    pub size: u64,
    /// Entries from before this run, as long as its `start` is not witnessed; then all of them.
    pub kept: u64,
    /// Its newest signed head.
    pub head: Vec<u8>,
    /// Whether it appended `start` in this run.
    pub begun: bool,
    /// Whether that was witnessed, so that it serves.
    pub serving: bool,
}
wire_struct!(Status { vault_id, size, kept, head, begun, serving });

/// Entries were appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Number of the entry in question.
    pub entry: u64,
    /// The signed head over it.
    pub head: Vec<u8>,
}
wire_struct!(Appended { entry, head });

/// An act is in the log: what its author keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The act's digest.
    pub act: Digest,
    /// Its entry.
    pub entry: u64,
    /// The entry's bytes.
    pub bytes: Vec<u8>,
    /// Inclusion in the head.
    pub proof: Vec<[u8; 32]>,
    /// The signed head.
    pub head: Vec<u8>,
}
wire_struct!(Acknowledgement { act, entry, bytes, proof, head });

/// An answer of the cosigner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// What it is.
    Status(Status),
    /// Entries, and the signed head over the whole log.
    Entries {
        /// The entries, from the one asked for.
        entries: Vec<Vec<u8>>,
        /// The head.
        head: Vec<u8>,
    },
    /// Done, nothing to say.
    Done,
    /// Something was appended.
    Appended(Appended),
    /// Countersigned.
    Signed {
        /// The PSBT with the cosigner's signatures, version 0.
        psbt: Vec<u8>,
        /// The `countersigned` entry.
        appended: Appended,
    },
    /// An act is in the log.
    Acknowledged(Box<Acknowledgement>),
    /// A consistency proof.
    Proof(Vec<[u8; 32]>),
    /// No.
    Refused(Box<SignedRefusal>),
    /// The request does not parse.
    Malformed {
        /// Which part.
        what: String,
    },
    /// The cosigner failed; nothing was signed.
    Failed {
        /// What it says about it.
        what: String,
    },
}

impl Wire for Response {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Status(status) => {
                out.push(1);
                status.put(out);
            }
            Self::Entries { entries, head } => {
                out.push(2);
                entries.put(out);
                head.put(out);
            }
            Self::Done => out.push(3),
            Self::Appended(appended) => {
                out.push(4);
                appended.put(out);
            }
            Self::Signed { psbt, appended } => {
                out.push(5);
                psbt.put(out);
                appended.put(out);
            }
            Self::Acknowledged(ack) => {
                out.push(6);
                ack.put(out);
            }
            Self::Proof(proof) => {
                out.push(7);
                proof.put(out);
            }
            Self::Refused(refusal) => {
                out.push(8);
                refusal.put(out);
            }
            Self::Malformed { what } => {
                out.push(9);
                what.put(out);
            }
            Self::Failed { what } => {
                out.push(10);
                what.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::take(from)? {
            1 => Self::Status(Wire::take(from)?),
            2 => Self::Entries { entries: Wire::take(from)?, head: Wire::take(from)? },
            3 => Self::Done,
            4 => Self::Appended(Wire::take(from)?),
            5 => Self::Signed { psbt: Wire::take(from)?, appended: Wire::take(from)? },
            6 => Self::Acknowledged(Box::new(Wire::take(from)?)),
            7 => Self::Proof(Wire::take(from)?),
            8 => Self::Refused(Box::new(Wire::take(from)?)),
            9 => Self::Malformed { what: Wire::take(from)? },
            10 => Self::Failed { what: Wire::take(from)? },
            other => return Err(from.fail(format!("{other} is no response"))),
        })
    }
}
