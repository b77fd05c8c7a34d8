//! Signing: the cosigner's key on the one path that genesis names, after everything else was said.
//!
//! There is no function here that takes a hash. What is signed is a [`Witnessed`] reservation with a
//! judgement that allows it, and every signature is verified before it is given.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use bitcoin::bip32::{ChildNumber, DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Psbt, PublicKey, ScriptBuf, ecdsa};
use zeroize::Zeroizing;

use crate::digest::{Digest, Tag};
use crate::genesis::Vault;
use crate::network::Network;
use crate::script::{VaultAddress, Wrapping};
use crate::spend::SpendSummary;
use crate::verdict::{Judgement, Outcome};
use crate::witnessed::Witnessed;

/// An account's secret key; it serves one vault for ever, or one holder.
///
/// It signs transactions of a vault that were judged, and nothing else: there is no way in for a hash
/// (K13), and the key can't be taken out (K15).
///
/// ```compile_fail,E0599
/// fn raw(key: &withdrawal::sign::AccountKey, hash: [u8; 32]) {
///     key.sign_hash(hash);
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn raw(
///     key: &withdrawal::sign::AccountKey,
///     vault: &withdrawal::genesis::Vault,
///     hash: [u8; 32],
///     judgement: &withdrawal::verdict::Judgement,
/// ) {
///     key.countersign(vault, hash, judgement);
/// }
/// ```
pub struct AccountKey {
    account: Xpriv,
    origin: String,
    secp: Secp256k1<All>,
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The judgement or reservation does not allow it.
    #[error("not allowed to sign: {0}")]
    NotAllowed(String),
    /// The key is not in the script of an input.
    #[error("input {0}: the key is not in its script")]
    NotOurs(usize),
    /// The signature did not verify; nothing is given out.
    #[error("input {0}: the signature made does not verify")]
    SelfCheck(usize),
}

impl AccountKey {
    /// Derives the account from a seed, along BIP-48's path for `wsh` (script type 2).
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>, network: Network) -> Option<Self> {
        let secp = Secp256k1::new();
        let master = Xpriv::new_master(network.to_bitcoin(), seed.as_ref()).ok()?;
        let coin = u32::from(network != Network::Bitcoin);
        let path = DerivationPath::from_str(&format!("m/48h/{coin}h/0h/2h")).ok()?;
        let account = master.derive_priv(&secp, &path).ok()?;
        let origin = format!("[{}/48h/{coin}h/0h/2h]", master.fingerprint(&secp));
        Some(Self { account, origin, secp })
    }

    /// The account's extended public key.
    pub fn xpub(&self) -> Xpub {
        Xpub::from_priv(&self.secp, &self.account)
    }

    /// `[fingerprint/path]xpub`.
    pub fn public(&self) -> String {
        format!("{}{}", self.origin, self.xpub())
    }

    /// This account's extended private key with its origin, for a wallet that signs by itself.
    pub fn private(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}", self.origin, self.account))
    }

    /// Countersigns: every input, the cosigner's key only, as a last step.
    pub fn countersign(
        &self,
        vault: &Vault,
        witnessed: &Witnessed,
        judgement: &Judgement,
    ) -> Result<(Psbt, Digest), SignError> {
        let refuse = |what: &str| SignError::NotAllowed(what.to_owned());
        let reservation = witnessed.reservation();
        if judgement.verdict.outcome() != Outcome::Allow && !witnessed.repeats() {
            return Err(refuse("the verdict is not allow"));
        }
        // INVARIANT: what is signed is what was reserved and what was judged.
        if judgement.spend_digest != Some(reservation.spend)
            || judgement.intent.digest() != reservation.intent
        {
            return Err(refuse("the reservation is for another spend"));
        }
        let Some(spend) = &judgement.inspection.spend else { return Err(refuse("not proven")) };
        let mut psbt = judgement.inspection.psbt.clone();
        let signatures = self.sign(vault, spend, &mut psbt)?;
        Ok((psbt, Tag::Countersigned.of(&signatures)))
    }

    /// A holder's signatures from a key in a file.
    pub fn sign_as_holder(
        &self,
        vault: &Vault,
        spend: &SpendSummary,
        psbt: &mut Psbt,
    ) -> Result<(), SignError> {
        self.sign(vault, spend, psbt).map(|_| ())
    }

    fn sign(
        &self,
        vault: &Vault,
        spend: &SpendSummary,
        psbt: &mut Psbt,
    ) -> Result<Vec<Vec<u8>>, SignError> {
        let xpub = self.xpub();
        let mut branches: BTreeMap<u32, Xpriv> = BTreeMap::new();
        let mut cache = SighashCache::new(&spend.tx);
        let mut signatures = Vec::new();
        for (index, (coin, input)) in spend.inputs.iter().zip(&mut psbt.inputs).enumerate() {
            let not_ours = || SignError::NotOurs(index);
            let at = coin.address.as_ref().ok_or_else(not_ours)?;
            let key = self.child(vault, &xpub, at, &mut branches).ok_or_else(not_ours)?;
            let public = PublicKey::new(key.private_key.public_key(&self.secp));
            let script = vault.script.witness_script(at).ok_or_else(not_ours)?;
            if !vault.script.derivations(at).iter().any(|(_, _, own)| *own == public) {
                return Err(not_ours());
            }
            let hash = cache
                .p2wsh_signature_hash(index, &script, coin.amount, EcdsaSighashType::All)
                .map_err(|_| not_ours())?;
            let message = Message::from_digest(hash.to_byte_array());
            // RFC 6979: the same message gets the same signature again. libsecp256k1 gives low S.
            let raw = self.secp.sign_ecdsa(&message, &key.private_key);
            if self.secp.verify_ecdsa(&message, &raw, &public.inner).is_err() {
                return Err(SignError::SelfCheck(index));
            }
            let signature =
                ecdsa::Signature { signature: raw, sighash_type: EcdsaSighashType::All };
            signatures.push(signature.to_vec());
            input.partial_sigs.insert(public, signature);
            if vault.script.wrapping() == Wrapping::ShWsh {
                input.redeem_script = Some(ScriptBuf::new_p2wsh(&script.wscript_hash()));
            }
            input.witness_script = Some(script);
        }
        Ok(signatures)
    }

    /// The key at an address: the steps that the descriptor gives behind this account's key.
    fn child(
        &self,
        vault: &Vault,
        xpub: &Xpub,
        at: &VaultAddress,
        branches: &mut BTreeMap<u32, Xpriv>,
    ) -> Option<Xpriv> {
        let index = ChildNumber::from_normal_idx(at.index).ok()?;
        if let Some(branch) = branches.get(&at.branch) {
            return branch.derive_priv(&self.secp, &[index]).ok();
        }
        let steps = vault.script.steps_of(xpub, at.branch)?;
        let branch = self.account.derive_priv(&self.secp, &steps).ok()?;
        branches.insert(at.branch, branch);
        branch.derive_priv(&self.secp, &[index]).ok()
    }
}

/// The id of a transaction once it is final: for nested scripts the script signature is known.
pub fn final_txid(vault: &Vault, spend: &SpendSummary) -> bitcoin::Txid {
    let mut tx = spend.tx.clone();
    if vault.script.wrapping() == Wrapping::ShWsh {
        for (input, coin) in tx.input.iter_mut().zip(&spend.inputs) {
            let script = coin.address.as_ref().and_then(|at| vault.script.witness_script(at));
            if let Some(script) = script {
                let redeem = ScriptBuf::new_p2wsh(&script.wscript_hash());
                let push = bitcoin::script::PushBytesBuf::try_from(redeem.into_bytes());
                if let Ok(push) = push {
                    input.script_sig =
                        bitcoin::script::Builder::new().push_slice(push).into_script();
                }
            }
        }
    }
    tx.compute_txid()
}
