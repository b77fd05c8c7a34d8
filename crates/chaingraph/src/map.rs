//! Files as memory. The only file of the project with `unsafe`: mapping is sound only while nobody else
//! shortens the file, and nothing in Rust's types can say that. A graph's directory is held by a lock while it is
//! built; who edits its files by hand under a reader gets a bus error, not a wrong answer.
#![expect(unsafe_code, reason = "memory maps; each use says why it holds")]

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::{Mmap, MmapMut, MmapOptions, RemapOptions};

/// A file, read only.
#[derive(Debug, Default)]
pub struct Map(Option<Mmap>);

impl Map {
    /// Maps `len` bytes of a file, which has at least as many.
    ///
    /// # Errors
    /// The file is shorter, or can't be mapped.
    pub fn open(file: &File, len: u64) -> io::Result<Self> {
        if file.metadata()?.len() < len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is too short"));
        }
        if len == 0 {
            return Ok(Self(None)); // an empty map is refused by the system
        }
        // SAFETY: read only, not past the file's end as just checked; the file is not shortened while mapped, see above.
        let map = unsafe { MmapOptions::new().len(crate::num::index(len)).map(file)? };
        Ok(Self(Some(map)))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Makes a file `len` bytes long, on disk: a full disk is an error here, not a bus error at some later write.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len) {
        // Some file systems can't; there the risk stays.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        result => Ok(result?),
    }
}

/// A file that grows and is written anywhere: columns that a build reads again or changes in place.
#[derive(Debug)]
pub struct GrowingMap {
    file: File,
    map: MmapMut,
    len: usize,
}

/// The file grows by at least this much at once; what is not used is cut at the end.
const STEP: usize = 64 << 20;

impl GrowingMap {
    /// Maps a file opened for reading and writing, of which `len` bytes are in use.
    ///
    /// # Errors
    /// The file can't be lengthened or mapped.
    pub fn open(file: File, len: u64) -> io::Result<Self> {
        let len = crate::num::index(len);
        let map = Self::map(&file, len + STEP)?;
        Ok(Self { file, map, len })
    }

    fn map(file: &File, capacity: usize) -> io::Result<MmapMut> {
        reserve(file, capacity as u64)?;
        // SAFETY: the file has this length now, is written by this process alone (the directory's lock), and is
        // cut only by `finish`, which has given up the map.
        unsafe { MmapOptions::new().len(capacity).map_mut(file) }
    }

    /// Bytes in use.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Lengthens by `more` zero bytes.
    ///
    /// # Errors
    /// The file can't be lengthened or mapped.
    pub fn grow(&mut self, more: usize) -> io::Result<()> {
        let len = self.len + more;
        if len > self.map.len() {
            let capacity = len + (len / 4).max(STEP);
            reserve(&self.file, capacity as u64)?;
            // SAFETY: the file has this length now, is written by this process alone, and is cut only by `finish`; nobody
            // holds a piece of the map while it moves, as `self` is borrowed alone. Moved, not mapped anew: a new map would
            // fault in every page again.
            unsafe { self.map.remap(capacity, RemapOptions::new().may_move(true))? };
        }
        self.len = len;
        Ok(())
    }

    /// Shortens to `len` bytes, if it is longer; what is cut reads as zeros when it grows again.
    pub fn truncate(&mut self, len: usize) {
        if let Some(cut) = self.map.get_mut(len..self.len) {
            cut.fill(0);
            self.len = len;
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The file can't be lengthened or mapped.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let at = self.len;
        self.grow(bytes.len())?;
        if let Some(place) = self.map.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// The bytes in use.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.map.get(..self.len).unwrap_or_default()
    }

    /// The bytes in use, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.map.get_mut(..self.len).unwrap_or_default()
    }

    /// Writes everything to disk. After a crash the bytes up to the sealed length are what they were here.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        self.map.flush()?;
        self.file.sync_data()
    }

    /// Writes everything, and cuts the file to the bytes in use.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> io::Result<()> {
        let Self { file, map, len } = self;
        map.flush()?;
        drop(map);
        file.set_len(len as u64)?;
        file.sync_all()
    }
}
