//! A program is started that outlives who started it.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "detached-child",
    title: "a program is started that outlives who started it",
    why: "What goes on after the test has ended is not part of the test.",
    check: "What is started, and why must it go on alone?",
    attack: &["T1564.003", "T1106"],
};
