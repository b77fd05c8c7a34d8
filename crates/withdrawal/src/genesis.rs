//! The genesis record: everything a vault is, signed by every founder. Its digest is the vault id.

use bitcoin::ScriptBuf;
use bitcoin::bip32::Xpub;
use std::str::FromStr as _;
use tlog::{VerifierKey, WitnessPolicy};

use crate::code::Code;
use crate::digest::{Digest, Tag};
use crate::keys::{KeySignature, PublicKey};
use crate::network::Network;
use crate::person::{Enrolment, Roster, is_name};
use crate::policy::Policy;
use crate::script::{SpendPaths, VaultScript};
use crate::wire::{Wire as _, wire_struct};

/// An address that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedAddress {
    /// The script behind the address.
    pub script: ScriptBuf,
    /// What people call it.
    pub label: String,
}
wire_struct!(AllowedAddress { script, label });

/// Public parts of the cosigner that a vault is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKeys {
    /// Signs refusals and acknowledgements.
    pub identity: PublicKey,
    /// The log's verifier key; its name is the log's origin.
    pub log: String,
    /// `[fingerprint/path]xpub` of the account that serves this vault only.
    pub account: String,
}
wire_struct!(CosignerKeys { identity, log, account });

impl CosignerKeys {
    /// The account's extended key without its origin.
    pub fn account_xpub(&self) -> Result<Xpub, String> {
        let bare = self.account.rsplit(']').next().unwrap_or_default();
        Xpub::from_str(bare).map_err(|e| format!("cosigner account `{bare}`: {e}"))
    }
}

/// Most bytes of a genesis record: with its signatures it is one entry of the log.
pub const GENESIS_BYTES_MAX: usize = 48 * 1024;

/// What the founders agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// What people call the vault.
    pub name: String,
    /// Its network.
    pub network: Network,
    /// The descriptor with checksum.
    pub descriptor: String,
    /// The cosigner; `None` for a vault that is evaluated only.
    pub cosigner: Option<CosignerKeys>,
    /// tlog-policy text of the witnesses; empty for a vault that is evaluated only.
    pub witness_policy: String,
    /// How many of them may be hostile.
    pub hostile_witnesses: u8,
    /// First roster.
    pub roster: Roster,
    /// The founders' enrolments, in the order of the roster.
    pub enrolments: Vec<Enrolment>,
    /// First policy.
    pub policy: Policy,
    /// First allow-list.
    pub allowlist: Vec<AllowedAddress>,
    /// Everything on one host under one user: for trials, said wherever the vault is shown.
    pub embedded: bool,
    /// Salt of the script and reference hashes in the log.
    pub salt: [u8; 32],
}
wire_struct!(Genesis {
    name,
    network,
    descriptor,
    cosigner,
    witness_policy,
    hostile_witnesses,
    roster,
    enrolments,
    policy,
    allowlist,
    embedded,
    salt,
});

/// A genesis record that was checked, with what follows from it.
#[derive(Clone, Debug)]
pub struct Vault {
    /// The record.
    pub genesis: Genesis,
    /// Its digest.
    pub id: Digest,
    /// The parsed script.
    pub script: VaultScript,
    /// Who spends; `None` for a vault that is evaluated only.
    pub paths: Option<SpendPaths>,
    /// Why the cosigner can be got round, where it can.
    pub bypass: Option<String>,
    /// The witnesses; `None` for a vault that is evaluated only.
    pub witnesses: Option<WitnessPolicy>,
    /// The log's key.
    pub log: Option<VerifierKey>,
}

/// Why a genesis record was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct GenesisError {
    /// The code.
    pub code: Code,
    /// What is wrong.
    pub detail: String,
}

fn refuse(code: Code, detail: impl Into<String>) -> GenesisError {
    GenesisError { code, detail: detail.into() }
}

impl Genesis {
    /// The vault id: tag `genesis` over the whole record.
    pub fn vault_id(&self) -> Digest {
        Tag::Genesis.of(self)
    }

    /// Checks the whole record; a vault that is evaluated only may be spent without a cosigner.
    pub fn check(self) -> Result<Vault, GenesisError> {
        let malformed = |e: String| refuse(Code::Malformed, e);
        let script = VaultScript::parse(&self.descriptor, self.network)
            .map_err(|e| malformed(e.to_string()))?;
        if script.text() != self.descriptor {
            return Err(malformed("descriptor is not in canonical form with checksum".to_owned()));
        }
        let size = self.to_bytes().len();
        if size > GENESIS_BYTES_MAX {
            return Err(malformed(format!("{size} bytes, {GENESIS_BYTES_MAX} at most")));
        }
        if !self.name.is_empty() && !is_name(&self.name) {
            return Err(malformed(format!("name `{}`", crate::assertion::safe(&self.name))));
        }
        if let Some(fault) = self.policy.fault() {
            return Err(malformed(format!("policy: {fault}")));
        }
        if let Some(fault) = self.roster.fault() {
            return Err(malformed(format!("roster: {fault}")));
        }
        self.check_allowlist()?;
        let id = self.vault_id();
        let Some(cosigner) = &self.cosigner else {
            let bypass = script.spend_paths(None).err();
            return Ok(Vault {
                id,
                script,
                bypass,
                paths: None,
                witnesses: None,
                log: None,
                genesis: self,
            });
        };
        let account = cosigner.account_xpub().map_err(malformed)?;
        let paths =
            script.spend_paths(Some(&account)).map_err(|e| refuse(Code::CosignerBypass, e))?;
        let log = VerifierKey::parse(&cosigner.log).map_err(|e| malformed(e.to_string()))?;
        let witnesses = WitnessPolicy::parse(&self.witness_policy, self.hostile_witnesses.into())
            .map_err(|e| refuse(Code::WitnessQuorum, e.to_string()))?;
        self.check_people()?;
        Ok(Vault {
            id,
            script,
            bypass: None,
            paths: Some(paths),
            witnesses: Some(witnesses),
            log: Some(log),
            genesis: self,
        })
    }

    fn check_allowlist(&self) -> Result<(), GenesisError> {
        for (index, entry) in self.allowlist.iter().enumerate() {
            let label = &entry.label;
            let printable = !label.is_empty()
                && label.len() <= 64
                && label.bytes().all(|b| (0x20..0x7f).contains(&b));
            if !printable {
                return Err(refuse(Code::Malformed, format!("allow-list label {index}")));
            }
            if self.allowlist.iter().skip(index + 1).any(|o| o.script == entry.script) {
                return Err(refuse(Code::Malformed, format!("`{label}` is listed twice")));
            }
        }
        Ok(())
    }

    fn check_people(&self) -> Result<(), GenesisError> {
        if let Some(what) = self.policy.unmeetable(&self.roster) {
            return Err(refuse(Code::QuorumNotMet, format!("no quorum could ever be met: {what}")));
        }
        let named: Vec<_> = self.enrolments.iter().map(|e| &e.person).collect();
        if named != self.roster.persons.iter().collect::<Vec<_>>() {
            return Err(refuse(Code::Malformed, "enrolments and roster differ"));
        }
        for enrolment in &self.enrolments {
            enrolment.check().map_err(|e| refuse(Code::Malformed, e))?;
        }
        Ok(())
    }
}

/// A genesis record with the founders' signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGenesis {
    /// The record.
    pub genesis: Genesis,
    /// Person and review-key signature over the vault id.
    pub signatures: Vec<(String, KeySignature)>,
}
wire_struct!(SignedGenesis { genesis, signatures });

impl SignedGenesis {
    /// Founders whose signature is missing or wrong.
    pub fn unsigned(&self) -> Vec<&str> {
        let id = self.genesis.vault_id();
        let signed = |person: &str, key: &PublicKey| {
            self.signatures.iter().any(|(name, sig)| name == person && key.verifies(&id.0, sig))
        };
        let persons = self.genesis.roster.persons.iter();
        persons.filter(|p| !signed(&p.id, &p.review_key)).map(|p| p.id.as_str()).collect()
    }

    /// The first links of the three chains.
    pub fn chain_heads(genesis: &Genesis) -> crate::approval::ChainHeads {
        let link = |name: &str, content: Vec<u8>| {
            let mut out = name.to_owned().to_bytes();
            out.extend(content);
            Tag::Chain.digest(&out)
        };
        crate::approval::ChainHeads {
            roster: link("roster", genesis.roster.to_bytes()),
            policy: link("policy", genesis.policy.to_bytes()),
            allowlist: link("allowlist", genesis.allowlist.to_bytes()),
        }
    }
}
