//! Trees of hostile files: code, settings and packages, through the parsers, the flow engine and the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use screen::{File, Tree};

const NAMES: [&str; 6] =
    ["main.py", "pkg/__init__.py", "package.json", ".vscode/tasks.json", "conftest.py", "config.json"];

fuzz_target!(|data: &[u8]| {
    let mut tree = Tree::default();
    for (piece, name) in data.split(|b| *b == 0).zip(NAMES) {
        tree.files.push(File { path: name.to_owned(), bytes: piece.to_vec() });
    }
    let outcome = screen::screen(&tree);
    for finding in &outcome.findings {
        assert!(finding.place.line >= 1 && tree.file(&finding.place.file).is_some());
    }
});
