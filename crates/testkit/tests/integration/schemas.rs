//! The examples beside the schemas are true: each is read by the parser that it documents, and has the
//! members that its schema asks for.

use std::path::Path;

use serde_json::Value;
use withdrawal::approval::Approval;
use withdrawal::intent::Intent;
use withdrawal::receipt::Receipt;

fn file(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    std::fs::read(root.join(name)).unwrap()
}

/// Checks types, required and additional members as far as our schemas use them.
fn fits(schema: &Value, value: &Value, at: &str) {
    if let Some(any) = schema["anyOf"].as_array() {
        return fits(&any[usize::from(value.is_null())], value, at);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let members = value.as_object().unwrap_or_else(|| panic!("{at}: no object"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at}: {name} is missing");
            }
            for (name, value) in members {
                match &schema["properties"][name] {
                    Value::Null => assert_ne!(schema["additionalProperties"], false, "{at}.{name}"),
                    inner => fits(inner, value, &format!("{at}.{name}")),
                }
            }
        }
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at}: no array")) {
                fits(&schema["items"], item, at);
            }
        }
        Some("string") => assert!(value.is_string(), "{at}"),
        Some("integer") => assert!(value.is_u64(), "{at}"),
        _ => {}
    }
}

#[test]
fn examples_are_true() {
    for name in ["intent", "intent-payload", "approval", "receipt", "coins", "facts"] {
        let schema: Value = serde_json::from_slice(&file(&format!("{name}.json"))).unwrap();
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
