//! A path becomes a tree of files in memory: folders and archives, and archives in archives. Nothing is written anywhere,
//! no link is followed, and whatever is left out is listed.

mod git;
mod limits;

use std::io::Read;
use std::path::Path;

use screen::{File, Missed, Tree};

pub use limits::Limits;

/// Bytes of a pack of git that are read.
const PACK_LEN_MAX: u64 = 256 << 20;
/// What a compression may look back to, in KiB.
const WINDOW_KIB_MAX: u32 = 128 << 10;
/// Bytes of a header for all members of a tar.
const PAX_LEN_MAX: u64 = 1 << 16;
/// Folders in folders.
const DEPTH_MAX: u32 = 64;

/// Reads what lies at a path.
///
/// # Errors
/// Nothing can be read there at all.
pub fn read(path: &Path, limits: &Limits) -> std::io::Result<Tree> {
    let root = std::fs::canonicalize(path).ok();
    let mut intake = Intake { root, ..Intake::new(limits) };
    if std::fs::metadata(path)?.is_dir() {
        intake.folder(path, "", 0);
    } else {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(limits.tree_len + 1).read_to_end(&mut bytes)?;
        intake.only(name, bytes);
    }
    Ok(intake.done())
}

/// What a file holds that lies nowhere: an archive, taken apart, or the file itself.
#[must_use]
pub fn of_bytes(name: &str, bytes: Vec<u8>, limits: &Limits) -> Tree {
    let mut intake = Intake::new(limits);
    intake.only(name.to_owned(), bytes);
    intake.done()
}

/// A tree whose files are here already: repositories of git among them are read.
#[must_use]
pub fn of_files(files: Vec<File>, limits: &Limits) -> Tree {
    let mut intake = Intake::new(limits);
    intake.tree.files = files;
    intake.done()
}

/// All frames of a Zstandard file, one after the other (RFC 8878, section 3.1).
struct Zstd<'a> {
    rest: &'a [u8],
    frame: Option<Frame<'a>>,
}

type Frame<'a> = ruzstd::decoding::StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>;

impl Read for Zstd<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(into)?;
                if read > 0 || into.is_empty() {
                    return Ok(read);
                }
            }
            match self.frame.take() {
                Some(frame) => self.rest = frame.into_inner(),
                None if self.rest.is_empty() => return Ok(0),
                None => {
                    let window = u64::from(WINDOW_KIB_MAX) << 10;
                    let frame = Frame::new_with_max_window_size(self.rest, window);
                    self.frame = Some(frame.map_err(std::io::Error::other)?);
                }
            }
        }
    }
}

/// Extensions of archives. What has another name is kept as a file too: bytes can be an archive and code at once.
const ARCHIVES: [&str; 28] = [
    "7z", "apk", "bz2", "crate", "docx", "ear", "egg", "epub", "gem", "gz", "jar", "nupkg", "odt",
    "pptx", "tar", "tbz", "tbz2", "tgz", "txz", "tzst", "vsix", "war", "whl", "xlsx", "xpi", "xz",
    "zip", "zst",
];

fn is_named_so(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name.rsplit_once('.').is_some_and(|(_, end)| ARCHIVES.contains(&end))
}

/// Whether a zip is one to every reader: its last record ends where it ends, and the directory stands right before that,
/// whole, with each member once, under the one name that stands before its bytes too (APPNOTE 4.3.7, 4.3.12, 4.3.16).
fn is_plain_zip(zip: &[u8], directory: u64, count: usize) -> bool {
    const END_LEN: usize = 22;
    const HEADER_LEN: usize = 46;
    const LOCAL_LEN: usize = 30;
    const UNICODE_PATH: u16 = 0x7075;
    let two = |from: usize| {
        let two = zip.get(from..from.checked_add(2)?)?.try_into().ok()?;
        Some(u16::from_le_bytes(two))
    };
    let four = |from: usize| {
        let four = zip.get(from..from.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let is_plain = || {
        let tail = zip.len().saturating_sub(END_LEN + usize::from(u16::MAX));
        let end = tail + zip.get(tail..)?.windows(4).rposition(|w| w == b"PK\x05\x06")?;
        let is_last = end + END_LEN + usize::from(two(end + 20)?) == zip.len();
        let is_one = two(end + 4)? == 0 && two(end + 6)? == 0;
        let all = usize::from(two(end + 8)?);
        let (len, at) = (four(end + 12)?, four(end + 16)?);
        if !is_last
            || !is_one
            || two(end + 8)? != two(end + 10)?
            || all != count
            || at.checked_add(len)? != end
            || u64::try_from(at).ok()? != directory
        {
            return None;
        }
        let mut header = at;
        for _ in 0..count {
            if zip.get(header..header + 4)? != b"PK\x01\x02" {
                return None;
            }
            let (name_len, extra_len) = (two(header + 28)?, two(header + 30)?);
            let name_at = header + HEADER_LEN;
            let name = zip.get(name_at..name_at + usize::from(name_len))?;
            let mut extra =
                zip.get(name_at + name.len()..name_at + name.len() + usize::from(extra_len))?;
            while let [a, b, c, d, rest @ ..] = extra {
                if u16::from_le_bytes([*a, *b]) == UNICODE_PATH {
                    return None;
                }
                extra = rest.get(usize::from(u16::from_le_bytes([*c, *d]))..)?;
            }
            let local = four(header + 42)?;
            let local_len = usize::from(two(local + 26)?);
            if zip.get(local..local + 4)? != b"PK\x03\x04"
                || zip.get(local + LOCAL_LEN..local + LOCAL_LEN + local_len)? != name
            {
                return None;
            }
            header = name_at + name.len() + usize::from(extra_len) + usize::from(two(header + 32)?);
        }
        (header == end).then_some(())
    };
    is_plain().is_some()
}

/// A name as a folder has it: without parts that say nothing.
fn plain_name(name: &str) -> String {
    name.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// Bytes of a file that are read, by its name.
fn most_of(path: &str, limits: &Limits) -> u64 {
    let is_pack =
        path.contains("objects/pack/") && (path.ends_with(".pack") || path.ends_with(".idx"));
    if is_pack { PACK_LEN_MAX.max(limits.file_len) } else { limits.file_len }
}

struct Intake {
    limits: Limits,
    /// The folder that is read, without links on its way.
    root: Option<std::path::PathBuf>,
    tree: Tree,
    len: u64,
}

impl Intake {
    fn new(limits: &Limits) -> Self {
        Self { limits: *limits, root: None, tree: Tree::default(), len: 0 }
    }

    /// Takes the only file that there is.
    fn only(&mut self, name: String, bytes: Vec<u8>) {
        if bytes.len() as u64 > self.limits.tree_len {
            self.miss(&name, "over a limit: tree-mib");
        } else if !self.archive("", &name, &bytes, 0) || !is_named_so(&name) {
            self.keep(name, bytes);
        }
    }

    fn done(mut self) -> Tree {
        self.tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        git::unfold(&mut self.tree, &self.limits);
        self.tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.tell_apart();
        if self.tree.missed.is_empty() && self.tree.files.iter().all(|f| f.bytes.is_empty()) {
            self.miss(".", "nothing is there to be read");
        }
        self.tree
    }

    /// Whether there are as many files and gaps as there may be.
    fn is_full(&self) -> bool {
        self.tree.files.len() + self.tree.missed.len() > self.limits.files
    }

    fn miss(&mut self, file: &str, reason: &str) {
        self.tree.missed.push(Missed { file: file.to_owned(), reason: reason.to_owned() });
    }

    /// Whether there is room for so many bytes more; if not, that is listed.
    fn fits(&mut self, path: &str, len: u64) -> bool {
        let over = if len > most_of(path, &self.limits) {
            "over a limit: file-mib"
        } else if self.len.saturating_add(len) > self.limits.tree_len {
            "over a limit: tree-mib"
        } else if self.tree.files.len() >= self.limits.files {
            "over a limit: files"
        } else {
            return true;
        };
        self.miss(path, over);
        false
    }

    /// Files of one name: each gets a name of its own, and it is said, for who takes them out gets one of them.
    fn tell_apart(&mut self) {
        let mut last = String::new();
        let mut nth = 1;
        for file in &mut self.tree.files {
            if file.path != last {
                (last, nth) = (file.path.clone(), 1);
                continue;
            }
            nth += 1;
            let reason = "another file of this name is there".to_owned();
            self.tree.missed.push(Missed { file: last.clone(), reason });
            let (folder, name) = last.rsplit_once('/').unwrap_or(("", &last));
            let slash = if folder.is_empty() { "" } else { "/" };
            file.path = format!("{folder}{slash}({nth}) {name}");
        }
        self.tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    }

    fn keep(&mut self, path: String, bytes: Vec<u8>) {
        if self.fits(&path, bytes.len() as u64) {
            self.len += bytes.len() as u64;
            self.tree.files.push(File { path, bytes });
        }
    }

    fn folder(&mut self, dir: &Path, prefix: &str, depth: u32) {
        let shown = if prefix.is_empty() { "." } else { prefix };
        if depth > DEPTH_MAX {
            return self.miss(shown, "over a limit");
        }
        let Ok(entries) = std::fs::read_dir(dir) else { return self.miss(shown, "unreadable") };
        for entry in entries {
            let Ok(entry) = entry else { return self.miss(shown, "unreadable") };
            if self.is_full() {
                return self.miss(shown, "over a limit: files");
            }
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    self.folder(&entry.path(), &format!("{path}/"), depth + 1);
                }
                Ok(kind) if kind.is_file() => self.file(&entry.path(), path),
                Ok(kind) if kind.is_symlink() => {
                    // What it leads to inside is read under its own name too: the name says what it is for.
                    match self.inside(&entry.path()) {
                        Some(to) if to.is_file() => self.file(&to, path),
                        Some(_) => self.miss(&path, "a link to a folder"),
                        None => self.miss(&path, "a link that leads out"),
                    }
                }
                Ok(_) => self.miss(&path, "a device or pipe"),
                Err(_) => self.miss(&path, "unreadable"),
            }
        }
    }

    /// Where a link leads to, if that is inside.
    fn inside(&self, link: &Path) -> Option<std::path::PathBuf> {
        let to = std::fs::canonicalize(link).ok()?;
        to.starts_with(self.root.as_deref()?).then_some(to)
    }

    fn file(&mut self, from: &Path, path: String) {
        let len = std::fs::symlink_metadata(from).map_or(u64::MAX, |m| m.len());
        if !self.fits(&path, len) {
            return;
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(from)
            .and_then(|file| file.take(most_of(&path, &self.limits) + 1).read_to_end(&mut bytes));
        if read.is_err() {
            return self.miss(&path, "unreadable");
        }
        if !self.archive("", &path, &bytes, 0) || !is_named_so(&path) {
            self.keep(path, bytes);
        }
    }

    /// Takes an archive apart; `false` if it is none. Its files stand under its name, the first one's under nothing.
    fn archive(&mut self, above: &str, name: &str, bytes: &[u8], depth: u32) -> bool {
        let path = format!("{above}{name}");
        let packed: Option<&str> = match bytes {
            [0x1f, 0x8b, ..] => Some("gzip"),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some("zip"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some("bzip2"),
            _ if bytes.get(257..262) == Some(b"ustar") => Some("tar"),
            _ => None,
        };
        let Some(packed) = packed else { return false };
        if depth > self.limits.nested {
            self.miss(&path, "over a limit: nested");
            return true;
        }
        match packed {
            "zip" => self.zip(&path, bytes, depth),
            "tar" => self.tar(&path, bytes, depth),
            "gzip" => {
                self.unpacked(&path, ".gz", flate2::read::MultiGzDecoder::new(bytes), depth);
            }
            "bzip2" => {
                self.unpacked(&path, ".bz2", bzip2::read::MultiBzDecoder::new(bytes), depth);
            }
            "xz" => {
                let reader = lzma_rust2::XzReader::new_mem_limit(bytes, true, WINDOW_KIB_MAX);
                self.unpacked(&path, ".xz", reader, depth);
            }
            "zstd" => self.unpacked(&path, ".zst", Zstd { rest: bytes, frame: None }, depth),
            _ => self.miss(&path, "unknown compression"),
        }
        true
    }

    /// What a compressed file holds: an archive, or a file under the name without the compression's.
    fn unpacked(&mut self, path: &str, end: &str, reader: impl Read, depth: u32) {
        let mut inner = Vec::new();
        let left = self.limits.tree_len.saturating_sub(self.len);
        match reader.take(left + 1).read_to_end(&mut inner) {
            Ok(_) if inner.len() as u64 <= left => {
                let name = path.trim_end_matches(end).to_owned();
                if !self.archive("", &name, &inner, depth + 1) || !is_named_so(&name) {
                    self.keep(name, inner);
                }
            }
            Ok(_) => self.miss(path, "over a limit: tree-mib"),
            Err(_) => self.miss(path, "unreadable"),
        }
    }

    /// A member of an archive, by its name there.
    fn member(&mut self, archive: &str, name: &str, mut reader: impl Read, len: u64, depth: u32) {
        let plain = plain_name(name);
        let path = format!("{archive}!/{plain}");
        let climbs = name.starts_with('/')
            || name.contains('\\')
            || name.split('/').any(|part| part == "..")
            || name.contains('\0');
        if climbs {
            return self.miss(&path, "a name that leads out");
        }
        if !self.fits(&path, len) {
            return;
        }
        let mut bytes = Vec::new();
        // What an archive says of a length is not believed.
        let most = most_of(&path, &self.limits);
        match reader.by_ref().take(most + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 <= most => {
                let above = format!("{archive}!/");
                if !self.archive(&above, &plain, &bytes, depth + 1) || !is_named_so(&path) {
                    self.keep(path, bytes);
                }
            }
            Ok(_) => self.miss(&path, "over a limit: file-mib"),
            Err(_) => self.miss(&path, "unreadable"),
        }
    }

    fn zip(&mut self, path: &str, bytes: &[u8], depth: u32) {
        let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) else {
            return self.miss(path, "unreadable");
        };
        // The library keeps one of several members of a name, and takes an earlier record where the last is broken.
        if !is_plain_zip(bytes, archive.central_directory_start(), archive.len()) {
            self.miss(path, "a zip that other programs may read in another way");
        }
        for number in 0..archive.len() {
            if self.is_full() {
                return self.miss(path, "over a limit: files");
            }
            let named = archive.name_for_index(number).and_then(Result::ok);
            let name = named.map_or_else(|| format!("member {number}"), |n| n.into_owned());
            match archive.by_index(number) {
                Ok(member) if member.is_dir() && member.size() == 0 => {}
                Ok(member) if member.is_dir() => {
                    drop(member);
                    self.miss(&format!("{path}!/{name}"), "a folder that holds bytes");
                }
                Ok(member) => {
                    let len = member.size();
                    if member.is_symlink() {
                        self.miss(&format!("{path}!/{name}"), "a link");
                    } else {
                        self.member(path, &name, member, len, depth);
                    }
                }
                Err(error) => {
                    let reason = match error {
                        zip::result::ZipError::UnsupportedArchive(text)
                            if text.contains("assword") =>
                        {
                            "encrypted"
                        }
                        zip::result::ZipError::UnsupportedArchive(_) => "unknown compression",
                        _ => "unreadable",
                    };
                    self.miss(&format!("{path}!/{name}"), reason);
                }
            }
        }
    }

    fn tar(&mut self, path: &str, bytes: &[u8], depth: u32) {
        let mut archive = tar::Archive::new(bytes);
        let Ok(entries) = archive.entries() else { return self.miss(path, "unreadable") };
        for entry in entries {
            if self.is_full() {
                return self.miss(path, "over a limit: files");
            }
            let Ok(mut entry) = entry else { return self.miss(path, "unreadable") };
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            let len = entry.size();
            if kind.is_pax_global_extensions() {
                let mut text = Vec::new();
                let read = entry.take(PAX_LEN_MAX + 1).read_to_end(&mut text);
                // Commits are named there, by git; what says more may change all names that follow.
                if read.is_err() || text.len() as u64 > PAX_LEN_MAX || !is_comment(&text) {
                    self.miss(path, "a header for all members");
                }
                continue;
            }
            if has_other_names(&mut entry) {
                self.miss(&format!("{path}!/{name}"), "a member of several names");
            }
            if kind.is_dir() {
                if len > 0 {
                    self.miss(&format!("{path}!/{name}"), "a folder that holds bytes");
                }
            } else if kind.is_symlink() || kind.is_hard_link() {
                self.miss(&format!("{path}!/{name}"), "a link");
            } else if kind.is_block_special() || kind.is_character_special() || kind.is_fifo() {
                self.miss(&format!("{path}!/{name}"), "a device or pipe");
            } else {
                // Of other types too a file is made (POSIX, pax, ustar interchange format, typeflag).
                self.member(path, &name, entry, len, depth);
            }
        }
    }
}

/// Whether records of pax are comments only.
fn is_comment(text: &[u8]) -> bool {
    let key = |line: &[u8]| line.splitn(2, |b| *b == b' ').nth(1).map(<[u8]>::to_vec);
    let mut lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.all(|line| key(line).is_some_and(|key| key.starts_with(b"comment=")))
}

/// Whether a member has records that other programs take for its name: one twice, or that of a sparse file.
fn has_other_names<R: Read>(entry: &mut tar::Entry<'_, R>) -> bool {
    let Ok(Some(records)) = entry.pax_extensions() else { return false };
    let mut seen = std::collections::BTreeSet::new();
    for record in records {
        let Ok(record) = record else { return true };
        let key = record.key_bytes();
        if key.starts_with(b"GNU.sparse.") || !seen.insert(key.to_vec()) {
            return true;
        }
    }
    false
}
