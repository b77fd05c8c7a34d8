//! Characters that can't be seen, or that look like others, stand in code.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "hidden-characters",
    title: "characters that can't be seen, or that look like others, stand in code",
    why: "What a reader sees is not what the machine runs.",
    check: "Look at the bytes of the line, and at why they are there.",
    attack: &["T1027", "T1036"],
};
