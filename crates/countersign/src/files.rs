//! The small files that commands read and write: keys, signed objects, PSBTs. Nothing is overwritten
//! without `--force`, and secrets are readable by their owner only.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use withdrawal::approval::Approval;
use withdrawal::author::SoftwarePasskey;
use withdrawal::digest::{hex, unhex};
use withdrawal::keys::SecretKey;
use withdrawal::network::Network;
use withdrawal::sign::AccountKey;
use withdrawal::wire::Wire;
use zeroize::Zeroizing;

use crate::fail::Fail;

/// Bytes of the largest file that is read whole.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Whether files may be replaced.
#[derive(Clone, Copy, Debug)]
pub struct Force(pub bool);

/// Reads a whole file, up to a bound.
pub fn read(path: &Path) -> Result<Vec<u8>, Fail> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Fail::malformed(path.display(), "", "no such file"),
        _ => Fail::failed(format!("{}: {e}", path.display())),
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(Fail::malformed(path.display(), "", format!("{length} bytes are too many")));
    }
    std::fs::read(path).map_err(failed)
}

/// Writes a file; `secret` ones for their owner only.
pub fn write(path: &Path, content: &[u8], force: Force, secret: bool) -> Result<(), Fail> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fail::failed(format!("{} exists already; --force replaces it", path.display()))
        }
        _ => Fail::failed(format!("{}: {e}", path.display())),
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force.0 {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if secret { 0o600 } else { 0o644 });
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], Fail> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Fail::failed("the system's random source failed"))?;
    Ok(bytes)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    kind: String,
    public: String,
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, Fail> {
    let bytes = read(path)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Fail::malformed(path.display(), format!("line {} column {}", e.line(), e.column()), e)
    })
}

/// JSON for a file, with a final line end.
pub fn pretty(value: &impl Serialize) -> Result<Vec<u8>, Fail> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(Fail::failed)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn key_file(path: &Path, kinds: &[&str]) -> Result<KeyFile, Fail> {
    let file: KeyFile = json(path)?;
    if file.version != 1 || !kinds.contains(&file.kind.as_str()) {
        let detail = format!("a file of kind `{}`, {} expected", file.kind, kinds.join(" or "));
        return Err(Fail::malformed(path.display(), "kind", detail));
    }
    Ok(file)
}

fn secret_bytes(path: &Path, file: &KeyFile) -> Result<Zeroizing<Vec<u8>>, Fail> {
    let bytes = unhex(&file.secret);
    bytes.map(Zeroizing::new).map_err(|e| Fail::malformed(path.display(), "secret", e))
}

fn seed(path: &Path, file: &KeyFile) -> Result<Zeroizing<[u8; 32]>, Fail> {
    let bytes = secret_bytes(path, file)?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice());
    seed.map(Zeroizing::new).map_err(|_| Fail::malformed(path.display(), "secret", "not 32 bytes"))
}

/// Makes a review key or a request key.
pub fn new_signing_key(path: &Path, kind: &str, force: Force) -> Result<SecretKey, Fail> {
    let seed = Zeroizing::new(random::<32>()?);
    let key = SecretKey::from_seed(&seed);
    let file = KeyFile {
        version: 1,
        kind: kind.to_owned(),
        public: key.public().to_string(),
        secret: hex(seed.as_ref()),
        network: None,
        credential_id: None,
        note: None,
    };
    write(path, &pretty(&file)?, force, true)?;
    Ok(key)
}

/// Reads a review key or a request key.
pub fn signing_key(path: &Path, kinds: &[&str]) -> Result<SecretKey, Fail> {
    let file = key_file(path, kinds)?;
    Ok(SecretKey::from_seed(&seed(path, &file)?))
}

const TRIAL: &str = "for trials and drills: a secret in a file is no hardware";

/// Makes a passkey in a file.
pub fn new_passkey(path: &Path, force: Force) -> Result<SoftwarePasskey, Fail> {
    let random = SystemRandom::new();
    let passkey = SoftwarePasskey::generate(&random).ok_or_else(|| Fail::failed("no passkey"))?;
    let file = KeyFile {
        version: 1,
        kind: "software-passkey".to_owned(),
        public: hex(&passkey.public().public_key),
        secret: hex(passkey.pkcs8()),
        network: None,
        credential_id: Some(hex(&passkey.public().credential_id)),
        note: Some(TRIAL.to_owned()),
    };
    write(path, &pretty(&file)?, force, true)?;
    Ok(passkey)
}

/// Reads a passkey from its file.
pub fn passkey(path: &Path) -> Result<SoftwarePasskey, Fail> {
    let file = key_file(path, &["software-passkey"])?;
    let id = unhex(file.credential_id.as_deref().unwrap_or_default())
        .map_err(|e| Fail::malformed(path.display(), "credential_id", e))?;
    let secret = secret_bytes(path, &file)?;
    SoftwarePasskey::from_parts(&secret, id, &SystemRandom::new())
        .ok_or_else(|| Fail::malformed(path.display(), "secret", "no ES256 key"))
}

/// Makes a holder's key.
pub fn new_holder(path: &Path, network: Network, force: Force) -> Result<AccountKey, Fail> {
    let seed = Zeroizing::new(random::<32>()?);
    let key = AccountKey::from_seed(&seed, network).ok_or_else(|| Fail::failed("no key"))?;
    let file = KeyFile {
        version: 1,
        kind: "holder-key".to_owned(),
        public: key.public(),
        secret: hex(seed.as_ref()),
        network: Some(network.name().to_owned()),
        credential_id: None,
        note: Some(TRIAL.to_owned()),
    };
    write(path, &pretty(&file)?, force, true)?;
    Ok(key)
}

/// Reads a holder's key.
pub fn holder(path: &Path) -> Result<AccountKey, Fail> {
    let file = key_file(path, &["holder-key"])?;
    let name = file.network.clone().unwrap_or_default();
    let network: Network =
        name.parse().map_err(|e: String| Fail::malformed(path.display(), "network", e))?;
    AccountKey::from_seed(&seed(path, &file)?, network)
        .ok_or_else(|| Fail::malformed(path.display(), "secret", "no key"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectFile {
    version: u32,
    kind: String,
    says: String,
    bytes: String,
}

/// Writes a signed object: its kind and meaning for people, its bytes for the cosigner.
pub fn write_object(
    path: &Path,
    kind: &str,
    says: String,
    object: &impl Wire,
    force: Force,
) -> Result<(), Fail> {
    let bytes = hex(&object.to_bytes());
    let file = ObjectFile { version: 1, kind: kind.to_owned(), says, bytes };
    write(path, &pretty(&file)?, force, false)
}

/// Reads a signed object. What it `says` is for people and is not believed.
pub fn read_object<T: Wire>(path: &Path, kind: &str) -> Result<T, Fail> {
    let file: ObjectFile = json(path)?;
    if file.version != 1 || file.kind != kind {
        let detail = format!("a file of kind `{}`, {kind} expected", file.kind);
        return Err(Fail::malformed(path.display(), "kind", detail));
    }
    let bytes = unhex(&file.bytes).map_err(|e| Fail::malformed(path.display(), "bytes", e))?;
    T::from_bytes(&bytes).map_err(|e| Fail::malformed(path.display(), "bytes", e))
}

/// A PSBT file as binary.
pub fn psbt(path: &Path) -> Result<Vec<u8>, Fail> {
    let bytes = read(path)?;
    withdrawal::psbt::to_binary(&bytes).map_err(|e| psbt_fault(path, e))
}

/// A PSBT fault as a failure of a command.
pub fn psbt_fault(path: &Path, fault: withdrawal::psbt::PsbtFault) -> Fail {
    match fault {
        withdrawal::psbt::PsbtFault::Malformed { at, detail } => {
            Fail::malformed(path.display(), format!("byte {at}"), detail)
        }
        withdrawal::psbt::PsbtFault::Refused(v) => Fail::Refused(v.code, v.detail),
    }
}

/// Writes a PSBT in base64, as wallets take it.
pub fn write_psbt(path: &Path, psbt: &[u8], force: Force) -> Result<(), Fail> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut text = BASE64_STANDARD.encode(psbt).into_bytes();
    text.push(b'\n');
    write(path, &text, force, false)
}

/// All approvals of a directory, in the order of their names.
pub fn approvals(dir: Option<&PathBuf>) -> Result<Vec<Approval>, Fail> {
    let Some(dir) = dir else { return Ok(Vec::new()) };
    let listing = std::fs::read_dir(dir)
        .map_err(|e| Fail::malformed(dir.display(), "", format!("approvals: {e}")))?;
    let mut paths = Vec::new();
    for entry in listing {
        let path = entry.map_err(|e| Fail::failed(format!("{}: {e}", dir.display())))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.len() > 256 {
        return Err(Fail::malformed(dir.display(), "", "more than 256 approvals"));
    }
    let mut approvals = Vec::new();
    for path in paths {
        let approval = Approval::parse(&read(&path)?);
        approvals.push(approval.map_err(|e| Fail::malformed(path.display(), e.at, e.detail))?);
    }
    Ok(approvals)
}
