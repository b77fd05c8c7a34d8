//! What a restored, crashed or flooded cosigner takes back, and what it does not.

use testkit::bench::{Bench, codes};
use withdrawal::act::ActKind;
use withdrawal::code::Code;
use withdrawal::protocol::{Request, Response};

#[test]
fn d05_a_restore_drops_own_entries_that_nobody_witnessed() {
    let mut bench = Bench::new();
    let backup = bench.backup();
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let (entries, head) = (bench.entries(), bench.head().unwrap());
    bench.go_back(&backup);
    // It begins, takes an act and is restarted before anyone shows it what it lacks.
    assert!(matches!(bench.ask(Request::Begin), Response::Appended(_)));
    let freeze = bench.act_of("carol", ActKind::Freeze);
    bench.act(freeze).unwrap();
    bench.reopen();
    let answer = bench.ask(Request::Restore { from: 0, entries, head });
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    bench.tell_time();
    // The act is still in force, the payment is known, the log replays.
    let payment = bench.payment(10_000_000);
    assert_eq!(bench.refused(&payment), [Code::Frozen]);
    assert!(bench.core.state().ledger().intent(&ready.parsed().digest()).is_some());
    bench.restart();
    bench.state();
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn l02_a_history_against_a_witnessed_head_is_a_fork() {
    let mut bench = Bench::new();
    let backup = bench.backup();
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let (entries, head) = (bench.entries(), bench.head().unwrap());
    // A second copy goes another way, with witnesses that forgot everything.
    bench.go_back(&backup);
    for witness in &mut bench.witnesses {
        witness.known.head = tlog::TreeHead::EMPTY;
    }
    bench.begin();
    bench.reopen();
    let answer = bench.ask(Request::Restore { from: 0, entries, head });
    assert_eq!(codes(&answer), [Code::LogFork]);
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d06_times_in_the_store_are_checked_like_any_others() {
    let mut bench = Bench::new();
    bench.pass_hours(1);
    bench.tell_time();
    let before = bench.core.state().accepted();
    bench.reopen();
    assert_eq!(bench.core.state().accepted(), before, "kept over a restart");
    // Somebody writes times of his own into the store.
    let forged = b"countersign.invalid/x\n99\nAAAA\n\n".to_vec();
    let size = bench.core.state().size();
    let parked = bench.backup();
    bench.go_back(&parked);
    let path = bench.dir.join("other.redb");
    {
        let store = cosigner::store::Store::create(&path).unwrap();
        store.keep_sights(size, &[forged]).unwrap();
    }
    std::fs::remove_dir_all(&parked).unwrap();
    testkit::bench::copy_dir(&bench.dir, &parked);
    std::fs::rename(parked.join("other.redb"), parked.join("state.redb")).unwrap();
    bench.go_back(&parked);
    assert_ne!(bench.core.state().accepted(), before, "not believed, only lost");
    bench.begin();
    let payment = bench.payment(10_000_000);
    bench.release(&payment).unwrap();
    std::fs::remove_dir_all(parked).unwrap();
}

#[test]
fn l10_a_damaged_store_is_put_aside() {
    let mut bench = Bench::new();
    let parked = bench.backup();
    std::fs::write(parked.join("state.redb"), b"not a database").unwrap();
    bench.go_back(&parked);
    bench.begin();
    assert!(bench.dir.join("state.damaged").exists());
    let payment = bench.payment(10_000_000);
    bench.release(&payment).unwrap();
    std::fs::remove_dir_all(parked).unwrap();
}

#[test]
fn d19_nothing_repeated_fills_the_log() {
    let mut bench = Bench::new();
    bench.tell_time();
    // Ticks: one that is not witnessed is enough.
    assert!(matches!(bench.ask(Request::Tick), Response::Appended(_)));
    assert_eq!(codes(&bench.ask(Request::Tick)), [Code::Budget]);
    bench.tell_time();
    assert!(matches!(bench.ask(Request::Tick), Response::Appended(_)));
    bench.tell_time();
    // A change shown again, with whatever under it.
    let state = bench.state();
    let floor = withdrawal::change::ChangeKind::Floor { amount: bitcoin::Amount::ONE_BTC };
    let signers = [bench.person("alice"), bench.person("bob")];
    let mut change = bench.trial.change(&state, floor, &signers).unwrap();
    let entry = bench.change(change.clone()).unwrap().entry;
    let size = bench.status().size;
    change.signatures.clear();
    assert_eq!(bench.change(change).unwrap().entry, entry);
    assert_eq!(bench.status().size, size);
    // Freezes of one person, and cancellations of one intent.
    for _ in 0..withdrawal::act::WIDE_ACTS_PER_DAY {
        let freeze = bench.act_of("dave", ActKind::Freeze);
        bench.act(freeze).unwrap();
    }
    let freeze = bench.act_of("dave", ActKind::Freeze);
    assert_eq!(bench.act(freeze).unwrap_err(), [Code::Budget]);
    let intent = withdrawal::digest::Digest([7; 32]);
    let cancel = bench.act_of("carol", ActKind::Cancel { intent });
    bench.act(cancel).unwrap();
    let cancel = bench.act_of("bob", ActKind::Cancel { intent });
    assert_eq!(bench.act(cancel).unwrap_err(), [Code::Cancelled]);
    // A revoked key does nothing more, not even against itself.
    let revoke = bench.act_of("alice", ActKind::Revoke { person: "alice".to_owned() });
    bench.act(revoke).unwrap();
    for kind in [ActKind::Freeze, ActKind::Revoke { person: "alice".to_owned() }] {
        let act = bench.act_of("alice", kind);
        assert_eq!(bench.act(act).unwrap_err(), [Code::NotEntitled]);
    }
    assert_eq!(
        bench.ask(Request::Entries { from: u64::MAX }),
        Response::Entries { entries: vec![], head: bench.status().head }
    );
}
