//! A setting makes a tool run a program of the folder.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "tool-setting",
    title: "a setting makes a tool run a program of the folder",
    why: "Settings of a package manager act on the next command.",
    check: "Is the program one that you know?",
    attack: &["T1546", "T1059"],
};
