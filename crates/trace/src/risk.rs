//! How risky an address is, and why: its own labels, its cluster's, and what reached it from labelled addresses, near
//! and far. Computed once for a set of labels; an answer is then two lookups, fit for a withdrawal's policy in process.
//!
//! It judges where an address's coins came from. Whom it paid is not looked at.

use std::collections::HashMap;

use chaingraph::{Graph, OutputNum, ScriptNum};

use crate::labels::{Attribution, Kind};
use crate::taint::{Direction, Method, Query, Reason as Cut, Unbalanced, trace_visiting};

/// What makes an address risky.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reason<'a> {
    /// The kind of label behind it.
    pub kind: &'a Kind,
    /// How it touches the address.
    pub touch: Touch,
    /// Whose label, or the labels' kind for exposure to several.
    pub label: &'a str,
    /// Who says so.
    pub source: &'a str,
    /// Tainted satoshi that the address received; 0 for labels of its own.
    pub sat: u64,
    /// The share of what it received, 0 to 1; 1 for labels of its own.
    pub share: f64,
    /// What this reason alone makes the score, 0 to 1.
    pub weight: f64,
}

/// How a label touches an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Touch {
    /// It is the address's own.
    Own,
    /// It is of the address's cluster.
    Cluster,
    /// The address was paid by a labelled one.
    Direct,
    /// Taint reached it over other addresses, by haircut.
    Indirect,
}

impl Touch {
    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "label",
            Self::Cluster => "cluster",
            Self::Direct => "direct_exposure",
            Self::Indirect => "indirect_exposure",
        }
    }
}

/// An address's risk.
#[derive(Clone, PartialEq, Debug)]
pub struct Risk<'a> {
    /// 0 (nothing known) to 1.
    pub score: f64,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason<'a>>,
}

/// What a kind of label weighs, 0 to 1: `docs/labels.md` has the table.
#[must_use]
pub fn weight(kind: &Kind) -> f64 {
    match kind {
        Kind::Sanctioned | Kind::Theft => 1.0,
        Kind::Mixer => 0.6,
        Kind::Gambling => 0.1,
        Kind::Other(word) => match word.as_str() {
            "terrorism" | "csam" => 1.0,
            "ransomware" | "extortion" | "laundering" => 0.9,
            "scam" | "illicit" => 0.7,
            _ => 0.0,
        },
        // Markets are lawful or not: a pack's abuse says so, its kind does not.
        Kind::Market => 0.3,
        Kind::Exchange | Kind::Bridge | Kind::Payment | Kind::Hosted | Kind::Person => 0.0,
    }
}

/// Indirect exposure weighs half.
const INDIRECT: f64 = 0.5;
/// Taint below this is not followed: dust reaches everybody.
const FOLLOWED_FROM_SAT: u64 = 1_000;

#[derive(Clone, Copy, Default, Debug)]
struct Exposure {
    direct_sat: u64,
    indirect_sat: u64,
}

/// Risks of all addresses of a graph under a set of labels.
#[derive(Debug)]
pub struct Index<'a> {
    graph: &'a Graph,
    attribution: &'a Attribution,
    kinds: Vec<Kind>,
    /// By script and kind.
    exposures: HashMap<(u32, u8), Exposure>,
    /// What exposed scripts received in all.
    received: HashMap<u32, u64>,
    /// Taint that could not be followed to its end, in all: the scores are too low by what it would have reached.
    pub not_followed_sat: u64,
}

impl<'a> Index<'a> {
    /// Follows each risky kind of label through the graph once. `progress` is told kinds done and in all.
    ///
    /// # Errors
    /// A trace does not add up: the graph is damaged.
    pub fn new(
        graph: &'a Graph,
        attribution: &'a Attribution,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, Unbalanced> {
        let mut kinds: Vec<Kind> = attribution.labels().iter().map(|l| l.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        kinds.retain(|kind| weight(kind) > 0.0);
        kinds.truncate(usize::from(u8::MAX));
        let mut exposures: HashMap<(u32, u8), Exposure> = HashMap::new();
        let scripts = attribution.scripts();
        let mut not_followed_sat = 0_u64;
        for (at, kind) in kinds.iter().enumerate() {
            progress(at as u64, kinds.len() as u64);
            let labelled =
                scripts.iter().filter(|(_, labels)| labels.iter().any(|l| l.kind == *kind));
            let labelled: Vec<ScriptNum> = labelled.map(|(script, _)| *script).collect();
            let number = u8::try_from(at).unwrap_or(u8::MAX);
            let lost = follow(graph, attribution, &labelled, |script, sat, hops| {
                let exposure = exposures.entry((script.0, number)).or_default();
                let sum =
                    if hops <= 1 { &mut exposure.direct_sat } else { &mut exposure.indirect_sat };
                *sum = sum.saturating_add(sat);
            })?;
            not_followed_sat = not_followed_sat.saturating_add(lost);
        }
        let mut received: HashMap<u32, u64> =
            exposures.keys().map(|(script, _)| (*script, 0)).collect();
        if !received.is_empty() {
            for output in (0..graph.counts().outputs).map(OutputNum) {
                let sum = graph.script(output).and_then(|script| received.get_mut(&script.0));
                if let Some(sum) = sum {
                    *sum = sum.saturating_add(graph.value(output));
                }
            }
        }
        progress(kinds.len() as u64, kinds.len() as u64);
        Ok(Self { graph, attribution, kinds, exposures, received, not_followed_sat })
    }

    /// The risk of a script that the graph has.
    #[must_use]
    pub fn of(&self, script: ScriptNum) -> Risk<'_> {
        let mut reasons = Vec::new();
        for applied in self.attribution.of(self.graph, script) {
            // Those that weigh nothing are told too: whose address it is matters to who asks.
            reasons.push(Reason {
                kind: &applied.label.kind,
                touch: if applied.via_cluster { Touch::Cluster } else { Touch::Own },
                label: &applied.label.label,
                source: &applied.label.source,
                sat: 0,
                share: 1.0,
                weight: weight(&applied.label.kind) * applied.confidence,
            });
        }
        // The same said twice is one reason: the surest of each kind and touch.
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut told: Vec<Reason<'_>> = Vec::with_capacity(reasons.len());
        for reason in reasons {
            if !told.iter().any(|r| (r.touch, r.kind) == (reason.touch, reason.kind)) {
                told.push(reason);
            }
        }
        let mut reasons = told;
        let received = self.received.get(&script.0).copied().unwrap_or(0);
        if received > 0 {
            for (at, kind) in self.kinds.iter().enumerate() {
                let key = (script.0, u8::try_from(at).unwrap_or(u8::MAX));
                let Some(exposure) = self.exposures.get(&key) else { continue };
                let touches = [
                    (Touch::Direct, exposure.direct_sat),
                    (Touch::Indirect, exposure.indirect_sat),
                ];
                for (touch, sat) in touches.into_iter().filter(|(_, sat)| *sat > 0) {
                    reasons.push(exposed(kind, touch, sat, received));
                }
            }
        }
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        // Independent reasons: one minus the product of what each leaves.
        let left: f64 = reasons.iter().map(|r| 1.0 - r.weight).product();
        Risk { score: 1.0 - left, reasons }
    }

    /// The risk of a script by its bytes; `None` where the graph never saw it, about which nothing is known.
    #[must_use]
    pub fn of_script(&self, script: &[u8]) -> Option<Risk<'_>> {
        self.graph.find_script(script).map(|number| self.of(number))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn exposed(kind: &Kind, touch: Touch, sat: u64, received: u64) -> Reason<'_> {
    let share = (sat as f64 / received as f64).min(1.0);
    let factor = if touch == Touch::Direct { 1.0 } else { INDIRECT };
    Reason {
        kind,
        touch,
        label: kind.word(),
        source: "haircut from all addresses so labelled",
        sat,
        share,
        weight: weight(kind) * share * factor,
    }
}

/// Follows all that labelled scripts received, by haircut, to where services and mixes end it. The scripts themselves
/// are not told: their labels speak. Returns what could not be followed.
fn follow(
    graph: &Graph,
    attribution: &Attribution,
    labelled: &[ScriptNum],
    mut tell: impl FnMut(ScriptNum, u64, u32),
) -> Result<u64, Unbalanced> {
    if labelled.is_empty() {
        return Ok(0);
    }
    let mut query = Query::new(Direction::Forward, Method::Haircut, graph.outputs_with(labelled));
    query.edges_max = 0;
    query.min_sat = FOLLOWED_FROM_SAT;
    let mut visit = |v: &crate::taint::Visit| {
        if let Some(script) = graph.script(v.output).filter(|_| v.hops > 0) {
            tell(script, v.tainted_sat, v.hops);
        }
    };
    let found = trace_visiting(graph, attribution, &query, &mut visit, &mut |_, _| {})?;
    let lost = |reason| matches!(reason, Cut::Budget | Cut::UnknownPrevout);
    Ok(found
        .cut
        .iter()
        .filter(|c| lost(c.reason))
        .fold(0, |sum, c| sum.saturating_add(c.tainted_sat)))
}
