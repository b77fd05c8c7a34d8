//! Code of shells, and files whose commands are shell: Dockerfiles, makefiles, compose files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use screen::{File, Tree};

/// Too little for what is slow on purpose, so that a run tells what crashes.
const LEN_MAX: usize = 20_000;

fuzz_target!(|data: &[u8]| {
    if data.len() > LEN_MAX {
        return;
    }
    for name in ["main.sh", "Dockerfile", "Makefile", "compose.yaml"] {
        let file = File { path: name.to_owned(), bytes: data.to_vec() };
        let tree = Tree { files: vec![file], missed: Vec::new() };
        for finding in &screen::screen(&tree).findings {
            assert!(finding.place.line >= 1 && finding.place.file == *name);
        }
    }
});
