//! Code that runs when it is built fetches and starts something.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "build-fetches",
    title: "code that runs when it is built fetches and starts something",
    why: "Building is running: build scripts and macros have all rights of who builds.",
    check: "What is fetched, and what is done with it?",
    attack: &["T1195.001", "T1059"],
};
