//! RFC 6962 proofs of transparency-dev/merkle, good and bad, from the shared vectors.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use tlog::proof::{check_consistency, check_inclusion};
use tlog::{Hash, TreeHead};

fn vectors() -> Option<Value> {
    let shared = std::env::var("COUNTERSIGN_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    match std::fs::read(format!("{shared}/vectors/merkle/proofs.json")) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(_) if std::env::var_os("COUNTERSIGN_REQUIRE_SHARED").is_some_and(|v| v == "1") => {
            panic!("shared data is required and absent")
        }
        Err(_) => {
            eprintln!("skipped: the shared data folder is absent");
            None
        }
    }
}

fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    Some(Hash(bytes.try_into().ok()?))
}

/// A root; the suite has placeholders ("dont care 2") that stand for some hash.
fn root(value: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    Some(bytes.as_slice().try_into().map(Hash).unwrap_or_else(|_| tlog::record_hash(&bytes)))
}

fn proof(case: &Value) -> Option<Vec<Hash>> {
    match &case["proof"] {
        Value::Null => Some(Vec::new()),
        Value::Array(hashes) => hashes.iter().map(hash).collect(),
        _ => None,
    }
}

/// Whether the case verifies; what does not even decode does not.
fn verifies(name: &str, case: &Value) -> Option<bool> {
    let number = |key: &str| case[key].as_u64();
    if name.contains("/consistency/") {
        let run = || {
            let old = TreeHead { size: number("size1")?, root: root(&case["root1"])? };
            let new = TreeHead { size: number("size2")?, root: root(&case["root2"])? };
            Some(check_consistency(&proof(case)?, &old, &new).is_ok())
        };
        return Some(run().unwrap_or(false));
    }
    if name.contains("/inclusion/") {
        let run = || {
            let head = TreeHead { size: number("treeSize")?, root: root(&case["root"])? };
            let (index, leaf) = (number("leafIdx")?, hash(&case["leafHash"])?);
            Some(check_inclusion(&proof(case)?, &head, index, leaf).is_ok())
        };
        return Some(run().unwrap_or(false));
    }
    None
}

#[test]
fn agrees_with_every_inclusion_and_consistency_case() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (name, case) in vectors.as_object().unwrap() {
        let Some(ours) = verifies(name, case) else { continue };
        seen += 1;
        if ours == case["wantErr"].as_bool().unwrap() {
            wrong.push(name.clone());
        }
    }
    assert!(wrong.is_empty(), "{} of {seen} differ: {wrong:#?}", wrong.len());
    assert!(seen >= 196, "only {seen} cases found");
}
