//! A project beside the one that it claims to be: what is the same, byte for byte at the same place, was judged by others;
//! what differs is what is looked at.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hashes::{Hash as _, sha256};
use screen::{Finding, Missed, Tree};
use serde_json::{Value, json};

/// Files of a tree by their paths below the folder in which all of it lies, with their hashes.
pub type Files = BTreeMap<String, sha256::Hash>;

/// The project to compare to: its files, what was found in it and what was not inspected, below its top.
pub struct Upstream {
    files: Files,
    found: BTreeSet<String>,
    missed: BTreeSet<String>,
}

impl Upstream {
    /// A tree and what screening said of it.
    pub fn of(tree: &Tree, outcome: &screen::Outcome) -> Self {
        let top = top(tree);
        Self {
            files: files(tree),
            found: outcome.findings.iter().map(|f| key(&top, f)).collect(),
            missed: outcome.missed.iter().map(|m| key_of_missed(&top, m)).collect(),
        }
    }
}

/// All that a finding says, with paths below the top.
fn key(top: &str, finding: &Finding) -> String {
    let below = |path: &str| path.strip_prefix(top).unwrap_or(path).to_owned();
    let says = |text: &str| text.replace(top, "");
    let steps = finding
        .flow
        .iter()
        .map(|s| format!("{}:{} {}", below(&s.place.file), s.place.line, says(&s.what)));
    format!(
        "{} {:?} {:?} {:?} {:?} {}:{}:{} {:?}",
        finding.rule.id,
        finding.severity,
        finding.confidence,
        finding.fires,
        finding.blocks_by,
        below(&finding.place.file),
        finding.place.line,
        finding.place.column,
        steps.collect::<Vec<_>>()
    )
}

fn key_of_missed(top: &str, missed: &Missed) -> String {
    format!("{} {}", missed.file.strip_prefix(top).unwrap_or(&missed.file), missed.reason)
}

/// What a tree is compared to.
pub struct Compared<'a> {
    top: String,
    upstream: &'a Upstream,
    same: BTreeMap<String, bool>,
    changed: Vec<String>,
    added: Vec<String>,
    missing: Vec<String>,
}

/// The folder in which all of a tree lies: `name-1.2.tar!/name-1.2/`.
fn top(tree: &Tree) -> String {
    let mut files = tree.files.iter().map(|f| f.path.as_str());
    let first = files.next().unwrap_or_default();
    let mut len = first.rfind('/').map_or(0, |at| at + 1);
    for path in files {
        while !path.as_bytes().starts_with(first.as_bytes().get(..len).unwrap_or_default()) {
            let above = first.get(..len.saturating_sub(1)).and_then(|p| p.rfind('/'));
            len = above.map_or(0, |at| at + 1);
        }
    }
    first.get(..len).unwrap_or_default().to_owned()
}

/// The files of a tree.
pub fn files(tree: &Tree) -> Files {
    let top = top(tree);
    let below = |path: &str| path.strip_prefix(&top).unwrap_or(path).to_owned();
    tree.files.iter().map(|f| (below(&f.path), sha256::Hash::hash(&f.bytes))).collect()
}

impl<'a> Compared<'a> {
    /// Compares a tree to the files of another.
    pub fn of(tree: &Tree, upstream: &'a Upstream) -> Self {
        let (top, own) = (top(tree), files(tree));
        let mut all = Self {
            top: String::new(),
            same: BTreeMap::new(),
            changed: Vec::new(),
            added: Vec::new(),
            upstream,
            missing: upstream
                .files
                .keys()
                .filter(|path| !own.contains_key(*path))
                .cloned()
                .collect(),
        };
        for (path, hash) in &own {
            let there = upstream.files.get(path);
            all.same.insert(format!("{top}{path}"), there == Some(hash));
            match there {
                Some(other) if other != hash => all.changed.push(path.clone()),
                None => all.added.push(path.clone()),
                Some(_) => {}
            }
        }
        all.top = top;
        all
    }

    /// Whether a file is upstream's own, byte for byte at its place.
    fn is_same(&self, path: &str) -> bool {
        self.same.get(path).copied().unwrap_or(false)
    }

    /// Whether a finding is not upstream's own: with the same files on its way, the same endpoint, firing at the same time.
    pub fn differs(&self, finding: &Finding) -> bool {
        if !self.upstream.found.contains(&key(&self.top, finding)) {
            return true;
        }
        let mut files = finding.flow.iter().map(|s| &s.place.file).chain([&finding.place.file]);
        files.any(|file| !self.is_same(file))
    }

    /// Whether something that was not inspected is not upstream's, for the same reason.
    pub fn is_unknown(&self, missed: &Missed) -> bool {
        !self.is_same(&missed.file)
            || !self.upstream.missed.contains(&key_of_missed(&self.top, missed))
    }

    /// For programs.
    pub fn shown(&self) -> Value {
        json!({
            "same": self.same.values().filter(|same| **same).count(),
            "changed": self.changed, "added": self.added, "missing": self.missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use screen::File;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        Tree { files: files.iter().map(file).collect(), missed: Vec::new() }
    }

    #[test]
    fn places_are_compared_below_the_folder_that_holds_all() {
        let other = tree(&[
            ("a-1.tar!/a-1/a/x.py", "x"),
            ("a-1.tar!/a-1/setup.py", "s"),
            ("a-1.tar!/a-1/gone.py", "g"),
        ]);
        let upstream = Upstream::of(&other, &screen::screen(&other));
        let own = tree(&[
            ("a-2.tar!/a-2/a/x.py", "x"),
            ("a-2.tar!/a-2/conftest.py", "x"),
            ("a-2.tar!/a-2/setup.py", "t"),
        ]);
        let compared = Compared::of(&own, &upstream);
        let (changed, added, missing) =
            (json!(["setup.py"]), json!(["conftest.py"]), json!(["gone.py"]));
        assert_eq!(
            compared.shown(),
            json!({"same": 1, "changed": changed, "added": added, "missing": missing})
        );
        // The same bytes at another place are not the same.
        assert!(
            compared.is_same("a-2.tar!/a-2/a/x.py")
                && !compared.is_same("a-2.tar!/a-2/conftest.py")
        );
        // What was not inspected is upstream's own where it is the same file, for the same reason, there too.
        let missed =
            |path: &str, reason: &str| Missed { file: path.to_owned(), reason: reason.to_owned() };
        let mut found = screen::screen(&other);
        found.missed.push(missed("a-1.tar!/a-1/a/x.py", "over a limit"));
        found.missed.push(missed("a-1.tar!/a-1/setup.py", "over a limit"));
        let upstream = Upstream::of(&other, &found);
        let compared = Compared::of(&own, &upstream);
        assert!(!compared.is_unknown(&missed("a-2.tar!/a-2/a/x.py", "over a limit")));
        assert!(compared.is_unknown(&missed("a-2.tar!/a-2/a/x.py", "unreadable")));
        assert!(compared.is_unknown(&missed("a-2.tar!/a-2/setup.py", "over a limit")));
        assert_eq!(top(&tree(&[("x/ab/c", ""), ("x/ac/d", "")])), "x/");
        assert_eq!(top(&tree(&[("x", ""), ("y/z", "")])), "");
        assert_eq!(top(&tree(&[("ä/ö/1", ""), ("ä/ü/1", "")])), "ä/");
    }
}
