//! Backward: where the value came from. Taint is split over a transaction's inputs by value, whatever the method, and
//! ends where coins were mined.

use chaingraph::header::Hash;
use chaingraph::{Graph, OutputNum, Prevout, TxNum};

use super::edges::Edges;
use super::forward::Mixes;
use super::frontier::{Alike, Bits, Outputs, Piece, Pieces, WayNum, Ways, source_set};
use super::query::{Cut, Edge, Found, Mixed, Place, Query, Reason};
use super::rules::haircut;
use crate::labels::Attribution;

pub fn run(
    graph: &Graph,
    attribution: &Attribution,
    query: &Query,
    progress: &mut dyn FnMut(u64, u64),
) -> Found {
    let mut backward = Backward {
        graph,
        attribution,
        query,
        pieces: Pieces::default(),
        pending: Bits::new(graph),
        coinbases: Bits::coinbases(graph),
        sources: source_set(&query.sources),
        ways: Ways::new(),
        mixes: Mixes::new(graph),
        edges: Edges::new(query.edges_max),
        found: Found::default(),
    };
    let mut sources = query.sources.clone();
    sources.sort_unstable();
    sources.dedup();
    let last = sources.last().and_then(|o| graph.tx_of(*o));
    for source in sources {
        backward.begin(source);
    }
    let total = graph.counts().txs;
    let mut next = last.map_or(0, |tx| tx.0);
    while let Some(tx) = backward.pending.take_back(next) {
        backward.transaction(tx);
        next = tx.0;
        backward.found.transactions += 1;
        if backward.found.transactions.is_multiple_of(1 << 16) {
            progress(total.saturating_sub(u64::from(tx.0)), total);
        }
    }
    progress(total, total);
    let Backward { edges, mut found, .. } = backward;
    edges.finish(&mut found);
    found
}

struct Backward<'a> {
    graph: &'a Graph,
    attribution: &'a Attribution,
    query: &'a Query,
    pieces: Pieces,
    pending: Bits,
    coinbases: Bits,
    sources: Outputs,
    ways: Ways,
    mixes: Mixes<'a>,
    edges: Edges,
    found: Found,
}

impl Backward<'_> {
    fn begin(&mut self, source: OutputNum) {
        let value = self.graph.value(source);
        if value == 0 {
            return;
        }
        self.found.stolen_sat = self.found.stolen_sat.saturating_add(value);
        let made_by = self.graph.tx_of(source).unwrap_or(TxNum(0));
        if self.query.until.is_some_and(|until| made_by >= until) {
            return self.cut(Place::Output(source), value, Reason::Until);
        }
        let piece = Piece { tainted: value, factor: 1.0, hops: 0, way: WayNum::PLAIN };
        self.follow(source, made_by, None, piece, true);
    }

    fn cut(&mut self, place: Place, tainted_sat: u64, reason: Reason) {
        self.found.cut.push(Cut { place, tainted_sat, reason });
    }

    /// An output whose origin is asked; `to` spends it.
    fn follow(
        &mut self,
        output: OutputNum,
        made_by: TxNum,
        to: Option<TxNum>,
        piece: Piece,
        source: bool,
    ) {
        self.found.outputs += 1;
        self.edges.add(Edge { from: made_by, to, output, tainted_sat: piece.tainted });
        let labels = || {
            let script = self.graph.script(output);
            script.map(|s| self.attribution.of(self.graph, s)).unwrap_or_default()
        };
        if !source
            && self.found.meet(labels(), &self.query.stop, || self.ways.arrival(output, piece))
        {
            return;
        }
        if self.coinbases.has(made_by) {
            let arrival = self.ways.arrival(output, piece);
            self.found.mined.push(arrival);
        } else if piece.tainted < self.query.min_sat {
            self.cut(Place::Output(output), piece.tainted, Reason::MinSat);
        } else if self.pieces.len() >= self.query.budget {
            self.cut(Place::Output(output), piece.tainted, Reason::Budget);
        } else {
            self.pieces.insert(output.0, piece);
            self.pending.set(made_by);
        }
    }

    fn transaction(&mut self, tx: TxNum) {
        let tainted: Vec<(OutputNum, Piece)> = self
            .graph
            .outputs_of(tx)
            .filter_map(|o| self.pieces.remove(&o.0).map(|piece| (o, piece)))
            .collect();
        let sum: u128 = tainted.iter().map(|(_, p)| u128::from(p.tainted)).sum();
        let inputs: Vec<Prevout> = self.graph.prevouts(tx).collect();
        let values: Option<Vec<u64>> =
            inputs.iter().map(|p| self.graph.prevout_value(*p)).collect();
        let Some(values) = values else {
            for (output, piece) in tainted {
                self.cut(Place::Output(output), piece.tainted, Reason::UnknownPrevout);
            }
            return;
        };
        let mix = self.mixes.of(tx);
        let Some(hops) = tainted.iter().map(|(_, p)| p.hops).min() else { return };
        let mut piece = Piece { tainted: 0, factor: 1.0, hops: hops + 1, way: WayNum::PLAIN };
        let values_of = || self.graph.outputs_of(tx).map(|o| self.graph.value(o));
        let alike = mix.is_some().then(|| Alike::of(values_of()));
        for (output, p) in &tainted {
            let share = alike.as_ref().map_or(1.0, |a| a.one_of(self.graph.value(*output)));
            piece.factor = piece.factor.min(p.factor * share);
            piece.way = self.ways.join(piece.way, p.way);
        }
        if mix.is_some() {
            piece.way = self.ways.through(piece.way, tx);
        }
        if let Some(mix) = mix.filter(|_| !self.query.through_mixers) {
            self.found.mixed.push(Mixed {
                tx,
                class: mix.class,
                confidence: mix.confidence,
                tainted_sat: u64::try_from(sum).unwrap_or(u64::MAX),
                denominations: mix.denominations,
            });
            return;
        }
        let total: u128 = values.iter().map(|v| u128::from(*v)).sum();
        let mut shares = Vec::new();
        haircut(&values, total, sum, &mut shares);
        for (prevout, share) in inputs.into_iter().zip(shares).filter(|(_, share)| *share > 0) {
            self.origin(tx, prevout, Piece { tainted: share, ..piece });
        }
    }

    /// The share of one input.
    fn origin(&mut self, tx: TxNum, prevout: Prevout, piece: Piece) {
        match prevout {
            Prevout::Held(output) if self.sources.contains(&output.0) => {
                self.found.stolen_sat = self.found.stolen_sat.saturating_sub(piece.tainted); // it counts once
                let from = self.graph.tx_of(output).unwrap_or(TxNum(0));
                self.edges.add(Edge { from, to: Some(tx), output, tainted_sat: piece.tainted });
            }
            Prevout::Held(output) => {
                let made_by = self.graph.tx_of(output).unwrap_or(TxNum(0));
                self.follow(output, made_by, Some(tx), piece, false);
            }
            Prevout::External(number) => {
                let coin = self.graph.external(number);
                let (txid, vout): (Hash, u32) = coin.map_or(([0; 32], 0), |c| (c.txid, c.vout));
                self.cut(Place::Outside(txid, vout), piece.tainted, Reason::Hole);
            }
            Prevout::Coinbase => {} // a coinbase is never looked at: its outputs are mined
        }
    }
}
