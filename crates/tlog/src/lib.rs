//! A tamper-evident log, sans I/O: append yields writes and a head, anyone checks the result offline.
//!
//! Formats are those of C2SP: [tlog-tiles], [signed-note], [tlog-checkpoint] (here called a *tree
//! head*), [tlog-cosignature], [tlog-witness] and [tlog-policy]. Hashes and proofs come from
//! `tlog_tiles`, notes from `signed_note`. This crate has no clock and no network; [`dir`] is the one
//! module that touches files.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [signed-note]: https://c2sp.org/signed-note
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [tlog-cosignature]: https://c2sp.org/tlog-cosignature
//! [tlog-witness]: https://c2sp.org/tlog-witness
//! [tlog-policy]: https://c2sp.org/tlog-policy

pub mod bundle;
pub mod dir;
pub mod head;
pub mod key;
pub mod log;
pub mod policy;
pub mod proof;
pub mod verify;
pub mod witness;

pub use head::{Cosignature, CosignedHead, SignedHead, TreeHead};
pub use key::{LogSigner, VerifierKey, WitnessSigner};
pub use policy::WitnessPolicy;
pub use tlog_tiles::{Hash, record_hash};
