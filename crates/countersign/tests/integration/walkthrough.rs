//! `docs/cli.md`, run as it is written: only ports and directories are a test's own.

use std::process::Command;

use testkit::node::{bitcoind, free_port};

use crate::command::{Desk, EXE};

const GUIDE: &str = include_str!("../../../../docs/cli.md");
const POLICY: &str = include_str!("../../../../docs/policy.md");

/// Shell blocks of the guide, without those that need what only a disaster leaves.
fn blocks() -> String {
    let mut script = String::new();
    for section in GUIDE.split("\n## ").filter(|s| !s.starts_with("When the log is lost")) {
        for block in section.split("```sh\n").skip(1) {
            script.push_str(block.split("```").next().unwrap());
        }
    }
    script
}

#[test]
fn the_guide_works_as_it_is_written() {
    let Some(node) = bitcoind() else { return };
    let desk = Desk::new();
    let policy = POLICY.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    desk.write("new.toml", policy.replace("version = 1", "version = 2"));
    let trial = desk.path("trial");
    let (rpc, first) = (free_port(), free_port());
    let second = free_port();
    let build = blocks();
    let (build, rest) = build.split_once('\n').unwrap();
    assert!(build.starts_with("cargo build --release"), "{build}");
    let rest = rest
        .replace("/tmp/trial", &trial.display().to_string())
        .replace("bitcoind -regtest", &format!("bitcoind -regtest -listen=0 -rpcport={rpc}"))
        .replace("bitcoin-cli -regtest", &format!("bitcoin-cli -regtest -rpcport={rpc}"))
        .replace("18443", &rpc.to_string())
        .replace("127.0.0.1:1811$w", "127.0.0.1:$((w == 1 ? FIRST : SECOND))")
        .replace("--policy new.toml", "--policy ../new.toml");
    assert!(rest.contains("FIRST"), "the guide's witnesses listen elsewhere");
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = [EXE, node.to_str().unwrap()].map(|p| p.rsplit_once('/').unwrap().0.to_owned());
    let output = Command::new("bash")
        .args(["-c", &rest])
        .current_dir(&desk.dir)
        .env("PATH", format!("{}:{}:{path}", dirs[0], dirs[1]))
        .env("FIRST", first.to_string())
        .env("SECOND", second.to_string())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    for expected in [
        "verdict: require_approval",
        "verdict: allow",
        "NOT ANCHORED",
        "VERIFIED: ",
        "in force, witnessed: unfreeze the vault",
        "a new policy, version 2",
        "COSIGNER_BYPASS",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    // Not "final": that is one of the words that digests are told in.
    assert_eq!(text.matches(", handed to the node").count(), 2, "payment and replacement\n{text}");
    for fault in ["error:", "command not found", "No such file", "countersign: "] {
        assert!(!text.contains(fault), "{fault} in\n{text}");
    }
}
