//! The theft itself: two transactions of the public chain, rebuilt from their parts and held to their ids.

use bitcoin::bip32::{DerivationPath, Fingerprint};
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, OutPoint, Psbt, PublicKey, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
};
use serde::Deserialize;
use withdrawal::clock::Now;
use withdrawal::code::{Code, Violation};
use withdrawal::digest::unhex;
use withdrawal::facts::Facts;
use withdrawal::genesis::{AllowedAddress, Genesis};
use withdrawal::intent::{Draft, Kind};
use withdrawal::keys::SecretKey;
use withdrawal::network::Network;
use withdrawal::person::Roster;
use withdrawal::state::State;
use withdrawal::time::Timestamp;
use withdrawal::verdict::{Step, judge};
use zeroize::Zeroizing;

use super::chain::Ledger;
use crate::fail::Fail;

/// The theft's id.
pub const TXID: &str = "975ec405ac9dc9fa5ab8009d94d6a1fe31dff8a8127ea90d023104e52754e4d7";
/// What it paid to the thieves.
pub const LOST_SAT: u64 = 450_290_000_000;
/// What the wallet held in these coins.
pub const VAULT_SAT: u64 = 450_300_000_000;
/// Where it went (chain).
pub const THIEF: &str = "1B6rJRfjTXwEy36SCs5zofGMmdv2kdZw7P";
/// The usual address (reported by one source, BitJungle).
pub const USUAL: &str = "1B6rJ6ZKfZmkqMyBGe5KR27oWkEbQdNM7P";

#[derive(Deserialize)]
struct File {
    theft: FileTx,
    funding: FileTx,
}

#[derive(Deserialize)]
struct FileTx {
    txid: String,
    version: i32,
    locktime: u32,
    inputs: Vec<FileIn>,
    outputs: Vec<FileOut>,
}

#[derive(Deserialize)]
struct FileIn {
    txid: String,
    vout: u32,
    script_sig: String,
    sequence: u32,
    witness: Vec<String>,
}

#[derive(Deserialize)]
struct FileOut {
    amount_sat: u64,
    script: String,
}

/// The theft and the transaction that funded it.
pub struct Theft {
    pub tx: Transaction,
    pub funding: Transaction,
}

/// The verdict on the real transaction.
pub struct Judged {
    pub violations: Vec<Violation>,
}

fn rebuild(file: FileTx) -> Result<Transaction, Fail> {
    let odd = |e: &dyn std::fmt::Display| Fail::failed(format!("fixture: {e}"));
    let mut input = Vec::new();
    for part in file.inputs {
        let witness = part.witness.iter().map(|w| unhex(w)).collect::<Result<Vec<_>, _>>();
        input.push(TxIn {
            previous_output: OutPoint {
                txid: part.txid.parse().map_err(|e| odd(&e))?,
                vout: part.vout,
            },
            script_sig: ScriptBuf::from_bytes(unhex(&part.script_sig).map_err(|e| odd(&e))?),
            sequence: Sequence(part.sequence),
            witness: Witness::from_slice(&witness.map_err(|e| odd(&e))?),
        });
    }
    let mut output = Vec::new();
    for part in file.outputs {
        let script_pubkey = ScriptBuf::from_bytes(unhex(&part.script).map_err(|e| odd(&e))?);
        output.push(TxOut { value: Amount::from_sat(part.amount_sat), script_pubkey });
    }
    let lock_time = bitcoin::absolute::LockTime::from_consensus(file.locktime);
    let tx = Transaction { version: Version(file.version), lock_time, input, output };
    let txid = tx.compute_txid().to_string();
    if txid != file.txid {
        return Err(odd(&format!("{txid} is not {}", file.txid)));
    }
    Ok(tx)
}

impl Judged {
    /// The codes, each once.
    pub fn codes(&self) -> std::collections::BTreeSet<Code> {
        self.violations.iter().map(|v| v.code).collect()
    }

    /// What a reader wants to know first: where the coins went, then how much, then who agreed.
    pub fn most_telling_first(&mut self) {
        const ORDER: [Code; 6] = [
            Code::OutputNotApproved,
            Code::Lookalike,
            Code::DestinationNotAllowlisted,
            Code::CosignerBypass,
            Code::QuorumNotMet,
            Code::ShareOfVault,
        ];
        let place = |code: Code| ORDER.iter().position(|c| *c == code).unwrap_or(ORDER.len());
        self.violations.sort_by_key(|v| (place(v.code), v.code == Code::TxFormat));
    }
}

impl Theft {
    /// Rebuilds both transactions; the ids must come out.
    pub fn load() -> Result<Self, Fail> {
        let file: File = serde_json::from_str(include_str!("dmm.json"))
            .map_err(|e| Fail::failed(format!("fixture: {e}")))?;
        Ok(Self { tx: rebuild(file.theft)?, funding: rebuild(file.funding)? })
    }

    fn prevouts(&self) -> Result<Vec<TxOut>, Fail> {
        let of = |input: &TxIn| {
            let vout = usize::try_from(input.previous_output.vout).ok()?;
            let ours = input.previous_output.txid == self.funding.compute_txid();
            self.funding.output.get(vout).filter(|_| ours).cloned()
        };
        self.tx.input.iter().map(|i| of(i).ok_or_else(|| Fail::failed("fixture: a coin"))).collect()
    }

    /// The wallet's witness script: two of three keys, unsorted.
    fn script(&self) -> Result<ScriptBuf, Fail> {
        let last = self.tx.input.first().and_then(|i| i.witness.last());
        last.map(|w| ScriptBuf::from_bytes(w.to_vec()))
            .ok_or_else(|| Fail::failed("fixture: witness"))
    }

    fn keys(&self) -> Result<Vec<PublicKey>, Fail> {
        let script = self.script()?;
        let keys = script
            .instructions()
            .filter_map(|i| PublicKey::from_slice(i.ok()?.push_bytes()?.as_bytes()).ok());
        Ok(keys.collect())
    }

    /// Counts the signatures of the theft that verify, each by a key of the wallet.
    pub fn valid_signatures(&self) -> Result<usize, Fail> {
        let secp = Secp256k1::verification_only();
        let (script, keys, prevouts) = (self.script()?, self.keys()?, self.prevouts()?);
        let mut cache = SighashCache::new(&self.tx);
        let mut valid = 0;
        for (index, (input, prevout)) in self.tx.input.iter().zip(&prevouts).enumerate() {
            let hash = cache
                .p2wsh_signature_hash(index, &script, prevout.value, EcdsaSighashType::All)
                .map_err(Fail::failed)?;
            let message = Message::from_digest(hash.to_byte_array());
            for item in input.witness.iter() {
                let Ok(signature) = bitcoin::ecdsa::Signature::from_slice(item) else { continue };
                let fits = |k: &PublicKey| {
                    secp.verify_ecdsa(&message, &signature.signature, &k.inner).is_ok()
                };
                valid += usize::from(keys.iter().any(fits));
            }
        }
        Ok(valid)
    }

    /// Plays the theft on a ledger that has the funding: what leaves.
    pub fn replay(&self) -> Result<u64, Fail> {
        let mut ledger = Ledger::default();
        ledger.grant(&self.funding);
        ledger.accept(&self.tx)?;
        Ok(self.tx.output.iter().map(|o| o.value.to_sat()).sum())
    }

    /// Judges the theft against the drill's policy, the wallet registered evaluate-only with its real
    /// descriptor, and an intent for the same sum to the usual address (assumption).
    pub fn judge(&self) -> Result<Judged, Fail> {
        let keys: Vec<String> = self.keys()?.iter().map(ToString::to_string).collect();
        let text = format!("sh(wsh(multi(2,{})))", keys.join(","));
        let script = withdrawal::script::VaultScript::parse(&text, Network::Bitcoin)
            .map_err(Fail::failed)?;
        let usual = crate::cmd::address(USUAL, Network::Bitcoin)?;
        let genesis = Genesis {
            name: "dmm".to_owned(),
            network: Network::Bitcoin,
            descriptor: script.text().to_owned(),
            cosigner: None,
            witness_policy: String::new(),
            hostile_witnesses: 0,
            roster: Roster::default(),
            enrolments: Vec::new(),
            policy: super::world::policy(),
            allowlist: vec![AllowedAddress {
                script: usual,
                label: "the usual address".to_owned(),
            }],
            embedded: false,
            salt: [0; 32],
        };
        let vault = genesis.check().map_err(Fail::failed)?;
        let mut state = State::new(vault);
        // 31 May 2024, 13:26 in Japan, as announced.
        let then: Timestamp = "2024-05-31T04:26:00Z".parse().map_err(Fail::failed)?;
        state.accept(0, Now::at(then)).map_err(|v| Fail::failed(v.detail))?;
        let draft = Draft {
            kind: Kind::Pay,
            vault_id: state.vault().id,
            network: Network::Bitcoin,
            id: "00000000-0000-4000-8000-000000000531".to_owned(),
            outputs: vec![(USUAL.to_owned(), LOST_SAT, "assumed request".to_owned())],
            max_fee_sat: 1_000_000,
            not_before: Timestamp::default(),
            expires: then.plus(86_400),
            nonce: [0; 32],
        };
        let requester = SecretKey::from_seed(&Zeroizing::new([31; 32]));
        let intent = draft.sign(&requester).map_err(Fail::failed)?;
        let judged = judge(&state, &intent, &self.psbt()?, &[], &Facts::default(), Step::Check)
            .map_err(Fail::failed)?;
        Ok(Judged { violations: judged.verdict.violations })
    }

    /// The theft as a PSBT, with the transaction that proves its amounts.
    fn psbt(&self) -> Result<Vec<u8>, Fail> {
        let mut unsigned = self.tx.clone();
        for input in &mut unsigned.input {
            input.script_sig = ScriptBuf::new();
            input.witness = Witness::new();
        }
        let mut psbt = Psbt::from_unsigned_tx(unsigned).map_err(Fail::failed)?;
        let origin = (Fingerprint::default(), DerivationPath::default());
        let script = self.script()?;
        for input in &mut psbt.inputs {
            input.non_witness_utxo = Some(self.funding.clone());
            input.witness_script = Some(script.clone());
            for key in self.keys()? {
                input.bip32_derivation.insert(key.inner, origin.clone());
            }
        }
        Ok(psbt.serialize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixture_is_the_theft_and_all_its_signatures_are_valid() {
        let theft = Theft::load().unwrap();
        assert_eq!(theft.tx.compute_txid().to_string(), TXID);
        assert_eq!(theft.tx.total_size(), 3006);
        assert_eq!(theft.valid_signatures().unwrap(), 18);
        assert_eq!(theft.replay().unwrap(), LOST_SAT);
        let paid = Network::Bitcoin.show(&theft.tx.output[0].script_pubkey);
        assert_eq!(paid, THIEF);
    }

    #[test]
    fn the_theft_is_refused_for_every_reason_that_applies() {
        let judged = Theft::load().unwrap().judge().unwrap();
        for code in super::super::THEFT_CODES {
            assert!(judged.violations.iter().any(|v| v.code == *code), "{code}");
        }
    }
}
