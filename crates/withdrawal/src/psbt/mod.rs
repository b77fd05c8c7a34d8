//! PSBT inspection: what a transaction spends and pays, proven, or an error.

mod inputs;
mod inspect;
mod outputs;
pub mod raw;

pub use inspect::{Inspection, inspect, to_binary};
pub use raw::{INPUTS_MAX, OUTPUTS_MAX};

use crate::code::Violation;

/// Why a PSBT was not inspected to the end.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PsbtFault {
    /// It does not parse.
    #[error("byte {at}: {detail}")]
    Malformed {
        /// Offset, 0 where only the field is known.
        at: usize,
        /// What is wrong, with the field.
        detail: String,
    },
    /// It is well-formed so far and over a limit.
    #[error("{}: {}", .0.code, .0.detail)]
    Refused(Violation),
}

pub(crate) fn malformed(at: usize, detail: impl Into<String>) -> PsbtFault {
    PsbtFault::Malformed { at, detail: detail.into() }
}
