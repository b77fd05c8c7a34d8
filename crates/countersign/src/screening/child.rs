//! The process that reads: it shuts itself in, reads, screens, and says what it found on one line.

use std::collections::BTreeSet;
use std::io::Write as _;

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use screen::{Finding, Missed, Tree};
use serde_json::{Value, json};

use super::limits::Limits;
use super::{report, sandbox, upstream};
use crate::cli::ScreenChild;
use crate::fail::Done;

/// Parsers of code are deep: their stack is large.
const STACK_LEN: usize = 256 << 20;

/// Runs the hidden command. What goes wrong is said on the pipe; who asked knows what to make of it.
pub fn run(args: &ScreenChild) -> Done {
    let paths: Vec<&std::path::Path> =
        [Some(args.path.as_path()), args.upstream.as_deref()].into_iter().flatten().collect();
    let shut_in = match args.no_sandbox {
        true => None,
        false => match sandbox::enter(&paths, &Limits::of(&args.limit)) {
            Ok(sandbox) => Some(sandbox),
            Err(why) => {
                say(&format!("refused {why}"));
                return Ok(());
            }
        },
    };
    let args = args.clone();
    let thread =
        std::thread::Builder::new().stack_size(STACK_LEN).spawn(move || answer(&args, shut_in));
    let line = match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(line)) => line,
        Ok(Err(_)) => return Ok(()), // it panicked: who asked sees that no answer came
        Err(error) => format!("refused {error}"),
    };
    say(&line);
    Ok(())
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn answer(args: &ScreenChild, shut_in: Option<sandbox::Sandbox>) -> String {
    let started = std::time::Instant::now();
    let limits = Limits::of(&args.limit);
    let read = |path: &std::path::PathBuf| intake::read(path, &limits.intake);
    let mut tree = match read(&args.path) {
        Ok(tree) => tree,
        Err(error) => return format!("unreadable {error}"),
    };
    let upstream = match args.upstream.as_ref().map(read) {
        // Only what it is known by, and what is said of it, is kept.
        Some(Ok(other)) => {
            let found = screen::screen_announcing(&other, &limits.screen, &mut |_| {});
            Some(upstream::Upstream::of(&other, &found))
        }
        Some(Err(error)) => return format!("unreadable the project to compare to: {error}"),
        None => None,
    };
    for file in &args.leave_out {
        tree.files.retain(|f| f.path != *file);
        tree.missed.push(Missed { file: file.clone(), reason: "parser crash".to_owned() });
    }
    let mut outcome = screen::screen_announcing(&tree, &limits.screen, &mut |file| {
        // An empty name: all are parsed.
        say(&format!("parsing {}", Value::from(file)));
    });
    let compared = upstream.as_ref().map(|other| upstream::Compared::of(&tree, other));
    if let Some(compared) = &compared {
        outcome.findings.retain(|finding| compared.differs(finding));
        outcome.missed.retain(|missed| compared.is_unknown(missed));
        outcome.verdict = screen::Verdict::of(&outcome.findings, outcome.missed.is_empty());
    }
    let mut document = json!({
        "tool": report::tool(),
        "path": args.path,
        "tree_sha256": tree_sha256(&tree),
        "sandbox": {"landlock_abi": shut_in.map(|s| s.landlock_abi), "seccomp": shut_in.is_some()},
        "verdict": outcome.verdict.word(),
        "findings": outcome.findings.iter().map(shown).collect::<Vec<_>>(),
        "not_inspected": outcome.missed.iter().map(|m| json!({"file": m.file, "reason": m.reason})).collect::<Vec<_>>(),
        "stats": {
            "files": tree.files.len(),
            "bytes": tree.files.iter().map(|f| f.bytes.len() as u64).sum::<u64>(),
            "ms": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
        "hashes": hashes(&tree, &outcome.findings),
    });
    if let (Some(compared), Value::Object(members)) = (compared, &mut document) {
        members.insert("upstream".to_owned(), compared.shown());
    }
    document.to_string()
}

/// SHA-256 of the files that findings name: for who asked, not for who reads the answer.
fn hashes(tree: &Tree, findings: &[Finding]) -> Value {
    let steps = findings.iter().flat_map(|f| f.flow.iter().map(|s| &s.place).chain([&f.place]));
    let named: BTreeSet<&str> = steps.map(|place| place.file.as_str()).collect();
    let files = tree.files.iter().filter(|f| named.contains(f.path.as_str()));
    let hash = |bytes: &[u8]| Value::from(sha256::Hash::hash(bytes).to_string());
    files.map(|f| (f.path.clone(), hash(&f.bytes))).collect::<serde_json::Map<_, _>>().into()
}

fn shown(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.id,
        "title": finding.rule.title,
        "severity": finding.severity.word(),
        "confidence": finding.confidence.word(),
        "fires": finding.fires.word(),
        "blocks_by": finding.blocks_by.map(screen::finding::Blocks::word),
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "excerpt": finding.excerpt,
        "flow": finding.flow.iter().map(|s| json!({"file": s.place.file, "line": s.place.line, "what": s.what})).collect::<Vec<_>>(),
        "attack": finding.rule.attack,
        "why": finding.rule.why,
        "check": finding.rule.check,
    })
}

/// SHA-256 over the files in order: length of the path in eight bytes, path, SHA-256 of the bytes.
fn tree_sha256(tree: &Tree) -> String {
    let mut engine = sha256::Hash::engine();
    for file in &tree.files {
        engine.input(&(file.path.len() as u64).to_be_bytes());
        engine.input(file.path.as_bytes());
        engine.input(sha256::Hash::hash(&file.bytes).as_byte_array());
    }
    sha256::Hash::from_engine(engine).to_string()
}
