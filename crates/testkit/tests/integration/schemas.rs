//! The examples beside the schemas are true: each is read by the parser that it documents, and has the
//! members that its schema asks for.

use std::path::Path;

use serde_json::Value;
use testkit::schema::fits;
use withdrawal::approval::Approval;
use withdrawal::intent::Intent;
use withdrawal::receipt::Receipt;

fn file(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    std::fs::read(root.join(name)).unwrap()
}

#[test]
fn examples_are_true() {
    for name in ["intent", "intent-payload", "approval", "receipt", "coins", "facts", "coinjoin"] {
        let schema: Value = serde_json::from_slice(&file(&format!("{name}.json"))).unwrap();
        let example: Value =
            serde_json::from_slice(&file(&format!("examples/{name}.json"))).unwrap();
        fits(&schema, &example, name);
    }
    for (name, schema) in [
        ("review-key", "key"),
        ("request-key", "key"),
        ("holder-key", "key"),
        ("passkey", "key"),
        ("enrolment", "object"),
        ("cosigner", "cosigner"),
    ] {
        let schema: Value = serde_json::from_slice(&file(&format!("{schema}.json"))).unwrap();
        let example: Value =
            serde_json::from_slice(&file(&format!("examples/{name}.json"))).unwrap();
        fits(&schema, &example, name);
    }
    let intent = Intent::parse(&file("examples/intent.json")).unwrap();
    let approval = Approval::parse(&file("examples/approval.json")).unwrap();
    let receipt = Receipt::parse(&file("examples/receipt.json")).unwrap();
    let verified = receipt.verify().unwrap();
    assert_eq!(verified.intent.digest(), intent.digest(), "the examples are of one withdrawal");
    assert_eq!(approval.vault_id, verified.vault.id);
    let coins = coordinator::coins::Coins::parse(&file("examples/coins.json"), "example").unwrap();
    assert_eq!(coins.coins.len(), 2);
}
