//! Forward: where the value went.

use std::collections::HashMap;

use chaingraph::{Graph, OutputNum, Prevout, TxNum};

use super::edges::Edges;
use super::frontier::{Alike, Bits, NumHash, Outputs, Piece, Pieces, WayNum, Ways, source_set};
use super::query::{Cut, Edge, Found, Mixed, Place, Query, Reason, Visit};
use super::rules::{Method, haircut, tiho};
use super::runs::{Runs, Supply};
use crate::coinjoin::{Finding, classify};
use crate::labels::Attribution;
use crate::view::{TxView, Viewer};

/// The most transactions with data that are kept for a look at what they say.
const SPEAKING_MAX: usize = 1 << 20;
/// How often progress is told.
const TELL_EVERY: u64 = 1 << 16;

pub fn run(
    graph: &Graph,
    attribution: &Attribution,
    query: &Query,
    visit: &mut dyn FnMut(&Visit),
    progress: &mut dyn FnMut(u64, u64),
) -> Found {
    let mut forward = Forward {
        graph,
        attribution,
        query,
        until: query.until.unwrap_or(TxNum(u32::MAX)),
        pieces: Pieces::default(),
        runs: HashMap::default(),
        held: 0,
        pending: Bits::new(graph),
        coinbases: Bits::coinbases(graph),
        sources: source_set(&query.sources),
        revealing: graph.reveals().filter_map(|(input, ..)| graph.tx_of_input(input)).collect(),
        ways: Ways::new(),
        mixes: Mixes::new(graph),
        edges: Edges::new(query.edges_max),
        found: Found::default(),
        speaking: false,
        tx: Passing::default(),
        visit,
    };
    let mut sources = query.sources.clone();
    sources.sort_unstable();
    sources.dedup();
    let first = sources.first().and_then(|o| graph.tx_of(*o)).map_or(0, |tx| tx.0);
    for source in sources {
        forward.begin(source);
    }
    let total = graph.counts().txs;
    let mut next = first;
    while let Some(tx) = forward.pending.take_from(next) {
        forward.transaction(tx);
        next = tx.0;
        forward.found.transactions += 1;
        if forward.found.transactions.is_multiple_of(TELL_EVERY) {
            progress(u64::from(tx.0), total);
        }
    }
    progress(total, total);
    let Forward { edges, mut found, .. } = forward;
    edges.finish(&mut found);
    found
}

/// Tells mixes, looking closely only where two outputs are equal.
pub struct Mixes<'a> {
    graph: &'a Graph,
    viewer: Viewer<'a>,
    view: TxView,
    values: Vec<u64>,
}

impl<'a> Mixes<'a> {
    /// Over a graph.
    pub fn new(graph: &'a Graph) -> Self {
        Self { graph, viewer: Viewer::new(graph), view: TxView::default(), values: Vec::new() }
    }

    /// The mix that a transaction is, if it ends traces.
    pub fn of(&mut self, tx: TxNum) -> Option<Finding> {
        let outputs = self.graph.outputs_of(tx);
        if outputs.len() < 3 {
            return None;
        }
        self.values.clear();
        self.values.extend(outputs.map(|o| self.graph.value(o)).filter(|v| *v > 0));
        self.values.sort_unstable();
        // Every class has equal outputs.
        if !self.values.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return None;
        }
        let time = self.graph.block_of(tx).map_or(0, |row| row.time);
        self.viewer.read(tx, time, &mut self.view);
        Some(classify(&self.view)).filter(Finding::ends_trace)
    }
}

/// The transaction at hand; its lists are reused.
#[derive(Default)]
struct Passing {
    /// Tainted inputs: output, piece.
    tainted: Vec<(OutputNum, Piece)>,
    /// Values of the inputs, in order.
    values: Vec<Option<u64>>,
    /// Tainted satoshi of the inputs, in order.
    taints: Vec<u64>,
    /// Values of the outputs, in order; for the haircut, and then the fee.
    parts: Vec<u64>,
    shares: Vec<u64>,
    supply: Supply,
    /// Sum of the inputs' taint.
    sum: u128,
    hops: u32,
    /// The least of the inputs' factors.
    factor: f64,
    way: Option<WayNum>,
}

impl Passing {
    /// What the outputs' pieces have in common.
    fn next(&self) -> Piece {
        let way = self.way.unwrap_or(WayNum::PLAIN);
        Piece { tainted: 0, factor: self.factor, hops: self.hops.saturating_add(1), way }
    }
}

struct Forward<'a> {
    graph: &'a Graph,
    attribution: &'a Attribution,
    query: &'a Query,
    until: TxNum,
    pieces: Pieces,
    /// Of ordered methods, the satoshi of each piece.
    runs: HashMap<u64, Runs, NumHash>,
    held: usize,
    pending: Bits,
    coinbases: Bits,
    sources: Outputs,
    /// Transactions that reveal a deposit's script.
    revealing: std::collections::HashSet<TxNum>,
    ways: Ways,
    mixes: Mixes<'a>,
    edges: Edges,
    found: Found,
    /// Whether the transaction at hand may hand value over.
    speaking: bool,
    tx: Passing,
    visit: &'a mut dyn FnMut(&Visit),
}

impl Forward<'_> {
    /// A source: all of it is tainted.
    fn begin(&mut self, source: OutputNum) {
        let value = self.graph.value(source);
        if value == 0 {
            return;
        }
        self.found.stolen_sat = self.found.stolen_sat.saturating_add(value);
        let made_by = self.graph.tx_of(source).unwrap_or(TxNum(0));
        if made_by >= self.until {
            return self.cut(source, value, Reason::Until);
        }
        let piece = Piece { tainted: value, factor: 1.0, hops: 0, way: WayNum::PLAIN };
        let runs = self.query.method.is_ordered().then(|| Runs::front(value, value));
        self.follow(made_by, source, piece, runs, true);
    }

    fn cut(&mut self, output: OutputNum, tainted_sat: u64, reason: Reason) {
        self.found.cut.push(Cut { place: Place::Output(output), tainted_sat, reason });
    }

    /// Taint that arrived at an output by a transaction.
    fn settle(&mut self, by: TxNum, output: OutputNum, piece: Piece, runs: Option<Runs>) {
        if piece.tainted == 0 {
            return;
        }
        if self.sources.contains(&output.0) {
            // It counts once: the source's own value is in already.
            self.found.stolen_sat = self.found.stolen_sat.saturating_sub(piece.tainted);
            let to = self.spender(output);
            self.edges.add(Edge { from: by, to, output, tainted_sat: piece.tainted });
            return;
        }
        self.follow(by, output, piece, runs, false);
    }

    fn spender(&self, output: OutputNum) -> Option<TxNum> {
        self.graph.spender(output).filter(|tx| *tx < self.until)
    }

    /// Looks where an output's taint ends, or lets it wait for its spender.
    fn follow(
        &mut self,
        by: TxNum,
        output: OutputNum,
        piece: Piece,
        runs: Option<Runs>,
        source: bool,
    ) {
        self.found.outputs += 1;
        if self.speaking {
            self.found.spoken.insert(output, piece.tainted);
        }
        (self.visit)(&Visit { output, tainted_sat: piece.tainted, hops: piece.hops });
        let spender = self.spender(output);
        let to = self.end_or_follow(output, piece, runs, spender, source);
        self.edges.add(Edge { from: by, to, output, tainted_sat: piece.tainted });
    }

    /// Returns the transaction that it is followed to.
    fn end_or_follow(
        &mut self,
        output: OutputNum,
        piece: Piece,
        runs: Option<Runs>,
        spender: Option<TxNum>,
        source: bool,
    ) -> Option<TxNum> {
        let Some(script) = self.graph.script(output) else {
            self.cut(output, piece.tainted, Reason::Unspendable);
            return None;
        };
        if spender.is_some_and(|tx| self.coinbases.has(tx)) {
            self.cut(output, piece.tainted, Reason::DuplicateCoinbase);
            return None;
        }
        let labels = || self.attribution.of(self.graph, script);
        if !source
            && self.found.meet(labels(), &self.query.stop, || self.ways.arrival(output, piece))
        {
            return None;
        }
        let Some(spender) = spender else {
            let arrival = self.ways.arrival(output, piece);
            self.found.unspent.push(arrival);
            return None;
        };
        if piece.tainted < self.query.min_sat {
            self.cut(output, piece.tainted, Reason::MinSat);
            return None;
        }
        let cost = runs.as_ref().map_or(1, Runs::len);
        if self.held + cost > self.query.budget {
            self.cut(output, piece.tainted, Reason::Budget);
            return None;
        }
        self.held += cost;
        self.pieces.insert(output.0, piece);
        if let Some(runs) = runs {
            self.runs.insert(output.0, runs);
        }
        self.pending.set(spender);
        Some(spender)
    }

    /// One transaction: its tainted inputs are taken, its outputs settled.
    fn transaction(&mut self, tx: TxNum) {
        self.read(tx);
        if self.tx.tainted.is_empty() {
            return;
        }
        let speaks = self.revealing.contains(&tx)
            || self.graph.outputs_of(tx).any(|o| self.graph.script(o).is_none());
        self.speaking = speaks && self.found.speaking.len() < SPEAKING_MAX;
        if self.speaking {
            self.found.speaking.push(tx);
            let inputs = self.tx.tainted.iter().map(|(output, piece)| (*output, piece.tainted));
            self.found.spoken.extend(inputs);
        }
        if self.cut_by_unknown() {
            return;
        }
        let has_unknown = self.tx.values.iter().any(Option::is_none);
        let mix = self.mixes.of(tx);
        match mix {
            // By the haircut rule, which an unknown value makes impossible.
            Some(_) if self.query.through_mixers && has_unknown => self.cut_inputs(),
            Some(_) if self.query.through_mixers => self.through(tx),
            Some(mix) => self.end_in_mix(tx, &mix),
            None => self.pass(tx),
        }
    }

    fn read(&mut self, tx: TxNum) {
        let t = &mut self.tx;
        t.tainted.clear();
        t.values.clear();
        t.taints.clear();
        t.supply.clear();
        t.sum = 0;
        t.hops = u32::MAX;
        t.factor = 1.0;
        t.way = None;
        for prevout in self.graph.prevouts(tx) {
            t.values.push(self.graph.prevout_value(prevout));
            let taken = match prevout {
                Prevout::Held(output) => self.pieces.remove(&output.0).map(|piece| (output, piece)),
                _ => None,
            };
            t.taints.push(taken.map_or(0, |(_, piece)| piece.tainted));
            let Some((output, piece)) = taken else { continue };
            t.tainted.push((output, piece));
            t.sum += u128::from(piece.tainted);
            t.hops = t.hops.min(piece.hops);
            t.factor = t.factor.min(piece.factor);
            t.way = Some(match t.way {
                Some(way) => self.ways.join(way, piece.way),
                None => piece.way,
            });
            self.held = self.held.saturating_sub(self.runs.get(&output.0).map_or(1, Runs::len));
        }
        t.parts.clear();
        t.parts.extend(self.graph.outputs_of(tx).map(|o| self.graph.value(o)));
    }

    /// An unknown input value leaves shares undefined: all taint ends here, but in ordered methods when every tainted
    /// satoshi is taken before the first unknown one.
    fn cut_by_unknown(&mut self) -> bool {
        let t = &self.tx;
        if t.values.iter().all(Option::is_some) {
            return false;
        }
        let inputs = || t.values.iter().zip(&t.taints).map(|(v, taint)| (v.is_none(), *taint > 0));
        let before_unknown = |mut order: Box<dyn Iterator<Item = (bool, bool)> + '_>| {
            let mut unknown = false;
            order.all(|(is_unknown, tainted)| {
                unknown |= is_unknown;
                !(tainted && unknown)
            })
        };
        let exact = match self.query.method {
            Method::Fifo => before_unknown(Box::new(inputs())),
            Method::Lifo => {
                let list: Vec<_> = inputs().collect();
                before_unknown(Box::new(list.into_iter().rev()))
            }
            _ => false,
        };
        if !exact {
            self.cut_inputs();
        }
        !exact
    }

    fn cut_inputs(&mut self) {
        for (output, piece) in std::mem::take(&mut self.tx.tainted) {
            self.runs.remove(&output.0);
            self.cut(output, piece.tainted, Reason::UnknownPrevout);
        }
    }

    /// What is passed on: shares of the outputs in `shares`, and runs for ordered methods. Returns the fee's part.
    fn share(&mut self, tx: TxNum, runs: &mut Vec<Runs>) -> u128 {
        runs.clear();
        match self.query.method {
            Method::Haircut => self.share_haircut(),
            Method::Tiho => {
                let t = &mut self.tx;
                tiho(&t.parts, t.sum, &mut t.shares)
            }
            Method::Poison => {
                let t = &mut self.tx;
                t.shares.clear();
                t.shares.extend_from_slice(&t.parts);
                0
            }
            Method::Fifo | Method::Lifo => self.share_ordered(tx, runs),
        }
    }

    /// Shares in proportion, the fee as the last part. Returns the fee's.
    fn share_haircut(&mut self) -> u128 {
        let t = &mut self.tx;
        let total: u128 = t.values.iter().flatten().map(|v| u128::from(*v)).sum();
        let paid: u128 = t.parts.iter().map(|v| u128::from(*v)).sum();
        let fee = u64::try_from(total.saturating_sub(paid)).unwrap_or(u64::MAX);
        t.parts.push(fee);
        haircut(&t.parts, total, t.sum, &mut t.shares);
        t.parts.pop();
        u128::from(t.shares.pop().unwrap_or(0))
    }

    fn share_ordered(&mut self, tx: TxNum, runs: &mut Vec<Runs>) -> u128 {
        let is_lifo = self.query.method == Method::Lifo;
        let inputs: Vec<Prevout> = self.graph.prevouts(tx).collect();
        let unknown = self.tx.values.iter().position(Option::is_none);
        let last_unknown = self.tx.values.iter().rposition(Option::is_none);
        for (at, (prevout, value)) in inputs.iter().zip(&self.tx.values).enumerate() {
            // Satoshi behind an unknown input have no place, and none of them is tainted.
            let known = if is_lifo {
                last_unknown.is_none_or(|last| at > last)
            } else {
                unknown.is_none_or(|first| at < first)
            };
            let Some(value) = value.filter(|_| known) else { continue };
            let held = match prevout {
                Prevout::Held(output) => self.runs.remove(&output.0),
                _ => None,
            };
            match held {
                Some(held) => self.tx.supply.add(&held),
                None => self.tx.supply.add_clean(value),
            }
        }
        if is_lifo {
            self.tx.supply.reverse();
        }
        let t = &mut self.tx;
        t.shares.clear();
        for part in &t.parts {
            let taken = t.supply.take(*part);
            t.shares.push(taken.tainted());
            runs.push(taken);
        }
        t.supply.tainted_left()
    }

    fn pass(&mut self, tx: TxNum) {
        let mut runs = Vec::new();
        let fee = self.share(tx, &mut runs);
        self.found.fees_sat += u64::try_from(fee).unwrap_or(u64::MAX);
        let piece = self.tx.next();
        let shares = std::mem::take(&mut self.tx.shares);
        let mut runs = runs.into_iter();
        for (output, share) in self.graph.outputs_of(tx).zip(&shares) {
            self.settle(tx, output, Piece { tainted: *share, ..piece }, runs.next());
        }
        self.tx.shares = shares;
    }

    /// The trace ends at a mix: one entry, all taint but the fee's part.
    fn end_in_mix(&mut self, tx: TxNum, mix: &Finding) {
        let mut runs = Vec::new();
        let poison = self.query.method == Method::Poison;
        let fee = if poison { 0 } else { self.share(tx, &mut runs) };
        let fee = u64::try_from(fee).unwrap_or(u64::MAX);
        let sum = u64::try_from(self.tx.sum).unwrap_or(u64::MAX);
        self.found.fees_sat += fee;
        self.drop_runs();
        if sum > fee {
            self.found.mixed.push(Mixed {
                tx,
                class: mix.class,
                confidence: mix.confidence,
                tainted_sat: sum - fee,
                denominations: mix.denominations.clone(),
            });
        }
    }

    fn drop_runs(&mut self) {
        for (output, _) in &self.tx.tainted {
            self.runs.remove(&output.0);
        }
    }

    /// Through a mix by the haircut rule, whatever the method; in each output the tainted satoshi come first.
    fn through(&mut self, tx: TxNum) {
        self.drop_runs();
        let fee = self.share_haircut();
        self.found.fees_sat += u64::try_from(fee).unwrap_or(u64::MAX);
        let mut piece = self.tx.next();
        piece.way = self.ways.through(piece.way, tx);
        let factor = piece.factor;
        let shares = std::mem::take(&mut self.tx.shares);
        let parts = std::mem::take(&mut self.tx.parts);
        let alike = Alike::of(parts.iter().copied());
        for ((output, share), value) in self.graph.outputs_of(tx).zip(&shares).zip(&parts) {
            piece.tainted = *share;
            piece.factor = factor * alike.one_of(*value);
            let runs = self.query.method.is_ordered().then(|| Runs::front(*value, *share));
            self.settle(tx, output, piece, runs);
        }
        self.tx.shares = shares;
        self.tx.parts = parts;
    }
}
