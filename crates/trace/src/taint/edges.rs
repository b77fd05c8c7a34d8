//! The largest edges of a trace, for its picture: a bounded heap, so that a flood of dust costs no memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::query::{Edge, Found};

/// Keeps the largest.
pub struct Edges {
    most: usize,
    heap: BinaryHeap<Reverse<(u64, u64, Packed)>>,
    left_out: (u64, u128),
}

/// An edge, to be compared last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Packed(u32, Option<u32>);

impl Edges {
    /// Room for so many.
    pub const fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new(), left_out: (0, 0) }
    }

    /// Takes an edge, and gives up the smallest if there are too many.
    #[inline]
    pub fn add(&mut self, edge: Edge) {
        if self.most == 0 || edge.tainted_sat == 0 {
            return;
        }
        let full = self.heap.len() >= self.most;
        let least = self.heap.peek().map_or(0, |Reverse((sat, ..))| *sat);
        if full && edge.tainted_sat <= least {
            self.leave_out(edge.tainted_sat);
            return;
        }
        let packed = Packed(edge.from.0, edge.to.map(|t| t.0));
        self.heap.push(Reverse((edge.tainted_sat, edge.output.0, packed)));
        if full && let Some(Reverse((sat, ..))) = self.heap.pop() {
            self.leave_out(sat);
        }
    }

    fn leave_out(&mut self, sat: u64) {
        self.left_out.0 += 1;
        self.left_out.1 += u128::from(sat);
    }

    /// Hands them over.
    pub fn finish(self, found: &mut Found) {
        use chaingraph::{OutputNum, TxNum};
        found.edges_left_out = self.left_out;
        let edge = |Reverse((sat, output, Packed(from, to))): Reverse<(u64, u64, Packed)>| Edge {
            from: TxNum(from),
            to: to.map(TxNum),
            output: OutputNum(output),
            tainted_sat: sat,
        };
        found.edges = self.heap.into_iter().map(edge).collect();
    }
}
