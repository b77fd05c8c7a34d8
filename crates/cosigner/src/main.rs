//! The cosigner as a program of its own: `cosigner run DIR --socket PATH --submit-socket PATH`.
//!
//! The same is behind `countersign cosigner run`; this binary has nothing else in it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

const USAGE: &str = "usage: cosigner run DIR --socket PATH --submit-socket PATH\n\
    The passphrase is read from the systemd credential `cosigner-passphrase`, or from standard input.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cosigner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let (mut dir, mut socket, mut submit) = (None, None, None);
    if args.next().as_deref() != Some("run") {
        return Err(USAGE.to_owned());
    }
    while let Some(arg) = args.next() {
        let slot = match arg.as_str() {
            "--socket" => &mut socket,
            "--submit-socket" => &mut submit,
            _ => {
                dir = Some(PathBuf::from(arg));
                continue;
            }
        };
        *slot = args.next().map(PathBuf::from);
    }
    let (Some(dir), Some(socket), Some(submit)) = (dir, socket, submit) else {
        return Err(USAGE.to_owned());
    };
    let core = cosigner::Core::open(&dir, &passphrase()?).map_err(|e| e.to_string())?;
    let id = core.vault().id;
    let ready = || println!("ready {id}");
    cosigner::server::run(core, &socket, &submit, ready).map_err(|e| e.to_string())
}

/// From systemd's credential directory, else from standard input; never an argument or a variable.
fn passphrase() -> Result<Zeroizing<Vec<u8>>, String> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY");
    let mut text = Zeroizing::new(Vec::new());
    match credential {
        Some(dir) => {
            let path = Path::new(&dir).join("cosigner-passphrase");
            *text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        None => {
            std::io::stdin().read_to_end(&mut text).map_err(|e| e.to_string())?;
        }
    }
    while text.last().is_some_and(|b| *b == b'\n' || *b == b'\r') {
        text.pop();
    }
    Ok(text)
}
