//! The set of probes: inert trees of one behaviour each, look-alikes that are benign, and mutants of the probes. Each is
//! a file of trees in one text; hosts end in `.invalid`, and nothing of them is run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that meets the unexpected has failed"
)]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use screen::{File, Tree, Verdict};

/// A tree of the set.
struct Probe {
    kind: String,
    expects: String,
    tree: Tree,
}

fn read(text: &str) -> Probe {
    let mut head: BTreeMap<String, String> = BTreeMap::new();
    let mut files: Vec<(String, bool, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end();
        if let Some(path) = plain.strip_prefix("-- ").and_then(|l| l.strip_suffix(" --")) {
            let (path, is_base64) =
                path.strip_suffix(" base64").map_or((path, false), |p| (p, true));
            files.push((path.to_owned(), is_base64, String::new()));
        } else if let Some((_, _, body)) = files.last_mut() {
            body.push_str(line);
        } else if let Some((key, value)) = plain.trim_start_matches("# ").split_once(": ") {
            head.insert(key.to_owned(), value.to_owned());
        }
    }
    let mut tree = Tree::default();
    for (path, is_base64, body) in files {
        let bytes = match is_base64 {
            true => {
                let clean: String = body.split_whitespace().collect();
                base64::engine::general_purpose::STANDARD.decode(clean).unwrap()
            }
            false => body.into_bytes(),
        };
        tree.files.push(File { path, bytes });
    }
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    let get = |key: &str| {
        head.get(key).map(|v| v.split_whitespace().next().unwrap_or_default().to_owned())
    };
    Probe { kind: get("kind").unwrap(), expects: get("expects").unwrap(), tree }
}

/// The trees of a file, by their names: `=== probe`, `=== look`, `=== m-renamed`.
fn all(text: &str) -> Vec<(String, Probe)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("=== "), parts.last_mut()) {
            (Some(name), _) => parts.push((name.trim().to_owned(), String::new())),
            (None, Some((_, part))) => part.push_str(line),
            (None, None) => panic!("a tree without a name"),
        }
    }
    parts.into_iter().map(|(name, part)| (name, read(&part))).collect()
}

/// What was found of a kind of trees.
#[derive(Default)]
struct Count {
    all: u32,
    told: u32,
    blocked: u32,
    as_said: u32,
}

/// `SCREEN_ONLY` picks trees by their names and shows what was found in them; `SCREEN_VERBOSE` tells of all that are not
/// what their heads say.
#[test]
fn probes_are_seen_and_look_alikes_do_not_block() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probes");
    let only = std::env::var("SCREEN_ONLY").unwrap_or_default();
    let verbose = std::env::var_os("SCREEN_VERBOSE").is_some();
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let mut counts = BTreeMap::<String, Count>::new();
    for path in names {
        let behaviour = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (name, probe) in all(&std::fs::read_to_string(&path).unwrap()) {
            let name = format!("{behaviour}.{name}");
            if !name.contains(&only) {
                continue;
            }
            let outcome = screen::screen(&probe.tree);
            let (told, blocks) =
                (outcome.verdict >= Verdict::Review, outcome.verdict == Verdict::Block);
            let count = counts.entry(probe.kind.clone()).or_default();
            count.all += 1;
            count.told += u32::from(told);
            count.blocked += u32::from(blocks);
            let right = match (probe.kind.as_str(), probe.expects.as_str()) {
                ("look-alike", _) => !blocks,
                (_, "block") => blocks,
                _ => told,
            };
            count.as_said += u32::from(right);
            if !only.is_empty() {
                for f in &outcome.findings {
                    println!(
                        "{} {} {}:{}",
                        f.rule.id,
                        f.severity.word(),
                        f.place.file,
                        f.place.line
                    );
                    f.flow
                        .iter()
                        .for_each(|s| println!("    {}:{} {}", s.place.file, s.place.line, s.what));
                }
                println!("{:?}", outcome.missed);
            }
            if !right && (verbose || !told || probe.kind == "look-alike") {
                println!("{name}: {}, its head says {}", outcome.verdict.word(), probe.expects);
            }
        }
    }
    for (kind, count) in &counts {
        let Count { all, told, blocked, as_said } = count;
        println!(
            "{kind}: {all}, block or review {told}, block {blocked}, as their heads say {as_said}"
        );
    }
    if !only.is_empty() {
        return;
    }
    let of = |kind: &str| counts.get(kind).unwrap();
    let share = |count: &Count| f64::from(count.told) / f64::from(count.all);
    assert!(share(of("probe")) >= 0.95);
    assert!(share(of("mutant")) >= 0.90);
    assert_eq!(of("look-alike").blocked, 0);
}
