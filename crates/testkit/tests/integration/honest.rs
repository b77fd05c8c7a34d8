//! Honest withdrawals are not refused: batches, consolidations, new payees within limits, bumps, tiers.

use bitcoin::Amount;
use testkit::bench::{Bench, payee};
use withdrawal::intent::Kind;
use withdrawal::protocol::Response;
use withdrawal::verdict::{Outcome, Step, judge};

/// How many are generated; each is judged as the cosigner judges at hop 7.
const WITHDRAWALS: u32 = 10_000;

#[test]
fn ten_thousand_honest_withdrawals_are_all_allowed() {
    let mut bench = Bench::with_policy(|p| {
        p.limits.window_max = Amount::from_sat(2_000_000_000_000);
        p.limits.window_max_count = 100_000;
        let mut high = p.quorums[0].clone();
        high.above = Amount::from_sat(200_000_000);
        high.groups = vec![("approvers".to_owned(), 3)];
        p.quorums.push(high);
        p.governance.quorum = vec![("approvers".to_owned(), 3)];
    });
    bench.tell_time();
    let (state, later) = (bench.state(), bench.later());
    let usual = bench.usual.clone();
    let mut seed = 20_240_531u64;
    let mut random = |below: u64| {
        // SplitMix64: a test needs variety, not secrecy.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % below
    };
    let facts = withdrawal::facts::Facts::default();
    let mut refused = Vec::new();
    for number in 0..WITHDRAWALS {
        let kind = random(20);
        let payments: Vec<(bitcoin::ScriptBuf, u64, String)> = match kind {
            0 => Vec::new(),
            1 | 2 => (0..2 + random(8))
                .map(|n| {
                    (
                        payee(u32::try_from(random(4_000_000_000)).unwrap()),
                        100_000 + random(5_000_000),
                        format!("b-{number}-{n}"),
                    )
                })
                .collect(),
            3..=9 => vec![(
                payee(u32::try_from(random(4_000_000_000)).unwrap()),
                100_000 + random(90_000_000),
                format!("n-{number}"),
            )],
            _ => vec![(usual.clone(), 100_000 + random(1_800_000_000), format!("u-{number}"))],
        };
        let kind = if kind == 0 { Kind::Consolidate } else { Kind::Pay };
        let named: Vec<_> = payments.iter().map(|(s, a, r)| (s.clone(), *a, r.as_str())).collect();
        let intent = bench.trial.intent(&state, kind, &named, 100_000, later).unwrap();
        let plan = coordinator::build::Plan {
            script: &state.vault().script,
            coins: &bench.coins,
            state: &state,
            only: &[],
            fee_rate: 1 + random(8),
            change_index: u32::try_from(random(1_000)).unwrap(),
        };
        let parsed = withdrawal::intent::Intent::parse(&intent).unwrap();
        let mut psbt = plan.build(&parsed).unwrap();
        if random(10) == 0 && kind == Kind::Pay {
            psbt = coordinator::build::Plan { fee_rate: 12, ..plan }.bump(&psbt).unwrap();
        }
        let psbt = psbt.serialize();
        let spend = bench.spend_digest(&intent, &psbt).unwrap();
        let approvals: Vec<_> = ["alice", "bob", "carol"]
            .iter()
            .map(|id| bench.person(id).approve(&state, spend, later).unwrap())
            .collect();
        let verdict =
            judge(&state, &intent, &psbt, &approvals, &facts, Step::Reserve).unwrap().verdict;
        if verdict.outcome() != Outcome::Allow {
            refused.push((number, verdict.violations));
        }
    }
    assert!(refused.is_empty(), "{} refused, first {:?}", refused.len(), refused.first());
}

#[test]
fn a_hundred_honest_withdrawals_go_through_the_cosigner() {
    // The whole way, one after the other: reserved, witnessed, signed, replaced, over days and restarts.
    let mut bench = Bench::with_policy(|p| {
        p.limits.window_max = Amount::from_sat(2_000_000_000_000);
        p.limits.window_max_count = 100_000;
        p.fee.budget_window = Amount::from_sat(100_000_000);
        let mut high = p.quorums[0].clone();
        high.above = Amount::from_sat(200_000_000);
        high.groups = vec![("approvers".to_owned(), 3)];
        p.quorums.push(high);
        p.governance.quorum = vec![("approvers".to_owned(), 3)];
    });
    for number in 0..150u64 {
        bench.fund(300_000_000 + number);
    }
    let usual = bench.usual.clone();
    for number in 0..100u32 {
        let people: &[&str] =
            if number % 3 == 0 { &["alice", "bob", "carol"] } else { &["alice", "bob"] };
        let ready = match number % 10 {
            0 => {
                bench.prepare(Kind::Pay, &[(usual.clone(), 250_000_000)], &["alice", "bob", "dave"])
            }
            1 => bench.prepare(Kind::Pay, &[(payee(5_000 + number), 40_000_000)], people),
            2 => {
                let many: Vec<_> =
                    (0..20).map(|n| (payee(9_000 + number * 20 + n), 500_000)).collect();
                bench.prepare(Kind::Pay, &many, people)
            }
            3 => {
                let free = |c: &&coordinator::coins::Coin| {
                    bench.core.state().ledger().owner(&c.outpoint).is_none()
                };
                let old: Vec<_> =
                    bench.coins.iter().filter(free).take(2).map(|c| c.outpoint).collect();
                bench.refresh(&old, people)
            }
            _ => bench.payment(10_000_000 + u64::from(number)),
        };
        bench.release(&ready).unwrap_or_else(|codes| panic!("{number} refused: {codes:?}"));
        if number % 7 == 0 && number % 10 != 3 {
            let psbt = bench.bump(&ready.psbt, 9);
            let people: Vec<&str> = ready.approvals.iter().map(|a| a.person.as_str()).collect();
            let bumped = bench.ready(ready.intent.clone(), psbt, &people);
            bench
                .release(&bumped)
                .unwrap_or_else(|codes| panic!("bump {number} refused: {codes:?}"));
        }
        if number % 25 == 0 {
            bench.pass_hours(5);
            bench.restart();
        }
    }
    bench.state();
}

#[test]
fn a_batch_of_two_thousand_goes_through_the_cosigner() {
    let mut bench = Bench::with_policy(|p| p.limits.tx_max = Amount::from_sat(100_000_000_000));
    let payments: Vec<_> = (0..2_000).map(|n| (payee(10_000 + n), 20_000u64)).collect();
    let named: Vec<(bitcoin::ScriptBuf, u64, String)> = payments
        .iter()
        .enumerate()
        .map(|(n, (s, a))| (s.clone(), *a, format!("batch-{n}")))
        .collect();
    let named: Vec<_> = named.iter().map(|(s, a, r)| (s.clone(), *a, r.as_str())).collect();
    let (state, later) = (bench.state(), bench.later());
    let intent = bench.trial.intent(&state, Kind::Pay, &named, 900_000, later).unwrap();
    let psbt = bench.build(&intent, 5);
    let ready = bench.ready(intent, psbt, &["alice", "bob"]);
    let signed = bench.release(&ready).unwrap();
    assert_eq!(signed.unsigned_tx.output.len(), 2_001);
    bench.restart();
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
}
