//! Where the blocks lie: a node's `blk*.dat`, files in that framing, folders of raw blocks. Only headers and the
//! coinbase's height are read here; the blocks themselves when their turn in the chain comes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::block::{MAX_BLOCK_LEN, Parsed, coinbase_height};
use crate::error::{BuildError, Notice};
use crate::header::{HEADER_LEN, Header};
use crate::network::Network;
use crate::num::index;
use crate::script::HashKey;

/// Where a block's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which of the files.
    pub file: u32,
    /// Its first byte there.
    pub offset: u64,
    /// How many bytes.
    pub len: u32,
}

/// A block that was met.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Its header.
    pub header: Header,
    /// The height in its coinbase (BIP 34), if it has one.
    pub height: Option<u32>,
}

/// All that lies there.
#[derive(Debug)]
pub struct Scan {
    /// Files with blocks, in order.
    pub files: Vec<BlockFile>,
    /// Blocks in the order of the files.
    pub found: Vec<Found>,
    /// The network, and whether the files themselves name it.
    pub network: &'static Network,
    /// What a person should know.
    pub notices: Vec<Notice>,
}

impl Scan {
    /// The bytes of a block that was met.
    ///
    /// # Errors
    /// The system refuses.
    pub fn bytes_of(&self, found: &Found) -> Result<Vec<u8>, BuildError> {
        let mut bytes = Vec::new();
        if let Some(file) = self.files.get(found.place.file as usize) {
            file.read(found.place.offset, found.place.len as usize, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// A finding about a block that was met.
    #[must_use]
    pub fn bad_block(&self, found: &Found, reason: &str) -> BuildError {
        let file = self.files.get(found.place.file as usize);
        BuildError::BadBlock {
            path: file.map(|f| f.path.clone()).unwrap_or_default(),
            offset: found.place.offset,
            reason: reason.to_owned(),
        }
    }
}

/// One file with blocks.
#[derive(Debug)]
pub struct BlockFile {
    /// Where it is.
    pub path: PathBuf,
    len: u64,
    key: Option<[u8; 8]>,
}

impl BlockFile {
    fn open(path: &Path, key: Option<[u8; 8]>) -> Result<Self, BuildError> {
        let file = File::open(path).map_err(BuildError::io(path, "opening it"))?;
        let len = file.metadata().map_err(BuildError::io(path, "asking its length"))?.len();
        Ok(Self { path: path.to_owned(), len, key })
    }

    fn file(&self) -> Result<File, BuildError> {
        File::open(&self.path).map_err(BuildError::io(&self.path, "opening it"))
    }

    /// Reads `len` bytes from `offset` into `buffer`, whose old content is lost; the XOR key is taken off.
    ///
    /// # Errors
    /// The system refuses, or the file is shorter.
    pub fn read(&self, offset: u64, len: usize, buffer: &mut Vec<u8>) -> Result<(), BuildError> {
        buffer.resize(len, 0);
        // Opened each time: a node has thousands of files, a process may hold a thousand open.
        self.file()?
            .read_exact_at(buffer, offset)
            .map_err(BuildError::io(&self.path, "reading a block"))?;
        if let Some(key) = self.key {
            unmask(buffer, key, offset);
        }
        Ok(())
    }

    /// Another file beside it, under the same mask.
    pub(crate) fn sibling(&self, path: &Path) -> Result<Self, BuildError> {
        Self::open(path, self.key)
    }

    /// Bytes in the file.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.len
    }

    /// Reads at most `len` bytes from `offset`: fewer at the file's end.
    pub(crate) fn peek(&self, offset: u64, len: usize) -> Result<Vec<u8>, BuildError> {
        let left = index(self.len.saturating_sub(offset));
        let mut buffer = Vec::new();
        self.read(offset, len.min(left), &mut buffer)?;
        Ok(buffer)
    }

    fn bad(&self, offset: u64, reason: impl Into<String>) -> BuildError {
        BuildError::BadBlock { path: self.path.clone(), offset, reason: reason.into() }
    }

    /// Whether only zeros follow, masked or not (a node lengthens its files ahead of the blocks).
    fn is_zero_from(&self, mut offset: u64) -> Result<bool, BuildError> {
        let file = self.file()?;
        let mut raw = vec![0; 1 << 20];
        let mut masked = true;
        let mut plain = true;
        while offset < self.len && (masked || plain) {
            let step = raw.len().min(index(self.len - offset));
            let Some(piece) = raw.get_mut(..step) else { break };
            file.read_exact_at(piece, offset).map_err(BuildError::io(&self.path, "reading"))?;
            plain &= piece.iter().all(|b| *b == 0);
            if let Some(key) = self.key {
                unmask(piece, key, offset);
            }
            masked &= piece.iter().all(|b| *b == 0);
            offset += step as u64;
        }
        Ok(masked || plain)
    }

    /// The next place from `offset` on where a record of the network seems to begin.
    fn next_record(&self, mut offset: u64, network: &Network) -> Result<Option<u64>, BuildError> {
        while offset + 8 < self.len {
            let piece = self.peek(offset, 1 << 20)?;
            for at in piece.windows(4).enumerate().filter(|(_, w)| **w == network.magic) {
                let start = offset + at.0 as u64;
                let head = self.peek(start, 8 + HEADER_LEN)?;
                let len =
                    head.get(4..8).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
                let fits = len.is_some_and(|len| {
                    (HEADER_LEN + 61..=MAX_BLOCK_LEN).contains(&(len as usize))
                        && start + 8 + u64::from(len) <= self.len
                });
                if fits {
                    return Ok(Some(start));
                }
            }
            offset += (piece.len() as u64).saturating_sub(3).max(1);
        }
        Ok(None)
    }
}

/// Takes off (or puts on) the mask of Core 28 and later: the key repeats over the file's bytes.
fn unmask(bytes: &mut [u8], key: [u8; 8], offset: u64) {
    let mut turned = key;
    turned.rotate_left(index(offset % 8));
    let word = u64::from_ne_bytes(turned);
    let mut words = bytes.chunks_exact_mut(8);
    for chunk in words.by_ref() {
        if let Some(eight) = chunk.first_chunk_mut::<8>() {
            *eight = (u64::from_ne_bytes(*eight) ^ word).to_ne_bytes();
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(turned) {
        *byte ^= mask;
    }
}

/// What to do with bytes that should be a block and are none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bad {
    /// Stop.
    Refuse,
    /// Leave them out and say so.
    Skip,
}

/// Looks at a file or folder. `progress` is told bytes looked at and bytes in all.
///
/// # Errors
/// Nothing there; two networks; a bad record, unless they are skipped; the system refuses.
pub fn scan(path: &Path, bad: Bad, progress: &mut dyn FnMut(u64, u64)) -> Result<Scan, BuildError> {
    let mut scanner = Scanner { bad, files: vec![], found: vec![], network: None, notices: vec![] };
    let candidates = candidates(path, &mut scanner.notices)?;
    let total: u64 = candidates.iter().map(|c| c.len).sum();
    let last = candidates.len().saturating_sub(1);
    let mut done = 0;
    for (at, file) in candidates.into_iter().enumerate() {
        done += file.len;
        scanner.file(file, at == last)?;
        progress(done, total);
    }
    if scanner.found.is_empty() {
        return Err(BuildError::NoBlocks { path: path.to_owned() });
    }
    let network = match scanner.network {
        Some(network) => network,
        None => scanner.guess_network()?,
    };
    let Scanner { files, found, notices, .. } = scanner;
    Ok(Scan { files, found, network, notices })
}

/// Files that may hold blocks, by name; directories inside a folder are left out silently (a node has `index/`).
fn candidates(path: &Path, notices: &mut Vec<Notice>) -> Result<Vec<BlockFile>, BuildError> {
    let io = |what| BuildError::io(path, what);
    let key = |dir: &Path| -> Result<Option<[u8; 8]>, BuildError> {
        let file = dir.join("xor.dat");
        match std::fs::read(&file) {
            Ok(bytes) => match <[u8; 8]>::try_from(bytes.as_slice()) {
                Ok([0, 0, 0, 0, 0, 0, 0, 0]) => Ok(None),
                Ok(key) => Ok(Some(key)),
                Err(_) => Err(BuildError::BadBlock {
                    path: file,
                    offset: 0,
                    reason: "an XOR key has eight bytes".to_owned(),
                }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BuildError::io(&file, "reading the XOR key")(error)),
        }
    };
    let is_blk = |p: &Path| {
        p.file_name().is_some_and(|n| {
            let n = n.to_string_lossy();
            n.starts_with("blk") && n.ends_with(".dat")
        })
    };
    if std::fs::metadata(path).map_err(io("looking at it"))?.is_file() {
        let beside = path.parent().filter(|_| is_blk(path)).map(key).transpose()?.flatten();
        return Ok(vec![BlockFile::open(path, beside)?]);
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io("listing it"))? {
        let path = entry.map_err(io("listing it"))?.path();
        if path.is_file() {
            names.push(path);
        }
    }
    names.sort();
    let node = names.iter().any(|p| is_blk(p));
    let key = key(path)?;
    let mut files = Vec::new();
    for name in names {
        let known = name.file_name().is_some_and(|n| {
            let n = n.to_string_lossy();
            n == "xor.dat" || n.starts_with('.') || (n.starts_with("rev") && n.ends_with(".dat"))
        });
        if known {
            continue;
        }
        if node && !is_blk(&name) {
            notices.push(Notice::Unrecognised(name));
            continue;
        }
        files.push(BlockFile::open(&name, key.filter(|_| is_blk(&name)))?);
    }
    Ok(files)
}

struct Scanner {
    bad: Bad,
    files: Vec<BlockFile>,
    found: Vec<Found>,
    network: Option<&'static Network>,
    notices: Vec<Notice>,
}

impl Scanner {
    fn file(&mut self, file: BlockFile, last: bool) -> Result<(), BuildError> {
        let head = file.peek(0, 8)?;
        let magic = head.first_chunk::<4>().and_then(|m| Network::of_magic(*m));
        let is_blk = file.path.file_name().is_some_and(|n| {
            let n = n.to_string_lossy();
            n.starts_with("blk") && n.ends_with(".dat")
        });
        if magic.is_some() || is_blk { self.framed(file, last) } else { self.raw(file) }
    }

    fn set_network(
        &mut self,
        network: &'static Network,
        file: &BlockFile,
        offset: u64,
    ) -> Result<(), BuildError> {
        match self.network {
            Some(first) if first != network => Err(BuildError::MixedNetworks {
                path: file.path.clone(),
                offset,
                first: first.name,
                second: network.name,
            }),
            _ => {
                self.network = Some(network);
                Ok(())
            }
        }
    }

    /// Records of magic, length and block, one after the other.
    fn framed(&mut self, file: BlockFile, last: bool) -> Result<(), BuildError> {
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let mut offset = 0;
        while offset < file.len {
            match self.record(&file, offset, last)? {
                Record::Block(found) => {
                    let place = Place { file: number, ..found.place };
                    offset = place.offset + u64::from(place.len);
                    self.found.push(Found { place, ..found });
                }
                Record::End => break,
                Record::Bad { at, reason } => {
                    if self.bad == Bad::Refuse {
                        return Err(file.bad(at, reason));
                    }
                    self.notices.push(Notice::Skipped(file.path.clone(), at, reason));
                    let next = match self.network {
                        Some(network) => file.next_record(offset + 1, network)?,
                        None => None,
                    };
                    match next {
                        Some(next) => offset = next,
                        None => break,
                    }
                }
            }
        }
        self.files.push(file);
        Ok(())
    }

    fn record(&mut self, file: &BlockFile, offset: u64, last: bool) -> Result<Record, BuildError> {
        // Header, count, and a coinbase's first bytes: magic 4, length 4, header 80, at most 9 + 4 + 2 + 9 + 36 + 9
        // before the coinbase's script, and the height's push.
        let head = file.peek(offset, 8 + HEADER_LEN + 9 + 4 + 2 + 9 + 36 + 9 + 6)?;
        let magic = head.first_chunk::<4>().copied();
        let network = magic.and_then(Network::of_magic);
        let Some(network) = network else {
            if file.is_zero_from(offset)? {
                self.notices.push(Notice::ZeroTail(file.path.clone(), offset));
                return Ok(Record::End);
            }
            if head.len() < 8 && last {
                self.notices.push(Notice::Truncated(file.path.clone(), offset));
                return Ok(Record::End);
            }
            return Ok(Record::Bad { at: offset, reason: "no record begins here".to_owned() });
        };
        self.set_network(network, file, offset)?;
        let len = head.get(4..8).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
        let end = len.map(|len| offset + 8 + u64::from(len));
        let truncated = end.is_none_or(|end| end > file.len);
        if truncated && last && file.next_record(offset + 4, network)?.is_none() {
            self.notices.push(Notice::Truncated(file.path.clone(), offset));
            return Ok(Record::End);
        }
        let bad = |reason: &str| Ok(Record::Bad { at: offset + 8, reason: reason.to_owned() });
        let Some(len) = len.filter(|_| !truncated) else {
            return bad("the record is longer than the file");
        };
        if !(HEADER_LEN + 61..=MAX_BLOCK_LEN).contains(&(len as usize)) {
            return bad("the record's length is not that of a block");
        }
        let block = head.get(8..).unwrap_or_default();
        let Some(header) = Header::parse(block) else { return bad("no whole header") };
        let height = coinbase_height(block);
        let place = Place { file: 0, offset: offset + 8, len };
        Ok(Record::Block(Found { place, header, height }))
    }

    /// A file that is one block from its first byte to its last.
    fn raw(&mut self, file: BlockFile) -> Result<(), BuildError> {
        // A header with real work tells a block that is damaged from a file that is something else.
        let head = file.peek(0, HEADER_LEN)?;
        let worked = Header::parse(&head)
            .is_some_and(|h| h.has_work() && (24..256).contains(&h.target_zero_bits()));
        let too_long = file.len > MAX_BLOCK_LEN as u64;
        if too_long && !worked {
            self.notices.push(Notice::Unrecognised(file.path));
            return Ok(());
        }
        let mut parsed = Parsed::default();
        file.read(0, index(file.len.min(MAX_BLOCK_LEN as u64 + 1)), &mut parsed.bytes)?;
        match parsed.parse(HashKey(0, 0)) {
            Ok(()) => {}
            // Taken apart to its last byte: a block, but a damaged one.
            Err(fault) if worked || fault.at == 36 => {
                if self.bad == Bad::Refuse {
                    return Err(BuildError::fault(&file.path, fault.at as u64, fault));
                }
                let notice = Notice::Skipped(file.path, fault.at as u64, fault.to_string());
                self.notices.push(notice);
                return Ok(());
            }
            Err(_) => {
                self.notices.push(Notice::Unrecognised(file.path));
                return Ok(());
            }
        }
        let Some(header) = parsed.header else { return Ok(()) };
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let len = u32::try_from(file.len).unwrap_or(u32::MAX);
        let place = Place { file: number, offset: 0, len };
        let height = coinbase_height(&parsed.bytes);
        self.found.push(Found { place, header, height });
        self.files.push(file);
        Ok(())
    }

    /// Raw blocks name no network; what they tell must agree.
    fn guess_network(&mut self) -> Result<&'static Network, BuildError> {
        let mut taken: Option<&'static Network> = None;
        for found in &self.found {
            let Some(network) = Network::of_block(&found.header, found.height) else { continue };
            let first = *taken.get_or_insert(network);
            if first != network {
                let path = self.files.get(found.place.file as usize).map(|f| f.path.clone());
                return Err(BuildError::MixedNetworks {
                    path: path.unwrap_or_default(),
                    offset: found.place.offset,
                    first: first.name,
                    second: network.name,
                });
            }
        }
        let network = taken.unwrap_or(&crate::network::NETWORKS[0]);
        self.notices.push(Notice::NetworkTaken(network.name));
        Ok(network)
    }
}

enum Record {
    Block(Found),
    End,
    Bad { at: u64, reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_come_off_at_any_offset() {
        let key = [1, 2, 3, 4, 5, 6, 7, 8];
        let plain: Vec<u8> = (0..100).collect();
        let masked: Vec<u8> = plain.iter().enumerate().map(|(i, b)| b ^ key[i % 8]).collect();
        for start in 0..20 {
            let mut piece = masked[start..].to_vec();
            unmask(&mut piece, key, start as u64);
            assert_eq!(piece, plain[start..]);
        }
    }
}
