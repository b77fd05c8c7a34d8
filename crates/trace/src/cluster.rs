//! Base clusters: scripts that were spent together are one owner's (Nakamoto 2008, section 10; Meiklejohn 2013), but
//! not where people mix. Union-find by size over script numbers; the forest of unions is kept as it grew, with the
//! transaction of each union, so that *why* has an answer.

use chaingraph::columns::Column;
use chaingraph::{Clusters, Graph, Prevout, ScriptNum, TxNum};

use crate::join::{OUTPUTS_THAT_JOIN, apart};
use crate::view::{TxView, Viewer};

/// Stands for no transaction: roots were not joined to anything.
pub const NO_TX: u32 = u32::MAX;

/// Transactions that one thread reads at once.
const BATCH: u32 = 1 << 15;

/// Joins the scripts of a graph. `progress` is told transactions done and in all.
///
/// Two threads read transactions and judge them, this one joins in chain order: the result does not depend on them.
#[must_use]
pub fn build(graph: &Graph, progress: &mut dyn FnMut(u64, u64)) -> Clusters {
    let mut forest = Forest::new(usize::try_from(graph.counts().scripts).unwrap_or(0));
    let total = u32::try_from(graph.counts().txs).unwrap_or(u32::MAX);
    let batches = total.div_ceil(BATCH);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|nth| {
                let (out, lists) = std::sync::mpsc::sync_channel(2);
                scope.spawn(move || {
                    for batch in (nth..batches).step_by(READERS as usize) {
                        if out.send(read_batch(graph, batch)).is_err() {
                            return;
                        }
                    }
                });
                lists
            })
            .collect();
        for batch in 0..batches {
            let list = readers.get((batch % READERS) as usize).and_then(|lists| lists.recv().ok());
            for joins in list.iter().flat_map(|list| list.0.iter().zip(list.spans())) {
                let ((tx, _), [first, rest @ ..]) = joins else { continue };
                rest.iter().for_each(|script| forest.join(*first, *script, *tx));
            }
            progress(u64::from(batch.saturating_mul(BATCH)), u64::from(total));
        }
    });
    progress(u64::from(total), u64::from(total));
    Clusters { parent: forest.parent, tx: forest.tx }
}

const READERS: u32 = 2;

/// The scripts that each transaction joins, in chain order: what [`build`] reads, for measuring.
#[must_use]
pub fn lists(graph: &Graph) -> Vec<Vec<u32>> {
    let total = u32::try_from(graph.counts().txs).unwrap_or(u32::MAX);
    let batches = (0..total.div_ceil(BATCH)).map(|batch| read_batch(graph, batch));
    batches.flat_map(|joins| joins.spans().map(<[u32]>::to_vec).collect::<Vec<_>>()).collect()
}

/// Joins lists of scripts: what [`build`] does with them, for measuring.
#[must_use]
pub fn join(graph: &Graph, lists: &[Vec<u32>]) -> Clusters {
    let mut forest = Forest::new(usize::try_from(graph.counts().scripts).unwrap_or(0));
    for (tx, list) in (0..).zip(lists) {
        if let [first, rest @ ..] = &list[..] {
            rest.iter().for_each(|script| forest.join(*first, *script, tx));
        }
    }
    Clusters { parent: forest.parent, tx: forest.tx }
}

/// Transactions whose inputs are one owner's: each with where its scripts end in the list.
#[derive(Default)]
struct Joins(Vec<(u32, usize)>, Vec<u32>);

impl Joins {
    /// The scripts of each transaction.
    fn spans(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.0.iter().map(|(_, end)| *end));
        starts.zip(&self.0).map(|(start, (_, end))| self.1.get(start..*end).unwrap_or_default())
    }
}

fn read_batch(graph: &Graph, batch: u32) -> Joins {
    let viewer = Viewer::new(graph);
    let (mut view, mut joins) = (TxView::default(), Joins::default());
    let from = batch * BATCH;
    let until = graph.counts().txs.min(u64::from(from) + u64::from(BATCH));
    let mut block = None;
    for tx in (from..u32::try_from(until).unwrap_or(from)).map(TxNum) {
        let inputs = graph.inputs_of(tx);
        if inputs.end.saturating_sub(inputs.start) < 2 {
            continue;
        }
        let start = joins.1.len();
        joins.1.extend(graph.prevouts(tx).filter_map(|p| graph.prevout_script(p)).map(|s| s.0));
        let scripts = joins.1.get_mut(start..).unwrap_or_default();
        scripts.sort_unstable();
        let different = scripts.first() != scripts.last();
        let mut is_apart = || {
            if graph.outputs_of(tx).len() <= OUTPUTS_THAT_JOIN {
                return false;
            }
            let time = block_time(graph, tx, &mut block);
            viewer.read(tx, time, &mut view);
            apart(&view).is_some()
        };
        if !different || is_apart() {
            joins.1.truncate(start);
            continue;
        }
        joins.0.push((tx.0, joins.1.len()));
    }
    joins
}

/// The time of a transaction's block, which is looked up again when the transaction is of another one.
fn block_time(graph: &Graph, tx: TxNum, block: &mut Option<(std::ops::Range<u32>, u32)>) -> u32 {
    match block {
        Some((txs, time)) if txs.contains(&tx.0) => *time,
        _ => {
            let row = graph.block_of(tx);
            let time = row.map_or(0, |row| row.time);
            *block = row.map(|row| (graph.txs_of(&row), time));
            time
        }
    }
}

/// Union-find that remembers.
struct Forest {
    /// The forest as it grew: a root's parent is itself.
    parent: Vec<u32>,
    /// The transaction that joined a former root to its parent.
    tx: Vec<u32>,
    /// For finding: roots have the top bit and their size, others a script nearer the root (paths are halved).
    near: Vec<u32>,
}

const ROOT: u32 = 1 << 31;

#[expect(
    clippy::indexing_slicing,
    reason = "scripts of the graph are below its count, and nearer ones too"
)]
impl Forest {
    fn new(scripts: usize) -> Self {
        // 2^31 scripts: the main network has 1.4 billion today.
        let numbers = 0..u32::try_from(scripts).unwrap_or(ROOT - 1);
        Self { parent: numbers.collect(), tx: vec![NO_TX; scripts], near: vec![ROOT | 1; scripts] }
    }

    fn root(&mut self, mut at: u32) -> u32 {
        loop {
            let near = self.near[at as usize];
            if near & ROOT != 0 {
                return at;
            }
            let nearer = self.near[near as usize];
            if nearer & ROOT != 0 {
                return near;
            }
            self.near[at as usize] = nearer;
            at = nearer;
        }
    }

    fn join(&mut self, a: u32, b: u32, tx: u32) {
        if a.max(b) as usize >= self.near.len() {
            return; // only in a damaged graph
        }
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        let size = |root: u32| self.near[root as usize] & !ROOT;
        let (keep, lose) = if size(a) >= size(b) { (a, b) } else { (b, a) };
        let sum = size(keep) + size(lose);
        self.near[keep as usize] = ROOT | sum;
        self.near[lose as usize] = keep;
        self.parent[lose as usize] = keep;
        self.tx[lose as usize] = tx;
    }
}

/// One step of the answer to *why*: two scripts that a transaction spent together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// A script.
    pub from: ScriptNum,
    /// Another.
    pub to: ScriptNum,
    /// The transaction that has both among its inputs.
    pub tx: TxNum,
}

/// Why two scripts are one cluster: transactions that lead from one to the other. Empty for a script and itself, `None`
/// if they are not one cluster.
#[must_use]
pub fn why(graph: &Graph, a: ScriptNum, b: ScriptNum) -> Option<Vec<Step>> {
    let forest =
        Stored { parents: graph.u32s(Column::Cluster), txs: graph.u32s(Column::ClusterTx) };
    if forest.root_before(a.0, NO_TX) != forest.root_before(b.0, NO_TX) {
        return None;
    }
    let mut steps = Vec::new();
    let mut open = vec![(a.0, b.0)];
    // Depth first, left to right: the latest union between two scripts splits the question into two about earlier
    // unions. Every step settles a union, so there are fewer than there are scripts in the cluster.
    while let Some((a, b)) = open.pop() {
        if a == b {
            continue;
        }
        let tx = forest.latest_between(a, b)?;
        let inputs: Vec<u32> = inputs_of(graph, TxNum(tx));
        let side = |x: u32| {
            let root = forest.root_before(x, tx);
            inputs.iter().copied().find(|i| forest.root_before(*i, tx) == root)
        };
        let (from, to) = (side(a)?, side(b)?);
        if from == to {
            return None; // only in a damaged graph
        }
        if from == a && to == b {
            steps.push(Step { from: ScriptNum(from), to: ScriptNum(to), tx: TxNum(tx) });
            continue;
        }
        // What is left of the union is asked again, in order.
        open.push((to, b));
        if a == from {
            steps.push(Step { from: ScriptNum(from), to: ScriptNum(to), tx: TxNum(tx) });
        } else {
            open.push((from, to));
            open.push((a, from));
        }
    }
    Some(steps)
}

fn inputs_of(graph: &Graph, tx: TxNum) -> Vec<u32> {
    let script = |p: Prevout| graph.prevout_script(p).map(|s| s.0);
    graph.prevouts(tx).filter_map(script).collect()
}

struct Stored<'a> {
    parents: &'a [u32],
    txs: &'a [u32],
}

impl Stored<'_> {
    /// The root of a script when only unions by earlier transactions are looked at.
    fn root_before(&self, mut at: u32, tx: u32) -> u32 {
        for _ in 0..64 {
            let (Some(parent), Some(by)) =
                (self.parents.get(at as usize), self.txs.get(at as usize))
            else {
                return at;
            };
            if *parent == at || *by >= tx {
                return at;
            }
            at = *parent;
        }
        at
    }

    /// The transaction of the latest union on the way between two scripts of one cluster.
    fn latest_between(&self, a: u32, b: u32) -> Option<u32> {
        let path = |mut at: u32| {
            let mut path = vec![at];
            while let Some(parent) = self.parents.get(at as usize).filter(|p| **p != at) {
                at = *parent;
                path.push(at);
                if path.len() > 64 {
                    break;
                }
            }
            path
        };
        let (from_a, from_b) = (path(a), path(b));
        let meeting = from_a.iter().find(|at| from_b.contains(at))?;
        let links = from_a
            .iter()
            .take_while(|at| *at != meeting)
            .chain(from_b.iter().take_while(|at| *at != meeting));
        links.filter_map(|at| self.txs.get(*at as usize)).copied().max()
    }
}

/// All scripts of a script's cluster, rising.
#[must_use]
pub fn members(graph: &Graph, script: ScriptNum) -> Vec<ScriptNum> {
    let root = graph.cluster(script);
    let count = u32::try_from(graph.counts().scripts).unwrap_or(u32::MAX);
    (0..count).map(ScriptNum).filter(|s| graph.cluster(*s) == root).collect()
}

/// A transaction that made one cluster of two large ones. One wrong join is enough to make a whole of two services:
/// this is where to look for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seam {
    /// The transaction.
    pub tx: TxNum,
    /// Scripts of the smaller side when it joined them.
    pub smaller: u64,
    /// Scripts of the larger one.
    pub larger: u64,
}

/// The seams of a cluster whose smaller side had at least `least` scripts, the largest first. `members` is all of it,
/// rising.
#[must_use]
pub fn seams(graph: &Graph, members: &[ScriptNum], least: u64) -> Vec<Seam> {
    let forest =
        Stored { parents: graph.u32s(Column::Cluster), txs: graph.u32s(Column::ClusterTx) };
    forest.seams(members, least)
}

impl Stored<'_> {
    fn seams(&self, members: &[ScriptNum], least: u64) -> Vec<Seam> {
        let parent = |at: u32| self.parents.get(at as usize).copied().filter(|p| *p != at);
        let depth = |mut at: u32| {
            let mut depth = 0_u32;
            while let Some(up) = parent(at).filter(|_| depth < 64) {
                (at, depth) = (up, depth + 1);
            }
            depth
        };
        // The unions again, in their order; within one transaction the lower ones came first.
        let mut unions: Vec<_> = members
            .iter()
            .filter_map(|script| {
                let tx = *self.txs.get(script.idx())?;
                Some((tx, std::cmp::Reverse(depth(script.0)), script.0, parent(script.0)?))
            })
            .collect();
        unions.sort_unstable();
        let mut sizes = vec![1_u64; members.len()];
        let place = |script: u32| members.binary_search(&ScriptNum(script)).ok();
        let mut seams = Vec::new();
        for (tx, _, lost, kept) in unions {
            let (Some(lost), Some(kept)) = (place(lost), place(kept)) else { continue };
            let lost = sizes.get(lost).copied().unwrap_or(0);
            let Some(kept) = sizes.get_mut(kept) else { continue };
            if lost.min(*kept) >= least {
                let (smaller, larger) = (lost.min(*kept), lost.max(*kept));
                seams.push(Seam { tx: TxNum(tx), smaller, larger });
            }
            *kept += lost;
        }
        seams.sort_by_key(|s| (std::cmp::Reverse(s.smaller), s.tx));
        seams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_scripts_have_one_root_and_the_forest_remembers() {
        let mut forest = Forest::new(10);
        for (a, b, tx) in [(0, 1, 5), (2, 3, 6), (1, 3, 7), (8, 9, 8), (0, 2, 9)] {
            forest.join(a, b, tx);
        }
        let roots: Vec<u32> = (0..10).map(|i| forest.root(i)).collect();
        assert!(roots[..4].iter().all(|r| *r == roots[0]));
        assert_eq!(roots[8], roots[9]);
        assert_eq!(roots[5], 5);
        let stored = Stored { parents: &forest.parent, txs: &forest.tx };
        assert_eq!(stored.latest_between(0, 3), Some(7));
        assert_eq!(stored.latest_between(0, 1), Some(5));
        let members: Vec<ScriptNum> = (0..4).map(ScriptNum).collect();
        let seam = Seam { tx: TxNum(7), smaller: 2, larger: 2 };
        assert_eq!(stored.seams(&members, 2), [seam]);
        assert_eq!(stored.seams(&members, 1).len(), 3);
        assert_eq!(stored.seams(&members, 3), []);
        assert_eq!(stored.root_before(3, 7), stored.root_before(2, 7));
        assert_ne!(stored.root_before(3, 7), stored.root_before(0, 7));
        assert_eq!(
            forest.tx.iter().filter(|t| **t != NO_TX).count(),
            4,
            "a second union adds nothing"
        );
    }
}
