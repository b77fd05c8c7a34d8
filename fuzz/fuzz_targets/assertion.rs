//! Approvals and the assertions in them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(approval) = withdrawal::approval::Approval::parse(data) {
        let again = withdrawal::approval::Approval::parse(&approval.to_json()).expect("written by us");
        assert_eq!(approval, again);
    }
    let passkey = withdrawal::person::Passkey {
        credential_id: vec![0; 32],
        algorithm: withdrawal::assertion::Algorithm::Es256,
        public_key: vec![4; 65],
        rp_id: "localhost".to_owned(),
        origins: vec!["http://localhost".to_owned()],
        backup_eligible: false,
        software: true,
    };
    let half = data.len() / 2;
    let assertion = withdrawal::assertion::Assertion {
        authenticator_data: data[..half].to_vec(),
        client_data_json: data[half..].to_vec(),
        signature: data.to_vec(),
    };
    assert!(assertion.verify(&passkey, &withdrawal::digest::Digest::ZERO).is_err());
});
