//! Installing starts the application itself.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "install-starts-app",
    title: "installing starts the application itself",
    why: "Whoever installs a test has run it, before reading it.",
    check: "Does the script need to run at installation?",
    attack: &["T1059.007", "T1204.002"],
};
