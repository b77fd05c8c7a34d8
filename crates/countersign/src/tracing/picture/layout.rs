//! What is drawn and where: chains of transactions become one box, small flows one box a column, ends one box each.

use std::collections::{BTreeMap, HashMap, HashSet};

use chaingraph::{OutputNum, TxNum};
use trace::taint::{Found, Place};

use super::super::found::Report;
use super::super::trace::Ground;

/// What a box is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// Transactions, one after the other.
    Chain(Vec<TxNum>),
    /// Transactions with little value each.
    Small(usize),
    /// A mix.
    Mix(TxNum, &'static str),
    /// A service: label, kind, payments.
    Service(String, String, usize),
    /// A hand-over to another chain: bridge, chain and address.
    Bridge(String, String),
    /// Coins that lie still: outputs.
    Unspent(usize),
    /// Anything else that ends: the reason, outputs.
    Ended(&'static str, usize),
}

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub what: What,
    /// Its column, from the left.
    pub column: usize,
    /// Tainted satoshi through it.
    pub sat: u64,
    /// First and last moment, Unix seconds.
    pub times: Option<(u32, u32)>,
}

/// A flow between two boxes.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Box that it leaves.
    pub from: usize,
    /// Box that it enters.
    pub to: usize,
    /// Tainted satoshi.
    pub sat: u64,
}

/// Boxes and flows.
#[derive(Debug, Default)]
pub struct Layout {
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Flows, each pair of boxes once.
    pub flows: Vec<Flow>,
}

/// Boxes of transactions that are drawn for themselves; the others are gathered.
const BOXES_MAX: usize = 36;

/// Lays a trace out.
pub fn layout(ground: &Ground, report: &Report) -> Layout {
    let found = &report.found;
    let chains = Chains::of(found);
    let columns = columns(found, &chains);
    let shown = largest(found, &chains);
    let mut build = Build {
        ground,
        layout: Layout::default(),
        places: BTreeMap::new(),
        gathered: HashSet::new(),
    };
    let mixes: HashMap<TxNum, &'static str> =
        found.mixed.iter().map(|m| (m.tx, m.class.word())).collect();
    let ends = ends(ground, report);
    let mut flows: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for edge in &found.edges {
        let from = build.tx(&chains, &columns, &shown, &mixes, edge.from);
        let to = match edge.to {
            Some(tx) => build.tx(&chains, &columns, &shown, &mixes, tx),
            None => {
                let what = ends.get(&edge.output).cloned().unwrap_or(What::Ended("other", 0));
                build.end(what, edge)
            }
        };
        if from != to {
            *flows.entry((from, to)).or_default() += edge.tainted_sat;
        }
    }
    let Build { mut layout, .. } = build;
    layout.flows = flows.into_iter().map(|((from, to), sat)| Flow { from, to, sat }).collect();
    measure(&mut layout);
    layout
}

/// Chains of transactions: each has the other as its only follower and only forerunner.
struct Chains {
    head: HashMap<TxNum, TxNum>,
    members: HashMap<TxNum, Vec<TxNum>>,
}

impl Chains {
    fn of(found: &Found) -> Self {
        let mut next: HashMap<TxNum, Vec<TxNum>> = HashMap::new();
        let mut before: HashMap<TxNum, Vec<TxNum>> = HashMap::new();
        let mut all: Vec<TxNum> = Vec::new();
        for edge in &found.edges {
            all.push(edge.from);
            if let Some(to) = edge.to {
                all.push(to);
                next.entry(edge.from).or_default().push(to);
                before.entry(to).or_default().push(edge.from);
            }
        }
        all.sort_unstable();
        all.dedup();
        let only = |list: Option<&Vec<TxNum>>| {
            let list = list?;
            let first = *list.first()?;
            list.iter().all(|tx| *tx == first).then_some(first)
        };
        let (mut head, mut members): (HashMap<TxNum, TxNum>, HashMap<TxNum, Vec<TxNum>>) =
            Default::default();
        for tx in all {
            let joined = only(before.get(&tx)).filter(|b| only(next.get(b)) == Some(tx));
            let of = joined.and_then(|b| head.get(&b)).copied().unwrap_or(tx);
            head.insert(tx, of);
            members.entry(of).or_default().push(tx);
        }
        Self { head, members }
    }

    fn head(&self, tx: TxNum) -> TxNum {
        self.head.get(&tx).copied().unwrap_or(tx)
    }
}

/// The column of each chain: one more than the last that flows into it. Transactions spend earlier ones only, so one
/// pass in chain order does.
fn columns(found: &Found, chains: &Chains) -> HashMap<TxNum, usize> {
    let mut edges: Vec<_> =
        found.edges.iter().filter_map(|e| e.to.map(|to| (e.from, to))).collect();
    edges.sort_unstable_by_key(|(from, to)| (*to, *from));
    let mut columns: HashMap<TxNum, usize> = HashMap::new();
    for (from, to) in edges {
        let (from, to) = (chains.head(from), chains.head(to));
        if from != to {
            let after = columns.get(&from).copied().unwrap_or(0) + 1;
            let column = columns.entry(to).or_default();
            *column = (*column).max(after);
        }
    }
    columns
}

/// The chains that carry most.
fn largest(found: &Found, chains: &Chains) -> HashSet<TxNum> {
    let mut through: HashMap<TxNum, u64> = HashMap::new();
    for edge in &found.edges {
        *through.entry(chains.head(edge.from)).or_default() += edge.tainted_sat;
    }
    let mut list: Vec<_> = through.into_iter().collect();
    list.sort_by_key(|(tx, sat)| (std::cmp::Reverse(*sat), *tx));
    list.into_iter().take(BOXES_MAX).map(|(tx, _)| tx).collect()
}

/// What becomes of outputs at which the trace ends.
fn ends(ground: &Ground, report: &Report) -> HashMap<OutputNum, What> {
    let found = &report.found;
    let mut ends = HashMap::new();
    for arrival in found.unspent.iter().chain(&found.mined) {
        ends.insert(arrival.output, What::Unspent(0));
    }
    for cut in &found.cut {
        if let Place::Output(output) = cut.place {
            ends.insert(output, What::Ended(cut.reason.word(), 0));
        }
    }
    for met in &found.resolved {
        let label = &met.label;
        let what = What::Service(label.label.clone(), label.kind.word().to_owned(), 0);
        ends.insert(met.arrival.output, what);
    }
    for h in report.handovers.iter().filter(|h| !h.refunded && h.confidence >= 0.5) {
        let chain = h.chain.clone().unwrap_or_else(|| "another chain".to_owned());
        let to = h.address.clone().or_else(|| h.name.clone()).unwrap_or_default();
        let what = What::Bridge(format!("{} to {chain}", h.bridge), to);
        if ground.graph.spender(h.output).is_none() || ends.contains_key(&h.output) {
            ends.insert(h.output, what);
        }
    }
    ends
}

struct Build<'a> {
    ground: &'a Ground,
    layout: Layout,
    places: BTreeMap<(usize, What), usize>,
    /// Transactions that are counted in a box of small flows.
    gathered: HashSet<TxNum>,
}

impl Build<'_> {
    fn tx(
        &mut self,
        chains: &Chains,
        columns: &HashMap<TxNum, usize>,
        shown: &HashSet<TxNum>,
        mixes: &HashMap<TxNum, &'static str>,
        tx: TxNum,
    ) -> usize {
        let head = chains.head(tx);
        let column = columns.get(&head).copied().unwrap_or(0);
        let members = chains.members.get(&head).cloned().unwrap_or_default();
        let what = match mixes.get(&tx) {
            Some(class) => What::Mix(tx, class),
            None if shown.contains(&head) => What::Chain(members),
            None => What::Small(0),
        };
        let at = self.place(column, what);
        self.time(at, self.ground.graph.block_of(tx).map(|b| b.time));
        if let Some(Node { what: What::Small(n), .. }) = self.layout.nodes.get_mut(at)
            && self.gathered.insert(tx)
        {
            *n += 1;
        }
        at
    }

    fn end(&mut self, what: What, edge: &trace::taint::Edge) -> usize {
        let at = self.place(usize::MAX, what);
        self.time(at, self.ground.graph.block_of(edge.from).map(|b| b.time));
        if let Some(node) = self.layout.nodes.get_mut(at) {
            match &mut node.what {
                What::Service(_, _, n) | What::Unspent(n) | What::Ended(_, n) => *n += 1,
                _ => {}
            }
        }
        at
    }

    fn place(&mut self, column: usize, what: What) -> usize {
        let next = self.layout.nodes.len();
        let at = *self.places.entry((column, what.clone())).or_insert(next);
        if at == next {
            self.layout.nodes.push(Node { what, column, sat: 0, times: None });
        }
        at
    }

    fn time(&mut self, at: usize, time: Option<u32>) {
        if let (Some(node), Some(time)) = (self.layout.nodes.get_mut(at), time) {
            let (first, last) = node.times.unwrap_or((time, time));
            node.times = Some((first.min(time), last.max(time)));
        }
    }
}

/// Boxes are as high as what flows through them; ends stand in the last column.
fn measure(layout: &mut Layout) {
    let last =
        layout.nodes.iter().map(|n| n.column).filter(|c| *c != usize::MAX).max().unwrap_or(0);
    let (mut into, mut out) = (vec![0_u64; layout.nodes.len()], vec![0_u64; layout.nodes.len()]);
    for flow in &layout.flows {
        if let Some(sum) = out.get_mut(flow.from) {
            *sum += flow.sat;
        }
        if let Some(sum) = into.get_mut(flow.to) {
            *sum += flow.sat;
        }
    }
    for (node, (into, out)) in layout.nodes.iter_mut().zip(into.into_iter().zip(out)) {
        node.sat = into.max(out);
        if node.column == usize::MAX {
            node.column = last + 1;
        }
    }
}
