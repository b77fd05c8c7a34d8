//! Who has signed a PSBT so far, in words.

use bitcoin::Psbt;
use bitcoin::bip32::Fingerprint;
use miniscript::DescriptorPublicKey;
use withdrawal::genesis::Vault;
use withdrawal::spend::SpendSummary;

/// Signatures on the input that has fewest.
pub struct Signed {
    /// By holders, and how many the script asks for.
    pub holders: usize,
    pub needed: usize,
    /// By recovery keys, which count only once a coin is old.
    pub recovery: usize,
}

/// Counts the signatures by whose they are.
pub fn count(vault: &Vault, spend: &SpendSummary, psbt: &Psbt) -> Signed {
    let Some(paths) = &vault.paths else { return Signed { holders: 0, needed: 0, recovery: 0 } };
    let of = |keys: &[DescriptorPublicKey]| {
        let owners: Vec<Fingerprint> =
            keys.iter().map(DescriptorPublicKey::master_fingerprint).collect();
        let inputs = spend.inputs.iter().zip(&psbt.inputs).map(|(coin, input)| {
            let derived = coin.address.as_ref().map(|at| vault.script.derivations(at));
            let own =
                derived.unwrap_or_default().into_iter().filter(|(f, _, _)| owners.contains(f));
            own.filter(|(_, _, key)| input.partial_sigs.contains_key(key)).count()
        });
        inputs.min().unwrap_or(0)
    };
    Signed { holders: of(&paths.holders), needed: paths.k, recovery: of(&paths.recovery) }
}

impl Signed {
    /// For a person.
    pub fn words(&self) -> String {
        let mut text = format!("{} of {} holders have signed", self.holders, self.needed);
        if self.recovery > 0 {
            text.push_str(
                "; a recovery key has, which counts only for coins past the recovery time",
            );
        }
        text
    }
}
