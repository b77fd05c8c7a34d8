//! Installing runs code in a second runtime.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "second-runtime",
    title: "installing runs code in a second runtime",
    why: "Scanners watch the first one; the second one is not looked at.",
    check: "Why does the package need another interpreter at installation?",
    attack: &["T1059"],
};
