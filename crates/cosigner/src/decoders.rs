//! Two decoders on the same bytes: either refuses, nothing is signed; both read and differ, nothing is
//! signed and it is said.

use bitcoin::hashes::Hash as _;
use reader::Read;
use withdrawal::code::{Code, Violation};
use withdrawal::digest::Digest;
use withdrawal::genesis::Vault;
use withdrawal::network::Network;
use withdrawal::script::{OLDER_BLOCKS_MIN, VaultAddress};
use withdrawal::spend::{OutputKind, SpendSummary};

/// Reads a vault with the second decoder and compares who spends and what the first addresses are.
pub(crate) fn check_vault(vault: &Vault) -> Result<reader::Vault, String> {
    let other = reader::Vault::parse(vault.script.text())
        .map_err(|e| format!("the second decoder does not read the descriptor: {e}"))?;
    let least = if vault.genesis.network == Network::Regtest { 1 } else { OLDER_BLOCKS_MIN };
    let (Some(cosigner), Some(paths)) = (&vault.genesis.cosigner, &vault.paths) else {
        return Err("no cosigner is part of this vault".to_owned());
    };
    let k = other.check_cosigner(&cosigner.account_xpub()?.to_string(), least)?;
    if k != paths.k {
        return Err(format!("one decoder finds {} holders needed, the other {k}", paths.k));
    }
    for branch in 0..vault.script.branch_count() {
        for index in 0..5 {
            let ours = vault.script.script_pubkey(&VaultAddress { branch, index });
            let theirs = other.scripts(branch, index).map(|(_, script)| script);
            if ours.map(bitcoin::ScriptBuf::into_bytes) != theirs {
                return Err(format!("the decoders derive different addresses at {branch}/{index}"));
            }
        }
    }
    Ok(other)
}

/// Compares what both decoders read; any difference is one violation.
pub(crate) fn compare(
    first: &SpendSummary,
    first_digest: &Digest,
    second: &Read,
    second_digest: &[u8; 32],
) -> Option<Violation> {
    let differ = |what: String| Some(Violation::new(Code::DecoderDisagree, what));
    if first.inputs.len() != second.inputs.len() || first.outputs.len() != second.outputs.len() {
        return differ("number of inputs or outputs".to_owned());
    }
    for (index, (a, b)) in first.inputs.iter().zip(&second.inputs).enumerate() {
        let own = a.address.as_ref().map(|at| (at.branch, at.index));
        let same = a.outpoint.txid.to_byte_array() == b.txid
            && a.outpoint.vout == b.vout
            && a.amount.to_sat() == b.sat
            && a.script.as_bytes() == b.script
            && own == b.own;
        if !same {
            return differ(format!("input {index}"));
        }
    }
    for (index, (a, b)) in first.outputs.iter().zip(&second.outputs).enumerate() {
        let own = match &a.kind {
            OutputKind::Payment => None,
            OutputKind::Change(at) => Some((at.branch, at.index)),
        };
        if a.amount.to_sat() != b.sat || a.script.as_bytes() != b.script || own != b.own {
            return differ(format!("output {index}"));
        }
    }
    if first.fee.to_sat() != second.fee_sat {
        return differ("fee".to_owned());
    }
    if first_digest.0 != *second_digest {
        return differ("spend digest".to_owned());
    }
    None
}
