//! Intents, and the enrolments, changes, acts and entries that are read as binary.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    use withdrawal::wire::Wire;
    let _ = withdrawal::intent::Intent::parse(data);
    if let Ok(entry) = withdrawal::entry::Entry::from_bytes(data) {
        assert_eq!(entry.to_bytes(), data, "one encoding");
    }
    let _ = withdrawal::protocol::Request::from_bytes(data);
    let _ = withdrawal::protocol::Response::from_bytes(data);
});
