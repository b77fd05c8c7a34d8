//! Append, proofs, bundles and whole-log verification.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use tlog::dir::LogDir;
use tlog::log::{Append, Files, Log, LogError};
use tlog::proof::{check_consistency, check_inclusion};
use tlog::verify::{Fault, verify};
use tlog::{LogSigner, SignedHead, TreeHead, record_hash};

#[derive(Default, Clone)]
pub struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

impl Files for Memory {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(path).cloned())
    }
}

impl Memory {
    fn apply(&self, append: &Append) {
        let mut files = self.0.borrow_mut();
        files.extend(append.files.iter().cloned());
        for stale in &append.stale {
            files.remove(stale);
        }
    }

    fn flip(&self, path: &str, at: usize) {
        self.0.borrow_mut().get_mut(path).unwrap()[at] ^= 1;
    }
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// A log of `size` entries, appended in steps of `step`.
pub fn grown(size: u64, step: u64) -> (Memory, Vec<TreeHead>) {
    let files = Memory::default();
    let mut heads = vec![TreeHead::EMPTY];
    while heads.last().unwrap().size < size {
        let at = *heads.last().unwrap();
        let to = (at.size + step).min(size);
        let entries: Vec<_> = (at.size..to).map(entry).collect();
        let append = Log::at(&files, at).append(at.size, &entries).unwrap();
        files.apply(&append);
        heads.push(append.head);
    }
    (files, heads)
}

#[test]
fn append_needs_the_expected_size() {
    let (files, heads) = grown(3, 1);
    let log = Log::at(&files, heads[3]);
    let result = log.append(2, &[b"x".to_vec()]);
    assert!(matches!(result, Err(LogError::Size { found: 3, expected: 2 })));
}

#[test]
fn partial_files_are_replaced_and_old_ones_named_stale() {
    let (files, _) = grown(300, 1);
    let names: Vec<_> = files.0.borrow().keys().cloned().collect();
    let expected = [
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    ];
    assert_eq!(names, expected);
}

#[test]
fn directory_keeps_what_was_committed() {
    let dir = std::env::temp_dir().join(format!("tlog-dir-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    assert!(LogDir::open(&dir).is_err(), "a missing log is an error");
    let signer = LogSigner::new("example.invalid/log", SigningKey::from_bytes(&[7; 32])).unwrap();
    let log = LogDir::create(&dir).unwrap();
    let append = Log::at(&log, TreeHead::EMPTY).append(0, &[entry(0), entry(1)]).unwrap();
    let signed = SignedHead::sign(append.head, &signer).unwrap();
    log.commit(&append, &signed.to_note()).unwrap();
    let again = LogDir::open(&dir).unwrap();
    let note = again.head_note().unwrap().unwrap();
    let head = *SignedHead::parse(&note, signer.verifier()).unwrap().head();
    assert_eq!(Log::at(&again, head).entries(0, 2).unwrap(), [entry(0), entry(1)]);
    assert!(LogDir::create(&dir).is_err(), "an existing log is never made anew");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn l03_entry_edited_in_place_is_named() {
    let (files, heads) = grown(700, 50);
    let head = heads.last().unwrap();
    // 256 entries before; each of the next is "entry 256", 9 bytes after a length of 2.
    files.flip("tile/entries/001", 11 * 5 + 2);
    let fault = verify(&files, head, |_, _| Ok(())).unwrap_err();
    assert!(matches!(&fault, Fault::Entry { index: 261, .. }), "{fault}");
}

#[test]
fn l03_tile_bit_flip_is_named() {
    let (files, heads) = grown(700, 50);
    files.flip("tile/0/001", 32 * 9);
    let fault = verify(&files, heads.last().unwrap(), |_, _| Ok(())).unwrap_err();
    assert_eq!(fault.first_bad(), Some(265));
}

#[test]
fn l03_entry_and_tile_changed_together_are_found_by_the_level_above() {
    let (files, heads) = grown(700, 50);
    files.flip("tile/entries/001", 11 * 5 + 2);
    let log = tlog::bundle::decode(&files.read("tile/entries/001").unwrap().unwrap()).unwrap();
    let forged = record_hash(&log[5]).0;
    files.0.borrow_mut().get_mut("tile/0/001").unwrap()[32 * 5..32 * 6].copy_from_slice(&forged);
    let fault = verify(&files, heads.last().unwrap(), |_, _| Ok(())).unwrap_err();
    assert!(matches!(fault, Fault::Root { from: 256, to: 511 }), "{fault}");
}

#[test]
fn l03_partial_tile_swapped_is_found() {
    let (files, heads) = grown(700, 50);
    let (other, _) = {
        let files = Memory::default();
        let entries: Vec<_> = (0..700u64).map(|n| entry(n + 1)).collect();
        let append = Log::at(&files, TreeHead::EMPTY).append(0, &entries).unwrap();
        files.apply(&append);
        (files, append.head)
    };
    for path in ["tile/0/002.p/188", "tile/entries/002.p/188"] {
        let swapped = other.read(path).unwrap().unwrap();
        files.0.borrow_mut().insert(path.to_owned(), swapped);
    }
    let fault = verify(&files, heads.last().unwrap(), |_, _| Ok(())).unwrap_err();
    assert_eq!(fault.first_bad(), Some(512), "{fault}");
}

#[test]
fn l01_truncated_log_does_not_verify_against_the_newer_head() {
    let (old, _) = grown(40, 10);
    let (_, heads) = grown(60, 10);
    let fault = verify(&old, heads.last().unwrap(), |_, _| Ok(())).unwrap_err();
    assert_eq!(fault.first_bad(), Some(0), "the bundle of 60 entries is missing");
}

#[test]
fn a_good_log_verifies_and_every_entry_is_visited() {
    for size in [1, 2, 255, 256, 257, 512, 700] {
        let (files, heads) = grown(size, 77);
        let mut visited = 0;
        verify(&files, heads.last().unwrap(), |_, _| {
            visited += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(visited, size);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn proofs_hold_for_every_pair_and_for_no_other(size in 1u64..600, step in 1u64..90, at in any::<u64>()) {
        let (files, heads) = grown(size, step);
        let new = *heads.last().unwrap();
        let log = Log::at(&files, new);
        let index = at % size;
        let proof = log.prove_inclusion(index).unwrap();
        let leaf = record_hash(&entry(index));
        prop_assert!(check_inclusion(&proof, &new, index, leaf).is_ok());
        prop_assert!(check_inclusion(&proof, &new, index, record_hash(b"other")).is_err());
        for old in &heads[1..] {
            let proof = log.prove_consistency(old.size).unwrap();
            prop_assert!(check_consistency(&proof, old, &new).is_ok());
            let forged = TreeHead { size: old.size, root: record_hash(b"other") };
            prop_assert!(check_consistency(&proof, &forged, &new).is_err());
        }
        prop_assert_eq!(log.root_at(size).unwrap(), new.root);
    }

    #[test]
    fn bundles_decode_to_what_was_encoded(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let bytes = tlog::bundle::encode(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(tlog::bundle::decode(&bytes), Some(entries));
    }

    #[test]
    fn no_bundle_note_or_request_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = tlog::bundle::decode(&bytes);
        let _ = tlog::witness::AddHead::parse(&bytes);
        let _ = tlog::WitnessPolicy::parse(&String::from_utf8_lossy(&bytes), 1);
    }
}

/// Storage tests (L06): every write of a commit fails twice, once applied and once not, and whatever is
/// found afterwards is the old log or the new one, never parts of both.
#[test]
fn l06_every_write_fails_twice_and_the_log_still_verifies() {
    let root = std::env::temp_dir().join(format!("tlog-faults-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    // Sizes around the borders of tiles, where files are replaced and completed.
    for (before, added) in [(0u64, 1u64), (1, 1), (5, 300), (255, 1), (255, 2), (256, 1), (511, 3)]
    {
        let entries: Vec<Vec<u8>> = (0..before + added).map(entry).collect();
        let (old, new) = entries.split_at(usize::try_from(before).unwrap());
        let base = root.join(format!("base-{before}-{added}"));
        let dir = LogDir::create(&base).unwrap();
        let mut head = TreeHead::EMPTY;
        if before > 0 {
            let append = Log::at(&dir, TreeHead::EMPTY).append(0, old).unwrap();
            dir.commit(&append, format!("head {}\n", append.head.size).as_bytes()).unwrap();
            head = append.head;
        }
        let append = Log::at(&dir, head).append(before, new).unwrap();
        let writes = append.files.len();
        for fails in 0..=writes {
            for applied in [false, true] {
                let at = root.join(format!("at-{before}-{added}-{fails}-{applied}"));
                copy(&base, &at);
                // Everything before the failing write is there; the failing one is, or is not, or is half.
                for (number, (path, content)) in append.files.iter().enumerate() {
                    let target = at.join(path);
                    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                    if number < fails || (number == fails && applied) {
                        std::fs::write(&target, content).unwrap();
                    } else if number == fails {
                        let half = content.get(..content.len() / 2).unwrap();
                        std::fs::write(target.with_extension("tmp"), half).unwrap();
                    }
                }
                // The old head still stands, and the old log with it.
                let dir = if before > 0 { LogDir::open(&at) } else { LogDir::create(&at) }.unwrap();
                let read = Log::at(&dir, head).entries(0, before).unwrap();
                assert_eq!(read, old, "{before}+{added}, write {fails}, applied {applied}");
                // Recovery is the normal path: the same append again, and then the whole new log.
                let again = Log::at(&dir, head).append(before, new).unwrap();
                assert_eq!(again.head, append.head);
                dir.commit(&again, b"head\n").unwrap();
                let read = Log::at(&dir, again.head).entries(0, before + added).unwrap();
                assert_eq!(read, entries);
                std::fs::remove_dir_all(&at).unwrap();
            }
        }
    }
    std::fs::remove_dir_all(&root).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
