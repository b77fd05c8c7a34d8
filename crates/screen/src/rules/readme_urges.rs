//! A document urges to take protection away.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "readme-urges",
    title: "a document urges to take protection away",
    why: "The only one who gains from it is who sent the document.",
    check: "What is the protection, and why would this need it gone?",
    attack: &["T1562.001", "T1204"],
};
