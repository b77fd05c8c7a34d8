//! The vault's script: a miniscript descriptor, judged for whether any keys spend without the cosigner.
//!
//! With every `older` replaced by false and a recognised unspendable internal key by false, what
//! remains must be and(C, thresh(k, holders)). `reader` checks the same by trying all subsets of keys
//! in code of its own; every doubt is `COSIGNER_BYPASS`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};

use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{NetworkKind, PublicKey, ScriptBuf};
use miniscript::descriptor::{DescriptorPublicKey, DescriptorType, SinglePubKey};
use miniscript::policy::{Liftable as _, Semantic};
use miniscript::{DefiniteDescriptorKey, Descriptor, ForEachKey as _, TranslatePk as _};

use crate::network::Network;

/// Shortest recovery time on real networks: half a year of blocks.
pub const OLDER_BLOCKS_MIN: u32 = 26_280;
/// Longest relative lock time in blocks that consensus knows (BIP-68).
pub const OLDER_BLOCKS_MAX: u32 = 65_535;
/// Most keys in a script.
pub const KEYS_MAX: usize = 16;
/// Bytes of the longest descriptor that is read.
pub const DESCRIPTOR_BYTES_MAX: usize = 8 * 1024;
/// Highest derivation index of change and receive addresses. A recovery that scans this far finds
/// every coin; what lies beyond is held for ransom (P12).
pub const INDEX_MAX: u32 = 100_000;

/// Why a descriptor was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScriptError {
    /// It does not parse.
    #[error("descriptor: {0}")]
    Malformed(String),
    /// Its keys belong to another network.
    #[error("descriptor has a key of another network than {0}")]
    Network(Network),
}

/// How the coins are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Native segwit version 0.
    Wsh,
    /// Segwit version 0 in P2SH; the txid changes with the signatures' absence.
    ShWsh,
    /// Taproot: parsed and judged, not yet signed.
    Taproot,
    /// Anything else: judged only.
    Other,
}

/// A descriptor with its branches: receive, and change where it has two.
#[derive(Clone, Debug)]
pub struct VaultScript {
    text: String,
    network: Network,
    branches: Vec<Descriptor<DescriptorPublicKey>>,
    /// The same with every extended key derived down to the last step, so that an address costs one
    /// derivation a key.
    derived: Vec<Descriptor<DescriptorPublicKey>>,
    wrapping: Wrapping,
    secp: Secp256k1<VerifyOnly>,
    /// Addresses derived lately: a transaction asks for the same few again and again.
    known: Arc<Mutex<Known>>,
}

/// Addresses by branch and index.
type Known = BTreeMap<(u32, u32), Arc<Derived>>;

/// Addresses that are remembered at most.
const KNOWN_MAX: usize = 4_096;

/// Everything that follows from one address.
#[derive(Debug)]
struct Derived {
    script_pubkey: ScriptBuf,
    witness_script: Option<ScriptBuf>,
    origins: Vec<(Fingerprint, DerivationPath, PublicKey)>,
}

impl PartialEq for VaultScript {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.network == other.network
    }
}
impl Eq for VaultScript {}

/// What spends the vault: the cosigner together with k of the holders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendPaths {
    /// The cosigner's key as it stands in the descriptor.
    pub cosigner: DescriptorPublicKey,
    /// How many holders must sign.
    pub k: usize,
    /// The holders.
    pub holders: Vec<DescriptorPublicKey>,
    /// Keys that can spend after the recovery time only.
    pub recovery: Vec<DescriptorPublicKey>,
    /// The recovery time in blocks; `None` where there is no recovery.
    pub older_blocks: Option<u32>,
}

/// One address of the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAddress {
    /// 0 receives, 1 is change.
    pub branch: u32,
    /// Derivation index.
    pub index: u32,
}

impl VaultScript {
    /// Parses a descriptor, with or without checksum; private keys are refused.
    pub fn parse(text: &str, network: Network) -> Result<Self, ScriptError> {
        let malformed = |e: &dyn std::fmt::Display| ScriptError::Malformed(e.to_string());
        if text.len() > DESCRIPTOR_BYTES_MAX || !text.is_ascii() {
            return Err(malformed(&"too long or not ASCII"));
        }
        let descriptor =
            Descriptor::<DescriptorPublicKey>::from_str(text.trim()).map_err(|e| malformed(&e))?;
        let wrapping = match descriptor.desc_type() {
            DescriptorType::Wsh | DescriptorType::WshSortedMulti => Wrapping::Wsh,
            DescriptorType::ShWsh | DescriptorType::ShWshSortedMulti => Wrapping::ShWsh,
            DescriptorType::Tr => Wrapping::Taproot,
            _ => Wrapping::Other,
        };
        let kind = match network {
            Network::Bitcoin => NetworkKind::Main,
            _ => NetworkKind::Test,
        };
        let right = descriptor.for_each_key(|key| match key {
            DescriptorPublicKey::XPub(x) => x.xkey.network == kind,
            DescriptorPublicKey::MultiXPub(x) => x.xkey.network == kind,
            DescriptorPublicKey::Single(_) => true,
        });
        if !right {
            return Err(ScriptError::Network(network));
        }
        if descriptor.for_any_key(DescriptorPublicKey::has_hardened_step) {
            return Err(malformed(&"hardened steps after an extended public key"));
        }
        let text = descriptor.to_string();
        let branches = descriptor.into_single_descriptors().map_err(|e| malformed(&e))?;
        if branches.is_empty() || branches.len() > 2 {
            return Err(malformed(&"one branch, or two: receive and change"));
        }
        let secp = Secp256k1::verification_only();
        let derived = branches.iter().map(|b| down_to_index(b, &secp)).collect::<Result<_, _>>()?;
        Ok(Self { text, network, branches, derived, wrapping, secp, known: Arc::default() })
    }

    /// The canonical text with its checksum.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// The network of its keys.
    pub const fn network(&self) -> Network {
        self.network
    }
    /// How the coins are wrapped.
    pub const fn wrapping(&self) -> Wrapping {
        self.wrapping
    }
    /// Whether it has more than one address.
    pub fn is_ranged(&self) -> bool {
        self.branches.iter().any(Descriptor::has_wildcard)
    }
    /// Number of branches: 1, or 2 where change has its own.
    pub fn branch_count(&self) -> u32 {
        u32::try_from(self.branches.len()).unwrap_or(1)
    }
    /// The text of each branch alone, with its checksum.
    pub fn branch_texts(&self) -> Vec<String> {
        self.branches.iter().map(ToString::to_string).collect()
    }
    /// The branch that change goes to.
    pub fn change_branch(&self) -> u32 {
        self.branch_count() - 1
    }

    /// The descriptor of one address, all keys definite.
    pub fn derive(&self, at: &VaultAddress) -> Option<Descriptor<DefiniteDescriptorKey>> {
        if at.index > INDEX_MAX {
            return None;
        }
        let branch = self.derived.get(usize::try_from(at.branch).ok()?)?;
        branch.at_derivation_index(at.index).ok()
    }

    /// The output script of one address.
    pub fn script_pubkey(&self, at: &VaultAddress) -> Option<ScriptBuf> {
        Some(self.look_up(at)?.script_pubkey.clone())
    }

    /// The witness script of one address; `None` for taproot and what is not segwit.
    pub fn witness_script(&self, at: &VaultAddress) -> Option<ScriptBuf> {
        self.look_up(at)?.witness_script.clone()
    }

    fn look_up(&self, at: &VaultAddress) -> Option<Arc<Derived>> {
        let place = (at.branch, at.index);
        if let Some(known) = self.known.lock().ok()?.get(&place) {
            return Some(Arc::clone(known));
        }
        let definite = self.derive(at)?;
        let concrete = definite.derived_descriptor(&self.secp).ok()?;
        let segwit = matches!(self.wrapping, Wrapping::Wsh | Wrapping::ShWsh);
        // The concrete script's keys, in order, are those of the definite one: none is derived twice.
        let mut publics = Vec::new();
        concrete.for_each_key(|key| {
            publics.push(*key);
            true
        });
        let mut publics = publics.into_iter();
        let mut origins = Vec::new();
        definite.for_each_key(|key| {
            if let (Some(path), Some(public)) = (key.full_derivation_path(), publics.next()) {
                origins.push((key.master_fingerprint(), path, public));
            }
            true
        });
        let derived = Arc::new(Derived {
            script_pubkey: concrete.script_pubkey(),
            witness_script: if segwit { concrete.explicit_script().ok() } else { None },
            origins,
        });
        let mut known = self.known.lock().ok()?;
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(place, Arc::clone(&derived));
        Some(derived)
    }

    /// Weight units of an input's signatures and script at most, for fee estimates.
    pub fn satisfaction_weight(&self) -> u64 {
        self.branches
            .first()
            .and_then(|b| b.at_derivation_index(0).ok())
            .and_then(|d| d.max_weight_to_satisfy().ok())
            .map_or(1_000, bitcoin::Weight::to_wu)
    }

    /// Every key of the descriptor, as parsed, in order.
    pub fn keys(&self) -> Vec<DescriptorPublicKey> {
        let mut keys = Vec::new();
        if let Some(branch) = self.branches.first() {
            branch.for_each_key(|key| {
                keys.push(key.clone());
                true
            });
        }
        keys
    }

    /// Steps from an extended key of this descriptor to a branch, without the index.
    pub fn steps_of(&self, xpub: &Xpub, branch: u32) -> Option<DerivationPath> {
        let descriptor = self.branches.get(usize::try_from(branch).ok()?)?;
        let mut steps = None;
        descriptor.for_each_key(|key| {
            match key {
                DescriptorPublicKey::XPub(x) if x.xkey == *xpub => {
                    steps = Some(x.derivation_path.clone());
                }
                _ => {}
            }
            true
        });
        steps
    }

    /// Fingerprint, full path and public key of every key at an address.
    pub fn derivations(&self, at: &VaultAddress) -> Vec<(Fingerprint, DerivationPath, PublicKey)> {
        self.look_up(at).map(|derived| derived.origins.clone()).unwrap_or_default()
    }

    /// Where a key origin of a PSBT points, if its fingerprint and path are of a key of this vault
    /// (leaf index included, however large).
    pub fn locate(&self, fingerprint: Fingerprint, path: &DerivationPath) -> Option<(u32, u32)> {
        let steps: Vec<ChildNumber> = path.into_iter().copied().collect();
        let (last, before) = steps.split_last()?;
        let ChildNumber::Normal { index } = last else { return None };
        for (branch, descriptor) in (0u32..).zip(&self.branches) {
            let mut hit = false;
            descriptor.for_each_key(|key| {
                if let DescriptorPublicKey::XPub(x) = key {
                    let full = key.full_derivation_path().unwrap_or_default();
                    let own: Vec<ChildNumber> = full.into_iter().copied().collect();
                    hit |= key.master_fingerprint() == fingerprint
                        && own == before
                        && x.wildcard != miniscript::descriptor::Wildcard::None;
                }
                true
            });
            if hit {
                return Some((branch, *index));
            }
        }
        None
    }

    /// Whether a fingerprint is of some key of this vault.
    pub fn has_fingerprint(&self, fingerprint: Fingerprint) -> bool {
        self.keys().iter().any(|key| key.master_fingerprint() == fingerprint)
    }

    /// Judges the script: who spends, given that `cosigner` is ours. The error says what keys get
    /// round the cosigner, or why it can't be ruled out: the code is `COSIGNER_BYPASS`.
    pub fn spend_paths(&self, cosigner: Option<&Xpub>) -> Result<SpendPaths, String> {
        if self.branches.iter().any(|b| b.sanity_check().is_err()) {
            return Err("the script is not sane miniscript".to_owned());
        }
        if self.wrapping == Wrapping::Other {
            return Err("only wsh, sh(wsh) and tr scripts can hold a cosigner".to_owned());
        }
        let mut paths = None;
        for branch in &self.branches {
            let judged = judge(branch, cosigner, self.network)?;
            if paths.is_none() {
                paths = Some(judged);
            }
        }
        paths.ok_or_else(|| "no branch".to_owned())
    }
}

/// Derives every extended key of a branch down to the step before the index; origins grow with it.
fn down_to_index(
    branch: &Descriptor<DescriptorPublicKey>,
    secp: &Secp256k1<VerifyOnly>,
) -> Result<Descriptor<DescriptorPublicKey>, ScriptError> {
    struct Down<'a>(&'a Secp256k1<VerifyOnly>);
    impl miniscript::Translator<DescriptorPublicKey, DescriptorPublicKey, ScriptError> for Down<'_> {
        fn pk(&mut self, key: &DescriptorPublicKey) -> Result<DescriptorPublicKey, ScriptError> {
            let DescriptorPublicKey::XPub(x) = key else { return Ok(key.clone()) };
            let fail = |e: bitcoin::bip32::Error| ScriptError::Malformed(e.to_string());
            let xkey = x.xkey.derive_pub(self.0, &x.derivation_path).map_err(fail)?;
            let (fingerprint, path) =
                x.origin.clone().unwrap_or((x.xkey.fingerprint(), DerivationPath::master()));
            Ok(DescriptorPublicKey::XPub(miniscript::descriptor::DescriptorXKey {
                origin: Some((fingerprint, path.extend(&x.derivation_path))),
                xkey,
                derivation_path: DerivationPath::master(),
                wildcard: x.wildcard,
            }))
        }
        miniscript::translate_hash_clone!(DescriptorPublicKey, DescriptorPublicKey, ScriptError);
    }
    branch.translate_pk(&mut Down(secp)).map_err(|e| ScriptError::Malformed(format!("{e:?}")))
}

/// A policy with the timelocks gone; one shape for one meaning as far as the rule needs it.
enum Plain {
    False,
    Key(DescriptorPublicKey),
    Thresh(usize, Vec<Plain>),
}

fn is_cosigner(key: &DescriptorPublicKey, cosigner: &Xpub) -> bool {
    match key {
        DescriptorPublicKey::XPub(x) => x.xkey == *cosigner,
        DescriptorPublicKey::MultiXPub(x) => x.xkey == *cosigner,
        DescriptorPublicKey::Single(_) => false,
    }
}

/// BIP-341's point with unknown discrete logarithm, alone or as an extended key.
fn is_unspendable(key: &DescriptorPublicKey) -> bool {
    const H: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
    match key {
        DescriptorPublicKey::XPub(x) => x.xkey.public_key.x_only_public_key().0.to_string() == H,
        DescriptorPublicKey::Single(single) => match single.key {
            SinglePubKey::XOnly(x) => x.to_string() == H,
            SinglePubKey::FullKey(full) => full.inner.x_only_public_key().0.to_string() == H,
        },
        DescriptorPublicKey::MultiXPub(_) => false,
    }
}

fn judge(
    branch: &Descriptor<DescriptorPublicKey>,
    cosigner: Option<&Xpub>,
    network: Network,
) -> Result<SpendPaths, String> {
    let mut keys = Vec::new();
    branch.for_each_key(|key| {
        keys.push(key.clone());
        true
    });
    if keys.len() > KEYS_MAX {
        return Err(format!("{} keys, at most {KEYS_MAX} are judged", keys.len()));
    }
    // A fixed key may be any extended key's child: then two places in the script are one person's.
    let fixed = |key: &&DescriptorPublicKey| {
        matches!(key, DescriptorPublicKey::Single(_)) && !is_unspendable(key)
    };
    if let (Some(_), Some(key)) = (cosigner, keys.iter().find(fixed)) {
        return Err(format!("{key} is a fixed key; a cosigned vault is made of extended keys"));
    }
    let distinct: BTreeSet<String> = keys.iter().map(root_of).collect();
    if distinct.len() != keys.len() {
        return Err("a key stands in the script twice".to_owned());
    }
    let policy = branch.lift().map_err(|e| e.to_string())?;
    let mut older = BTreeSet::new();
    let plain = without_locks(&policy, network, &mut older)?;
    let (cosigner_key, k, holders) = match plain {
        Plain::Thresh(2, parts) => split(parts, cosigner)?,
        Plain::Key(key) => return Err(format!("{key} alone spends")),
        Plain::False => return Err("nothing spends before the recovery time".to_owned()),
        Plain::Thresh(k, parts) => {
            return Err(format!(
                "any {k} of {} keys or groups spend: not and(C, k of n)",
                parts.len()
            ));
        }
    };
    let recovery = keys
        .into_iter()
        .filter(|k| *k != cosigner_key && !holders.contains(k) && !is_unspendable(k))
        .collect();
    let older_blocks = older.first().copied();
    Ok(SpendPaths { cosigner: cosigner_key, k, holders, recovery, older_blocks })
}

/// A key without its paths, so that one key under two paths counts as one.
fn root_of(key: &DescriptorPublicKey) -> String {
    match key {
        DescriptorPublicKey::XPub(x) => x.xkey.to_string(),
        DescriptorPublicKey::MultiXPub(x) => x.xkey.to_string(),
        DescriptorPublicKey::Single(single) => match single.key {
            SinglePubKey::FullKey(key) => key.inner.x_only_public_key().0.to_string(),
            SinglePubKey::XOnly(key) => key.to_string(),
        },
    }
}

fn split(
    parts: Vec<Plain>,
    cosigner: Option<&Xpub>,
) -> Result<(DescriptorPublicKey, usize, Vec<DescriptorPublicKey>), String> {
    let Some(cosigner) = cosigner else {
        return Err("no cosigner is part of this vault: its keys alone spend".to_owned());
    };
    let mut parts = parts.into_iter();
    let (Some(first), Some(second), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err("two of several groups spend: the cosigner can be left out".to_owned());
    };
    let (key, rest) = match (first, second) {
        (Plain::Key(key), rest) if is_cosigner(&key, cosigner) => (key, rest),
        (rest, Plain::Key(key)) if is_cosigner(&key, cosigner) => (key, rest),
        _ => return Err("the cosigner's key is not one half of every spend".to_owned()),
    };
    match rest {
        Plain::Key(holder) => Ok((key, 1, vec![holder])),
        Plain::Thresh(k, parts) => {
            let mut holders = Vec::new();
            for part in parts {
                match part {
                    Plain::Key(holder) => holders.push(holder),
                    _ => return Err("the holders are no plain k of n".to_owned()),
                }
            }
            Ok((key, k, holders))
        }
        Plain::False => Err("nobody but the cosigner".to_owned()),
    }
}

fn without_locks(
    policy: &Semantic<DescriptorPublicKey>,
    network: Network,
    older: &mut BTreeSet<u32>,
) -> Result<Plain, String> {
    match policy {
        Semantic::Unsatisfiable => Ok(Plain::False),
        Semantic::Key(key) if is_unspendable(key) => Ok(Plain::False),
        Semantic::Key(key) => Ok(Plain::Key(key.clone())),
        Semantic::Older(lock) => {
            let blocks = lock.to_consensus_u32();
            let least = if network == Network::Regtest { 1 } else { OLDER_BLOCKS_MIN };
            if !(least..=OLDER_BLOCKS_MAX).contains(&blocks) {
                return Err(format!(
                    "older({blocks}) is no lock of {least} to {OLDER_BLOCKS_MAX} blocks"
                ));
            }
            older.insert(blocks);
            Ok(Plain::False)
        }
        Semantic::Thresh(thresh) => {
            let mut parts = Vec::new();
            for part in thresh.data() {
                match without_locks(part, network, older)? {
                    Plain::False => {}
                    other => parts.push(other),
                }
            }
            Ok(match (thresh.k(), parts.len()) {
                (k, n) if k > n => Plain::False,
                (1, 1) => parts.pop().unwrap_or(Plain::False),
                (k, _) => Plain::Thresh(k, parts),
            })
        }
        Semantic::Trivial => Err("a branch needs no key at all".to_owned()),
        Semantic::After(_) => Err("`after` locks to a date that passes".to_owned()),
        _ => Err("hash locks are not part of a vault".to_owned()),
    }
}
