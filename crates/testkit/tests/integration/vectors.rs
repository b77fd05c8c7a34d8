//! Public vectors: W3C's WebAuthn ceremonies, and Wycheproof for the signatures of passkeys and coins.

use bitcoin::hashes::{Hash as _, sha256};
use serde_json::Value;
use withdrawal::assertion::{Algorithm, Assertion};
use withdrawal::code::Code;
use withdrawal::digest::{Digest, unhex};
use withdrawal::person::Passkey;
use wycheproof::TestResult;

/// The public key of a registration: found in its attested data, behind the credential id.
fn public_key(attestation: &[u8], credential: &[u8]) -> Option<(Algorithm, Vec<u8>)> {
    let at =
        attestation.windows(credential.len()).position(|w| w == credential)? + credential.len();
    let key = &attestation[at..];
    // COSE_Key (RFC 9052): x is label -2, y is label -3; P-256 has both, Ed25519 only x.
    let find = |label: u8| {
        let at = key.windows(3).position(|w| w == [label, 0x58, 0x20])?;
        key.get(at + 3..at + 35)
    };
    match key.get(..5)? {
        [0xa5, 0x01, 0x02, 0x03, 0x26] => {
            Some((Algorithm::Es256, [&[4], find(0x21)?, find(0x22)?].concat()))
        }
        [0xa4, 0x01, 0x01, 0x03, 0x27] => Some((Algorithm::EdDsa, find(0x21)?.to_vec())),
        _ => None,
    }
}

#[test]
fn w3c_webauthn_ceremonies() {
    let Some(path) = testkit::shared::file("vectors/webauthn/w3c-level3.json") else { return };
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (mut verified, mut refused) = (0, 0);
    for ceremony in all.as_array().unwrap() {
        let title = ceremony["title"].as_str().unwrap();
        let steps = ceremony["steps"].as_array().unwrap();
        let bytes =
            |step: usize, name: &str| steps.get(step).and_then(|s| unhex(s[name].as_str()?).ok());
        let (Some(attestation), Some(credential), Some(signature)) =
            (bytes(0, "attestationObject"), bytes(0, "credential_id"), bytes(1, "signature"))
        else {
            continue;
        };
        let Some((algorithm, key)) = public_key(&attestation, &credential) else { continue };
        let assertion = Assertion {
            authenticator_data: bytes(1, "authenticatorData").unwrap(),
            client_data_json: bytes(1, "clientDataJSON").unwrap(),
            signature,
        };
        let flags = assertion.authenticator_data[32];
        let passkey = Passkey {
            credential_id: credential,
            algorithm,
            public_key: key,
            rp_id: "example.org".to_owned(),
            origins: vec!["https://example.org".to_owned()],
            backup_eligible: flags & 0x08 != 0,
            software: false,
        };
        let challenge = Digest(bytes(1, "challenge").unwrap().try_into().unwrap());
        let result = assertion.verify(&passkey, &challenge).map_err(|v| v.code);
        let framed = title.contains("crossOrigin") || title.contains("topOrigin");
        let expected = match (framed, flags & 0x04 != 0) {
            (true, _) => Err(Code::AssertionInvalid),
            (false, true) => Ok(()),
            // The signature is good; the authenticator did not verify its user.
            (false, false) => Err(Code::AssertionPolicy),
        };
        assert_eq!(result, expected, "{title}");
        verified += usize::from(!framed);
        refused += usize::from(framed);
        // Any other byte, and it is refused.
        for part in 0..3 {
            let mut bad = assertion.clone();
            let bytes = match part {
                0 => &mut bad.authenticator_data,
                1 => &mut bad.client_data_json,
                _ => &mut bad.signature,
            };
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            assert!(bad.verify(&passkey, &challenge).is_err(), "{title}, part {part}");
        }
    }
    assert!(verified >= 9 && refused >= 2, "{verified} verified, {refused} refused");
}

#[test]
fn wycheproof_es256() {
    let set = wycheproof::ecdsa::TestSet::load(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256)
        .unwrap();
    let mut count = 0;
    for group in set.test_groups {
        for test in group.tests {
            let ok = Algorithm::Es256.verifies(&group.key.key, &test.msg, &test.sig);
            match test.result {
                TestResult::Valid => assert!(ok, "{}: {}", test.tc_id, test.comment),
                TestResult::Invalid => assert!(!ok, "{}: {}", test.tc_id, test.comment),
                TestResult::Acceptable => {}
            }
            count += 1;
        }
    }
    assert!(count > 400, "{count}");
}

#[test]
fn wycheproof_eddsa() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        for test in group.tests {
            let ok = Algorithm::EdDsa.verifies(&group.key.pk, &test.msg, &test.sig);
            assert_eq!(ok, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn k04_wycheproof_bitcoin() {
    use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, ecdsa::Signature};
    let name = wycheproof::ecdsa::TestName::EcdsaSecp256k1Sha256Bitcoin;
    let set = wycheproof::ecdsa::TestSet::load(name).unwrap();
    let secp = Secp256k1::verification_only();
    let mut count = 0;
    for group in set.test_groups {
        let key = PublicKey::from_slice(&group.key.key).unwrap();
        for test in group.tests {
            let message = Message::from_digest(sha256::Hash::hash(&test.msg).to_byte_array());
            let signature = Signature::from_der(&test.sig);
            let ok = signature.is_ok_and(|s| secp.verify_ecdsa(&message, &s, &key).is_ok());
            match test.result {
                TestResult::Valid => assert!(ok, "{}: {}", test.tc_id, test.comment),
                TestResult::Invalid => assert!(!ok, "{}: {}", test.tc_id, test.comment),
                TestResult::Acceptable => {}
            }
            count += 1;
        }
    }
    assert!(count >= 460, "{count}");
}

#[test]
fn the_policy_in_the_documents_is_the_warm_template() {
    let docs = include_str!("../../../../docs/policy.md");
    let text = docs.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let parsed = withdrawal::policy_file::parse(text).unwrap();
    assert_eq!(parsed, withdrawal::policy::Policy::warm());
}
