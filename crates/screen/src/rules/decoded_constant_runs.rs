//! An encoded constant is decoded and run.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "decoded-constant-runs",
    title: "an encoded constant is decoded and run",
    why: "Code is encoded so that nobody reads it.",
    check: "Decode it by hand, without running it, and read it.",
    attack: &["T1027", "T1140"],
};
