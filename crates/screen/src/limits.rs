//! How much code is read and followed.

/// What one screening may take. Whatever is over one of these is listed as not inspected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a file that is parsed as code: its syntax tree is many times as large.
    pub code_len: usize,
    /// Bytes of code that are parsed in all, smaller files first: a project is kept in memory while it is followed.
    pub all_code_len: usize,
    /// Expressions that are evaluated: a million takes about a second. Django, of 2,500 modules, needs three.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { code_len: 8 << 20, all_code_len: 32 << 20, work: 10_000_000 }
    }
}
