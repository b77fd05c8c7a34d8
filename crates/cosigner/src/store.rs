//! What is kept beside the log: refusals, capped, and which vault the account key serves. Everything
//! that decides anything follows from the log.

use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use withdrawal::refusal::SignedRefusal;
use withdrawal::wire::Wire;

const REFUSALS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("refusals");

/// Notes of the heads accepted since the log's last entry, under the log's size: they are said in the
/// next one. Losing them makes things younger than they are, which is the safe way.
const SIGHTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("sights");

/// Most refusals that are kept; the oldest go first.
pub const REFUSALS_MAX: u64 = 1_000;

/// The store.
pub struct Store(Database);

/// The store failed.
#[derive(Debug, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreError(String);

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}

impl Store {
    /// Makes an empty store.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let db = Database::create(path).map_err(failed)?;
        let write = db.begin_write().map_err(failed)?;
        write.open_table(REFUSALS).map_err(failed)?;
        write.open_table(SIGHTS).map_err(failed)?;
        write.commit().map_err(failed)?;
        Ok(Self(db))
    }

    /// Opens the store; nothing in it is needed to decide, so a lost one is made anew, and a damaged
    /// one is put aside first.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Self::create(path);
        }
        match Database::open(path) {
            Ok(db) => {
                // A crash while it was made may have left it without tables.
                let write = db.begin_write().map_err(failed)?;
                write.open_table(REFUSALS).map_err(failed)?;
                write.open_table(SIGHTS).map_err(failed)?;
                write.commit().map_err(failed)?;
                Ok(Self(db))
            }
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                Err(failed("another process has it open; a cosigner runs once"))
            }
            Err(_) => {
                std::fs::rename(path, path.with_extension("damaged")).map_err(failed)?;
                Self::create(path)
            }
        }
    }

    /// Keeps a refusal.
    pub fn keep(&self, refusal: &SignedRefusal) -> Result<(), StoreError> {
        let write = self.0.begin_write().map_err(failed)?;
        {
            let mut table = write.open_table(REFUSALS).map_err(failed)?;
            let last = table.last().map_err(failed)?.map_or(0, |(key, _)| key.value());
            let number = last.saturating_add(1);
            table.insert(number, refusal.to_bytes().as_slice()).map_err(failed)?;
            if let Some(oldest) = number.checked_sub(REFUSALS_MAX) {
                table.remove(oldest).map_err(failed)?;
            }
        }
        write.commit().map_err(failed)
    }

    /// Keeps the heads accepted since the last entry.
    pub fn keep_sights(&self, size: u64, notes: &[Vec<u8>]) -> Result<(), StoreError> {
        let write = self.0.begin_write().map_err(failed)?;
        {
            let mut table = write.open_table(SIGHTS).map_err(failed)?;
            table.retain(|key, _| key == size).map_err(failed)?;
            table.insert(size, notes.to_vec().to_bytes().as_slice()).map_err(failed)?;
        }
        write.commit().map_err(failed)
    }

    /// Notes of the heads accepted since a log of this size got its last entry, as far as they are
    /// known.
    pub fn sights(&self, size: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(SIGHTS).map_err(failed)?;
        match table.get(size).map_err(failed)? {
            Some(bytes) => Vec::<Vec<u8>>::from_bytes(bytes.value()).map_err(failed),
            None => Ok(Vec::new()),
        }
    }

    /// The refusals kept, oldest first.
    pub fn refusals(&self) -> Result<Vec<SignedRefusal>, StoreError> {
        let read = self.0.begin_read().map_err(failed)?;
        let table = read.open_table(REFUSALS).map_err(failed)?;
        let mut all = Vec::new();
        for row in table.iter().map_err(failed)? {
            let (_, bytes) = row.map_err(failed)?;
            all.push(SignedRefusal::from_bytes(bytes.value()).map_err(failed)?);
        }
        Ok(all)
    }
}
