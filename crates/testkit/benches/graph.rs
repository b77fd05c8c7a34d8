//! The graph's speeds as ratios, in one run on the same files: `cargo bench -p testkit --bench graph`.
//! `COUNTERSIGN_BENCH_CHAIN` names a folder of block files to take instead of a chain of 5 million outputs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench that meets the unexpected has failed"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use bitcoin::consensus::Decodable as _;
use trace::labels::Attribution;
use trace::taint::{Direction, Method, Query};

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return; // `cargo test --benches` only asks whether it builds
    }
    let dir = std::env::temp_dir().join("countersign-bench-graph");
    let _ = std::fs::remove_dir_all(&dir);
    let blocks =
        std::env::var_os("COUNTERSIGN_BENCH_CHAIN").map_or_else(|| generate(&dir), PathBuf::from);
    let files = block_files(&blocks);
    let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
    let megabytes = bytes as f64 / 1e6;
    let decode = decode(&files);
    println!(
        "decode and txid, one thread      {:>8.1} s {:>8.0} MB/s   1.00",
        decode,
        megabytes / decode
    );
    let graph = dir.join("graph");
    let build = build(&blocks, &graph);
    println!(
        "graph build, everything, two     {:>8.1} s {:>8.0} MB/s {:>6.2}   (at least 0.50)",
        build,
        megabytes / build,
        decode / build
    );
    haircut(&graph);
    let _ = std::fs::remove_dir_all(&dir);
}

/// Everything that the first blocks made, followed to the end: most of the chain is tainted by it.
fn haircut(dir: &Path) {
    let graph = chaingraph::Graph::open(dir).unwrap();
    let last = graph.counts().outputs / 50;
    let sources = (0..last).map(chaingraph::OutputNum).collect();
    let mut query = Query::new(Direction::Forward, Method::Haircut, sources);
    query.edges_max = 0;
    query.through_mixers = true;
    let none = Attribution::default();
    let mut rates = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        let found = trace::taint::trace(&graph, &none, &query, &mut |_, _| {}).unwrap();
        rates.push(found.outputs as f64 / started.elapsed().as_secs_f64() / 1e6);
        println!(
            "haircut, {:>5.1} of {:>5.1} million outputs tainted {:>6.2} million outputs/s",
            found.outputs as f64 / 1e6,
            graph.counts().outputs as f64 / 1e6,
            rates.last().unwrap()
        );
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "haircut, median                                   {:>6.2} million outputs/s   (at least 1)",
        rates[1]
    );
}

fn generate(dir: &Path) -> PathBuf {
    let out = dir.join("chain");
    let plan = testkit::chaingen::Plan { blocks: 1_000, txs: 1_750_000, seed: 1, out: out.clone() };
    testkit::chaingen::generate(&plan, &mut |_| {}).unwrap();
    out
}

fn block_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
        .collect();
    files.sort();
    files
}

/// The peer: the `bitcoin` crate reads each block and computes each txid. Reading the files once before warms them.
fn decode(files: &[PathBuf]) -> f64 {
    for file in files {
        std::hint::black_box(std::fs::read(file).unwrap());
    }
    let started = Instant::now();
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        let mut rest = &bytes[..];
        while rest.len() > 8 {
            rest = &rest[8..];
            let block = bitcoin::Block::consensus_decode(&mut rest).unwrap();
            for tx in &block.txdata {
                std::hint::black_box(tx.compute_txid());
            }
        }
    }
    started.elapsed().as_secs_f64()
}

fn build(blocks: &Path, out: &Path) -> f64 {
    let options = chaingraph::Options {
        blocks: blocks.to_owned(),
        out: out.to_owned(),
        until: None,
        bad: chaingraph::source::Bad::Refuse,
        seal_outputs: chaingraph::SEAL_OUTPUTS,
    };
    let started = Instant::now();
    chaingraph::build(&options, &mut |_| {}, &mut trace::cluster::build).unwrap();
    started.elapsed().as_secs_f64()
}
