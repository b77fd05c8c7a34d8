//! Properties (ATTACKS 7): what holds for everything that anyone could hand in, tried on many things.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit::bench::{Bench, Ready, codes, payee};
use withdrawal::act::ActKind;
use withdrawal::intent::{Intent, Kind};
use withdrawal::policy::Limit;
use withdrawal::protocol::Response;
use withdrawal::psbt::inspect;
use withdrawal::spend::OutputKind;

/// One change to a finished dossier, as somebody in the middle could make it.
#[derive(Clone, Debug)]
enum Meddle {
    Byte(usize, u8),
    Cut(usize),
    Amount(usize, u64),
    Script(usize, u32),
    Drop(usize),
    Add(u64, u32),
    Sequence(u32),
    LockTime(u32),
    Version(i32),
}

fn meddle() -> impl Strategy<Value = Meddle> {
    prop_oneof![
        (any::<usize>(), 1u8..).prop_map(|(at, x)| Meddle::Byte(at, x)),
        any::<usize>().prop_map(Meddle::Cut),
        (any::<usize>(), 0u64..2_000_000_000).prop_map(|(at, sat)| Meddle::Amount(at, sat)),
        (any::<usize>(), 100u32..120).prop_map(|(at, to)| Meddle::Script(at, to)),
        any::<usize>().prop_map(Meddle::Drop),
        (1_000u64..1_000_000, 100u32..120).prop_map(|(sat, to)| Meddle::Add(sat, to)),
        any::<u32>().prop_map(Meddle::Sequence),
        any::<u32>().prop_map(Meddle::LockTime),
        any::<i32>().prop_map(Meddle::Version),
    ]
}

fn apply(psbt: &[u8], how: &Meddle) -> Vec<u8> {
    if let Meddle::Byte(at, x) = how {
        let mut bytes = psbt.to_vec();
        let at = at % bytes.len();
        bytes[at] ^= x;
        return bytes;
    }
    if let Meddle::Cut(at) = how {
        return psbt[..at % psbt.len()].to_vec();
    }
    let mut psbt = bitcoin::Psbt::deserialize(psbt).unwrap();
    let outputs = psbt.unsigned_tx.output.len();
    match how {
        Meddle::Amount(at, sat) => {
            psbt.unsigned_tx.output[at % outputs].value = bitcoin::Amount::from_sat(*sat);
        }
        Meddle::Script(at, to) => psbt.unsigned_tx.output[at % outputs].script_pubkey = payee(*to),
        Meddle::Drop(at) => {
            psbt.unsigned_tx.output.remove(at % outputs);
            psbt.outputs.remove(at % outputs);
        }
        Meddle::Add(sat, to) => {
            let value = bitcoin::Amount::from_sat(*sat);
            psbt.unsigned_tx.output.push(bitcoin::TxOut { value, script_pubkey: payee(*to) });
            psbt.outputs.push(Default::default());
        }
        Meddle::Sequence(n) => {
            psbt.unsigned_tx.input[0].sequence = bitcoin::Sequence::from_consensus(*n);
        }
        Meddle::LockTime(n) => {
            psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(*n);
        }
        Meddle::Version(n) => psbt.unsigned_tx.version = bitcoin::transaction::Version(*n),
        Meddle::Byte(..) | Meddle::Cut(_) => {}
    }
    psbt.serialize()
}

/// Every output of what was signed is asked for or the vault's own.
fn pays_what_was_asked(bench: &Bench, intent: &Intent, signed: &bitcoin::Psbt) {
    let spend = inspect(&signed.serialize(), &bench.core.vault().script).unwrap().spend.unwrap();
    let mut asked: Vec<_> = intent.outputs().iter().map(|p| (p.script.clone(), p.amount)).collect();
    for output in spend.outputs.iter().filter(|o| o.kind == OutputKind::Payment) {
        let at = asked.iter().position(|p| *p == (output.script.clone(), output.amount));
        asked.swap_remove(at.expect("an output that nobody asked for"));
    }
    assert!(asked.is_empty(), "a payment is missing");
}

#[test]
fn whatever_is_signed_pays_what_a_quorum_approved() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max_count = 10_000);
    let mut signed = 0;
    let mut refused = 0;
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 400, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let strategy = proptest::collection::vec(meddle(), 0..3);
    let ready = bench.payment(20_000_000);
    let bench = std::cell::RefCell::new((&mut bench, &mut signed, &mut refused));
    runner
        .run(&strategy, |changes| {
            let (bench, signed, refused) = &mut *bench.borrow_mut();
            let mut psbt = ready.psbt.clone();
            for change in &changes {
                // What no longer parses can only be changed as bytes.
                if bitcoin::Psbt::deserialize(&psbt).is_ok() && !psbt.is_empty() {
                    psbt = apply(&psbt, change);
                }
            }
            // Approved by the quorum as it stands, in a third of the cases: then only rules refuse it.
            let changed = if changes.len() == 2 {
                bench.ready(ready.intent.clone(), psbt, &["alice", "bob"])
            } else {
                Ready { psbt, ..ready.clone() }
            };
            let (log, size) = (bench.entries(), bench.status().size);
            match bench.release(&changed) {
                Ok(psbt) => {
                    **signed += 1;
                    pays_what_was_asked(bench, &ready.parsed(), &psbt);
                }
                Err(_) => {
                    **refused += 1;
                    // A refusal leaves the log as it was, to the byte.
                    if bench.status().size == size {
                        prop_assert_eq!(bench.entries(), log);
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let (_, signed, refused) = bench.into_inner();
    assert!(
        *signed > 20 && *refused > 100,
        "{signed} signed, {refused} refused: nothing was tried"
    );
}

#[test]
fn s11_a_decision_never_gets_milder_by_a_no() {
    let people = ["alice", "bob", "carol", "dave"];
    let limits = [Limit::TxMax, Limit::WindowMax, Limit::FeeMax, Limit::FeeRate, Limit::SharePpm];
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let strategy = (1u64..3_000_000_000, 0usize..5, 0usize..5, 0u64..1_000_000_000);
    runner
        .run(&strategy, |(sat, approvals, limit, value)| {
            let mut bench = Bench::new();
            let usual = bench.usual.clone();
            let who = &people[..approvals.min(people.len())];
            let ready = bench.prepare(Kind::Pay, &[(usual, sat)], who);
            let before = bench.reserve(&ready);
            let mut fewer = ready.clone();
            fewer.approvals.pop();
            let without = bench.reserve(&fewer);
            if let Response::Refused(_) | Response::Malformed { .. } = before {
                prop_assert!(!matches!(without, Response::Appended(_)), "fewer approvals allow");
                let kind = match limits.get(limit) {
                    Some(limit) => ActKind::Lower { limit: *limit, value },
                    None => ActKind::Freeze,
                };
                let act = bench.act_of("carol", kind);
                bench.act(act).unwrap();
                let after = codes(&bench.reserve(&ready));
                for code in codes(&before) {
                    prop_assert!(after.contains(&code), "{code} went away by a tightening");
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn s03_no_schedule_releases_more_than_a_window() {
    // A model beside the real thing: what was signed in any window, and never more than the limit.
    let limit = 300_000_000u64;
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let step = (0u8..6, 10_000_000u64..200_000_000, 1u64..30);
    runner
        .run(&proptest::collection::vec(step, 4..14), |steps| {
            let mut bench = Bench::with_policy(|p| {
                p.limits.window_max = bitcoin::Amount::from_sat(limit);
                p.limits.window_max_count = 1_000;
            });
            for _ in 0..8 {
                bench.fund(500_000_000);
            }
            let mut released: Vec<(u64, u64)> = Vec::new();
            let mut waiting: Vec<(Ready, u64)> = Vec::new();
            for (what, sat, hours) in steps {
                match what {
                    0 | 1 => {
                        let ready = bench.payment(sat);
                        if matches!(bench.reserve(&ready), Response::Appended(_)) {
                            waiting.push((ready, sat));
                        }
                    }
                    2 | 3 => {
                        if let Some((ready, sat)) = waiting.pop()
                            && matches!(bench.countersign(&ready), Response::Signed { .. })
                        {
                            released.push((bench.witnesses[0].time, sat));
                        }
                    }
                    4 => bench.restart(),
                    _ => {
                        bench.pass_hours(hours);
                        bench.tell_time();
                    }
                }
                // Signatures as they left, by the clock that everyone saw.
                for (end, _) in &released {
                    let window = released.iter().filter(|(t, _)| t <= end && t + 24 * 3600 > *end);
                    let sum: u64 = window.map(|(_, sat)| sat).sum();
                    prop_assert!(sum <= limit, "{sum} in one window");
                }
            }
            bench.state();
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn an_intents_digest_is_of_its_parsed_form(sat in 1u64..2_100_000_000_000_000, fee in 0u64..100_000_000, reference in "[a-z0-9-]{1,32}") {
        use withdrawal::intent::Draft;
        let draft = |sat, fee, reference: &str| Draft {
            kind: Kind::Pay,
            vault_id: withdrawal::digest::Digest([9; 32]),
            network: withdrawal::network::Network::Regtest,
            id: "00000000-0000-4000-8000-000000000001".to_owned(),
            outputs: vec![("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".to_owned(), sat, reference.to_owned())],
            max_fee_sat: fee,
            not_before: Default::default(),
            expires: withdrawal::time::Timestamp::clamped(4_000_000_000),
            nonce: [1; 32],
        };
        let key = withdrawal::keys::SecretKey::from_seed(&zeroize::Zeroizing::new([5; 32]));
        let parse = |d: Draft| Intent::parse(&d.sign(&key).unwrap()).unwrap().digest();
        let digest = parse(draft(sat, fee, &reference));
        prop_assert_eq!(digest, parse(draft(sat, fee, &reference)));
        prop_assert_ne!(digest, parse(draft(sat, fee + 1, &reference)));
        prop_assert_ne!(digest, parse(draft(if sat > 1 { sat - 1 } else { 2 }, fee, &reference)));
        let longer = format!("{reference}x");
        prop_assert_ne!(digest, parse(draft(sat, fee, &longer)));
    }
}
