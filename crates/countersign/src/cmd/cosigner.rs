//! `cosigner`: keys, vault, process; and handing it a signed act.

use std::io::Read as _;
use std::path::Path;

use coordinator::client::Client;
use cosigner::keyfile::Secrets;
use serde::{Deserialize, Serialize};
use serde_json::json;
use withdrawal::act::SignedAct;
use withdrawal::genesis::CosignerKeys;
use withdrawal::keys::PublicKey;
use withdrawal::phrase::phrase;
use withdrawal::protocol::{Request, Response};
use zeroize::Zeroizing;

use super::Context;
use crate::cli::{Cosigner, Passphrase};
use crate::fail::{Done, Fail};
use crate::files;

/// Public parts of a cosigner, as they lie in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicFile {
    version: u32,
    network: String,
    identity: String,
    pub log: String,
    account: String,
}

/// Reads the public parts.
pub fn public(path: &Path) -> Result<(String, CosignerKeys), Fail> {
    let bytes = files::read(path)?;
    let file: PublicFile = serde_json::from_slice(&bytes).map_err(|e| {
        Fail::malformed(path.display(), format!("line {} column {}", e.line(), e.column()), e)
    })?;
    let identity = PublicKey::parse(&file.identity)
        .map_err(|e| Fail::malformed(path.display(), "identity", e))?;
    Ok((file.network, CosignerKeys { identity, log: file.log, account: file.account }))
}

const PASSPHRASE_FILE: &str = "passphrase";

/// From a file descriptor, a systemd credential, or the trial file; never an argument or a variable.
fn passphrase(dir: &Path, source: &Passphrase) -> Result<Option<Zeroizing<Vec<u8>>>, Fail> {
    let mut text = Zeroizing::new(Vec::new());
    if let Some(fd) = source.passphrase_fd {
        // The kernel's own name of the descriptor: no unsafe adoption of a number.
        let path = format!("/proc/self/fd/{fd}");
        let file = std::fs::File::open(&path);
        let read = file.and_then(|f| f.take(4096).read_to_end(&mut text));
        read.map_err(|e| Fail::failed(format!("passphrase from descriptor {fd}: {e}")))?;
    } else if let Some(credentials) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        *text = files::read(&Path::new(&credentials).join("cosigner-passphrase"))?;
    } else {
        match std::fs::read(dir.join(PASSPHRASE_FILE)) {
            Ok(bytes) => *text = bytes,
            Err(_) => return Ok(None),
        }
    }
    while text.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        text.pop();
    }
    Ok(Some(text))
}

fn needed(dir: &Path, source: &Passphrase) -> Result<Zeroizing<Vec<u8>>, Fail> {
    passphrase(dir, source)?.ok_or_else(|| {
        Fail::malformed("--passphrase-fd", "", "no passphrase: give a descriptor or a credential")
    })
}

pub fn run(cx: Context, command: Cosigner) -> Done {
    match command {
        Cosigner::Keygen { dir, out, network, passphrase: source } => {
            let secrets = Secrets::generate(network).map_err(Fail::failed)?;
            let phrase = match passphrase(&dir, &source)? {
                Some(phrase) => phrase,
                None => {
                    let text = withdrawal::digest::hex(&files::random::<32>()?);
                    std::fs::create_dir_all(&dir).map_err(Fail::failed)?;
                    files::write(&dir.join(PASSPHRASE_FILE), text.as_bytes(), cx.force, true)?;
                    crate::show::tell(
                        "no passphrase was given: a random one lies beside the key, for trials",
                    );
                    Zeroizing::new(text.into_bytes())
                }
            };
            cosigner::init::keygen(&dir, &secrets, &phrase)?;
            let keys = secrets.public().ok_or_else(|| Fail::failed("keys"))?;
            let file = PublicFile {
                version: 1,
                network: network.name().to_owned(),
                identity: keys.identity.to_string(),
                log: keys.log.clone(),
                account: keys.account.clone(),
            };
            files::write(&out, &files::pretty(&file)?, cx.force, false)?;
            cx.say(&json!(file), &format!("account {}\nlog     {}", keys.account, keys.log));
            Ok(())
        }
        Cosigner::Init { dir, genesis, passphrase: source } => {
            let bytes = files::read(&genesis)?;
            let id = cosigner::init::init(&dir, &bytes, &needed(&dir, &source)?)?;
            let text = format!("vault {id}\n  {}", phrase(&id));
            cx.say(&json!({"vault_id": id.to_string(), "phrase": phrase(&id)}), &text);
            Ok(())
        }
        Cosigner::Run { dir, socket, submit_socket, passphrase: source } => {
            let core = cosigner::Core::open(&dir, &needed(&dir, &source)?)?;
            let id = core.vault().id.to_string();
            let ready = || {
                cx.say(&json!({"ready": true, "vault_id": id}), &format!("ready {id}"));
            };
            cosigner::server::run(core, &socket, &submit_socket, ready).map_err(Fail::failed)
        }
        Cosigner::Submit { socket, object } => {
            let act: SignedAct = files::read_object(&object, "act")?;
            let mut client = Client::connect(&socket)?;
            match client.ask(&Request::Act(Box::new(act)))? {
                Response::Acknowledged(ack) => {
                    let text = format!("in force, not witnessed: entry {}", ack.entry);
                    cx.say(
                        &json!({"in_force": true, "witnessed": false, "entry": ack.entry}),
                        &text,
                    );
                    Ok(())
                }
                other => Err(coordinator::service::unexpected(&other).into()),
            }
        }
    }
}
