//! A refusal: the cosigner's signed no, with all codes and facts. It is never in the log.

use crate::code::{Code, Fact, Violation};
use crate::digest::{Digest, Tag};
use crate::entry::Sight;
use crate::keys::{KeySignature, PublicKey, SecretKey};
use crate::wire::{Reader, Wire, WireError, wire_struct};

impl Wire for Code {
    fn put(&self, out: &mut Vec<u8>) {
        self.name().to_owned().put(out);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        String::take(from)?.parse().map_err(|e: String| from.fail(e))
    }
}

impl Wire for Fact {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(1);
                number.put(out);
            }
            Self::Text(text) => {
                out.push(2);
                text.put(out);
            }
        }
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::take(from)? {
            1 => Ok(Self::Number(Wire::take(from)?)),
            2 => Ok(Self::Text(Wire::take(from)?)),
            other => Err(from.fail(format!("{other} is no fact"))),
        }
    }
}

wire_struct!(Violation { code, detail, facts });

/// What was refused and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The vault.
    pub vault_id: Digest,
    /// The intent, where it parsed.
    pub intent: Option<Digest>,
    /// The spend, where it was proven.
    pub spend: Option<Digest>,
    /// Everything that is wrong.
    pub violations: Vec<Violation>,
    /// The head and time then accepted.
    pub observed: Option<Sight>,
}
wire_struct!(Refusal { vault_id, intent, spend, violations, observed });

/// A refusal with the cosigner's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRefusal {
    /// The refusal.
    pub refusal: Refusal,
    /// By the cosigner's identity key.
    pub signature: KeySignature,
}
wire_struct!(SignedRefusal { refusal, signature });

impl Refusal {
    /// The refusal digest.
    pub fn digest(&self) -> Digest {
        Tag::Refusal.of(self)
    }

    /// Signs it.
    pub fn sign(self, identity: &SecretKey) -> SignedRefusal {
        let signature = identity.sign_digest(&self.digest());
        SignedRefusal { refusal: self, signature }
    }
}

impl SignedRefusal {
    /// Whether the cosigner of this key made it.
    pub fn verify(&self, identity: &PublicKey) -> bool {
        identity.verifies(&self.refusal.digest().0, &self.signature)
    }
}
