//! A copy of the cosigner's log, checked against its signed heads, and the state that follows from it.

use std::path::Path;

use tlog::dir::LogDir;
use tlog::log::Log;
use tlog::{SignedHead, TreeHead};
use withdrawal::code::Code;
use withdrawal::entry::Entry;
use withdrawal::genesis::Vault;
use withdrawal::protocol::{Request, Response};
use withdrawal::state::State;
use withdrawal::succession::key_of_head;
use withdrawal::wire::Wire as _;
use withdrawal::witnessed::Accepted;

use crate::client::Client;
use crate::dir::VaultDir;
use crate::{Error, io};

fn origin(note: &[u8]) -> &[u8] {
    note.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// The mirror of one vault's log; empty before the first update.
pub struct Mirror {
    dir: LogDir,
    head: TreeHead,
    vault: Vault,
}

fn log_error(error: &dyn std::fmt::Display) -> Error {
    Error::Malformed { what: "log mirror".to_owned(), detail: error.to_string() }
}

impl Mirror {
    /// Opens a vault's mirror, or prepares an empty one.
    pub fn open(dir: &VaultDir, vault: Vault) -> Result<Self, Error> {
        let path = dir.mirror_path();
        let exists = path.join("checkpoint").is_file();
        let dir = if exists { LogDir::open(&path) } else { LogDir::create(&path) };
        let dir = dir.map_err(io(path.display()))?;
        let mut head = TreeHead::EMPTY;
        if let Some(note) = dir.head_note().map_err(io(path.display()))? {
            head = *Self::signed(&vault, &note)?.head();
        }
        Ok(Self { dir, head, vault })
    }

    fn signed(vault: &Vault, note: &[u8]) -> Result<SignedHead, Error> {
        let first = vault.log.as_ref().ok_or_else(|| log_error(&"the vault has no log"))?;
        let log = key_of_head(first, note).map_err(|e| log_error(&e))?;
        SignedHead::parse(note, &log).map_err(|e| log_error(&e))
    }

    /// Puts the mirror of a log that was succeeded aside, as evidence, and begins a new one.
    fn set_aside(&mut self) -> Result<(), Error> {
        let path = self.dir.path().to_owned();
        let name = self.note()?.unwrap_or_default();
        let name = String::from_utf8_lossy(origin(&name)).into_owned();
        let name = name.rsplit(['/', '-']).next().unwrap_or_default().to_owned();
        let old = path.with_extension(format!("before-{name}-{}", self.head.size));
        std::fs::rename(&path, &old).map_err(io(old.display()))?;
        self.dir = LogDir::create(&path).map_err(io(path.display()))?;
        self.head = TreeHead::EMPTY;
        Ok(())
    }

    /// The head of the mirror.
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The log's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The newest head's note.
    pub fn note(&self) -> Result<Option<Vec<u8>>, Error> {
        self.dir.head_note().map_err(io("log mirror"))
    }

    /// The log as the mirror has it.
    pub fn log(&self) -> Log<'_, LogDir> {
        Log::at(&self.dir, self.head)
    }

    /// The vault.
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The log as it was at an earlier size, for proofs in heads of that size.
    pub fn at(&self, size: u64) -> Result<Earlier, Error> {
        let entries = self.log().entries(0, size).map_err(|e| log_error(&e))?;
        Earlier::new(&entries)
    }

    /// All entries from a number on.
    pub fn entries(&self, from: u64) -> Result<Vec<Vec<u8>>, Error> {
        self.log().entries(from, self.head.size).map_err(|e| log_error(&e))
    }

    /// Fetches what is new. A cosigner that shows less, or another history, is said so: the mirror
    /// never goes back.
    pub fn update(&mut self, client: &mut Client) -> Result<(), Error> {
        let mut fresh = Vec::new();
        loop {
            let from = self.head.size + fresh.len() as u64;
            let Response::Entries { entries, head } = client.ask(&Request::Entries { from })?
            else {
                return Err(Error::Peer("the cosigner gave no entries".to_owned()));
            };
            let signed = Self::signed(&self.vault, &head)?;
            if self.note()?.is_some_and(|ours| origin(&ours) != origin(&head)) {
                if self.is_behind_us(&head)? {
                    let what = "the cosigner shows its log from before a succession".to_owned();
                    return Err(Error::Refused(Code::LogRollback, what));
                }
                self.set_aside()?;
                fresh.clear();
                continue;
            }
            if signed.head().size < self.head.size {
                let what = format!(
                    "the cosigner shows {} entries, the mirror has {}",
                    signed.head().size,
                    self.head.size
                );
                return Err(Error::Refused(Code::LogRollback, what));
            }
            let done = entries.is_empty() || from + entries.len() as u64 == signed.head().size;
            fresh.extend(entries);
            if !done {
                continue;
            }
            let append = self.log().append(self.head.size, &fresh).map_err(|e| log_error(&e))?;
            if append.head != *signed.head() {
                let what = "the cosigner's head does not continue the mirror".to_owned();
                return Err(Error::Refused(Code::LogFork, what));
            }
            if !fresh.is_empty() {
                self.check_name(&fresh, signed.origin())?;
                self.dir.commit(&append, &head).map_err(io("log mirror"))?;
                self.head = append.head;
            }
            return Ok(());
        }
    }

    /// Whether a head is of a log that the mirror's own succeeded.
    pub fn is_behind_us(&self, head: &[u8]) -> Result<bool, Error> {
        if self.head.size == 0 {
            return Ok(false);
        }
        let name = String::from_utf8_lossy(origin(head)).into_owned();
        Ok(self.state(&[])?.was_called(&name))
    }

    /// A log under a name of its own shows the succession that gave it.
    fn check_name(&self, fresh: &[Vec<u8>], name: &str) -> Result<(), Error> {
        let mut state = State::new(self.vault.clone());
        let first = self.vault.log.as_ref().map(tlog::VerifierKey::name);
        if first == Some(name) || self.head.size > 0 {
            return Ok(());
        }
        for bytes in fresh {
            let entry = Entry::from_bytes(bytes).map_err(|e| log_error(&e))?;
            state.apply(&entry).map_err(|e| log_error(&e))?;
        }
        if state.log().map(tlog::VerifierKey::name) == Some(name) {
            return Ok(());
        }
        Err(Error::Refused(Code::LogFork, "the log has a name that no succession gave".to_owned()))
    }

    /// The state that follows from the mirror, with the times of cosigned heads that are given, the
    /// oldest first.
    pub fn state(&self, cosigned: &[Vec<u8>]) -> Result<State, Error> {
        let mut state = State::new(self.vault.clone());
        for (number, bytes) in self.entries(0)?.iter().enumerate() {
            let entry =
                Entry::from_bytes(bytes).map_err(|e| log_error(&format!("entry {number}: {e}")))?;
            state.apply(&entry).map_err(|e| log_error(&e))?;
        }
        let ours = self.note()?.unwrap_or_default();
        for note in cosigned.iter().filter(|note| origin(note) == origin(&ours)) {
            let (Some(log), Some(policy)) = (state.log(), state.witnesses()) else { break };
            let root = |size| self.log().root_at(size).ok();
            // A head behind the entries' own times tells nothing new.
            if let Ok(accepted) = Accepted::check(note, log, policy, root) {
                let _ = state.accept(accepted.size(), accepted.now());
            }
        }
        Ok(state)
    }
}

/// An earlier log, built again in memory: partial tiles of earlier sizes are not kept on disk.
pub struct Earlier {
    files: std::collections::BTreeMap<String, Vec<u8>>,
    head: TreeHead,
}

impl tlog::log::Files for Earlier {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

impl Earlier {
    fn new(entries: &[Vec<u8>]) -> Result<Self, Error> {
        let mut earlier = Self { files: std::collections::BTreeMap::new(), head: TreeHead::EMPTY };
        let append =
            Log::at(&earlier, TreeHead::EMPTY).append(0, entries).map_err(|e| log_error(&e))?;
        earlier.files = append.files.into_iter().collect();
        earlier.head = append.head;
        Ok(earlier)
    }

    /// Proof that an entry is in this earlier tree.
    pub fn prove(&self, entry: u64) -> Result<Vec<tlog::Hash>, Error> {
        Log::at(self, self.head).prove_inclusion(entry).map_err(|e| log_error(&e))
    }
}
