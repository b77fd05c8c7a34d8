//! What is tainted and not yet passed on: pieces by output, and a bit for every transaction that has to be looked at.
//! Transactions are taken strictly by number, each once; a bit vector gives the next one faster than any heap.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use chaingraph::{Graph, OutputNum, TxNum};

use super::query::Arrival;

/// A tainted output that is to be followed.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Tainted satoshi.
    pub tainted: u64,
    /// What mixes on the way leave of confidence.
    pub factor: f64,
    /// The least number of transactions from a source.
    pub hops: u32,
    /// The mixes on the way: a set of [`Ways`].
    pub way: WayNum,
}

/// Number of a set of mixes; 0 is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WayNum(u32);

impl WayNum {
    /// No mix on the way.
    pub const PLAIN: Self = Self(0);
}

/// The most mixes that one way names: more tell nobody anything.
const VIA_MAX: usize = 16;
/// The most sets of mixes that one trace tells apart. A trace through very many mixes then names fewer of them.
const SETS_MAX: usize = 1 << 16;

/// Sets of mixes, each once.
#[derive(Debug)]
pub struct Ways {
    sets: Vec<Vec<TxNum>>,
    numbers: HashMap<Vec<TxNum>, WayNum>,
    joined: HashMap<(WayNum, WayNum), WayNum>,
}

impl Ways {
    /// Only the empty set.
    pub fn new() -> Self {
        let numbers = HashMap::from([(Vec::new(), WayNum::PLAIN)]);
        Self { sets: vec![Vec::new()], numbers, joined: HashMap::new() }
    }

    /// The mixes of a set, rising.
    pub fn get(&self, way: WayNum) -> &[TxNum] {
        self.sets.get(way.0 as usize).map_or(&[], |set| set)
    }

    /// A piece of taint at an output, as a result says it.
    pub fn arrival(&self, output: OutputNum, piece: Piece) -> Arrival {
        Arrival {
            output,
            tainted_sat: piece.tainted,
            hops: piece.hops,
            via: self.get(piece.way).to_vec(),
            factor: piece.factor,
        }
    }

    /// The number of a set; of one too many, `other`.
    fn number(&mut self, mut set: Vec<TxNum>, other: WayNum) -> WayNum {
        set.sort_unstable();
        set.dedup();
        set.truncate(VIA_MAX);
        if let Some(known) = self.numbers.get(&set) {
            return *known;
        }
        if self.sets.len() >= SETS_MAX {
            return other;
        }
        let number = WayNum(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(set.clone());
        self.numbers.insert(set, number);
        number
    }

    /// Two ways that meet in a transaction.
    pub fn join(&mut self, a: WayNum, b: WayNum) -> WayNum {
        let (a, b) = (a.min(b), a.max(b));
        if a == b || a == WayNum::PLAIN {
            return b;
        }
        if let Some(known) = self.joined.get(&(a, b)) {
            return *known;
        }
        let number = self.number([self.get(a), self.get(b)].concat(), b);
        if self.joined.len() < SETS_MAX {
            self.joined.insert((a, b), number);
        }
        number
    }

    /// A way that goes on through a mix.
    pub fn through(&mut self, way: WayNum, mix: TxNum) -> WayNum {
        let set = self.get(way);
        if set.len() >= VIA_MAX {
            return way;
        }
        let set = [set, &[mix]].concat();
        self.number(set, way)
    }
}

/// How many outputs of a mix are equal in value.
#[derive(Debug, Default)]
pub struct Alike(HashMap<u64, u32>);

impl Alike {
    /// Counts them.
    pub fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut counts = HashMap::new();
        values.for_each(|value| *counts.entry(value).or_default() += 1);
        Self(counts)
    }

    /// One over the number of equal outputs, one of which somebody followed out of the mix.
    pub fn one_of(&self, value: u64) -> f64 {
        1.0 / f64::from(self.0.get(&value).copied().unwrap_or(1))
    }
}

/// A bit for every transaction.
#[derive(Debug)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// None set.
    pub fn new(graph: &Graph) -> Self {
        let words = usize::try_from(graph.counts().txs.div_ceil(64)).unwrap_or(0);
        Self(vec![0; words])
    }

    /// The coinbases: the first transaction of every block.
    pub fn coinbases(graph: &Graph) -> Self {
        let mut bits = Self::new(graph);
        for row in graph.blocks() {
            bits.set(TxNum(u32::try_from(row.before.txs).unwrap_or(u32::MAX)));
        }
        bits
    }

    /// Sets a bit.
    #[inline]
    pub fn set(&mut self, tx: TxNum) {
        if let Some(word) = self.0.get_mut(tx.idx() / 64) {
            *word |= 1 << (tx.0 % 64);
        }
    }

    /// Asks for a bit.
    #[inline]
    pub fn has(&self, tx: TxNum) -> bool {
        self.0.get(tx.idx() / 64).is_some_and(|word| word >> (tx.0 % 64) & 1 == 1)
    }

    /// Takes the first bit that is set at or after `from`.
    #[inline]
    pub fn take_from(&mut self, from: u32) -> Option<TxNum> {
        let mut at = from as usize / 64;
        let mut mask = u64::MAX << (from % 64);
        loop {
            let word = self.0.get_mut(at)?;
            let found = *word & mask;
            if found != 0 {
                let bit = found.trailing_zeros();
                *word &= !(1 << bit);
                return u32::try_from(at * 64).ok().map(|base| TxNum(base + bit));
            }
            mask = u64::MAX;
            at += 1;
        }
    }

    /// Takes the last bit that is set at or before `upto`.
    pub fn take_back(&mut self, upto: u32) -> Option<TxNum> {
        let mut at = upto as usize / 64;
        let mut mask = u64::MAX >> (63 - upto % 64);
        loop {
            let word = self.0.get_mut(at)?;
            let found = *word & mask;
            if found != 0 {
                let bit = 63 - found.leading_zeros();
                *word &= !(1 << bit);
                return u32::try_from(at * 64).ok().map(|base| TxNum(base + bit));
            }
            mask = u64::MAX;
            at = at.checked_sub(1)?;
        }
    }
}

/// Pieces by output.
pub type Pieces = HashMap<u64, Piece, NumHash>;

/// Output numbers are spread by an odd factor; nobody outside chooses them.
#[derive(Clone, Copy, Default, Debug)]
pub struct NumHash;

impl BuildHasher for NumHash {
    type Hasher = NumHasher;
    fn build_hasher(&self) -> NumHasher {
        NumHasher(0)
    }
}

/// See [`NumHash`].
#[derive(Clone, Copy, Debug)]
pub struct NumHasher(u64);

impl Hasher for NumHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
    #[inline]
    fn write_u64(&mut self, n: u64) {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Output numbers as a set.
pub type Outputs = std::collections::HashSet<u64, NumHash>;

/// The sources, each once.
pub fn source_set(sources: &[OutputNum]) -> Outputs {
    sources.iter().map(|o| o.0).collect()
}
