//! Taint: which satoshi come from a source, by five methods, forward and backward, in chain order. `docs/tracing.md`
//! states the rules where CONTRACT leaves a reading open.

mod backward;
mod edges;
mod forward;
mod frontier;
mod query;
mod rules;
mod runs;

use chaingraph::Graph;

use crate::labels::Attribution;
pub use forward::Mixes;
pub use frontier::Alike;
pub use query::{
    Arrival, Cut, Direction, Edge, Found, Met, Mixed, Place, Query, Reason, Unbalanced, Visit,
};
pub use rules::Method;

/// Splits taint over parts by the haircut rule: `total` is the sum of the parts and at least `tainted`.
#[must_use]
pub fn haircut(parts: &[u64], total: u128, tainted: u128) -> Vec<u64> {
    let mut shares = Vec::with_capacity(parts.len());
    rules::haircut(parts, total, tainted, &mut shares);
    shares
}

/// How many transactions are reached from some, these included: any output leads to its spender.
#[must_use]
pub fn reach(graph: &Graph, sources: &[chaingraph::TxNum]) -> u64 {
    let mut pending = frontier::Bits::new(graph);
    sources.iter().for_each(|tx| pending.set(*tx));
    let mut next = sources.iter().min().map_or(0, |tx| tx.0);
    let mut reached = 0;
    let (mut walk, spenders) = (graph.walk(), graph.u32s(chaingraph::columns::Column::Spender));
    while let Some(tx) = pending.take_from(next) {
        reached += 1;
        next = tx.0.saturating_add(1);
        let outputs = walk.outputs_of(tx).0;
        let range = usize::try_from(outputs.start).ok().zip(usize::try_from(outputs.end).ok());
        let spent = range.and_then(|(start, end)| spenders.get(start..end)).unwrap_or_default();
        // Not asked whether it is spent, which is hard to foresee: number 0 lies behind, and no bit stands for data's mark.
        spent.iter().for_each(|by| pending.set(chaingraph::TxNum(*by)));
    }
    reached
}

/// Traces. `progress` is told transactions passed and in all.
///
/// # Errors
/// The result does not add up, so there is none.
pub fn trace(
    graph: &Graph,
    attribution: &Attribution,
    query: &Query,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, Unbalanced> {
    trace_visiting(graph, attribution, query, &mut |_| {}, progress)
}

/// Traces, and shows every tainted output on the way (forward only).
///
/// # Errors
/// The result does not add up, so there is none.
pub fn trace_visiting(
    graph: &Graph,
    attribution: &Attribution,
    query: &Query,
    visit: &mut dyn FnMut(&Visit),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, Unbalanced> {
    let mut found = match query.direction {
        Direction::Forward => forward::run(graph, attribution, query, visit, progress),
        Direction::Backward => backward::run(graph, attribution, query, progress),
    };
    sort(&mut found);
    // INVARIANT: resolved + mixed + unspent + cut + fees (+ mined) = stolen, to the satoshi, for every method but poison.
    let (ended, stolen) = (found.ended_sat(), u128::from(found.stolen_sat));
    let conserves = query.method != Method::Poison || query.direction == Direction::Backward;
    if conserves && ended != stolen {
        return Err(Unbalanced { ended, stolen });
    }
    Ok(found)
}

/// Lists in chain order.
fn sort(found: &mut Found) {
    let by_label = |a: &Met, b: &Met| {
        let key = |m: &Met| (m.arrival.output, m.label.label.clone());
        key(a).cmp(&key(b))
    };
    found.resolved.sort_by(by_label);
    found.passed.sort_by(by_label);
    found.mixed.sort_by_key(|m| m.tx);
    found.unspent.sort_by_key(|a| a.output);
    found.mined.sort_by_key(|a| a.output);
    found.cut.sort_by_key(|c| (c.place, c.reason));
    found.edges.sort_by_key(|e| (e.output, e.to));
}
