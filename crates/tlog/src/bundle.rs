//! Entry bundles: up to 256 entries, each after its big-endian 16-bit length (tlog-tiles, "Log entries").

/// Entries in a full bundle.
pub const BUNDLE_ENTRIES: u64 = 256;

/// Largest entry: the length stands in 16 bits.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Encodes entries one after the other; `None` if one is longer than [`ENTRY_BYTES_MAX`].
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Some(out)
}

/// Splits a bundle into its entries; `None` if a length points past the end or the count is over 256.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    (bytes.is_empty() && entries.len() <= 256).then_some(entries)
}
