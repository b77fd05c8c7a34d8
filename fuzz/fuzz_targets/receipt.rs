//! Receipts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(receipt) = withdrawal::receipt::Receipt::parse(data) {
        let _ = receipt.verify();
    }
});
