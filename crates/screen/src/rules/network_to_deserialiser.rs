//! Bytes from the network reach a deserialiser that builds whatever they name.

use super::Rule;

/// The rule.
pub const RULE: Rule = Rule {
    id: "network-to-deserialiser",
    title: "bytes from the network reach an unsafe deserialiser",
    why: "Such a deserialiser calls any function that the bytes name: fetching data is running code. It is how TraderTraitor's coding tests fire.",
    check: "Is the loader a safe one (yaml.safe_load, weights_only)? Is this endpoint unlike the other ones?",
    attack: &["T1059.006", "T1105"],
};
