//! Every byte against its checksum, and every row against the others.

use std::path::Path;

use crate::bits;
use crate::columns::{CHUNK, Column};
use crate::error::OpenError;
use crate::graph::Graph;
use crate::num::{InputNum, OutputNum, Prevout, ScriptNum, TxNum, index};
use crate::row::NONE;
use crate::script::read_data;

/// A finding: the column, and what is wrong in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The column's name.
    pub column: &'static str,
    /// What is wrong and where.
    pub what: String,
}

/// Checks a graph. No findings mean that every byte is what the build wrote and that the rows agree.
///
/// # Errors
/// The graph can't even be opened.
pub fn verify(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Finding>, OpenError> {
    let graph = Graph::open(dir)?;
    let mut findings = checksums(&graph)?;
    if findings.is_empty() {
        findings = rows(&graph, progress);
    }
    Ok(findings)
}

fn checksums(graph: &Graph) -> Result<Vec<Finding>, OpenError> {
    let found = crate::build::sums(graph.dir(), graph.manifest())?;
    let mut findings = Vec::new();
    for column in Column::ALL {
        let (wanted, found) = (graph.manifest().sums.get(column.name()), found.get(column.name()));
        let (wanted, found) = (wanted.map_or(&[][..], |v| v), found.map_or(&[][..], |v| v));
        if wanted.len() != found.len() {
            let what = "the manifest has not a checksum for each of its chunks".to_owned();
            findings.push(Finding { column: column.name(), what });
        }
        for (at, _) in wanted.iter().zip(found).enumerate().filter(|(_, (w, f))| w != f) {
            let start = at as u64 * CHUNK;
            let what = format!("bytes {start} to {} are not what was written", start + CHUNK);
            findings.push(Finding { column: column.name(), what });
        }
    }
    Ok(findings)
}

/// Rows against each other; stops at the first fault of each kind.
fn rows(graph: &Graph, progress: &mut dyn FnMut(u64, u64)) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note =
        |column: Column, what: String| findings.push(Finding { column: column.name(), what });
    for (runs, column) in [(graph.out_runs(), Column::OutRuns), (graph.in_runs(), Column::InRuns)] {
        if !runs.is_some_and(|r: bits::View<'_>| r.is_sound()) {
            note(column, "its counts are wrong".to_owned());
        }
    }
    if let Some(what) = blocks(graph) {
        note(Column::Blocks, what);
    }
    let total = graph.counts().txs;
    let mut spent = 0;
    for tx in graph.txs() {
        if tx.0 % (1 << 16) == 0 {
            progress(u64::from(tx.0), total);
        }
        match transaction(graph, tx) {
            Ok(n) => spent += n,
            Err((column, what)) => {
                note(column, format!("transaction {tx}: {what}"));
                break;
            }
        }
    }
    progress(total, total);
    if let Some(what) = spenders(graph, spent) {
        note(Column::Spender, what);
    }
    if let Some((column, what)) = scripts(graph) {
        note(column, what);
    }
    if let Some(what) = datas(graph) {
        note(Column::DataBytes, what);
    }
    findings
}

fn blocks(graph: &Graph) -> Option<String> {
    let mut last = None;
    for row in graph.blocks() {
        if let Some((txs, outputs)) = last
            && (row.before.txs <= txs || row.before.outputs <= outputs)
        {
            return Some(format!("block {} begins before the one before it", row.before.blocks));
        }
        last = Some((row.before.txs, row.before.outputs));
    }
    None
}

/// One transaction: its inputs spend earlier outputs, which name it as spender, and it pays no more than it spends;
/// its txid is found. Returns how many outputs it spends.
fn transaction(graph: &Graph, tx: TxNum) -> Result<u64, (Column, String)> {
    let outputs = graph.outputs_of(tx);
    let mut sum_in = Some(0_u128);
    let mut spent = 0;
    for input in graph.inputs_of(tx) {
        let Some(prevout) = graph.prevout(InputNum(input)) else {
            return Err((Column::Prevout, format!("input {input} is missing")));
        };
        match prevout {
            Prevout::Held(output) => {
                if output.0 >= outputs.0.start {
                    return Err((
                        Column::Prevout,
                        format!("spends output {output}, which is later"),
                    ));
                }
                if graph.spender(output) != Some(tx) {
                    return Err((
                        Column::Spender,
                        format!("output {output} names another spender"),
                    ));
                }
                spent += 1;
            }
            Prevout::External(external) if graph.external(external).is_none() => {
                return Err((Column::External, format!("coin {external} is missing")));
            }
            Prevout::External(_) | Prevout::Coinbase => {}
        }
        let value = graph.prevout_value(prevout).map(u128::from);
        sum_in = sum_in.zip(value).map(|(sum, value)| sum + value);
    }
    let sum_out: u128 = outputs.map(|o| u128::from(graph.value(o))).sum();
    if sum_in.is_some_and(|sum| sum < sum_out) {
        return Err((Column::Value, "pays more than it spends".to_owned()));
    }
    if !graph.find_txs(&graph.txid(tx)).contains(&tx) {
        return Err((Column::TxidIndex, "is not found by its txid".to_owned()));
    }
    Ok(spent)
}

/// No output has a spender but those that an input spends and the coins that two coinbases of 2010 destroyed; data
/// outputs are marked.
fn spenders(graph: &Graph, spent: u64) -> Option<String> {
    let column = graph.u32s(Column::Spender);
    let destroyed = |at: usize, by: u32| {
        let outputs = graph.tx_of(OutputNum(at as u64)).map(|tx| graph.txid(tx));
        graph.is_coinbase(TxNum(by)) && outputs == Some(graph.txid(TxNum(by)))
    };
    let mut named = 0;
    let scripts = graph.u32s(Column::Script);
    for (at, by) in column.iter().enumerate().filter(|(_, by)| **by != 0) {
        if (*by == NONE) != (scripts.get(at) == Some(&NONE)) {
            return Some(format!("output {at}: only data outputs can't be spent"));
        }
        if *by == NONE {
            continue;
        }
        if !destroyed(at, *by) {
            named += 1;
        }
    }
    (named != spent).then(|| format!("{named} outputs have a spender, {spent} are spent"))
}

/// Every block has as many data scripts as data outputs, and ends where the next one's begin.
fn datas(graph: &Graph) -> Option<String> {
    let (mut rest, scripts) = (graph.col(Column::DataBytes), graph.u32s(Column::Script));
    let mut blocks = graph.blocks().peekable();
    while let Some(block) = blocks.next() {
        let next = blocks.peek().map_or(*graph.counts(), |row| row.before);
        let outputs = index(block.before.outputs)..index(next.outputs);
        let Some(outputs) = scripts.get(outputs) else {
            return Some(format!("block {}: its outputs are elsewhere", block.before.blocks));
        };
        for _ in outputs.iter().filter(|script| **script == NONE) {
            let Some((_, after)) = read_data(rest) else {
                return Some(format!("block {}: a script can't be read", block.before.blocks));
            };
            rest = after;
        }
        if rest.len() as u64 != graph.counts().data_bytes.saturating_sub(next.data_bytes) {
            return Some(format!("block {}: its scripts end elsewhere", block.before.blocks));
        }
    }
    None
}

fn scripts(graph: &Graph) -> Option<(Column, String)> {
    let count = u32::try_from(graph.counts().scripts).unwrap_or(u32::MAX);
    for script in (0..count).map(ScriptNum) {
        let Some(packed) = graph.packed(script) else {
            return Some((Column::ScriptBytes, format!("script {script} can't be read")));
        };
        if graph.find_script(&packed.script()) != Some(script) {
            return Some((Column::ScriptIndex, format!("script {script} is not found")));
        }
        let root = graph.cluster(script);
        if graph.cluster(root) != root || root.0 >= count {
            return Some((Column::Cluster, format!("script {script} has no root")));
        }
    }
    // Scripts are numbered by first appearance; those of coins from outside come in between.
    let gaps = graph.counts().externals > 0;
    let mut next = 0;
    for (at, number) in graph.u32s(Column::Script).iter().enumerate().filter(|(_, n)| **n != NONE) {
        if *number >= count {
            return Some((Column::Script, format!("output {at} has no such script")));
        }
        if *number > next && !gaps {
            return Some((Column::Script, format!("output {at} has a number that is too high")));
        }
        next = next.max(*number + 1);
    }
    None
}
