//! A file is written, run and taken away again.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "drop-run-delete",
    title: "a file is written, run and taken away again",
    why: "Who removes what was run does not want it to be looked at.",
    check: "What stands in the file, and who put it there?",
    attack: &["T1070.004", "T1059"],
};
