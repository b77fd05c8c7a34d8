//! Tree heads: the signed root of the log (C2SP "checkpoint"), alone and with witnesses' cosignatures.

use signed_note::{Note, Signature as NoteSignature};
use tlog_tiles::{Checkpoint, Hash};

use crate::key::{KeyKind, LogSigner, VerifierKey, WitnessSigner, cosigned_message};

/// The largest tree that is read. Bounds the arithmetic of proofs; a log of ours stays far below it.
pub const SIZE_MAX: u64 = 1 << 40;

/// Bytes of the largest signed head that is read: three lines and at most a hundred signatures.
pub const NOTE_BYTES_MAX: usize = 32 * 1024;

/// Why a tree head was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeadError {
    /// Not a signed note over a tree head.
    #[error("not a signed tree head: {0}")]
    Malformed(&'static str),
    /// The head is of another log.
    #[error("tree head is of log `{found}`, expected `{expected}`")]
    Origin {
        /// Origin in the head.
        found: String,
        /// Origin of the key it was checked with.
        expected: String,
    },
    /// No valid signature of the log's key.
    #[error("tree head of `{0}` bears no valid signature of its log")]
    Unsigned(String),
    /// A known key's signature line does not verify.
    #[error("cosignature of `{0}` is not valid")]
    BadCosignature(String),
}

/// Size and root hash of a log at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TreeHead {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root hash over them.
    pub root: Hash,
}

impl TreeHead {
    /// The head of the empty tree.
    pub const EMPTY: Self = Self { size: 0, root: tlog_tiles::EMPTY_HASH };

    fn text(&self, origin: &str) -> Option<Vec<u8>> {
        Checkpoint::new(origin, self.size, self.root, "").ok().map(|c| c.to_bytes())
    }
}

/// A tree head with the log's own valid signature; there is no other way to make one.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedHead {
    head: TreeHead,
    origin: String,
    text: Vec<u8>,
    signatures: Vec<NoteSignature>,
}

impl SignedHead {
    /// Signs `head` with the log's key.
    pub fn sign(head: TreeHead, signer: &LogSigner) -> Result<Self, HeadError> {
        let origin = signer.verifier().name().to_owned();
        let text = head.text(&origin).ok_or(HeadError::Malformed("origin"))?;
        let signature = signer.sign_text(&text).ok_or(HeadError::Malformed("key name"))?;
        Ok(Self { head, origin, text, signatures: vec![signature] })
    }

    /// Reads a note and checks that `log` signed it. Other signature lines are kept, unchecked.
    pub fn parse(note: &[u8], log: &VerifierKey) -> Result<Self, HeadError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(HeadError::Malformed("too large"));
        }
        let (text, signatures) = split_note(note)?;
        let checkpoint =
            Checkpoint::from_bytes(&text).map_err(|_| HeadError::Malformed("tree head lines"))?;
        let head = TreeHead { size: checkpoint.size(), root: *checkpoint.hash() };
        if checkpoint.origin() != log.name() {
            return Err(HeadError::Origin {
                found: checkpoint.origin().to_owned(),
                expected: log.name().to_owned(),
            });
        }
        if head.size > SIZE_MAX {
            return Err(HeadError::Malformed("size over 2^40"));
        }
        // One encoding only: what was signed must be what we would write.
        if head.text(log.name()).as_deref() != Some(&text) {
            return Err(HeadError::Malformed("extension lines or non-canonical text"));
        }
        let signed = log.kind() == KeyKind::Log
            && signatures.iter().any(|s| is_by(s, log) && log.verifies(&text, s.signature()));
        if !signed {
            return Err(HeadError::Unsigned(log.name().to_owned()));
        }
        Ok(Self { head, origin: log.name().to_owned(), text, signatures })
    }

    /// Size and root.
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The note, with every signature line that it came with or was given.
    pub fn to_note(&self) -> Vec<u8> {
        let mut note = self.text.clone();
        note.push(b'\n');
        for signature in &self.signatures {
            note.extend(signature.to_bytes());
        }
        note
    }

    /// The same head with the lines of these keys and of the log itself, and no others.
    pub fn only(&self, log: &VerifierKey, keys: &[VerifierKey]) -> Self {
        let mut only = self.clone();
        only.signatures.retain(|s| is_by(s, log) || keys.iter().any(|key| is_by(s, key)));
        only
    }

    /// One cosignature line by a witness at `time_secs` (Unix seconds).
    pub fn cosign(&self, witness: &WitnessSigner, time_secs: u64) -> Option<Vec<u8>> {
        witness.cosign_text(&self.text, time_secs).map(|s| s.to_bytes())
    }

    /// Adds signature lines as a witness returned them; they are checked by [`CosignedHead::check`].
    pub fn add_lines(&mut self, lines: &[u8]) -> Result<(), HeadError> {
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let signature = NoteSignature::from_bytes(line)
                .map_err(|_| HeadError::Malformed("signature line"))?;
            if self.signatures.len() >= 100 {
                return Err(HeadError::Malformed("too many signatures"));
            }
            if !self.signatures.contains(&signature) {
                self.signatures.push(signature);
            }
        }
        Ok(())
    }
}

fn split_note(note: &[u8]) -> Result<(Vec<u8>, Vec<NoteSignature>), HeadError> {
    let parsed = Note::from_bytes(note).map_err(|_| HeadError::Malformed("note"))?;
    let text = parsed.text().to_vec();
    let lines = note.get(text.len() + 1..).ok_or(HeadError::Malformed("note"))?;
    let mut signatures = Vec::new();
    for line in lines.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let signature =
            NoteSignature::from_bytes(line).map_err(|_| HeadError::Malformed("signature line"))?;
        signatures.push(signature);
    }
    Ok((text, signatures))
}

fn is_by(signature: &NoteSignature, key: &VerifierKey) -> bool {
    signature.name() == key.name() && signature.id() == key.id()
}

/// A valid cosignature: who, and when by his clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Position of the witness in the list it was checked against.
    pub witness: usize,
    /// Unix seconds.
    pub time_secs: u64,
}

/// A signed head with the valid cosignatures of known witnesses, at most one each.
#[derive(Clone, Debug)]
pub struct CosignedHead {
    signed: SignedHead,
    cosignatures: Vec<Cosignature>,
}

impl CosignedHead {
    /// Checks the lines of `witnesses`; of several by one witness the newest counts. Lines of
    /// unknown keys are ignored, a bad line of a known key is an error.
    pub fn check(signed: SignedHead, witnesses: &[VerifierKey]) -> Result<Self, HeadError> {
        let mut cosignatures = Vec::new();
        for (index, witness) in witnesses.iter().enumerate() {
            let mut newest = None;
            for line in signed.signatures.iter().filter(|s| is_by(s, witness)) {
                let time = check_cosignature(&signed.text, line.signature(), witness)
                    .ok_or_else(|| HeadError::BadCosignature(witness.name().to_owned()))?;
                newest = newest.max(Some(time));
            }
            if let Some(time_secs) = newest {
                cosignatures.push(Cosignature { witness: index, time_secs });
            }
        }
        Ok(Self { signed, cosignatures })
    }

    /// The head without its witnesses.
    pub const fn signed(&self) -> &SignedHead {
        &self.signed
    }

    /// Size and root.
    pub const fn head(&self) -> &TreeHead {
        self.signed.head()
    }

    /// The valid cosignatures, in the order of the witnesses.
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }
}

fn check_cosignature(text: &[u8], raw: &[u8], witness: &VerifierKey) -> Option<u64> {
    let (time, signature) = raw.split_first_chunk::<8>()?;
    let time_secs = u64::from_be_bytes(*time);
    let message = cosigned_message(time_secs, text);
    let valid = witness.kind() == KeyKind::Witness && witness.verifies(&message, signature);
    valid.then_some(time_secs)
}
