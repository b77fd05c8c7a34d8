//! Commands without a node: imported wallets, malformed input, exit codes, the log.

use serde_json::Value;

use crate::command::Desk;

/// The theft's wallet.
fn dmm_descriptor() -> String {
    let fixture: Value = serde_json::from_str(include_str!("../../src/drill/dmm.json")).unwrap();
    let witness = fixture["theft"]["inputs"][0]["witness"].as_array().unwrap();
    let script = witness.last().unwrap().as_str().unwrap();
    let keys: Vec<&str> = (0..3).map(|n| &script[4 + n * 68..4 + n * 68 + 66]).collect();
    format!("sh(wsh(multi(2,{})))", keys.join(","))
}

#[test]
fn an_existing_two_of_three_is_imported_and_judged() {
    let desk = Desk::new();
    let usual = "1B6rJ6ZKfZmkqMyBGe5KR27oWkEbQdNM7P";
    let json = desk.ok(&format!(
        "vault import {} v --network bitcoin --allow {usual}=usual",
        dmm_descriptor()
    ));
    assert_eq!(json["evaluate_only"], true);
    let shown = desk.ok("vault show v");
    assert_eq!(shown["spend_paths"][0]["code"], "COSIGNER_BYPASS");
    assert_eq!(
        desk.ok("vault address v")["address"],
        "3P8MfdM4pULv7ozdQvfwAqNF29zAjmnUYD",
        "the address of DMM's wallet, derived by the second decoder"
    );
    let (code, json) = desk.run(&format!("vault import {} v --network bitcoin", dmm_descriptor()));
    assert_eq!(code, 1, "{json}");
    // Nothing is ever signed for it.
    desk.ok("key new --out req.key");
    desk.ok(&format!("request new --vault v --to {usual}=100000=x --max-fee-sat 1000 --expires 2099-01-01T00:00:00Z --key req.key --out i.json"));
    desk.write("p.psbt", "cHNidP8BAAA=");
    std::fs::create_dir(desk.path("ap")).unwrap();
    let (code, json) =
        desk.run("release --vault v --intent i.json --psbt p.psbt --approvals ap --out c.psbt");
    assert_eq!((code, &json["error"]["code"]), (3, &Value::from("EVALUATE_ONLY")));
}

#[test]
fn malformed_input_is_exit_2_with_its_place_and_writes_nothing() {
    let desk = Desk::new();
    let usual = "1B6rJ6ZKfZmkqMyBGe5KR27oWkEbQdNM7P";
    desk.ok(&format!("vault import {} v --network bitcoin", dmm_descriptor()));
    desk.ok("key new --out req.key");
    desk.ok(&format!("request new --vault v --to {usual}=100000=x --max-fee-sat 1000 --expires 2099-01-01T00:00:00Z --key req.key --out i.json"));
    desk.write("bad.psbt", b"psbt\xff\x01\x00");
    desk.write("bad.json", "{\"payloadType\": 1}");
    desk.write("bad.toml", "version = 1\ntier = \"warm\"\n[limits]\ntx_max = 5\n");
    desk.write("receipt.json", "{}");
    let malformed = |line: &str| {
        let (code, json) = desk.run(line);
        assert_eq!(code, 2, "{line}: {json}");
        let error = &json["error"];
        assert_eq!(error["code"], "MALFORMED", "{line}: {json}");
        assert!(error["file"].is_string() && error["detail"].is_string(), "{line}: {json}");
        error.clone()
    };
    assert_eq!(malformed("check --vault v --intent i.json --psbt bad.psbt")["at"], "byte 7");
    assert_eq!(
        malformed("check --vault v --intent bad.json --psbt bad.psbt")["at"],
        "line 1 column 17"
    );
    assert_eq!(malformed("policy check bad.toml")["at"], "line 4");
    malformed("psbt inspect bad.psbt");
    malformed("verify receipt.json");
    malformed("verify nothing.json");
    malformed(&format!(
        "request new --vault v --to {usual}=1.5 --max-fee-sat 1 --expires 2099-01-01T00:00:00Z --key req.key --out j.json"
    ));
    malformed(&format!(
        "request new --vault v --to {usual}=1000 --max-fee-sat 1 --expires tomorrow --key req.key --out j.json"
    ));
    malformed(
        "request new --vault v --to bcrt1qqqqq=1000 --max-fee-sat 1 --expires 2099-01-01T00:00:00Z --key req.key --out j.json",
    );
    malformed("vault import wsh(pk(nothing)) w --network bitcoin");
    assert!(!desk.path("j.json").exists() && !desk.path("w").exists(), "nothing was written");
    let (code, _) = desk.run("no-such-command");
    assert_eq!(code, 2);
}

#[test]
fn the_log_names_its_first_bad_entry() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    let json = desk.ok("freeze --vault v --person alice --review-key alice.review");
    let last = json["entry"].as_u64().unwrap();
    assert_eq!(desk.ok("log verify cos --head v/head")["entries"], last + 1);
    let shown = desk.ok("log show cos");
    assert_eq!(shown["entries"][0]["kind"], "genesis");
    // The last entry's last byte, in the one bundle there is.
    let bundle = desk.path(&format!("cos/log/tile/entries/000.p/{}", last + 1));
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let (code, json) = desk.run("log verify cos");
    assert_eq!((code, &json["first_bad"]), (3, &Value::from(last)), "{json}");
}

#[test]
fn an_act_without_a_cosigner_is_not_in_force() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    let (code, json) = desk.run("freeze --vault v --person alice --review-key alice.review --submit-socket nowhere.sock --out act.json");
    assert_eq!((code, &json["in_force"]), (3, &Value::from(false)));
    // The very act, handed over later by anyone who has it.
    let json = desk.ok("cosigner submit --socket v/submit.sock act.json");
    assert_eq!(json["in_force"], true);
    let (code, _) = desk.run("freeze --vault v --person nobody --review-key alice.review");
    assert_eq!(code, 3);
}

#[test]
fn text_from_outside_moves_no_cursor() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    desk.write("evil.json", b"{\"\\u001b[2J\\u001b[Hpay of vault\\u202e\": 1}");
    for line in [
        "review --vault v --intent evil.json --psbt evil.json",
        "verify evil.json",
        "change apply evil.json --vault v",
        "psbt inspect evil.json",
    ] {
        let output = std::process::Command::new(crate::command::EXE)
            .args(line.split(' '))
            .current_dir(&desk.dir)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{line}: {shown:?}");
    }
    // Nor does a witness's URL, which founders are shown in the genesis record.
    let policy = desk.text("witnesses").replacen("http://", "http://\u{1b}[25A\r", 1);
    desk.write("witnesses", policy);
    let (code, json) = desk.run("policy check witnesses");
    assert_eq!(code, 2, "{json}");
    let (code, json) = desk.run("vault new w --network regtest --cosigner cos.pub --embedded --holder x --recovery x --person alice.enrol --witness-policy witnesses --hostile-witnesses 1");
    assert_ne!(code, 0, "{json}");
}

#[test]
fn signers_are_shown_all_that_a_change_does() {
    let mut desk = Desk::new();
    let usual = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    desk.vault(&[format!("{usual}=usual")], "");
    desk.ok("review-key new --out eve.review");
    desk.ok("passkey new --software --out eve.passkey");
    let words = desk.ok("enrol --person eve --review-key eve.review --passkey eve.passkey --zone nagoya --out eve.enrol")["phrase"].as_str().unwrap().to_owned();
    desk.ok("roster propose --vault v --add eve.enrol --out r.json");
    let other = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
    desk.ok(&format!(
        "allowlist propose --vault v --add {other}=usual-too --remove {usual} --out a.json"
    ));
    let shown = |line: &str| {
        let keys = "--person alice --review-key alice.review --passkey alice.passkey --vault v";
        let output = std::process::Command::new(crate::command::EXE)
            .args(format!("change sign {line} {keys}").split(' '))
            .current_dir(&desk.dir)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let text = shown("r.json");
    assert!(
        text.contains(&words) && text.contains("adds eve") && text.contains("nagoya"),
        "{text}"
    );
    let text = shown("a.json");
    for part in [format!("lists {other} as `usual-too`"), format!("unlists {usual} (`usual`)")] {
        assert!(text.contains(&part), "{text}");
    }
    // What can't be signed by anyone is not signed by anybody.
    let (code, json) =
        desk.run(&format!("allowlist propose --vault v --remove {other} --out b.json"));
    assert_eq!((code, &json["error"]["code"]), (2, &Value::from("MALFORMED")), "{json}");
    let (code, _) = desk.run(
        "change sign a.json --person eve --review-key eve.review --passkey eve.passkey --vault v",
    );
    assert_eq!(code, 2, "eve is not of the roster");
}

#[test]
fn hostile_files_end_no_command_by_a_panic() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    // A tree head of size 0.
    let log = desk.path("forged");
    std::fs::create_dir(&log).unwrap();
    std::fs::write(log.join("checkpoint"), "countersign.invalid/x\n0\nAAAA\n\n").unwrap();
    for line in ["log verify forged", "log show forged", "log extract forged --entry 0 --out e"] {
        let (code, json) = desk.run(line);
        assert!(code == 2 || code == 3, "{line}: {code} {json}");
    }
    // A bump of a transaction that pays more than there is, and a fee rate out of bounds.
    let mut tx = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn::default()],
        output: Vec::new(),
    };
    tx.output.push(bitcoin::TxOut {
        value: bitcoin::Amount::from_sat(u64::MAX),
        script_pubkey: bitcoin::ScriptBuf::new(),
    });
    desk.write("p.psbt", bitcoin::Psbt::from_unsigned_tx(tx).unwrap().serialize());
    let (code, json) = desk.run("psbt bump --vault v --psbt p.psbt --fee-rate 5 --out b.psbt");
    assert!(code == 2 || code == 3, "{code} {json}");
    let (code, _) =
        desk.run("psbt bump --vault v --psbt p.psbt --fee-rate 18446744073709551615 --out b.psbt");
    assert_eq!(code, 2);
    // Something that never ends.
    let (code, _) = desk.run("verify /dev/zero");
    assert_eq!(code, 2);
}

#[test]
fn files_fit_their_schemas_and_examples_are_read() {
    let desk = Desk::new();
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas");
    let schema = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(format!("{docs}/{name}.json")).unwrap()).unwrap()
    };
    for name in ["review-key", "passkey", "request-key", "cosigner", "enrolment"] {
        std::fs::copy(format!("{docs}/examples/{name}.json"), desk.path(name)).unwrap();
    }
    // The examples, read by the commands that take such files.
    desk.ok("enrol --person alice --review-key review-key --passkey passkey --zone tokyo --out new.enrol");
    desk.ok("witness init w --name w.invalid --out w.vkey");
    desk.ok("witness trust w --log cosigner");
    desk.ok(&format!("vault import {} v --network bitcoin", dmm_descriptor()));
    desk.ok("request new --vault v --to 1B6rJ6ZKfZmkqMyBGe5KR27oWkEbQdNM7P=100000=x --max-fee-sat 1000 --expires 2099-01-01T00:00:00Z --key request-key --out i.json");
    // And what commands write.
    desk.ok("review-key new --out a.review");
    desk.ok("holder-key new --network regtest --out a.holder");
    desk.ok("passkey new --software --out a.passkey");
    desk.ok("key new --out a.key");
    desk.ok("cosigner keygen cos --out a.pub");
    for (file, name) in [
        ("a.review", "key"),
        ("a.holder", "key"),
        ("a.passkey", "key"),
        ("a.key", "key"),
        ("a.pub", "cosigner"),
        ("new.enrol", "object"),
        ("i.json", "intent"),
    ] {
        let value: Value = serde_json::from_str(&desk.text(file)).unwrap();
        testkit::schema::fits(&schema(name), &value, file);
    }
}
