//! `screen`: untrusted code, judged without running a byte of it. This process opens nothing of the target: it runs itself
//! again, shut in, and takes the answer from one pipe as untrusted text.

mod child;
mod limits;
mod report;
mod sandbox;
mod suppress;
mod upstream;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use serde_json::{Value, json};

use crate::cli::{Screen, ScreenCommand};
use crate::cmd::Context;
use crate::fail::{Done, Exit, Fail};

pub use child::run as run_child;
pub use limits::Limit;

/// How long a path may take besides the processor time that it may have, in parts of that.
const WAIT_PARTS: u64 = 2;
/// Bytes of an answer that are read.
const ANSWER_LEN_MAX: u64 = 64 << 20;

/// Runs the command.
pub fn run(cx: Context, args: &Screen) -> Done {
    if let Some(ScreenCommand::Rules { id }) = &args.command {
        return report::rules(cx, id.as_deref());
    }
    let format = match (cx.json, args.format.as_deref()) {
        (false, format) => format.unwrap_or("plain"),
        (true, None | Some("json")) => "json",
        (true, Some(other)) => {
            let why = format!("--json is --format json, and not {other}");
            return Err(Fail::malformed("--format", other, why));
        }
    };
    // What is wrong with a path is said before others are read, which may take long.
    let paths: Vec<PathBuf> =
        args.paths.iter().map(|path| there(path)).collect::<Result<_, Fail>>()?;
    let upstream = args.upstream.as_deref().map(there).transpose()?;
    let suppressions = match &args.suppress {
        Some(path) => suppress::read(path)?,
        None => Vec::new(),
    };
    let mut documents = Vec::new();
    let mut unused: Vec<&suppress::Suppression> = suppressions.iter().collect();
    for path in &paths {
        let mut document = screen_one(path, upstream.as_deref(), args)?;
        let hashes = document.as_object_mut().and_then(|members| members.remove("hashes"));
        if args.suppress.is_some() {
            let here = suppress::apply(&mut document, &hashes.unwrap_or_default(), &suppressions);
            unused.retain(|one| here.contains(one));
        }
        // Each as soon as it is known.
        match format {
            "json" => crate::show::out(&document.to_string()),
            "sarif" => {}
            _ => crate::show::out(&report::text(&document)),
        }
        documents.push(document);
    }
    for one in unused {
        let text = format!("nothing is suppressed by: {} {}", one.rule, one.path);
        crate::show::tell(&text);
    }
    if format == "sarif" {
        crate::show::out(&report::sarif(&documents).to_string());
    }
    let has = |word: &str| documents.iter().any(|d| report::verdict(d) == word);
    // Whatever else was found: what nobody has read is in none of it.
    let is_incomplete = documents.iter().any(|d| !report::list(d, "not_inspected").is_empty());
    let review = has("review") && args.fail_on.as_deref() != Some("block");
    // Of several paths the first of these that is present.
    let exits =
        [(has("block"), Exit::Blocks), (review, Exit::Review), (is_incomplete, Exit::Refused)];
    match exits.into_iter().find(|(is_it, _)| *is_it) {
        Some((_, exit)) => Err(Fail::Judged(exit)),
        None => Ok(()),
    }
}

/// A path that can be read, from the root.
fn there(path: &Path) -> Result<PathBuf, Fail> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() || found.is_file() => {
            std::path::absolute(path).map_err(Fail::failed)
        }
        Ok(_) => Err(Fail::malformed(path.display(), "", "neither a folder nor a file")),
        Err(error) => Err(Fail::malformed(path.display(), "", error)),
    }
}

fn screen_one(path: &Path, upstream: Option<&Path>, args: &Screen) -> Result<Value, Fail> {
    let mut left_out: Vec<String> = Vec::new();
    // Each run that dies names one file more that is left out; three are enough to know what this is.
    for _ in 0..4 {
        match ask_child(path, upstream, args, &left_out)? {
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

fn ask_child(
    path: &Path,
    upstream: Option<&Path>,
    args: &Screen,
    left_out: &[String],
) -> Result<Asked, Fail> {
    let exe: PathBuf = std::env::current_exe().map_err(Fail::failed)?;
    let mut command = Command::new(exe);
    command.arg("screen-child").arg(path).env_clear().stdin(Stdio::null());
    for limit in &args.limit {
        command.arg("--limit").arg(limit.to_string());
    }
    if args.no_sandbox {
        command.arg("--no-sandbox");
    }
    if let Some(upstream) = upstream {
        command.arg("--upstream").arg(upstream);
    }
    for file in left_out {
        command.arg(format!("--leave-out={file}"));
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| Fail::failed(format!("screening: {e}")))?;
    let seconds = limits::Limits::of(&args.limit).seconds;
    let wait = Duration::from_secs(seconds.saturating_mul(1 + WAIT_PARTS));
    let answer =
        child.stdout.take().map_or_else(|| Ok(Vec::new()), |mut out| read_answer(&mut out, wait));
    let _ = child.kill(); // it has answered, said too much, or is too late
    child.wait().map_err(Fail::failed)?;
    let answer = answer.map_err(Fail::failed)?;
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
    match serde_json::from_str::<Value>(last).ok().filter(|d| whole && report::is_sound(d)) {
        Some(document) => Ok(Asked::Answer(Box::new(document))),
        None => Ok(Asked::Died(parsing)),
    }
}

/// Reads an answer to its end, or until it is too long or too late.
fn read_answer(stdout: &mut ChildStdout, wait: Duration) -> std::io::Result<Vec<u8>> {
    let (started, mut answer, mut piece) = (Instant::now(), Vec::new(), vec![0; 1 << 16]);
    while answer.len() as u64 <= ANSWER_LEN_MAX {
        let Some(left) = wait.checked_sub(started.elapsed()) else { break };
        let wait = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(0) + 1, tv_nsec: 0 };
        let mut asked = [PollFd::new(stdout, PollFlags::IN)];
        if poll(&mut asked, Some(&wait))? == 0 {
            break;
        }
        match stdout.read(&mut piece)? {
            0 => break,
            n => answer.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
    Ok(answer)
}
