//! A lock file leads somewhere else than it says.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "lock-file",
    title: "a lock file leads somewhere else than it says",
    why: "Installers fetch what the lock file names, whatever the manifest says.",
    check: "Does the address belong to the registry and to the package of that name?",
    attack: &["T1195.001"],
};
