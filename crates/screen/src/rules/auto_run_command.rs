//! A command that runs by itself fetches and runs.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "auto-run-command",
    title: "a command that nobody asks for fetches code and runs it",
    why: "It fires before a line of the code is read.",
    check: "Read the command; fetch nothing.",
    attack: &["T1204.002", "T1105", "T1059.004"],
};
