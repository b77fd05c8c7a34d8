//! Inclusion and consistency proofs of RFC 6962, section 2.1, with bounds on what is taken from outside.

use tlog_tiles::{Hash, check_record, check_tree};

use crate::head::{SIZE_MAX, TreeHead};

/// Most hashes in a proof over a tree of at most 2^40 entries.
pub const PROOF_HASHES_MAX: usize = 64;

/// Why a proof was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// Sizes or indices that no proof can relate.
    #[error("no proof can relate {0} to a tree of {1} entries")]
    Range(u64, u64),
    /// The proof does not lead to the root.
    #[error("proof does not lead to the root of {0} entries")]
    Mismatch(u64),
}

/// Checks that the entry with `leaf` hash stands at `index` in the tree of `head`.
pub fn check_inclusion(
    proof: &[Hash],
    head: &TreeHead,
    index: u64,
    leaf: Hash,
) -> Result<(), ProofError> {
    if index >= head.size || head.size > SIZE_MAX || proof.len() > PROOF_HASHES_MAX {
        return Err(ProofError::Range(index, head.size));
    }
    check_record(&proof.to_vec(), head.size, head.root, index, leaf)
        .map_err(|_| ProofError::Mismatch(head.size))
}

/// Checks that the tree of `old` is a prefix of the tree of `new`. Nothing is proven of the empty
/// tree (every tree continues it), so `old` must have an entry.
pub fn check_consistency(proof: &[Hash], old: &TreeHead, new: &TreeHead) -> Result<(), ProofError> {
    if old.size == 0 || old.size > new.size || new.size > SIZE_MAX || proof.len() > PROOF_HASHES_MAX
    {
        return Err(ProofError::Range(old.size, new.size));
    }
    if old.size == new.size {
        let same = proof.is_empty() && old.root == new.root;
        return if same { Ok(()) } else { Err(ProofError::Mismatch(new.size)) };
    }
    check_tree(&proof.to_vec(), new.size, new.root, old.size, old.root)
        .map_err(|_| ProofError::Mismatch(new.size))
}
