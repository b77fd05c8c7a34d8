//! Every rule has fixtures where it fires and where it must not, and a snapshot of what it says. Hosts end in
//! `.invalid`; nothing in the fixtures does harm, and nothing of them is run. `SCREEN_WRITE_SNAPSHOTS` writes the snapshots.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that meets the unexpected has failed"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use screen::rules;
use screen::{File, Tree, Verdict};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(root: &Path) -> Tree {
    let mut tree = Tree::default();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                tree.files.push(File { path: name, bytes: std::fs::read(&path).unwrap() });
            }
        }
    }
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    tree
}

#[test]
fn every_rule_fires_where_it_should_and_says_what_it_saw() {
    for rule in rules::ALL {
        let dir = fixtures().join(rule.id);
        let outcome = screen::screen(&read(&dir.join("fires")));
        let mut said = format!("{}\n", outcome.verdict.word());
        for finding in &outcome.findings {
            let _ = writeln!(
                said,
                "{} {} {} fires {} blocks {} at {}:{}:{}\n  {}",
                finding.rule.id,
                finding.severity.word(),
                finding.confidence.word(),
                finding.fires.word(),
                finding.blocks_by.map_or("-", |b| b.word()),
                finding.place.file,
                finding.place.line,
                finding.place.column,
                finding.excerpt
            );
            for step in &finding.flow {
                let _ = writeln!(said, "  {}:{} {}", step.place.file, step.place.line, step.what);
            }
        }
        assert!(outcome.findings.iter().any(|f| f.rule.id == rule.id), "{}: {said}", rule.id);
        let snapshot = dir.join("snapshot.txt");
        if std::env::var_os("SCREEN_WRITE_SNAPSHOTS").is_some() {
            std::fs::write(&snapshot, &said).unwrap();
        }
        assert_eq!(std::fs::read_to_string(snapshot).unwrap(), said, "{}", rule.id);
    }
}

#[test]
fn no_rule_fires_on_its_look_alike() {
    for rule in rules::ALL {
        let outcome = screen::screen(&read(&fixtures().join(rule.id).join("quiet")));
        let fired: Vec<_> = outcome
            .findings
            .iter()
            .filter(|f| f.severity > screen::finding::Severity::Note)
            .collect();
        assert!(fired.is_empty(), "{}: {fired:#?}", rule.id);
        assert_eq!(
            (outcome.verdict, &outcome.missed[..]),
            (Verdict::NoFindings, &[][..]),
            "{}",
            rule.id
        );
    }
}

#[test]
fn rules_are_documented() {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules.md"))
            .unwrap();
    for rule in rules::ALL {
        assert!(docs.contains(&format!("## {}\n", rule.id)), "{}", rule.id);
    }
}
