//! A whole vault for trials: people, holders and a requester with keys in memory, a signed genesis
//! record, coins that no chain has. The drill stands on it, and tests do. Nothing here is for money.

use bitcoin::hashes::Hash as _;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use ring::rand::{SecureRandom, SystemRandom};
use tlog::TreeHead;
use withdrawal::approval::{Approval, Decision};
use withdrawal::author::{Signatory, SoftwarePasskey, Subject};
use withdrawal::change::{Change, ChangeKind, SignedChange};
use withdrawal::digest::Digest;
use withdrawal::genesis::{AllowedAddress, CosignerKeys, Genesis, SignedGenesis, Vault};
use withdrawal::intent::{Draft, Kind};
use withdrawal::keys::SecretKey;
use withdrawal::network::Network;
use withdrawal::person::{Person, Requester, Roster};
use withdrawal::policy::Policy;
use withdrawal::script::{VaultAddress, VaultScript};
use withdrawal::sign::AccountKey;
use withdrawal::state::State;
use withdrawal::succession::{Declaration, Succession, successor};
use withdrawal::time::Timestamp;
use zeroize::Zeroizing;

use crate::coins::Coin;
use crate::{Error, io};

fn no(what: &str) -> Error {
    Error::Peer(format!("trial: {what}"))
}

/// Fresh random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| no("random source"))?;
    Ok(bytes)
}

/// One person with both keys.
pub struct TrialPerson {
    /// Name in the roster.
    pub id: String,
    /// Network zone.
    pub zone: String,
    /// Works for a vendor.
    pub vendor: bool,
    /// The passkey.
    pub passkey: SoftwarePasskey,
    /// The review key.
    pub review: SecretKey,
}

impl TrialPerson {
    /// Someone new.
    pub fn new(id: &str, zone: &str, vendor: bool) -> Result<Self, Error> {
        let passkey =
            SoftwarePasskey::generate(&SystemRandom::new()).ok_or_else(|| no("passkey"))?;
        let review = SecretKey::from_seed(&Zeroizing::new(random()?));
        Ok(Self { id: id.to_owned(), zone: zone.to_owned(), vendor, passkey, review })
    }

    /// Both keys together.
    pub fn signatory(&self) -> Signatory<'_> {
        Signatory { person: &self.id, passkey: &self.passkey, review: &self.review }
    }

    /// The record that is enrolled.
    pub fn record(&self) -> Person {
        Person {
            id: self.id.clone(),
            group: "approvers".to_owned(),
            vendor: self.vendor,
            zone: self.zone.clone(),
            platform: "trial".to_owned(),
            passkey: self.passkey.public().clone(),
            review_key: self.review.public(),
        }
    }

    /// An approval of a spend under the heads of a state.
    pub fn approve(
        &self,
        state: &State,
        spend: Digest,
        not_after: Timestamp,
    ) -> Result<Approval, Error> {
        self.decide(state, spend, not_after, Decision::Approve)
    }

    /// A yes or no to a spend.
    pub fn decide(
        &self,
        state: &State,
        spend: Digest,
        not_after: Timestamp,
        decision: Decision,
    ) -> Result<Approval, Error> {
        let subject = Subject {
            vault_id: state.vault().id,
            spend_digest: spend,
            heads: state.heads(),
            not_after,
        };
        let signed = self.signatory().decide(&subject, decision, &SystemRandom::new());
        signed.ok_or_else(|| no("approval"))
    }
}

/// What a trial vault is made from.
pub struct Setup {
    /// Network of keys and addresses.
    pub network: Network,
    /// `sh(wsh(…))` instead of `wsh(…)`.
    pub nested: bool,
    /// The policy.
    pub policy: Policy,
    /// Known addresses.
    pub allowlist: Vec<AllowedAddress>,
    /// tlog-policy text of the witnesses.
    pub witness_policy: String,
    /// How many of them may be hostile.
    pub hostile_witnesses: u8,
    /// Recovery time in blocks.
    pub older: u32,
    /// Person of the roster behind the requester, if any.
    pub requester_person: Option<String>,
    /// People whose passkeys can be synced.
    pub synced: Vec<String>,
}

/// The keys of everyone but the cosigner.
pub struct Trial {
    /// The people.
    pub people: Vec<TrialPerson>,
    /// Three holders, two of whom must sign.
    pub holders: Vec<AccountKey>,
    /// Two recovery keys.
    pub recovery: Vec<AccountKey>,
    /// The requester.
    pub requester: SecretKey,
}

fn account(network: Network) -> Result<AccountKey, Error> {
    AccountKey::from_seed(&Zeroizing::new(random()?), network).ok_or_else(|| no("account"))
}

impl Trial {
    /// Fresh keys for people given by name, zone and whether they are a vendor's.
    pub fn new(network: Network, people: &[(&str, &str, bool)]) -> Result<Self, Error> {
        Ok(Self {
            people: people
                .iter()
                .map(|(id, zone, vendor)| TrialPerson::new(id, zone, *vendor))
                .collect::<Result<_, _>>()?,
            holders: (0..3).map(|_| account(network)).collect::<Result<_, _>>()?,
            recovery: (0..2).map(|_| account(network)).collect::<Result<_, _>>()?,
            requester: SecretKey::from_seed(&Zeroizing::new(random()?)),
        })
    }

    /// A person by name.
    pub fn person(&self, id: &str) -> Result<&TrialPerson, Error> {
        self.people.iter().find(|p| p.id == id).ok_or_else(|| no("nobody by that name"))
    }

    /// The vault's descriptor: DMM's two of three, with the cosigner built in and a way to recover.
    pub fn descriptor(&self, setup: &Setup, cosigner: &CosignerKeys) -> String {
        let ranged = |keys: &[AccountKey]| {
            keys.iter().map(|k| format!("{}/<0;1>/*", k.public())).collect::<Vec<_>>().join(",")
        };
        let script = format!(
            "wsh(andor(pk({}/<0;1>/*),multi(2,{}),and_v(v:older({}),multi(2,{}))))",
            cosigner.account,
            ranged(&self.holders),
            setup.older,
            ranged(&self.recovery)
        );
        if setup.nested { format!("sh({script})") } else { script }
    }

    /// A genesis record that every founder has signed.
    pub fn genesis(&self, setup: &Setup, cosigner: CosignerKeys) -> Result<SignedGenesis, Error> {
        let descriptor = self.descriptor(setup, &cosigner);
        let script =
            VaultScript::parse(&descriptor, setup.network).map_err(|e| no(&e.to_string()))?;
        let mut enrolments = Vec::new();
        for person in &self.people {
            let enrolment = person.signatory().enrol(person.record(), &SystemRandom::new());
            enrolments.push(enrolment.ok_or_else(|| no("enrolment"))?);
        }
        let requester = Requester {
            name: "requester".to_owned(),
            key: self.requester.public(),
            person: setup.requester_person.clone(),
        };
        let genesis = Genesis {
            name: "trial".to_owned(),
            network: setup.network,
            descriptor: script.text().to_owned(),
            cosigner: Some(cosigner),
            witness_policy: setup.witness_policy.clone(),
            hostile_witnesses: setup.hostile_witnesses,
            roster: Roster {
                persons: enrolments.iter().map(|e| e.person.clone()).collect(),
                requesters: vec![requester],
            },
            enrolments,
            policy: setup.policy.clone(),
            allowlist: setup.allowlist.clone(),
            embedded: true,
            salt: random()?,
        };
        let id = genesis.vault_id();
        let signatures =
            self.people.iter().map(|p| (p.id.clone(), p.review.sign_digest(&id))).collect();
        Ok(SignedGenesis { genesis, signatures })
    }

    /// A signed intent of the requester.
    pub fn intent(
        &self,
        state: &State,
        kind: Kind,
        payments: &[(ScriptBuf, u64, &str)],
        max_fee_sat: u64,
        expires: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        self.intent_by(&self.requester, state, kind, payments, max_fee_sat, expires)
    }

    /// A signed intent of somebody else.
    pub fn intent_by(
        &self,
        key: &SecretKey,
        state: &State,
        kind: Kind,
        payments: &[(ScriptBuf, u64, &str)],
        max_fee_sat: u64,
        expires: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        let network = state.vault().genesis.network;
        let id = withdrawal::digest::hex(&random::<16>()?);
        let part = |from, to| id.get(from..to).unwrap_or_default();
        let draft = Draft {
            kind,
            vault_id: state.vault().id,
            network,
            id: format!(
                "{}-{}-{}-{}-{}",
                part(0, 8),
                part(8, 12),
                part(12, 16),
                part(16, 20),
                part(20, 32)
            ),
            outputs: payments
                .iter()
                .map(|(script, sat, reference)| {
                    (network.show(script), *sat, (*reference).to_owned())
                })
                .collect(),
            max_fee_sat,
            not_before: Timestamp::default(),
            expires,
            nonce: random()?,
        };
        draft.sign(key).map_err(|e| no(&e.to_string()))
    }

    /// A change signed by some people.
    pub fn change(
        &self,
        state: &State,
        kind: ChangeKind,
        signers: &[&TrialPerson],
    ) -> Result<SignedChange, Error> {
        let change = Change {
            vault_id: state.vault().id,
            previous: state.head_for(&kind),
            kind,
            not_after: state.now().map_or(Timestamp::default(), |now| now.low.plus(7 * 86_400)),
            nonce: random()?,
        };
        let (digest, review) = (change.digest(), change.review_digest());
        let mut signatures = Vec::new();
        for person in signers {
            let signature = person.signatory().sign_change(&digest, &review, &SystemRandom::new());
            signatures.push(signature.ok_or_else(|| no("change"))?);
        }
        Ok(SignedChange { change, signatures })
    }

    /// A succession of a backup of `backup_size` entries, signed by some people.
    pub fn succession(
        vault: &Vault,
        old: TreeHead,
        backup_size: u64,
        released: Vec<Digest>,
        signers: &[&TrialPerson],
    ) -> Result<Succession, Error> {
        let first = vault.log.as_ref().ok_or_else(|| no("log"))?;
        let declaration = Declaration {
            vault_id: vault.id,
            new_log: successor(first, &random()?).map_err(|_| no("log"))?.to_string(),
            old_size: old.size,
            old_root: old.root.0,
            backup_size,
            released,
            nonce: random()?,
        };
        let (digest, review) = (declaration.digest(), declaration.review_digest());
        let mut signatures = Vec::new();
        for person in signers {
            let signature = person.signatory().sign_change(&digest, &review, &SystemRandom::new());
            signatures.push(signature.ok_or_else(|| no("succession"))?);
        }
        Ok(Succession { declaration, signatures })
    }
}

/// A coin on an address of the vault, from a transaction that no chain has.
pub fn coin(script: &VaultScript, at: VaultAddress, amount: Amount) -> Result<Coin, Error> {
    let output = script.script_pubkey(&at).ok_or_else(|| no("address"))?;
    let previous = Transaction {
        version: Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: Txid::from_byte_array(random()?), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: amount, script_pubkey: output.clone() }],
    };
    let outpoint = OutPoint { txid: previous.compute_txid(), vout: 0 };
    Ok(Coin { outpoint, amount, script: output, address: at, height: None, previous })
}

/// Removes a directory of a trial; one that is gone already is fine.
pub fn remove(dir: &std::path::Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(dir.display())(error)),
        _ => Ok(()),
    }
}
