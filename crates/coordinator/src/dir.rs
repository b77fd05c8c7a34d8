//! A vault's directory: genesis, log mirror, coins, and what was released from it.

use std::path::{Path, PathBuf};

use tlog::dir::{sync_dir, write_synced};
use withdrawal::digest::Digest;
use withdrawal::genesis::{SignedGenesis, Vault};
use withdrawal::wire::Wire as _;

use crate::{Error, io};

/// Where everything of one vault lies.
#[derive(Clone, Debug)]
pub struct VaultDir {
    root: PathBuf,
}

impl VaultDir {
    /// Makes a directory for an unsigned or signed genesis record; one that holds one is an error.
    pub fn create(root: &Path, genesis: &SignedGenesis) -> Result<Self, Error> {
        let dir = Self { root: root.to_owned() };
        if dir.genesis_path().exists() {
            let error =
                std::io::Error::new(std::io::ErrorKind::AlreadyExists, "holds a vault already");
            return Err(Error::Io { what: root.display().to_string(), error });
        }
        std::fs::create_dir_all(root).map_err(io(root.display()))?;
        dir.save_genesis(genesis)?;
        Ok(dir)
    }

    /// Opens a directory.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let dir = Self { root: root.to_owned() };
        if dir.genesis_path().is_file() {
            return Ok(dir);
        }
        let error =
            std::io::Error::new(std::io::ErrorKind::NotFound, "no vault in it (no `genesis`)");
        Err(Error::Io { what: root.display().to_string(), error })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }
    /// The signed genesis record.
    pub fn genesis_path(&self) -> PathBuf {
        self.root.join("genesis")
    }
    /// The log mirror.
    pub fn mirror_path(&self) -> PathBuf {
        self.root.join("log")
    }
    /// The cosigner's socket, by default.
    pub fn cosigner_socket(&self) -> PathBuf {
        self.root.join("cosigner.sock")
    }
    /// The cosigner's second socket, by default.
    pub fn submit_socket(&self) -> PathBuf {
        self.root.join("submit.sock")
    }
    /// The newest head with cosignatures.
    pub fn head_path(&self) -> PathBuf {
        self.root.join("head")
    }
    /// Keeps a head with cosignatures as the newest, and as the first of its size if it is that: what
    /// ages since the log's last entry ages from the first.
    pub fn keep_head(&self, note: &[u8]) -> Result<(), Error> {
        let mut heads = self.heads()?;
        let text = |note: &[u8]| String::from_utf8_lossy(note).lines().take(3).collect::<String>();
        match heads.as_mut_slice() {
            [first, .., last] if text(first) == text(note) => *last = note.to_vec(),
            [first] if text(first) == text(note) => heads.push(note.to_vec()),
            _ => heads = vec![note.to_vec()],
        }
        self.write(&self.head_path(), note)?;
        self.write(&self.root.join("heads"), &heads.to_bytes())
    }

    /// The first and the newest cosigned head of the newest size.
    pub fn heads(&self) -> Result<Vec<Vec<u8>>, Error> {
        match std::fs::read(self.root.join("heads")) {
            // What is damaged here is fetched again by the next command that talks to witnesses.
            Ok(bytes) => Ok(Vec::<Vec<u8>>::from_bytes(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io("heads")(error)),
        }
    }

    /// The coins.
    pub fn coins_path(&self) -> PathBuf {
        self.root.join("coins.json")
    }
    /// Where what is known of one released spend lies.
    pub fn released_path(&self, spend: &Digest) -> PathBuf {
        self.root.join("released").join(spend.to_string())
    }

    /// Reads the genesis record.
    pub fn genesis(&self) -> Result<SignedGenesis, Error> {
        let path = self.genesis_path();
        let bytes = std::fs::read(&path).map_err(io(path.display()))?;
        SignedGenesis::from_bytes(&bytes).map_err(|e| Error::Malformed {
            what: path.display().to_string(),
            detail: e.to_string(),
        })
    }

    /// The vault, checked.
    pub fn vault(&self) -> Result<Vault, Error> {
        let signed = self.genesis()?;
        signed.genesis.check().map_err(|e| Error::Refused(e.code, e.detail))
    }

    /// Writes the genesis record with the signatures collected so far.
    pub fn save_genesis(&self, genesis: &SignedGenesis) -> Result<(), Error> {
        self.write(&self.genesis_path(), &genesis.to_bytes())
    }

    /// Writes a file of the directory whole or not at all.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io(parent.display()))?;
            write_synced(path, content).map_err(io(path.display()))?;
            sync_dir(parent).map_err(io(parent.display()))?;
        }
        Ok(())
    }

    /// Next index of a branch that was not given out yet.
    pub fn next_index(&self, branch: u32) -> Result<u32, Error> {
        let path = self.root.join(format!("next-{branch}"));
        match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| Error::Malformed {
                what: path.display().to_string(),
                detail: "not a number".to_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io(path.display())(error)),
        }
    }

    /// Remembers that an index is given out, before anyone sees its address.
    pub fn give_out(&self, branch: u32, index: u32) -> Result<(), Error> {
        let next = self.next_index(branch)?.max(index.saturating_add(1));
        self.write(&self.root.join(format!("next-{branch}")), format!("{next}\n").as_bytes())
    }
}
