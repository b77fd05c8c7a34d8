//! Something runs as soon as the folder is opened.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "auto-run-open",
    title: "something runs as soon as the folder is opened",
    why: "Editors run such tasks once the folder is trusted, which is one click.",
    check: "Read the command. Does a coding test need it?",
    attack: &["T1204.002"],
};
