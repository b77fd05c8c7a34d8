//! A file is not what its name says.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "type-mismatch",
    title: "a file is not what its name says",
    why: "Code under the name of a picture or font is there to be overlooked.",
    check: "Open the file as text; who reads or runs it?",
    attack: &["T1036.008"],
};
