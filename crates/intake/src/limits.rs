//! How much is read of what somebody sent.

/// What one reading may take. Whatever is over one of these is listed as not inspected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one file.
    pub file_len: u64,
    /// Bytes of all files together, unpacked.
    pub tree_len: u64,
    /// Files of a tree.
    pub files: usize,
    /// Archives in archives.
    pub nested: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_len: 16 << 20, tree_len: 400 << 20, files: 200_000, nested: 3 }
    }
}
