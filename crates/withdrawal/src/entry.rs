//! Entries of the cosigner's log: what it decided, with the time that it then relied on.

use bitcoin::{Amount, OutPoint, Txid};

use crate::act::SignedAct;
use crate::change::SignedChange;
use crate::clock::Now;
use crate::digest::{Digest, Tag};
use crate::genesis::SignedGenesis;
use crate::intent::Kind;
use crate::keys::PublicKey;
use crate::succession::{Recovered, Succession};
use crate::time::Timestamp;
use crate::wire::{Reader, Wire, WireError, wire_struct};

/// Payments that stand in one entry; a batch of more is spread over several.
pub const PAYMENTS_PER_ENTRY: usize = 200;

/// A head that the cosigner accepted: how far it reached, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Entries under it.
    pub size: u64,
    /// L and H of its witnesses.
    pub now: Now,
}
wire_struct!(Sight { size, now });

/// One payment of a reservation, as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedPayment {
    /// How much, in clear.
    pub amount: Amount,
    /// The script under the vault's salt.
    pub script: Digest,
    /// The reference under the vault's salt.
    pub reference: Digest,
}
wire_struct!(LoggedPayment { amount, script, reference });

/// The cosigner's decision, before it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Pay, consolidate or refresh.
    pub kind: Kind,
    /// Who asked.
    pub requester: PublicKey,
    /// What was asked.
    pub intent: Digest,
    /// The transaction that serves it.
    pub spend: Digest,
    /// Its id once it is final.
    pub txid: Txid,
    /// The coins, now this intent's.
    pub outpoints: Vec<OutPoint>,
    /// Their sum.
    pub total_in: Amount,
    /// What is paid: the first [`PAYMENTS_PER_ENTRY`] payments.
    pub payments: Vec<LoggedPayment>,
    /// Entries right behind this one that hold the other payments.
    pub more: u32,
    /// Output number and amount of what comes back.
    pub change: Vec<(u32, Amount)>,
    /// The fee.
    pub fee: Amount,
    /// When the intent runs out.
    pub expires: Timestamp,
    /// The approvals that were judged.
    pub approvals: Vec<Digest>,
    /// Fresh: no cosignature over it can be older than it.
    pub salt: [u8; 32],
}
wire_struct!(Reservation {
    kind,
    requester,
    intent,
    spend,
    txid,
    outpoints,
    total_in,
    payments,
    more,
    change,
    fee,
    expires,
    approvals,
    salt,
});

/// A signature was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countersigned {
    /// Entry of the reservation.
    pub reservation: u64,
    /// What was asked.
    pub intent: Digest,
    /// What was signed.
    pub spend: Digest,
    /// Digest of the signatures that left.
    pub signatures: Digest,
    /// The approvals that were judged for the last time.
    pub approvals: Vec<Digest>,
}
wire_struct!(Countersigned { reservation, intent, spend, signatures, approvals });

impl Countersigned {
    /// The approvals in an order of their own: in which one they were given says nothing.
    pub fn sorted_approvals(&self) -> Vec<Digest> {
        let mut sorted = self.approvals.clone();
        sorted.sort_unstable();
        sorted
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The first entry: the vault and its founders' signatures.
    Genesis(Box<SignedGenesis>),
    /// The cosigner started.
    Start {
        /// Fresh.
        salt: [u8; 32],
    },
    /// Nothing happened but time.
    Tick {
        /// Fresh.
        salt: [u8; 32],
    },
    /// A decision.
    Reservation(Box<Reservation>),
    /// More payments of the reservation before.
    Payments(Vec<LoggedPayment>),
    /// A signature.
    Countersigned(Countersigned),
    /// A person's or requester's own act.
    Act(SignedAct),
    /// A quorum's change.
    Change(Box<SignedChange>),
    /// This log continues an older one whose bytes are lost.
    Succession(Box<Succession>),
    /// An entry of that older log, shown by someone who has it.
    Recovered(Box<Recovered>),
    /// A change of one witness is in force: a head that enough of the old and of the new cosigned.
    Witnessed {
        /// The change's digest.
        change: Digest,
        /// The head as a note.
        head: Vec<u8>,
    },
}

impl Wire for Body {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Genesis(genesis) => {
                out.push(1);
                genesis.put(out);
            }
            Self::Start { salt } => {
                out.push(2);
                salt.put(out);
            }
            Self::Tick { salt } => {
                out.push(3);
                salt.put(out);
            }
            Self::Reservation(reservation) => {
                out.push(4);
                reservation.put(out);
            }
            Self::Payments(payments) => {
                out.push(5);
                payments.put(out);
            }
            Self::Countersigned(signed) => {
                out.push(6);
                signed.put(out);
            }
            Self::Act(act) => {
                out.push(7);
                act.put(out);
            }
            Self::Change(change) => {
                out.push(8);
                change.put(out);
            }
            Self::Succession(succession) => {
                out.push(9);
                succession.put(out);
            }
            Self::Recovered(recovered) => {
                out.push(10);
                recovered.put(out);
            }
            Self::Witnessed { change, head } => {
                out.push(11);
                change.put(out);
                head.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::take(from)? {
            1 => Self::Genesis(Box::new(Wire::take(from)?)),
            2 => Self::Start { salt: Wire::take(from)? },
            3 => Self::Tick { salt: Wire::take(from)? },
            4 => Self::Reservation(Box::new(Wire::take(from)?)),
            5 => Self::Payments(Wire::take(from)?),
            6 => Self::Countersigned(Wire::take(from)?),
            7 => Self::Act(Wire::take(from)?),
            8 => Self::Change(Box::new(Wire::take(from)?)),
            9 => Self::Succession(Box::new(Wire::take(from)?)),
            10 => Self::Recovered(Box::new(Wire::take(from)?)),
            11 => Self::Witnessed { change: Wire::take(from)?, head: Wire::take(from)? },
            other => return Err(from.fail(format!("{other} is no kind of entry"))),
        })
    }
}

impl Body {
    /// Short name, for listings.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::Start { .. } => "start",
            Self::Tick { .. } => "tick",
            Self::Reservation(_) => "reservation",
            Self::Payments(_) => "payments",
            Self::Countersigned(_) => "countersigned",
            Self::Act(_) => "act",
            Self::Change(_) => "change",
            Self::Succession(_) => "succession",
            Self::Recovered(_) => "recovered",
            Self::Witnessed { .. } => "witnessed",
        }
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Format of entries.
    pub version: u8,
    /// The heads accepted since the entry before: each that reached further, and the newest. Ages
    /// and windows follow from these alone, so that the log can be read again to the same state.
    pub observed: Vec<Sight>,
    /// What it says.
    pub body: Body,
}
wire_struct!(Entry { version, observed, body });

impl Entry {
    /// An entry of the present format.
    pub const fn new(observed: Vec<Sight>, body: Body) -> Self {
        Self { version: 1, observed, body }
    }
}

/// A script or reference as the log shows it: tag `salted` over the vault's salt and the bytes.
pub fn salted(salt: &[u8; 32], bytes: &[u8]) -> Digest {
    let mut out = salt.to_vec();
    bytes.to_vec().put(&mut out);
    Tag::Salted.digest(&out)
}
