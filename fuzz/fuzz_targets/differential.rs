//! What the first decoder takes without a fault, the second reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A vault of the warm template on regtest.
const DESCRIPTOR: &str = include_str!("../descriptor.txt");
static VAULT: LazyLock<withdrawal::script::VaultScript> = LazyLock::new(|| {
    let network = withdrawal::network::Network::Regtest;
    withdrawal::script::VaultScript::parse(DESCRIPTOR.trim(), network).expect("a descriptor of ours")
});
static READER: LazyLock<reader::Vault> =
    LazyLock::new(|| reader::Vault::parse(DESCRIPTOR.trim()).expect("a descriptor of ours"));

fuzz_target!(|data: &[u8]| {
    let Ok(first) = withdrawal::psbt::inspect(data, &VAULT) else { return };
    let Some(spend) = first.spend.filter(|_| first.violations.is_empty()) else { return };
    let second = reader::read(data, &READER).expect("the first decoder took it");
    assert_eq!(spend.fee.to_sat(), second.fee_sat);
    assert_eq!(spend.outputs.len(), second.outputs.len());
    for (a, b) in spend.outputs.iter().zip(&second.outputs) {
        assert_eq!((a.amount.to_sat(), a.script.as_bytes()), (b.sat, b.script.as_slice()));
        assert_eq!(a.kind == withdrawal::spend::OutputKind::Payment, b.own.is_none());
    }
    let zero = withdrawal::digest::Digest::ZERO;
    assert_eq!(spend.digest(&zero, &zero).0, reader::spend_digest(&second, &zero.0, &zero.0));
});
