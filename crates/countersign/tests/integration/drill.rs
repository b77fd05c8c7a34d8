//! The drill, as a program reads it; on a node, with the honest transactions mined.

use crate::command::{Desk, has};

fn holds(json: &serde_json::Value) {
    assert_eq!(json["ok"], true, "{json}");
    assert_eq!(json["without"]["lost_sat"], 450_290_000_000u64);
    assert_eq!(json["without"]["signatures_valid"], 18);
    for attack in json["attacks"].as_array().unwrap() {
        assert_eq!(attack["refused"], true, "{attack}");
        assert_eq!(attack["signatures"], 0, "{attack}");
        let expected = &attack["expected"];
        assert!(attack["codes"].as_array().unwrap().contains(expected), "{attack}");
    }
    assert_eq!(json["theft"]["refused"], true);
}

#[test]
fn refuses_the_theft_and_writes_its_report() {
    let desk = Desk::new();
    let json = desk.ok("drill --scenario dmm-2024 --out report");
    holds(&json);
    let page = desk.text("report/report.html");
    for part in [
        "<mark>",
        "1B6rJ",
        "@page",
        "prefers-color-scheme",
        "organisational",
        "not covered",
        "assumption",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["src=", "href=", "url("] {
        assert!(!page.contains(outside), "self-contained: {outside}");
    }
    assert!(has(&desk.path("report/receipt.json")));
    let (code, _) = desk.run("verify report/receipt.json");
    assert_eq!(code, 3, "not anchored");
    let (code, _) = desk.run("drill --scenario other");
    assert_eq!(code, 2);
    let json = desk.ok("drill --attack A18");
    assert_eq!(json["attacks"].as_array().unwrap().len(), 1);
    let (code, _) = desk.run("drill --attack A99");
    assert_eq!(code, 2);
}

#[test]
fn runs_on_a_real_node() {
    let Some(node) = testkit::node::Node::start() else { return };
    let desk = Desk::new();
    holds(&desk.ok(&format!("drill --node {}", node.url())));
    // Two honest transactions were mined: the bump and the planned move.
    let blocks: u32 = node.rpc(&["getblockcount"]).parse().unwrap();
    assert!(blocks >= 253, "{blocks}");
}
