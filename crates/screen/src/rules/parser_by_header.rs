//! The server decides by a header how its answer is parsed.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "parser-by-header",
    title: "the server decides by a header how its answer is parsed",
    why: "An answer that was plain data yesterday becomes code when the server says so.",
    check: "Which parsers can it choose, and do they build objects or run code?",
    attack: &["T1059", "T1071.001"],
};
