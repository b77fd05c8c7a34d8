//! Succession: a new log after the bytes behind a backup are lost or withheld (DESIGN 5, ADR 0005).
//!
//! It moves the log to a new origin and nothing else: roster, policy, allow-list and witnesses stay.

use tlog::proof::check_inclusion;
use tlog::{Hash, SignedHead, TreeHead, VerifierKey, record_hash};

use crate::change::ChangeSignature;
use crate::digest::{Digest, Tag, hex};
use crate::wire::wire_struct;

/// How long the people wait, by the witnesses' time, for someone who has a later entry.
pub const WAIT_SECS: u64 = 12 * 3600;
/// Intents that a declaration names as released, at most: the record fits into one entry.
pub const RELEASED_MAX: usize = 256;
/// What stands between the first log's origin and a successor's own part of the name.
const SUFFIX: &str = "/succession-";

/// What the governance quorum of the backup's roster declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The vault.
    pub vault_id: Digest,
    /// Verifier key of the new log: the old one's key under a new origin.
    pub new_log: String,
    /// Size of the old log's newest witnessed head.
    pub old_size: u64,
    /// Its root.
    pub old_root: [u8; 32],
    /// Entries of the old log that the backup holds; they are the new log's first.
    pub backup_size: u64,
    /// Intents that were released since, as far as the people know.
    pub released: Vec<Digest>,
    /// Makes two like declarations two.
    pub nonce: [u8; 16],
}
wire_struct!(Declaration { vault_id, new_log, old_size, old_root, backup_size, released, nonce });

impl Declaration {
    /// The digest that people sign.
    pub fn digest(&self) -> Digest {
        Tag::Succession.of(self)
    }

    /// What review keys sign.
    pub fn review_digest(&self) -> Digest {
        Tag::Review.digest(&self.digest().0)
    }

    /// The head that the declaration names, the witnesses' newest of the old log.
    pub const fn old_head(&self) -> TreeHead {
        TreeHead { size: self.old_size, root: Hash(self.old_root) }
    }

    /// The new log's key, if it is the vault's own log key under a name of its own.
    pub fn log_key(&self, first: &VerifierKey) -> Result<VerifierKey, String> {
        let key = VerifierKey::parse(&self.new_log).map_err(|e| e.to_string())?;
        if key.key() != first.key() || key.kind() != first.kind() {
            return Err("the new log is not signed by the cosigner's log key".to_owned());
        }
        if !is_successor(first.name(), key.name()) {
            return Err("the new log's origin is no successor of the vault's".to_owned());
        }
        Ok(key)
    }

    /// One sentence for people.
    pub fn describe(&self) -> String {
        format!(
            "succession: the old log's {} newest entries of {} are given up; {} goes on; {} intents were released since",
            self.old_size.saturating_sub(self.backup_size),
            self.old_size,
            self.new_log.split('+').next().unwrap_or_default(),
            self.released.len()
        )
    }
}

/// Key of a successor of the log `first`; `unique` makes the name one that no log ever had.
pub fn successor(first: &VerifierKey, unique: &[u8; 16]) -> Result<VerifierKey, String> {
    let name = format!("{}{SUFFIX}{}", first.name(), hex(unique));
    VerifierKey::new(&name, first.kind(), *first.key()).map_err(|e| e.to_string())
}

/// Whether a log's name is one that a succession of the vault's first log gives.
pub fn is_successor(first: &str, name: &str) -> bool {
    let unique = name.strip_prefix(first).and_then(|rest| rest.strip_prefix(SUFFIX));
    unique.is_some_and(|u| u.len() == 32 && u.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Key under which a vault's log goes on, by the name in a head: the first log's, or a successor's.
/// Whether there was a succession is for the log's entries to show; the key is the cosigner's.
pub fn key_of_head(first: &VerifierKey, note: &[u8]) -> Result<VerifierKey, String> {
    let origin = note.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let origin = std::str::from_utf8(origin).map_err(|e| e.to_string())?;
    if origin == first.name() {
        return Ok(first.clone());
    }
    if !is_successor(first.name(), origin) {
        return Err("the head is of another log".to_owned());
    }
    VerifierKey::new(origin, first.kind(), *first.key()).map_err(|e| e.to_string())
}

/// A declaration and its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// What is declared.
    pub declaration: Declaration,
    /// By whom.
    pub signatures: Vec<ChangeSignature>,
}
wire_struct!(Succession { declaration, signatures });

/// A later entry of the old log, from whoever still has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its number in the old log.
    pub entry: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its inclusion in the head.
    pub proof: Vec<[u8; 32]>,
    /// A head of the old log that the cosigner signed, as in an acknowledgement; empty for the head
    /// that the declaration names.
    pub head: Vec<u8>,
}
wire_struct!(Recovered { entry, bytes, proof, head });

impl Recovered {
    /// Checks that the entry stood in the old log, behind what the backup holds.
    pub fn check(&self, declaration: &Declaration, old: &VerifierKey) -> Result<(), String> {
        if self.entry < declaration.backup_size {
            return Err(format!("entry {} is in the backup", self.entry));
        }
        let head = if self.head.is_empty() {
            declaration.old_head()
        } else {
            *SignedHead::parse(&self.head, old).map_err(|e| e.to_string())?.head()
        };
        let proof: Vec<Hash> = self.proof.iter().map(|h| Hash(*h)).collect();
        check_inclusion(&proof, &head, self.entry, record_hash(&self.bytes))
            .map_err(|e| format!("entry {}: {e}", self.entry))
    }
}
