//! What screening found, for people, for programs and for code hosts (SARIF 2.1.0).

use bitcoin::hashes::{Hash as _, sha256};
use screen::Verdict;
use screen::finding::Confidence;
use serde_json::{Value, json};

use crate::cmd::Context;
use crate::fail::{Done, Fail};
use crate::show::{clean, counted};

/// The tool and its rules, by hash.
pub fn tool() -> Value {
    let rules: String = screen::rules::ALL
        .iter()
        .map(|r| format!("{}\n{}\n{}\n{}\n{:?}\n", r.id, r.title, r.why, r.check, r.attack))
        .collect();
    json!({"version": env!("CARGO_PKG_VERSION"), "rules_sha256": sha256::Hash::hash(rules.as_bytes()).to_string()})
}

pub fn text_of<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], |list| list)
}

fn number(value: &Value, member: &str) -> u64 {
    value.get(member).and_then(Value::as_u64).unwrap_or(0)
}

/// The verdict of a document, read from what it holds and not only from its word: an answer comes from a process that
/// read hostile bytes. What says less than it holds is `block`.
pub fn verdict(document: &Value) -> &'static str {
    let held = held(document);
    if text_of(document, "verdict") == held.word() { held.word() } else { Verdict::Block.word() }
}

/// The verdict that follows from what a document holds.
pub fn held(document: &Value) -> Verdict {
    let findings = list(document, "findings");
    let blocks = |f: &Value| {
        !text_of(f, "blocks_by").is_empty() && text_of(f, "confidence") == Confidence::High.word()
    };
    let reviews = |f: &Value| !matches!(text_of(f, "severity"), "note" | "low");
    if findings.iter().any(blocks) {
        Verdict::Block
    } else if findings.iter().any(reviews) {
        Verdict::Review
    } else if list(document, "not_inspected").is_empty() {
        Verdict::NoFindings
    } else {
        Verdict::Incomplete
    }
}

/// Whether a document has what every answer has.
pub fn is_sound(document: &Value) -> bool {
    let words = [Verdict::Block, Verdict::Review, Verdict::Incomplete, Verdict::NoFindings];
    document.get("findings").is_some_and(Value::is_array)
        && document.get("not_inspected").is_some_and(Value::is_array)
        && words.iter().any(|v| v.word() == text_of(document, "verdict"))
}

/// The report for people.
pub fn text(document: &Value) -> String {
    let (findings, missed) = (list(document, "findings"), list(document, "not_inspected"));
    let verdict = match (verdict(document), findings.len()) {
        ("block", _) => "BLOCK: don't open, install or run it".to_owned(),
        ("review", _) => "REVIEW: a person must look at it first".to_owned(),
        ("incomplete", 0) => "INCOMPLETE: nothing was found in what could be read".to_owned(),
        ("incomplete", notes) => format!(
            "INCOMPLETE: in what could be read {} for your information, nothing worse",
            counted(notes, "note")
        ),
        (_, 0) => "NO FINDINGS, which is not the same as safe".to_owned(),
        (_, notes) => format!(
            "NO FINDINGS that block or need a review, which is not the same as safe; {} below",
            counted(notes, "note")
        ),
    };
    let mut text = format!("{}\n{verdict}\n", clean(text_of(document, "path")));
    for finding in findings {
        let blocks = match text_of(finding, "blocks_by") {
            "" => String::new(),
            by => format!(", blocks by {by}"),
        };
        text.push_str(&format!(
            "\n{}  {} ({} confidence{blocks})\n  fires: {}\n  {}:{}:{}  {}\n",
            text_of(finding, "severity").to_uppercase(),
            text_of(finding, "title"),
            text_of(finding, "confidence"),
            fires(text_of(finding, "fires")),
            clean(text_of(finding, "file")),
            number(finding, "line"),
            number(finding, "column"),
            clean(text_of(finding, "excerpt"))
        ));
        for (nth, step) in list(finding, "flow").iter().enumerate() {
            text.push_str(&format!(
                "    {}. {}:{}  {}\n",
                nth + 1,
                clean(text_of(step, "file")),
                number(step, "line"),
                clean(text_of(step, "what"))
            ));
        }
        text.push_str(&format!(
            "  why: {}\n  check: {}\n  rule: {}\n",
            text_of(finding, "why"),
            text_of(finding, "check"),
            text_of(finding, "rule")
        ));
    }
    if !missed.is_empty() {
        let files: std::collections::BTreeSet<&str> =
            missed.iter().map(|m| text_of(m, "file")).collect();
        text.push_str(&format!("\nnot inspected: {}\n", counted(files.len(), "file")));
        for miss in missed.iter().take(20) {
            let (file, reason) = (clean(text_of(miss, "file")), clean(text_of(miss, "reason")));
            text.push_str(&format!("  {file}: {reason}\n"));
        }
        if missed.len() > 20 {
            text.push_str(&format!("  and {} more (--format json has all)\n", missed.len() - 20));
        }
    }
    if let Some(upstream) = document.get("upstream") {
        let names = |member: &str| {
            let all = list(upstream, member);
            let shown: Vec<String> =
                all.iter().take(10).filter_map(Value::as_str).map(clean).collect();
            let more = if all.len() > shown.len() { ", …" } else { "" };
            match all.len() {
                0 => "none".to_owned(),
                count => format!("{count} ({}{more})", shown.join(", ")),
            }
        };
        text.push_str(&format!(
            "\nof the project that it claims to be: {} files the same, not told; changed: {}; added: {}; left out: {}\n",
            number(upstream, "same"),
            names("changed"),
            names("added"),
            names("missing")
        ));
    }
    if !list(document, "suppressed").is_empty() {
        let all = list(document, "suppressed");
        text.push_str(&format!("\nsuppressed: {}\n", counted(all.len(), "finding")));
        for one in all {
            let (file, rule) = (clean(text_of(one, "file")), text_of(one, "rule"));
            text.push_str(&format!("  {file}:{}  {rule}\n", number(one, "line")));
        }
    }
    if let Some(stats) = document.get("stats") {
        let files = usize::try_from(number(stats, "files")).unwrap_or(usize::MAX);
        let found = counted(findings.len(), "finding");
        text.push_str(&format!(
            "\n{}, {found}, {} ms",
            counted(files, "file"),
            number(stats, "ms")
        ));
    }
    text
}

/// When something fires, in words.
fn fires(word: &str) -> &str {
    match word {
        "open" => "open: when the folder is opened in an editor",
        "git" => "git: when git is used in the folder",
        "install" => "install: when it is installed",
        "test" => "test: when its tests are run",
        "import" => "import: when its code is imported",
        "run" => "run: when it is run",
        "build" => "build: when it is built",
        "container" => "container: when its container is built or started",
        other => other,
    }
}

/// A path as a relative reference (RFC 3986, section 4.2): what has no place in one is escaped, and no part of it is taken
/// for a scheme.
fn uri(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&b);
    let shown = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    let text: String = path.bytes().map(shown).collect();
    // Two slashes would begin a host.
    if text.starts_with("//") { format!(".{text}") } else { text }
}

/// What was found, when it fires, and the way of it in a sentence.
fn message(finding: &Value) -> String {
    let steps: Vec<&str> = list(finding, "flow").iter().map(|s| text_of(s, "what")).collect();
    let (title, fires) = (text_of(finding, "title"), text_of(finding, "fires"));
    format!("{title}; fires: {fires}; {}", steps.join(", then "))
}

/// All documents as one run of SARIF 2.1.0.
pub fn sarif(documents: &[Value]) -> Value {
    let rules: Vec<Value> = screen::rules::ALL
        .iter()
        .map(|r| {
            json!({"id": r.id, "shortDescription": {"text": r.title}, "fullDescription": {"text": r.why},
                "help": {"text": r.check}, "properties": {"tags": r.attack}})
        })
        .collect();
    let location = |file: &str, line: u64, column: u64| {
        json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line.max(1), "startColumn": column.max(1)}}})
    };
    let result = |f: &Value| {
        let level = match (text_of(f, "blocks_by"), text_of(f, "severity")) {
            ("", "note" | "low") => "note",
            ("", _) => "warning",
            _ => "error",
        };
        let steps: Vec<Value> = list(f, "flow")
            .iter()
            .map(|s| {
                let mut location = location(text_of(s, "file"), number(s, "line"), 1);
                if let Value::Object(members) = &mut location {
                    members.insert("message".to_owned(), json!({"text": text_of(s, "what")}));
                }
                json!({"location": location})
            })
            .collect();
        let mut result = json!({
            "ruleId": text_of(f, "rule"), "level": level,
            "message": {"text": message(f)},
            "locations": [location(text_of(f, "file"), number(f, "line"), number(f, "column"))],
        });
        if let (Value::Object(members), false) = (&mut result, steps.is_empty()) {
            members
                .insert("codeFlows".to_owned(), json!([{"threadFlows": [{"locations": steps}]}]));
        }
        result
    };
    let results: Vec<Value> =
        documents.iter().flat_map(|d| list(d, "findings")).map(result).collect();
    let missed: Vec<Value> = documents
        .iter()
        .flat_map(|d| list(d, "not_inspected"))
        .map(|m| {
            let text = format!("not inspected: {}: {}", text_of(m, "file"), text_of(m, "reason"));
            json!({"level": "warning", "message": {"text": text}})
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "countersign screen", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": missed}],
            "results": results,
        }],
    })
}

/// `screen rules`.
pub fn rules(cx: Context, id: Option<&str>) -> Done {
    let shown: Vec<_> =
        screen::rules::ALL.into_iter().filter(|r| id.is_none_or(|id| r.id == id)).collect();
    if shown.is_empty() {
        let known: Vec<_> = screen::rules::ALL.iter().map(|r| r.id).collect();
        let why = format!("no such rule; there are {}", known.join(", "));
        return Err(Fail::malformed("rule", id.unwrap_or_default(), why));
    }
    let json: Vec<Value> = shown
        .iter()
        .map(|r| json!({"id": r.id, "title": r.title, "why": r.why, "check": r.check, "attack": r.attack}))
        .collect();
    let line = |r: &&screen::rules::Rule| match id {
        None => format!("{:<26}{}\n", r.id, r.title),
        Some(_) => format!(
            "{}\n  {}\n  why: {}\n  check: {}\n  ATT&CK: {}\n",
            r.id,
            r.title,
            r.why,
            r.check,
            r.attack.join(", ")
        ),
    };
    cx.say(&json!(json), &shown.iter().map(line).collect::<String>());
    Ok(())
}
