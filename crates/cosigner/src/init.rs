//! Making a cosigner: keys first, then, once, a vault.

use std::io;
use std::path::Path;

use tlog::dir::{LogDir, sync_dir, write_synced};
use tlog::log::Log;
use tlog::{SignedHead, TreeHead};
use withdrawal::code::Code;
use withdrawal::digest::Digest;
use withdrawal::entry::{Body, Entry};
use withdrawal::genesis::SignedGenesis;
use withdrawal::wire::Wire as _;

use crate::core::{CoreError, KEY_FILE, LOG_DIR, STORE_FILE, VAULT_FILE};
use crate::keyfile::Secrets;
use crate::store::Store;

/// Makes the directory and its key file.
pub fn keygen(dir: &Path, secrets: &Secrets, passphrase: &[u8]) -> Result<(), CoreError> {
    std::fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(secrets.save(&dir.join(KEY_FILE), passphrase)?)
}

/// Binds the cosigner to a vault, for ever: every founder has signed, its own keys are in it, and its
/// account serves no other vault. Starts the log with the genesis record.
pub fn init(dir: &Path, genesis: &[u8], passphrase: &[u8]) -> Result<Digest, CoreError> {
    let secrets = Secrets::load(&dir.join(KEY_FILE), passphrase)?;
    let signed = SignedGenesis::from_bytes(genesis)
        .map_err(|e| CoreError::Malformed(format!("genesis: {e}")))?;
    let refuse = |code: Code, what: String| Err(CoreError::Refused(code, what));
    let vault = match signed.genesis.clone().check() {
        Ok(vault) => vault,
        Err(error) if error.code == Code::Malformed => {
            return Err(CoreError::Malformed(error.detail));
        }
        Err(error) => return refuse(error.code, error.detail),
    };
    let unsigned = signed.unsigned();
    if !unsigned.is_empty() {
        return refuse(Code::QuorumNotMet, format!("not signed by {}", unsigned.join(", ")));
    }
    if signed.genesis.cosigner != secrets.public() {
        return refuse(Code::NotEntitled, "the record names another cosigner's keys".to_owned());
    }
    if vault.script.wrapping() == withdrawal::script::Wrapping::Taproot {
        return refuse(Code::ScriptTypeForbidden, "taproot is judged, not signed yet".to_owned());
    }
    // The second decoder must understand the script too, and agree on who spends.
    crate::decoders::check_vault(&vault)
        .map_err(|e| CoreError::Refused(Code::CosignerBypass, e))?;
    let bound = dir.join(VAULT_FILE);
    if bound.exists() {
        let other = std::fs::read_to_string(&bound)?;
        return refuse(
            Code::NotEntitled,
            format!("these keys serve vault {} for ever", other.trim()),
        );
    }
    // Everything that can fail for what the record is has been tried before the keys are bound to it.
    let log = LogDir::create(&dir.join(LOG_DIR))?;
    let entry = Entry::new(Vec::new(), Body::Genesis(Box::new(signed)));
    let append = Log::at(&log, TreeHead::EMPTY).append(0, &[entry.to_bytes()])?;
    let signer = secrets.log().ok_or_else(|| io::Error::other("log key"))?;
    let head =
        SignedHead::sign(append.head, &signer).map_err(|e| CoreError::Broken(e.to_string()))?;
    // A crash behind this line leaves keys bound to a vault without a log: they are spent, no coin is.
    write_synced(&bound, format!("{}\n", vault.id).as_bytes())?;
    sync_dir(dir)?;
    log.commit(&append, &head.to_note())?;
    Store::create(&dir.join(STORE_FILE))?;
    Ok(vault.id)
}
