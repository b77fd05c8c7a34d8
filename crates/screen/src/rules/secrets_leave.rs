//! Secrets are sent away.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "secrets-leave",
    title: "secrets are sent away",
    why: "Keys, passwords, browser stores and wallets are what such programs are after.",
    check: "Which files are opened, and is their content in the request?",
    attack: &["T1555", "T1552.001", "T1041"],
};
