//! Bytes to a spend summary: no panic, bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A vault of the warm template on regtest.
const DESCRIPTOR: &str = include_str!("../descriptor.txt");
static VAULT: LazyLock<withdrawal::script::VaultScript> = LazyLock::new(|| {
    let network = withdrawal::network::Network::Regtest;
    withdrawal::script::VaultScript::parse(DESCRIPTOR.trim(), network).expect("a descriptor of ours")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(raw) = withdrawal::psbt::to_binary(data) {
        let _ = withdrawal::psbt::inspect(&raw, &VAULT);
    }
});
