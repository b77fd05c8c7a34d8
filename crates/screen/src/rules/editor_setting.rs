//! An editor's setting leads to a program of the folder, or takes protection away.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "editor-setting",
    title: "an editor's setting leads to a program of the folder, or takes protection away",
    why: "Settings of a folder act as soon as it is opened.",
    check: "Is the program one that you know, and is trust still asked for?",
    attack: &["T1546", "T1562.001"],
};
