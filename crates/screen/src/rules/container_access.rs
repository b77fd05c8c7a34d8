//! A container may touch the machine that it runs on.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "container-access",
    title: "a container may touch the machine that it runs on",
    why: "A container that sees the keys, the engine's socket or all of the disk is no wall.",
    check: "Does the service need what is mounted or allowed here?",
    attack: &["T1611"],
};
