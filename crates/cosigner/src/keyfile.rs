//! The cosigner's secrets in one encrypted file: PBKDF2-HMAC-SHA-512 and ChaCha20-Poly1305, by `ring`.

use std::io;
use std::num::NonZeroU32;
use std::path::Path;

use ed25519_dalek::SigningKey;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::pbkdf2::{PBKDF2_HMAC_SHA512, derive};
use ring::rand::{SecureRandom, SystemRandom};
use tlog::LogSigner;
use withdrawal::genesis::CosignerKeys;
use withdrawal::keys::SecretKey;
use withdrawal::network::Network;
use withdrawal::sign::AccountKey;
use withdrawal::wire::Wire as _;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"CSKEY\0\0\x01";
/// OWASP's figure of 2023 for PBKDF2-HMAC-SHA-512; a passphrase from a credential store is random anyway.
const ITERATIONS: u32 = 210_000;

/// What the file holds.
pub struct Secrets {
    network: Network,
    origin: String,
    account: Zeroizing<[u8; 32]>,
    log: Zeroizing<[u8; 32]>,
    identity: Zeroizing<[u8; 32]>,
}

/// Why a key file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Reading or writing failed.
    #[error("key file: {0}")]
    Io(#[from] io::Error),
    /// The passphrase is wrong or the file is damaged.
    #[error("key file does not open: wrong passphrase, or it is damaged")]
    Locked,
    /// The random source failed.
    #[error("the system's random source failed")]
    Random,
}

fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyFileError::Random)?;
    Ok(bytes)
}

fn cipher(passphrase: &[u8], salt: &[u8]) -> Result<LessSafeKey, KeyFileError> {
    let mut key = Zeroizing::new([0; 32]);
    let iterations = NonZeroU32::new(ITERATIONS).ok_or(KeyFileError::Locked)?;
    derive(PBKDF2_HMAC_SHA512, iterations, salt, passphrase, key.as_mut());
    let unbound =
        UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).map_err(|_| KeyFileError::Locked)?;
    Ok(LessSafeKey::new(unbound))
}

impl Secrets {
    /// Fresh keys; the log's origin is random too, and not derived from the vault id, which hashes it.
    pub fn generate(network: Network) -> Result<Self, KeyFileError> {
        let name = withdrawal::digest::hex(&random::<8>()?);
        Ok(Self {
            network,
            origin: format!("countersign.invalid/{name}"),
            account: Zeroizing::new(random()?),
            log: Zeroizing::new(random()?),
            identity: Zeroizing::new(random()?),
        })
    }

    /// Writes the file; one that exists is never replaced.
    pub fn save(&self, path: &Path, passphrase: &[u8]) -> Result<(), KeyFileError> {
        if path.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is one already").into());
        }
        let mut plain = Zeroizing::new(Vec::new());
        self.network.put(&mut plain);
        self.origin.put(&mut plain);
        plain.extend_from_slice(self.account.as_ref());
        plain.extend_from_slice(self.log.as_ref());
        plain.extend_from_slice(self.identity.as_ref());
        let (salt, nonce) = (random::<16>()?, random::<12>()?);
        let mut sealed = plain.to_vec();
        cipher(passphrase, &salt)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(MAGIC),
                &mut sealed,
            )
            .map_err(|_| KeyFileError::Locked)?;
        let content = [MAGIC.as_slice(), &salt, &nonce, &sealed].concat();
        tlog::dir::write_synced(path, &content)?;
        restrict(path)?;
        Ok(tlog::dir::sync_dir(path.parent().unwrap_or(Path::new(".")))?)
    }

    /// Opens the file.
    pub fn load(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let content = std::fs::read(path)?;
        let rest = content.strip_prefix(MAGIC.as_slice()).ok_or(KeyFileError::Locked)?;
        let (salt, rest) = rest.split_first_chunk::<16>().ok_or(KeyFileError::Locked)?;
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(KeyFileError::Locked)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let plain = cipher(passphrase, salt)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(MAGIC), &mut sealed)
            .map_err(|_| KeyFileError::Locked)?;
        let mut reader = withdrawal::wire::Reader::new(plain);
        let mut read = || -> Result<Self, withdrawal::wire::WireError> {
            Ok(Self {
                network: withdrawal::wire::Wire::take(&mut reader)?,
                origin: withdrawal::wire::Wire::take(&mut reader)?,
                account: Zeroizing::new(withdrawal::wire::Wire::take(&mut reader)?),
                log: Zeroizing::new(withdrawal::wire::Wire::take(&mut reader)?),
                identity: Zeroizing::new(withdrawal::wire::Wire::take(&mut reader)?),
            })
        };
        read().map_err(|_| KeyFileError::Locked)
    }

    /// The account key.
    pub fn account(&self) -> Option<AccountKey> {
        AccountKey::from_seed(&self.account, self.network)
    }

    /// The log's key.
    pub fn log(&self) -> Option<LogSigner> {
        LogSigner::new(&self.origin, SigningKey::from_bytes(&self.log)).ok()
    }

    /// The identity key.
    pub fn identity(&self) -> SecretKey {
        SecretKey::from_seed(&self.identity)
    }

    /// The public parts, as they stand in genesis.
    pub fn public(&self) -> Option<CosignerKeys> {
        Some(CosignerKeys {
            identity: self.identity().public(),
            log: self.log()?.verifier().to_string(),
            account: self.account()?.public(),
        })
    }

    /// The network that the account is for.
    pub const fn network(&self) -> Network {
        self.network
    }
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}
