//! Findings that somebody has looked at and taken on: by path, rule and content, and in no other way. Whatever file of a
//! finding's way changes by a byte, it is told again.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::report::{self, list, text_of};
use crate::fail::Fail;

/// Bytes of the file that are read.
const LEN_MAX: u64 = 1 << 20;

/// One line of the file: a rule says no more of a file as long as that holds these bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The file, as findings name it.
    pub path: String,
    /// The rule.
    pub rule: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Why it may stay: who reads this later wants to know.
    pub why: String,
}

/// Reads the file: a list in YAML or JSON.
///
/// # Errors
/// It can't be read, or an entry lacks something.
pub fn read(path: &Path) -> Result<Vec<Suppression>, Fail> {
    use std::io::Read as _;
    let malformed = |at: String, why: String| Fail::malformed(path.display(), at, why);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LEN_MAX + 1).read_to_end(&mut bytes))
        .map_err(|e| malformed(String::new(), e.to_string()))?;
    if bytes.len() as u64 > LEN_MAX {
        return Err(malformed(String::new(), format!("it has more than {LEN_MAX} bytes")));
    }
    let all: Vec<Suppression> = serde_saphyr::from_slice(&bytes).map_err(|e| {
        // The first line says what and where; those below draw it.
        let why = e.to_string();
        malformed(String::new(), why.lines().next().unwrap_or_default().to_owned())
    })?;
    for (nth, one) in all.iter().enumerate() {
        let at = || format!("entry {}", nth + 1);
        if !screen::rules::ALL.iter().any(|r| r.id == one.rule) {
            return Err(malformed(at(), format!("there is no rule `{}`", one.rule)));
        }
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if one.sha256.len() != 64 || !one.sha256.chars().all(is_digit) {
            return Err(malformed(at(), "`sha256` is 64 digits, in lower case".to_owned()));
        }
        if one.why.trim().is_empty() {
            return Err(malformed(at(), "`why` says nothing".to_owned()));
        }
    }
    Ok(all)
}

/// Files of a finding: where it stands, and those on its way.
pub fn files(finding: &Value) -> BTreeSet<&str> {
    let way = list(finding, "flow").iter().map(|step| text_of(step, "file"));
    way.chain([text_of(finding, "file")]).collect()
}

/// Takes out of a document the findings all of whose files are suppressed for their rule as they are. They are counted in
/// a member of their own, and the judgement is made again; what was not inspected stays. Those that match nothing come back.
pub fn apply<'s>(
    document: &mut Value,
    hashes: &Value,
    all: &'s [Suppression],
) -> Vec<&'s Suppression> {
    let mut used: BTreeSet<&Suppression> = BTreeSet::new();
    // An answer that says less than it holds is not made better.
    let is_sound = report::verdict(document) == text_of(document, "verdict");
    let taken: Vec<bool> = list(document, "findings")
        .iter()
        .map(|finding| {
            let of = |file: &str| {
                all.iter().find(|s| {
                    s.path == file
                        && s.rule == text_of(finding, "rule")
                        && s.sha256 == text_of(hashes, file)
                })
            };
            let entries: Option<Vec<&Suppression>> = files(finding).into_iter().map(of).collect();
            let is_taken = is_sound && entries.is_some();
            used.extend(entries.into_iter().flatten());
            is_taken
        })
        .collect();
    let mut suppressed = Vec::new();
    if let Some(Value::Array(findings)) = document.get_mut("findings") {
        let mut nth = 0;
        findings.retain(|finding| {
            let is_taken = taken.get(nth).copied().unwrap_or(false);
            nth += 1;
            if is_taken {
                let of = |member: &str| finding.get(member);
                suppressed
                    .push(json!({"rule": of("rule"), "file": of("file"), "line": of("line")}));
            }
            !is_taken
        });
    }
    let held = report::held(document).word();
    if let (Value::Object(members), true) = (document, is_sound) {
        members.insert("verdict".to_owned(), json!(held));
        members.insert("suppressed".to_owned(), json!(suppressed));
    }
    all.iter().filter(|s| !used.contains(s)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suppression(path: &str, sha256: &str) -> Suppression {
        let (path, sha256) = (path.to_owned(), sha256.to_owned());
        Suppression { path, rule: "network-to-shell".to_owned(), sha256, why: "seen".to_owned() }
    }

    fn document() -> Value {
        json!({"verdict": "block", "not_inspected": [], "findings": [{
            "rule": "network-to-shell", "severity": "critical", "confidence": "high", "blocks_by": "B1",
            "file": "b.py", "line": 2, "flow": [{"file": "a.py"}, {"file": "b.py"}],
        }]})
    }

    #[test]
    fn all_files_of_the_way_have_to_be_as_they_were_seen() {
        let hashes = json!({"a.py": "aa", "b.py": "bb"});
        let (a, b) = (suppression("a.py", "aa"), suppression("b.py", "bb"));
        let mut whole = document();
        assert!(apply(&mut whole, &hashes, &[a.clone(), b.clone()]).is_empty());
        assert_eq!((&whole["verdict"], &whole["findings"]), (&json!("no_findings"), &json!([])));
        assert_eq!(
            whole["suppressed"],
            json!([{"rule": "network-to-shell", "file": "b.py", "line": 2}])
        );
        let other_rule = Suppression { rule: "odd-file-runs".to_owned(), ..a.clone() };
        for (case, all) in [
            ("a file of the way is not named", vec![b.clone()]),
            ("a file of the way has changed", vec![suppression("a.py", "a0"), b.clone()]),
            ("another rule", vec![other_rule, b.clone()]),
        ] {
            let mut kept = document();
            let unused = apply(&mut kept, &hashes, &all);
            assert_eq!(report::verdict(&kept), "block", "{case}");
            assert_eq!(kept["findings"], document()["findings"], "{case}");
            assert!(!unused.is_empty(), "{case}");
        }
        // An answer that lies about itself is not made better.
        let mut lies = document();
        lies["verdict"] = json!("no_findings");
        apply(&mut lies, &hashes, &[a, b]);
        assert_eq!(report::verdict(&lies), "block");
        // What was not inspected stays so.
        let mut missed = document();
        missed["not_inspected"] = json!([{"file": "c", "reason": "over a limit"}]);
        apply(&mut missed, &hashes, &[suppression("a.py", "aa"), suppression("b.py", "bb")]);
        assert_eq!(report::verdict(&missed), "incomplete");
    }
}
