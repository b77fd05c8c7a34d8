//! Witnesses: one history only, and time that nobody else can make.

use ed25519_dalek::SigningKey;
use tlog::log::Log;
use tlog::policy::{PolicyError, Witness, WitnessPolicy};
use tlog::witness::{AddHead, Known, Refusal};
use tlog::{CosignedHead, LogSigner, SignedHead, TreeHead, VerifierKey, WitnessSigner};

use crate::log::grown;

fn log_signer() -> LogSigner {
    LogSigner::new("example.invalid/log", SigningKey::from_bytes(&[7; 32])).unwrap()
}

fn witness(number: u8) -> WitnessSigner {
    let key = SigningKey::from_bytes(&[100 + number; 32]);
    WitnessSigner::new(&format!("w{number}.invalid"), key).unwrap()
}

fn request(old: &TreeHead, new: &TreeHead, size: u64) -> AddHead {
    let (files, _) = grown(size, 10);
    let proof = Log::at(&files, *new).prove_consistency(old.size).unwrap();
    let note = SignedHead::sign(*new, &log_signer()).unwrap().to_note();
    AddHead { old_size: old.size, proof, note }
}

#[test]
fn a_witness_follows_an_honest_log_and_its_requests_survive_the_wire() {
    let (_, heads) = grown(60, 10);
    let mut known = Known { log: log_signer().verifier().clone(), head: TreeHead::EMPTY };
    for head in &heads[1..] {
        let sent = request(&known.head, head, head.size);
        let received = AddHead::parse(&sent.encode()).unwrap();
        assert_eq!(sent, received);
        assert_eq!(received.origin(), Some("example.invalid/log"));
        known = known.check(&received).unwrap().known().clone();
        // The same size may be cosigned again: that is how time goes on.
        let again = request(head, head, head.size);
        known.check(&again).unwrap();
    }
    assert_eq!(known.head.size, 60);
}

#[test]
fn l01_witness_refuses_an_older_head() {
    let (_, heads) = grown(60, 10);
    let known = Known { log: log_signer().verifier().clone(), head: heads[6] };
    let old = request(&heads[3], &heads[4], 40);
    assert_eq!(known.check(&old).unwrap_err(), Refusal::Conflict(60));
}

#[test]
fn l02_witness_refuses_a_second_head_of_one_size() {
    let (_, heads) = grown(60, 10);
    let known = Known { log: log_signer().verifier().clone(), head: heads[6] };
    let fork = TreeHead { size: 60, root: tlog::record_hash(b"fork") };
    let note = SignedHead::sign(fork, &log_signer()).unwrap().to_note();
    let request = AddHead { old_size: 60, proof: Vec::new(), note };
    assert_eq!(known.check(&request).unwrap_err(), Refusal::Conflict(60));
    assert_eq!(Refusal::Conflict(60).status(), 409);
}

#[test]
fn witness_refuses_a_foreign_signature_and_a_wrong_proof() {
    let (_, heads) = grown(60, 10);
    let known = Known { log: log_signer().verifier().clone(), head: heads[3] };
    let mut forged = request(&heads[3], &heads[6], 60);
    forged.proof[0] = tlog::record_hash(b"other");
    assert_eq!(known.check(&forged).unwrap_err(), Refusal::BadProof);
    let stranger = LogSigner::new("example.invalid/log", SigningKey::from_bytes(&[8; 32])).unwrap();
    let note = SignedHead::sign(heads[6], &stranger).unwrap().to_note();
    let mut foreign = request(&heads[3], &heads[6], 60);
    foreign.note = note;
    assert_eq!(known.check(&foreign).unwrap_err(), Refusal::Unsigned);
}

fn policy(k: usize, n: u8, f: usize) -> Result<WitnessPolicy, PolicyError> {
    let witnesses =
        (0..n).map(|i| Witness { key: witness(i).verifier().clone(), url: None }).collect();
    WitnessPolicy::new(witnesses, k, f)
}

#[test]
fn d17_a_policy_that_allows_two_histories_is_refused() {
    assert!(policy(3, 4, 1).is_ok());
    assert!(policy(2, 3, 0).is_ok());
    assert!(policy(2, 2, 0).is_ok());
    // 2k - n > f: two cosigners with two sets of witnesses that share only hostile ones.
    assert_eq!(policy(2, 4, 1), Err(PolicyError::Quorum { k: 2, n: 4, f: 1 }));
    assert_eq!(policy(2, 3, 1), Err(PolicyError::Quorum { k: 2, n: 3, f: 1 }));
    // n - f >= k: f silent witnesses must not stop the log.
    assert_eq!(policy(4, 4, 1), Err(PolicyError::Quorum { k: 4, n: 4, f: 1 }));
    assert_eq!(policy(0, 0, 0), Err(PolicyError::Quorum { k: 0, n: 0, f: 0 }));
}

#[test]
fn l04_same_witness_twice_counts_once_and_unknown_ones_do_not_count() {
    let policy = policy(3, 4, 1).unwrap();
    let (_, heads) = grown(10, 10);
    let mut signed = SignedHead::sign(heads[1], &log_signer()).unwrap();
    for (number, time) in [(0, 1000), (0, 1001), (0, 999), (1, 1002), (9, 1003)] {
        let line = signed.cosign(&witness(number), time).unwrap();
        signed.add_lines(&line).unwrap();
    }
    let head = CosignedHead::check(signed.clone(), policy.keys()).unwrap();
    let times: Vec<_> = head.cosignatures().iter().map(|c| (c.witness, c.time_secs)).collect();
    assert_eq!(times, [(0, 1001), (1, 1002)]);
    assert!(!policy.is_met(&head));
    let line = signed.cosign(&witness(3), 1000).unwrap();
    signed.add_lines(&line).unwrap();
    assert!(policy.is_met(&CosignedHead::check(signed, policy.keys()).unwrap()));
}

#[test]
fn l04_forged_line_of_a_known_witness_is_an_error() {
    let policy = policy(3, 4, 1).unwrap();
    let (_, heads) = grown(10, 10);
    let mut signed = SignedHead::sign(heads[1], &log_signer()).unwrap();
    let other = SignedHead::sign(TreeHead::EMPTY, &log_signer()).unwrap();
    signed.add_lines(&other.cosign(&witness(0), 5).unwrap()).unwrap();
    assert!(CosignedHead::check(signed, policy.keys()).is_err());
}

#[test]
fn keys_and_policy_survive_their_text_form() {
    let policy = policy(3, 4, 1).unwrap();
    assert_eq!(WitnessPolicy::parse(&policy.to_text(), 1).unwrap(), policy);
    let key = witness(1).verifier().clone();
    assert_eq!(VerifierKey::parse(&key.to_string()).unwrap(), key);
    let wrong = key.to_string().replacen("w1", "w2", 1);
    assert!(VerifierKey::parse(&wrong).is_err(), "the hash covers the name");
}

#[test]
fn heads_have_one_encoding_only() {
    let (_, heads) = grown(10, 10);
    let signer = log_signer();
    let note = SignedHead::sign(heads[1], &signer).unwrap().to_note();
    assert!(SignedHead::parse(&note, signer.verifier()).is_ok());
    let text = String::from_utf8(note).unwrap();
    for bad in [
        text.replacen("\n10\n", "\n010\n", 1),
        text.replace('\n', "\r\n"),
        text.replacen("log\n", "log2\n", 1),
    ] {
        assert!(SignedHead::parse(bad.as_bytes(), signer.verifier()).is_err(), "{bad}");
    }
}
