//! What windows, shares and governance count, where somebody tries to make them miscount.

use bitcoin::Amount;
use testkit::bench::Bench;
use withdrawal::act::ActKind;
use withdrawal::change::ChangeKind;
use withdrawal::code::Code;
use withdrawal::intent::Kind;
use withdrawal::protocol::Response;

fn sat(n: u64) -> Amount {
    Amount::from_sat(n)
}

#[test]
fn d26_a_restart_does_not_age_what_is_signed_later() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max = sat(600_000_000));
    let first = bench.payment(500_000_000);
    assert!(matches!(bench.reserve(&first), Response::Appended(_)));
    // Withheld over a restart it may have been signed, and would age from there.
    bench.restart();
    bench.pass_hours(48);
    bench.tell_time();
    assert!(matches!(bench.countersign(&first), Response::Signed { .. }));
    let second = bench.payment(500_000_000);
    assert_eq!(bench.refused(&second), [Code::Velocity], "both would leave at once");
    // Signed again it is the same signature, and nothing new in the log.
    let size = bench.status().size;
    assert!(matches!(bench.countersign(&first), Response::Signed { .. }));
    assert_eq!(bench.status().size, size);
}

#[test]
fn d12_a_withheld_replacement_does_not_charge_for_ever() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max = sat(600_000_000));
    let first = bench.payment(500_000_000);
    bench.release(&first).unwrap();
    let psbt = bench.bump(&first.psbt, 20);
    let bumped = bench.ready(first.intent.clone(), psbt, &["alice", "bob"]);
    assert!(matches!(bench.reserve(&bumped), Response::Appended(_)));
    bench.pass_hours(24 * 31);
    bench.tell_time();
    let second = bench.payment(500_000_000);
    bench.release(&second).unwrap();
    bench.state();
}

#[test]
fn d07_replacements_and_abandoned_intents_leave_their_change_once() {
    let mut bench = Bench::new();
    let first = bench.payment(100_000_000);
    let signed = bench.release(&first).unwrap();
    let change = |bench: &Bench| {
        let ledger = bench.core.state().ledger();
        ledger.unspent_change(&withdrawal::digest::Digest::ZERO, &Default::default())
    };
    let once = change(&bench);
    let left = signed.unsigned_tx.output.iter().map(|o| o.value).max().unwrap();
    assert_eq!(once, left);
    for rate in [15, 25, 35] {
        let psbt = bench.bump(&first.psbt, rate);
        let bumped = bench.ready(first.intent.clone(), psbt, &["alice", "bob"]);
        bench.release(&bumped).unwrap();
    }
    assert!(change(&bench) < once, "the least of the versions counts, once");
    // What is judged does not count its own change, nor coins that it spends.
    let digest = first.parsed().digest();
    let ledger = bench.core.state().ledger();
    assert_eq!(ledger.unspent_change(&digest, &Default::default()), Amount::ZERO);
}

#[test]
fn d12_a_refresh_that_lapses_gives_the_coins_back() {
    let mut bench = Bench::new();
    let first = bench.payment(100_000_000);
    bench.release(&first).unwrap();
    let intent = first.parsed().digest();
    let coins = bench.core.state().ledger().intent(&intent).unwrap().outpoints();
    let refresh = bench.refresh(&coins.iter().copied().collect::<Vec<_>>(), &["alice", "bob"]);
    assert!(matches!(bench.reserve(&refresh), Response::Appended(_)));
    let owner = |bench: &Bench| *bench.core.state().ledger().owner(coins.first().unwrap()).unwrap();
    assert_eq!(owner(&bench), refresh.parsed().digest());
    bench.pass_hours(24 * 31);
    bench.tell_time();
    assert_eq!(owner(&bench), intent, "the signed transaction is still out there");
    bench.state();
}

#[test]
fn d12_an_intent_is_abandoned_by_a_refresh_of_all_its_coins() {
    let mut bench = Bench::new();
    let first = bench.payment(100_000_000);
    bench.release(&first).unwrap();
    let intent = first.parsed().digest();
    let coins: Vec<_> =
        bench.core.state().ledger().intent(&intent).unwrap().outpoints().into_iter().collect();
    // The requester alone can't; a quorum can.
    let alone = bench.refresh(&coins, &["alice"]);
    assert_eq!(bench.refused(&alone), [Code::QuorumNotMet, Code::ZoneMissing]);
    let refresh = bench.refresh(&coins, &["alice", "bob"]);
    let signed = bench.release(&refresh).unwrap();
    // Only what the refresh brings back is held; the abandoned transaction's change will never be.
    let back: Amount = signed.unsigned_tx.output.iter().map(|o| o.value).sum();
    let ledger = bench.core.state().ledger();
    let held = ledger.unspent_change(&withdrawal::digest::Digest::ZERO, &Default::default());
    assert_eq!(held, back);
    let bumped = bench.bump(&first.psbt, 30);
    let late = bench.ready(first.intent.clone(), bumped, &["alice", "bob"]);
    let refused = bench.refused(&late);
    assert!(refused.contains(&Code::AlreadyReleased), "{refused:?}");
    // What it charged stays charged for its window.
    assert!(bench.core.state().ledger().intent(&intent).unwrap().ages_from().is_some());
}

#[test]
fn d13_a_withheld_unfreeze_does_not_lift_a_later_freeze() {
    let mut bench = Bench::new();
    let freeze = bench.act_of("carol", ActKind::Freeze);
    bench.act(freeze).unwrap();
    bench.tell_time();
    let state = bench.state();
    let unfreeze = |bench: &Bench| {
        let signers = [bench.person("alice"), bench.person("bob")];
        let kind = ChangeKind::Unfreeze { acts: state.freezes() };
        bench.trial.change(&state, kind, &signers).unwrap()
    };
    let (withheld, used) = (unfreeze(&bench), unfreeze(&bench));
    bench.change(used).unwrap();
    let freeze = bench.act_of("dave", ActKind::Freeze);
    bench.act(freeze).unwrap();
    assert_eq!(bench.change(withheld).unwrap_err(), [Code::Malformed]);
    let payment = bench.payment(10_000_000);
    assert_eq!(bench.refused(&payment), [Code::Frozen]);
}

#[test]
fn d07_a_floor_that_was_held_back_runs_out() {
    let mut bench = Bench::new();
    bench.tell_time();
    let state = bench.state();
    let signers = [bench.person("alice"), bench.person("bob")];
    let kind = ChangeKind::Floor { amount: sat(1_000_000_000_000) };
    let floor = bench.trial.change(&state, kind, &signers).unwrap();
    bench.pass_hours(24 * 40);
    bench.tell_time();
    assert_eq!(bench.change(floor).unwrap_err(), [Code::Expired]);
}

#[test]
fn d20_revoked_people_do_not_undo_their_own_revocation() {
    let mut bench = Bench::new();
    let act = bench.act_of("alice", ActKind::Revoke { person: "alice".to_owned() });
    bench.act(act).unwrap();
    let freeze = bench.act_of("carol", ActKind::Freeze);
    bench.act(freeze).unwrap();
    bench.tell_time();
    let state = bench.state();
    let freeze = state.freezes().pop().unwrap();
    let kind = ChangeKind::Undo { act: freeze, suspend: false };
    // Alice's key is lost: she said so herself.
    let signers = [bench.person("alice"), bench.person("bob")];
    let undo = bench.trial.change(&state, kind, &signers).unwrap();
    assert_eq!(bench.change(undo).unwrap_err(), [Code::NotEntitled]);
    let act = bench.act_of("dave", ActKind::Revoke { person: "bob".to_owned() });
    bench.act(act).unwrap();
    bench.tell_time();
    let state = bench.state();
    let revocation = state.acts().last().unwrap().digest;
    let kind = ChangeKind::Undo { act: revocation, suspend: false };
    let signers = [bench.person("bob"), bench.person("carol")];
    let undo = bench.trial.change(&state, kind, &signers).unwrap();
    let refused = bench.change(undo).unwrap_err();
    assert!(refused == [Code::NotEntitled] || refused == [Code::QuorumNotMet], "{refused:?}");
}

#[test]
fn a24_a_cancelled_intent_stays_cancelled() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    let intent = ready.parsed().digest();
    let cancel = bench.act_of("carol", ActKind::Cancel { intent });
    bench.act(cancel).unwrap();
    bench.tell_time();
    let state = bench.state();
    let act = state.acts().last().unwrap().digest;
    let signers = [bench.person("alice"), bench.person("bob")];
    let kind = ChangeKind::Undo { act, suspend: false };
    let undo = bench.trial.change(&state, kind, &signers).unwrap();
    assert_eq!(bench.change(undo).unwrap_err(), [Code::Cancelled]);
    assert_eq!(bench.refused(&ready), [Code::Cancelled]);
}

#[test]
fn s01_a_payment_to_the_vault_itself_is_charged() {
    let mut bench = Bench::with_policy(|p| {
        p.limits.window_max = sat(600_000_000);
        p.allowlist.required = false;
        p.new_address.cap = sat(100_000_000_000);
    });
    let at = withdrawal::script::VaultAddress { branch: 0, index: 77 };
    let own = bench.core.vault().script.script_pubkey(&at).unwrap();
    let ready = bench.prepare(Kind::Pay, &[(own, 700_000_000)], &["alice", "bob"]);
    let refused = bench.refused(&ready);
    assert!(refused.contains(&Code::Velocity), "{refused:?}");
}

#[test]
fn s18_two_changes_that_together_leave_no_quorum() {
    let mut bench = Bench::new();
    bench.tell_time();
    let state = bench.state();
    let people = state.chain_roster().persons.iter().filter(|p| !p.vendor).count() as u32;
    let mut policy = state.chain_policy().clone();
    policy.version += 1;
    let group = policy.governance.quorum[0].0.clone();
    policy.governance.quorum = vec![(group, people)];
    let stricter = ChangeKind::Policy(Box::new(policy));
    let fewer = ChangeKind::Roster {
        add: vec![],
        remove: vec!["dave".to_owned()],
        add_requesters: vec![],
        remove_requesters: vec![],
    };
    for kind in [stricter, fewer] {
        let signers = [bench.person("alice"), bench.person("bob")];
        let change = bench.trial.change(&state, kind, &signers).unwrap();
        bench.change(change).unwrap();
    }
    bench.tell_time();
    bench.pass_hours(24 * 30);
    bench.tell_time();
    // The first is in force, the second fell: somebody can still decide.
    let state = bench.state();
    assert!(state.pending().is_empty());
    assert!(state.chain_policy().unmeetable(state.chain_roster()).is_none());
    let payment = bench.payment(10_000_000);
    bench.release(&payment).unwrap();
}
