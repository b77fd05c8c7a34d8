//! A command that runs by itself runs a file that is not what its name says.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "auto-run-odd-file",
    title: "a command that nobody asks for runs a file whose type belies its name",
    why: "Code is hidden in a font or a picture so that nobody reads it.",
    check: "Open the file in a viewer of text.",
    attack: &["T1036.008", "T1204.002"],
};
