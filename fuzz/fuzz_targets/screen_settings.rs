//! Files that tools read: what they say may run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use screen::{File, Tree};

/// Too little for what is slow on purpose, so that a run tells what crashes.
const LEN_MAX: usize = 20_000;

fuzz_target!(|data: &[u8]| {
    if data.len() > LEN_MAX {
        return;
    }
    for name in [
        "package.json",
        "package-lock.json",
        ".vscode/tasks.json",
        ".devcontainer/devcontainer.json",
        ".claude/settings.json",
        "pyproject.toml",
        "poetry.lock",
        "yarn.lock",
        "setup.cfg",
        ".git/config",
        ".idea/workspace.xml",
        "CMakeLists.txt",
        "build.rs",
        "README.md",
    ] {
        let file = File { path: name.to_owned(), bytes: data.to_vec() };
        let tree = Tree { files: vec![file], missed: Vec::new() };
        for finding in &screen::screen(&tree).findings {
            assert!(finding.place.line >= 1 && finding.place.file == *name);
        }
    }
});
