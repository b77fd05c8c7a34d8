//! The second decoder: no panic, bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A vault of the warm template on regtest.
const DESCRIPTOR: &str = include_str!("../descriptor.txt");
static READER: LazyLock<reader::Vault> =
    LazyLock::new(|| reader::Vault::parse(DESCRIPTOR.trim()).expect("a descriptor of ours"));

fuzz_target!(|data: &[u8]| {
    let _ = reader::read(data, &READER);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = reader::Vault::parse(text);
    }
});
