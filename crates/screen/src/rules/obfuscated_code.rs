//! Code was made unreadable on purpose.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "obfuscated-code",
    title: "code was made unreadable on purpose",
    why: "Minified code is short; this is written to hide what it does.",
    check: "Why would a test hide its own code?",
    attack: &["T1027"],
};
