//! Tagged digests (BIP-340, "Tagged Hashes"), one tag for each kind of thing that is signed or named.

use std::fmt;
use std::str::FromStr;

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use bitcoin::hex::{DisplayHex as _, FromHex as _};

use crate::wire::{Reader, Wire, WireError};

/// A 256-bit digest, shown as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of no thing; never equal to a real one.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match <[u8; 32]>::from_hex(text) {
            Ok(bytes) if lower => Ok(Self(bytes)),
            _ => Err(format!("`{text}` is not 64 lower-case hex digits")),
        }
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for Digest {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self(Wire::take(from)?))
    }
}

/// What a digest is of; the tag is `countersign/KIND/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the tags are the kinds of things, in the words of the glossary")]
pub enum Tag {
    Intent,
    Spend,
    Approval,
    Review,
    Genesis,
    Enrol,
    Change,
    Tighten,
    Undo,
    Floor,
    Reservation,
    Countersigned,
    Ack,
    Start,
    Tick,
    Refusal,
    Reject,
    Cancel,
    Succession,
    /// A script or reference under the vault's salt.
    Salted,
    /// The first link of the roster, policy and allow-list chains.
    Chain,
    /// A public key's short name.
    Key,
}

impl Tag {
    const fn kind(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Spend => "spend",
            Self::Approval => "approval",
            Self::Review => "review",
            Self::Genesis => "genesis",
            Self::Enrol => "enrol",
            Self::Change => "change",
            Self::Tighten => "tighten",
            Self::Undo => "undo",
            Self::Floor => "floor",
            Self::Reservation => "reservation",
            Self::Countersigned => "countersigned",
            Self::Ack => "ack",
            Self::Start => "start",
            Self::Tick => "tick",
            Self::Refusal => "refusal",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Succession => "succession",
            Self::Salted => "salted",
            Self::Chain => "chain",
            Self::Key => "key",
        }
    }

    /// The tagged digest of `message`.
    pub fn digest(self, message: &[u8]) -> Digest {
        let tag = sha256::Hash::hash(format!("countersign/{}/v1", self.kind()).as_bytes());
        let mut engine = sha256::Hash::engine();
        engine.input(tag.as_byte_array());
        engine.input(tag.as_byte_array());
        engine.input(message);
        Digest(sha256::Hash::from_engine(engine).to_byte_array())
    }

    /// The tagged digest of a value's binary encoding.
    pub fn of(self, value: &impl Wire) -> Digest {
        self.digest(&value.to_bytes())
    }
}

/// Hex of bytes, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.to_lower_hex_string()
}

/// Bytes from lower-case hex.
pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("hex is lower-case".to_owned());
    }
    Vec::from_hex(text).map_err(|e| e.to_string())
}
