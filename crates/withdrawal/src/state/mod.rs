//! Everything that follows from the log: people, policy, allow-list, acts in force, intents, windows.
//!
//! The same code builds it in the cosigner, in an auditor's hands and in an offline check. Nothing in
//! it comes from anywhere but entries and accepted heads.

mod acts;
mod apply;
mod governance;
mod ledger;
mod succession;
mod witnesses;

use std::collections::BTreeMap;

use bitcoin::ScriptBuf;
use tlog::WitnessPolicy;

pub use acts::{ActInForce, ActRefusal};
pub use apply::ApplyError;
pub use ledger::{IntentRecord, Ledger, Version, VersionState};
pub(crate) use succession::voided;

use crate::approval::ChainHeads;
use crate::change::ChangeKind;
use crate::clock::{Now, SPREAD_SECS_MAX};
use crate::code::{Code, Violation};
use crate::digest::Digest;
use crate::entry::Sight;
use crate::genesis::{SignedGenesis, Vault};
use crate::person::{Person, Roster};
use crate::policy::Policy;
use crate::time::Timestamp;

/// Heads that one entry says were accepted, at most.
const SIGHTS_MAX: usize = 500;

/// Since when something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It was in genesis and has served its ages.
    Genesis,
    /// Since this entry.
    Entry(u64),
}

/// A change that waits for its delay.
#[derive(Clone, Debug)]
pub struct PendingChange {
    /// Its entry.
    pub entry: u64,
    /// Its digest, the head to be.
    pub digest: Digest,
    /// What it does.
    pub kind: ChangeKind,
    /// The head that it continues.
    pub previous: Digest,
}

/// The state of a vault after some entries.
#[derive(Clone, Debug)]
pub struct State {
    vault: Vault,
    size: u64,
    /// The head accepted last.
    accepted: Option<Sight>,
    /// Heads accepted since the last entry, for the next one to say.
    unlogged: Vec<Sight>,
    /// The newest of them brought something into force: it is said, whatever follows.
    sticky: bool,
    /// (size, high): entries below `size` were first seen in an accepted head no later than `high`.
    sights: Vec<(u64, Timestamp)>,
    heads: ChainHeads,
    roster: Roster,
    since: BTreeMap<String, Since>,
    policy: Policy,
    allowlist: BTreeMap<ScriptBuf, (String, Since)>,
    pending: Vec<PendingChange>,
    /// Changes in force, in the order in which they came into it.
    chain: Vec<Digest>,
    /// Acts, changes and successions that were entered, and where.
    done: BTreeMap<Digest, u64>,
    acts: Vec<ActInForce>,
    /// Who was suspended, by which entry.
    suspended: BTreeMap<String, u64>,
    succession: Option<succession::InSuccession>,
    /// Names of the log, oldest first, where it had several.
    log_names: Vec<String>,
    floor: Option<(bitcoin::Amount, u64)>,
    /// Fees that a quorum allows an intent.
    fee_caps: BTreeMap<Digest, bitcoin::Amount>,
    /// Witnesses since one was replaced.
    witnesses: Option<WitnessPolicy>,
    ledger: Ledger,
    starts: u64,
    last_start: Option<u64>,
    open_parts: Option<(Digest, u32)>,
}

impl State {
    /// The state that genesis alone gives.
    pub fn new(vault: Vault) -> Self {
        let genesis = &vault.genesis;
        let heads = SignedGenesis::chain_heads(genesis);
        let since = genesis.roster.persons.iter().map(|p| (p.id.clone(), Since::Genesis)).collect();
        let allowlist = genesis
            .allowlist
            .iter()
            .map(|a| (a.script.clone(), (a.label.clone(), Since::Genesis)))
            .collect();
        Self {
            size: 0,
            accepted: None,
            unlogged: Vec::new(),
            sticky: false,
            sights: Vec::new(),
            heads,
            roster: genesis.roster.clone(),
            since,
            policy: genesis.policy.clone(),
            allowlist,
            pending: Vec::new(),
            chain: Vec::new(),
            done: BTreeMap::new(),
            acts: Vec::new(),
            suspended: BTreeMap::new(),
            succession: None,
            log_names: Vec::new(),
            floor: None,
            fee_caps: BTreeMap::new(),
            witnesses: None,
            ledger: Ledger::default(),
            starts: 0,
            last_start: None,
            open_parts: None,
            vault,
        }
    }

    /// The vault.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }
    /// Entries applied.
    pub const fn size(&self) -> u64 {
        self.size
    }
    /// The head and time accepted last.
    pub const fn accepted(&self) -> Option<Sight> {
        self.accepted
    }
    /// What the next entry says was accepted.
    pub fn unlogged(&self) -> &[Sight] {
        &self.unlogged
    }
    /// The time accepted last.
    pub fn now(&self) -> Option<Now> {
        self.accepted.map(|sight| sight.now)
    }
    /// The roster as the chain has it, before one-person acts.
    pub const fn chain_roster(&self) -> &Roster {
        &self.roster
    }
    /// The policy as the chain has it, before one-person acts.
    pub const fn chain_policy(&self) -> &Policy {
        &self.policy
    }
    /// Changes that wait.
    pub fn pending(&self) -> &[PendingChange] {
        &self.pending
    }
    /// Digests of the changes in force, in the order in which they came into it.
    pub fn chain(&self) -> &[Digest] {
        &self.chain
    }
    /// Intents and windows.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }
    /// Entry of the newest `start`.
    pub const fn last_start(&self) -> Option<u64> {
        self.last_start
    }
    /// Acts, undone ones included.
    pub fn acts(&self) -> &[ActInForce] {
        &self.acts
    }
    /// Listed scripts with label and age.
    pub const fn allowlist(&self) -> &BTreeMap<ScriptBuf, (String, Since)> {
        &self.allowlist
    }

    /// Takes a head that k witnesses cosigned: time goes on, never back. The caller has checked that
    /// the head is one of this log.
    pub fn accept(&mut self, size: u64, now: Now) -> Result<(), Violation> {
        if size > self.size {
            let detail = "the head is newer than the log";
            return Err(Violation::new(Code::StateRollback, detail).limit(self.size, size));
        }
        let now = self.not_behind(now)?;
        let grown = self.sights.last().is_none_or(|(seen, _)| size > *seen);
        // Only growth of the accepted size is a first sight of anything. Beyond the bound on what an
        // entry says growth is seen later, which only makes things younger.
        let grown = grown && self.unlogged.len() < SIGHTS_MAX;
        if grown {
            self.sights.push((size, now.high));
        }
        let last_size = self.sights.last().map_or(0, |(seen, _)| *seen);
        let sight = Sight { size: if grown { size } else { last_size.min(size) }, now };
        // The newest is always said; before it, those that grew.
        let only_newest =
            !self.sticky && self.unlogged.last().is_some_and(|last| !self.grew_with(last));
        if only_newest {
            self.unlogged.pop();
        }
        if only_newest || self.accepted != Some(sight) {
            self.unlogged.push(sight);
        }
        self.accepted = Some(sight);
        self.ledger.lapse(now.high);
        let settled = self.settle();
        self.sticky = self.settle_succession() || settled;
        Ok(())
    }

    /// Whether a sight is one that reached further than those before it.
    fn grew_with(&self, sight: &Sight) -> bool {
        self.sights.iter().any(|(size, high)| *size == sight.size && *high == sight.now.high)
    }

    /// Time never goes back. Other witnesses' clocks may be a little behind those of the last set: then
    /// it stands still. More than a set's spread behind is an old head.
    fn not_behind(&self, now: Now) -> Result<Now, Violation> {
        let Some(last) = self.now() else { return Ok(now) };
        if now.high.plus(SPREAD_SECS_MAX) < last.high || now.low.plus(SPREAD_SECS_MAX) < last.low {
            let detail = "the witnesses' time is behind what was accepted; bring a newer head";
            return Err(Violation::new(Code::ClockUntrusted, detail));
        }
        Ok(Now { low: now.low.max(last.low), high: now.high.max(last.high) })
    }

    /// When an entry was first in an accepted head, at the latest; `None` if it never was.
    pub fn first_seen(&self, entry: u64) -> Option<Timestamp> {
        let position = self.sights.partition_point(|(size, _)| *size <= entry);
        self.sights.get(position).map(|(_, high)| *high)
    }

    /// Seconds something has stood for certain; everything of genesis has served its ages.
    pub fn age_secs(&self, since: Since) -> u64 {
        match since {
            Since::Genesis => u64::MAX,
            Since::Entry(entry) => match (self.now(), self.first_seen(entry)) {
                (Some(now), Some(seen)) => now.age_secs(seen),
                _ => 0,
            },
        }
    }

    /// Since when a person's credentials stand.
    pub fn person_since(&self, id: &str) -> Option<Since> {
        self.since.get(id).copied()
    }

    /// Whether a person's credentials count: on the chain, not revoked, not suspended.
    pub fn is_active(&self, id: &str) -> bool {
        self.roster.person(id).is_some() && !self.suspended.contains_key(id) && !self.is_revoked(id)
    }

    /// A person whose credentials count.
    pub fn active_person(&self, id: &str) -> Option<&Person> {
        self.roster.person(id).filter(|_| self.is_active(id))
    }

    /// The policy with every lowered limit that is not undone.
    pub fn policy(&self) -> Policy {
        let mut policy = self.policy.clone();
        for (limit, value) in self.lowered() {
            policy.lower(limit, value);
        }
        policy
    }

    /// The highest fee of an intent: what its requester said, or what a quorum allowed instead.
    pub fn fee_cap(&self, intent: &crate::intent::Intent) -> bitcoin::Amount {
        self.fee_caps.get(&intent.digest()).copied().unwrap_or_else(|| intent.max_fee())
    }

    /// The quorum-signed floor of the balance, while it is younger than thirty days.
    pub fn balance_floor(&self) -> Option<bitcoin::Amount> {
        let (amount, entry) = self.floor?;
        let fresh = match (self.now(), self.first_seen(entry)) {
            // Its age counts against it, so it is taken at the most it can be.
            (Some(now), Some(_)) => {
                let at = self.sights.iter().rev().find(|(size, _)| *size <= entry);
                let seen = at.map_or(Timestamp::default(), |(_, high)| *high);
                now.high.secs().saturating_sub(seen.secs()) < 30 * 86_400
            }
            _ => false,
        };
        fresh.then_some(amount)
    }
}
