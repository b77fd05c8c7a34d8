//! The witness protocol, both sides, sans I/O (C2SP tlog-witness, `add-checkpoint`).
//!
//! A witness remembers the newest head of a log and cosigns only what continues it. The new state
//! must be durable before the cosignature leaves, so [`Known::check`] gives an [`Accepted`] and only
//! that makes the line.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tlog_tiles::Hash;

use crate::head::{NOTE_BYTES_MAX, SignedHead, TreeHead};
use crate::key::{VerifierKey, WitnessSigner};
use crate::proof::{PROOF_HASHES_MAX, check_consistency};

/// Bytes of the largest request: proof lines and a note.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 8 * 1024;

/// Why a witness does not cosign; each is an HTTP status of tlog-witness.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request does not parse.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// 403: the head is not signed by the log's key.
    #[error("tree head is not signed by the log")]
    Unsigned,
    /// 404: a log this witness does not know.
    #[error("log `{0}` is not known here")]
    UnknownLog(String),
    /// 409: the witness is at another size; for a smaller or forked head too.
    #[error("witness is at size {0}")]
    Conflict(u64),
    /// 422: the proof does not hold.
    #[error("consistency proof does not hold")]
    BadProof,
}

impl Refusal {
    /// The HTTP status that says this.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unsigned => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict(_) => 409,
            Self::BadProof => 422,
        }
    }
}

/// A parsed `add-checkpoint` request.
#[derive(Debug, PartialEq)]
pub struct AddHead {
    /// Size the client believes the witness to be at.
    pub old_size: u64,
    /// Consistency proof from there.
    pub proof: Vec<Hash>,
    /// The signed head.
    pub note: Vec<u8>,
}

impl AddHead {
    /// The request body.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = format!("old {}\n", self.old_size).into_bytes();
        for hash in &self.proof {
            body.extend(BASE64_STANDARD.encode(hash.0).into_bytes());
            body.push(b'\n');
        }
        body.push(b'\n');
        body.extend_from_slice(&self.note);
        body
    }

    /// Reads a request body.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad = Refusal::Malformed;
        if body.len() > REQUEST_BYTES_MAX {
            return Err(bad("too large"));
        }
        let text = std::str::from_utf8(body).map_err(|_| bad("not UTF-8"))?;
        let (lines, note) = text.split_once("\n\n").ok_or(bad("no empty line"))?;
        let mut lines = lines.split('\n');
        let old = lines.next().and_then(|l| l.strip_prefix("old ")).ok_or(bad("no old size"))?;
        let old_size: u64 = old.parse().map_err(|_| bad("old size"))?;
        if old_size.to_string() != old {
            return Err(bad("old size"));
        }
        let mut proof = Vec::new();
        for line in lines {
            let bytes = BASE64_STANDARD.decode(line).map_err(|_| bad("proof line"))?;
            let hash: [u8; 32] = bytes.try_into().map_err(|_| bad("proof line"))?;
            if proof.len() == PROOF_HASHES_MAX {
                return Err(bad("proof too long"));
            }
            proof.push(Hash(hash));
        }
        Ok(Self { old_size, proof, note: note.as_bytes().to_vec() })
    }

    /// The origin that the head claims, before anything is checked.
    pub fn origin(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.note).ok()?;
        text.split('\n').next().filter(|line| !line.is_empty())
    }
}

/// What a witness knows of one log.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The log's key, trusted by the operator's own act.
    pub log: VerifierKey,
    /// Newest head cosigned; [`TreeHead::EMPTY`] before the first.
    pub head: TreeHead,
}

/// A head that continues the known one. Make [`Accepted::known`] durable, then [`Accepted::cosign`].
#[derive(Debug)]
pub struct Accepted {
    signed: SignedHead,
    known: Known,
}

impl Known {
    /// Decides on a request. The same size may be cosigned again; less, or another root, never.
    pub fn check(&self, request: &AddHead) -> Result<Accepted, Refusal> {
        let signed = SignedHead::parse(&request.note, &self.log).map_err(|_| Refusal::Unsigned)?;
        let new = *signed.head();
        if request.old_size > new.size {
            return Err(Refusal::Malformed("old size is larger than the head"));
        }
        if request.old_size != self.head.size {
            return Err(Refusal::Conflict(self.head.size));
        }
        if new.size == self.head.size && new.root != self.head.root {
            return Err(Refusal::Conflict(self.head.size));
        }
        if self.head.size > 0 {
            check_consistency(&request.proof, &self.head, &new).map_err(|_| Refusal::BadProof)?;
        } else if !request.proof.is_empty() {
            return Err(Refusal::BadProof);
        }
        // INVARIANT: a witness's size never falls.
        let known = Self { log: self.log.clone(), head: new };
        Ok(Accepted { signed, known })
    }
}

impl Accepted {
    /// The state that must be durable before the cosignature leaves.
    pub const fn known(&self) -> &Known {
        &self.known
    }

    /// The response body: one cosignature line at `time_secs`.
    pub fn cosign(self, signer: &WitnessSigner, time_secs: u64) -> Option<Vec<u8>> {
        self.signed.cosign(signer, time_secs)
    }
}
