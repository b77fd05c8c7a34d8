//! A program of the machine lies in the tree.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "native-program",
    title: "a program of the machine lies in the tree",
    why: "It is of the type that its name says; what it does is not looked into.",
    check: "Where does it come from, and can it be built from source?",
    attack: &["T1204.002"],
};
