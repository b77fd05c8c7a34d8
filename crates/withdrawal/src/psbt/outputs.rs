//! Outputs: change is what the registered descriptor derives, everything else is a payment.

use bitcoin::bip32::{DerivationPath, Fingerprint};
use bitcoin::psbt::Output;
use bitcoin::{Psbt, PublicKey, Script, TxOut};

use super::inputs::find;
use crate::code::{Code, Violation};
use crate::script::{INDEX_MAX, VaultAddress, VaultScript};
use crate::spend::{OutputKind, PaidOutput};

pub(super) fn inspect(
    psbt: &Psbt,
    vault: &VaultScript,
    out: &mut Vec<Violation>,
) -> Vec<PaidOutput> {
    let mut decorated = 0;
    let pairs = psbt.unsigned_tx.output.iter().zip(&psbt.outputs);
    let paid = pairs
        .enumerate()
        .map(|(index, (paid, map))| {
            let claims = map.bip32_derivation.values().any(|(f, _)| vault.has_fingerprint(*f));
            decorated += usize::from(claims);
            let look = decorated <= DECORATED_MAX || !vault.is_ranged();
            inspect_one(index, paid, map, vault, look, out)
        })
        .collect();
    if decorated > DECORATED_MAX && vault.is_ranged() {
        let detail = "more outputs claim to be the vault's than are looked at";
        let violation = Violation::new(Code::TxLimits, detail);
        out.push(violation.limit(DECORATED_MAX as u64, decorated as u64));
    }
    paid
}

/// Outputs that claim keys of the vault, at most: each costs derivations, an honest one is change.
const DECORATED_MAX: usize = 16;

fn inspect_one(
    index: usize,
    paid: &TxOut,
    map: &Output,
    vault: &VaultScript,
    look: bool,
    out: &mut Vec<Violation>,
) -> PaidOutput {
    let origins =
        map.bip32_derivation.values().chain(map.tap_key_origins.values().map(|origin| &origin.1));
    let own = if look { find(vault, &paid.script_pubkey, origins) } else { None };
    if own.is_none() {
        if look {
            check_decoration(index, map, vault, out);
        }
        check_type(index, &paid.script_pubkey, vault, out);
    }
    let dust = paid.script_pubkey.minimal_non_dust();
    if paid.value < dust && !paid.script_pubkey.is_op_return() {
        let violation = Violation::new(Code::TxLimits, format!("output {index} is dust"));
        out.push(violation.limit(dust, paid.value));
    }
    let kind = own.map_or(OutputKind::Payment, OutputKind::Change);
    PaidOutput { script: paid.script_pubkey.clone(), amount: paid.value, kind }
}

/// An output that claims keys of ours but is not our script: say which lie it is.
fn check_decoration(index: usize, map: &Output, vault: &VaultScript, out: &mut Vec<Violation>) {
    let claims = map
        .bip32_derivation
        .iter()
        .map(|(key, origin)| (PublicKey::new(*key), origin))
        .filter(|(_, origin)| vault.has_fingerprint(origin.0));
    // One real key of ours among them tells more than the foreign ones beside it.
    let found: Vec<(Code, String)> =
        claims.take(16).map(|(key, origin)| judge_claim(key, origin, vault)).collect();
    let order = [Code::ChangePathOutOfWindow, Code::ChangeDescriptorMismatch, Code::ChangeNotOurs];
    let worst = order.iter().find_map(|code| found.iter().find(|(c, _)| c == code));
    if let Some((code, what)) = worst {
        out.push(Violation::new(*code, format!("output {index} is marked as change, but {what}")));
    }
}

fn judge_claim(
    key: PublicKey,
    (fingerprint, path): &(Fingerprint, DerivationPath),
    vault: &VaultScript,
) -> (Code, String) {
    let Some((branch, index)) = vault.locate(*fingerprint, path) else {
        return (
            Code::ChangePathOutOfWindow,
            format!("its path {path} is no branch of this vault"),
        );
    };
    if index > INDEX_MAX {
        let what = format!("its index {index} is above {INDEX_MAX}, where no recovery looks");
        return (Code::ChangePathOutOfWindow, what);
    }
    let at = VaultAddress { branch, index };
    if vault.derivations(&at).iter().any(|(_, _, own)| *own == key) {
        return (Code::ChangeDescriptorMismatch, "its script is not this vault's".to_owned());
    }
    (Code::ChangeNotOurs, format!("{key} is not the key that {path} derives"))
}

/// Script types that wallets pay to; the rest is paid to by mistake or by malice.
fn check_type(index: usize, script: &Script, vault: &VaultScript, out: &mut Vec<Violation>) {
    let known = script.is_p2pkh()
        || script.is_p2sh()
        || script.is_p2wpkh()
        || script.is_p2wsh()
        || script.is_p2tr();
    if !known {
        let shown = vault.network().show(script);
        let detail = format!("output {index} pays {shown}, a type of script that is not paid to");
        out.push(Violation::new(Code::ScriptTypeForbidden, detail));
    }
}
