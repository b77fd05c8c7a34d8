//! How a command ends when it does not end well, and the exit code for it.

use std::fmt;

use serde_json::json;
use withdrawal::code::Code;

/// Exit codes of every command (`docs/cli.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Ok = 0,
    /// I/O or something inside failed.
    Failed = 1,
    /// Usage or malformed input.
    Malformed = 2,
    /// Refused, held, not verified or not anchored.
    Refused = 3,
    /// Findings that block.
    Blocks = 10,
    /// Findings to review.
    Review = 11,
}

/// A command that did not succeed.
#[derive(Debug)]
pub enum Fail {
    /// Exit 1.
    Failed(String),
    /// Exit 2, with the place.
    Malformed {
        /// The file or argument.
        file: String,
        /// Where in it.
        at: String,
        /// What is wrong.
        detail: String,
    },
    /// Exit 3.
    Refused(Code, String),
    /// Exit 3: a graph or a case folder is not what was written.
    Damaged(String),
    /// Exit 3; everything was said already.
    Said,
    /// A judgement that was said already, with its exit code.
    Judged(Exit),
}

/// What commands return.
pub type Done = Result<(), Fail>;

impl Fail {
    /// Malformed input in a file or argument.
    pub fn malformed(
        file: impl fmt::Display,
        at: impl fmt::Display,
        detail: impl fmt::Display,
    ) -> Self {
        Self::Malformed { file: file.to_string(), at: at.to_string(), detail: detail.to_string() }
    }

    /// A violation: malformed input where it is that.
    pub fn of(violation: withdrawal::code::Violation) -> Self {
        match violation.code {
            Code::Malformed => Self::malformed("input", "", violation.detail),
            code => Self::Refused(code, violation.detail),
        }
    }

    /// An I/O or internal failure.
    pub fn failed(what: impl fmt::Display) -> Self {
        Self::Failed(what.to_string())
    }

    /// The exit code.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Failed(_) => Exit::Failed,
            Self::Malformed { .. } => Exit::Malformed,
            Self::Refused(..) | Self::Damaged(_) | Self::Said => Exit::Refused,
            Self::Judged(exit) => *exit,
        }
    }

    /// Prints it once: for programs on stdout, for people on stderr.
    pub fn print(&self, json: bool) {
        let (code, file, at, detail) = match self {
            Self::Said | Self::Judged(_) => return,
            Self::Failed(detail) => ("FAILED", "", "", detail.as_str()),
            Self::Damaged(detail) => ("DAMAGED", "", "", detail.as_str()),
            Self::Malformed { file, at, detail } => {
                ("MALFORMED", file.as_str(), at.as_str(), detail.as_str())
            }
            Self::Refused(code, detail) => (code.name(), "", "", detail.as_str()),
        };
        if json {
            let error = match self {
                Self::Malformed { .. } => {
                    json!({"error": {"code": code, "file": file, "at": at, "detail": detail}})
                }
                _ => json!({"error": {"code": code, "detail": detail}}),
            };
            crate::show::out(&error.to_string());
            return;
        }
        let clean = crate::show::clean;
        let (file, at, detail) = (clean(file), clean(at), clean(detail));
        crate::show::tell(&match self {
            Self::Malformed { .. } if at.is_empty() => format!("countersign: {file}: {detail}"),
            Self::Malformed { .. } => format!("countersign: {file}: {at}: {detail}"),
            Self::Refused(..) => format!("countersign: refused: {code}: {detail}"),
            _ => format!("countersign: {detail}"),
        });
    }
}

impl From<coordinator::Error> for Fail {
    fn from(error: coordinator::Error) -> Self {
        match error {
            coordinator::Error::Malformed { what, detail } => Self::malformed(what, "", detail),
            coordinator::Error::Refused(Code::Malformed, detail) => {
                Self::malformed("input", "", detail)
            }
            coordinator::Error::Refused(code, detail) => Self::Refused(code, detail),
            other => Self::failed(other),
        }
    }
}

impl From<cosigner::CoreError> for Fail {
    fn from(error: cosigner::CoreError) -> Self {
        match error {
            cosigner::CoreError::Malformed(detail) => Self::malformed("input", "", detail),
            cosigner::CoreError::Refused(code, detail) => Self::Refused(code, detail),
            other => Self::failed(other),
        }
    }
}

impl From<chaingraph::OpenError> for Fail {
    fn from(error: chaingraph::OpenError) -> Self {
        use chaingraph::OpenError::{Busy, Damaged, Format, Io, Missing, Unfinished};
        match &error {
            Damaged { .. } => Self::Damaged(error.to_string()),
            Missing { path } => {
                Self::malformed(path.display(), "", "is no graph: `graph build` makes one")
            }
            Format { path, .. } => Self::malformed(path.display(), "", &error),
            Busy { .. } | Io { .. } | Unfinished { .. } => Self::failed(error),
        }
    }
}

impl From<chaingraph::BuildError> for Fail {
    fn from(error: chaingraph::BuildError) -> Self {
        use chaingraph::BuildError::{
            BadBlock, Damaged, Io, Locked, MixedNetworks, NoBlocks, NotAGraph, OtherNetwork,
        };
        match error {
            BadBlock { path, offset, reason } => {
                Self::malformed(path.display(), format!("byte {offset}"), reason)
            }
            MixedNetworks { ref path, offset, .. } => {
                Self::malformed(path.display(), format!("byte {offset}"), &error)
            }
            NoBlocks { ref path } | OtherNetwork { ref path, .. } => {
                Self::malformed(path.display(), "", &error)
            }
            Io { ref path, ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::malformed(path.display(), "", "no such file or folder")
            }
            Damaged(error) => error.into(),
            Io { .. } | Locked { .. } | NotAGraph { .. } => Self::failed(error),
        }
    }
}
