//! Intents, the coins that belong to them, and what they charge to the windows.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, OutPoint};

use crate::digest::Digest;
use crate::entry::{Countersigned, LoggedPayment, Reservation};
use crate::intent::Kind;
use crate::keys::PublicKey;

/// How far one version of a withdrawal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// Decided, not signed as far as this run knows.
    Reserved,
    /// Signed at this entry.
    Signed(u64),
    /// From before a start without a record of its end: it may have been signed.
    MaybeSigned(u64),
    /// Never signed, and its intent has run out: it can't be any more.
    Lapsed,
}

/// One transaction that serves an intent.
#[derive(Clone, Debug)]
pub struct Version {
    /// Entry of its reservation.
    pub entry: u64,
    /// The reservation.
    pub reservation: Reservation,
    /// How far it is.
    pub state: VersionState,
    /// It stands in the log before a succession: nothing of this log proves it.
    pub recovered: bool,
}

/// Everything about one intent.
#[derive(Clone, Debug)]
pub struct IntentRecord {
    /// Who asked.
    pub requester: PublicKey,
    /// What for.
    pub kind: Kind,
    /// Its transactions, oldest first.
    pub versions: Vec<Version>,
    /// All payments.
    pub payments: Vec<LoggedPayment>,
    /// It was given up before it was signed.
    pub cancelled: bool,
    /// The refresh that took its coins.
    pub abandoned: Option<Digest>,
}

impl IntentRecord {
    /// Whether any version is or may be signed.
    pub fn counts_as_signed(&self) -> bool {
        let signed =
            |v: &Version| matches!(v.state, VersionState::Signed(_) | VersionState::MaybeSigned(_));
        self.versions.iter().any(signed)
    }

    /// Payments and the highest fee of any version; charged once.
    pub fn charge(&self) -> Amount {
        let paid: Amount = self.payments.iter().map(|p| p.amount).sum();
        paid + self.fee()
    }

    /// The highest fee of any version.
    pub fn fee(&self) -> Amount {
        self.versions.iter().map(|v| v.reservation.fee).max().unwrap_or(Amount::ZERO)
    }

    /// All coins of all versions.
    pub fn outpoints(&self) -> BTreeSet<OutPoint> {
        self.versions.iter().flat_map(|v| v.reservation.outpoints.iter().copied()).collect()
    }

    /// The last entry from which its charge ages; `None` while a version is unsigned.
    pub fn ages_from(&self) -> Option<u64> {
        let mut newest = None;
        for version in &self.versions {
            match version.state {
                VersionState::Reserved => return None,
                VersionState::Lapsed => {}
                VersionState::Signed(entry) | VersionState::MaybeSigned(entry) => {
                    newest = newest.max(Some(entry));
                }
            }
        }
        newest
    }
}

/// All intents of a vault.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    intents: BTreeMap<Digest, IntentRecord>,
    coins: BTreeMap<OutPoint, Digest>,
    references: BTreeMap<Digest, Digest>,
    scripts: BTreeMap<Digest, Vec<Digest>>,
    released_before: BTreeSet<Digest>,
}

impl Ledger {
    /// An intent by digest.
    pub fn intent(&self, digest: &Digest) -> Option<&IntentRecord> {
        self.intents.get(digest)
    }

    /// All intents.
    pub fn intents(&self) -> impl Iterator<Item = (&Digest, &IntentRecord)> {
        self.intents.iter()
    }

    /// Whose a coin is.
    pub fn owner(&self, coin: &OutPoint) -> Option<&Digest> {
        self.coins.get(coin)
    }

    /// Which intent used a salted reference.
    pub fn reference(&self, salted: &Digest) -> Option<&Digest> {
        self.references.get(salted)
    }

    /// Intents that paid a salted script, oldest first.
    pub fn paid_to(&self, salted: &Digest) -> &[Digest] {
        self.scripts.get(salted).map_or(&[], Vec::as_slice)
    }

    /// Change of signed transactions that no intent has spent yet and that `spending` does not spend.
    /// Only one version of an intent is ever mined, so the least that any signed one leaves counts; an
    /// abandoned intent, and the one that is being judged, leave nothing.
    pub fn unspent_change(&self, judged: &Digest, spending: &BTreeSet<OutPoint>) -> Amount {
        let left = |version: &Version| -> Option<Amount> {
            let VersionState::Signed(_) = version.state else { return None };
            let change = version.reservation.change.iter().filter(|(vout, _)| {
                let coin = OutPoint { txid: version.reservation.txid, vout: *vout };
                !self.coins.contains_key(&coin) && !spending.contains(&coin)
            });
            Some(change.map(|(_, amount)| *amount).sum())
        };
        let others = self.intents.iter().filter(|(digest, _)| *digest != judged);
        let whole = others.filter(|(_, record)| record.abandoned.is_none());
        whole.filter_map(|(_, record)| record.versions.iter().filter_map(left).min()).sum()
    }

    /// Whether a succession names the intent as released in the old log.
    pub fn was_released_before(&self, intent: &Digest) -> bool {
        self.released_before.contains(intent)
    }

    pub(super) fn reserve(&mut self, entry: u64, r: &Reservation) -> Result<(), String> {
        if let Some(other) = r.outpoints.iter().find_map(|o| self.foreign_owner(o, &r.intent)) {
            let abandons = r.kind == Kind::Refresh && self.covers(&other, &r.outpoints);
            if !abandons {
                return Err(format!("spends a coin of intent {other}"));
            }
        }
        let abandoned: BTreeSet<Digest> =
            r.outpoints.iter().filter_map(|o| self.foreign_owner(o, &r.intent)).collect();
        for intent in abandoned {
            if let Some(record) = self.intents.get_mut(&intent) {
                record.abandoned = Some(r.intent);
            }
        }
        let record = self.intents.entry(r.intent).or_insert_with(|| IntentRecord {
            requester: r.requester,
            kind: r.kind,
            versions: Vec::new(),
            payments: Vec::new(),
            cancelled: false,
            abandoned: None,
        });
        let first = record.versions.is_empty();
        let state = VersionState::Reserved;
        let recovered = false;
        record.versions.push(Version { entry, reservation: r.clone(), state, recovered });
        for outpoint in &r.outpoints {
            self.coins.insert(*outpoint, r.intent);
        }
        if first {
            self.add_payments(&r.intent, &r.payments)?;
        }
        Ok(())
    }

    fn foreign_owner(&self, coin: &OutPoint, intent: &Digest) -> Option<Digest> {
        self.coins.get(coin).filter(|owner| *owner != intent).copied()
    }

    /// Whether a set of coins holds all those of an intent.
    pub fn covers(&self, intent: &Digest, coins: &[OutPoint]) -> bool {
        let set: BTreeSet<&OutPoint> = coins.iter().collect();
        self.intents.get(intent).is_some_and(|i| i.outpoints().iter().all(|o| set.contains(o)))
    }

    pub(super) fn add_payments(
        &mut self,
        intent: &Digest,
        payments: &[LoggedPayment],
    ) -> Result<(), String> {
        let Some(record) = self.intents.get_mut(intent) else { return Ok(()) };
        // Replacements repeat the payments of the first version; they are charged once.
        if record.versions.len() > 1 {
            return Ok(());
        }
        let total = record.payments.iter().chain(payments).try_fold(Amount::ZERO, |sum, p| {
            sum.checked_add(p.amount).filter(|sum| *sum <= Amount::MAX_MONEY)
        });
        if total.is_none() {
            return Err("payments of more than 21 million BTC".to_owned());
        }
        record.payments.extend_from_slice(payments);
        for payment in payments {
            self.references.insert(payment.reference, *intent);
            self.scripts.entry(payment.script).or_default().push(*intent);
        }
        Ok(())
    }

    pub(super) fn sign(&mut self, entry: u64, signed: &Countersigned) -> Result<(), String> {
        let record = self.intents.get_mut(&signed.intent);
        let version = record
            .and_then(|record| record.versions.iter_mut().find(|v| v.entry == signed.reservation));
        let version = version
            .filter(|v| v.reservation.spend == signed.spend)
            .ok_or_else(|| "countersigned what was never reserved".to_owned())?;
        // What may have been signed before a start is charged from now on if it is signed again.
        if !matches!(version.state, VersionState::Signed(_)) {
            version.state = VersionState::Signed(entry);
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, intent: &Digest) {
        let Some(record) = self.intents.get_mut(intent) else { return };
        record.cancelled = true;
        self.coins.retain(|_, owner| owner != intent);
        // A refresh that is given up before it is signed gives the coins back to whose they were.
        for (digest, record) in &mut self.intents {
            if record.abandoned == Some(*intent) {
                record.abandoned = None;
                if !record.cancelled {
                    self.coins.extend(record.outpoints().into_iter().map(|coin| (coin, *digest)));
                }
            }
        }
        self.references.retain(|_, user| user != intent);
        for users in self.scripts.values_mut() {
            users.retain(|user| user != intent);
        }
    }

    /// Gives up intents that ran out by the highest time accepted and were never signed. None of them
    /// can be signed any more: that is judged by the same time.
    pub(super) fn lapse(&mut self, high: crate::time::Timestamp) {
        let lapsed: Vec<Digest> = self
            .intents
            .iter()
            .filter(|(_, record)| !record.cancelled && !record.counts_as_signed())
            .filter(|(_, record)| record.versions.iter().all(|v| v.reservation.expires < high))
            .map(|(digest, _)| *digest)
            .collect();
        for intent in lapsed {
            self.cancel(&intent);
        }
        // A replacement that nobody had signed before the intent ran out charges nothing for ever.
        for version in self.intents.values_mut().flat_map(|record| &mut record.versions) {
            if version.state == VersionState::Reserved && version.reservation.expires < high {
                version.state = VersionState::Lapsed;
            }
        }
    }

    /// What was reserved before a start and not cancelled may have been signed.
    pub(super) fn start(&mut self, entry: u64) {
        for record in self.intents.values_mut().filter(|r| !r.cancelled) {
            for version in &mut record.versions {
                if version.state == VersionState::Reserved {
                    version.state = VersionState::MaybeSigned(entry);
                }
            }
        }
    }

    /// A reservation of the log before a succession: it may have been signed there.
    pub(super) fn recover(&mut self, entry: u64, r: &Reservation) {
        if self.reserve(entry, r).is_err() {
            self.released_before.insert(r.intent);
        }
        let versions = self.intents.get_mut(&r.intent).map(|record| &mut record.versions);
        for version in versions.into_iter().flatten().filter(|v| v.entry == entry) {
            (version.state, version.recovered) = (VersionState::MaybeSigned(entry), true);
        }
    }

    /// A signature of the log before a succession.
    pub(super) fn recover_signed(&mut self, intent: &Digest) {
        self.released_before.insert(*intent);
    }

    pub(super) fn succeed(&mut self, entry: u64, released: &[Digest]) {
        self.released_before.extend(released);
        self.start(entry);
    }
}
