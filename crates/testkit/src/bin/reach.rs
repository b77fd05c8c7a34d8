//! Times reach and clustering on a graph, for `bench/peers/peers.py`: `reach GRAPH RUNS` prints JSON.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement that meets the unexpected has failed"
)]

use std::path::Path;
use std::time::Instant;

use chaingraph::{Graph, TxNum};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let graph = Graph::open(Path::new(&args[1])).unwrap();
    let runs: usize = args[2].parse().unwrap();
    // A transaction of the first tenth that reaches much.
    let tenth = u32::try_from(graph.counts().txs / 10).unwrap();
    let source =
        (0..20).map(|n| TxNum(n * tenth / 20)).max_by_key(|tx| trace::taint::reach(&graph, &[*tx]));
    let source = source.unwrap();
    let reached = trace::taint::reach(&graph, &[source]);
    let reach_s = median(runs, || trace::taint::reach(&graph, &[source]));
    let cluster_s = median(runs, || trace::cluster::build(&graph, &mut |_, _| {}));
    let lists = trace::cluster::lists(&graph);
    let join_s = median(runs, || trace::cluster::join(&graph, &lists));
    let json = serde_json::json!({
        "txs": graph.counts().txs, "scripts": graph.counts().scripts, "source": source.0, "reached": reached,
        "reach_s": reach_s, "cluster_s": cluster_s, "join_s": join_s,
    });
    println!("{json}");
}

fn median<T>(runs: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            drop(std::hint::black_box(work()));
            started.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}
