//! `witness`: a C2SP witness over plain HTTP. Its state is durable before a cosignature leaves.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tlog::dir::{sync_dir, write_synced};
use tlog::witness::{AddHead, Known, REQUEST_BYTES_MAX, Refusal};
use tlog::{Hash, TreeHead, VerifierKey, WitnessSigner};
use withdrawal::code::Code;
use withdrawal::digest::{Tag, hex, unhex};
use withdrawal::phrase::phrase;
use withdrawal::succession::{Succession, is_successor};
use zeroize::Zeroizing;

use super::Context;
use crate::cli::Witness;
use crate::fail::{Done, Fail};
use crate::files;

const KEY_FILE: &str = "witness-key.json";
/// Requests that are read at once.
const THREADS: usize = 8;
const LOGS: &str = "logs";
/// Ending of a log's file once another has succeeded it.
const RETIRED: &str = "retired";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    name: String,
    secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFile {
    version: u32,
    log: String,
    size: u64,
    root: String,
}

pub fn run(cx: Context, command: Witness) -> Done {
    match command {
        Witness::Init { dir, name, out } => init(cx, &dir, &name, &out),
        Witness::Trust { dir, log, yes } => trust(cx, &dir, &log, yes),
        Witness::Show { dir } => show_logs(cx, &dir),
        Witness::Run { dir, listen, clock_offset_secs } => {
            serve(cx, &dir, &listen, clock_offset_secs)
        }
    }
}

fn init(cx: Context, dir: &Path, name: &str, out: &Path) -> Done {
    let seed = Zeroizing::new(files::random::<32>()?);
    let signer = WitnessSigner::new(name, SigningKey::from_bytes(&seed))
        .map_err(|e| Fail::malformed("--name", "", e))?;
    std::fs::create_dir_all(dir.join(LOGS)).map_err(Fail::failed)?;
    let file = KeyFile { version: 1, name: name.to_owned(), secret: hex(seed.as_ref()) };
    files::write(&dir.join(KEY_FILE), &files::pretty(&file)?, cx.force, true)?;
    let key = signer.verifier().to_string();
    files::write(out, format!("{key}\n").as_bytes(), cx.force, false)?;
    cx.say(&json!({"vkey": key}), &key);
    Ok(())
}

fn log_path(dir: &Path, origin: &str) -> PathBuf {
    // The origin is somebody's text; its digest is a safe file name.
    dir.join(LOGS).join(format!("{}.json", Tag::Key.digest(origin.as_bytes())))
}

fn trust(cx: Context, dir: &Path, log: &Path, yes: bool) -> Done {
    if let Ok(signed) = files::read_object::<Succession>(log, super::succession::KIND) {
        return follow(cx, dir, &signed, yes);
    }
    let text = files::read(log)?;
    let text =
        String::from_utf8(text).map_err(|_| Fail::malformed(log.display(), "", "not text"))?;
    let key = match super::cosigner::public(log) {
        Ok((_, keys)) => keys.log,
        Err(_) => text.trim().to_owned(),
    };
    let key = VerifierKey::parse(&key).map_err(|e| Fail::malformed(log.display(), "", e))?;
    let path = log_path(dir, key.name());
    if path.exists() {
        return Err(Fail::failed(format!("log {} is trusted already", key.name())));
    }
    if path.with_extension(RETIRED).exists() {
        return Err(Fail::failed(format!("log {} was succeeded by another", key.name())));
    }
    save(&path, &Known { log: key.clone(), head: TreeHead::EMPTY })?;
    cx.say(&json!({"origin": key.name()}), &format!("trusts {}", key.name()));
    Ok(())
}

/// Follows a succession: its new log is trusted and the old one cosigned no more. The head that it names
/// must not be behind what this witness has seen, or people could declare away what they dislike.
fn follow(cx: Context, dir: &Path, signed: &Succession, yes: bool) -> Done {
    let declaration = &signed.declaration;
    let new = VerifierKey::parse(&declaration.new_log)
        .map_err(|e| Fail::malformed("succession", "new_log", e))?;
    let mut known = logs(dir)?;
    // The new log itself may be there: a crash came between the two steps below.
    known.retain(|(_, known)| {
        known.log.key() == new.key() && known.log.kind() == new.kind() && known.log != new
    });
    let [(old_path, old)] = known.as_slice() else {
        let detail = "this witness does not follow the log that is succeeded";
        return Err(Fail::malformed("succession", "new_log", detail));
    };
    let first = old.log.name().split("/succession-").next().unwrap_or_default();
    if old.log == new || !is_successor(first, new.name()) {
        let detail = format!("`{}` is no name for a successor of `{}`", new.name(), old.log.name());
        return Err(Fail::malformed("succession", "new_log", detail));
    }
    let named = declaration.old_head();
    if named.size < old.head.size || (named.size == old.head.size && named.root != old.head.root) {
        let detail = format!(
            "the succession names {}:{}, this witness has seen {}:{}",
            named.size,
            hex(&named.root.0),
            old.head.size,
            hex(&old.head.root.0)
        );
        return Err(Fail::Refused(Code::LogRollback, detail));
    }
    crate::show::tell(&super::succession::describe(declaration));
    files::confirm(&phrase(&declaration.digest()), yes)?;
    // A crash between the two leaves both logs followed; trusting again retires the old one.
    let path = log_path(dir, new.name());
    if !path.exists() {
        save(&path, &Known { log: new.clone(), head: TreeHead::EMPTY })?;
    }
    std::fs::rename(old_path, old_path.with_extension(RETIRED)).map_err(Fail::failed)?;
    sync_dir(&dir.join(LOGS)).map_err(Fail::failed)?;
    cx.say(
        &json!({"origin": new.name(), "instead_of": old.log.name()}),
        &format!("trusts {}\n  instead of {}", new.name(), old.log.name()),
    );
    Ok(())
}

/// Every log that is followed, with its file.
fn logs(dir: &Path) -> Result<Vec<(PathBuf, Known)>, Fail> {
    let listing =
        std::fs::read_dir(dir.join(LOGS)).map_err(|e| Fail::malformed(dir.display(), LOGS, e))?;
    let mut paths: Vec<PathBuf> = listing.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    Ok(paths.into_iter().filter_map(|path| load(&path).map(|known| (path, known))).collect())
}

fn show_logs(cx: Context, dir: &Path) -> Done {
    let known = logs(dir)?;
    let head = |k: &Known| format!("{}:{}", k.head.size, hex(&k.head.root.0));
    let rows: Vec<_> =
        known.iter().map(|(_, k)| json!({"origin": k.log.name(), "head": head(k)})).collect();
    let text: Vec<String> =
        known.iter().map(|(_, k)| format!("{}\n  {}", k.log.name(), head(k))).collect();
    cx.say(&json!({"logs": rows}), &text.join("\n"));
    Ok(())
}

fn save(path: &Path, known: &Known) -> Done {
    let file = LogFile {
        version: 1,
        log: known.log.to_string(),
        size: known.head.size,
        root: hex(&known.head.root.0),
    };
    write_synced(path, &files::pretty(&file)?).map_err(Fail::failed)?;
    sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(Fail::failed)
}

fn load(path: &Path) -> Option<Known> {
    let file: LogFile = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let root = Hash(unhex(&file.root).ok()?.try_into().ok()?);
    let log = VerifierKey::parse(&file.log).ok()?;
    Some(Known { log, head: TreeHead { size: file.size, root } })
}

fn now(offset_secs: i64) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs()).saturating_add_signed(offset_secs)
}

/// Answers one request: status, body, content type.
fn answer(dir: &Path, signer: &WitnessSigner, body: &[u8], time: u64) -> Result<Vec<u8>, Refusal> {
    let request = AddHead::parse(body)?;
    let origin = request.origin().ok_or(Refusal::Malformed("no origin"))?.to_owned();
    let path = log_path(dir, &origin);
    // A log that was never trusted, or whose state is lost: both are unknown. A witness that lost its
    // state is retired, never started afresh.
    let known = load(&path).ok_or(Refusal::UnknownLog(origin))?;
    let accepted = known.check(&request)?;
    save(&path, accepted.known()).map_err(|_| Refusal::Malformed("state could not be saved"))?;
    accepted.cosign(signer, time).ok_or(Refusal::Malformed("key"))
}

fn serve(cx: Context, dir: &Path, listen: &str, offset_secs: i64) -> Done {
    let path = dir.join(KEY_FILE);
    let file: KeyFile = serde_json::from_slice(&files::read(&path)?)
        .map_err(|e| Fail::malformed(path.display(), "", e))?;
    let seed = unhex(&file.secret).ok().and_then(|s| <[u8; 32]>::try_from(s).ok());
    let seed = seed.ok_or_else(|| Fail::malformed(path.display(), "secret", "not 32 bytes"))?;
    let signer =
        WitnessSigner::new(&file.name, SigningKey::from_bytes(&seed)).map_err(Fail::failed)?;
    let server =
        tiny_http::Server::http(listen).map_err(|e| Fail::failed(format!("{listen}: {e}")))?;
    let address = server.server_addr().to_string();
    cx.say(
        &json!({"ready": true, "url": format!("http://{address}")}),
        &format!("ready http://{address}"),
    );
    // One head at a time is answered: a witness must never answer two from one state. Requests are read by
    // several threads, so that a slow client holds up itself only.
    let answering = Mutex::new(());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for request in server.incoming_requests() {
                    serve_one(request, &answering, dir, &signer, offset_secs);
                }
            });
        }
    });
    Ok(())
}

fn serve_one(
    mut request: tiny_http::Request,
    answering: &Mutex<()>,
    dir: &Path,
    signer: &WitnessSigner,
    offset_secs: i64,
) {
    let is_ours =
        request.method() == &tiny_http::Method::Post && request.url() == "/add-checkpoint";
    let mut body = Vec::new();
    let limit = REQUEST_BYTES_MAX as u64 + 1;
    let read =
        std::io::Read::read_to_end(&mut std::io::Read::take(request.as_reader(), limit), &mut body);
    let (status, text) = match (is_ours, read, answering.lock()) {
        (false, ..) => (404, b"only POST /add-checkpoint\n".to_vec()),
        (true, Err(_), _) => (400, Vec::new()),
        (true, Ok(_), Err(_)) => (500, b"a fault in an earlier request\n".to_vec()),
        (true, Ok(_), Ok(_one)) => match answer(dir, signer, &body, now(offset_secs)) {
            Ok(line) => (200, line),
            Err(Refusal::Conflict(size)) => (409, format!("{size}\n").into_bytes()),
            Err(refusal) => (refusal.status(), format!("{refusal}\n").into_bytes()),
        },
    };
    let mut response = tiny_http::Response::from_data(text).with_status_code(status);
    if status == 409
        && let Ok(header) = "Content-Type: text/x.tlog.size".parse::<tiny_http::Header>()
    {
        response.add_header(header);
    }
    // A client that went away is no reason to stop.
    let _ = request.respond(response);
}
