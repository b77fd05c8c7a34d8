//! Archives of every kind, and archives in them.
#![no_main]

use intake::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { file_len: 1 << 16, tree_len: 1 << 20, files: 200, nested: 3 };
    let tree = intake::of_bytes("a", data.to_vec(), &limits);
    let len: u64 = tree.files.iter().map(|f| f.bytes.len() as u64).sum();
    assert!(len <= limits.tree_len && tree.files.len() <= limits.files);
    for pair in tree.files.windows(2) {
        assert!(pair[0].path < pair[1].path, "{}", pair[0].path);
    }
});
