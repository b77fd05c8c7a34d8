//! What people decide about the vault itself, by the executable: freeze and unfreeze, succession.

use serde_json::Value;
use testkit::bench::copy_dir;

use crate::command::Desk;

fn keys(person: &str) -> String {
    format!("--person {person} --review-key {person}.review --passkey {person}.passkey")
}

#[test]
fn a_quorum_unfreezes_one_person_after_the_other() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    desk.ok("freeze --vault v --person alice --review-key alice.review");
    assert_eq!(desk.ok("vault show v")["frozen"], true);
    let (code, json) = desk.run(&format!("unfreeze --vault v {}", keys("bob")));
    assert_eq!((code, &json["in_force"]), (3, &Value::from(false)), "{json}");
    let json = desk.ok(&format!("unfreeze --vault v {}", keys("carol")));
    assert_eq!((&json["in_force"], &json["witnessed"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(desk.ok("vault show v")["frozen"], false);
    let (code, _) = desk.run(&format!("unfreeze --vault v {}", keys("bob")));
    assert_eq!(code, 2, "it is not frozen");
    // An act is undone in the same way; who did it does not count.
    let act = desk.ok("policy tighten --vault v --person alice --review-key alice.review --set limits.tx_max_sat=5");
    let undo = format!("undo --vault v --act {}", act["act"].as_str().unwrap());
    for (person, expected) in [("alice", 3), ("bob", 3), ("carol", 0)] {
        let (code, json) = desk.run(&format!("{undo} {}", keys(person)));
        assert_eq!(code, expected, "{person}: {json}");
    }
}

#[test]
fn a_review_key_signs_for_vaults_that_its_owner_has_read() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    let key: Value = serde_json::from_str(&desk.text("alice.review")).unwrap();
    assert_eq!(key["vaults"].as_array().unwrap().len(), 1);
    let mut other = key;
    other["vaults"] = serde_json::json!(["00".repeat(32)]);
    desk.write("alice.review", other.to_string());
    let (code, json) = desk.run("freeze --vault v --person alice --review-key alice.review");
    assert_eq!((code, &json["error"]["at"]), (2, &Value::from("vaults")), "{json}");
}

#[test]
fn d27_by_hand() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    desk.ok("freeze --vault v --person carol --review-key carol.review");
    desk.stop("cosigner run");
    copy_dir(&desk.path("cos"), &desk.path("backup"));
    desk.cosigner();
    let act = desk.ok("roster revoke alice --vault v --person bob --review-key bob.review");
    assert_eq!(act["witnessed"], true);
    let lost = format!("v/acknowledged/{}.json", act["act"].as_str().unwrap());
    // The cosigner's disk and the mirror are gone.
    desk.stop("cosigner run");
    std::fs::remove_dir_all(desk.path("cos")).unwrap();
    std::fs::remove_dir_all(desk.path("v/log")).unwrap();
    std::fs::rename(desk.path("backup"), desk.path("cos")).unwrap();
    desk.cosigner();
    let (code, json) = desk.run("log sync --vault v");
    assert_eq!((code, &json["error"]["code"]), (3, &Value::from("WITNESS_QUORUM")), "{json}");
    let shown = desk.ok("witness show w1");
    let head = shown["logs"][0]["head"].as_str().unwrap();
    let (size, root) = head.split_once(':').unwrap();
    let (code, json) =
        desk.run(&format!("succession propose --vault v --old-head 1:{root} --out t.json"));
    assert_eq!(code, 2, "nothing is lost under that head: {json}");
    // One that names less than a witness has seen is refused by that witness.
    let less = size.parse::<u64>().unwrap() - 1;
    desk.ok(&format!("succession propose --vault v --old-head {less}:{root} --out t.json"));
    let (code, json) = desk.run("witness trust w1 --log t.json");
    assert_eq!((code, &json["error"]["code"]), (3, &Value::from("LOG_ROLLBACK")), "{json}");
    desk.ok(&format!("succession propose --vault v --old-head {head} --out s.json"));
    for person in ["alice", "bob"] {
        desk.ok(&format!("succession sign s.json {}", keys(person)));
    }
    let applied = desk.ok("succession apply s.json --vault v");
    assert_eq!(applied["witnessed"], false, "no operator has added the new log yet");
    for witness in ["w1", "w2", "w3", "w4"] {
        desk.ok(&format!("witness trust {witness} --log s.json"));
    }
    desk.ok("log sync --vault v");
    assert_eq!(desk.ok("vault show v")["succession"], "waits");
    // Whoever has a later entry hands it in; alice, revoked by it, counts no more.
    assert_eq!(desk.ok(&format!("succession hand-in {lost} --vault v"))["in_force"], true);
    desk.witnesses(13 * 3600);
    desk.ok("log sync --vault v");
    assert_eq!(desk.ok("vault show v")["succession"], "waits", "alice is not of the quorum");
    desk.ok("succession propose --vault v --out again.json");
    for person in ["bob", "carol"] {
        desk.ok(&format!("succession sign again.json {}", keys(person)));
    }
    assert_eq!(desk.ok("succession apply again.json --vault v")["witnessed"], true);
    desk.witnesses(26 * 3600);
    desk.ok("log sync --vault v");
    assert_eq!(desk.ok("vault show v")["succession"], "in force");
    assert_eq!(desk.ok("vault show v")["frozen"], true, "what the backup held stands");
    assert_eq!(desk.ok("log verify v --head v/head")["ok"], true);
    assert_eq!(desk.ok("log verify cos")["ok"], true);
    // The old log is cosigned no more, and trusted no more.
    let (code, _) = desk.run("witness trust w1 --log cos.pub");
    assert_eq!(code, 1);
}

#[test]
fn one_witness_is_replaced_at_a_head_that_both_sets_cosign() {
    let mut desk = Desk::new();
    desk.vault(&[], "");
    let key = desk.ok("witness init w5 --name w5.invalid --out w5.vkey");
    desk.ok("witness trust w5 --log cos.pub");
    let url = desk.stay("witness run w5 --listen 127.0.0.1:0");
    let old = desk.text("witnesses");
    let line = format!("witness w5 {} {url}", key["vkey"].as_str().unwrap());
    let one: Vec<String> = old
        .lines()
        .map(
            |l| if l.starts_with("witness w1 ") { line.clone() } else { l.replace(" w1 ", " w5 ") },
        )
        .collect();
    desk.write("next", one.join("\n"));
    // Two at once, or a weaker quorum, is no such change.
    desk.write("weaker", one.join("\n").replace("group g 3", "group g 4"));
    let (code, json) = desk.run("policy propose --vault v --witness-policy weaker --out x.json");
    assert_eq!((code, &json["error"]["code"]), (3, &Value::from("WITNESS_QUORUM")), "{json}");
    desk.ok("policy propose --vault v --witness-policy next --out c.json");
    for person in ["alice", "bob"] {
        desk.ok(&format!("change sign c.json {} --vault v", keys(person)));
    }
    desk.ok("change apply c.json --vault v");
    desk.ok("log sync --vault v");
    let names = |desk: &Desk| desk.ok("vault show v")["witnesses"].to_string();
    assert!(names(&desk).contains("w1"), "it waits its delay");
    // Days later: the old ones and the new one run on.
    let all = format!("{old}\n{line}");
    desk.write("witnesses", all);
    desk.witnesses(10 * 86_400);
    desk.ok("log sync --vault v");
    desk.ok("log sync --vault v");
    assert!(!names(&desk).contains("w1") && names(&desk).contains("w5"), "{}", names(&desk));
    // From now on the old one is not needed, and the new one counts.
    desk.stop("witness run w1");
    desk.stop("witness run w2");
    let json = desk.ok("freeze --vault v --person alice --review-key alice.review");
    assert_eq!(json["witnessed"], true);
    desk.stop("cosigner run");
    desk.cosigner();
    desk.ok("log sync --vault v");
    assert_eq!(desk.ok("log verify v --head v/head")["ok"], true);
}
