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
    risk(&graph);
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

/// Lookups of the risk of scripts at random, by their bytes, with a label on every ten-thousandth script.
fn risk(dir: &Path) {
    let graph = chaingraph::Graph::open(dir).unwrap();
    let scripts = u32::try_from(graph.counts().scripts).unwrap();
    let label = |n: u32| trace::labels::Label {
        address: String::new(),
        label: format!("label {n}"),
        kind: if n.is_multiple_of(20_000) {
            trace::labels::Kind::Sanctioned
        } else {
            trace::labels::Kind::Exchange
        },
        source: "bench".to_owned(),
        source_sha256: String::new(),
        confidence: 0.9,
        date: String::new(),
        abuse: String::new(),
    };
    let labels = (0..scripts).step_by(10_000).map(|n| (chaingraph::ScriptNum(n), label(n)));
    let attribution = Attribution::new(&graph, labels.collect());
    let started = Instant::now();
    let index = trace::risk::Index::new(&graph, &attribution, &mut |_, _| {}).unwrap();
    println!(
        "risk, {} labels followed in {:.1} s",
        attribution.labels().len(),
        started.elapsed().as_secs_f64()
    );
    let mut rng = testkit::chaingen::rng::Rng::new(1);
    let asked: Vec<Vec<u8>> = (0..300_000)
        .map(|_| {
            let number = u32::try_from(rng.below(u64::from(scripts))).unwrap();
            graph.packed(chaingraph::ScriptNum(number)).unwrap().script()
        })
        .collect();
    let mut nanos: Vec<u128> = Vec::with_capacity(asked.len());
    for script in &asked {
        let started = Instant::now();
        std::hint::black_box(index.of_script(script));
        nanos.push(started.elapsed().as_nanos());
    }
    nanos.sort_unstable();
    let at = |share: usize| nanos[nanos.len() * share / 1000] as f64 / 1e3;
    println!("risk, one script: median {:.2} us, p99 {:.2} us   (p99 at most 5)", at(500), at(990));
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
