//! S: policy and state.

use bitcoin::Amount;
use testkit::bench::{Bench, payee};
use withdrawal::act::ActKind;
use withdrawal::change::ChangeKind;
use withdrawal::code::Code;
use withdrawal::genesis::AllowedAddress;
use withdrawal::intent::{Intent, Kind};
use withdrawal::network::Network;
use withdrawal::policy::{Limit, Policy};
use withdrawal::protocol::Response;

use crate::approval::change_and_wait;

#[test]
fn s01_a_limit_split_into_small_payments() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max = Amount::from_sat(1_200_000_000));
    for _ in 0..2 {
        let ready = bench.payment(500_000_000);
        bench.release(&ready).unwrap();
    }
    let third = bench.payment(300_000_000);
    assert_eq!(bench.refused(&third), [Code::Velocity]);
    let mut bench = Bench::with_policy(|p| p.limits.window_max_count = 2);
    for _ in 0..2 {
        let ready = bench.payment(1_000_000);
        bench.release(&ready).unwrap();
    }
    let third = bench.payment(1_000_000);
    assert_eq!(bench.refused(&third), [Code::VelocityCount]);
    // A day later by the witnesses' time the window is empty again.
    bench.pass_hours(25);
    bench.tell_time();
    let fourth = bench.payment(1_000_000);
    bench.release(&fourth).unwrap();
}

#[test]
fn s04_clocks_that_step_back_or_run_ahead() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max = Amount::from_sat(600_000_000));
    let ready = bench.payment(500_000_000);
    bench.release(&ready).unwrap();
    // One hostile witness years ahead moves nothing.
    bench.witnesses[3].time += 10 * 365 * 86_400;
    bench.witnesses.iter_mut().for_each(|w| w.time += 5);
    let again = bench.payment(500_000_000);
    assert_eq!(bench.refused(&again), [Code::Velocity]);
    // With an honest one silent, no three are within five minutes.
    bench.witnesses[0].up = false;
    assert_eq!(bench.refused(&again), [Code::ClockUntrusted]);
    bench.witnesses[0].up = true;
    // All step back: behind what was accepted.
    bench.witnesses.iter_mut().for_each(|w| w.time -= 3600);
    assert_eq!(bench.refused(&again), [Code::ClockUntrusted]);
    // It recovers by itself when they are right again.
    bench.witnesses.iter_mut().for_each(|w| w.time += 3600);
    assert_eq!(bench.refused(&again), [Code::Velocity]);
}

#[test]
fn s05_a_policy_change_or_restart_does_not_empty_the_window() {
    let mut bench = Bench::with_policy(|p| {
        p.limits.window_max = Amount::from_sat(600_000_000);
        p.limits.window_hours = 24 * 7;
    });
    let ready = bench.payment(500_000_000);
    bench.release(&ready).unwrap();
    let mut policy = bench.core.vault().genesis.policy.clone();
    policy.version = 2;
    change_and_wait(&mut bench, ChangeKind::Policy(Box::new(policy)));
    let again = bench.payment(500_000_000);
    assert_eq!(bench.refused(&again), [Code::Velocity]);
    bench.restart();
    assert_eq!(bench.refused(&again), [Code::Velocity]);
}

#[test]
fn s11_a_broad_quorum_above_a_strict_one_hides_nothing() {
    let order = |strict_first: bool| {
        let mut bench = Bench::with_policy(|p| {
            let mut strict = p.quorums[0].clone();
            strict.above = Amount::from_sat(100_000_000);
            strict.groups = vec![("approvers".to_owned(), 3)];
            p.quorums.insert(usize::from(!strict_first), strict);
            p.governance.quorum = vec![("approvers".to_owned(), 3)];
        });
        let ready = bench.payment(500_000_000);
        let codes = bench.refused(&ready);
        let small = bench.payment(50_000_000);
        bench.release(&small).unwrap();
        codes
    };
    assert_eq!(order(true), [Code::QuorumNotMet]);
    assert_eq!(order(false), [Code::QuorumNotMet]);
}

#[test]
fn s12_allow_list_entries_grow_old_and_are_removed() {
    let mut bench = Bench::with_policy(|p| {
        p.allowlist.required = true;
        p.allowlist.max_age_days = 2;
    });
    let ready = bench.payment(500_000_000);
    bench.pass_hours(24 * 3);
    assert_eq!(bench.refused(&ready), [Code::AllowlistExpired, Code::NewAddressLimit]);
    let mut bench = Bench::with_policy(|p| p.allowlist.required = true);
    let ready = bench.payment(50_000_000);
    let act = bench.act_of("carol", ActKind::RemoveAddress { script: bench.usual.clone() });
    bench.act(act).unwrap();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::AllowlistChanged), "{codes:?}");
    // A new entry waits for its age.
    let mut bench = Bench::with_policy(|p| {
        p.allowlist.required = true;
        p.allowlist.min_age_hours = 72;
    });
    let fresh = payee(50);
    let entry = AllowedAddress { script: fresh.clone(), label: "new payee".to_owned() };
    change_and_wait(&mut bench, ChangeKind::Allowlist { add: vec![entry], remove: vec![] });
    let ready = bench.prepare(Kind::Pay, &[(fresh, 50_000_000)], &["alice", "bob"]);
    assert_eq!(bench.refused(&ready), [Code::AllowlistTooNew]);
    bench.pass_hours(72);
    bench.release(&ready).unwrap();
}

/// An address whose first and last characters are those of a known one, found as a thief finds it.
fn alike(known: &bitcoin::ScriptBuf) -> bitcoin::ScriptBuf {
    let target = Network::Regtest.show(known);
    let mut program: [u8; 20] = known.as_bytes()[2..22].try_into().unwrap();
    for nonce in 0u32.. {
        program[12..16].copy_from_slice(&nonce.to_be_bytes());
        let hash = bitcoin::hashes::Hash::from_byte_array(program);
        let script = bitcoin::ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_raw_hash(hash));
        if script != *known
            && Network::Regtest.show(&script)[target.len() - 2..] == target[target.len() - 2..]
        {
            return script;
        }
    }
    unreachable!()
}

#[test]
fn s13_lookalike_of_a_known_address() {
    let mut bench = Bench::new();
    let script = alike(&bench.usual);
    let ready = bench.prepare(Kind::Pay, &[(script, 50_000_000)], &["alice", "bob"]);
    assert_eq!(bench.refused(&ready), [Code::Lookalike]);
}

#[test]
fn s14_addresses_are_compared_as_scripts() {
    let mut bench = Bench::with_policy(|p| p.allowlist.required = true);
    let (state, later) = (bench.state(), bench.later());
    let usual = Network::Regtest.show(&bench.usual);
    let intent = |address: &str| withdrawal::intent::Draft {
        kind: Kind::Pay,
        vault_id: state.vault().id,
        network: Network::Regtest,
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        outputs: vec![(address.to_owned(), 50_000_000, "x".to_owned())],
        max_fee_sat: 100_000,
        not_before: withdrawal::time::Timestamp::default(),
        expires: later,
        nonce: [1; 32],
    };
    // Upper case is the same script; a space or mixed case is no address.
    let upper = intent(&usual.to_uppercase()).sign(&bench.trial.requester).unwrap();
    assert_eq!(Intent::parse(&upper).unwrap().outputs()[0].script, bench.usual);
    for bad in [
        format!(" {usual}"),
        format!("{usual} "),
        usual.replacen("bcrt1q", "bcrt1Q", 1),
        usual.replacen('q', "p", 1),
    ] {
        assert!(intent(&bad).sign(&bench.trial.requester).is_err(), "{bad}");
    }
    // The nested form of a listed key is another script, and not listed.
    let nested = bitcoin::ScriptBuf::new_p2sh(&bench.usual.script_hash());
    let ready = bench.prepare(Kind::Pay, &[(nested, 50_000_000)], &["alice", "bob"]);
    assert_eq!(bench.refused(&ready), [Code::DestinationNotAllowlisted]);
}

#[test]
fn s15_an_address_of_another_vault_is_a_payment() {
    let mut bench = Bench::new();
    let other = Bench::new();
    let theirs = other.coins[0].script.clone();
    let ready = bench.payment(500_000_000);
    let mut psbt = bitcoin::Psbt::deserialize(&ready.psbt).unwrap();
    let at = psbt.unsigned_tx.output.iter().position(|o| o.script_pubkey != bench.usual).unwrap();
    psbt.unsigned_tx.output[at].script_pubkey = theirs;
    let bad = bench.ready(ready.intent.clone(), psbt.serialize(), &["alice", "bob"]);
    let codes = bench.refused(&bad);
    assert!(codes.contains(&Code::OutputNotApproved), "{codes:?}");
}

#[test]
fn s16_amounts_that_are_no_satoshi() {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut bench = Bench::new();
    let good = bench.payment(500_000_000).intent;
    assert!(Intent::parse(&good).is_ok());
    let envelope: serde_json::Value = serde_json::from_slice(&good).unwrap();
    let payload = BASE64_STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let sign = |payload: &str| {
        let kind = "application/vnd.countersign.intent+json";
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature = bench.trial.requester.sign(message.as_bytes());
        serde_json::json!({
            "payloadType": kind, "payload": BASE64_STANDARD.encode(payload),
            "signatures": [{"keyid": bench.trial.requester.public().to_string(), "sig": BASE64_STANDARD.encode(signature.0)}],
        })
        .to_string()
    };
    assert!(Intent::parse(sign(&payload).as_bytes()).is_ok(), "signed by hand it is still good");
    for amount in [
        "5.0",
        "1e-8",
        "-1",
        "2100000000000001",
        "18446744073709551616",
        "\"1,000\"",
        "\"5\"",
        "0",
        "null",
    ] {
        let bad = sign(&payload.replace("500000000", amount));
        let error = Intent::parse(bad.as_bytes()).unwrap_err();
        assert!(!error.signature, "{amount}: {error}");
    }
    for bad in [
        payload.replace("\"version\"", "\"extra\":1,\"version\""),
        payload.replace("\"kind\":\"pay\"", "\"kind\":\"pay\",\"kind\":\"pay\""),
        format!("{payload} x"),
        payload.replace("\"version\":1", "\"version\":2"),
    ] {
        assert!(Intent::parse(sign(&bad).as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn s18_lower_threshold_then_spend_in_one_batch() {
    let mut bench = Bench::with_policy(|p| {
        p.quorums[0].groups = vec![("approvers".to_owned(), 3)];
        p.governance.quorum = vec![("approvers".to_owned(), 3)];
    });
    bench.tell_time();
    let mut looser: Policy = bench.core.vault().genesis.policy.clone();
    looser.version = 2;
    looser.quorums[0].groups = vec![("approvers".to_owned(), 2)];
    let state = bench.state();
    let signers = [bench.person("alice"), bench.person("bob"), bench.person("carol")];
    let change =
        bench.trial.change(&state, ChangeKind::Policy(Box::new(looser)), &signers).unwrap();
    bench.change(change).unwrap();
    let ready = bench.payment(50_000_000);
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::PolicyChangePending), "{codes:?}");
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
    // After the delay the new threshold holds, for approvals given under it.
    bench.tell_time();
    bench.pass_hours(25);
    bench.tell_time();
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
}

#[test]
fn d24_fees_superfluous_inputs_and_consolidations() {
    let mut bench = Bench::with_policy(|p| p.fee.budget_window = Amount::from_sat(6_000));
    let mut ready = bench.payment(500_000_000);
    // One more coin than needed, its value to change.
    let mut psbt = bitcoin::Psbt::deserialize(&ready.psbt).unwrap();
    let spent = |c: &coordinator::coins::Coin| {
        psbt.unsigned_tx.input.iter().any(|i| i.previous_output == c.outpoint)
    };
    let extra = bench.coins.iter().find(|c| !spent(c)).unwrap().clone();
    psbt.unsigned_tx.input.push(bitcoin::TxIn {
        previous_output: extra.outpoint,
        script_sig: bitcoin::ScriptBuf::new(),
        sequence: bitcoin::Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: bitcoin::Witness::new(),
    });
    let mut input = bitcoin::psbt::Input::default();
    coordinator::build::fill_input(&mut input, &extra, &bench.core.vault().script);
    psbt.inputs.push(input);
    let at = psbt.unsigned_tx.output.iter().position(|o| o.script_pubkey != bench.usual).unwrap();
    psbt.unsigned_tx.output[at].value += extra.amount;
    ready = bench.ready(ready.intent.clone(), psbt.serialize(), &["alice", "bob"]);
    assert_eq!(bench.refused(&ready), [Code::SuperfluousInput]);
    // Consolidations cost fees: they draw on a budget of their own.
    let first = bench.prepare(Kind::Consolidate, &[], &["alice", "bob"]);
    bench.release(&first).unwrap();
    bench.fund(1_000_000_000);
    bench.fund(1_000_000_000);
    let second = bench.prepare(Kind::Consolidate, &[], &["alice", "bob"]);
    assert_eq!(bench.refused(&second), [Code::Velocity]);
}

#[test]
fn d07_an_overstated_balance_makes_no_share_small() {
    let mut bench = Bench::with_policy(|p| p.limits.share_floor = Amount::from_sat(100_000_000));
    // 5 of 60 BTC is a small share of what is there, but only the inputs are proven.
    let ready = bench.payment(500_000_000);
    assert_eq!(bench.refused(&ready), [Code::ShareOfVault]);
    // A quorum's word for the balance counts; nobody else's does.
    bench.tell_time();
    let state = bench.state();
    let signers = [bench.person("alice"), bench.person("bob")];
    let floor = ChangeKind::Floor { amount: Amount::from_sat(6_000_000_000) };
    let change = bench.trial.change(&state, floor, &signers).unwrap();
    bench.change(change).unwrap();
    bench.tell_time();
    bench.release(&ready).unwrap();
    // After thirty days it counts no more.
    bench.pass_hours(24 * 30);
    bench.tell_time();
    let later = bench.payment(500_000_000);
    assert_eq!(bench.refused(&later), [Code::ShareOfVault]);
}

#[test]
fn d23_two_policies_with_one_version_number() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(500_000_000);
    // The approvers were shown another policy with the same number: its hash is in what they signed.
    let (mut state, later) = (bench.state(), bench.later());
    let mut genesis = state.vault().genesis.clone();
    genesis.policy.limits.tx_max = Amount::from_sat(1);
    state = withdrawal::state::State::new(genesis.check().unwrap());
    let spend = ready.approvals[0].spend_digest;
    let id = bench.core.vault().id;
    for (approval, name) in ready.approvals.iter_mut().zip(["alice", "bob"]) {
        let subject = withdrawal::author::Subject {
            vault_id: id,
            spend_digest: spend,
            heads: withdrawal::approval::ChainHeads {
                policy: state.heads().policy,
                ..approval.heads
            },
            not_after: later,
        };
        let signatory = bench.trial.person(name).unwrap().signatory();
        *approval = signatory
            .decide(
                &subject,
                withdrawal::approval::Decision::Approve,
                &ring::rand::SystemRandom::new(),
            )
            .unwrap();
    }
    assert!(bench.refused(&ready).contains(&Code::PolicyChanged));
}

#[test]
fn a_lowered_limit_touches_only_what_breaks_it() {
    let mut bench = Bench::new();
    let (large, small) = (bench.payment(500_000_000), bench.payment(50_000_000));
    let act = bench.act_of("carol", ActKind::Lower { limit: Limit::TxMax, value: 100_000_000 });
    bench.act(act).unwrap();
    assert_eq!(bench.refused(&large), [Code::TxLimit, Code::PolicyChanged]);
    assert!(matches!(bench.reserve(&small), Response::Appended(_)));
}
