//! The order that can't be got round: only a head that k witnesses cosigned makes an [`Accepted`], only
//! an accepted head over a reservation makes a [`Witnessed`], and only that is signed for.

use tlog::{CosignedHead, Hash, SignedHead, VerifierKey, WitnessPolicy};

use crate::clock::Now;
use crate::code::{Code, Violation};
use crate::digest::Digest;
use crate::entry::Reservation;
use crate::state::{State, Version, VersionState};

/// A head of this log, cosigned by enough witnesses at one time.
#[derive(Debug)]
pub struct Accepted {
    head: CosignedHead,
    now: Now,
}

impl Accepted {
    /// Checks a note: signed by the log, cosigned by k, times together, and a head of this very
    /// history. `root_at` gives the root of the log's own first entries, or nothing beyond its end.
    pub fn check(
        note: &[u8],
        log: &VerifierKey,
        policy: &WitnessPolicy,
        root_at: impl FnOnce(u64) -> Option<Hash>,
    ) -> Result<Self, Violation> {
        let quorum = |detail: String| Violation::new(Code::WitnessQuorum, detail);
        let signed = SignedHead::parse(note, log).map_err(|e| quorum(e.to_string()))?;
        let head = CosignedHead::check(signed, policy.keys()).map_err(|e| quorum(e.to_string()))?;
        if !policy.is_met(&head) {
            let have = head.cosignatures().len() as u64;
            let detail = format!("{have} witnesses cosigned, {} are needed", policy.k());
            return Err(quorum(detail).limit(policy.k() as u64, have));
        }
        let size = head.head().size;
        match root_at(size) {
            None => {
                let detail = format!("witnesses have seen {size} entries; some are missing here");
                return Err(Violation::new(Code::StateRollback, detail));
            }
            Some(root) if root != head.head().root => {
                let detail = format!("witnesses cosigned another history of {size} entries");
                return Err(Violation::new(Code::LogFork, detail));
            }
            Some(_) => {}
        }
        let now = Now::from_cosignatures(head.cosignatures(), policy.k()).ok_or_else(|| {
            let detail = format!("no {} witnesses' times are within five minutes", policy.k());
            Violation::new(Code::ClockUntrusted, detail)
        })?;
        Ok(Self { head, now })
    }

    /// Number of entries under it.
    pub const fn size(&self) -> u64 {
        self.head.head().size
    }

    /// The time it gives.
    pub const fn now(&self) -> Now {
        self.now
    }

    /// The head with its cosignatures.
    pub const fn head(&self) -> &CosignedHead {
        &self.head
    }
}

/// A reservation under a witnessed head; it can't be made in any other way:
///
/// ```compile_fail,E0451
/// fn forged(reservation: withdrawal::entry::Reservation) -> withdrawal::witnessed::Witnessed {
///     withdrawal::witnessed::Witnessed { reservation, entry: 0, signed: None }
/// }
/// ```
#[derive(Debug)]
pub struct Witnessed {
    reservation: Reservation,
    entry: u64,
    signed: Option<u64>,
}

impl Witnessed {
    /// Finds the reservation of a spend under an accepted head. One from before the last start needs
    /// a head that contains that start.
    pub fn find(
        accepted: &Accepted,
        state: &State,
        intent: &Digest,
        spend: &Digest,
    ) -> Result<Self, Violation> {
        let record = state.ledger().intent(intent);
        let version = record
            .and_then(|r| {
                let fits = |v: &&Version| !v.recovered && v.reservation.spend == *spend;
                r.versions.iter().rev().find(fits)
            })
            .ok_or_else(|| Violation::new(Code::WitnessQuorum, "nothing is reserved for this"))?;
        let end = version.entry + u64::from(version.reservation.more);
        let needed = match version.state {
            VersionState::MaybeSigned(start) => end.max(start),
            VersionState::Reserved | VersionState::Signed(_) | VersionState::Lapsed => {
                end.max(state.last_start().filter(|s| *s > end).unwrap_or(end))
            }
        };
        if accepted.size() <= needed {
            let detail = "the head is older than the reservation";
            return Err(
                Violation::new(Code::WitnessQuorum, detail).limit(needed + 1, accepted.size())
            );
        }
        let signed = match version.state {
            VersionState::Signed(entry) => Some(entry),
            _ => None,
        };
        Ok(Self { reservation: version.reservation.clone(), entry: version.entry, signed })
    }

    /// The reservation.
    pub const fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// Whether this very spend was signed in the log already: the same signature is given again.
    pub const fn repeats(&self) -> bool {
        self.signed.is_some()
    }

    /// The entry of that signature.
    pub const fn signed(&self) -> Option<u64> {
        self.signed
    }

    /// Its entry.
    pub const fn entry(&self) -> u64 {
        self.entry
    }
}
