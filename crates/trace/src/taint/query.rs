//! What a trace is asked, and what it answers.

use std::collections::{HashMap, HashSet};

use chaingraph::header::Hash;
use chaingraph::{OutputNum, TxNum};

use super::rules::Method;
use crate::coinjoin::Class;
use crate::labels::{Applied, Kind};

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Where the value went.
    Forward,
    /// Where it came from.
    Backward,
}

/// What a trace is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which way.
    pub direction: Direction,
    /// How taint is passed on.
    pub method: Method,
    /// Where it begins: outputs, each counted once.
    pub sources: Vec<OutputNum>,
    /// The first transaction that is too late; `None` for the whole graph.
    pub until: Option<TxNum>,
    /// Outputs with less taint are not followed.
    pub min_sat: u64,
    /// The most pieces of taint (outputs, or runs of satoshi in fifo and lifo) in memory at once.
    pub budget: usize,
    /// Kinds of label at which it ends.
    pub stop: HashSet<Kind>,
    /// Whether mixes are gone through by the haircut rule.
    pub through_mixers: bool,
    /// The most edges that are kept for the picture, the largest ones.
    pub edges_max: usize,
}

impl Query {
    /// A plain forward haircut.
    #[must_use]
    pub fn new(direction: Direction, method: Method, sources: Vec<OutputNum>) -> Self {
        Self {
            direction,
            method,
            sources,
            until: None,
            min_sat: 0,
            budget: 50_000_000,
            stop: Kind::ENDING.into_iter().collect(),
            through_mixers: false,
            edges_max: 20_000,
        }
    }
}

/// Why taint was not followed further.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Less than the least that was asked for.
    MinSat,
    /// Memory would not do.
    Budget,
    /// A source that is later than the end.
    Until,
    /// An input of unknown value: shares can't be computed.
    UnknownPrevout,
    /// Data: nobody can spend it.
    Unspendable,
    /// Destroyed by a coinbase with the same txid (BIP 30).
    DuplicateCoinbase,
    /// A coin from outside the graph.
    Hole,
}

impl Reason {
    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MinSat => "min_sat",
            Self::Budget => "budget",
            Self::Until => "until",
            Self::UnknownPrevout => "unknown_prevout",
            Self::Unspendable => "unspendable",
            Self::DuplicateCoinbase => "duplicate_coinbase",
            Self::Hole => "hole",
        }
    }
}

/// How taint came to an output.
#[derive(Clone, PartialEq, Debug)]
pub struct Arrival {
    /// The output.
    pub output: OutputNum,
    /// Tainted satoshi in it.
    pub tainted_sat: u64,
    /// The least number of transactions from a source.
    pub hops: u32,
    /// Mixes on the way.
    pub via: Vec<TxNum>,
    /// What mixes on the way leave of confidence: 1/k for each, the least of the ways.
    pub factor: f64,
}

/// A tainted output as it is met, for those who want all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visit {
    /// The output.
    pub output: OutputNum,
    /// Tainted satoshi in it.
    pub tainted_sat: u64,
    /// The least number of transactions from a source.
    pub hops: u32,
}

/// A label that was met.
#[derive(Clone, PartialEq, Debug)]
pub struct Met {
    /// Where and how much.
    pub arrival: Arrival,
    /// The label's place in the attribution's list.
    pub label: crate::labels::Label,
    /// It came through a cluster.
    pub via_cluster: bool,
    /// Confidence: the label's, less what cluster and mixes take.
    pub confidence: f64,
}

/// A mix that ended the trace.
#[derive(Clone, PartialEq, Debug)]
pub struct Mixed {
    /// The transaction.
    pub tx: TxNum,
    /// Its class.
    pub class: Class,
    /// How sure that is.
    pub confidence: f64,
    /// Tainted satoshi that went in, less the fee's part.
    pub tainted_sat: u64,
    /// The values that participants receive alike.
    pub denominations: Vec<u64>,
}

/// Where a cut is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// An output of the graph.
    Output(OutputNum),
    /// A coin from outside.
    Outside(Hash, u32),
}

/// Taint that was not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Where.
    pub place: Place,
    /// How much.
    pub tainted_sat: u64,
    /// Why.
    pub reason: Reason,
}

/// Tainted value that moved from one transaction to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// The transaction that made the output; forward, taint comes from here.
    pub from: TxNum,
    /// The transaction that spends it; `None` where the trace ends at the output.
    pub to: Option<TxNum>,
    /// The output.
    pub output: OutputNum,
    /// Tainted satoshi.
    pub tainted_sat: u64,
}

/// What a trace found. Every tainted satoshi is in one list.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What the sources are worth, each satoshi once.
    pub stolen_sat: u64,
    /// Arrived at a label that ends the trace.
    pub resolved: Vec<Met>,
    /// Passed an address with a label that does not end it.
    pub passed: Vec<Met>,
    /// Went into mixes.
    pub mixed: Vec<Mixed>,
    /// Lies unspent.
    pub unspent: Vec<Arrival>,
    /// Backward: was mined.
    pub mined: Vec<Arrival>,
    /// Went to miners as fees.
    pub fees_sat: u64,
    /// Was not followed.
    pub cut: Vec<Cut>,
    /// The largest edges.
    pub edges: Vec<Edge>,
    /// Edges that are not among them, and their taint.
    pub edges_left_out: (u64, u128),
    /// Transactions that may hand value over to another chain: with data, or with a revealed deposit; rising.
    pub speaking: Vec<TxNum>,
    /// The taint of their outputs, and of the outputs that they spend.
    pub spoken: HashMap<OutputNum, u64>,
    /// Transactions that passed taint on.
    pub transactions: u64,
    /// Outputs that had taint.
    pub outputs: u64,
}

impl Found {
    /// Notes the labels that an arrival meets, the surest first; whether one of them ends the trace.
    pub(super) fn meet(
        &mut self,
        labels: Vec<Applied<'_>>,
        stop: &HashSet<Kind>,
        arrival: impl Fn() -> Arrival,
    ) -> bool {
        let mut ended = false;
        for applied in labels {
            let ends = stop.contains(&applied.label.kind);
            if ends && ended {
                continue; // the surest ending label has it already
            }
            let arrival = arrival();
            let met = Met {
                confidence: applied.confidence * arrival.factor,
                arrival,
                label: applied.label.clone(),
                via_cluster: applied.via_cluster,
            };
            ended |= ends;
            if ends { self.resolved.push(met) } else { self.passed.push(met) }
        }
        ended
    }

    /// All tainted satoshi that ended somewhere. For every method but poison this is what was stolen.
    #[must_use]
    pub fn ended_sat(&self) -> u128 {
        let sum = |n: &mut dyn Iterator<Item = u64>| n.map(u128::from).sum::<u128>();
        sum(&mut self.resolved.iter().map(|m| m.arrival.tainted_sat))
            + sum(&mut self.mixed.iter().map(|m| m.tainted_sat))
            + sum(&mut self.unspent.iter().map(|a| a.tainted_sat))
            + sum(&mut self.mined.iter().map(|a| a.tainted_sat))
            + sum(&mut self.cut.iter().map(|c| c.tainted_sat))
            + u128::from(self.fees_sat)
    }
}

/// A trace that contradicts itself: a defect of the program or a damaged graph. No result is better than a wrong one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the trace does not add up: {ended} sat ended of {stolen}; the graph is damaged (`graph verify`) or this is a defect"
)]
pub struct Unbalanced {
    /// Satoshi that ended somewhere.
    pub ended: u128,
    /// Satoshi that were stolen.
    pub stolen: u128,
}
