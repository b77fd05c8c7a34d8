//! Note keys: the log's Ed25519 key (type 0x01) and a witness's cosignature key (type 0x04).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Signature as NoteSignature, is_key_name_valid, key_id};

/// What a note key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Tree heads of a log (signed-note type 0x01).
    Log,
    /// Timestamped cosignatures of a witness (tlog-cosignature type 0x04).
    Witness,
}

impl KeyKind {
    const fn type_byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why a verifier key was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not `name+hash+key`, or a part does not decode.
    #[error("verifier key `{0}` is not name+hash+base64")]
    Format(String),
    /// The four-byte hash does not belong to name and key.
    #[error("verifier key `{0}` carries the wrong key hash")]
    Hash(String),
    /// A key type that is neither 0x01 nor 0x04.
    #[error("verifier key `{0}` has a key type that is not understood")]
    Kind(String),
}

/// A public note key in the `name+hash+key` form of signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Makes a key from its parts; the name must be a signed-note key name.
    pub fn new(name: &str, kind: KeyKind, key: VerifyingKey) -> Result<Self, KeyError> {
        if !is_key_name_valid(name) || name.chars().any(char::is_control) || name.len() > 200 {
            return Err(KeyError::Format(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), kind, key })
    }

    /// Parses `name+hash+key`; the hash must be the one signed-note prescribes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let format = || KeyError::Format(text.to_owned());
        let (name, rest) = text.split_once('+').ok_or_else(format)?;
        let (hash, encoded) = rest.split_once('+').ok_or_else(format)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| format())?;
        let (kind, raw) = bytes.split_first().ok_or_else(format)?;
        let kind = match kind {
            0x01 => KeyKind::Log,
            0x04 => KeyKind::Witness,
            _ => return Err(KeyError::Kind(text.to_owned())),
        };
        let raw: [u8; 32] = raw.try_into().map_err(|_| format())?;
        let key = VerifyingKey::from_bytes(&raw).map_err(|_| format())?;
        let parsed = Self::new(name, kind, key)?;
        if hash != format!("{:08x}", parsed.id()) {
            return Err(KeyError::Hash(text.to_owned()));
        }
        Ok(parsed)
    }

    /// The key's name; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The raw public key.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The four-byte key id that stands before each signature.
    pub fn id(&self) -> u32 {
        key_id(&self.name, &self.typed())
    }

    fn typed(&self) -> Vec<u8> {
        let mut typed = vec![self.kind.type_byte()];
        typed.extend_from_slice(self.key.as_bytes());
        typed
    }

    /// Whether `raw` is this key's plain signature over `text`.
    pub(crate) fn verifies(&self, text: &[u8], raw: &[u8]) -> bool {
        Signature::from_slice(raw).is_ok_and(|sig| self.key.verify_strict(text, &sig).is_ok())
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id(), BASE64_STANDARD.encode(self.typed()))
    }
}

/// The log's signing key; it signs tree heads and nothing else.
pub struct LogSigner {
    public: VerifierKey,
    secret: SigningKey,
}

impl LogSigner {
    /// A signer for the log named `origin`.
    pub fn new(origin: &str, secret: SigningKey) -> Result<Self, KeyError> {
        Ok(Self { public: VerifierKey::new(origin, KeyKind::Log, secret.verifying_key())?, secret })
    }

    /// The same key for a log of another name; its heads are no heads of this one.
    pub fn renamed(&self, origin: &str) -> Result<Self, KeyError> {
        Self::new(origin, self.secret.clone())
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    pub(crate) fn sign_text(&self, text: &[u8]) -> Option<NoteSignature> {
        let raw = self.secret.sign(text).to_bytes().to_vec();
        NoteSignature::new(self.public.name.clone(), self.public.id(), raw).ok()
    }
}

/// A witness's signing key; it makes timestamped cosignatures and nothing else.
pub struct WitnessSigner {
    public: VerifierKey,
    secret: SigningKey,
}

impl WitnessSigner {
    /// A signer for the witness called `name`.
    pub fn new(name: &str, secret: SigningKey) -> Result<Self, KeyError> {
        let public = VerifierKey::new(name, KeyKind::Witness, secret.verifying_key())?;
        Ok(Self { public, secret })
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// One signature line over a tree head's text at `time_secs` (Unix seconds).
    pub(crate) fn cosign_text(&self, text: &[u8], time_secs: u64) -> Option<NoteSignature> {
        let mut raw = time_secs.to_be_bytes().to_vec();
        raw.extend(self.secret.sign(&cosigned_message(time_secs, text)).to_bytes());
        NoteSignature::new(self.public.name.clone(), self.public.id(), raw).ok()
    }
}

/// The message under a cosignature (tlog-cosignature, "Format").
pub(crate) fn cosigned_message(time_secs: u64, text: &[u8]) -> Vec<u8> {
    let mut message = format!("cosignature/v1\ntime {time_secs}\n").into_bytes();
    message.extend_from_slice(text);
    message
}
