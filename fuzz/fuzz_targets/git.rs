//! Repositories of git: objects, packs, indexes, refs. The bytes are the files, one after the other, each with its length.
#![no_main]

use intake::Limits;
use libfuzzer_sys::fuzz_target;
use screen::File;

const NAMES: [&str; 6] = [
    ".git/HEAD",
    ".git/refs/heads/main",
    ".git/packed-refs",
    ".git/objects/pack/pack-a.idx",
    ".git/objects/pack/pack-a.pack",
    "main.py",
];

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let mut files = Vec::new();
    for name in NAMES {
        let Some((len, after)) = rest.split_at_checked(2) else { break };
        let len = usize::from(u16::from_be_bytes([len[0], len[1]])).min(after.len());
        files.push(File { path: name.to_owned(), bytes: after[..len].to_vec() });
        rest = &after[len..];
    }
    // What is left is a loose object under the name that it has.
    files.push(File { path: format!(".git/objects/{}/{}", "00", "0".repeat(38)), bytes: rest.to_vec() });
    let limits = Limits { file_len: 1 << 16, tree_len: 1 << 20, files: 200, nested: 3 };
    let tree = intake::of_files(files, &limits);
    for pair in tree.files.windows(2) {
        assert!(pair[0].path < pair[1].path, "{}", pair[0].path);
    }
});
