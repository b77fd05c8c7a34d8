//! A log in a directory: files synced, then directories, then the head put in place by rename.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::log::{Append, Files};

const HEAD: &str = "checkpoint";

/// A directory that holds one log in tlog-tiles layout.
#[derive(Debug, Clone)]
pub struct LogDir {
    root: PathBuf,
}

impl LogDir {
    /// Makes the directory; one that exists with a head in it is an error.
    pub fn create(root: &Path) -> io::Result<Self> {
        if root.join(HEAD).exists() {
            let text = format!("{} holds a log already", root.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        fs::create_dir_all(root)?;
        if let Some(parent) = root.parent() {
            sync_dir(parent)?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Opens a directory; a missing head is an error, never an empty log.
    pub fn open(root: &Path) -> io::Result<Self> {
        if !root.join(HEAD).is_file() {
            let text = format!("{} holds no log (no `{HEAD}` in it)", root.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The signed head as it stands, or `None` before the first commit.
    pub fn head_note(&self) -> io::Result<Option<Vec<u8>>> {
        self.read(HEAD)
    }

    /// Writes the files of `append`, syncs them and their directories, then puts `note` in place.
    ///
    /// A crash before the rename leaves the old log with stray files beyond its head, which the next
    /// append overwrites; after it the new log is complete.
    pub fn commit(&self, append: &Append, note: &[u8]) -> io::Result<()> {
        let mut dirs = BTreeSet::new();
        for (path, content) in &append.files {
            let target = self.root.join(path);
            if let Some(parent) = target.parent() {
                make_dirs(&self.root, parent)?;
                dirs.insert(parent.to_owned());
            }
            write_synced(&target, content)?;
        }
        for dir in &dirs {
            sync_dir(dir)?;
        }
        self.replace_head(note)?;
        for path in &append.stale {
            // Losing this costs disk space only.
            let _ = fs::remove_file(self.root.join(path));
        }
        Ok(())
    }

    /// Replaces the head's note by one of the same tree with more signatures.
    pub fn replace_head(&self, note: &[u8]) -> io::Result<()> {
        write_synced(&self.root.join(HEAD), note)?;
        sync_dir(&self.root)
    }
}

impl Files for LogDir {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The system could not say that what was written is durable. What its caches show afterwards proves
/// nothing (an error is reported once), so whoever decides by this storage stops.
#[derive(Debug, thiserror::Error)]
#[error("sync failed, what is on disk is unknown: {0}")]
pub struct SyncFailed(io::Error);

fn synced(result: io::Result<()>) -> io::Result<()> {
    result.map_err(|error| io::Error::other(SyncFailed(error)))
}

/// Whether an error is a failed sync.
pub fn is_sync_failure(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<SyncFailed>())
}

/// Writes a file whole or not at all: temporary file, sync, rename. The directory is not synced.
pub fn write_synced(target: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = target.with_file_name(name);
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    synced(file.sync_all())?;
    fs::rename(&temporary, target)
}

/// Makes names in a directory durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    synced(File::open(dir)?.sync_all())
}

fn make_dirs(root: &Path, dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    // Every new name on the way down is synced in its parent.
    let mut at = dir;
    while let Some(parent) = at.parent() {
        sync_dir(parent)?;
        if parent == root {
            break;
        }
        at = parent;
    }
    Ok(())
}
