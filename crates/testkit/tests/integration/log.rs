//! L: log, storage, recovery.

use std::path::Path;

use coordinator::witnesses;
use testkit::bench::{Bench, PASSPHRASE, copy_dir, temp_dir};
use tlog::dir::LogDir;
use tlog::verify::verify;
use tlog::{CosignedHead, SignedHead};
use withdrawal::code::Code;
use withdrawal::protocol::{Request, Response};

fn first_file(dir: &Path) -> std::path::PathBuf {
    let mut at = dir.join("tile/entries");
    loop {
        let entry = std::fs::read_dir(&at).unwrap().next().unwrap().unwrap().path();
        if entry.is_file() {
            return entry;
        }
        at = entry;
    }
}

#[test]
fn l01_truncated_log_in_the_cosigners_directory() {
    let mut bench = Bench::new();
    let old = temp_dir("old");
    copy_dir(&bench.dir, &old);
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let witnessed = bench.head().unwrap();
    let newest = bench.status().size;
    // The older directory is put back: the log is whole in itself, and too short.
    std::fs::remove_dir_all(&bench.dir).unwrap();
    copy_dir(&old, &bench.dir);
    bench.reopen();
    assert!(bench.status().size < newest);
    assert!(matches!(bench.ask(Request::Begin), Response::Appended(_)));
    let (_, answers) = bench.ferry();
    assert!(answers.iter().all(Result::is_err), "no witness cosigns a smaller or forked tree");
    let codes = testkit::bench::codes(&bench.ask(Request::Head { note: witnessed }));
    assert_eq!(codes, [Code::StateRollback]);
    let codes = testkit::bench::codes(&bench.reserve(&ready));
    assert_eq!(codes, [Code::StateRollback], "nothing is decided");
    std::fs::remove_dir_all(old).unwrap();
}

#[test]
fn l02_two_heads_of_one_size() {
    let mut bench = Bench::new();
    let copy = temp_dir("fork");
    copy_dir(&bench.dir, &copy);
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let witnessed = bench.head().unwrap();
    // A second copy from a backup writes a history of its own, of the same length.
    let mut fork = cosigner::Core::open(&copy, PASSPHRASE).unwrap();
    assert!(matches!(fork.answer(Request::Begin), Response::Appended(_)));
    let freeze = bench.act_of("carol", withdrawal::act::ActKind::Freeze);
    assert!(matches!(fork.answer(Request::Act(Box::new(freeze))), Response::Acknowledged(_)));
    let Response::Status(status) = fork.answer(Request::Hello) else { panic!() };
    assert_eq!(status.size, bench.status().size);
    let codes = testkit::bench::codes(&fork.answer(Request::Head { note: witnessed }));
    assert_eq!(codes, [Code::LogFork]);
    let answer = fork.answer(Request::Reserve(Bench::dossier(&ready, status.head)));
    assert_eq!(testkit::bench::codes(&answer), [Code::StateRollback]);
    std::fs::remove_dir_all(copy).unwrap();
}

#[test]
fn l03_entry_edited_in_place() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let log = bench.dir.join("log");
    let bundle = first_file(&log);
    let mut bytes = std::fs::read(&bundle).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let files = LogDir::open(&log).unwrap();
    let key = bench.core.vault().log.clone().unwrap();
    let note = files.head_note().unwrap().unwrap();
    let head = *SignedHead::parse(&note, &key).unwrap().head();
    let fault = verify(&files, &head, |_, _| Ok(())).unwrap_err();
    assert_eq!(fault.first_bad(), Some(head.size - 1));
    assert!(cosigner::Core::open(&bench.dir, PASSPHRASE).is_err(), "a damaged log opens nothing");
}

#[test]
fn l04_forged_witness_quorums() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    // One witness three times, at three times.
    let key = bench.core.vault().log.clone().unwrap();
    let note = bench.status().head;
    let mut signed = SignedHead::parse(&note, &key).unwrap();
    for time in [0, 1, 2] {
        let line =
            signed.cosign(&bench.witnesses[0].signer, bench.witnesses[0].time + time).unwrap();
        signed.add_lines(&line).unwrap();
    }
    let answer = bench.ask(Request::Reserve(Bench::dossier(&ready, signed.to_note())));
    assert_eq!(testkit::bench::codes(&answer), [Code::WitnessQuorum]);
    // Keys that are in no policy.
    let mut signed = SignedHead::parse(&note, &key).unwrap();
    for number in 0..3u8 {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[number + 1; 32]);
        let stranger = tlog::WitnessSigner::new(&format!("x{number}.invalid"), secret).unwrap();
        signed
            .add_lines(&signed.clone().cosign(&stranger, bench.witnesses[0].time).unwrap())
            .unwrap();
    }
    let answer = bench.ask(Request::Reserve(Bench::dossier(&ready, signed.to_note())));
    assert_eq!(testkit::bench::codes(&answer), [Code::WitnessQuorum]);
    // Good cosignatures of an old time: behind what was accepted.
    let old = bench.head().unwrap();
    bench.pass_hours(1);
    bench.tell_time();
    let answer = bench.ask(Request::Reserve(Bench::dossier(&ready, old)));
    assert_eq!(testkit::bench::codes(&answer), [Code::ClockUntrusted]);
}

#[test]
fn l10_no_signature_while_the_log_or_the_witnesses_are_out_of_reach() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    bench.witnesses[0].up = false;
    bench.witnesses[1].up = false;
    assert_eq!(testkit::bench::codes(&bench.reserve(&ready)), [Code::WitnessQuorum]);
    bench.witnesses[0].up = true;
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)), "it goes on by itself");
    // Two are gone between reservation and signature.
    bench.witnesses[2].up = false;
    assert_eq!(testkit::bench::codes(&bench.countersign(&ready)), [Code::WitnessQuorum]);
    bench.witnesses.iter_mut().for_each(|w| w.up = true);
    // The log's place is taken by a file: nothing can be written, nothing is signed.
    let log = bench.dir.join("log");
    let parked = bench.dir.join("parked");
    let head = bench.head().unwrap();
    std::fs::rename(&log, &parked).unwrap();
    std::fs::write(&log, b"").unwrap();
    let answer = bench.ask(Request::Countersign(Bench::dossier(&ready, head.clone())));
    assert!(!matches!(answer, Response::Signed { .. }), "{answer:?}");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&parked, &log).unwrap();
    assert!(matches!(bench.countersign(&ready), Response::Signed { .. }), "it goes on by itself");
}

#[test]
fn l11_the_same_request_after_a_crash_is_counted_once() {
    let mut bench = Bench::with_policy(|p| p.limits.window_max_count = 1);
    let ready = bench.payment(50_000_000);
    let first = bench.release(&ready).unwrap();
    let size = bench.status().size;
    let again = bench.release(&ready).unwrap();
    assert_eq!(first, again, "the same signature");
    assert_eq!(bench.status().size, size, "and no new entry");
    bench.restart();
    assert_eq!(bench.release(&ready).unwrap(), first);
    // A crash between reservation and signature: the same request finishes after the restart.
    let mut bench = Bench::with_policy(|p| p.limits.window_max_count = 1);
    let ready = bench.payment(50_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
    bench.restart();
    let signed = bench.release(&ready).unwrap();
    assert_eq!(signed.inputs[0].partial_sigs.len(), 1);
}

#[test]
fn a_bad_cosignature_line_does_not_spoil_the_good_ones() {
    struct Liar<'a>(&'a [tlog::WitnessSigner], &'a SignedHead);
    impl witnesses::Transport for Liar<'_> {
        fn post(&self, url: &str, _: &[u8]) -> Result<(u16, Vec<u8>), String> {
            let number: usize =
                url.chars().find(char::is_ascii_digit).unwrap().to_digit(10).unwrap() as usize;
            let line = self.1.cosign(&self.0[number], 1000).unwrap();
            let spoilt = |line: &[u8]| -> Vec<u8> {
                line.iter().map(|b| if *b == b'A' { b'B' } else { *b }).collect()
            };
            Ok((
                200,
                match number {
                    // Its own good line, and a bad one in another's name.
                    0 => [line, spoilt(&self.1.cosign(&self.0[2], 1000).unwrap())].concat(),
                    // A line that does not verify.
                    1 => spoilt(&line),
                    _ => line,
                },
            ))
        }
    }
    let signers: Vec<_> = (0..3u8)
        .map(|n| {
            let key = ed25519_dalek::SigningKey::from_bytes(&[n + 1; 32]);
            tlog::WitnessSigner::new(&format!("w{n}.invalid"), key).unwrap()
        })
        .collect();
    let mut policy = String::new();
    for (n, signer) in signers.iter().enumerate() {
        policy.push_str(&format!("witness w{n} {} http://w{n}\n", signer.verifier()));
    }
    policy.push_str("group g 2 w0 w1 w2\nquorum g\n");
    let policy = tlog::WitnessPolicy::parse(&policy, 0).unwrap();
    let key = tlog::LogSigner::new("x.invalid/l", ed25519_dalek::SigningKey::from_bytes(&[9; 32]))
        .unwrap();
    let head =
        SignedHead::sign(tlog::TreeHead { size: 3, root: tlog::record_hash(b"x") }, &key).unwrap();
    let (cosigned, answers) =
        witnesses::cosign(&head, &policy, &Liar(&signers, &head), &|_| Some(Vec::new()));
    let good = answers.iter().filter(|(_, a)| *a == witnesses::Answer::Cosigned).count();
    assert_eq!(good, 2);
    assert!(policy.is_met(&CosignedHead::check(cosigned, policy.keys()).unwrap()));
}
