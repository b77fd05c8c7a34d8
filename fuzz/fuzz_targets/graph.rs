//! A graph whose columns were altered: opening and every question end, and none panics. (That damage is noticed is
//! `verify`'s business, which compares checksums.)
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use chaingraph::columns::Column;
use chaingraph::{BlockNum, Graph, InputNum, OutputNum, ScriptNum};
use libfuzzer_sys::fuzz_target;

/// A graph of a few blocks of the main network, made once.
fn good() -> &'static Path {
    static DIR: OnceLock<std::path::PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("fuzz-graph-{}", std::process::id()));
        let blocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/block");
        let options = chaingraph::Options {
            blocks,
            out: dir.clone(),
            until: None,
            bad: chaingraph::source::Bad::Skip,
            seal_outputs: chaingraph::SEAL_OUTPUTS,
        };
        chaingraph::build(&options, &mut |_| {}, &mut trace::cluster::build).expect("seeds are blocks");
        dir
    })
}

fuzz_target!(|data: &[u8]| {
    let mut undo = Vec::new();
    for edit in data.chunks_exact(5).take(16) {
        let column = Column::ALL[usize::from(edit[0]) % Column::ALL.len()];
        let path = column.path(good());
        let mut bytes = std::fs::read(&path).expect("made above");
        undo.push((path.clone(), bytes.clone()));
        if bytes.is_empty() {
            continue;
        }
        let at = (usize::from(edit[1]) << 16 | usize::from(edit[2]) << 8 | usize::from(edit[3])) % bytes.len();
        bytes[at] ^= edit[4];
        std::fs::write(&path, bytes).expect("made above");
    }
    if let Ok(graph) = Graph::open(good()) {
        ask(&graph);
    }
    for (path, bytes) in undo.into_iter().rev() {
        std::fs::write(path, bytes).expect("made above");
    }
});

fn ask(graph: &Graph) {
    for tx in graph.txs().take(300) {
        let _ = (graph.block_of(tx), graph.traits(tx), graph.is_coinbase(tx));
        let _ = graph.find_txs(&graph.txid(tx));
        for output in graph.outputs_of(tx).take(50) {
            let _ = (graph.value(output), graph.spender(output), graph.script_of(output), graph.tx_of(output));
        }
        for prevout in graph.prevouts(tx).take(50) {
            let _ = (graph.prevout_value(prevout), graph.prevout_script(prevout));
        }
        let _ = trace::change::Finder::new(graph).of(tx);
    }
    for n in 0..300 {
        let script = ScriptNum(n);
        let _ = (graph.cluster(script), graph.packed(script), trace::cluster::why(graph, script, ScriptNum(n / 2)));
        let _ = (graph.data(&mut Default::default(), OutputNum(u64::from(n))), graph.tx_of_input(InputNum(u64::from(n))), graph.block(BlockNum(n)));
    }
    let _ = graph.reveals().take(100).count();
    let query = trace::taint::Query::new(
        trace::taint::Direction::Forward,
        trace::taint::Method::Fifo,
        (0..20).map(OutputNum).collect(),
    );
    let _ = trace::taint::trace(graph, &trace::labels::Attribution::default(), &query, &mut |_, _| {});
}
