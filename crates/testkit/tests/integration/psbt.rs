//! P: PSBT and transaction.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::{
    OP_CHECKMULTISIG, OP_PUSHNUM_1, OP_PUSHNUM_2, OP_PUSHNUM_3, OP_RETURN,
};
use bitcoin::psbt::{PsbtSighashType, raw};
use bitcoin::script::Builder;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Psbt, PublicKey, ScriptBuf, Sequence, TxIn, TxOut, Witness, ecdsa};
use testkit::bench::{Bench, Ready, payee};
use withdrawal::code::Code;
use withdrawal::intent::Kind;
use withdrawal::protocol::Response;
use withdrawal::psbt::inspect;
use withdrawal::script::VaultAddress;

/// The same withdrawal with its PSBT changed, approved anew by the same people: what the approvers saw
/// is what is refused, so only the PSBT's own fault remains.
fn mutate(bench: &mut Bench, ready: &Ready, change: impl FnOnce(&mut Psbt)) -> Ready {
    let mut psbt = Psbt::deserialize(&ready.psbt).unwrap();
    change(&mut psbt);
    bench.ready(ready.intent.clone(), psbt.serialize(), &["alice", "bob"])
}

/// Two coins in, the usual payee and change out.
fn two_inputs(bench: &mut Bench) -> Ready {
    bench.payment(1_500_000_000)
}

fn change_at(bench: &Bench, psbt: &Psbt) -> usize {
    let paid = &bench.usual;
    psbt.unsigned_tx.output.iter().position(|o| o.script_pubkey != *paid).unwrap()
}

fn add_output(psbt: &mut Psbt, script: ScriptBuf, sat: u64) {
    psbt.unsigned_tx.output.push(TxOut { value: Amount::from_sat(sat), script_pubkey: script });
    psbt.outputs.push(bitcoin::psbt::Output::default());
}

fn thief_key(number: u8) -> PublicKey {
    let secp = Secp256k1::new();
    PublicKey::new(SecretKey::from_slice(&[number; 32]).unwrap().public_key(&secp))
}

#[test]
fn p00_the_unchanged_request_is_signed() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let psbt = bench.release(&ready).unwrap();
    assert!(psbt.inputs.iter().all(|i| i.partial_sigs.len() == 1));
}

#[test]
fn p01_segwit_v0_amount_understated() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].non_witness_utxo = None;
        psbt.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::from_sat(1000);
    });
    assert_eq!(bench.refused(&bad), [Code::InputAmountUnproven]);
}

#[test]
fn p02_previous_transaction_is_another_one() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].non_witness_utxo.as_mut().unwrap().version = Version(7);
    });
    assert_eq!(bench.refused(&bad), [Code::PrevtxMismatch]);
}

#[test]
fn p03_utxo_fields_differ() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    for change in [0, 1] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            let utxo = psbt.inputs[0].witness_utxo.as_mut().unwrap();
            if change == 0 {
                utxo.value = Amount::from_sat(1);
            } else {
                utxo.script_pubkey = payee(9);
            }
        });
        // The second decoder refuses such bytes as a whole; the first says which fault it is.
        assert_eq!(bench.refused(&bad), [Code::UtxoFieldsDisagree]);
    }
}

#[test]
fn p04_two_sessions_each_lying_about_the_other_input() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    for lie in [0, 1] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            psbt.inputs[lie].non_witness_utxo = None;
            psbt.inputs[lie].witness_utxo.as_mut().unwrap().value = Amount::from_sat(1000);
        });
        assert_eq!(bench.refused(&bad), [Code::InputAmountUnproven], "session {lie}");
    }
}

#[test]
fn p05_lie_on_an_input_that_is_not_ours() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.input.push(TxIn {
            previous_output: bitcoin::OutPoint { txid: bitcoin::Txid::all_zeros(), vout: 1 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let key = thief_key(7).inner.x_only_public_key().0;
        let script_pubkey = ScriptBuf::new_p2tr(&Secp256k1::new(), key, None);
        let witness_utxo = Some(TxOut { value: Amount::from_sat(5), script_pubkey });
        psbt.inputs.push(bitcoin::psbt::Input { witness_utxo, ..Default::default() });
    });
    assert_eq!(bench.refused(&bad), [Code::InputAmountUnproven]);
}

#[test]
fn p06_sighash_none_single_and_anyone_can_pay() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    for kind in [0x02, 0x03, 0x80, 0x81, 0x82, 0x83, 0x00] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            psbt.inputs
                .iter_mut()
                .for_each(|i| i.sighash_type = Some(PsbtSighashType::from_u32(kind)));
        });
        assert_eq!(bench.refused(&bad), [Code::SighashForbidden], "{kind:#x}");
    }
}

#[test]
fn p07_sighash_absent_on_one_input_and_forbidden_on_another() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].sighash_type = None;
        psbt.inputs[1].sighash_type = Some(PsbtSighashType::from_u32(0x81));
    });
    assert_eq!(bench.refused(&bad), [Code::SighashForbidden]);
}

#[test]
fn p08_single_with_more_inputs_than_outputs() {
    let mut bench = Bench::new();
    // Two coins and a fee leave no change: one output only.
    let ready = bench.payment(1_999_998_000);
    let bad = mutate(&mut bench, &ready, |psbt| {
        assert_eq!(psbt.unsigned_tx.output.len(), 1);
        psbt.inputs[1].sighash_type = Some(PsbtSighashType::from_u32(0x03));
    });
    let codes = bench.refused(&bad);
    assert!(codes.contains(&Code::SighashForbidden), "{codes:?}");
}

#[test]
fn p09_sighash_beyond_a_byte() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    for kind in [0x101, 0x1ff, 0xffff_ffff, 0x04] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(kind));
        });
        assert_eq!(bench.refused(&bad), [Code::SighashForbidden], "{kind:#x}");
    }
}

#[test]
fn p11_change_decorated_with_our_fingerprint_and_a_foreign_key() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    let bad = mutate(&mut bench, &ready, |psbt| {
        let origin = psbt.outputs[at].bip32_derivation.values().next().unwrap().clone();
        let key = thief_key(7);
        psbt.unsigned_tx.output[at].script_pubkey =
            ScriptBuf::new_p2wpkh(&key.wpubkey_hash().unwrap());
        psbt.outputs[at] = bitcoin::psbt::Output::default();
        psbt.outputs[at].bip32_derivation.insert(key.inner, origin);
    });
    let codes = bench.refused(&bad);
    assert!(codes.contains(&Code::ChangeNotOurs), "{codes:?}");
    assert!(codes.contains(&Code::OutputNotApproved), "{codes:?}");
}

#[test]
fn p12_change_to_an_index_that_nobody_would_find() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    for steps in [[1, 2_000_000_000], [7, 3]] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            for (_, path) in psbt.outputs[at].bip32_derivation.values_mut() {
                let mut all: Vec<_> = path.into_iter().copied().collect();
                let end = all.len() - 2;
                all[end] = bitcoin::bip32::ChildNumber::from_normal_idx(steps[0]).unwrap();
                all[end + 1] = bitcoin::bip32::ChildNumber::from_normal_idx(steps[1]).unwrap();
                *path = all.into();
            }
            psbt.unsigned_tx.output[at].script_pubkey = payee(77);
        });
        let codes = bench.refused(&bad);
        assert!(codes.contains(&Code::ChangePathOutOfWindow), "{codes:?}");
        assert!(codes.contains(&Code::OutputNotApproved), "{codes:?}");
    }
}

/// Change to a script of somebody else's making that has a real key of ours in it.
fn mismatch(script: impl Fn(&[PublicKey]) -> ScriptBuf) -> Vec<Code> {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    let bad = mutate(&mut bench, &ready, |psbt| {
        let own: Vec<PublicKey> =
            psbt.outputs[at].bip32_derivation.keys().map(|k| PublicKey::new(*k)).collect();
        let script = script(&own);
        psbt.unsigned_tx.output[at].script_pubkey = script.to_p2wsh();
        psbt.outputs[at].witness_script = Some(script);
    });
    bench.refused(&bad)
}

fn multi(k: u8, keys: &[PublicKey]) -> ScriptBuf {
    let opcode = [OP_PUSHNUM_1, OP_PUSHNUM_2, OP_PUSHNUM_3];
    let mut builder = Builder::new().push_opcode(opcode[usize::from(k) - 1]);
    for key in keys {
        builder = builder.push_key(key);
    }
    builder.push_opcode(opcode[keys.len() - 1]).push_opcode(OP_CHECKMULTISIG).into_script()
}

#[test]
fn p13_change_with_our_key_and_attacker_co_keys() {
    let codes = mismatch(|own| multi(2, &[own[0], thief_key(7), thief_key(8)]));
    assert!(codes.contains(&Code::ChangeDescriptorMismatch), "{codes:?}");
}

#[test]
fn p14_change_to_another_wallet_of_ours() {
    let codes = mismatch(|own| {
        Builder::new().push_key(&own[0]).push_opcode(OP_CHECKMULTISIG).into_script()
    });
    assert!(codes.contains(&Code::ChangeDescriptorMismatch), "{codes:?}");
}

#[test]
fn p15_lower_threshold_in_change() {
    let codes = mismatch(|own| multi(1, &own[..3]));
    assert!(codes.contains(&Code::ChangeDescriptorMismatch), "{codes:?}");
}

#[test]
fn p18_small_extra_output() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.output[at].value -= Amount::from_sat(5_000_000);
        add_output(psbt, payee(66), 5_000_000);
    });
    assert_eq!(bench.refused(&bad), [Code::OutputNotApproved]);
}

#[test]
fn p19_order_does_not_matter_but_amounts_are_never_summed() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let permuted = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.output.reverse();
        psbt.outputs.reverse();
    });
    bench.release(&permuted).unwrap();
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let usual = bench.usual.clone();
    let split = mutate(&mut bench, &ready, |psbt| {
        let at = psbt.unsigned_tx.output.iter().position(|o| o.script_pubkey == usual).unwrap();
        psbt.unsigned_tx.output[at].value -= Amount::from_sat(500_000_000);
        add_output(psbt, usual.clone(), 500_000_000);
    });
    let codes = bench.refused(&split);
    assert!(codes.contains(&Code::OutputAmountMismatch), "{codes:?}");
}

#[test]
fn p20_shortfall_to_the_fee() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let usual = bench.usual.clone();
    let bad = mutate(&mut bench, &ready, |psbt| {
        let at = psbt.unsigned_tx.output.iter().position(|o| o.script_pubkey == usual).unwrap();
        psbt.unsigned_tx.output[at].value -= Amount::from_sat(1);
    });
    assert_eq!(bench.refused(&bad), [Code::OutputAmountMismatch]);
}

#[test]
fn p21_fee_caps_and_overflows() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    // Above the intent's cap of 100,000 sat; above the policy's of 1,000,000 and its rate.
    for more in [150_000, 2_000_000] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            psbt.unsigned_tx.output[at].value -= Amount::from_sat(more);
        });
        assert_eq!(bench.refused(&bad), [Code::FeeLimit]);
    }
    for value in [u64::MAX, 21_000_000 * 100_000_000 + 1, 2_000_000_000] {
        let bad = mutate(&mut bench, &ready, |psbt| {
            psbt.unsigned_tx.output[at].value = Amount::from_sat(value);
        });
        assert_eq!(bench.refused(&bad), [Code::ValueOverflow], "{value}");
    }
}

#[test]
fn p22_dust_and_sizes_are_bounded() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let dust = mutate(&mut bench, &ready, |psbt| add_output(psbt, payee(66), 100));
    assert!(bench.refused(&dust).contains(&Code::TxLimits));
    let outputs = mutate(&mut bench, &ready, |psbt| {
        for number in 0..10_000 {
            add_output(psbt, payee(number), 1_000);
        }
    });
    assert_eq!(bench.refused(&outputs), [Code::TxLimits]);
    let inputs = mutate(&mut bench, &ready, |psbt| {
        for _ in 0..10_000 {
            let (input, map) = (psbt.unsigned_tx.input[0].clone(), psbt.inputs[0].clone());
            psbt.unsigned_tx.input.push(input);
            psbt.inputs.push(map);
        }
    });
    assert_eq!(bench.refused(&inputs), [Code::TxLimits]);
    let mut large = ready.clone();
    large.psbt = [b"psbt\xff".as_slice(), &vec![0; 34 << 20]].concat();
    assert_eq!(bench.refused(&large), [Code::TxLimits]);
}

#[test]
fn p23_op_return_with_value_or_as_change() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let script = Builder::new().push_opcode(OP_RETURN).push_slice([1; 20]).into_script();
    let bad = mutate(&mut bench, &ready, |psbt| add_output(psbt, script.clone(), 1_000));
    assert!(bench.refused(&bad).contains(&Code::OutputNotApproved));
    let at = change_at(&bench, &Psbt::deserialize(&ready.psbt).unwrap());
    let hidden = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.output[at].script_pubkey = script.clone();
    });
    assert!(bench.refused(&hidden).contains(&Code::OutputNotApproved));
}

#[test]
fn p24_script_types_that_are_not_paid_to() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let future = Builder::new().push_opcode(OP_PUSHNUM_2).push_slice([7; 32]).into_script();
    let anchor = Builder::new().push_opcode(OP_PUSHNUM_1).push_slice([0x4e, 0x73]).into_script();
    let anyone = Builder::new().push_opcode(OP_TRUE).into_script();
    let bare = multi(1, &[thief_key(7), thief_key(8)]);
    for script in [future, anchor, anyone, bare] {
        let bad = mutate(&mut bench, &ready, |psbt| add_output(psbt, script.clone(), 10_000));
        let codes = bench.refused(&bad);
        assert!(codes.contains(&Code::ScriptTypeForbidden), "{script}: {codes:?}");
    }
}

#[test]
fn p25_versions_and_lock_times() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    for version in [0, 1, 3, -1] {
        let bad = mutate(&mut bench, &ready, |psbt| psbt.unsigned_tx.version = Version(version));
        assert_eq!(bench.refused(&bad), [Code::TxFormat], "version {version}");
    }
    let without_effect = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.lock_time = LockTime::from_consensus(800_000);
        psbt.unsigned_tx.input.iter_mut().for_each(|i| i.sequence = Sequence::MAX);
    });
    assert_eq!(bench.refused(&without_effect), [Code::TxFormat]);
    let time = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.lock_time = LockTime::from_consensus(1_700_000_000);
    });
    assert_eq!(bench.refused(&time), [Code::TxFormat]);
}

#[test]
fn p26_sequence_that_delays() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| psbt.unsigned_tx.input[0].sequence = Sequence(10));
    assert_eq!(bench.refused(&bad), [Code::SequencePolicy]);
}

#[test]
fn p29_duplicate_keys_and_outpoints() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let mut twice = ready.clone();
    // The first record of the global map, once more: key length 1, type 0.
    let length = usize::from(twice.psbt[7]);
    let record = twice.psbt[5..8 + length].to_vec();
    twice.psbt.splice(5..5, record);
    assert_eq!(bench.refused(&twice), [Code::Malformed]);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.input[1] = psbt.unsigned_tx.input[0].clone();
        psbt.inputs[1] = psbt.inputs[0].clone();
    });
    let codes = bench.refused(&bad);
    assert!(codes.contains(&Code::DuplicateInput), "{codes:?}");
}

/// A PSBT of version 2 for the same transaction.
fn version_2(psbt: &Psbt, modifiable: Option<u8>, counts: bool) -> Vec<u8> {
    fn size(n: usize) -> Vec<u8> {
        bitcoin::consensus::serialize(&bitcoin::VarInt::from(n))
    }
    fn field(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
        out.extend([1, kind]);
        out.extend(size(value.len()));
        out.extend(value);
    }
    let mut out = b"psbt\xff".to_vec();
    field(&mut out, 0x02, &psbt.unsigned_tx.version.0.to_le_bytes());
    field(&mut out, 0x03, &psbt.unsigned_tx.lock_time.to_consensus_u32().to_le_bytes());
    if counts {
        field(&mut out, 0x04, &size(psbt.inputs.len()));
    }
    field(&mut out, 0x05, &size(psbt.outputs.len()));
    if let Some(flags) = modifiable {
        field(&mut out, 0x06, &[flags]);
    }
    field(&mut out, 0xfb, &2u32.to_le_bytes());
    out.push(0);
    for (input, map) in psbt.unsigned_tx.input.iter().zip(&psbt.inputs) {
        let previous = map.non_witness_utxo.as_ref().unwrap();
        field(&mut out, 0x00, &bitcoin::consensus::serialize(previous));
        for (key, (fingerprint, path)) in &map.bip32_derivation {
            out.push(34);
            out.push(0x06);
            out.extend(key.serialize());
            let mut value = fingerprint.to_bytes().to_vec();
            path.into_iter().for_each(|step| value.extend(u32::from(*step).to_le_bytes()));
            out.extend(size(value.len()));
            out.extend(value);
        }
        field(&mut out, 0x0e, input.previous_output.txid.as_ref());
        field(&mut out, 0x0f, &input.previous_output.vout.to_le_bytes());
        field(&mut out, 0x10, &input.sequence.to_consensus_u32().to_le_bytes());
        out.push(0);
    }
    for (output, map) in psbt.unsigned_tx.output.iter().zip(&psbt.outputs) {
        for (key, (fingerprint, path)) in &map.bip32_derivation {
            out.push(34);
            out.push(0x02);
            out.extend(key.serialize());
            let mut value = fingerprint.to_bytes().to_vec();
            path.into_iter().for_each(|step| value.extend(u32::from(*step).to_le_bytes()));
            out.extend(size(value.len()));
            out.extend(value);
        }
        field(&mut out, 0x03, &output.value.to_sat().to_le_bytes());
        field(&mut out, 0x04, output.script_pubkey.as_bytes());
        out.push(0);
    }
    out
}

#[test]
fn p30_version_2_is_read_and_smuggling_is_not() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let psbt = Psbt::deserialize(&ready.psbt).unwrap();
    let good = version_2(&psbt, None, true);
    assert_eq!(
        bench.spend_digest(&ready.intent, &good),
        bench.spend_digest(&ready.intent, &ready.psbt),
        "both versions are one transaction"
    );
    let mut with = ready.clone();
    with.psbt = version_2(&psbt, Some(0x03), true);
    assert_eq!(bench.refused(&with), [Code::PsbtModifiable]);
    with.psbt = version_2(&psbt, None, false);
    assert_eq!(bench.refused(&with), [Code::Malformed], "a count is missing");
    // A version 2 field in the global map of version 0: type 4, one byte.
    let mut smuggled = ready.clone();
    smuggled.psbt.splice(5..5, [1, 0x04, 1, 2]);
    assert_eq!(bench.refused(&smuggled), [Code::Malformed]);
    with.psbt = good;
    let released = bench.release(&with).unwrap();
    assert_eq!(released.unsigned_tx, psbt.unsigned_tx, "version 0 leaves");
}

#[test]
fn p31_unknown_fields_alter_nothing_and_do_not_leave() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let decorated = mutate(&mut bench, &ready, |psbt| {
        let key = raw::Key { type_value: 0x77, key: vec![1, 2] };
        psbt.unknown.insert(key.clone(), vec![1]);
        psbt.inputs[0].unknown.insert(key.clone(), vec![2]);
        psbt.outputs[0].unknown.insert(key, vec![3]);
        let own = raw::ProprietaryKey { prefix: b"x".to_vec(), subtype: 1, key: vec![] };
        psbt.proprietary.insert(own, vec![4]);
    });
    let same = bench.spend_digest(&ready.intent, &ready.psbt);
    assert_eq!(bench.spend_digest(&decorated.intent, &decorated.psbt), same);
    let signed = bench.release(&decorated).unwrap();
    assert!(signed.unknown.is_empty() && signed.proprietary.is_empty());
    assert!(signed.inputs.iter().all(|i| i.unknown.is_empty()));
    assert!(signed.outputs.iter().all(|o| o.unknown.is_empty()));
}

#[test]
fn p32_signatures_that_are_forged_foreign_or_final() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let secp = Secp256k1::new();
    let secret = SecretKey::from_slice(&[7; 32]).unwrap();
    let signature =
        ecdsa::Signature::sighash_all(secp.sign_ecdsa(&Message::from_digest([1; 32]), &secret));
    let forged = mutate(&mut bench, &ready, |psbt| {
        let key = PublicKey::new(*psbt.inputs[0].bip32_derivation.keys().next().unwrap());
        psbt.inputs[0].partial_sigs.insert(key, signature);
    });
    assert_eq!(bench.refused(&forged), [Code::PreSignedState]);
    let foreign = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].partial_sigs.insert(thief_key(7), signature);
    });
    assert_eq!(bench.refused(&foreign), [Code::PreSignedState]);
    let done = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&[vec![1]]));
    });
    assert_eq!(bench.refused(&done), [Code::PreSignedState]);
}

#[test]
fn p33_a_refused_input_stays_without_a_signature() {
    let mut bench = Bench::new();
    let first = bench.payment(500_000_000);
    bench.release(&first).unwrap();
    // Another intent that spends the very coin just signed for, and one more.
    let (coin, more) = (bench.coins.clone(), bench.payment(600_000_000));
    let taken = Psbt::deserialize(&first.psbt).unwrap();
    let bad = mutate(&mut bench, &more, |psbt| {
        psbt.unsigned_tx.input[0] = taken.unsigned_tx.input[0].clone();
        psbt.inputs[0] = taken.inputs[0].clone();
        psbt.inputs[0].partial_sigs.clear();
    });
    assert!(!coin.is_empty());
    let codes = bench.refused(&bad);
    assert!(codes.contains(&Code::InputState), "{codes:?}");
}

#[test]
fn p34_another_network_with_the_same_keys() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let (state, later) = (bench.state(), bench.later());
    let usual = bench.usual.clone();
    // An intent of this vault that names an address of the real network.
    let mut draft = withdrawal::intent::Draft {
        kind: Kind::Pay,
        vault_id: state.vault().id,
        network: withdrawal::network::Network::Regtest,
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        outputs: vec![(
            withdrawal::network::Network::Bitcoin.show(&usual),
            1_500_000_000,
            "x".to_owned(),
        )],
        max_fee_sat: 100_000,
        not_before: withdrawal::time::Timestamp::default(),
        expires: later,
        nonce: [1; 32],
    };
    for network in [withdrawal::network::Network::Regtest, withdrawal::network::Network::Bitcoin] {
        draft.network = network;
        let intent = draft.clone().sign(&bench.trial.requester).unwrap();
        let bad = bench.ready(intent, ready.psbt.clone(), &["alice", "bob"]);
        assert_eq!(bench.refused(&bad), [Code::NetworkMismatch], "{network}");
    }
}

#[test]
fn p35_scripts_that_do_not_hash_to_the_coin() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.inputs[0].witness_script = Some(multi(1, &[thief_key(7)]));
    });
    assert_eq!(bench.refused(&bad), [Code::ScriptMismatch]);
    let bad = mutate(&mut bench, &ready, |psbt| psbt.inputs[1].redeem_script = Some(payee(5)));
    assert_eq!(bench.refused(&bad), [Code::ScriptMismatch]);
}

#[test]
fn p36_an_input_that_is_not_ours() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    let mut foreign = bench.coins[0].previous.clone();
    foreign.output[0].script_pubkey = payee(3);
    let bad = mutate(&mut bench, &ready, |psbt| {
        psbt.unsigned_tx.input.push(TxIn {
            previous_output: bitcoin::OutPoint { txid: foreign.compute_txid(), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let non_witness_utxo = Some(foreign.clone());
        psbt.inputs.push(bitcoin::psbt::Input { non_witness_utxo, ..Default::default() });
    });
    assert!(bench.refused(&bad).contains(&Code::ForeignInput));
}

#[test]
fn d10_counts_and_lengths_beyond_the_bytes() {
    let mut bench = Bench::new();
    let ready = two_inputs(&mut bench);
    // Counts of 2^36 and 2^63 in a version 2 PSBT, and a map key of 2^63 bytes, in a handful of bytes.
    for count in [1u64 << 36, 1 << 63] {
        let mut psbt = b"psbt\xff".to_vec();
        psbt.extend([
            1, 0x02, 4, 2, 0, 0, 0, 1, 0xfb, 4, 2, 0, 0, 0, 1, 0x05, 1, 1, 1, 0x04, 9, 0xff,
        ]);
        psbt.extend(count.to_le_bytes());
        psbt.push(0);
        let mut bad = ready.clone();
        bad.psbt = psbt;
        let codes = bench.refused(&bad);
        assert!(codes == [Code::TxLimits] || codes == [Code::Malformed], "{codes:?}");
        bad.psbt = [b"psbt\xff\xff".as_slice(), &count.to_le_bytes()].concat();
        assert_eq!(bench.refused(&bad), [Code::Malformed]);
    }
}

#[test]
fn both_decoders_read_the_same_of_honest_psbts() {
    let mut bench = Bench::with(|setup| setup.nested = true);
    for ready in [bench.payment(500_000_000), bench.payment(1_500_000_000)] {
        let vault = bench.core.vault();
        let ours = inspect(&ready.psbt, &vault.script).unwrap();
        assert_eq!(ours.violations, []);
        let theirs =
            reader::read(&ready.psbt, &reader::Vault::parse(vault.script.text()).unwrap()).unwrap();
        let spend = ours.spend.unwrap();
        assert_eq!(spend.fee.to_sat(), theirs.fee_sat);
        let intent = ready.parsed().digest();
        assert_eq!(
            spend.digest(&vault.id, &intent).0,
            reader::spend_digest(&theirs, &vault.id.0, &intent.0)
        );
        for branch in 0..2 {
            let at = VaultAddress { branch, index: 9 };
            let derived = vault.script.script_pubkey(&at).unwrap();
            let (_, other) =
                reader::Vault::parse(vault.script.text()).unwrap().scripts(branch, 9).unwrap();
            assert_eq!(derived.as_bytes(), other);
        }
    }
    let ready = bench.payment(500_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
}
