//! Writes the examples beside the schemas anew, from one real withdrawal:
//! `cargo run -p testkit --bin make-examples`. Needed when a format changes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a tool for developers: what it does not expect is a defect"
)]

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use testkit::bench::Bench;

fn main() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas/examples");
    let write = |name: &str, value: &Value| {
        let mut text = serde_json::to_string_pretty(value).unwrap();
        text.push('\n');
        std::fs::write(dir.join(name), text).unwrap();
    };
    let mut bench = Bench::new();
    let ready = bench.payment(200_000_000);
    let signed = bench.release(&ready).unwrap();
    let receipt = bench.receipt(&ready, &signed);
    receipt.verify().unwrap();
    let intent: Value = serde_json::from_slice(&ready.intent).unwrap();
    let payload = BASE64_STANDARD.decode(intent["payload"].as_str().unwrap()).unwrap();
    write("intent.json", &intent);
    write("intent-payload.json", &serde_json::from_slice(&payload).unwrap());
    write("approval.json", &serde_json::from_slice(&ready.approvals[0].to_json()).unwrap());
    write("receipt.json", &serde_json::from_slice(&receipt.to_json()).unwrap());
    seeds(&mut bench, &ready);
}

/// Real files to begin fuzzing from, a few for each target.
fn seeds(bench: &mut Bench, ready: &testkit::bench::Ready) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        std::fs::create_dir_all(dir.join(target)).unwrap();
        std::fs::write(dir.join(target).join(name), bytes).unwrap();
    };
    for target in ["psbt", "reader", "differential"] {
        write(target, "payment", &ready.psbt);
    }
    write("intent", "payment", &ready.intent);
    write("assertion", "approval", &ready.approvals[0].to_json());
    write(
        "receipt",
        "payment",
        &std::fs::read(dir.join("../../docs/schemas/examples/receipt.json")).unwrap(),
    );
    let note = bench.head().unwrap();
    write("tlog", "head", &note);
    let doc = std::fs::read_to_string(dir.join("../../docs/policy.md")).unwrap();
    let policy = doc.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    write("policy", "warm", policy.trim_start().as_bytes());
    let entries = bench.entries();
    for (number, entry) in entries.iter().enumerate().skip(1) {
        write("entry", &format!("entry-{number}"), entry);
    }
    write("roster", "genesis", &entries[0]);
}
