//! Repositories of git among the files of a tree: what their refs lead to is put beside the working tree, so that a branch
//! which nobody has checked out is read too. Formats: gitformat-pack(5), gitformat-index(5), git-show-ref(1); everything
//! is read from memory, in bounded depth and size, and whatever is left out is listed.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read as _;

use bitcoin_hashes::{Hash as _, HashEngine as _, sha1};
use screen::{File, Missed, Tree};

use crate::Limits;

/// Deltas on one another that are followed; git itself makes at most 4,095.
const DELTAS_MAX: usize = 4_096;
/// Refs of a repository that are followed.
const REFS_MAX: usize = 1_000;
/// Folders in folders.
const DEPTH_MAX: usize = 64;
/// Tags of tags, and refs to refs, that are followed.
const TAGS_MAX: usize = 8;
/// Repositories of a tree that are read.
const REPOSITORIES_MAX: usize = 64;
/// Entries of trees that are gone through, in all.
const ENTRIES_MAX: usize = 200_000;
/// Bytes that are inflated, in all, as parts of those that a tree may have.
const INFLATED_PARTS: u64 = 2;
/// Bytes of a file that are read for what it leads to.
const REF_LEN_MAX: usize = 1 << 10;

/// The name of an object: SHA-1.
type Id = [u8; 20];

/// A file by its path: files are in order.
fn place(tree: &Tree, path: &str) -> Option<usize> {
    tree.files.binary_search_by(|f| f.path.as_str().cmp(path)).ok()
}

/// Why an object could not be read, in words.
type Why = &'static str;

/// Puts what refs lead to beside the working trees: as `REPOSITORY!/REF/PATH`, where it differs from what lies there
/// already. The objects themselves are taken out of the tree.
pub fn unfold(tree: &mut Tree, limits: &Limits) {
    let mut len: u64 = tree.files.iter().map(|f| f.bytes.len() as u64).sum();
    let (mut found, mut missed, mut taken) = (Vec::new(), Vec::new(), HashSet::new());
    let folders = repositories(tree);
    let inflated = Cell::new(limits.tree_len.saturating_mul(INFLATED_PARTS));
    let room = Room { limits: *limits, inflated, entries: Cell::new(ENTRIES_MAX) };
    if folders.len() > REPOSITORIES_MAX {
        let reason = "repositories of git, over a limit".to_owned();
        missed.push(Missed { file: ".".to_owned(), reason });
    }
    for folder in folders.into_iter().take(REPOSITORIES_MAX) {
        let mut reader = Reader {
            tree,
            folder: &folder,
            store: Store::default(),
            seen: HashSet::new(),
            found: &mut found,
            missed: &mut missed,
            len: &mut len,
            room: &room,
        };
        if reader.open(&mut taken) {
            reader.refs();
        }
    }
    let mut number = 0;
    tree.files.retain(|_| {
        number += 1;
        !taken.contains(&(number - 1))
    });
    tree.files.append(&mut found);
    tree.missed.append(&mut missed);
}

/// Folders that git takes for repositories, each with its slash.
fn repositories(tree: &Tree) -> Vec<String> {
    let is_head = |file: &&File| {
        if file.name() != "HEAD" || file.bytes.len() > REF_LEN_MAX {
            return false;
        }
        let text = file.text();
        text.trim_start().starts_with("ref:") || first_id(&text).is_some()
    };
    let folder = |file: &File| file.path.strip_suffix("HEAD").unwrap_or_default().to_owned();
    let has = |folder: &String, name: &str| {
        let path = format!("{folder}{name}");
        let at = tree.files.partition_point(|f| f.path.as_str() < path.as_str());
        tree.files.get(at).is_some_and(|f| f.path.starts_with(&path))
    };
    let has_more = |f: &String| has(f, "objects/") || has(f, "refs/") || has(f, "packed-refs");
    tree.files.iter().filter(is_head).map(folder).filter(has_more).collect()
}

/// The object that the first word of a text names.
fn first_id(text: &str) -> Option<Id> {
    id_of(text.split_whitespace().next()?)
}

/// Forty digits.
fn id_of(text: &str) -> Option<Id> {
    if text.len() != 40 {
        return None;
    }
    let mut id = [0; 20];
    for (byte, at) in id.iter_mut().zip((0..40).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(id)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    fn of(word: &[u8]) -> Option<Self> {
        match word {
            b"commit" => Some(Self::Commit),
            b"tree" => Some(Self::Tree),
            b"blob" => Some(Self::Blob),
            b"tag" => Some(Self::Tag),
            _ => None,
        }
    }
}

/// Where objects are: the number of the file, and the place in it for those in packs. One may be at several.
#[derive(Default)]
struct Store {
    places: HashMap<Id, Vec<(usize, Option<u64>)>>,
}

struct Reader<'a> {
    tree: &'a Tree,
    folder: &'a str,
    store: Store,
    /// Trees and blobs at their paths that were put beside already.
    seen: HashSet<(String, Id)>,
    found: &'a mut Vec<File>,
    missed: &'a mut Vec<Missed>,
    len: &'a mut u64,
    room: &'a Room,
}

/// Limits, and what is left of them.
struct Room {
    limits: Limits,
    inflated: Cell<u64>,
    entries: Cell<usize>,
}

impl Room {
    fn inflated(&self, bytes: &[u8]) -> Result<Vec<u8>, Why> {
        let all = inflated(bytes, self.limits.file_len)?;
        let left = self.inflated.get().checked_sub(all.len() as u64);
        self.inflated.set(left.ok_or("over a limit")?);
        Ok(all)
    }

    /// What deltas make of a base, the last one first.
    fn applied(&self, mut base: Vec<u8>, mut deltas: Vec<Vec<u8>>) -> Result<Vec<u8>, Why> {
        while let Some(delta) = deltas.pop() {
            base = patched(&base, &delta, self.limits.file_len).ok_or("a broken delta")?;
        }
        Ok(base)
    }

    fn entry(&self) -> Result<(), Why> {
        self.entries.set(self.entries.get().checked_sub(1).ok_or("over a limit")?);
        Ok(())
    }
}

impl Reader<'_> {
    fn miss(&mut self, file: String, reason: &str) {
        self.missed.push(Missed { file, reason: reason.to_owned() });
    }

    fn shown(&self) -> String {
        self.folder.trim_end_matches('/').to_owned()
    }

    fn text(&self, name: &str) -> Option<String> {
        let path = format!("{}{name}", self.folder);
        Some(self.tree.files.get(place(self.tree, &path)?)?.text().into_owned())
    }

    /// Finds the objects; `false` where they are of a kind that is not read. What was understood is taken out.
    fn open(&mut self, taken: &mut HashSet<usize>) -> bool {
        let config = self.text("config").unwrap_or_default().to_lowercase();
        if config.contains("sha256") || config.contains("reftable") {
            self.miss(self.shown(), "a repository of git of this format is not read yet");
            return false;
        }
        if self.text("objects/info/alternates").is_some() {
            self.miss(self.shown(), "objects that lie outside of it");
        }
        for (number, file) in self.tree.files.iter().enumerate() {
            let name = file.path.strip_prefix(self.folder);
            if name.is_some_and(|name| is_kept(name, &file.bytes)) {
                taken.insert(number);
            }
        }
        let objects = format!("{}objects/", self.folder);
        let files = &self.tree.files;
        let inside = files
            .iter()
            .enumerate()
            .filter_map(|(n, f)| Some((n, f, f.path.strip_prefix(&objects)?)));
        let mut broken = Vec::new();
        for (number, file, name) in inside {
            let loose = id_of(&name.replace('/', "")).filter(|_| name.len() == 41);
            // Only what was understood is taken out: what else lies there may be run from there.
            if let Some(id) = loose
                && matches!(whole(&file.bytes, self.room.limits.file_len), Ok((kind, bytes)) if name_of(kind, &bytes) == id)
            {
                self.store.places.entry(id).or_default().push((number, None));
                taken.insert(number);
            } else if let Some(stem) = name.strip_suffix(".idx") {
                let Some(data) = place(self.tree, &format!("{objects}{stem}.pack")) else {
                    continue;
                };
                let is_pack = files.get(data).is_some_and(|f| f.bytes.starts_with(b"PACK"));
                match index(&file.bytes).filter(|_| is_pack) {
                    Some(all) => {
                        for (id, at) in all {
                            self.store.places.entry(id).or_default().push((data, Some(at)));
                        }
                        taken.extend([number, data]);
                    }
                    None => broken.push(file.path.clone()),
                }
            } else if known(name, &file.bytes) {
                taken.insert(number);
            }
        }
        for path in broken {
            self.miss(path, "a pack's index of this version is not read");
        }
        true
    }

    /// Follows all refs.
    fn refs(&mut self) {
        let mut refs: BTreeMap<String, Id> = BTreeMap::new();
        for line in self.text("packed-refs").unwrap_or_default().lines() {
            if let Some((id, name)) = line.split_once(' ')
                && let Some(id) = id_of(id)
            {
                refs.insert(name.trim().to_owned(), id);
            }
        }
        // Git takes any file in its folder for a ref whose first word is an object, or that leads to another ref.
        let mut symbolic: Vec<(String, String)> = Vec::new();
        for file in &self.tree.files {
            let Some(name) = file.path.strip_prefix(self.folder) else { continue };
            if name.starts_with("objects/") {
                continue;
            }
            let text = file.bytes.get(..file.bytes.len().min(REF_LEN_MAX)).unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            if let Some(id) = first_id(&text) {
                // What was before a branch began.
                if id != [0; 20] {
                    refs.insert(name.to_owned(), id);
                }
            } else if let Some(to) = text.trim_start().strip_prefix("ref:") {
                symbolic.push((name.to_owned(), to.trim().to_owned()));
            }
        }
        for (name, to) in &symbolic {
            // A branch may not be born yet; what else leads nowhere leads out of what was read.
            let leads = refs.contains_key(to) || symbolic.iter().any(|(other, _)| other == to);
            if !leads && name != "HEAD" {
                self.miss(format!("{}!/{name}", self.shown()), "a ref that leads nowhere");
            }
        }
        if refs.len() > REFS_MAX {
            self.miss(self.shown(), "over a limit");
        }
        let root = self.root();
        // What several lead to is told by the name of a branch or tag.
        let mut refs: Vec<(String, Id)> = refs.into_iter().collect();
        refs.sort_by_key(|(name, _)| !name.starts_with("refs/"));
        for (name, id) in refs.into_iter().take(REFS_MAX) {
            if let Err(why) = self.tip(&name, id, root.as_deref()) {
                self.miss(format!("{}!/{name}", self.shown()), why);
            }
        }
    }

    /// Where the working tree is, if there is one.
    fn root(&self) -> Option<String> {
        if let Some(root) = self.folder.strip_suffix(".git/") {
            return Some(root.to_owned());
        }
        let config = self.text("config")?;
        let line = config
            .lines()
            .find_map(|l| l.trim().strip_prefix("worktree")?.trim().strip_prefix('='))?;
        let path = screen::assemble::normal(&format!("{}{}", self.folder, line.trim()));
        Some(format!("{path}/"))
    }

    fn tip(&mut self, name: &str, mut id: Id, root: Option<&str>) -> Result<(), Why> {
        for _ in 0..TAGS_MAX {
            let (kind, bytes) = self.object(&id)?;
            let field = |word: &str| {
                let text = String::from_utf8_lossy(&bytes);
                text.lines().find_map(|l| id_of(l.strip_prefix(word)?.trim()))
            };
            match kind {
                Kind::Tag => id = field("object ").ok_or("a tag that leads nowhere")?,
                Kind::Commit => {
                    let tree = field("tree ").ok_or("a commit without a tree")?;
                    return self.walk(name, tree, root);
                }
                Kind::Tree => return self.walk(name, id, root),
                Kind::Blob => {
                    self.keep(format!("{}!/{name}", self.shown()), bytes);
                    return Ok(());
                }
            }
        }
        Err("tags of tags, over a limit")
    }

    fn walk(&mut self, name: &str, tree: Id, root: Option<&str>) -> Result<(), Why> {
        let mut open: Vec<(Id, String, usize)> = vec![(tree, String::new(), 0)];
        while let Some((id, above, depth)) = open.pop() {
            if !self.seen.insert((above.clone(), id)) {
                continue;
            }
            let folder = self.folder.trim_end_matches('/');
            let shown = |path: &str| format!("{folder}!/{name}/{path}");
            if depth > DEPTH_MAX {
                self.miss(shown(&above), "over a limit");
                continue;
            }
            let (kind, bytes) = self.object(&id)?;
            if kind != Kind::Tree {
                return Err("a tree that is none");
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                self.room.entry()?;
                let (mode, entry, id) = entry(&mut rest).ok_or("a tree that is cut off")?;
                let path = format!("{above}{entry}");
                let plain = entry.to_lowercase();
                if matches!(plain.as_str(), "" | "." | ".." | ".git" | "git~1")
                    || entry.contains(['/', '\\'])
                {
                    self.miss(shown(&path), "a name that leads out of its folder");
                    continue;
                }
                match mode {
                    0o40_000 => open.push((id, format!("{path}/"), depth + 1)),
                    0o120_000 => self.link(&id, &path, shown(&path), root),
                    0o160_000 => {
                        let inside = root.map(|root| format!("{root}{path}/"));
                        let is_here = |p: &String| {
                            let at = self.tree.files.partition_point(|f| f.path < *p);
                            self.tree.files.get(at).is_some_and(|f| f.path.starts_with(p))
                        };
                        if !inside.as_ref().is_some_and(is_here) {
                            self.miss(shown(&path), "a submodule that is not here");
                        }
                    }
                    _ => self.blob(&id, &path, shown(&path), root)?,
                }
            }
        }
        Ok(())
    }

    /// A link of the working tree is looked at there; what a branch's leads to is not put in its place.
    fn link(&mut self, id: &Id, path: &str, shown: String, root: Option<&str>) {
        let leads_out = |to: &str| to.starts_with('/') || to.split('/').any(|part| part == "..");
        let is_here = root.is_some_and(|root| place(self.tree, &format!("{root}{path}")).is_some());
        match self.object(id) {
            Ok((_, to)) if !leads_out(&String::from_utf8_lossy(&to)) => {
                if !is_here {
                    self.miss(shown, "a link");
                }
            }
            _ => self.miss(shown, "a link that leads out"),
        }
    }

    fn blob(&mut self, id: &Id, path: &str, shown: String, root: Option<&str>) -> Result<(), Why> {
        if !self.seen.insert((path.to_owned(), *id)) {
            return Ok(());
        }
        // Its bytes are looked at even where its name says that they lie in the working tree: indexes may lie.
        match self.object(id) {
            Ok((Kind::Blob, bytes)) => {
                let there = root.and_then(|root| place(self.tree, &format!("{root}{path}")));
                let same =
                    there.and_then(|n| self.tree.files.get(n)).is_some_and(|f| f.bytes == bytes);
                if !same {
                    self.keep(shown, bytes);
                }
            }
            Ok(_) => self.miss(shown, "a file that is none"),
            Err(why) => self.miss(shown, why),
        }
        Ok(())
    }

    fn keep(&mut self, path: String, bytes: Vec<u8>) {
        let len = bytes.len() as u64;
        let limits = &self.room.limits;
        if len > limits.file_len
            || self.len.saturating_add(len) > limits.tree_len
            || self.tree.files.len() + self.found.len() >= limits.files
        {
            return self.miss(path, "over a limit");
        }
        *self.len += len;
        self.found.push(File { path, bytes });
    }

    /// An object, whole: what all places that have it say, if that is what its name says.
    fn object(&self, id: &Id) -> Result<(Kind, Vec<u8>), Why> {
        let mut found = Err("an object that is not here");
        for at in self.store.places.get(id).into_iter().flatten() {
            let (kind, bytes) = self.object_at(*at)?;
            if name_of(kind, &bytes) != *id {
                return Err("an object that is not what its name says");
            }
            found = Ok((kind, bytes));
        }
        found
    }

    fn object_at(&self, (file, at): (usize, Option<u64>)) -> Result<(Kind, Vec<u8>), Why> {
        const GONE: Why = "an object that is not here";
        let bytes = |file: usize| self.tree.files.get(file).map(|f| &f.bytes[..]).ok_or(GONE);
        let Some(mut at) = at else { return self.loose(bytes(file)?) };
        let (mut file, mut seen) = (file, HashSet::new());
        let mut deltas: Vec<Vec<u8>> = Vec::new();
        loop {
            if deltas.len() > DELTAS_MAX || !seen.insert((file, at)) {
                return Err("deltas on deltas, over a limit");
            }
            let start = usize::try_from(at).map_err(|_| "a broken pack")?;
            let mut rest = bytes(file)?.get(start..).ok_or("a broken pack")?;
            let (kind, len) = head(&mut rest).ok_or("a broken pack")?;
            if len > self.room.limits.file_len {
                return Err("over a limit");
            }
            let kind = match kind {
                1 => Kind::Commit,
                2 => Kind::Tree,
                3 => Kind::Blob,
                4 => Kind::Tag,
                6 => {
                    let back = distance(&mut rest).ok_or("a broken pack")?;
                    deltas.push(self.room.inflated(rest)?);
                    at = at.checked_sub(back).ok_or("a broken pack")?;
                    continue;
                }
                7 => {
                    let base = rest.split_off(..20).and_then(|b| Id::try_from(b).ok());
                    let base = base.ok_or("a broken pack")?;
                    deltas.push(self.room.inflated(rest)?);
                    let place = self.store.places.get(&base).and_then(|all| all.first());
                    match *place.ok_or(GONE)? {
                        (other, Some(place)) => (file, at) = (other, place),
                        (other, None) => {
                            let (kind, base) = self.loose(bytes(other)?)?;
                            return Ok((kind, self.room.applied(base, deltas)?));
                        }
                    }
                    continue;
                }
                _ => return Err("a broken pack"),
            };
            return Ok((kind, self.room.applied(self.room.inflated(rest)?, deltas)?));
        }
    }

    fn loose(&self, bytes: &[u8]) -> Result<(Kind, Vec<u8>), Why> {
        let (kind, bytes) = whole(bytes, self.room.limits.file_len)?;
        let left = self.room.inflated.get().checked_sub(bytes.len() as u64);
        self.room.inflated.set(left.ok_or("over a limit")?);
        Ok((kind, bytes))
    }
}

/// A loose object.
fn whole(bytes: &[u8], most: u64) -> Result<(Kind, Vec<u8>), Why> {
    let all = inflated(bytes, most)?;
    let end = all.iter().position(|b| *b == 0).ok_or("a broken object")?;
    let word = all.get(..end).unwrap_or_default().split(|b| *b == b' ').next();
    let kind = word.and_then(Kind::of).ok_or("a broken object")?;
    Ok((kind, all.get(end + 1..).unwrap_or_default().to_vec()))
}

/// Whether a file is one that git keeps beside the objects and that says nothing but which of them there are: each of its
/// lines begins with the name of one.
fn is_kept(name: &str, bytes: &[u8]) -> bool {
    let is_place = ["refs/", "logs/"].iter().any(|folder| name.starts_with(folder))
        || matches!(name, "packed-refs" | "info/refs" | "shallow" | "ORIG_HEAD" | "FETCH_HEAD");
    let names = |line: &[u8]| {
        let line = line.strip_prefix(b"^").unwrap_or(line);
        let word = line.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
        line.is_empty()
            || line.starts_with(b"# pack-refs with:")
            || std::str::from_utf8(word).is_ok_and(|word| id_of(word).is_some())
    };
    let leads = bytes.starts_with(b"ref: ") && bytes.iter().filter(|b| **b == b'\n').count() <= 1;
    let is_ignored = name == "info/exclude"
        && bytes.split(|b| *b == b'\n').all(|line| line.is_empty() || line.starts_with(b"#"));
    (is_place && bytes.split(|b| *b == b'\n').all(names))
        || ((name == "HEAD" || is_place) && leads)
        || (name == "HEAD" && bytes.trim_ascii().len() == 40 && names(bytes))
        || is_ignored
}

/// Whether a file among the objects is one that git makes there and that says nothing new: lists of packs, bitmaps, reverse
/// indexes, graphs of commits, by their names and first bytes.
fn known(name: &str, bytes: &[u8]) -> bool {
    let begins = |mark: &[u8]| bytes.starts_with(mark);
    match name.rsplit_once('.').map_or(name, |(_, end)| end) {
        "rev" => begins(b"RIDX"),
        "bitmap" => begins(b"BITM"),
        "graph" => begins(b"CGPH"),
        "mtimes" => begins(b"MTME"),
        "info/commit-graph" => begins(b"CGPH"),
        "info/packs" => {
            bytes.split(|b| *b == b'\n').all(|l| l.is_empty() || l.starts_with(b"P pack-"))
        }
        _ => false,
    }
}

/// The name that git has for an object.
fn name_of(kind: Kind, bytes: &[u8]) -> Id {
    let word = match kind {
        Kind::Commit => "commit",
        Kind::Tree => "tree",
        Kind::Blob => "blob",
        Kind::Tag => "tag",
    };
    let mut engine = sha1::Hash::engine();
    engine.input(format!("{word} {}\0", bytes.len()).as_bytes());
    engine.input(bytes);
    sha1::Hash::from_engine(engine).to_byte_array()
}

fn inflated(bytes: &[u8], most: u64) -> Result<Vec<u8>, Why> {
    let mut all = Vec::new();
    let read = flate2::read::ZlibDecoder::new(bytes).take(most + 1).read_to_end(&mut all);
    match read {
        Ok(len) if len as u64 <= most => Ok(all),
        Ok(_) => Err("over a limit"),
        Err(_) => Err("a broken object"),
    }
}

/// An entry of a tree: mode, name, object.
fn entry(rest: &mut &[u8]) -> Option<(u32, String, Id)> {
    let end = rest.iter().position(|b| *b == 0)?;
    let head = String::from_utf8_lossy(rest.split_off(..end)?).into_owned();
    rest.split_off_first()?;
    let id = Id::try_from(rest.split_off(..20)?).ok()?;
    let (mode, name) = head.split_once(' ')?;
    Some((u32::from_str_radix(mode, 8).ok()?, name.to_owned(), id))
}

/// The index of a pack, version 2: objects and where they are.
fn index(bytes: &[u8]) -> Option<Vec<(Id, u64)>> {
    let rest = bytes.strip_prefix(b"\xfftOc\0\0\0\x02")?;
    let word = |from: usize| Some(u32::from_be_bytes(rest.get(from..from + 4)?.try_into().ok()?));
    let count = usize::try_from(word(255 * 4)?).ok()?;
    let ids: usize = 256 * 4;
    let offsets = ids.checked_add(count.checked_mul(24)?)?;
    let large = offsets.checked_add(count.checked_mul(4)?)?;
    if rest.len() < large {
        return None;
    }
    let one = |nth: usize| {
        let id = Id::try_from(rest.get(ids + nth * 20..ids + nth * 20 + 20)?).ok()?;
        let at = word(offsets + nth * 4)?;
        let at = match at & (1 << 31) {
            0 => u64::from(at),
            _ => {
                let place =
                    large.checked_add(usize::try_from(at & !(1 << 31)).ok()?.checked_mul(8)?)?;
                u64::from_be_bytes(rest.get(place..place.checked_add(8)?)?.try_into().ok()?)
            }
        };
        Some((id, at))
    };
    (0..count).map(one).collect()
}

/// Kind and length of an object in a pack.
fn head(rest: &mut &[u8]) -> Option<(u8, u64)> {
    let mut byte = *rest.split_off_first()?;
    let kind = byte >> 4 & 7;
    let (mut len, mut shift) = (u64::from(byte & 15), 4);
    while byte & 0x80 != 0 {
        byte = *rest.split_off_first()?;
        len |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
    }
    Some((kind, len))
}

/// How far before a delta its base is.
fn distance(rest: &mut &[u8]) -> Option<u64> {
    let mut byte = *rest.split_off_first()?;
    let mut back = u64::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = *rest.split_off_first()?;
        back = back.checked_add(1)?.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
    }
    Some(back)
}

/// What a delta makes of a base.
fn patched(base: &[u8], mut delta: &[u8], most: u64) -> Option<Vec<u8>> {
    let size = |delta: &mut &[u8]| {
        let (mut len, mut shift) = (0_u64, 0);
        loop {
            let byte = *delta.split_off_first()?;
            len |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(len);
            }
        }
    };
    if size(&mut delta)? != base.len() as u64 {
        return None;
    }
    let len = size(&mut delta).filter(|len| *len <= most)?;
    let mut all: Vec<u8> = Vec::new();
    while let Some(code) = delta.split_off_first().copied() {
        match code {
            0 => return None,
            1..=0x7f => all.extend_from_slice(delta.split_off(..usize::from(code))?),
            _ => {
                let mut number = |bits: std::ops::Range<u32>| {
                    let mut value = 0_usize;
                    for (nth, bit) in bits.enumerate() {
                        if code & (1 << bit) != 0 {
                            value |= usize::from(*delta.split_off_first()?) << (8 * nth);
                        }
                    }
                    Some(value)
                };
                let (from, count) = (number(0..4)?, number(4..7)?);
                let count = if count == 0 { 0x1_0000 } else { count };
                all.extend_from_slice(base.get(from..from.checked_add(count)?)?);
            }
        }
        if all.len() as u64 > len {
            return None;
        }
    }
    (all.len() as u64 == len).then_some(all)
}
