//! Succession: a new log after the bytes behind a backup are lost or withheld.

use tlog::Hash;

use crate::change::ChangeSignature;
use crate::digest::{Digest, Tag};
use crate::wire::wire_struct;

/// How long the people wait, by the witnesses' time, for someone who has a later entry.
pub const WAIT_SECS: u64 = 12 * 3600;

/// What the governance quorum of the backup's roster declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The vault.
    pub vault_id: Digest,
    /// Verifier key of the new log.
    pub new_log: String,
    /// Size of the old log's newest witnessed head.
    pub old_size: u64,
    /// Its root.
    pub old_root: [u8; 32],
    /// Entries of the old log that the backup holds.
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

    /// The old head's root as the log crate has it.
    pub const fn old_hash(&self) -> Hash {
        Hash(self.old_root)
    }
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
