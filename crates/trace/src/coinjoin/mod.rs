//! Which transactions mix the coins of several people: Whirlpool, Wasabi 1, Wasabi 2, JoinMarket, others. The rules
//! come from how the protocols build their transactions; `docs/coinjoin.md` gives each with its source, and
//! `docs/accuracy.md` what they reach on labelled sets.

mod features;
mod joinmarket;
mod other;
mod partition;
mod tx0;
mod wasabi1;
mod wasabi2;
mod whirlpool;

use crate::view::TxView;
use features::Features;
pub(crate) use wasabi2::is_denomination;

/// The wallet or protocol that made a transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// No mix.
    None,
    /// Samourai's Whirlpool and its heirs.
    Whirlpool,
    /// Wasabi 1.
    Wasabi1,
    /// Wasabi 2 and other coordinators of WabiSabi.
    Wasabi2,
    /// JoinMarket: three or more equal outputs and a partition that fees allow.
    JoinMarket,
    /// Another mix with equal outputs.
    Other,
}

impl Class {
    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Whirlpool => "whirlpool",
            Self::Wasabi1 => "wasabi1",
            Self::Wasabi2 => "wasabi2",
            Self::JoinMarket => "joinmarket",
            Self::Other => "other",
        }
    }
}

/// A class with what speaks for it.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// The class.
    pub class: Class,
    /// Probability that the transaction is a CoinJoin of that class, by rule, 0 to 1; of no mix, 1. From 0.8 on the
    /// form could not, for practical purposes, come from one owner's payment, and a trace ends there.
    pub confidence: f64,
    /// How many people take part; for Wasabi 2 the least that it can be.
    pub participants: usize,
    /// The values that participants receive alike, rising.
    pub denominations: Vec<u64>,
    /// A transaction that prepares a Whirlpool round: one owner's, so no mix.
    pub is_tx0: bool,
    /// What was seen, in sentences.
    pub evidence: Vec<String>,
}

impl Finding {
    /// No mix.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            class: Class::None,
            confidence: 1.0,
            participants: 0,
            denominations: Vec::new(),
            is_tx0: false,
            evidence: Vec::new(),
        }
    }

    fn new(class: Class, confidence: f64, participants: usize, evidence: Vec<String>) -> Self {
        Self { class, confidence, participants, denominations: Vec::new(), is_tx0: false, evidence }
    }

    fn with_denominations(mut self, mut denominations: Vec<u64>) -> Self {
        denominations.sort_unstable();
        denominations.dedup();
        self.denominations = denominations;
        self
    }

    /// Whether a trace ends at the transaction.
    #[must_use]
    pub fn ends_trace(&self) -> bool {
        self.class != Class::None && self.confidence >= ENDS_FROM
    }
}

/// The confidence from which on a mix ends a trace (CONTRACT, *mixed*).
pub const ENDS_FROM: f64 = 0.8;

/// Judges a transaction. Linear in its size, but for sorting and a bounded search where it looks like JoinMarket.
#[must_use]
pub fn classify(tx: &TxView) -> Finding {
    // Nearly all transactions stop here: a mix has three outputs, and inputs of two owners (a tx0 has data).
    if tx.is_coinbase || tx.outputs.len() < 3 {
        return Finding::none();
    }
    let has_data = tx.outputs.iter().any(|o| o.script.is_none());
    if tx.inputs.len() < 2 && !has_data {
        return Finding::none();
    }
    let features = Features::of(tx);
    if let Some(found) = tx0::rule(&features) {
        return found;
    }
    if tx.inputs.len() < 2 || features.equal < 2 {
        return Finding::none();
    }
    whirlpool::rule(&features)
        .or_else(|| wasabi2::rule(&features))
        .or_else(|| wasabi1::rule(&features))
        .or_else(|| joinmarket::rule(&features))
        .or_else(|| other::rule(&features))
        .unwrap_or_else(Finding::none)
}
