//! D27 and what belongs to it: the log goes on under a new name when its bytes are lost.

use coordinator::trial::Trial;
use testkit::bench::{Bench, codes};
use tlog::TreeHead;
use withdrawal::act::ActKind;
use withdrawal::change::ChangeKind;
use withdrawal::code::Code;
use withdrawal::intent::Kind;
use withdrawal::protocol::{Request, Response};
use withdrawal::succession::Succession;

/// A vault that lost what came after its backup: one payment, and dave's revocation of alice.
struct Lost {
    bench: Bench,
    old: TreeHead,
    backup_size: u64,
    released: testkit::bench::Ready,
    revocation: withdrawal::succession::Recovered,
    reservation: withdrawal::succession::Recovered,
    in_flight: testkit::bench::Ready,
}

fn lost() -> Lost {
    let mut bench = Bench::new();
    let in_flight = bench.payment(10_000_000);
    let backup = bench.backup();
    let backup_size = bench.status().size;
    let released = bench.payment(50_000_000);
    bench.release(&released).unwrap();
    let act = bench.act_of("dave", ActKind::Revoke { person: "alice".to_owned() });
    let entry = bench.act(act).unwrap();
    bench.head().unwrap();
    let old = bench.own_head();
    let revocation = bench.extract(entry);
    let reservation = bench.extract(backup_size);
    bench.go_back(&backup);
    std::fs::remove_dir_all(backup).unwrap();
    Lost { bench, old, backup_size, released, revocation, reservation, in_flight }
}

fn declare(lost: &Lost, people: &[&str]) -> Succession {
    let signers: Vec<_> = people.iter().map(|id| lost.bench.person(id)).collect();
    let vault = lost.bench.core.vault();
    Trial::succession(vault, lost.old, lost.backup_size, Vec::new(), &signers).unwrap()
}

fn succeed(lost: &mut Lost, people: &[&str]) -> Response {
    let succession = declare(lost, people);
    lost.bench.ask(Request::Succeed(Box::new(succession)))
}

#[test]
fn d27_nothing_is_signed_before_twelve_hours_and_the_old_witnesses() {
    let mut lost = lost();
    let chain = |bench: &Bench| {
        let state = bench.core.state();
        let roster = state.chain_roster().clone();
        (roster, state.chain_policy().clone(), state.allowlist().clone())
    };
    let before = chain(&lost.bench);
    assert!(matches!(succeed(&mut lost, &["alice", "bob"]), Response::Appended(_)));
    let bench = &mut lost.bench;
    // No witness follows a name that its operator has not added.
    assert!(bench.head().is_none());
    let payment = bench.payment(20_000_000);
    assert_eq!(codes(&bench.reserve(&payment)), [Code::StateRollback]);
    bench.follow();
    bench.tell_time();
    let payment = bench.payment(20_000_000);
    assert_eq!(bench.refused(&payment), [Code::StateRollback]);
    bench.pass_hours(11);
    assert_eq!(bench.refused(&payment), [Code::StateRollback]);
    bench.pass_hours(2);
    bench.release(&payment).unwrap();
    // Approvals from before are void; no person, rule or address has changed.
    let stale = lost.in_flight.clone();
    let refused = bench.refused(&stale);
    assert!(refused.contains(&Code::RosterChanged) && refused.contains(&Code::QuorumNotMet));
    assert_eq!(chain(bench), before);
    // It goes on after a restart, and the log replays.
    bench.restart();
    bench.state();
    let payment = bench.payment(30_000_000);
    bench.release(&payment).unwrap();
}

#[test]
fn d27_people_revoked_after_the_backup_do_not_count() {
    let mut lost = lost();
    assert!(matches!(succeed(&mut lost, &["alice", "bob"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    // Anyone hands the revocation in; its proof is enough.
    let recovered = lost.revocation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered.clone())));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    let again = lost.bench.ask(Request::Recover(Box::new(recovered)));
    assert_eq!(codes(&again), [Code::StateRollback]);
    lost.bench.pass_hours(24);
    let payment =
        lost.bench.prepare(Kind::Pay, &[(lost.bench.usual.clone(), 20_000_000)], &["bob", "carol"]);
    assert_eq!(lost.bench.refused(&payment), [Code::StateRollback]);
    // Others declare it anew, in the same log, and wait again.
    let mut renewed = declare(&lost, &["bob", "carol"]);
    renewed.declaration.new_log = lost.bench.core.state().log().unwrap().to_string();
    let signers = [lost.bench.person("bob"), lost.bench.person("carol")];
    renewed.signatures = signers
        .iter()
        .map(|person| {
            let declaration = &renewed.declaration;
            let signatory = person.signatory();
            let random = ring::rand::SystemRandom::new();
            signatory
                .sign_change(&declaration.digest(), &declaration.review_digest(), &random)
                .unwrap()
        })
        .collect();
    let answer = lost.bench.ask(Request::Succeed(Box::new(renewed)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    lost.bench.tell_time();
    let ready = |bench: &mut Bench| {
        let usual = bench.usual.clone();
        bench.prepare(Kind::Pay, &[(usual, 20_000_000)], &["bob", "carol"])
    };
    let payment = ready(&mut lost.bench);
    assert_eq!(lost.bench.refused(&payment), [Code::StateRollback]);
    lost.bench.pass_hours(13);
    lost.bench.release(&payment).unwrap();
    // Alice, revoked in the old log, counts in nothing.
    let usual = lost.bench.usual.clone();
    let payment = lost.bench.prepare(Kind::Pay, &[(usual, 10_000_000)], &["alice", "bob"]);
    assert!(lost.bench.refused(&payment).contains(&Code::RosterChanged));
    lost.bench.restart();
    lost.bench.state();
}

#[test]
fn d27_what_was_released_is_not_released_again() {
    let mut lost = lost();
    // Without a word about it, the payment of the lost entries could be made twice: that is the price.
    assert!(matches!(succeed(&mut lost, &["bob", "carol"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    // Its reservation shown, it stays where it was and is charged.
    let recovered = lost.reservation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    lost.bench.pass_hours(13);
    lost.bench.tell_time();
    let intent = lost.released.parsed().digest();
    assert!(lost.bench.core.state().ledger().intent(&intent).unwrap().counts_as_signed());
    let owner = |c: &coordinator::coins::Coin| lost.bench.core.state().ledger().owner(&c.outpoint);
    let free = lost.bench.coins.iter().find(|c| owner(c).is_none()).unwrap().outpoint;
    let again = lost.bench.build_from(&lost.released.intent, &[free]);
    let again = lost.bench.ready(lost.released.intent.clone(), again, &["bob", "carol"]);
    assert!(lost.bench.refused(&again).contains(&Code::AlreadyReleased));
    lost.bench.restart();
    lost.bench.state();
}

#[test]
fn d27_declared_as_released() {
    let mut lost = lost();
    let signers = [lost.bench.person("bob"), lost.bench.person("carol")];
    let released = vec![lost.released.parsed().digest()];
    let vault = lost.bench.core.vault();
    let succession =
        Trial::succession(vault, lost.old, lost.backup_size, released, &signers).unwrap();
    let answer = lost.bench.ask(Request::Succeed(Box::new(succession)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    lost.bench.follow();
    lost.bench.tell_time();
    lost.bench.pass_hours(13);
    let psbt = lost.bench.build(&lost.released.intent, 9);
    let again = lost.bench.ready(lost.released.intent.clone(), psbt, &["bob", "carol"]);
    assert_eq!(lost.bench.refused(&again), [Code::AlreadyReleased]);
}

#[test]
fn d27_declarations_that_are_not_taken() {
    let mut lost = lost();
    // A quorum signs, with both keys, for this backup and a log of the vault's own.
    assert_eq!(codes(&succeed(&mut lost, &["bob"])), [Code::QuorumNotMet]);
    let good = declare(&lost, &["bob", "carol"]);
    let mut changed: Vec<(Succession, Code)> = Vec::new();
    let mut other = good.clone();
    other.declaration.backup_size -= 1;
    changed.push((other, Code::StateRollback));
    let mut other = good.clone();
    other.declaration.old_size = lost.backup_size;
    changed.push((other, Code::StateRollback));
    let mut other = good.clone();
    other.declaration.nonce[0] ^= 1;
    changed.push((other, Code::DigestMismatch));
    let mut other = good.clone();
    other.signatures[1] = other.signatures[0].clone();
    changed.push((other, Code::DistinctPerson));
    let mut other = good.clone();
    other.declaration.new_log = lost.bench.witnesses[0].signer.verifier().to_string();
    changed.push((other, Code::Malformed));
    let size = lost.bench.status().size;
    for (succession, code) in changed {
        let answer = lost.bench.ask(Request::Succeed(Box::new(succession)));
        assert_eq!(codes(&answer), [code]);
    }
    assert_eq!(lost.bench.status().size, size, "nothing was written");
    // A cosigner that serves has lost nothing.
    let mut serving = Bench::new();
    let head = TreeHead { size: 1_000, root: lost.old.root };
    let signers = [serving.person("bob"), serving.person("carol")];
    let size = serving.core.state().size();
    let succession =
        Trial::succession(serving.core.vault(), head, size, Vec::new(), &signers).unwrap();
    let answer = serving.ask(Request::Succeed(Box::new(succession)));
    assert_eq!(codes(&answer), [Code::StateRollback]);
}

#[test]
fn d27_entries_that_the_old_log_did_not_hold() {
    let mut lost = lost();
    let recovered = lost.revocation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered.clone())));
    assert_eq!(codes(&answer), [Code::StateRollback], "there is no succession yet");
    assert!(matches!(succeed(&mut lost, &["alice", "bob"]), Response::Appended(_)));
    let size = lost.bench.status().size;
    let mut forged = recovered.clone();
    *forged.bytes.last_mut().unwrap() ^= 1;
    let mut elsewhere = recovered.clone();
    elsewhere.entry -= 1;
    let mut early = recovered.clone();
    early.entry = 0;
    let mut foreign = recovered;
    foreign.head = b"countersign.invalid/x\n1\n\n".to_vec();
    for bad in [forged, elsewhere, early, foreign] {
        let answer = lost.bench.ask(Request::Recover(Box::new(bad)));
        assert_eq!(codes(&answer), [Code::DigestMismatch]);
    }
    assert_eq!(lost.bench.status().size, size);
}

#[test]
fn d27_a_removal_by_the_roster_chain_counts_at_once() {
    let mut bench = Bench::with_policy(|p| p.governance.delay_hours = 48);
    let backup = bench.backup();
    let backup_size = bench.status().size;
    bench.tell_time();
    let state = bench.state();
    let kind = ChangeKind::Roster {
        add: vec![],
        remove: vec!["alice".to_owned()],
        add_requesters: vec![],
        remove_requesters: vec![],
    };
    let signers = [bench.person("bob"), bench.person("carol")];
    let change = bench.trial.change(&state, kind, &signers).unwrap();
    let entry = bench.change(change).unwrap().entry;
    bench.head().unwrap();
    let (old, removal) = (bench.own_head(), bench.extract(entry));
    bench.go_back(&backup);
    let signers = [bench.person("alice"), bench.person("bob")];
    let vault = bench.core.vault();
    let succession = Trial::succession(vault, old, backup_size, Vec::new(), &signers).unwrap();
    assert!(matches!(bench.ask(Request::Succeed(Box::new(succession))), Response::Appended(_)));
    bench.follow();
    bench.tell_time();
    let answer = bench.ask(Request::Recover(Box::new(removal)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    bench.pass_hours(13);
    bench.tell_time();
    assert!(bench.core.state().succession_waits().is_some());
    assert!(!bench.core.state().is_active("alice"));
    bench.restart();
    bench.state();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d27_restarts_before_it_do_not_count_as_backup() {
    let mut lost = lost();
    // Supervisors start it again and again; each run leaves a start that nobody witnessed, and an act.
    for _ in 0..4 {
        assert!(matches!(lost.bench.ask(Request::Begin), Response::Appended(_)));
        lost.bench.reopen();
    }
    let freeze = lost.bench.act_of("carol", ActKind::Freeze);
    lost.bench.act(freeze).unwrap();
    lost.bench.reopen();
    assert!(lost.bench.status().size >= lost.old.size, "longer than what was lost");
    let kept = lost.bench.status().kept;
    assert!(kept <= lost.backup_size, "{kept}");
    lost.backup_size = kept;
    assert!(matches!(succeed(&mut lost, &["bob", "carol"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    let recovered = lost.revocation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    assert!(lost.bench.core.state().frozen_by().is_some(), "the act is still in force");
    lost.bench.restart();
    lost.bench.state();
}

#[test]
fn d27_numbers_taken_by_other_entries_keep_nothing_out() {
    let mut lost = lost();
    // Before the succession an insider gets acknowledgements for the very numbers of the lost entries.
    let mut taken = Vec::new();
    for _ in 0..4 {
        let freeze = lost.bench.act_of("carol", ActKind::Freeze);
        let Response::Acknowledged(ack) = lost.bench.ask(Request::Act(Box::new(freeze))) else {
            panic!("not taken");
        };
        taken.push(withdrawal::succession::Recovered {
            entry: ack.entry,
            bytes: ack.bytes,
            proof: ack.proof,
            head: ack.head,
        });
    }
    assert!(matches!(succeed(&mut lost, &["alice", "bob"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    for recovered in taken {
        lost.bench.ask(Request::Recover(Box::new(recovered)));
    }
    let recovered = lost.revocation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    assert!(!lost.bench.core.state().is_active("alice"));
}

#[test]
fn d27_nobody_changes_anything_while_it_waits() {
    let mut lost = lost();
    assert!(matches!(succeed(&mut lost, &["alice", "bob"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    let state = lost.bench.state();
    let people = || ["alice", "bob"].map(|id| lost.bench.person(id));
    let mut policy = state.chain_policy().clone();
    policy.version += 1;
    let floor = ChangeKind::Floor { amount: bitcoin::Amount::from_sat(1_000_000_000_000) };
    let kinds = [ChangeKind::Policy(Box::new(policy)), floor];
    let changes = kinds.map(|kind| lost.bench.trial.change(&state, kind, &people()).unwrap());
    for change in changes {
        assert_eq!(lost.bench.change(change).unwrap_err(), [Code::StateRollback]);
    }
    // One person's acts of the new log are undone even now, those of the old log are not.
    let recovered = lost.revocation.clone();
    lost.bench.ask(Request::Recover(Box::new(recovered)));
    let act = lost.bench.act_of("dave", ActKind::Revoke { person: "bob".to_owned() });
    lost.bench.act(act).unwrap();
    let state = lost.bench.state();
    let undo = |bench: &Bench, index: usize| {
        let act = state.acts()[index].digest;
        let signers = [bench.person("bob"), bench.person("carol")];
        let kind = ChangeKind::Undo { act, suspend: false };
        bench.trial.change(&state, kind, &signers).unwrap()
    };
    let last = state.acts().len() - 1;
    let old = undo(&lost.bench, last - 1);
    assert_eq!(lost.bench.change(old).unwrap_err(), [Code::StateRollback]);
    lost.bench.restart();
    lost.bench.state();
}

#[test]
fn d05_a_backup_from_before_a_succession_is_restored_over_it() {
    let mut lost = lost();
    let backup = lost.bench.backup();
    assert!(matches!(succeed(&mut lost, &["bob", "carol"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    lost.bench.pass_hours(13);
    lost.bench.tell_time();
    let payment = lost.bench.payment(20_000_000);
    lost.bench.release(&payment).unwrap();
    let (entries, head) = (lost.bench.entries(), lost.bench.head().unwrap());
    lost.bench.go_back(&backup);
    let answer = lost.bench.ask(Request::Restore { from: 0, entries, head });
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    lost.bench.tell_time();
    let payment = lost.bench.payment(20_000_000);
    lost.bench.release(&payment).unwrap();
    lost.bench.restart();
    lost.bench.state();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn what_came_into_force_by_a_head_does_so_again_when_the_log_is_read() {
    // A succession signed by exactly a quorum; a removal of one of them ripens behind it, by a head of
    // the same size. Read again, the succession must still have come first.
    let mut bench = Bench::with_policy(|p| p.governance.delay_hours = 20);
    bench.tell_time();
    let state = bench.state();
    let kind = ChangeKind::Roster {
        add: vec![],
        remove: vec!["alice".to_owned()],
        add_requesters: vec![],
        remove_requesters: vec![],
    };
    let signers = [bench.person("bob"), bench.person("carol")];
    let change = bench.trial.change(&state, kind, &signers).unwrap();
    bench.change(change).unwrap();
    bench.tell_time();
    let (backup, kept) = (bench.backup(), bench.status().size);
    let lost = bench.payment(10_000_000);
    bench.release(&lost).unwrap();
    bench.head().unwrap();
    let old = bench.own_head();
    bench.go_back(&backup);
    let signers = [bench.person("alice"), bench.person("bob")];
    let succession =
        Trial::succession(bench.core.vault(), old, kept, Vec::new(), &signers).unwrap();
    assert!(matches!(bench.ask(Request::Succeed(Box::new(succession))), Response::Appended(_)));
    bench.follow();
    bench.tell_time();
    bench.pass_hours(13);
    bench.tell_time();
    assert!(bench.core.state().succession_waits().is_none(), "in force with alice's word");
    bench.pass_hours(12);
    bench.tell_time();
    assert!(bench.core.state().chain_roster().person("alice").is_none(), "and then she left");
    assert!(bench.core.state().succession_waits().is_none());
    bench.restart();
    assert!(bench.core.state().succession_waits().is_none(), "read again, it still is");
    bench.state();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d27_a_removal_counts_though_the_change_before_it_is_not_shown() {
    let mut bench = Bench::new();
    let (backup, kept) = (bench.backup(), bench.status().size);
    bench.tell_time();
    let remove = |who: &str| ChangeKind::Roster {
        add: vec![],
        remove: vec![who.to_owned()],
        add_requesters: vec![],
        remove_requesters: vec![],
    };
    let mut entries = Vec::new();
    for who in ["dave", "alice"] {
        let state = bench.state();
        let signers = [bench.person("bob"), bench.person("carol")];
        let change = bench.trial.change(&state, remove(who), &signers).unwrap();
        entries.push(bench.change(change).unwrap().entry);
        bench.tell_time();
        bench.pass_hours(24 * 10);
        bench.tell_time();
    }
    let payment = bench.prepare(Kind::Pay, &[(bench.usual.clone(), 1_000_000)], &["bob", "carol"]);
    bench.release(&payment).unwrap();
    bench.head().unwrap();
    let (old, second) = (bench.own_head(), bench.extract(entries[1]));
    bench.go_back(&backup);
    let signers = [bench.person("alice"), bench.person("bob")];
    let succession =
        Trial::succession(bench.core.vault(), old, kept, Vec::new(), &signers).unwrap();
    assert!(matches!(bench.ask(Request::Succeed(Box::new(succession))), Response::Appended(_)));
    bench.follow();
    bench.tell_time();
    let answer = bench.ask(Request::Recover(Box::new(second.clone())));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    // Shown again without the first it is nothing new.
    let again = bench.ask(Request::Recover(Box::new(second)));
    assert_eq!(codes(&again), [Code::StateRollback]);
    bench.pass_hours(13);
    bench.tell_time();
    assert!(bench.core.state().succession_waits().is_some(), "alice's word does not count");
    bench.restart();
    bench.state();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn a_witness_is_replaced_only_at_a_head_that_both_sets_cosign() {
    let mut bench = Bench::new();
    bench.tell_time();
    let state = bench.state();
    let key = ed25519_dalek::SigningKey::from_bytes(&[250; 32]);
    let new = tlog::WitnessSigner::new("w9.invalid", key).unwrap();
    let now = bench.core.vault().genesis.witness_policy.clone();
    let replaced = bench.witnesses[3].signer.verifier().to_string();
    let policy = now.replace(&replaced, &new.verifier().to_string());
    let kind = |policy: String| ChangeKind::Witnesses { policy, hostile: 1 };
    let signers = [bench.person("alice"), bench.person("bob")];
    let change = bench.trial.change(&state, kind(policy.clone()), &signers).unwrap();
    // Two at once are no such change.
    let second = bench.witnesses[2].signer.verifier().to_string();
    let other =
        tlog::WitnessSigner::new("w8.invalid", ed25519_dalek::SigningKey::from_bytes(&[251; 32]));
    let two = policy.replace(&second, &other.unwrap().verifier().to_string());
    let two = bench.trial.change(&state, kind(two), &signers).unwrap();
    assert_eq!(bench.change(two).unwrap_err(), [Code::WitnessQuorum]);
    bench.change(change).unwrap();
    let names = |bench: &Bench| {
        let policy = bench.core.state().witnesses().unwrap();
        policy.keys().iter().any(|key| key.name() == "w9.invalid")
    };
    bench.tell_time();
    assert!(!names(&bench), "it waits its delay");
    bench.pass_hours(24 * 5);
    // Enough of the old with the one who leaves, too few of the new.
    bench.witnesses[2].up = false;
    bench.tell_time();
    assert!(!names(&bench));
    // Enough of both.
    (bench.witnesses[2].up, bench.witnesses[3].up) = (true, false);
    bench.tell_time();
    assert!(names(&bench));
    bench.tell_time();
    let payment = bench.payment(10_000_000);
    bench.release(&payment).unwrap();
    bench.restart();
    bench.state();
}

#[test]
fn d27_a_wrong_declaration_is_replaced_while_nobody_follows_it() {
    let mut lost = lost();
    let right = lost.old;
    // It names a head behind the witnesses': their operators refuse it.
    lost.old = TreeHead { size: right.size - 1, root: right.root };
    assert!(matches!(succeed(&mut lost, &["bob", "carol"]), Response::Appended(_)));
    lost.bench.reopen();
    lost.old = right;
    lost.backup_size = lost.bench.status().kept;
    assert!(matches!(succeed(&mut lost, &["bob", "carol"]), Response::Appended(_)));
    lost.bench.follow();
    lost.bench.tell_time();
    let recovered = lost.revocation.clone();
    let answer = lost.bench.ask(Request::Recover(Box::new(recovered)));
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    lost.bench.restart();
    lost.bench.state();
}
