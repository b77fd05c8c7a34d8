//! A: approvals and sessions.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::rand::SystemRandom;
use testkit::bench::{Bench, Ready};
use withdrawal::approval::{Approval, Decision};
use withdrawal::assertion::{Algorithm, Assertion};
use withdrawal::author::{TRIAL_ORIGIN, client_data};
use withdrawal::change::ChangeKind;
use withdrawal::code::Code;
use withdrawal::digest::Digest;
use withdrawal::intent::Kind;
use withdrawal::person::{Enrolment, Passkey};
use withdrawal::protocol::Response;

/// The valid payment with one approval replaced by what an attacker makes of it.
fn tampered(bench: &mut Bench, change: impl FnOnce(&Bench, &mut Approval)) -> Ready {
    let mut ready = bench.payment(500_000_000);
    let mut first = ready.approvals[0].clone();
    change(bench, &mut first);
    ready.approvals[0] = first;
    ready
}

/// Signs a challenge with alice's passkey, with flags and client data of the attacker's choice, and her
/// review key over the right digest: only the assertion is wrong.
fn assertion(bench: &mut Bench, flags: u8, data: impl FnOnce(&Digest) -> Vec<u8>) -> Vec<Code> {
    let ready = tampered(bench, |bench, approval| {
        let alice = bench.person("alice");
        let digest = approval.statement(&alice.record()).digest();
        let signed = alice.passkey.sign_raw(flags, data(&digest), &SystemRandom::new()).unwrap();
        approval.passkey.as_mut().unwrap().1 = signed;
    });
    bench.refused(&ready)
}

#[test]
fn a01_a_session_token_without_any_signature() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(500_000_000);
    for approval in &mut ready.approvals {
        (approval.passkey, approval.review) = (None, None);
    }
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::NoAssertion), "{codes:?}");
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
}

#[test]
fn a02_assertion_of_one_request_attached_to_another() {
    let mut bench = Bench::new();
    let other = bench.payment(400_000_000);
    let mut ready = bench.payment(500_000_000);
    ready.approvals[0] = other.approvals[0].clone();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::DigestMismatch), "{codes:?}");
    // The same with the header of this request and the signatures of the other.
    let mut ready = bench.payment(500_000_000);
    ready.approvals[0].passkey = other.approvals[0].passkey.clone();
    ready.approvals[0].review = other.approvals[0].review.clone();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::DigestMismatch), "{codes:?}");
}

#[test]
fn a03_approvals_replayed_after_release_and_after_expiry() {
    let mut bench = Bench::new();
    let first = bench.payment(500_000_000);
    bench.release(&first).unwrap();
    let mut second = bench.payment(500_000_000);
    second.approvals = first.approvals.clone();
    let codes = bench.refused(&second);
    assert!(codes.contains(&Code::DigestMismatch), "{codes:?}");
    // The same intent by another transaction, which could be paid as well.
    let state = bench.state();
    let own = bench.coins.clone();
    let taken = state.ledger().intent(&first.parsed().digest()).unwrap().outpoints();
    bench.coins.retain(|c| !taken.contains(&c.outpoint));
    let psbt = bench.build(&first.intent, 6);
    bench.coins = own;
    let again = bench.ready(first.intent.clone(), psbt, &["alice", "bob"]);
    let codes = bench.refused(&again);
    assert!(codes.contains(&Code::AlreadyReleased), "{codes:?}");
    let late = bench.payment(500_000_000);
    bench.pass_hours(24 * 31);
    assert!(bench.refused(&late).contains(&Code::Expired));
}

#[test]
fn a04_one_person_twice() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(500_000_000);
    ready.approvals[1] = ready.approvals[0].clone();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::DistinctPerson), "{codes:?}");
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
    // Two people with one credential are no roster.
    let vault = bench.core.vault().genesis.clone();
    let mut roster = vault.roster.clone();
    roster.persons[1].passkey = roster.persons[0].passkey.clone();
    assert!(roster.fault().unwrap().contains("share a credential"));
}

#[test]
fn a05_who_asks_approves() {
    let mut bench = Bench::with(|setup| setup.requester_person = Some("alice".to_owned()));
    let ready = bench.payment(500_000_000);
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::SelfApproval), "{codes:?}");
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
    // Asked for with the review key itself, without being a requester at all.
    let (state, later, usual) = (bench.state(), bench.later(), bench.usual.clone());
    let alice = &bench.trial.people[0].review;
    let intent = bench
        .trial
        .intent_by(alice, &state, Kind::Pay, &[(usual, 500_000_000, "own")], 100_000, later)
        .unwrap();
    let psbt = bench.build(&intent, 5);
    let ready = bench.ready(intent, psbt, &["alice", "bob"]);
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::SelfApproval), "{codes:?}");
}

#[test]
fn a06_user_not_present_not_verified_or_key_synced() {
    let mut bench = Bench::new();
    let data = |digest: &Digest| client_data("webauthn.get", digest, TRIAL_ORIGIN);
    assert!(assertion(&mut bench, 0x01, data).contains(&Code::AssertionPolicy), "UV false");
    assert!(assertion(&mut bench, 0x04, data).contains(&Code::AssertionPolicy), "UP false");
    // A key that was enrolled as bound to its device and now says that it is synced.
    assert!(assertion(&mut bench, 0x1d, data).contains(&Code::AssertionInvalid));
    // A key enrolled as synced does not count in the top tier of several.
    let mut policy = withdrawal::policy::Policy::warm();
    let mut high = policy.quorums[0].clone();
    high.above = bitcoin::Amount::from_sat(100_000_000);
    policy.quorums.push(high);
    assert!(policy.fault().is_none());
    let mut bench = Bench::with(|setup| {
        setup.policy.quorums = policy.quorums.clone();
        setup.synced = vec!["alice".to_owned()];
    });
    // Below the top tier it counts, above it does not.
    let small = bench.payment(50_000_000);
    bench.release(&small).unwrap();
    let large = bench.payment(150_000_000);
    let refused = bench.refused(&large);
    assert!(refused.contains(&Code::AssertionPolicy), "{refused:?}");
    assert!(refused.contains(&Code::QuorumNotMet), "{refused:?}");
    let usual = bench.usual.clone();
    let bound = bench.prepare(Kind::Pay, &[(usual, 150_000_000)], &["bob", "carol"]);
    bench.release(&bound).unwrap();
}

#[test]
fn a07_wrong_origin_party_type_or_frame() {
    let mut bench = Bench::new();
    let with = |text: String| move |_: &Digest| text.into_bytes();
    let challenge = {
        let mut shown = String::new();
        assertion(&mut bench, 0x05, |digest| {
            shown = BASE64_URL_SAFE_NO_PAD.encode(digest.0);
            b"{}".to_vec()
        });
        shown
    };
    drop(challenge);
    let invalid = |bench: &mut Bench, data: &dyn Fn(&Digest) -> Vec<u8>| {
        let codes = assertion(bench, 0x05, |d| data(d));
        assert!(codes.contains(&Code::AssertionInvalid), "{codes:?}");
    };
    invalid(&mut bench, &|d| client_data("webauthn.get", d, "http://localhost:9999"));
    invalid(&mut bench, &|d| client_data("webauthn.create", d, TRIAL_ORIGIN));
    invalid(&mut bench, &|d| {
        let text = String::from_utf8(client_data("webauthn.get", d, TRIAL_ORIGIN)).unwrap();
        text.replace("\"crossOrigin\":false", "\"crossOrigin\":true").into_bytes()
    });
    invalid(&mut bench, &|d| {
        let text = String::from_utf8(client_data("webauthn.get", d, TRIAL_ORIGIN)).unwrap();
        text.replace(
            "\"crossOrigin\":false",
            "\"crossOrigin\":false,\"topOrigin\":\"https://x.invalid\"",
        )
        .into_bytes()
    });
    assert!(assertion(&mut bench, 0x05, with("null".to_owned())).contains(&Code::AssertionInvalid));
    // Another relying party: the hash at the front of the authenticator data.
    let ready = tampered(&mut bench, |_, approval| {
        approval.passkey.as_mut().unwrap().1.authenticator_data[0] ^= 1;
    });
    assert!(bench.refused(&ready).contains(&Code::AssertionInvalid));
}

#[test]
fn a09_algorithm_confusion_and_encodings() {
    let mut bench = Bench::new();
    let alice = bench.person("alice").record().passkey;
    let digest = Digest([7; 32]);
    let good = bench.person("alice").passkey.sign(&digest, &SystemRandom::new()).unwrap();
    assert!(good.verify(&alice, &digest).is_ok());
    let verifies =
        |passkey: &Passkey, assertion: &Assertion| assertion.verify(passkey, &digest).is_ok();
    let eddsa = Passkey { algorithm: Algorithm::EdDsa, ..alice.clone() };
    assert!(!verifies(&eddsa, &good), "a key serves one algorithm");
    for signature in
        [Vec::new(), vec![0; 64], vec![0; 256], good.signature[..good.signature.len() - 1].to_vec()]
    {
        assert!(!verifies(&alice, &Assertion { signature, ..good.clone() }));
    }
    // Raw r and s instead of DER.
    let der = &good.signature;
    let r_len = usize::from(der[3]);
    let part = |bytes: &[u8]| {
        let bytes = if bytes[0] == 0 { &bytes[1..] } else { bytes };
        let mut out = vec![0; 32 - bytes.len()];
        out.extend(bytes);
        out
    };
    let raw = [part(&der[4..4 + r_len]), part(&der[6 + r_len..])].concat();
    assert_eq!(raw.len(), 64);
    assert!(!verifies(&alice, &Assertion { signature: raw, ..good.clone() }));
    // A point that is not on the curve.
    let mut off = alice.clone();
    off.public_key[40] ^= 1;
    assert!(!verifies(&off, &good));
    // Trailing bytes behind the signature.
    let longer = [der.as_slice(), &[0]].concat();
    assert!(!verifies(&alice, &Assertion { signature: longer, ..good }));
    let ready = tampered(&mut bench, |_, a| a.passkey.as_mut().unwrap().1.signature = vec![0; 64]);
    assert!(bench.refused(&ready).contains(&Code::AssertionInvalid));
}

#[test]
fn a10_client_data_is_read_one_way() {
    let mut bench = Bench::new();
    let text =
        |d: &Digest| String::from_utf8(client_data("webauthn.get", d, TRIAL_ORIGIN)).unwrap();
    let changes: [&dyn Fn(String) -> String; 6] = [
        &|t| t.replace("\"crossOrigin\":false", "\"crossOrigin\":false,\"challenge\":\"AAAA\""),
        &|t| t.replace("{\"type\"", "{\"\\u0074ype\""),
        &|t| t.replace("{\"type\"", "{ \"type\""),
        &|t| format!("\u{feff}{t}"),
        &|t| format!("{t}x"),
        &|t| {
            t.replace(
                "\"crossOrigin\":false",
                "\"crossOrigin\":false,\"typ\\u0065\":\"webauthn.get\"",
            )
        },
    ];
    for change in changes {
        let codes = assertion(&mut bench, 0x05, |d| change(text(d)).into_bytes());
        assert!(codes.contains(&Code::AssertionInvalid), "{codes:?}");
    }
    // What browsers may add in the future is carried, as the standard asks.
    let digest = Digest([9; 32]);
    let alice = bench.person("alice");
    let extended =
        text(&digest).replace("\"crossOrigin\":false", "\"crossOrigin\":false,\"future\":\"x\"");
    let signed = alice.passkey.sign_raw(0x05, extended.into_bytes(), &SystemRandom::new()).unwrap();
    assert!(signed.verify(alice.passkey.public(), &digest).is_ok());
}

#[test]
fn a11_authenticator_data_of_another_length_or_with_more_in_it() {
    let mut bench = Bench::new();
    for change in [0, 1, 2, 3] {
        let ready = tampered(&mut bench, |_, approval| {
            let data = &mut approval.passkey.as_mut().unwrap().1.authenticator_data;
            match change {
                0 => data.push(0),
                1 => data.truncate(36),
                2 => data[32] |= 0x40,
                // Extensions of indefinite length.
                _ => {
                    data[32] |= 0x80;
                    data.extend([0xbf, 0xff]);
                }
            }
        });
        assert!(bench.refused(&ready).contains(&Code::AssertionInvalid), "{change}");
    }
    let ready = tampered(&mut bench, |_, a| a.passkey.as_mut().unwrap().0.truncate(8));
    assert!(bench.refused(&ready).contains(&Code::AssertionInvalid), "credential id");
}

#[test]
fn a12_challenge_of_something_else() {
    let mut bench = Bench::new();
    let wrong: [&dyn Fn(&Digest) -> Vec<u8>; 2] =
        [&|_| client_data("webauthn.get", &Digest([3; 32]), TRIAL_ORIGIN), &|d| {
            let text = String::from_utf8(client_data("webauthn.get", d, TRIAL_ORIGIN)).unwrap();
            let full = BASE64_URL_SAFE_NO_PAD.encode(d.0);
            text.replace(&full, &BASE64_URL_SAFE_NO_PAD.encode(&d.0[..16])).into_bytes()
        }];
    for data in wrong {
        let codes = assertion(&mut bench, 0x05, |d| data(d));
        assert!(codes.contains(&Code::DigestMismatch), "{codes:?}");
    }
    // A no signed by alice, shown as a yes; and bob's approval under alice's name.
    let mut ready = bench.payment(500_000_000);
    let (state, later) = (bench.state(), bench.later());
    let spend = ready.approvals[0].spend_digest;
    let mut no = bench.person("alice").decide(&state, spend, later, Decision::Reject).unwrap();
    no.decision = Decision::Approve;
    ready.approvals[0] = no;
    assert!(bench.refused(&ready).contains(&Code::DigestMismatch));
    let mut ready = bench.payment(500_000_000);
    ready.approvals[0] = ready.approvals[1].clone();
    ready.approvals[0].person = "alice".to_owned();
    assert!(bench.refused(&ready).contains(&Code::AssertionInvalid));
}

#[test]
fn a13_role_revoked_between_approval_and_release() {
    let mut bench = Bench::new();
    let ready = bench.payment(500_000_000);
    let revoke = withdrawal::act::ActKind::Revoke { person: "alice".to_owned() };
    let act = bench.act_of("carol", revoke);
    bench.act(act).unwrap();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::RosterChanged), "{codes:?}");
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
}

#[test]
fn a13_role_added_between_approval_and_release() {
    let mut bench = Bench::new();
    let ready = bench.payment(500_000_000);
    let erin = coordinator::trial::TrialPerson::new("erin", "tokyo", false).unwrap();
    let enrolment = erin.signatory().enrol(erin.record(), &SystemRandom::new()).unwrap();
    change_and_wait(&mut bench, add(enrolment));
    assert!(bench.refused(&ready).contains(&Code::RosterChanged));
}

fn add(enrolment: Enrolment) -> ChangeKind {
    ChangeKind::Roster {
        add: vec![enrolment],
        remove: vec![],
        add_requesters: vec![],
        remove_requesters: vec![],
    }
}

/// A change by alice and bob, and the delay of governance.
pub fn change_and_wait(bench: &mut Bench, kind: ChangeKind) {
    bench.tell_time();
    let state = bench.state();
    let signers = [bench.person("alice"), bench.person("bob")];
    let change = bench.trial.change(&state, kind, &signers).unwrap();
    bench.change(change).unwrap();
    bench.tell_time();
    bench.pass_hours(25);
    bench.tell_time();
}

#[test]
fn a14_policy_changed_between_approval_and_release() {
    let mut bench = Bench::new();
    let ready = bench.payment(500_000_000);
    let mut policy = bench.core.vault().genesis.policy.clone();
    policy.version = 2;
    change_and_wait(&mut bench, ChangeKind::Policy(Box::new(policy)));
    let codes = bench.refused(&ready);
    assert_eq!(codes, [Code::QuorumNotMet, Code::ZoneMissing, Code::PolicyChanged]);
}

#[test]
fn a18_the_vendor_edits_the_recipient_after_approval() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(500_000_000);
    let mut psbt = bitcoin::Psbt::deserialize(&ready.psbt).unwrap();
    for output in &mut psbt.unsigned_tx.output {
        if output.script_pubkey == bench.usual {
            output.script_pubkey = testkit::bench::payee(666);
        }
    }
    ready.psbt = psbt.serialize();
    let codes = bench.refused(&ready);
    for code in
        [Code::OutputNotApproved, Code::OutputMissing, Code::DigestMismatch, Code::QuorumNotMet]
    {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}

#[test]
fn a19_a_reject_that_the_coordinator_drops() {
    let mut bench = Bench::new();
    let ready = bench.payment(500_000_000);
    let intent = ready.parsed().digest();
    let act = bench.act_of("carol", withdrawal::act::ActKind::Reject { intent });
    bench.act(act).unwrap();
    // The coordinator shows two approvals and no reject.
    assert_eq!(bench.refused(&ready), [Code::Rejected]);
    // A reject among the approvals counts as well.
    let mut ready = bench.payment(500_000_000);
    let (state, later, spend) = (bench.state(), bench.later(), ready.approvals[0].spend_digest);
    ready
        .approvals
        .push(bench.person("carol").decide(&state, spend, later, Decision::Reject).unwrap());
    assert_eq!(bench.refused(&ready), [Code::Rejected]);
}

#[test]
fn a25_login_assertions_and_approvals_are_no_enrolments() {
    let bench = Bench::new();
    let alice = bench.person("alice");
    let random = SystemRandom::new();
    // An approval's assertion where an enrolment's is asked for.
    let mut enrolment = alice.signatory().enrol(alice.record(), &random).unwrap();
    let approval = alice.passkey.sign(&Digest([5; 32]), &random).unwrap();
    enrolment.assertion = approval;
    assert!(enrolment.check().unwrap_err().starts_with("DIGEST_MISMATCH"));
    // An enrolment's assertion in an approval: the same digest never serves two tags.
    let mut bench = Bench::new();
    let ready = tampered(&mut bench, |bench, approval| {
        let alice = bench.person("alice");
        let signed = alice.passkey.sign(&Enrolment::digest(&alice.record()), &random).unwrap();
        approval.passkey.as_mut().unwrap().1 = signed;
    });
    assert!(bench.refused(&ready).contains(&Code::DigestMismatch));
}

#[test]
fn d02_a_passkey_over_the_thiefs_digest_is_not_enough() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(500_000_000);
    // The page handed the passkeys another digest; the review machines never saw it.
    for approval in &mut ready.approvals {
        approval.review = None;
    }
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::ReviewMissing), "{codes:?}");
    let mut ready = bench.payment(500_000_000);
    let other = bench.payment(500_000_001);
    for (approval, other) in ready.approvals.iter_mut().zip(&other.approvals) {
        approval.review = other.review.clone();
    }
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::DigestMismatch), "{codes:?}");
}

#[test]
fn d03_an_approval_passkey_never_signs_in() {
    let bench = Bench::new();
    let alice = bench.person("alice");
    // A sign-in page has another origin; the origin of approvals is exact.
    let data = client_data("webauthn.get", &Digest([1; 32]), "https://login.example.invalid");
    let signed = alice.passkey.sign_raw(0x05, data, &SystemRandom::new()).unwrap();
    let refused = signed.verify(alice.passkey.public(), &Digest([1; 32])).unwrap_err();
    assert_eq!(refused.code, Code::AssertionInvalid);
}

#[test]
fn d15_a_vendor_never_counts() {
    let mut bench = Bench::new();
    let usual = bench.usual.clone();
    let ready = bench.prepare(Kind::Pay, &[(usual, 500_000_000)], &["alice", "mallory"]);
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::QuorumNotMet), "{codes:?}");
}

#[test]
fn d22_an_enrolment_with_somebody_elses_key_is_too_new_or_unsigned() {
    let mut bench = Bench::new();
    let random = SystemRandom::new();
    let erin = coordinator::trial::TrialPerson::new("erin", "osaka", false).unwrap();
    // The page swaps the passkey in the record: the review key signed another one.
    let mut enrolment = erin.signatory().enrol(erin.record(), &random).unwrap();
    let thief = coordinator::trial::TrialPerson::new("thief", "x", false).unwrap();
    enrolment.person.passkey = thief.passkey.public().clone();
    assert!(enrolment.check().is_err());
    // A true record is too new to approve with until it has aged.
    let enrolment = erin.signatory().enrol(erin.record(), &random).unwrap();
    change_and_wait(&mut bench, add(enrolment));
    let mut ready = bench.payment(500_000_000);
    let (state, later, spend) = (bench.state(), bench.later(), ready.approvals[0].spend_digest);
    ready.approvals[1] = erin.approve(&state, spend, later).unwrap();
    let codes = bench.refused(&ready);
    assert!(codes.contains(&Code::CredentialTooNew), "{codes:?}");
    bench.pass_hours(72);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
}
