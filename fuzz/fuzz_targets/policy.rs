//! Policy files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(policy) = withdrawal::policy_file::parse(text)
    {
        assert!(policy.fault().is_none());
        let _ = withdrawal::policy_file::describe(&policy);
    }
});
