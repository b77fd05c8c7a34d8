//! Receipts over a log in which roster, policy or list have moved.

use testkit::bench::Bench;
use withdrawal::change::ChangeKind;
use withdrawal::genesis::AllowedAddress;
use withdrawal::receipt::Compared;

fn listing(n: u32) -> ChangeKind {
    let script = testkit::bench::payee(n);
    ChangeKind::Allowlist {
        add: vec![AllowedAddress { script, label: format!("p{n}") }],
        remove: vec![],
    }
}

#[test]
fn d23_changes_stand_in_the_order_in_which_they_came_into_force() {
    let mut bench = Bench::new();
    bench.tell_time();
    let state = bench.state();
    // Two changes under one head: the first comes into force, the other falls.
    for n in [71, 72] {
        let signers = [bench.person("alice"), bench.person("bob")];
        let change = bench.trial.change(&state, listing(n), &signers).unwrap();
        bench.change(change).unwrap();
    }
    bench.tell_time();
    bench.pass_hours(24 * 10);
    // Nothing was logged since: the change ripens by the head that the release brings.
    bench.tell_time();
    let ready = bench.payment(50_000_000);
    let signed = bench.release(&ready).unwrap();
    let receipt = bench.receipt(&ready, &signed);
    assert_eq!(receipt.changes.len(), 1);
    receipt.verify().unwrap();
    // Another order, or one of them left out, is no chain to the approvals' heads.
    let mut without = receipt.clone();
    without.changes.clear();
    without.verify().unwrap_err();
}

#[test]
fn a_receipt_tells_what_was_decided_and_nothing_else() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    let signed = bench.release(&ready).unwrap();
    let receipt = bench.receipt(&ready, &signed);
    receipt.verify().unwrap();
    // Approvals that were good as well, but not the ones that the signature stands on.
    let mut other = receipt.clone();
    let bob = bench.ready(ready.intent.clone(), ready.psbt.clone(), &["bob", "carol"]);
    other.approvals =
        bob.approvals.iter().map(|a| String::from_utf8(a.to_json()).unwrap()).collect();
    other.verify().unwrap_err();
    let mut other = receipt.clone();
    other.decision.clear();
    other.verify().unwrap_err();
    // A trace that tells of a limit that was broken, or of another fee.
    let changes: [fn(&mut Compared); 2] = [|c| c.limit = 0, |c| c.actual = 1];
    for change in changes {
        let mut other = receipt.clone();
        let fee = other.decision.iter_mut().find(|c| c.what == "the fee").unwrap();
        change(fee);
        other.verify().unwrap_err();
    }
}

#[test]
fn d27_a_receipt_behind_a_succession_names_it() {
    use coordinator::trial::Trial;
    use withdrawal::protocol::{Request, Response};
    let mut bench = Bench::new();
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
    let ready = bench.payment(50_000_000);
    let signed = bench.release(&ready).unwrap();
    let receipt = bench.receipt(&ready, &signed);
    assert_eq!(receipt.successions.len(), 1);
    receipt.verify().unwrap();
    let mut without = receipt;
    without.successions.clear();
    without.verify().unwrap_err();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn a_receipt_is_of_what_was_signed_last_and_by_whom_then() {
    let mut bench = Bench::new();
    bench.tell_time();
    let state = bench.state();
    let signed = |bench: &Bench, kind, people: [&str; 2]| {
        let signers = people.map(|id| bench.person(id));
        bench.trial.change(&state, kind, &signers).unwrap()
    };
    // One change removes dave, another that dave signed is entered behind it; both come into force.
    let removal = ChangeKind::Roster {
        add: vec![],
        remove: vec!["dave".to_owned()],
        add_requesters: vec![],
        remove_requesters: vec![],
    };
    let change = signed(&bench, removal, ["alice", "bob"]);
    bench.change(change).unwrap();
    let change = signed(&bench, listing(81), ["alice", "dave"]);
    bench.change(change).unwrap();
    bench.tell_time();
    // Reserved under the old heads, approved again under the new ones, and then signed.
    let ready = bench.payment(50_000_000);
    let reserved = bench.reserve(&ready);
    assert!(matches!(reserved, withdrawal::protocol::Response::Appended(_)));
    bench.pass_hours(24 * 10);
    bench.tell_time();
    let again = bench.ready(ready.intent.clone(), ready.psbt.clone(), &["alice", "bob"]);
    let signed = bench.release(&again).unwrap();
    let receipt = bench.receipt(&again, &signed);
    assert_eq!(receipt.changes.len(), 2);
    receipt.verify().unwrap();
    let mut other = receipt;
    other.changes[1].entered_after = 1;
    other.verify().unwrap_err();
}
