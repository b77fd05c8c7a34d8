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
