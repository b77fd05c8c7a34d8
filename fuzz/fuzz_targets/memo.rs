//! Memos and deposits of bridges.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = trace::bridge::memo::parse(text);
    }
    let scripts: Vec<&[u8]> = data.split(|b| *b == 0xff).collect();
    let memo = trace::bridge::memo::of_outputs(scripts.iter().copied());
    let _ = trace::bridge::memo::parse(&memo);
    if let Some(deposit) = trace::bridge::tbtc::parse(data) {
        let _ = deposit.address();
        assert!(chaingraph::block::is_deposit(data));
    }
});
