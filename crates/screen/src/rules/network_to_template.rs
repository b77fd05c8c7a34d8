//! Bytes from the network reach a template engine that takes code.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "network-to-template",
    title: "bytes from the network reach a template as code",
    why: "Templates and their options may hold code: fetching them is running it.",
    check: "Read the flow: is the template, or one of its options, from that endpoint?",
    attack: &["T1059", "T1105"],
};
