//! K: keys and cryptography.

use std::collections::BTreeSet;

use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use testkit::bench::Bench;

#[test]
fn k04_signatures_have_low_s_and_verify() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        let ready = bench.payment(50_000_000);
        let psbt = bench.release(&ready).unwrap();
        for input in &psbt.inputs {
            for signature in input.partial_sigs.values() {
                let mut normal = signature.signature;
                normal.normalize_s();
                assert_eq!(normal, signature.signature, "low S");
                // DER and back: strict, with one encoding.
                let der = signature.serialize();
                assert_eq!(bitcoin::ecdsa::Signature::from_slice(&der).unwrap(), *signature);
            }
        }
    }
}

#[test]
fn k05_distinct_messages_have_distinct_nonces_and_equal_ones_equal_signatures() {
    let secp = Secp256k1::new();
    // RFC 6979 as on secp256k1: key 1 and the hash of "Satoshi Nakamoto", a vector that many libraries
    // carry (first found in the Haskoin and Trezor test suites).
    let one = SecretKey::from_slice(&[[0; 31].as_slice(), &[1]].concat()).unwrap();
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(b"Satoshi Nakamoto");
    let signature = secp.sign_ecdsa(&Message::from_digest(*AsRef::<[u8; 32]>::as_ref(&hash)), &one);
    let compact = withdrawal::digest::hex(&signature.serialize_compact());
    assert_eq!(
        compact,
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
         2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    );
    let mut bench = Bench::new();
    let mut nonces = BTreeSet::new();
    let mut count = 0;
    for _ in 0..4 {
        let ready = bench.payment(50_000_000);
        let first = bench.release(&ready).unwrap();
        let again = bench.release(&ready).unwrap();
        assert_eq!(first.inputs[0].partial_sigs, again.inputs[0].partial_sigs);
        for input in &first.inputs {
            for signature in input.partial_sigs.values() {
                nonces.insert(signature.signature.serialize_compact()[..32].to_vec());
                count += 1;
            }
        }
    }
    assert_eq!(nonces.len(), count);
}

#[test]
fn k13_there_is_no_way_to_have_a_hash_signed() {
    // The account key's public functions that sign take a vault and a whole transaction. A hash, a
    // message or bytes alone fit none of them: this reads the source, as the compiler would.
    let source = include_str!("../../../withdrawal/src/sign.rs");
    let public = source.split("pub fn ").skip(1).map(|rest| rest.split('{').next().unwrap());
    for signature in public.filter(|s| s.contains("&self")) {
        let takes = signature.split("->").next().unwrap();
        for raw in ["[u8", "Message", "Hash", "Digest"] {
            assert!(!takes.contains(raw), "`{}` takes {raw}", signature.trim());
        }
    }
    // And what is signed last takes a `Witnessed`, whose fields are private.
    assert!(source.contains("witnessed: &Witnessed"));
    let witnessed = include_str!("../../../withdrawal/src/witnessed.rs");
    assert!(witnessed.contains("pub struct Witnessed {\n    reservation: Reservation,"));
}
