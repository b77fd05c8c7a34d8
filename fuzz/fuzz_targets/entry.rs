//! Log entries and requests to the cosigner: one encoding each, whatever the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use withdrawal::wire::Wire;

fn once<T: Wire>(data: &[u8]) {
    if let Ok(value) = T::from_bytes(data) {
        assert_eq!(value.to_bytes(), data, "a value with two encodings");
    }
}

fuzz_target!(|data: &[u8]| {
    once::<withdrawal::entry::Entry>(data);
    once::<withdrawal::protocol::Request>(data);
    once::<withdrawal::protocol::Response>(data);
    once::<withdrawal::succession::Succession>(data);
    once::<withdrawal::succession::Recovered>(data);
});
