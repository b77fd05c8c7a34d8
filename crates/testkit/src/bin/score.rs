//! Prints how right the claims are. Build first: `cargo build --release`, then `cargo run -p testkit --release --bin score`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement that meets the unexpected has failed"
)]

use std::path::Path;
use std::process::Command;

use chaingraph::Graph;
use testkit::bench::temp_dir;
use testkit::chaingen::{Plan, generate};
use testkit::score::{Matrix, Score, change, clusters, emulated, labelled, mixes, owners};

fn main() {
    let exe = std::env::current_exe().unwrap().with_file_name("countersign");
    assert!(exe.exists(), "build the command line first: cargo build --release");
    let dir = temp_dir("score");
    if let Some(matrix) = labelled(&exe) {
        println!("labelled transactions of the main network");
        print_matrix(&matrix, &["whirlpool", "wasabi1", "wasabi2", "tx0"]);
    }
    if let Some(owner) = emulated(&dir.join("emulated.dat")) {
        build(&exe, &dir.join("emulated.dat"), &dir.join("emulated"));
        let graph = Graph::open(&dir.join("emulated")).unwrap();
        let of = |s| owner.get(&graph.packed(s).unwrap().script()).copied();
        println!("\nemulated Wasabi 2 chain");
        print_clusters(&clusters(&graph, &of));
    }
    let plan = Plan { blocks: 2_600, txs: 1_000_000, seed: 1, out: dir.join("chain") };
    generate(&plan, &mut |_| {}).unwrap();
    build(&exe, &plan.out, &dir.join("graph"));
    let graph = Graph::open(&dir.join("graph")).unwrap();
    let owner = owners(&plan.out.join("truth"));
    println!("\ngenerated chain of a million transactions, seed 1");
    let of = |s: chaingraph::ScriptNum| owner.get(s.idx()).copied();
    print_clusters(&clusters(&graph, &of));
    let (links, right) = change(&graph, &of);
    println!("  change: {right} of {links} links go back to the payer");
    let matrix = mixes(&exe, &dir.join("graph"), &plan.out.join("truth"));
    print_matrix(&matrix, &["whirlpool", "wasabi1", "wasabi2", "joinmarket"]);
    let _ = std::fs::remove_dir_all(dir);
}

fn build(exe: &Path, blocks: &Path, out: &Path) {
    let status = Command::new(exe)
        .args([
            "graph".as_ref(),
            "build".as_ref(),
            "--blocks".as_ref(),
            blocks.as_os_str(),
            "--out".as_ref(),
            out.as_os_str(),
        ])
        .status()
        .unwrap();
    assert!(status.success());
}

fn print_matrix(matrix: &Matrix, classes: &[&str]) {
    for ((label, found), n) in matrix {
        println!("  {label:>16} called {found:<12} {n:>7}");
    }
    for class in classes {
        let score = Score::of(matrix, class);
        println!(
            "  {class:>16} recall {:.4} precision {:.4} ({} right, {} missed, {} wrong)",
            score.recall(),
            score.precision(),
            score.right,
            score.missed,
            score.wrong
        );
    }
}

fn print_clusters(score: &testkit::score::Clusters) {
    println!(
        "  clusters: precision {:.6} ({} of {} pairs), recall {:.4} of what joining by inputs can give ({} pairs)",
        score.precision(),
        score.right,
        score.joined,
        score.recall(),
        score.possible
    );
}
