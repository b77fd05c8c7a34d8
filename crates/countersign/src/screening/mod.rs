//! `screen`: untrusted code, judged without running a byte of it. This process opens nothing of the target: it runs itself
//! again, shut in, and takes the answer from one pipe as untrusted text.

mod child;
mod intake;
mod report;
mod sandbox;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cli::{Screen, ScreenCommand};
use crate::cmd::Context;
use crate::fail::{Done, Exit, Fail};

pub use child::run as run_child;

/// Bytes of an answer that are read.
const ANSWER_LEN_MAX: u64 = 64 << 20;

/// Runs the command.
pub fn run(cx: Context, args: &Screen) -> Done {
    if let Some(ScreenCommand::Rules { id }) = &args.command {
        return report::rules(cx, id.as_deref());
    }
    let format = if cx.json { "json" } else { args.format.as_str() };
    let mut documents = Vec::new();
    for path in &args.paths {
        documents.push(screen_one(path, args)?);
    }
    match format {
        "json" => documents.iter().for_each(|d| crate::show::out(&d.to_string())),
        "sarif" => crate::show::out(&report::sarif(&documents).to_string()),
        _ => documents.iter().for_each(|d| crate::show::out(&report::text(d))),
    }
    let verdicts: Vec<&str> = documents.iter().filter_map(|d| d.get("verdict")?.as_str()).collect();
    // Of several paths the first of these that is present.
    let exit = [("block", Exit::Blocks), ("review", Exit::Review), ("incomplete", Exit::Refused)]
        .into_iter()
        .find(|(word, _)| verdicts.contains(word))
        .map(|(_, exit)| exit);
    match (exit, args.fail_on.as_deref()) {
        (None, _) => Ok(()),
        (Some(Exit::Review), Some("block")) => Ok(()),
        (Some(exit), _) => Err(Fail::Judged(exit)),
    }
}

fn screen_one(path: &Path, args: &Screen) -> Result<Value, Fail> {
    if let Err(error) = std::fs::symlink_metadata(path) {
        return Err(Fail::malformed(path.display(), "", error));
    }
    let path = std::path::absolute(path).map_err(Fail::failed)?;
    let mut left_out: Vec<String> = Vec::new();
    // Each run that dies names one file more that is left out; three are enough to know what this is.
    for _ in 0..4 {
        match ask_child(&path, args.no_sandbox, &left_out)? {
            Asked::Answer(document) => return Ok(*document),
            Asked::Died(Some(file)) => left_out.push(file),
            Asked::Died(None) => break,
        }
    }
    let missed: Vec<Value> =
        left_out.iter().map(|f| json!({"file": f, "reason": "parser crash"})).collect();
    let all = json!({"file": ".", "reason": "it crashed, or took too long, before it was done"});
    Ok(json!({
        "tool": report::tool(), "path": path, "tree_sha256": null, "sandbox": null, "verdict": "incomplete",
        "findings": [], "not_inspected": missed.into_iter().chain([all]).collect::<Vec<_>>(),
        "stats": {"files": 0, "bytes": 0, "ms": 0},
    }))
}

enum Asked {
    Answer(Box<Value>),
    /// It died, perhaps while it parsed a file.
    Died(Option<String>),
}

fn ask_child(path: &Path, no_sandbox: bool, left_out: &[String]) -> Result<Asked, Fail> {
    let exe: PathBuf = std::env::current_exe().map_err(Fail::failed)?;
    let mut command = Command::new(exe);
    command.arg("screen-child").arg(path).env_clear().stdin(Stdio::null());
    if no_sandbox {
        command.arg("--no-sandbox");
    }
    for file in left_out {
        command.arg("--leave-out").arg(file);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| Fail::failed(format!("screening: {e}")))?;
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_LEN_MAX + 1).read_to_end(&mut answer).map_err(Fail::failed)?;
    }
    let _ = child.kill(); // it has answered, or said too much
    child.wait().map_err(Fail::failed)?;
    let text = String::from_utf8_lossy(&answer);
    let mut lines = text.lines();
    let mut parsing = None;
    let last = loop {
        match lines.next() {
            Some(line) => match line.strip_prefix("parsing ") {
                Some(file) => {
                    parsing = serde_json::from_str::<String>(file).ok().filter(|f| !f.is_empty());
                }
                None => break line,
            },
            None => break "",
        }
    };
    if let Some(why) = last.strip_prefix("refused ") {
        let text = format!("no sandbox, so nothing was read: {why} (--no-sandbox does without)");
        return Err(Fail::failed(text));
    }
    if let Some(why) = last.strip_prefix("unreadable ") {
        return Err(Fail::malformed(path.display(), "", why));
    }
    let whole = answer.len() as u64 <= ANSWER_LEN_MAX;
    match serde_json::from_str::<Value>(last).ok().filter(|d| whole && d.is_object()) {
        Some(document) => Ok(Asked::Answer(Box::new(document))),
        None => Ok(Asked::Died(parsing)),
    }
}
