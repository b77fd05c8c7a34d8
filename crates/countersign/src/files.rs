//! The small files that commands read and write: keys, signed objects, PSBTs. Nothing is overwritten
//! without `--force`, and secrets are readable by their owner only.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use withdrawal::approval::Approval;
use withdrawal::author::SoftwarePasskey;
use withdrawal::digest::{Digest, hex, unhex};
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
    // What something says of its length is not believed: a pipe or a device says 0.
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let detail = format!("more than {FILE_BYTES_MAX} bytes are too many");
        return Err(Fail::malformed(path.display(), "", detail));
    }
    Ok(bytes)
}

/// Writes a file; `secret` ones for their owner only.
pub fn write(path: &Path, content: &[u8], force: Force, secret: bool) -> Result<(), Fail> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fail::failed(format!("{} exists already; --force replaces it", path.display()))
        }
        _ => Fail::failed(format!("{}: {e}", path.display())),
    };
    // What is replaced is replaced whole: the new file lies beside it until it is durable.
    let target = if force.0 { beside(path) } else { path.to_owned() };
    if force.0 {
        match std::fs::remove_file(&target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if secret { 0o600 } else { 0o644 });
    }
    let mut file = options.open(&target).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    if force.0 {
        std::fs::rename(&target, path).map_err(failed)?;
    }
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// A folder that is written beside its place and put there whole, so that nobody finds half of one. What is not put in
/// place is removed; of what was there before, only an empty folder, or with force one that holds our files alone.
pub struct Folder {
    beside: PathBuf,
    place: PathBuf,
    force: Force,
    is_ours: Box<dyn Fn(&str) -> bool>,
    was_there: bool,
}

impl Folder {
    /// Begins a folder whose files have names for which `is_ours` holds.
    pub fn new(
        place: &Path,
        force: Force,
        is_ours: impl Fn(&str) -> bool + 'static,
    ) -> Result<Self, Fail> {
        let failed = |e: std::io::Error| Fail::failed(format!("{}: {e}", place.display()));
        let Some(name) = place.file_name() else {
            return Err(Fail::failed(format!("{}: give a folder by its name", place.display())));
        };
        let was_there = match std::fs::symlink_metadata(place) {
            Ok(found) if found.is_dir() => true,
            Ok(_) => {
                let text = format!("{} is something else than a folder", place.display());
                return Err(Fail::failed(text));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error)),
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".new-{}", unused_number()?));
        let beside = place.with_file_name(hidden);
        let folder =
            Self { beside, place: place.to_owned(), force, is_ours: Box::new(is_ours), was_there };
        if was_there {
            folder.check(&folder.place)?;
        } else if let Some(above) = place.parent() {
            std::fs::create_dir_all(above).map_err(failed)?;
        }
        std::fs::create_dir(&folder.beside).map_err(failed)?;
        if was_there {
            let mode = std::fs::metadata(place).map_err(failed)?.permissions();
            std::fs::set_permissions(&folder.beside, mode).map_err(failed)?;
        }
        Ok(folder)
    }

    /// Whether what lies in `dir` may be replaced.
    fn check(&self, dir: &Path) -> Result<(), Fail> {
        let place = self.place.display();
        let failed = |e: std::io::Error| Fail::failed(format!("{place}: {e}"));
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !self.force.0 {
                return Err(Fail::failed(format!("{place} exists already; --force replaces it")));
            }
            let (name, kind) = (entry.file_name(), entry.file_type().map_err(failed)?);
            if !kind.is_file() || !name.to_str().is_some_and(|name| (self.is_ours)(name)) {
                let name = name.display();
                return Err(Fail::failed(format!("{place} holds `{name}`, which is not ours")));
            }
        }
        Ok(())
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.beside
    }

    /// Puts it in its place, in one step. What came to the place meanwhile is not replaced.
    pub fn finish(self) -> Result<(), Fail> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let failed = |e: std::io::Error| Fail::failed(format!("{}: {e}", self.place.display()));
        let rename = |flags: RenameFlags| {
            renameat_with(CWD, &self.beside, CWD, &self.place, flags).map_err(|e| failed(e.into()))
        };
        std::fs::File::open(&self.beside).and_then(|dir| dir.sync_all()).map_err(failed)?;
        if self.was_there {
            rename(RenameFlags::EXCHANGE)?;
            // The old one lies beside it now, where nobody looks for it: who wrote into it meanwhile gets it back.
            if let Err(error) = self.check(&self.beside) {
                rename(RenameFlags::EXCHANGE)?;
                return Err(error);
            }
        } else {
            rename(RenameFlags::NOREPLACE)?;
        }
        let above = self.place.parent().filter(|p| !p.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        std::fs::File::open(above).and_then(|dir| dir.sync_all()).map_err(failed)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.beside); // nothing is there after a rename
    }
}

/// A number that no other run took.
fn unused_number() -> Result<String, Fail> {
    Ok(hex(&random::<6>()?))
}

/// Asks a person at a terminal to say that the words shown were read; programs pass by, `--yes` too.
pub fn confirm(words: &str, yes: bool) -> Result<(), Fail> {
    use std::io::IsTerminal as _;
    if yes || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let last = words.split(' ').next_back().unwrap_or_default();
    crate::show::tell(
        "compare the twelve words with the others by voice, then type the last one to sign:",
    );
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Fail::failed)?;
    if answer.trim() == last {
        return Ok(());
    }
    Err(Fail::failed("that is not the last of the twelve words; nothing was signed"))
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
    /// Vaults that the owner of a review key has signed for; it signs for no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vaults: Vec<String>,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, Fail> {
    let bytes = Zeroizing::new(read(path)?);
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
        vaults: Vec::new(),
    };
    write(path, &Zeroizing::new(pretty(&file)?), force, true)?;
    Ok(key)
}

/// Reads a review key or a request key.
pub fn signing_key(path: &Path, kinds: &[&str]) -> Result<SecretKey, Fail> {
    let file = key_file(path, kinds)?;
    Ok(SecretKey::from_seed(&seed(path, &file)?))
}

/// Reads a review key for a decision in a vault. One that was never used in any is bound to this one;
/// one that is bound to others only is the wrong key, or this is the wrong vault.
pub fn review_key(path: &Path, vault: &Digest) -> Result<SecretKey, Fail> {
    let file = key_file(path, &["review-key"])?;
    let id = vault.to_string();
    if file.vaults.is_empty() {
        bind_review_key(path, vault)?;
    } else if !file.vaults.contains(&id) {
        let detail =
            format!("this review key is bound to vault {}, not to {id}", file.vaults.join(", "));
        return Err(Fail::malformed(path.display(), "vaults", detail));
    }
    Ok(SecretKey::from_seed(&seed(path, &file)?))
}

/// Binds a review key to a vault too: its owner has read the vault's genesis record.
pub fn bind_review_key(path: &Path, vault: &Digest) -> Result<(), Fail> {
    let mut file = key_file(path, &["review-key"])?;
    let id = vault.to_string();
    if file.vaults.contains(&id) {
        return Ok(());
    }
    file.vaults.push(id);
    write(path, &Zeroizing::new(pretty(&file)?), Force(true), true)
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
        vaults: Vec::new(),
    };
    write(path, &Zeroizing::new(pretty(&file)?), force, true)?;
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
        vaults: Vec::new(),
    };
    write(path, &Zeroizing::new(pretty(&file)?), force, true)?;
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
    let listing = std::fs::read_dir(dir).map_err(|e| {
        let detail =
            format!("the directory of approvals: {e}; `approve --out DIR/NAME.json` fills one");
        Fail::malformed(dir.display(), "", detail)
    })?;
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
