//! A file whose name says that it is data is run as code.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "odd-file-runs",
    title: "a file whose name says that it is data is run as code",
    why: "Nobody reads a font or a picture; an interpreter does.",
    check: "Open the file as text.",
    attack: &["T1036.008"],
};
