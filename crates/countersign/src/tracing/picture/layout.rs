//! What is drawn and where: chains of transactions become one box, small flows one box a column, ends one box each.

use std::collections::{BTreeMap, HashMap, HashSet};

use chaingraph::{OutputNum, TxNum};
use trace::taint::{Arrival, Cut, Direction, Edge, Found, Place};

use super::super::found::{Report, tainted_of};
use super::super::name::sum;
use super::super::trace::Ground;

/// What a box is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// Transactions, one after the other.
    Chain(Vec<TxNum>),
    /// Transactions that are not drawn for themselves.
    More(usize),
    /// A mix.
    Mix(TxNum, &'static str),
    /// Mixes that are not drawn for themselves.
    MoreMixes(usize),
    /// A service: label, kind, payments.
    Service(String, String, usize),
    /// Payments to services that are not drawn for themselves.
    MoreServices(usize),
    /// A hand-over to another chain: bridge, chain and address.
    Bridge(String, String),
    /// Hand-overs that are not drawn for themselves.
    MoreBridges(usize),
    /// The coins whose origin was asked for.
    Asked(usize),
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
    /// Flows of the trace that are not drawn.
    pub left_out: u64,
}

/// Boxes of transactions that are drawn for themselves, at most; the others are gathered.
const BOXES_MAX: usize = 36;
/// Mixes, and services, that are drawn for themselves; the largest.
const ENDS_MAX: usize = 14;
/// What has less than a five-hundredth of the whole is gathered, however few boxes there are.
const LEAST: u64 = 500;
/// A picture with more columns is drawn with fewer boxes: it would not be readable on a screen or a page.
const COLUMNS_MAX: usize = 9;

/// Lays a trace out.
pub fn layout(ground: &Ground, report: &Report) -> Layout {
    let edges = connected(ground, report);
    let chains = Chains::of(&report.found, &edges);
    let mut boxes = BOXES_MAX;
    loop {
        let layout = with_boxes(ground, report, &edges, &chains, boxes);
        let columns = layout.nodes.iter().map(|n| n.column).max().unwrap_or(0) + 1;
        if columns <= COLUMNS_MAX || boxes <= 2 {
            return layout;
        }
        boxes = boxes * 3 / 4;
    }
}

/// The edges that hang together with what was asked: of a large trace only the largest edges are kept, and what they
/// are fed by may not be among them.
fn connected(ground: &Ground, report: &Report) -> Vec<Edge> {
    let mut edges = report.found.edges.clone();
    let forward = report.query.direction == Direction::Forward;
    let sources = report.query.sources.iter();
    let mut reached: HashSet<TxNum> = sources.filter_map(|o| ground.graph.tx_of(*o)).collect();
    if forward {
        edges.sort_unstable_by_key(|e| (e.from, e.output));
        edges.retain(|e| {
            let keep = reached.contains(&e.from);
            reached.extend(e.to.filter(|_| keep));
            keep
        });
    } else {
        let last = TxNum(u32::MAX);
        edges.sort_unstable_by_key(|e| (std::cmp::Reverse(e.to.unwrap_or(last)), e.output));
        edges.retain(|e| {
            let keep = e.to.is_none_or(|to| reached.contains(&to));
            reached.extend(Some(e.from).filter(|_| keep));
            keep
        });
    }
    edges
}

fn with_boxes(
    ground: &Ground,
    report: &Report,
    edges: &[Edge],
    chains: &Chains,
    boxes: usize,
) -> Layout {
    let found = &report.found;
    let mut mixed: Vec<_> = found.mixed.iter().collect();
    mixed.sort_by_key(|m| (std::cmp::Reverse(m.tainted_sat), m.tx));
    let own = |at: usize, sat: u64| at < ENDS_MAX && is_large(sat, found);
    let mixed = mixed.iter().enumerate().map(|(at, m)| match own(at, m.tainted_sat) {
        true => (m.tx, What::Mix(m.tx, m.class.word())),
        false => (m.tx, What::MoreMixes(0)),
    });
    let mixes: HashMap<TxNum, What> = mixed.collect();
    let shown = largest(found, edges, chains, &mixes, boxes);
    let mut mixes = mixes;
    if report.query.through_mixers {
        let mut judge = trace::taint::Mixes::new(&ground.graph);
        let mix = |tx: &TxNum| judge.of(*tx).map(|mix| (*tx, What::Mix(*tx, mix.class.word())));
        let gone_through: Vec<_> = shown.iter().filter_map(mix).collect();
        mixes.extend(gone_through);
    }
    let drawn = |head: TxNum| shown.contains(&head) || mixes.contains_key(&head);
    let columns = columns(edges, chains, &drawn);
    let mut build = Build {
        ground,
        chains,
        shown: &shown,
        mixes: &mixes,
        columns: &columns,
        layout: Layout::default(),
        places: BTreeMap::new(),
        gathered: HashSet::new(),
    };
    let ends = ends(ground, report);
    let mut flows: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for edge in edges {
        let from = build.tx(edge.from);
        let to = match edge.to {
            Some(tx) => build.tx(tx),
            None => {
                let what = ends.get(&edge.output).cloned().unwrap_or(What::Ended("other", 0));
                build.end(what, edge)
            }
        };
        if from != to {
            let flow = flows.entry((from, to)).or_default();
            *flow = flow.saturating_add(edge.tainted_sat);
        }
    }
    let Build { mut layout, .. } = build;
    layout.left_out = found.edges_left_out.0 + (found.edges.len() - edges.len()) as u64;
    layout.flows = flows.into_iter().map(|((from, to), sat)| Flow { from, to, sat }).collect();
    measure(&mut layout);
    // The smallest edges may be left out of a trace; what it says of its ends is whole.
    for node in &mut layout.nodes {
        match &mut node.what {
            What::Unspent(n) => {
                // What was handed over stands elsewhere.
                let is_here = |a: &&Arrival| matches!(ends.get(&a.output), Some(What::Unspent(_)));
                let list = || found.unspent.iter().filter(is_here);
                *n = list().count();
                node.sat = sum(list().map(|a| a.tainted_sat));
            }
            What::Ended(reason, n) => {
                let is_here = |c: &&Cut| match c.place {
                    Place::Output(output) => matches!(ends.get(&output), Some(What::Ended(..))),
                    Place::Outside(..) => true,
                };
                let list =
                    || found.cut.iter().filter(|c| c.reason.word() == *reason).filter(is_here);
                *n = list().count();
                node.sat = sum(list().map(|c| c.tainted_sat)).max(node.sat);
            }
            _ => {}
        }
    }
    layout
}

/// Chains of transactions: each has the other as its only follower and only forerunner.
struct Chains {
    head: HashMap<TxNum, TxNum>,
    members: HashMap<TxNum, Vec<TxNum>>,
}

impl Chains {
    fn of(found: &Found, edges: &[Edge]) -> Self {
        let mut next: HashMap<TxNum, Vec<TxNum>> = HashMap::new();
        let mut before: HashMap<TxNum, Vec<TxNum>> = HashMap::new();
        let mut all: Vec<TxNum> = Vec::new();
        for edge in edges {
            all.push(edge.from);
            if let Some(to) = edge.to {
                all.push(to);
                next.entry(edge.from).or_default().push(to);
                before.entry(to).or_default().push(edge.from);
            }
        }
        all.sort_unstable();
        all.dedup();
        let mixes: HashSet<TxNum> = found.mixed.iter().map(|m| m.tx).collect();
        let only = |list: Option<&Vec<TxNum>>| {
            let list = list?;
            let first = *list.first()?;
            list.iter().all(|tx| *tx == first).then_some(first)
        };
        let (mut head, mut members): (HashMap<TxNum, TxNum>, HashMap<TxNum, Vec<TxNum>>) =
            Default::default();
        for tx in all {
            // A mix is a box of its own.
            let joined = only(before.get(&tx))
                .filter(|b| only(next.get(b)) == Some(tx) && !mixes.contains(&tx));
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

/// The column of each chain: one more than the last that flows into it, where one of the two is drawn for itself; others
/// are gathered in the column where they begin. Transactions spend earlier ones only, so one pass in chain order does.
fn columns(
    edges: &[Edge],
    chains: &Chains,
    drawn: &dyn Fn(TxNum) -> bool,
) -> HashMap<TxNum, usize> {
    let mut edges: Vec<_> = edges.iter().filter_map(|e| e.to.map(|to| (e.from, to))).collect();
    edges.sort_unstable_by_key(|(from, to)| (*to, *from));
    let mut columns: HashMap<TxNum, usize> = HashMap::new();
    for (from, to) in edges {
        let (from, to) = (chains.head(from), chains.head(to));
        if from != to {
            let step = usize::from(drawn(from) || drawn(to));
            let after = columns.get(&from).copied().unwrap_or(0) + step;
            let column = columns.entry(to).or_default();
            *column = (*column).max(after);
        }
    }
    columns
}

/// Whether it is worth a box of its own.
fn is_large(sat: u64, found: &Found) -> bool {
    sat.saturating_mul(LEAST) >= found.stolen_sat
}

/// The chains that carry most.
fn largest(
    found: &Found,
    edges: &[Edge],
    chains: &Chains,
    mixes: &HashMap<TxNum, What>,
    boxes: usize,
) -> HashSet<TxNum> {
    let mut through: HashMap<TxNum, u64> = HashMap::new();
    for edge in edges {
        let sat = through.entry(chains.head(edge.from)).or_default();
        *sat = sat.saturating_add(edge.tainted_sat);
    }
    let mut list: Vec<_> = through.into_iter().collect();
    list.sort_by_key(|(tx, sat)| (std::cmp::Reverse(*sat), *tx));
    list.retain(|(tx, sat)| !mixes.contains_key(tx) && is_large(*sat, found));
    list.into_iter().take(boxes).map(|(tx, _)| tx).collect()
}

/// What becomes of outputs at which the trace ends.
fn ends(ground: &Ground, report: &Report) -> HashMap<OutputNum, What> {
    let found = &report.found;
    let mut ends = HashMap::new();
    for source in &report.query.sources {
        ends.insert(*source, What::Asked(0));
    }
    for arrival in &found.unspent {
        ends.insert(arrival.output, What::Unspent(0));
    }
    for cut in &found.cut {
        if let Place::Output(output) = cut.place {
            ends.insert(output, What::Ended(cut.reason.word(), 0));
        }
    }
    let mut services: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for met in &found.resolved {
        let key = (met.label.label.as_str(), met.label.kind.word());
        let sat = services.entry(key).or_default();
        *sat = sat.saturating_add(met.arrival.tainted_sat);
    }
    let mut largest: Vec<_> = services.into_iter().collect();
    largest.sort_by_key(|(key, sat)| (std::cmp::Reverse(*sat), *key));
    largest.truncate(ENDS_MAX);
    largest.retain(|(_, sat)| is_large(*sat, found));
    for met in &found.resolved {
        let (label, kind) = (met.label.label.as_str(), met.label.kind.word());
        let what = match largest.iter().any(|(key, _)| *key == (label, kind)) {
            true => What::Service(label.to_owned(), kind.to_owned(), 0),
            false => What::MoreServices(0),
        };
        ends.insert(met.arrival.output, what);
    }
    let mut over: Vec<_> =
        report.handovers.iter().filter(|h| !h.refunded && h.confidence >= 0.5).collect();
    over.sort_by_key(|h| (std::cmp::Reverse(tainted_of(found, h.output)), h.output));
    let mut shown: HashSet<(String, String)> = HashSet::new();
    for h in over {
        let chain = h.chain.clone().unwrap_or_else(|| "another chain".to_owned());
        let to = h.address.clone().or_else(|| h.name.clone()).unwrap_or_default();
        let key = (format!("{} to {chain}", h.bridge), to);
        let what = if shown.contains(&key) || shown.len() < ENDS_MAX {
            shown.insert(key.clone());
            What::Bridge(key.0, key.1)
        } else {
            What::MoreBridges(0)
        };
        if ground.graph.spender(h.output).is_none() || ends.contains_key(&h.output) {
            ends.insert(h.output, what);
        }
    }
    ends
}

struct Build<'a> {
    ground: &'a Ground,
    chains: &'a Chains,
    shown: &'a HashSet<TxNum>,
    mixes: &'a HashMap<TxNum, What>,
    columns: &'a HashMap<TxNum, usize>,
    layout: Layout,
    places: BTreeMap<(usize, What), usize>,
    /// Transactions that are counted in a box of small flows.
    gathered: HashSet<TxNum>,
}

impl Build<'_> {
    fn tx(&mut self, tx: TxNum) -> usize {
        let head = self.chains.head(tx);
        let column = self.columns.get(&head).copied().unwrap_or(0);
        let (column, what) = match self.mixes.get(&tx) {
            Some(What::MoreMixes(_)) => (usize::MAX, What::MoreMixes(0)),
            Some(mix) => (column, mix.clone()),
            None if self.shown.contains(&head) => {
                let members = self.chains.members.get(&head).cloned().unwrap_or_default();
                (column, What::Chain(members))
            }
            None => (column, What::More(0)),
        };
        let at = self.place(column, what);
        self.time(at, self.ground.graph.block_of(tx).map(|b| b.time));
        if let Some(Node { what: What::More(n) | What::MoreMixes(n), .. }) =
            self.layout.nodes.get_mut(at)
            && self.gathered.insert(tx)
        {
            *n += 1;
        }
        at
    }

    fn end(&mut self, what: What, edge: &Edge) -> usize {
        let at = self.place(usize::MAX, what);
        self.time(at, self.ground.graph.block_of(edge.from).map(|b| b.time));
        if let Some(node) = self.layout.nodes.get_mut(at) {
            match &mut node.what {
                What::Service(_, _, n)
                | What::MoreServices(n)
                | What::MoreBridges(n)
                | What::Asked(n) => {
                    *n += 1;
                }
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
            *sum = sum.saturating_add(flow.sat);
        }
        if let Some(sum) = into.get_mut(flow.to) {
            *sum = sum.saturating_add(flow.sat);
        }
    }
    for (node, (into, out)) in layout.nodes.iter_mut().zip(into.into_iter().zip(out)) {
        node.sat = into.max(out);
        if node.column == usize::MAX {
            node.column = last + 1;
        }
    }
}
