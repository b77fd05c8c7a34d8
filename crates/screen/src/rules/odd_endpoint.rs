//! One data source is unlike its siblings.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "odd-endpoint",
    title: "one data source is unlike its siblings",
    why: "The one that differs is the one that can be changed later.",
    check: "Why is this source on another host than the others?",
    attack: &["T1071.001"],
};
