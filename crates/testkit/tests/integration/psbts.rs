//! Public PSBT vectors: what is invalid is refused, what is valid is read alike by both decoders or
//! refused for a reason of ours, and nothing ends in a panic.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bitcoin::Psbt;
use serde_json::Value;
use testkit::bench::Bench;
use testkit::shared;
use withdrawal::code::Code;
use withdrawal::psbt::{inspect, raw};

/// What the first decoder makes of bytes: the unsigned transaction, or nothing.
fn first(bytes: &[u8]) -> Option<bitcoin::Transaction> {
    let raw = raw::read(bytes).ok()?;
    Some(Psbt::deserialize(&raw.v0).ok()?.unsigned_tx)
}

/// Base64 strings of a BIP's text between two marks, with the case that they belong to.
fn cases(text: &str, from: &str, to: &str) -> Vec<(String, Vec<u8>)> {
    let begin = text.find(from).unwrap_or_else(|| panic!("no `{from}`")) + from.len();
    let end = text[begin..].find(to).map_or(text.len(), |at| begin + at);
    let mut case = String::new();
    let mut found = Vec::new();
    for line in text[begin..end].lines() {
        if let Some(name) = line.strip_prefix("* ") {
            case = name.to_owned();
        }
        let base64 = line.split_once("Base64 String: <pre>").map(|(_, rest)| rest);
        if let Some(bytes) = base64.and_then(|b| BASE64_STANDARD.decode(b.split('<').next()?).ok())
        {
            found.push((case.clone(), bytes));
        }
    }
    assert!(!found.is_empty(), "no cases behind `{from}`");
    found
}

#[test]
fn p30_bip_370_vectors() {
    let Some(file) = shared::file("vectors/bips/bip-0370.mediawiki") else { return };
    let text = std::fs::read_to_string(file).unwrap();
    for (case, bytes) in
        cases(&text, "The following are invalid PSBTs", "The following are valid PSBTs")
    {
        assert!(first(&bytes).is_none(), "{case}");
    }
    for (case, bytes) in
        cases(&text, "The following are valid PSBTs", "following tests are the timelock")
    {
        let read = raw::read(&bytes).unwrap_or_else(|e| panic!("{case}: {e}"));
        // A version 2 that may still be modified is read and refused.
        let modifiable = read.violations.iter().any(|v| v.code == Code::PsbtModifiable);
        assert_eq!(
            modifiable,
            case.contains("MODIFIABLE") || case.contains("all PSBTv2 fields"),
            "{case}"
        );
        assert_eq!(first(&bytes).unwrap().output.len(), 2, "{case}");
    }
    // BIP-370, "Determining Lock Time".
    let lock = |bytes: &[u8]| first(bytes).map(|tx| tx.lock_time.to_consensus_u32());
    for (time, until) in [
        (0, "computed to be 10000"),
        (10_000, "computed to be 1657048460"),
        (1_657_048_460, "PSBTs cannot be computed"),
    ] {
        let mark = format!("should be computed to be {time}:");
        for (case, bytes) in cases(&text, &mark, until) {
            assert_eq!(lock(&bytes), Some(time), "{case}");
        }
    }
    for (case, bytes) in cases(&text, "PSBTs cannot be computed", "==Rationale==") {
        assert_eq!(lock(&bytes), None, "{case}");
    }
}

#[test]
fn p29_bip_174_and_core_vectors() {
    let Some(file) = shared::file("vectors/core-rpc_psbt.json") else { return };
    let all: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let texts = |name: &str| {
        let list = all[name].as_array().unwrap().clone();
        list.into_iter().map(|v| v.as_str().or(v[0].as_str()).unwrap_or_default().to_owned())
    };
    let bench = Bench::new();
    let script = bench.core.vault().script.clone();
    let vault = reader::Vault::parse(script.text()).unwrap();
    for name in ["invalid", "invalid_with_msg"] {
        for (number, text) in texts(name).enumerate() {
            let Ok(bytes) = BASE64_STANDARD.decode(&text) else { continue };
            // Fields of MuSig2 (BIP-373) are not read by us: they are stripped whatever they hold.
            let unread = all[name][number][1]
                .as_str()
                .is_some_and(|why| why.to_lowercase().contains("musig2"));
            let taken = first(&bytes).is_some() && reader::read(&bytes, &vault).is_ok();
            assert!(!taken || unread, "{name} {number} is taken by both decoders");
        }
    }
    let mut valid = 0;
    for (number, text) in texts("valid").enumerate() {
        let bytes = BASE64_STANDARD.decode(&text).unwrap();
        let read = first(&bytes);
        valid += usize::from(read.is_some());
        // Both decoders read one transaction, where the second finds the coins that it asks for.
        if let (Some(tx), Ok(second)) = (read, reader::read(&bytes, &vault)) {
            assert_eq!(bitcoin::consensus::serialize(&tx), second.tx, "valid {number}");
        }
        let _ = inspect(&bytes, &script);
    }
    // The one that is not read has no inputs.
    assert_eq!(valid, texts("valid").len() - 1);
}
