//! Something is made to start by itself later on.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "persistence",
    title: "something is made to start by itself later on",
    why: "A test has no reason to be there tomorrow.",
    check: "What is written, and where?",
    attack: &["T1543", "T1547", "T1053"],
};
