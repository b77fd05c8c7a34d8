//! One data source is reached unlike its siblings: by address, port or protocol.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "odd-endpoint",
    title: "one data source is reached unlike its siblings",
    why: "The one that differs is the one that can be changed later.",
    check: "Why has this one another kind of address, port or protocol than the others? (Hosts all differ; where its bytes go is told by their flow.)",
    attack: &["T1071.001"],
};
