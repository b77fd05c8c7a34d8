//! Passkey assertions (WebAuthn Level 3, section 7.2) over a challenge that we chose: our digest.
//!
//! Thin on purpose: a fixed relying party, exact origins, no extensions, one algorithm a key. ES256
//! is verified by `ring`, which takes DER signatures of either S; authenticators make both.

use std::collections::BTreeMap;
use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bitcoin::hashes::{Hash as _, sha256};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::code::{Code, Violation};
use crate::digest::Digest;
use crate::keys::{KeySignature, PublicKey};
use crate::person::Passkey;
use crate::wire::{wire_enum, wire_struct};

/// Bytes of the largest client data that is read.
pub const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;

/// Signature algorithm of a passkey, by its COSE number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE -7).
    Es256,
    /// Ed25519 (COSE -8).
    EdDsa,
}

wire_enum!(Algorithm { Es256 = 7, EdDsa = 8 });

impl Algorithm {
    /// Whether bytes have the shape of a public key of this algorithm.
    pub fn accepts(self, key: &[u8]) -> bool {
        match self {
            Self::Es256 => key.len() == 65 && key.first() == Some(&4),
            Self::EdDsa => <[u8; 32]>::try_from(key).ok().and_then(PublicKey::new).is_some(),
        }
    }

    /// Whether `signature` is `key`'s over `message`: strict DER for ES256, 64 bytes for EdDSA.
    pub fn verifies(self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256 => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
                self.accepts(key.as_ref()) && key.verify(message, signature).is_ok()
            }
            Self::EdDsa => {
                let key = <[u8; 32]>::try_from(key).ok().and_then(PublicKey::new);
                let signature = <[u8; 64]>::try_from(signature).ok();
                matches!((key, signature), (Some(key), Some(signature))
                    if key.verifies(message, &KeySignature(signature)))
            }
        }
    }
}

/// What an authenticator returned.
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Relying party hash, flags, counter: 37 bytes.
    pub authenticator_data: Vec<u8>,
    /// What the browser says it asked for.
    pub client_data_json: Vec<u8>,
    /// Over authenticator data and the hash of the client data.
    pub signature: Vec<u8>,
}

wire_struct!(Assertion { authenticator_data, client_data_json, signature });

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED_DATA: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

fn invalid(detail: impl Into<String>) -> Violation {
    Violation::new(Code::AssertionInvalid, detail)
}

impl Assertion {
    /// Verifies the assertion as `passkey`'s over `challenge`, with the user verified.
    pub fn verify(&self, passkey: &Passkey, challenge: &Digest) -> Result<(), Violation> {
        self.check_client_data(passkey, challenge)?;
        let flags = self.check_authenticator_data(passkey)?;
        let mut message = self.authenticator_data.clone();
        message.extend(sha256::Hash::hash(&self.client_data_json).to_byte_array());
        if !passkey.algorithm.verifies(&passkey.public_key, &message, &self.signature) {
            return Err(invalid("the signature does not verify"));
        }
        if flags & USER_VERIFIED == 0 {
            let detail = "the authenticator did not verify its user (PIN or biometrics)";
            return Err(Violation::new(Code::AssertionPolicy, detail));
        }
        Ok(())
    }

    fn check_authenticator_data(&self, passkey: &Passkey) -> Result<u8, Violation> {
        // 37 bytes and no more: attested data and extensions belong to registration.
        let data: &[u8; 37] = self
            .authenticator_data
            .as_slice()
            .try_into()
            .map_err(|_| invalid("authenticator data is not 37 bytes"))?;
        let (rp_id_hash, rest) = data.split_at(32);
        let flags = rest.first().copied().unwrap_or(0);
        if rp_id_hash != sha256::Hash::hash(passkey.rp_id.as_bytes()).as_byte_array() {
            return Err(invalid("made for another relying party"));
        }
        if flags & (ATTESTED_DATA | EXTENSIONS) != 0 {
            return Err(invalid("flags announce data that is not there"));
        }
        if flags & USER_PRESENT == 0 {
            return Err(Violation::new(Code::AssertionPolicy, "no user was present"));
        }
        if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
            return Err(invalid("backed up, but not eligible for it"));
        }
        if (flags & BACKUP_ELIGIBLE != 0) != passkey.backup_eligible {
            return Err(invalid("backup eligibility is not that of the registration"));
        }
        Ok(flags)
    }

    fn check_client_data(&self, passkey: &Passkey, challenge: &Digest) -> Result<(), Violation> {
        if self.client_data_json.len() > CLIENT_DATA_BYTES_MAX {
            return Err(invalid("client data is too large"));
        }
        let ClientData(members) = serde_json::from_slice(&self.client_data_json)
            .map_err(|e| invalid(format!("client data: {e}")))?;
        let text = |name: &str| members.get(name).and_then(serde_json::Value::as_str);
        if text("type") != Some("webauthn.get") {
            return Err(invalid("client data is not of type `webauthn.get`"));
        }
        let origin = text("origin").unwrap_or_default();
        if !passkey.origins.iter().any(|o| o == origin) {
            return Err(invalid(format!("origin `{}` may not ask for approvals", safe(origin))));
        }
        let cross = members.get("crossOrigin").is_some_and(|c| c.as_bool() != Some(false));
        if cross || members.contains_key("topOrigin") {
            return Err(invalid("asked for inside a page of another origin"));
        }
        let expected = BASE64_URL_SAFE_NO_PAD.encode(challenge.0);
        if text("challenge") != Some(&expected) {
            return Err(Violation::new(
                Code::DigestMismatch,
                "the passkey signed another digest than this one's",
            ));
        }
        // WebAuthn 5.8.1.2: browsers write these members first, in this order and spelling. Holding
        // them to it leaves one way to read the bytes.
        let prefix = format!(
            "{{\"type\":\"webauthn.get\",\"challenge\":\"{expected}\",\"origin\":\"{origin}\""
        );
        if !self.client_data_json.starts_with(prefix.as_bytes()) {
            return Err(invalid("client data is not written as browsers write it"));
        }
        Ok(())
    }
}

/// Text from outside, fit to be printed.
pub(crate) fn safe(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// A JSON object whose members are there once each.
struct ClientData(BTreeMap<String, serde_json::Value>);

impl<'de> serde::Deserialize<'de> for ClientData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = ClientData;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClientData, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format!("member `{}` twice", safe(&name))));
                    }
                    members.insert(name, value);
                }
                Ok(ClientData(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
