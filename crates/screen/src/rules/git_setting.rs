//! A setting makes git run a program.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "git-setting",
    title: "a setting makes git run a program",
    why: "git runs hooks, filters and monitors on everyday commands; the settings of a cloned folder should have none.",
    check: "Who wrote the setting? A clone never brings one.",
    attack: &["T1546", "T1059.004"],
};
