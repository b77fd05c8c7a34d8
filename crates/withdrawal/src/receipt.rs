//! A receipt: everything that shows, offline and with nothing else from us, that a transaction was
//! asked for, approved, logged, witnessed and only then signed.

use std::collections::BTreeMap;

use bitcoin::consensus::deserialize;
use bitcoin::{Amount, ScriptBuf, Transaction, TxOut, Witness};
use serde::{Deserialize, Serialize};
use tlog::proof::{check_consistency, check_inclusion};
use tlog::{CosignedHead, Hash, SignedHead, VerifierKey, WitnessPolicy, record_hash};

use crate::approval::{Approval, Decision};
use crate::change::{ChangeKind, ChangeSignature, SignedChange};
use crate::code::{Code, Violation};
use crate::digest::{Digest, hex, unhex};
use crate::entry::{Body, Entry, LoggedPayment, Reservation, Sight, salted};
use crate::genesis::{SignedGenesis, Vault};
use crate::intent::Intent;
use crate::person::{PERSONS_MAX, Person, Roster};
use crate::policy::Policy;
use crate::psbt::{INPUTS_MAX, OUTPUTS_MAX};
use crate::rules::trace::{Bound, Traced};
use crate::script::VaultAddress;
use crate::spend::{OutputKind, PaidOutput, SpendSummary, SpentCoin};
use crate::succession::Succession;
use crate::wire::Wire as _;

/// Bytes of the largest receipt: a full batch with its previous outputs.
pub const RECEIPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Format, 1.
    pub version: u32,
    /// The vault that it claims to be of.
    pub vault_id: Digest,
    /// The signed genesis record, in hex.
    pub genesis: String,
    /// Changes between genesis and the approvals' heads, in the order in which they came into force.
    pub changes: Vec<LoggedChange>,
    /// Successions that moved the log before the reservation, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successions: Vec<LoggedSuccession>,
    /// The intent's envelope, as it was.
    pub intent: String,
    /// The approvals' files, as they were.
    pub approvals: Vec<String>,
    /// What each rule compared when it was decided, as the log tells.
    pub decision: Vec<Compared>,
    /// The final transaction, in hex.
    pub tx: String,
    /// Amount and script of every coin spent.
    pub prevouts: Vec<Prevout>,
    /// Where the change lies in the vault.
    pub change: Vec<ChangeProof>,
    /// The reservation, and the head that witnesses cosigned.
    pub reservation: LoggedEntry,
    /// The record of the signature.
    pub countersigned: LoggedEntry,
    /// That the second head continues the first.
    pub consistency: Vec<String>,
}

/// One comparison of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The code that it would have given.
    pub code: String,
    /// What was compared.
    pub what: String,
    /// In what; empty for a count.
    pub unit: String,
    /// `at most` or `at least`.
    pub bound: String,
    /// The limit.
    pub limit: u64,
    /// The withdrawal's number.
    pub actual: u64,
}

impl Compared {
    /// The form of a file.
    pub fn new(traced: &Traced) -> Self {
        Self {
            code: traced.code.name().to_owned(),
            what: traced.what.clone(),
            unit: traced.unit.to_owned(),
            bound: match traced.bound {
                Bound::AtMost => "at most".to_owned(),
                Bound::AtLeast => "at least".to_owned(),
            },
            limit: traced.limit,
            actual: traced.actual,
        }
    }

    /// Whether the receipt itself shows its numbers; the others are told by whoever made it, from the log.
    pub fn is_shown(&self) -> bool {
        self.what == "payments" || self.what == "the fee"
    }

    fn holds(&self) -> bool {
        match self.bound.as_str() {
            "at most" => self.actual <= self.limit,
            "at least" => self.actual >= self.limit,
            _ => false,
        }
    }
}

/// A change, and how many others were in force when it was entered: its signers were judged then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedChange {
    /// The signed change, in hex.
    pub record: String,
    /// Changes in force by then.
    pub entered_after: u32,
}

/// A succession, and how many of the changes came into force before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedSuccession {
    /// The signed declaration, in hex.
    pub record: String,
    /// Changes before it.
    pub after_changes: u32,
}

/// A coin that was spent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prevout {
    /// Its amount.
    pub amount_sat: u64,
    /// Its script in hex.
    pub script: String,
}

/// An output that is the vault's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeProof {
    /// Which output.
    pub vout: u32,
    /// Branch of the descriptor.
    pub branch: u32,
    /// Index in the branch.
    pub index: u32,
}

/// Entries with their inclusion proofs in a signed head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedEntry {
    /// Number of the first.
    pub entry: u64,
    /// The entries, in hex.
    pub entries: Vec<String>,
    /// A proof for each.
    pub proofs: Vec<Vec<String>>,
    /// The signed head as a note.
    pub head: String,
}

/// What a receipt shows.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The vault, by the receipt's own genesis.
    pub vault: Vault,
    /// The intent.
    pub intent: Intent,
    /// What the transaction does.
    pub spend: SpendSummary,
    /// The final transaction.
    pub tx: Transaction,
    /// Its spent outputs, for a check by consensus rules.
    pub prevouts: Vec<TxOut>,
    /// Who approved.
    pub approvers: Vec<String>,
    /// Witnesses that cosigned the reservation.
    pub witnesses: Vec<String>,
}

fn no(what: impl Into<String>) -> Violation {
    Violation::new(Code::DigestMismatch, what)
}

fn bad(what: impl Into<String>) -> Violation {
    Violation::new(Code::Malformed, what)
}

fn bytes(text: &str, what: &str) -> Result<Vec<u8>, Violation> {
    unhex(text).map_err(|e| bad(format!("{what}: {e}")))
}

fn hashes(list: &[String]) -> Result<Vec<Hash>, Violation> {
    list.iter()
        .map(|text| {
            let raw = bytes(text, "proof")?;
            Ok(Hash(raw.try_into().map_err(|_| bad("a proof is made of 32-byte hashes"))?))
        })
        .collect()
}

impl LoggedEntry {
    fn check(&self, log: &VerifierKey) -> Result<(Vec<Entry>, SignedHead), Violation> {
        let head = SignedHead::parse(self.head.as_bytes(), log).map_err(|e| no(e.to_string()))?;
        if self.entries.is_empty() || self.entries.len() != self.proofs.len() {
            return Err(bad("entries and proofs differ in number"));
        }
        let mut entries = Vec::new();
        let mut number = self.entry;
        for (entry, proof) in self.entries.iter().zip(&self.proofs) {
            let raw = bytes(entry, "entry")?;
            check_inclusion(&hashes(proof)?, head.head(), number, record_hash(&raw))
                .map_err(|e| no(format!("entry {number}: {e}")))?;
            entries.push(Entry::from_bytes(&raw).map_err(|e| bad(format!("entry {number}: {e}")))?);
            // An entry that is proven to be in a tree is far from the largest number.
            number = number.saturating_add(1);
        }
        Ok((entries, head))
    }
}

/// Roster, heads and log after what stands between genesis and the approvals.
#[derive(Clone)]
struct Governed {
    roster: Roster,
    policy: Policy,
    heads: crate::approval::ChainHeads,
    log: VerifierKey,
    witnesses: WitnessPolicy,
}

fn govern(
    vault: &Vault,
    changes: &[LoggedChange],
    successions: &[LoggedSuccession],
) -> Result<Governed, Violation> {
    let genesis = &vault.genesis;
    let first = vault.log.as_ref().ok_or_else(|| no("the vault has no log"))?;
    let mut now = Governed {
        roster: genesis.roster.clone(),
        policy: genesis.policy.clone(),
        heads: SignedGenesis::chain_heads(genesis),
        log: first.clone(),
        witnesses: vault.witnesses.clone().ok_or_else(|| no("no witnesses"))?,
    };
    let mut last = None;
    let mut history = vec![now.clone()];
    let mut successions = successions.iter().peekable();
    for (number, text) in (0u32..).zip(changes.iter().map(Some).chain([None])) {
        while let Some(logged) = successions.next_if(|s| s.after_changes <= number) {
            last = Some(succeed(logged, &mut now, vault, first)?);
        }
        let Some(logged) = text else { break };
        let signed = SignedChange::from_bytes(&bytes(&logged.record, "change")?)
            .map_err(|e| bad(format!("change: {e}")))?;
        let digest = signed.change.digest();
        let then = usize::try_from(logged.entered_after).ok().and_then(|n| history.get(n));
        let then = then.ok_or_else(|| bad("a change entered after more than came before it"))?;
        check_change(&signed, then, &vault.id)?;
        let head = match &signed.change.kind {
            ChangeKind::Policy(policy) => {
                now.policy = policy.as_ref().clone();
                &mut now.heads.policy
            }
            ChangeKind::Roster { add, remove, add_requesters, remove_requesters } => {
                now.roster.persons.retain(|p| !remove.contains(&p.id));
                now.roster.persons.extend(add.iter().map(|e| e.person.clone()));
                now.roster.requesters.retain(|r| !remove_requesters.contains(&r.name));
                now.roster.requesters.extend(add_requesters.iter().cloned());
                &mut now.heads.roster
            }
            ChangeKind::Allowlist { .. } => &mut now.heads.allowlist,
            ChangeKind::Witnesses { policy, hostile } => {
                let next = WitnessPolicy::parse(policy, usize::from(*hostile));
                let next = next.map_err(|e| no(e.to_string()))?;
                if !now.witnesses.is_one_step_to(&next) {
                    return Err(no("a change of more than one witness"));
                }
                now.witnesses = next;
                &mut now.heads.policy
            }
            _ => return Err(bad("a change that moves no chain")),
        };
        if signed.change.previous != *head {
            return Err(no("the changes are no chain"));
        }
        *head = digest;
        history.push(now.clone());
    }
    if successions.next().is_some() {
        return Err(bad("a succession behind more changes than there are"));
    }
    if let Some(declaration) = last {
        now.heads.roster = crate::state::voided(&now.heads.roster, &declaration);
    }
    Ok(now)
}

/// Moves to a succession's log; gives the declaration's digest. That people who were removed meanwhile
/// did not count was the cosigner's to see; that the witnesses follow this log shows in the heads.
fn succeed(
    logged: &LoggedSuccession,
    now: &mut Governed,
    vault: &Vault,
    first: &VerifierKey,
) -> Result<Digest, Violation> {
    let signed = Succession::from_bytes(&bytes(&logged.record, "succession")?)
        .map_err(|e| bad(format!("succession: {e}")))?;
    let declaration = &signed.declaration;
    if declaration.vault_id != vault.id {
        return Err(no("a succession of another vault"));
    }
    let digest = declaration.digest();
    check_signers(&signed.signatures, &digest, &declaration.review_digest(), now)?;
    now.log = declaration.log_key(first).map_err(no)?;
    Ok(digest)
}

/// A change is worth what its signatures are: a governance quorum of the roster before it.
fn check_change(signed: &SignedChange, now: &Governed, vault_id: &Digest) -> Result<(), Violation> {
    if signed.change.vault_id != *vault_id {
        return Err(no("a change is for another vault"));
    }
    check_signers(&signed.signatures, &signed.change.digest(), &signed.change.review_digest(), now)
}

fn check_signers(
    signatures: &[ChangeSignature],
    digest: &Digest,
    review_digest: &Digest,
    now: &Governed,
) -> Result<(), Violation> {
    let mut signers: Vec<&Person> = Vec::new();
    for signature in signatures {
        let person =
            now.roster.person(&signature.person).ok_or_else(|| no("signed by a stranger"))?;
        if signers.iter().any(|p| p.id == person.id) {
            return Err(no(format!("{} signed twice", person.id)));
        }
        signature.assertion.verify(&person.passkey, digest)?;
        if !person.review_key.verifies(&review_digest.0, &signature.review) {
            return Err(no("a change's review signature"));
        }
        if !person.vendor {
            signers.push(person);
        }
    }
    let strictest = now.policy.quorums.iter().map(|q| &q.groups);
    for groups in strictest.chain([&now.policy.governance.quorum]) {
        check_groups(&signers, groups)?;
    }
    check_zones(&signers, now.policy.governance_zones())
}

fn check_zones(people: &[&Person], need: u32) -> Result<(), Violation> {
    let zones: std::collections::BTreeSet<&str> = people.iter().map(|p| p.zone.as_str()).collect();
    let have = zones.len() as u64;
    if have < u64::from(need) {
        let detail = format!("approvals from {have} network zones, {need} are needed");
        return Err(Violation::new(Code::ZoneMissing, detail).limit(u64::from(need), have));
    }
    Ok(())
}

fn check_groups(people: &[&Person], groups: &[(String, u32)]) -> Result<(), Violation> {
    for (group, need) in groups {
        let have = people.iter().filter(|p| p.group == *group).count() as u64;
        if have < u64::from(*need) {
            let detail = format!("{have} of `{group}`, {need} are needed");
            return Err(Violation::new(Code::QuorumNotMet, detail).limit(u64::from(*need), have));
        }
    }
    Ok(())
}

impl Receipt {
    /// Reads a receipt file.
    pub fn parse(json: &[u8]) -> Result<Self, Violation> {
        if json.len() > RECEIPT_BYTES_MAX {
            return Err(bad("a receipt is at most 16 MiB"));
        }
        serde_json::from_slice(json)
            .map_err(|e| bad(format!("line {} column {}: {e}", e.line(), e.column())))
    }

    /// The file's content.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Checks that everything in it fits together. Whether the vault is the one that the reader means
    /// is another question: `NOT_ANCHORED` until its id is compared.
    pub fn verify(&self) -> Result<Verified, Violation> {
        if self.version != 1 {
            return Err(bad(format!("receipt version {}", self.version)));
        }
        let signed = SignedGenesis::from_bytes(&bytes(&self.genesis, "genesis")?)
            .map_err(|e| bad(format!("genesis: {e}")))?;
        // The record is checked first: its own limits bound the work on its signatures.
        let vault = signed.genesis.clone().check().map_err(|e| Violation::new(e.code, e.detail))?;
        if !signed.unsigned().is_empty() {
            return Err(no("genesis is not signed by every founder"));
        }
        if vault.id != self.vault_id {
            return Err(no("the genesis record is of another vault"));
        }
        let intent = Intent::parse(self.intent.as_bytes()).map_err(|e| bad(e.to_string()))?;
        if *intent.vault_id() != vault.id {
            return Err(no("the intent is for another vault"));
        }
        let (tx, spend, prevouts) = self.spend(&vault)?;
        check_outputs(&intent, &spend)?;
        let intent_digest = intent.digest();
        let digest = spend.digest(&vault.id, &intent_digest);
        let governed = govern(&vault, &self.changes, &self.successions)?;
        let approvals = self.check_approvals(&governed, &vault, &intent, &spend, &digest)?;
        let told = Told { intent: &intent, spend: &spend, digest, tx: &tx };
        let (reservation, observed) = self.check_reservation(&told, &vault, &governed)?;
        check_decided(&reservation, &told, &approvals, &observed)?;
        check_trace(&self.decision, &told, &governed.policy)?;
        let witnesses = self.check_log(&told, &governed)?;
        let approvers = approvals.into_iter().map(|a| a.person).collect();
        Ok(Verified { vault, intent, spend, tx, prevouts, approvers, witnesses })
    }

    fn spend(&self, vault: &Vault) -> Result<(Transaction, SpendSummary, Vec<TxOut>), Violation> {
        let tx: Transaction =
            deserialize(&bytes(&self.tx, "tx")?).map_err(|e| bad(format!("tx: {e}")))?;
        let mut unsigned = tx.clone();
        for input in &mut unsigned.input {
            input.script_sig = ScriptBuf::new();
            input.witness = Witness::new();
        }
        if tx.input.len() > INPUTS_MAX || tx.output.len() > OUTPUTS_MAX {
            return Err(Violation::new(Code::TxLimits, "more inputs or outputs than are signed"));
        }
        if self.prevouts.len() != tx.input.len() {
            return Err(bad("coins and inputs differ in number"));
        }
        let mut inputs = Vec::new();
        let mut prevouts = Vec::new();
        for (prevout, input) in self.prevouts.iter().zip(&tx.input) {
            let amount = Amount::from_sat(prevout.amount_sat);
            let script = ScriptBuf::from_bytes(bytes(&prevout.script, "script")?);
            prevouts.push(TxOut { value: amount, script_pubkey: script.clone() });
            inputs.push(SpentCoin {
                outpoint: input.previous_output,
                amount,
                script,
                address: None,
                sequence: input.sequence.to_consensus_u32(),
            });
        }
        let mut outputs = Vec::new();
        let proofs: BTreeMap<u32, &ChangeProof> = self.change.iter().map(|c| (c.vout, c)).collect();
        for (vout, output) in (0u32..).zip(&tx.output) {
            let kind = match proofs.get(&vout) {
                None => OutputKind::Payment,
                Some(proof) => {
                    let at = VaultAddress { branch: proof.branch, index: proof.index };
                    if vault.script.script_pubkey(&at).as_ref() != Some(&output.script_pubkey) {
                        return Err(no(format!("output {vout} is not the vault's")));
                    }
                    OutputKind::Change(at)
                }
            };
            let script = output.script_pubkey.clone();
            outputs.push(PaidOutput { script, amount: output.value, kind });
        }
        let sum = |amounts: &[Amount]| {
            amounts.iter().try_fold(Amount::ZERO, |sum, a| {
                sum.checked_add(*a).filter(|sum| *sum <= Amount::MAX_MONEY)
            })
        };
        let spent = sum(&inputs.iter().map(|i| i.amount).collect::<Vec<_>>());
        let paid = sum(&outputs.iter().map(|o| o.amount).collect::<Vec<_>>());
        let fee = match (spent, paid) {
            (Some(spent), Some(paid)) => spent.checked_sub(paid),
            _ => None,
        };
        let fee = fee.ok_or_else(|| Violation::new(Code::ValueOverflow, "sums"))?;
        let vsize = tx.vsize() as u64;
        Ok((tx, SpendSummary { inputs, outputs, fee, vsize, tx: unsigned }, prevouts))
    }

    fn check_approvals(
        &self,
        governed: &Governed,
        vault: &Vault,
        intent: &Intent,
        spend: &SpendSummary,
        digest: &Digest,
    ) -> Result<Vec<Approval>, Violation> {
        if self.approvals.len() > PERSONS_MAX {
            return Err(bad("more approvals than a roster has people"));
        }
        let mut people: Vec<&Person> = Vec::new();
        let mut approvals = Vec::new();
        for file in &self.approvals {
            let approval = Approval::parse(file.as_bytes()).map_err(|e| bad(e.to_string()))?;
            let person = governed
                .roster
                .person(&approval.person)
                .ok_or_else(|| no("an approval by a stranger"))?;
            if let Some(wrong) = approval.verify(person, &vault.id, digest).into_iter().next() {
                return Err(wrong);
            }
            if approval.decision != Decision::Approve || approval.heads != governed.heads {
                return Err(no(format!("{} approved something else", person.id)));
            }
            if !person.vendor && !people.iter().any(|p| p.id == person.id) {
                people.push(person);
            }
            approvals.push(approval);
        }
        let asker = governed.roster.requester(intent.requester()).and_then(|r| r.person.clone());
        for quorum in &governed.policy.quorums {
            if quorum.above != Amount::ZERO && spend.paid() <= quorum.above {
                continue;
            }
            let counted: Vec<&Person> = people
                .iter()
                .filter(|p| {
                    let asked =
                        asker.as_ref() == Some(&p.id) || p.review_key == *intent.requester();
                    quorum.self_approval || !asked
                })
                .copied()
                .collect();
            check_groups(&counted, &quorum.groups)?;
            check_zones(&counted, quorum.zones)?;
        }
        Ok(approvals)
    }

    /// The reservation with all its payments, and the times that it and the signature were judged at.
    fn check_reservation(
        &self,
        told: &Told<'_>,
        vault: &Vault,
        governed: &Governed,
    ) -> Result<(Reservation, Vec<Sight>), Violation> {
        let (entries, _) = self.reservation.check(&governed.log)?;
        let Some((Entry { body: Body::Reservation(reservation), observed, .. }, more)) =
            entries.split_first()
        else {
            return Err(no("no reservation"));
        };
        let mut payments = reservation.payments.clone();
        for entry in more {
            let Body::Payments(rest) = &entry.body else { return Err(no("no payments")) };
            payments.extend_from_slice(rest);
        }
        let salt = &vault.genesis.salt;
        let asked = told.intent.outputs().iter().map(|p| LoggedPayment {
            amount: p.amount,
            script: salted(salt, p.script.as_bytes()),
            reference: salted(salt, p.reference.as_bytes()),
        });
        if payments != asked.collect::<Vec<_>>() || more.len() as u64 != u64::from(reservation.more)
        {
            return Err(no("the reservation is for other payments"));
        }
        let (entries, _) = self.countersigned.check(&governed.log)?;
        let Some(Entry { body: Body::Countersigned(signed), .. }) = entries.first() else {
            return Err(no("no record of this signature"));
        };
        let mut reservation = reservation.as_ref().clone();
        // What was judged last is what the signature stands on.
        reservation.approvals.clone_from(&signed.approvals);
        let later = entries.iter().flat_map(|e| &e.observed);
        let observed = observed.iter().chain(later).copied().collect();
        Ok((reservation, observed))
    }

    fn check_log(&self, told: &Told<'_>, governed: &Governed) -> Result<Vec<String>, Violation> {
        let (_, head) = self.reservation.check(&governed.log)?;
        let policy = &governed.witnesses;
        let head = CosignedHead::check(head, policy.keys())
            .map_err(|e| Violation::new(Code::WitnessQuorum, e.to_string()))?;
        if !policy.is_met(&head) {
            let have = head.cosignatures().len() as u64;
            let detail = "too few witnesses cosigned the reservation";
            return Err(Violation::new(Code::WitnessQuorum, detail).limit(policy.k() as u64, have));
        }
        let (entries, later) = self.countersigned.check(&governed.log)?;
        let signed = entries.first().is_some_and(|entry| match &entry.body {
            Body::Countersigned(c) => {
                c.reservation == self.reservation.entry
                    && c.intent == told.intent.digest()
                    && c.spend == told.digest
            }
            _ => false,
        });
        if !signed {
            return Err(no("no record of this signature"));
        }
        check_consistency(&hashes(&self.consistency)?, head.head(), later.head())
            .map_err(|e| Violation::new(Code::LogFork, e.to_string()))?;
        let names = head.cosignatures().iter().filter_map(|c| policy.keys().get(c.witness));
        Ok(names.map(|key| key.name().to_owned()).collect())
    }
}

/// What the receipt tells of, as its own files have it.
struct Told<'a> {
    intent: &'a Intent,
    spend: &'a SpendSummary,
    digest: Digest,
    tx: &'a Transaction,
}

/// The decision trace tells of a decision that allows, and where the receipt alone shows the numbers it
/// tells these. Windows, shares and ages need the whole log; who made the receipt says them.
fn check_trace(trace: &[Compared], told: &Told<'_>, policy: &Policy) -> Result<(), Violation> {
    if let Some(broken) = trace.iter().find(|c| !c.holds()) {
        return Err(no(format!("the decision trace breaks {}", broken.code)));
    }
    let paid = told.spend.paid().to_sat();
    let fee = told.spend.fee.to_sat();
    let shown = [
        (Code::TxLimit, "payments", policy.limits.tx_max.to_sat(), paid),
        (Code::FeeLimit, "the fee", policy.fee.max.to_sat(), fee),
    ];
    for (code, what, limit, actual) in shown {
        let told = trace.iter().find(|c| c.code == code.name() && c.what == what);
        // A person may have lowered the limit; nobody raises it without a change.
        if told.is_none_or(|c| c.actual != actual || c.limit > limit) {
            return Err(no(format!("the decision trace tells other numbers for {}", code.name())));
        }
        if actual > limit {
            let detail = format!("{what}: {actual} sat, {limit} at most");
            return Err(Violation::new(code, detail).limit(limit, actual));
        }
    }
    Ok(())
}

/// The reservation decided on exactly what the receipt shows, while all of it was good.
fn check_decided(
    reservation: &Reservation,
    told: &Told<'_>,
    approvals: &[Approval],
    observed: &[Sight],
) -> Result<(), Violation> {
    let (intent, spend) = (told.intent, told.spend);
    let change = (0u32..).zip(&spend.outputs).filter(|(_, o)| o.kind != OutputKind::Payment);
    let mut decided: Vec<&Digest> = reservation.approvals.iter().collect();
    let digests: Vec<Digest> = approvals.iter().map(Approval::digest).collect();
    let mut shown: Vec<&Digest> = digests.iter().collect();
    decided.sort_unstable();
    shown.sort_unstable();
    let same = [
        ("intent", reservation.intent == intent.digest()),
        ("kind", reservation.kind == intent.kind()),
        ("requester", reservation.requester == *intent.requester()),
        ("expiry", reservation.expires == intent.expires()),
        ("spend", reservation.spend == told.digest),
        ("transaction", reservation.txid == told.tx.compute_txid()),
        ("coins", reservation.outpoints.iter().eq(spend.inputs.iter().map(|i| &i.outpoint))),
        ("sum of the coins", reservation.total_in == spend.total_in()),
        ("fee", reservation.fee == spend.fee),
        ("change", reservation.change.iter().copied().eq(change.map(|(vout, o)| (vout, o.amount)))),
        ("approvals", decided == shown),
    ];
    if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
        return Err(no(format!("the reservation names another {what} than the receipt shows")));
    }
    let latest = observed.iter().map(|s| s.now.high).max();
    let first_end = approvals.iter().map(|a| a.not_after).chain([intent.expires()]).min();
    if let (Some(latest), Some(end)) = (latest, first_end)
        && latest > end
    {
        let detail = format!("decided at {latest} on what ran out at {end}");
        return Err(Violation::new(Code::Expired, detail));
    }
    Ok(())
}

/// Every output is asked for or the vault's own, and everything asked for is there.
fn check_outputs(intent: &Intent, spend: &SpendSummary) -> Result<(), Violation> {
    let mut paid: Vec<_> = spend.payments().map(|o| (o.script.clone(), o.amount)).collect();
    let mut own: Vec<_> = spend
        .outputs
        .iter()
        .filter(|o| o.kind != OutputKind::Payment)
        .map(|o| (o.script.clone(), o.amount))
        .collect();
    for payment in intent.outputs() {
        let pair = (payment.script.clone(), payment.amount);
        if let Some(at) = paid.iter().position(|p| *p == pair) {
            paid.swap_remove(at);
        } else if let Some(at) = own.iter().position(|p| *p == pair) {
            own.swap_remove(at);
        } else {
            return Err(Violation::new(Code::OutputMissing, "a payment asked for is not made"));
        }
    }
    match paid.first() {
        None => Ok(()),
        Some(_) => Err(Violation::new(Code::OutputNotApproved, "a payment that nobody asked for")),
    }
}

/// Hex of hashes, for the file.
pub fn hex_hashes(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(|h| hex(&h.0)).collect()
}
