//! Ed25519 keys of people and requesters: review keys sign approvals and acts, request keys sign
//! intents. Their public halves, their names, and their files' secrets.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::digest::{Digest, Tag, hex};
use crate::wire::{Reader, Wire, WireError};

/// A public Ed25519 key (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// A signature by such a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeySignature(pub [u8; 64]);

impl PublicKey {
    /// Takes 32 bytes that are a point of the curve and not of small order.
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then_some(Self(bytes))
    }

    /// Reads lower-case hex.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = crate::digest::unhex(text)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| "a public key has 32 bytes")?;
        Self::new(bytes).ok_or_else(|| "not a public key of this curve".to_owned())
    }

    /// The raw key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Short name of the key: the first eight bytes of its digest, in hex.
    pub fn id(&self) -> String {
        let digest = Tag::Key.digest(&self.0);
        hex(digest.0.get(..8).unwrap_or_default())
    }

    /// Whether `signature` is this key's over `message`; strict, so that each has one encoding.
    pub fn verifies(&self, message: &[u8], signature: &KeySignature) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok()
        })
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Debug for KeySignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Wire for PublicKey {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::new(Wire::take(from)?).ok_or_else(|| from.fail("not a public key"))
    }
}

impl Wire for KeySignature {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self(Wire::take(from)?))
    }
}

/// A secret Ed25519 key; wiped when dropped, never shown.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> KeySignature {
        KeySignature(self.0.sign(message).to_bytes())
    }

    /// Signs a digest.
    pub fn sign_digest(&self, digest: &Digest) -> KeySignature {
        self.sign(&digest.0)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.public().id())
    }
}
