//! Notes, proofs, bundles, witness requests and policies.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = tlog::bundle::decode(data);
    let _ = tlog::witness::AddHead::parse(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = tlog::WitnessPolicy::parse(text, 1);
        let _ = tlog::VerifierKey::parse(text);
    }
    let key = tlog::VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    if let Ok(key) = key {
        let _ = tlog::SignedHead::parse(data, &key);
    }
    let hashes: Vec<tlog::Hash> = data.chunks_exact(32).map(|c| tlog::Hash(c.try_into().unwrap())).collect();
    if let (Some(old), Some(new)) = (hashes.first(), hashes.last()) {
        let number = |at: usize| data.get(at).map_or(0, |b| u64::from(*b) << (at * 5 % 56));
        let old = tlog::TreeHead { size: number(0), root: *old };
        let new = tlog::TreeHead { size: number(1), root: *new };
        let _ = tlog::proof::check_consistency(&hashes, &old, &new);
        let _ = tlog::proof::check_inclusion(&hashes, &new, number(2), old.root);
    }
});
