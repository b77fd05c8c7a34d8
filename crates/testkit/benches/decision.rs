//! Decision and signature, as ratios to what they can't do without: the bare cryptography and the syncs
//! that they contain, all measured in one run. Medians; `cargo bench -p testkit`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a benchmark that meets the unexpected has failed"
)]

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::{Amount, ScriptBuf};
use ed25519_dalek::{Signer as _, SigningKey};
use testkit::bench::{Bench, Ready, payee, temp_dir};
use withdrawal::intent::Kind;
use withdrawal::protocol::{Request, Response};

const RUNS: usize = 25;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One of each operation: how long it takes here and now.
struct Costs {
    ecdsa_verify: Duration,
    ecdsa_sign: Duration,
    es256_verify: Duration,
    ed25519_verify: Duration,
    ed25519_sign: Duration,
    derive: Duration,
    sync: Duration,
}

fn each(count: u32, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..count).for_each(|_| work());
    start.elapsed() / count
}

fn costs(bench: &Bench) -> Costs {
    let secp = Secp256k1::new();
    let xpriv = Xpriv::new_master(bitcoin::Network::Regtest, &[7; 32]).unwrap();
    let xpub = bitcoin::bip32::Xpub::from_priv(&secp, &xpriv);
    let message = Message::from_digest([9; 32]);
    let signature = secp.sign_ecdsa(&message, &xpriv.private_key);
    let key = xpriv.private_key.public_key(&secp);
    let signing = SigningKey::from_bytes(&[3; 32]);
    let note = signing.sign(b"message");
    let digest = withdrawal::digest::Digest([5; 32]);
    let alice = bench.person("alice");
    let assertion = alice.passkey.sign(&digest, &ring::rand::SystemRandom::new()).unwrap();
    let dir = temp_dir("sync");
    let sync = each(50, || {
        let mut file = File::create(dir.join("x.tmp")).unwrap();
        file.write_all(&[0; 4096]).unwrap();
        file.sync_all().unwrap();
        std::fs::rename(dir.join("x.tmp"), dir.join("x")).unwrap();
        File::open(&dir).unwrap().sync_all().unwrap();
    });
    std::fs::remove_dir_all(dir).unwrap();
    Costs {
        ecdsa_verify: each(200, || secp.verify_ecdsa(&message, &signature, &key).unwrap()),
        ecdsa_sign: each(200, || {
            std::hint::black_box(secp.sign_ecdsa(&message, &xpriv.private_key));
        }),
        es256_verify: each(200, || assertion.verify(alice.passkey.public(), &digest).unwrap()),
        ed25519_verify: each(200, || {
            signing.verifying_key().verify_strict(b"message", &note).unwrap()
        }),
        ed25519_sign: each(200, || {
            std::hint::black_box(signing.sign(b"message"));
        }),
        derive: each(200, || {
            std::hint::black_box(
                xpub.ckd_pub(&secp, ChildNumber::from_normal_idx(3).unwrap()).unwrap(),
            );
        }),
        sync,
    }
}

fn release(bench: &mut Bench, ready: &Ready) -> (Duration, Duration) {
    // A cosigner that just started has derived no address yet: nothing is warm but what it warms itself.
    bench.restart();
    let head = bench.head().unwrap();
    let start = Instant::now();
    let answer = bench.core.answer(Request::Reserve(Bench::dossier(ready, head)));
    let decision = start.elapsed();
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    let head = bench.head().unwrap();
    let start = Instant::now();
    let answer = bench.core.answer(Request::Countersign(Bench::dossier(ready, head)));
    let signature = start.elapsed();
    assert!(matches!(answer, Response::Signed { .. }), "{answer:?}");
    (decision, signature)
}

fn signed_by_holders(bench: &Bench, ready: &mut Ready) {
    let vault = bench.core.vault();
    let spend = withdrawal::psbt::inspect(&ready.psbt, &vault.script).unwrap().spend.unwrap();
    let mut psbt = bitcoin::Psbt::deserialize(&ready.psbt).unwrap();
    for holder in bench.trial.holders.iter().take(2) {
        holder.sign_as_holder(vault, &spend, &mut psbt).unwrap();
    }
    ready.psbt = psbt.serialize();
}

fn unlimited(policy: &mut withdrawal::policy::Policy) {
    policy.limits.window_max = Amount::MAX_MONEY;
    policy.limits.tx_max = Amount::MAX_MONEY;
    policy.limits.window_max_count = 1_000_000;
    policy.limits.share_floor = Amount::MAX_MONEY;
    policy.fee.max = Amount::MAX_MONEY;
}

fn small() {
    let mut bench = Bench::with_policy(unlimited);
    let (mut decisions, mut signatures) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bench.coins.clear();
        bench.fund(1_000_000_000);
        bench.fund(1_000_000_000);
        let payments = [(bench.usual.clone(), 900_000_000), (payee(5), 50_000_000)];
        let payments =
            [payments[0].clone(), (payments[1].0.clone(), 1), (bench.usual.clone(), 600_000_000)];
        let payments = [payments[0].clone(), payments[2].clone()];
        let mut ready = bench.prepare(Kind::Pay, &payments, &["alice", "bob"]);
        signed_by_holders(&bench, &mut ready);
        let (decision, signature) = release(&mut bench, &ready);
        decisions.push(decision);
        signatures.push(signature);
    }
    let c = costs(&bench);
    // Each hop: 4 holders' signatures, 2 passkeys, 2 review keys, the intent, 3 to 4 cosignatures, the
    // log's own head; 6 keys of 3 addresses in each of 2 decoders. Hop 8 signs and verifies 2 inputs.
    let hop = c.ecdsa_verify * 4
        + c.es256_verify * 2
        + c.ed25519_verify * (2 + 1 + 4 + 1)
        + c.derive * (6 * 3 * 2);
    let decision_floor = hop + c.ed25519_sign;
    let signature_floor =
        hop + c.ed25519_sign + c.ecdsa_sign * 2 + c.ecdsa_verify * 2 + c.derive * 2;
    // An append syncs a tile, a bundle, three directories and the head; the accepted head is kept by one
    // more durable commit. Measured pairs are a file and its directory.
    let syncs = c.sync * 4;
    println!("2 inputs, 3 outputs, 2-of-3 holders and cosigner, two approvals; medians of {RUNS}");
    let rows =
        [("decision", decisions, decision_floor), ("signature", signatures, signature_floor)];
    for (name, times, floor) in rows {
        let time = median(times);
        let without = time.saturating_sub(syncs);
        println!(
            "  {name:<10} {:>8.3} ms   cryptography {:>7.3} ms   syncs {:>7.3} ms   ratio to both {:.2}, to the cryptography without syncs {:.2}",
            ms(time),
            ms(floor),
            ms(syncs),
            ms(time) / ms(floor + syncs),
            ms(without) / ms(floor)
        );
    }
}

fn large() {
    let mut bench = Bench::with_policy(|policy| {
        unlimited(policy);
        policy.new_address.cap = Amount::MAX_MONEY;
    });
    let (mut decisions, mut signatures) = (Vec::new(), Vec::new());
    for run in 0..5u32 {
        bench.coins.clear();
        for _ in 0..200 {
            bench.fund(10_100_000);
        }
        let named: Vec<(ScriptBuf, u64, String)> =
            (0..2_000).map(|n| (payee(n), 1_000_000, format!("b-{run}-{n}"))).collect();
        let named: Vec<_> = named.iter().map(|(s, a, r)| (s.clone(), *a, r.as_str())).collect();
        let (state, later) = (bench.state(), bench.later());
        let intent = bench.trial.intent(&state, Kind::Pay, &named, 20_000_000, later).unwrap();
        let psbt = bench.build(&intent, 2);
        let mut ready = bench.ready(intent, psbt, &["alice", "bob"]);
        signed_by_holders(&bench, &mut ready);
        let (decision, signature) = release(&mut bench, &ready);
        decisions.push(decision);
        signatures.push(signature);
    }
    println!("200 inputs, 2,000 outputs; medians of 5 (limit 250 ms for both together)");
    let (decision, signature) = (median(decisions), median(signatures));
    println!(
        "  decision {:.1} ms, signature {:.1} ms, together {:.1} ms, {:.2} of the limit",
        ms(decision),
        ms(signature),
        ms(decision + signature),
        ms(decision + signature) / 250.0
    );
}

fn main() {
    small();
    large();
}
