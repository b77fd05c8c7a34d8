//! Genesis records: people, descriptor, witnesses.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    use withdrawal::wire::Wire;
    if let Ok(signed) = withdrawal::genesis::SignedGenesis::from_bytes(data) {
        let _ = signed.unsigned();
        let _ = signed.genesis.check();
    }
    let _ = withdrawal::person::Enrolment::from_bytes(data).map(|e| e.check());
    if let Ok(text) = std::str::from_utf8(data) {
        let script = withdrawal::script::VaultScript::parse(text, withdrawal::network::Network::Bitcoin);
        let _ = script.map(|s| s.spend_paths(None));
    }
});
