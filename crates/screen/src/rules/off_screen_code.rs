//! Code stands far right, where no window shows it.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "off-screen-code",
    title: "code stands far right, where no window shows it",
    why: "A line that looks empty after some blanks is not.",
    check: "Scroll to the end of the line.",
    attack: &["T1027", "T1036"],
};
