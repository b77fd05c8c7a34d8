//! Inputs: amounts proven by the previous transaction, scripts ours, signatures valid.

use std::collections::BTreeSet;

use bitcoin::hashes::Hash as _;
use bitcoin::psbt::Input;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{OutPoint, Psbt, ScriptBuf, TxOut};

use crate::code::{Code, Violation};
use crate::script::{VaultAddress, VaultScript, Wrapping};
use crate::spend::{SpendSummary, SpentCoin};

/// Reads every input; `None` if an amount is not proven.
pub(super) fn inspect(
    psbt: &Psbt,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) -> Option<Vec<SpentCoin>> {
    let mut coins = Vec::with_capacity(psbt.inputs.len());
    let mut seen = BTreeSet::new();
    let mut proven = true;
    for (index, (input, tx_in)) in psbt.inputs.iter().zip(&psbt.unsigned_tx.input).enumerate() {
        let outpoint = tx_in.previous_output;
        if !seen.insert(outpoint) {
            let detail = format!("input {index} spends {outpoint} again");
            out.push(Violation::new(Code::DuplicateInput, detail));
        }
        check_sighash(index, input, out);
        let Some(coin) = proven_coin(index, input, &outpoint, vault, out) else {
            proven = false;
            continue;
        };
        let address = own_address(input, &coin.script_pubkey, vault);
        check_script(index, input, &coin, address.as_ref(), vault, out);
        coins.push(SpentCoin {
            outpoint,
            amount: coin.value,
            script: coin.script_pubkey,
            address,
            sequence: tx_in.sequence.to_consensus_u32(),
        });
    }
    proven.then_some(coins)
}

fn check_sighash(index: usize, input: &Input, out: &mut Vec<Violation>) {
    let mut refuse = |what: String| {
        let detail = format!("input {index}: {what}, only SIGHASH_ALL is signed");
        out.push(Violation::new(Code::SighashForbidden, detail));
    };
    let kind = input.sighash_type.map(bitcoin::psbt::PsbtSighashType::to_u32);
    if let Some(kind) = kind.filter(|kind| *kind != EcdsaSighashType::All.to_u32()) {
        refuse(format!("sighash type {kind:#x}"));
    }
    for signature in input.partial_sigs.values() {
        if signature.sighash_type != EcdsaSighashType::All {
            refuse(format!("a signature of type {}", signature.sighash_type));
        }
    }
}

/// The coin as its own transaction says (BIP-174 asks for it; segwit version 0 does not sign the
/// amounts of other inputs, so nothing less proves them).
fn proven_coin(
    index: usize,
    input: &Input,
    outpoint: &OutPoint,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) -> Option<TxOut> {
    let Some(previous) = &input.non_witness_utxo else {
        if vault.wrapping() == Wrapping::Taproot {
            // BIP-341 signs every amount, so a lie makes the signature useless.
            return input.witness_utxo.clone();
        }
        let detail = format!("input {index} comes without its previous transaction");
        out.push(Violation::new(Code::InputAmountUnproven, detail));
        return None;
    };
    let txid = previous.compute_txid();
    if txid != outpoint.txid {
        let detail = format!("input {index} spends {outpoint}, the transaction given is {txid}");
        out.push(Violation::new(Code::PrevtxMismatch, detail));
        return None;
    }
    let coin = usize::try_from(outpoint.vout).ok().and_then(|v| previous.output.get(v)).cloned();
    let Some(coin) = coin else {
        let detail = format!("input {index}: {txid} has no output {}", outpoint.vout);
        out.push(Violation::new(Code::PrevtxMismatch, detail));
        return None;
    };
    if input.witness_utxo.as_ref().is_some_and(|other| *other != coin) {
        let detail = format!("input {index}: witness UTXO is not what {outpoint} holds");
        out.push(Violation::new(Code::UtxoFieldsDisagree, detail));
    }
    Some(coin)
}

/// The vault's address with this very script. Key origins in the PSBT only say where to look.
fn own_address(input: &Input, script: &ScriptBuf, vault: &VaultScript) -> Option<VaultAddress> {
    find(
        vault,
        script,
        input.bip32_derivation.values().chain(input.tap_key_origins.values().map(|v| &v.1)),
    )
}

pub(super) fn find<'a>(
    vault: &VaultScript,
    script: &ScriptBuf,
    origins: impl Iterator<Item = &'a (bitcoin::bip32::Fingerprint, bitcoin::bip32::DerivationPath)>,
) -> Option<VaultAddress> {
    let matches = |at: &VaultAddress| vault.script_pubkey(at).as_ref() == Some(script);
    if !vault.is_ranged() {
        return (0..vault.branch_count())
            .map(|branch| VaultAddress { branch, index: 0 })
            .find(matches);
    }
    let mut tried = BTreeSet::new();
    for (fingerprint, path) in origins.take(64) {
        let Some((branch, index)) = vault.locate(*fingerprint, path) else { continue };
        if tried.insert((branch, index)) && tried.len() <= 4 {
            let at = VaultAddress { branch, index };
            if matches(&at) {
                return Some(at);
            }
        }
    }
    None
}

fn check_script(
    index: usize,
    input: &Input,
    coin: &TxOut,
    address: Option<&VaultAddress>,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) {
    let redeem_fits = input
        .redeem_script
        .as_ref()
        .is_none_or(|redeem| ScriptBuf::new_p2sh(&redeem.script_hash()) == coin.script_pubkey);
    let witness_fits = input.witness_script.as_ref().is_none_or(|witness| {
        let program = ScriptBuf::new_p2wsh(&witness.wscript_hash());
        program == coin.script_pubkey
            || ScriptBuf::new_p2sh(&program.script_hash()) == coin.script_pubkey
    });
    let expected = address.and_then(|at| vault.witness_script(at));
    let ours_fits = match (&input.witness_script, expected) {
        (Some(given), Some(expected)) => *given == expected,
        _ => true,
    };
    if !redeem_fits || !witness_fits || !ours_fits {
        let detail = format!("input {index}: a script given does not hash to the coin's script");
        out.push(Violation::new(Code::ScriptMismatch, detail));
    }
    if address.is_none() {
        let shown = vault.network().show(&coin.script_pubkey);
        let detail = format!("input {index} spends {shown}, which is not an address of this vault");
        out.push(Violation::new(Code::ForeignInput, detail));
    }
}

/// Every signature that is there must be valid and by a key of the vault; nothing may be final.
pub(super) fn check_signatures(
    psbt: &Psbt,
    spend: &SpendSummary,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) {
    let secp = Secp256k1::verification_only();
    let mut cache = SighashCache::new(&spend.tx);
    for (index, (input, coin)) in psbt.inputs.iter().zip(&spend.inputs).enumerate() {
        let mut refuse = |what: &str| {
            out.push(Violation::new(Code::PreSignedState, format!("input {index}: {what}")));
        };
        if input.final_script_sig.is_some() || input.final_script_witness.is_some() {
            refuse("is final already");
        }
        if input.tap_key_sig.is_some() || !input.tap_script_sigs.is_empty() {
            refuse("bears a taproot signature");
        }
        if input.partial_sigs.is_empty() {
            continue;
        }
        let Some(address) = &coin.address else { continue };
        let Some(script) = vault.witness_script(address) else {
            refuse("bears signatures that can't be checked");
            continue;
        };
        let keys: BTreeSet<_> =
            vault.derivations(address).into_iter().map(|(_, _, key)| key).collect();
        let hash = cache.p2wsh_signature_hash(index, &script, coin.amount, EcdsaSighashType::All);
        let Ok(hash) = hash else {
            refuse("has no signature hash");
            continue;
        };
        let message = Message::from_digest(hash.to_byte_array());
        for (key, signature) in &input.partial_sigs {
            if !keys.contains(key) {
                refuse("is signed by a key that is not in its script");
            } else if secp.verify_ecdsa(&message, &signature.signature, &key.inner).is_err() {
                refuse("bears a signature that does not verify");
            }
        }
    }
}
