//! Rules of style that a machine can check, and who may use whom (DESIGN 3).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 50);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_test = file.components().any(|c| c.as_os_str() == "tests");
        let lines = text.lines().count();
        assert!(is_test || lines <= 800, "{}: {lines} lines", file.display());
        assert!(text.starts_with("//!"), "{}: no sentence at its top", file.display());
        let words = ["FIX", "TO"].map(|w| format!("{w}{}", if w == "FIX" { "ME" } else { "DO" }));
        for word in words {
            assert!(!text.contains(&word), "{}: {word}", file.display());
        }
        let ignored = ["#[", "ignore"].concat();
        assert!(!text.contains(&ignored), "{}: an ignored test", file.display());
    }
}

/// Normal dependencies of a crate among ours.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        let normal = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let normal = normal.split("\n[").next().unwrap();
        let used =
            normal.lines().filter_map(|l| l.split(['.', ' ', '=']).next()).map(str::to_owned);
        all.insert(name, used.collect::<BTreeSet<_>>());
    }
    let ours: BTreeSet<String> = all.keys().cloned().collect();
    all.values_mut().for_each(|used| used.retain(|u| ours.contains(u)));
    all
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("tlog", [].as_slice()),
        ("reader", &[]),
        ("withdrawal", &["tlog"]),
        ("cosigner", &["withdrawal", "reader", "tlog"]),
        ("coordinator", &["withdrawal", "reader", "tlog"]),
        ("chaingraph", &[]),
        ("trace", &["chaingraph"]),
        ("screen", &[]),
        ("intake", &["screen"]),
        (
            "countersign",
            &[
                "chaingraph",
                "coordinator",
                "cosigner",
                "intake",
                "reader",
                "screen",
                "tlog",
                "trace",
                "withdrawal",
            ],
        ),
        (
            "testkit",
            &["chaingraph", "coordinator", "cosigner", "reader", "tlog", "trace", "withdrawal"],
        ),
    ]);
    for (room, used) in uses() {
        let may =
            allowed.get(room.as_str()).unwrap_or_else(|| panic!("`{room}` is not in the table"));
        for other in used {
            assert!(may.contains(&other.as_str()), "`{room}` uses `{other}`");
        }
    }
}

#[test]
fn the_cosigners_tree_is_at_most_75_crates_without_async() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "cosigner",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--offline",
            "--locked",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    assert!(crates.len() > 20, "{text}");
    assert!(crates.len() <= 75, "{} crates", crates.len());
    for name in ["tokio", "async-std", "futures", "smol", "hyper"] {
        assert!(!crates.iter().any(|(n, _)| *n == name), "{name}");
    }
}

#[test]
fn core_crates_take_no_clock_and_no_network() {
    for room in ["tlog", "reader", "withdrawal", "chaingraph", "trace"] {
        let mut files = Vec::new();
        sources(&root().join("crates").join(room).join("src"), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in ["SystemTime", "Instant::", "std::net", "async fn", "UnixStream"] {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
    }
}

#[test]
fn every_code_is_documented() {
    let docs = std::fs::read_to_string(root().join("docs/codes.md")).unwrap();
    for code in withdrawal::code::Code::ALL {
        assert!(docs.contains(&format!("`{code}`")), "{code} has no place in docs/codes.md");
    }
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let word = ["unsa", "fe {"].concat();
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let allowed = file.ends_with("chaingraph/src/map.rs");
        assert_eq!(text.contains(&word), allowed, "{}", file.display());
    }
}
