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

/// A line; of one that is too long to read what is around a column.
#[must_use]
pub fn excerpt(text: &str, line: u32, column: u32) -> String {
    const LEN_MAX: usize = 160;
    const BEFORE: usize = 40;
    let size = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = text.split('\n').nth(size(line)).unwrap_or_default().trim_end();
    if line.chars().nth(LEN_MAX).is_none() {
        return line.trim_start().to_owned();
    }
    let from = if size(column) + BEFORE < LEN_MAX { 0 } else { size(column) - BEFORE };
    let mut rest = line.chars().skip(from);
    let cut: String = rest.clone().take(LEN_MAX).collect();
    let (start, end) = (if from > 0 { "…" } else { "" }, rest.nth(LEN_MAX).map_or("", |_| "…"));
    format!("{start}{}{end}", cut.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_place_is_shown() {
        assert_eq!(excerpt("a\n  b\n", 2, 3), "b");
        let line = format!("x = 1;{}evil(){}", " ".repeat(500), "y".repeat(500));
        let column = u32::try_from(line.find("evil").unwrap() + 1).unwrap();
        let shown = excerpt(&line, 1, column);
        assert!(shown.starts_with("…evil()yyy") && shown.ends_with("y…"), "{shown}");
        assert!(excerpt(&line, 1, 1).starts_with("x = 1;") && excerpt(&line, 9, 9).is_empty());
    }
}
