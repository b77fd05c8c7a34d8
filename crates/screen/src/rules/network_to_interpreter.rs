//! Bytes from the network are run as code.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "network-to-interpreter",
    title: "bytes from the network are run as code",
    why: "Whoever holds that endpoint decides what this machine does, today or in a month.",
    check: "Fetch nothing. Read the flow: is the answer of that endpoint given to exec, eval or the like?",
    attack: &["T1059.006", "T1105"],
};
