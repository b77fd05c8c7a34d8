//! Bytes from the network reach a shell or another process.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "network-to-shell",
    title: "bytes from the network reach a shell",
    why: "Whoever holds that endpoint decides which commands run here.",
    check: "Read the flow: which words of the command come from the answer?",
    attack: &["T1059.004", "T1105"],
};
