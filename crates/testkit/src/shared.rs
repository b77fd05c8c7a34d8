//! Data that the project reads but does not carry.

use std::path::PathBuf;

/// A file of the shared data, or `None` with a word on stderr; under `COUNTERSIGN_REQUIRE_SHARED=1`
/// its absence is a failure.
pub fn file(path: &str) -> Option<PathBuf> {
    let root = std::env::var("COUNTERSIGN_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let file = PathBuf::from(root).join(path);
    if file.exists() {
        return Some(file);
    }
    let required = std::env::var_os("COUNTERSIGN_REQUIRE_SHARED").is_some_and(|v| v == "1");
    assert!(!required, "shared data is required, and {} is absent", file.display());
    eprintln!("skipped: {} is absent", file.display());
    None
}
