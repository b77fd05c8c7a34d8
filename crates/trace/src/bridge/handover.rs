//! Hand-overs in a trace: which bridge, to which chain and address, how much, by which transaction, and how sure.

use std::collections::{HashMap, HashSet};

use chaingraph::{Graph, OutputNum, ScriptNum, TxNum, header};

use super::memo::{self, Memo};
use super::tbtc::{self, Spent};
use crate::labels::{Attribution, Kind};

/// What speaks for a hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// The vault's address has a label of kind bridge.
    Label,
    /// The vault refunded, or paid out for, a transaction of this graph that had paid it.
    VaultAnswered,
    /// The vault paid out several times with a bridge's memos.
    VaultPaysOut,
    /// The vault paid out once with a bridge's memo.
    VaultPaidOnce,
    /// The memo alone: anybody can write one.
    MemoAlone,
    /// A deposit's script, revealed by the wallet that swept it.
    Revealed,
}

impl Evidence {
    /// How sure it makes the hand-over.
    #[must_use]
    pub const fn confidence(self) -> f64 {
        match self {
            Self::Label => 0.95,
            Self::VaultAnswered => 0.93,
            Self::VaultPaysOut => 0.90,
            Self::VaultPaidOnce => 0.57,
            Self::MemoAlone => 0.30,
            Self::Revealed => 0.98,
        }
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Label => "the vault's address is labelled a bridge",
            Self::VaultAnswered => "the vault answered a transaction of this graph by its txid",
            Self::VaultPaysOut => "the vault pays out with the bridge's memos",
            Self::VaultPaidOnce => "the vault paid out once with the bridge's memo",
            Self::MemoAlone => "the memo alone; anybody can write one",
            Self::Revealed => "the deposit's script, revealed by the wallet's sweep",
        }
    }
}

/// A hand-over.
#[derive(Clone, PartialEq, Debug)]
pub struct HandOver {
    /// The bridge.
    pub bridge: &'static str,
    /// The chain where the value arrives, where it is known.
    pub chain: Option<String>,
    /// The asset asked for.
    pub asset: Option<String>,
    /// The address there; `None` where a name or a number stands for it.
    pub address: Option<String>,
    /// A name or number that resolves on the bridge alone.
    pub name: Option<String>,
    /// The output that was handed over.
    pub output: OutputNum,
    /// Its transaction.
    pub tx: TxNum,
    /// The vault gave it back: the hand-over did not happen.
    pub refunded: bool,
    /// What speaks for it.
    pub evidence: Evidence,
    /// How sure that is.
    pub confidence: f64,
}

/// Spends of one vault that are looked at.
const SPENDS_MAX: usize = 20_000;

/// Finds the hand-overs among transactions, rising; those that repeat are looked at once.
#[must_use]
pub fn find(graph: &Graph, attribution: &Attribution, txs: &[TxNum]) -> Vec<HandOver> {
    let mut found: Vec<HandOver> =
        txs.iter().filter_map(|tx| by_memo(graph, attribution, *tx)).collect();
    let scripts: HashSet<ScriptNum> = found.iter().filter_map(|h| graph.script(h.output)).collect();
    let vaults = Vaults::read(graph, &scripts);
    for handover in &mut found {
        let Some(script) = graph.script(handover.output) else { continue };
        let txid = header::show(&graph.txid(handover.tx));
        handover.refunded = vaults.refunded.contains(&txid);
        if handover.evidence == Evidence::MemoAlone {
            handover.evidence = vaults.evidence(script);
            handover.confidence = handover.evidence.confidence();
        }
    }
    found.extend(by_reveal(graph, txs));
    found.sort_by_key(|h| h.output);
    found
}

fn scripts_of(graph: &Graph, tx: TxNum) -> Vec<Vec<u8>> {
    graph.scripts_of(tx).map(|(_, script)| script).collect()
}

fn memo_of(graph: &Graph, tx: TxNum) -> String {
    memo::of_outputs(scripts_of(graph, tx).iter().map(Vec::as_slice))
}

fn by_memo(graph: &Graph, attribution: &Attribution, tx: TxNum) -> Option<HandOver> {
    if graph.outputs_of(tx).all(|o| graph.script(o).is_some()) {
        return None;
    }
    let memo = memo::parse(&memo_of(graph, tx));
    let (chain, asset, address, name) = match memo {
        Memo::Swap(swap) => (Some(swap.chain), Some(swap.asset), swap.address, swap.name),
        Memo::Deposit { chain, address, .. } => (Some(chain.to_owned()), None, address, None),
        Memo::Reference(number) => (None, None, None, Some(number)),
        Memo::Out { .. } | Memo::Internal | Memo::Nothing(_) => return None,
    };
    let (output, labelled) = vault_output(graph, attribution, tx)?;
    let evidence = if labelled { Evidence::Label } else { Evidence::MemoAlone };
    let is_maya = chain
        .as_deref()
        .is_some_and(|c| ["MAYA", "DASH", "KUJI", "ARB", "ZEC", "XRD", "ADA"].contains(&c));
    Some(HandOver {
        bridge: if is_maya { "mayachain" } else { "thorchain" },
        chain,
        asset,
        address,
        name,
        output,
        tx,
        refunded: false,
        evidence,
        confidence: evidence.confidence(),
    })
}

/// The output that goes to the vault: one labelled a bridge; else the first that has value and does not go back to the
/// first input's script. Returns whether a label says so.
fn vault_output(graph: &Graph, attribution: &Attribution, tx: TxNum) -> Option<(OutputNum, bool)> {
    let sender = graph.prevouts(tx).next().and_then(|p| graph.prevout_script(p));
    let with_value =
        || graph.outputs_of(tx).filter(|o| graph.script(*o).is_some() && graph.value(*o) > 0);
    let is_bridge = |o: &OutputNum| {
        let labels = graph.script(*o).map(|s| attribution.of(graph, s)).unwrap_or_default();
        labels.iter().any(|l| l.label.kind == Kind::Bridge)
    };
    if let Some(output) = with_value().find(is_bridge) {
        return Some((output, true));
    }
    let mut candidates = with_value().filter(|o| graph.script(*o) != sender);
    candidates.next().map(|output| (output, false))
}

/// What the spends of supposed vaults say.
#[derive(Default)]
struct Vaults {
    answered: HashSet<ScriptNum>,
    paid_out: HashMap<ScriptNum, usize>,
    refunded: HashSet<String>,
}

impl Vaults {
    fn read(graph: &Graph, scripts: &HashSet<ScriptNum>) -> Self {
        let mut vaults = Self::default();
        let wanted: Vec<ScriptNum> = scripts.iter().copied().collect();
        let mut seen = HashSet::new();
        let mut looked_at: HashMap<ScriptNum, usize> = HashMap::new();
        for output in graph.outputs_with(&wanted) {
            let (Some(script), Some(spender)) = (graph.script(output), graph.spender(output))
            else {
                continue;
            };
            let looked = looked_at.entry(script).or_default();
            if *looked >= SPENDS_MAX || !seen.insert((script, spender)) {
                continue;
            }
            *looked += 1;
            if let Memo::Out { refund, txid } = memo::parse(&memo_of(graph, spender)) {
                *vaults.paid_out.entry(script).or_default() += 1;
                let answered = header::read(&txid).and_then(|txid| graph.find_tx(&txid));
                let paid = answered.is_some_and(|tx| {
                    tx < spender && graph.outputs_of(tx).any(|o| graph.script(o) == Some(script))
                });
                if paid {
                    vaults.answered.insert(script);
                    if refund {
                        vaults.refunded.insert(txid);
                    }
                }
            }
        }
        vaults
    }

    fn evidence(&self, vault: ScriptNum) -> Evidence {
        match self.paid_out.get(&vault) {
            _ if self.answered.contains(&vault) => Evidence::VaultAnswered,
            Some(3..) => Evidence::VaultPaysOut,
            Some(_) => Evidence::VaultPaidOnce,
            None => Evidence::MemoAlone,
        }
    }
}

/// Deposits to tBTC that one of the transactions swept.
fn by_reveal(graph: &Graph, txs: &[TxNum]) -> Vec<HandOver> {
    let wanted: HashSet<TxNum> = txs.iter().copied().collect();
    let mut found = Vec::new();
    for (input, key, script) in graph.reveals() {
        let Some(tx) = graph.tx_of_input(input).filter(|tx| wanted.contains(tx)) else { continue };
        let Some(deposit) = tbtc::parse(script) else { continue };
        let Some(chaingraph::Prevout::Held(output)) = graph.prevout(input) else { continue };
        if deposit.spent_by(key) == Spent::Swept {
            found.push(HandOver {
                bridge: "tbtc",
                chain: Some("ETH".to_owned()),
                asset: Some("tBTC".to_owned()),
                address: Some(deposit.address()),
                name: None,
                output,
                tx,
                refunded: false,
                evidence: Evidence::Revealed,
                confidence: Evidence::Revealed.confidence(),
            });
        }
    }
    found
}
