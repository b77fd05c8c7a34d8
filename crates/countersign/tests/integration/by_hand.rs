//! A whole withdrawal by hand, as `docs/cli.md` tells it, on a real node: with holders' keys in files,
//! and with holders who sign in Bitcoin Core's own wallet.

use serde_json::Value;
use testkit::node::Node;

use crate::command::{Desk, has};

const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// A node with a wallet that has mined, and a vault with 13 BTC in it.
fn funded(desk: &mut Desk, options: &str) -> Option<(Node, String)> {
    let node = Node::start()?;
    node.rpc(&["createwallet", "miner"]);
    node.rpc(&["-generate", "110"]);
    let payee = node.rpc(&["getnewaddress"]);
    desk.vault(&[format!("{payee}=usual")], options);
    let address = desk.ok("vault address v")["address"].as_str().unwrap().to_owned();
    node.rpc(&["sendtoaddress", &address, "10"]);
    node.rpc(&["sendtoaddress", &address, "3"]);
    node.rpc(&["-generate", "1"]);
    let synced = desk.ok(&format!("coins sync --vault v --node {}", node.url()));
    assert_eq!(synced["total_sat"], 1_300_000_000u64);
    Some((node, payee))
}

#[test]
fn from_vault_new_to_verify() {
    let mut desk = Desk::new();
    let Some((node, payee)) = funded(&mut desk, "") else { return };
    desk.ok(&format!("request new --vault v --to {payee}=200000000=inv-1 --max-fee-sat 20000 --expires {EXPIRES} --key req.key --out i.json"));
    desk.ok("psbt build --vault v --intent i.json --out p.psbt");
    let (code, verdict) = desk.run("check --vault v --intent i.json --psbt p.psbt");
    assert_eq!((code, &verdict["verdict"]), (3, &Value::from("require_approval")));
    assert_eq!(verdict["missing"][0]["need"], 2);
    let review = desk.ok("review --vault v --intent i.json --psbt p.psbt");
    assert_eq!(
        review["spend_digest"], verdict["summary"]["spend_digest"],
        "two decoders, one digest"
    );
    assert_eq!(review["phrase"].as_str().unwrap().split(' ').count(), 12);
    desk.approve("p.psbt", "ap");
    let allowed = desk.ok("check --vault v --intent i.json --psbt p.psbt --approvals ap");
    assert_eq!(allowed["verdict"], "allow");
    desk.ok("sign --vault v --psbt p.psbt --key ha.json --out pa.psbt");
    desk.ok("sign --vault v --psbt pa.psbt --key hb.json --out pab.psbt");
    // Before the cosigner nothing is complete.
    let (code, _) = desk.run("finalize --vault v --psbt pab.psbt --out t0.hex --receipt r0.json");
    assert_eq!(code, 3);
    assert!(!has(&desk.path("t0.hex")));
    desk.ok("release --vault v --intent i.json --psbt pab.psbt --approvals ap --out c.psbt");
    desk.ok(&format!(
        "finalize --vault v --psbt c.psbt --broadcast --node {} --out t.hex --receipt r.json",
        node.url()
    ));
    assert_eq!(node.rpc(&["getmempoolinfo"]).matches("\"size\": 1").count(), 1);
    verify(&desk);
    // The same request again gives the same signature; nothing is counted or overwritten.
    desk.ok("release --vault v --intent i.json --psbt pab.psbt --approvals ap --out c2.psbt");
    assert_eq!(desk.text("c.psbt"), desk.text("c2.psbt"));
    let (code, _) =
        desk.run("release --vault v --intent i.json --psbt pab.psbt --approvals ap --out c2.psbt");
    assert_eq!(code, 1, "nothing is overwritten without --force");
    bump(&desk, &node);
    freeze(&desk);
}

fn verify(desk: &Desk) {
    let id = desk.ok("vault show v")["vault_id"].as_str().unwrap().to_owned();
    let (code, json) = desk.run("verify r.json");
    assert_eq!((code, &json["code"]), (3, &Value::from("NOT_ANCHORED")));
    let json = desk.ok(&format!("verify r.json --vault-id {id}"));
    assert_eq!(json["verified"], true);
    assert_eq!(json["approvers"], serde_json::json!(["alice", "bob"]));
    let receipt: Value = serde_json::from_str(&desk.text("r.json")).unwrap();
    let trace = receipt["decision"].as_array().unwrap();
    let told = |code: &str| trace.iter().find(|c| c["code"] == code).unwrap()["actual"].clone();
    assert_eq!(told("TX_LIMIT"), 200_000_000u64);
    assert_eq!(told("QUORUM_NOT_MET"), 2);
    let (code, json) = desk.run(&format!("verify r.json --vault-id {}", "0".repeat(64)));
    assert_eq!((code, &json["code"]), (3, &Value::from("NOT_ANCHORED")), "d08");
    // Every member of the receipt counts: a changed character is never verified.
    let receipt: Value = serde_json::from_str(&desk.text("r.json")).unwrap();
    for (member, value) in [
        ("tx", Value::from(receipt["tx"].as_str().unwrap().replacen("ff", "fe", 1))),
        ("approvals", Value::from(vec![receipt["approvals"][0].clone()])),
        (
            "prevouts",
            serde_json::json!([{"amount_sat": 1, "script": receipt["prevouts"][0]["script"]}]),
        ),
        ("consistency", serde_json::json!(["00".repeat(32)])),
        ("reservation", {
            let mut far = receipt["reservation"].clone();
            far["entry"] = Value::from(u64::MAX);
            far
        }),
        ("decision", {
            let mut trace = receipt["decision"].clone();
            trace[0]["actual"] = Value::from(1);
            trace
        }),
        ("change", serde_json::json!([])),
    ] {
        let mut forged = receipt.clone();
        forged[member] = value;
        desk.write("forged.json", forged.to_string());
        let (code, json) = desk.run(&format!("verify forged.json --vault-id {id}"));
        assert!(code == 2 || code == 3, "{member}: {json}");
    }
    assert_eq!(desk.ok("log verify v")["ok"], true);
    assert_eq!(desk.ok("log verify cos --head v/head")["ok"], true);
}

fn bump(desk: &Desk, node: &Node) {
    desk.ok("psbt bump --vault v --psbt p.psbt --fee-rate 20 --out b.psbt");
    desk.approve("b.psbt", "ap2");
    desk.ok("sign --vault v --psbt b.psbt --key ha.json --out ba.psbt");
    desk.ok("sign --vault v --psbt ba.psbt --key hc.json --out bac.psbt");
    desk.ok("release --vault v --intent i.json --psbt bac.psbt --approvals ap2 --out bc.psbt");
    desk.ok(&format!(
        "finalize --vault v --psbt bc.psbt --broadcast --node {} --out bt.hex --receipt br.json",
        node.url()
    ));
    let raw = desk.text("bt.hex");
    let txid = node.rpc(&["decoderawtransaction", &raw]);
    let txid: Value = serde_json::from_str(&txid).unwrap();
    let pool = node.rpc(&["getrawmempool"]);
    assert!(pool.contains(txid["txid"].as_str().unwrap()), "the bump replaced the payment");
    node.rpc(&["-generate", "1"]);
}

fn freeze(desk: &Desk) {
    let json = desk.ok("freeze --vault v --person carol --review-key carol.review");
    assert_eq!((json["in_force"].as_bool(), json["witnessed"].as_bool()), (Some(true), Some(true)));
    desk.ok("unfreeze --vault v --out unfreeze.json");
    let (code, json) = desk.run("change apply unfreeze.json --vault v");
    assert_eq!((code, &json["violations"][0]["code"]), (3, &Value::from("QUORUM_NOT_MET")));
    for person in ["alice", "bob"] {
        desk.ok(&format!("change sign unfreeze.json --person {person} --review-key {person}.review --passkey {person}.passkey"));
    }
    desk.ok("change apply unfreeze.json --vault v");
    assert_eq!(desk.ok("vault show v")["frozen"], false);
}

#[test]
fn holders_sign_in_bitcoin_cores_wallet() {
    let mut desk = Desk::new();
    let Some((node, payee)) = funded(&mut desk, " --template warm-nested") else { return };
    let shown = desk.ok("vault show v");
    // Each holder's wallet gets the vault's descriptor with that holder's own private key in it.
    for (holder, wallet) in [("ha", "holder-a"), ("hb", "holder-b")] {
        node.rpc(&["createwallet", wallet, "false", "true"]);
        let file: Value = serde_json::from_str(&desk.text(&format!("{holder}.json"))).unwrap();
        let (public, private) = account(&file);
        let mut imports = Vec::new();
        for import in shown["importdescriptors"].as_array().unwrap() {
            let text = import["desc"].as_str().unwrap().split('#').next().unwrap();
            assert!(text.contains(&public), "{text} has {public}");
            let text = text.replace(&public, &private);
            let info: Value =
                serde_json::from_str(&node.rpc(&["getdescriptorinfo", &text])).unwrap();
            let desc = format!("{text}#{}", info["checksum"].as_str().unwrap());
            imports.push(serde_json::json!({
                "desc": desc, "active": true, "internal": import["internal"], "timestamp": 0, "range": [0, 99],
            }));
        }
        let result = node.rpc(&[
            &format!("-rpcwallet={wallet}"),
            "importdescriptors",
            &Value::from(imports).to_string(),
        ]);
        assert!(!result.contains("\"success\": false"), "{result}");
    }
    desk.ok(&format!("request new --vault v --to {payee}=200000000=inv-1 --max-fee-sat 40000 --expires {EXPIRES} --key req.key --out i.json"));
    desk.ok("psbt build --vault v --intent i.json --out p.psbt");
    core_signed(&desk, &node, "p", "ap");
    // A replacement made by the wallet's own `psbtbumpfee`: its change is the vault's, so it is judged
    // like any other.
    let txid = desk.ok(&format!(
        "finalize --vault v --psbt pc.psbt --broadcast --node {} --out pt.hex --receipt pr.json",
        node.url()
    ))["txid"]
        .as_str()
        .unwrap()
        .to_owned();
    let bumped = node.rpc(&["-rpcwallet=holder-a", "psbtbumpfee", &txid, "{\"fee_rate\": 30}"]);
    let bumped: Value = serde_json::from_str(&bumped).unwrap();
    desk.write("b.psbt", strip_signatures(bumped["psbt"].as_str().unwrap()));
    core_signed(&desk, &node, "b", "ap2");
    desk.ok(&format!(
        "finalize --vault v --psbt bc.psbt --broadcast --node {} --out bt.hex --receipt br.json",
        node.url()
    ));
    node.rpc(&["-rpcwallet=miner", "-generate", "1"]);
    let id = shown["vault_id"].as_str().unwrap();
    assert_eq!(desk.ok(&format!("verify br.json --vault-id {id}"))["verified"], true);
}

/// A PSBT without what a wallet signed already: approvers see it first.
fn strip_signatures(text: &str) -> Vec<u8> {
    let bytes = withdrawal_binary(text.as_bytes());
    let mut psbt = bitcoin::Psbt::deserialize(&bytes).unwrap();
    psbt.inputs.iter_mut().for_each(|i| i.partial_sigs.clear());
    psbt.serialize()
}

fn withdrawal_binary(bytes: &[u8]) -> Vec<u8> {
    withdrawal::psbt::to_binary(bytes).unwrap()
}

/// Public and private form of a holder's account, as a descriptor spells them.
fn account(file: &Value) -> (String, String) {
    let seed: [u8; 32] =
        withdrawal::digest::unhex(file["secret"].as_str().unwrap()).unwrap().try_into().unwrap();
    let key = withdrawal::sign::AccountKey::from_seed(
        &zeroize::Zeroizing::new(seed),
        withdrawal::network::Network::Regtest,
    )
    .unwrap();
    let spell = |text: &str| {
        let (origin, key) = text.split_once(']').unwrap();
        format!("{}]{key}", origin.replace('h', "'"))
    };
    (spell(&key.public()), spell(&key.private()))
}

/// Approved by two people, released, then signed by two Core wallets, each for itself.
fn core_signed(desk: &Desk, node: &Node, name: &str, approvals: &str) {
    desk.approve(&format!("{name}.psbt"), approvals);
    let mut text =
        base64_of(&withdrawal_binary(&std::fs::read(desk.path(&format!("{name}.psbt"))).unwrap()));
    for wallet in ["holder-a", "holder-b"] {
        let signed = node.rpc(&[
            &format!("-rpcwallet={wallet}"),
            "walletprocesspsbt",
            &text,
            "true",
            "ALL",
            "true",
            "false",
        ]);
        let signed: Value = serde_json::from_str(&signed).unwrap();
        assert_eq!(signed["complete"], false, "holders alone never finish");
        text = signed["psbt"].as_str().unwrap().to_owned();
    }
    desk.write(&format!("{name}s.psbt"), &text);
    desk.ok(&format!("release --vault v --intent i.json --psbt {name}s.psbt --approvals {approvals} --out {name}c.psbt"));
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(bytes)
}
