//! The files of what is screened, as the shell read them. Nothing here opens anything.

/// A file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its path in the tree, with `/`; of nested archives joined with `!/`.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl File {
    /// The name without folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// As text, with what is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// Something that was not inspected.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Missed {
    /// Its path.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A tree.
#[derive(Clone, Default, Debug)]
pub struct Tree {
    /// Its files, by path.
    pub files: Vec<File>,
    /// What could not be read.
    pub missed: Vec<Missed>,
}

impl Tree {
    /// A file by its path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|f| f.path == path)
    }
}

/// Line and column of a place, in characters, from 1.
#[must_use]
pub fn line_column(text: &str, at: u32) -> (u32, u32) {
    let at = (at as usize).min(text.len());
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|b| **b == b'\n').count();
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
    let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count();
    (
        u32::try_from(line).unwrap_or(u32::MAX).saturating_add(1),
        u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
    )
}

/// A line, cut where it is too long to read.
#[must_use]
pub fn excerpt(text: &str, line: u32) -> String {
    const LEN_MAX: usize = 160;
    let nth = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = text.split('\n').nth(nth).unwrap_or_default().trim();
    let cut: String = line.chars().take(LEN_MAX).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}
