//! A command takes protection away.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "protection-off",
    title: "a command takes protection away",
    why: "Only who wants to do what the protection stops needs it gone.",
    check: "Which protection is it, and who asked for that?",
    attack: &["T1562.001"],
};
